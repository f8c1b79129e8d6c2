//! Values of the loop in a few words.

use waymark_proto::common::v1::{AsOf, Range, Reading, Verdict, as_of};

use crate::Usage;
use crate::generic::literal;
use crate::generic::names::short;

/// A relative change with its range: `+12.1 % (+8.0 % to +16.2 %)`.
pub fn change(range: &Range) -> String {
    let percent = |share: f64| format!("{:+.1} %", share * 100.0);
    format!("{} ({} to {})", percent(range.likely), percent(range.low), percent(range.high))
}

/// What a metric was, in its unit: `12.5 EUR (2026-03-01 to 2026-03-02)`.
pub fn reading(reading: &Reading, unit: &str) -> String {
    // Without the noise that sums of decimals leave behind.
    let value = (reading.value * 1e6).round() / 1e6;
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    format!("{value}{unit} ({} to {})", day(reading.start_time.as_ref()), day(reading.end_time.as_ref()))
}

/// A verdict with its mark.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Unspecified => "not measured",
        Verdict::Met => "✓ MET",
        Verdict::Missed => "✗ MISSED",
        Verdict::CantTell => "? CAN'T TELL",
    }
}

/// The name of an enum value without its prefix: `INITIATIVE_STATE_SHIPPED` is `SHIPPED` when the prefix is
/// `INITIATIVE_STATE_`.
pub fn value(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

/// The day of a moment.
pub fn day(time: Option<&waymark_proto::Timestamp>) -> String {
    let time = time.and_then(|time| chrono::DateTime::from_timestamp(time.seconds, 0));
    time.map(|time| time.format("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// The service and collection of a full name, and its id: `metrics` of
/// `//metrics.waymark.dev/workspaces/acme/metrics/orders`.
pub fn parts(full_name: &str) -> Option<(&str, &str, &str)> {
    let mut parts = full_name.strip_prefix("//")?.split('/');
    let service = parts.next()?.strip_suffix(".waymark.dev")?;
    let collection = parts.nth(2)?;
    Some((service, collection, short(full_name)))
}

/// The name within its service of a full name: `workspaces/acme/metrics/orders`.
pub fn local(full_name: &str) -> &str {
    full_name.find("workspaces/").map_or(full_name, |at| &full_name[at..])
}

/// Which moment a picture shows.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct When {
    /// Show how it stood after this revision
    #[arg(long, value_name = "REVISION", conflicts_with = "as_of_time")]
    pub as_of_revision: Option<i64>,
    /// Show how it stood at this time, such as 2026-01-31
    #[arg(long, value_name = "TIME")]
    pub as_of_time: Option<String>,
}

impl When {
    /// The position for a request.
    pub fn position(&self) -> anyhow::Result<Option<AsOf>> {
        let position = match (&self.as_of_revision, &self.as_of_time) {
            (Some(revision), _) => as_of::Position::Revision(*revision),
            (None, Some(text)) => {
                let time = literal::time(text).map_err(Usage)?;
                as_of::Position::Time(waymark_proto::Timestamp {
                    seconds: time.timestamp(),
                    nanos: time.timestamp_subsec_nanos() as i32,
                })
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(AsOf { position: Some(position) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_signs() {
        assert_eq!(change(&Range { low: -0.02, likely: 0.121, high: 0.3 }), "+12.1 % (-2.0 % to +30.0 %)");
    }

    #[test]
    fn full_names_have_parts() {
        let name = "//metrics.waymark.dev/workspaces/acme/metrics/orders";
        assert_eq!(parts(name), Some(("metrics", "metrics", "orders")));
        assert_eq!(local(name), "workspaces/acme/metrics/orders");
        assert_eq!(parts("workspaces/acme/metrics/orders"), None);
    }
}
