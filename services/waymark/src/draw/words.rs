//! Values of the loop in a few words.

use chrono_tz::Tz;
use waymark_proto::Timestamp;
use waymark_proto::common::v1::{AsOf, Range, Reading, Verdict, as_of};
use waymark_proto::roadmap::v1 as pb;

use crate::generic::names::short;
use crate::{Usage, zone};

/// A relative change with its range: `+12.1 % (+8.0 % to +16.2 %)`.
pub fn change(range: &Range) -> String {
    let percent = |share: f64| format!("{:+.1} %", share * 100.0);
    format!("{} ({} to {})", percent(range.likely), percent(range.low), percent(range.high))
}

/// What a metric was, in its unit: `12.5 EUR (2026-03-01 to 2026-03-02)`.
pub fn reading(reading: &Reading, unit: &str, zone: Tz) -> String {
    let value = number(reading.value);
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let ends = zone::of(reading.start_time.as_ref()).zip(zone::of(reading.end_time.as_ref()));
    let span = ends.map(|(start, end)| format!(" ({})", zone::span(zone, start, end))).unwrap_or_default();
    format!("{value}{unit}{span}")
}

/// A number without the noise that sums of decimals leave behind.
pub fn number(number: f64) -> String {
    ((number * 1e6).round() / 1e6).to_string()
}

/// A number in four digits, or all of those before the point: `120.5`, `4000`, `0.001235`.
pub fn figure(number: f64) -> String {
    if number.abs() >= 1000.0 {
        return format!("{number:.0}");
    }
    // What a number is printed as reads back as a number.
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    rounded.to_string()
}

/// A share in per cent. Something is never shown as nothing, nor less than all as all.
pub fn percent(share: f64) -> String {
    match share {
        share if share > 0.0 && share < 0.01 => "<1 %".to_owned(),
        share if share > 0.99 && share < 1.0 => ">99 %".to_owned(),
        share => format!("{:.0} %", share * 100.0),
    }
}

/// What a framework is called.
pub fn framework(framework: pb::ScoringFramework) -> String {
    use pb::ScoringFramework as Framework;
    match framework {
        Framework::Unspecified | Framework::Rice => "RICE",
        Framework::Ice => "ICE",
        Framework::IceMean => "ICE mean",
        Framework::Wsjf => "WSJF",
        Framework::Cd3 => "CD3",
        Framework::ValueEffort => "value / effort",
        Framework::Opportunity => "opportunity",
        Framework::Moscow => "MoSCoW",
        Framework::Kano => "Kano",
    }
    .to_owned()
}

/// A period: `2026-Q3`, or `2026-Q3 to 2026-10`.
pub fn interval(target: &pb::TargetInterval) -> String {
    let one = target.end.is_empty() || target.end == target.start;
    if one { target.start.clone() } else { format!("{} to {}", target.start, target.end) }
}

/// Where an initiative stands, as a mark and in words.
pub fn state(state: pb::InitiativeState) -> (char, String) {
    use pb::InitiativeState as State;
    let mark = match state {
        State::Unspecified | State::Proposed => '○',
        State::Committed => '◔',
        State::InProgress => '◑',
        State::Shipped => '●',
        State::Measured => '★',
        State::Declined => '⊘',
        State::Paused => '‖',
    };
    (mark, value(state.as_str_name(), "INITIATIVE_STATE_").to_lowercase().replace('_', " "))
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
pub fn day(time: Option<&Timestamp>, zone: Tz) -> String {
    zone::of(time).map(|time| zone::day(zone, time)).unwrap_or_default()
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
    pub fn position(&self, zone: Tz) -> anyhow::Result<Option<AsOf>> {
        let position = match (&self.as_of_revision, &self.as_of_time) {
            (Some(revision), _) => as_of::Position::Revision(*revision),
            (None, Some(text)) => as_of::Position::Time(zone::parse(zone, text).map_err(Usage)?.into()),
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
    fn figures_are_short_and_shares_are_honest() {
        let figures = [120.456, 4000.4, 0.001_234_56, -2.5, 0.0, 999.96].map(figure);
        assert_eq!(figures, ["120.5", "4000", "0.001235", "-2.5", "0", "1000"]);
        let shares = [0.0, 0.004, 0.5, 0.999, 1.0].map(percent);
        assert_eq!(shares, ["0 %", "<1 %", "50 %", ">99 %", "100 %"]);
    }

    #[test]
    fn moments_are_of_the_zone() {
        let late = Timestamp { seconds: 1_772_319_600, nanos: 0 };
        assert_eq!(day(Some(&late), Tz::UTC), "2026-02-28");
        assert_eq!(day(Some(&late), Tz::Europe__Berlin), "2026-03-01");
        let asked = When { as_of_time: Some("2026-03-01".into()), as_of_revision: None };
        assert_eq!(asked.position(Tz::Europe__Berlin).unwrap().unwrap().position, Some(as_of::Position::Time(late)));
        let end_time = Some(Timestamp { seconds: late.seconds + 86_400, nanos: 0 });
        let read = Reading { start_time: Some(late), end_time, value: 12.5 };
        assert_eq!(reading(&read, "EUR", Tz::Europe__Berlin), "12.5 EUR (2026-03-01 to 2026-03-02)");
    }

    #[test]
    fn full_names_have_parts() {
        let name = "//metrics.waymark.dev/workspaces/acme/metrics/orders";
        assert_eq!(parts(name), Some(("metrics", "metrics", "orders")));
        assert_eq!(local(name), "workspaces/acme/metrics/orders");
        assert_eq!(parts("workspaces/acme/metrics/orders"), None);
    }
}
