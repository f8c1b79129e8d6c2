//! What the pictures of product events are asked by: the range, and words for settings.

use anyhow::Result;
use chrono_tz::Tz;
use clap::Args;
use waymark_proto::{Choice, Timestamp};

use crate::{Usage, zone};

/// From when to when.
#[derive(Debug, Clone, Default, Args)]
pub struct Range {
    /// First moment, such as 2026-01-01, which is its midnight in the time zone
    #[arg(long, value_name = "TIME")]
    pub from: String,
    /// First moment after, such as 2026-02-01
    #[arg(long, value_name = "TIME")]
    pub to: String,
}

impl Range {
    /// The two moments, which are there.
    pub fn times(&self, zone: Tz) -> Result<[Option<Timestamp>; 2]> {
        let time = |text: &str| zone::parse(zone, text).map(|time| Some(time.into())).map_err(Usage);
        Ok([time(&self.from)?, time(&self.to)?])
    }
}

/// A value of the contract by its name, as people write it.
pub fn value<C: Choice>(text: &str) -> Result<C, String> {
    let number = C::NAMES.iter().position(|name| waymark_proto::choice::reads_alike(name, text));
    let value = number.and_then(|index| C::try_from(index as i32 + 1).ok());
    value.ok_or_else(|| format!("must be one of {}", C::NAMES.join(", ").to_lowercase().replace('_', "-")))
}

/// A length of time in its two largest units: `45 s`, `3 h 20 min`, `2 d 1 h`.
pub fn length(seconds: f64) -> String {
    let units = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "min")];
    let Some(place) = units.iter().position(|(unit, _)| seconds >= *unit) else {
        return format!("{} s", super::words::figure(seconds));
    };
    let (unit, name) = units[place];
    let (next, lower) = units.get(place + 1).copied().unwrap_or((1.0, "s"));
    let (whole, rest) = ((seconds / unit).floor(), ((seconds % unit) / next).floor());
    if rest > 0.0 { format!("{whole} {name} {rest} {lower}") } else { format!("{whole} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::metrics::v1 as pb;

    #[test]
    fn lengths_are_in_their_largest_units() {
        let lengths = [0.5, 45.0, 60.0, 3_599.0, 12_000.0, 176_400.0].map(length);
        assert_eq!(lengths, ["0.5 s", "45 s", "1 min", "59 min 59 s", "3 h 20 min", "2 d 1 h"]);
    }

    #[test]
    fn settings_are_named_as_people_write_them() {
        assert_eq!(value::<pb::FunnelEntry>("first-entry"), Ok(pb::FunnelEntry::FirstEntry));
        assert!(
            value::<pb::FunnelEntry>("second").unwrap_err().starts_with("must be one of latest-start, first-entry")
        );
    }
}
