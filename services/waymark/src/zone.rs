//! Times as people write and read them: a text that states no offset from UTC is of a time zone, and so is what is shown.

use std::str::FromStr as _;

use chrono::{DateTime, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use waymark_proto::Timestamp;

/// The time zone of a name.
pub fn named(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| {
        let hours = FixedOffset::from_str(text).ok().map(|offset| offset.local_minus_utc() / 3_600);
        // The names of fixed zones count westwards.
        let (offset, zone) = hours.map_or(("+01:00", -1), |hours| (text, -hours));
        format!(
            "{text:?} is not the name of a time zone; write one such as Europe/Berlin, or Etc/GMT{zone:+} for {offset}"
        )
    })
}

/// The moment that a text stands for: a date or a date and time, of `zone` unless it states its offset. A date is its
/// first moment, and of a time that a clock showed twice the first is meant.
pub fn parse(zone: Tz, text: &str) -> Result<DateTime<Utc>, String> {
    let wrong = || {
        format!(
            "{text:?} is not a time; write 2026-01-31 or 2026-01-31 12:00, which are of the time zone {zone}, or \
             2026-01-31T12:00:00+01:00"
        )
    };
    let (naive, offset) = split(text.trim());
    let (time, is_date) = local(naive).ok_or_else(wrong)?;
    if let Some(offset) = offset {
        return offset.from_local_datetime(&time).single().map(|time| time.to_utc()).ok_or_else(wrong);
    }
    match zone.from_local_datetime(&time) {
        MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => Ok(time.to_utc()),
        // Where clocks go forward at midnight, the day begins an hour later.
        MappedLocalTime::None if is_date => (1..=24)
            .find_map(|hours| zone.from_local_datetime(&(time + TimeDelta::hours(hours))).earliest())
            .map(|time| time.to_utc())
            .ok_or_else(wrong),
        MappedLocalTime::None => Err(format!("{text:?} does not exist in {zone}: clocks went forward then")),
    }
}

/// The moment of a message.
pub fn of(time: Option<&Timestamp>) -> Option<DateTime<Utc>> {
    time.and_then(|time| DateTime::from_timestamp(time.seconds, 0))
}

/// A moment to the second, with its offset from UTC.
pub fn show(zone: Tz, time: DateTime<Utc>) -> String {
    let form = if zone == Tz::UTC { "%Y-%m-%d %H:%M:%SZ" } else { "%Y-%m-%d %H:%M:%S%:z" };
    time.with_timezone(&zone).format(form).to_string()
}

/// The day of a moment.
pub fn day(zone: Tz, time: DateTime<Utc>) -> String {
    time.with_timezone(&zone).format("%Y-%m-%d").to_string()
}

/// From a moment to another: by their days where they are whole ones.
pub fn span(zone: Tz, start: DateTime<Utc>, end: DateTime<Utc>) -> String {
    let is_day = |time: DateTime<Utc>| parse(zone, &day(zone, time)) == Ok(time);
    let write = if is_day(start) && is_day(end) { day } else { show };
    format!("{} to {}", write(zone, start), write(zone, end))
}

/// A text without the offset at its end, and that.
fn split(text: &str) -> (&str, Option<FixedOffset>) {
    if let Some(naive) = text.strip_suffix(['Z', 'z']) {
        return (naive, FixedOffset::east_opt(0));
    }
    let parts = text.len().checked_sub("+01:00".len()).and_then(|at| text.split_at_checked(at));
    let parts = parts.filter(|(_, end)| end.starts_with(['+', '-']) && end.get(3..4) == Some(":"));
    let offset = parts.and_then(|(naive, end)| Some((naive, FixedOffset::from_str(end).ok()?)));
    offset.map_or((text, None), |(naive, offset)| (naive, Some(offset)))
}

/// What a calendar and a clock show, and whether it is a date alone.
fn local(text: &str) -> Option<(NaiveDateTime, bool)> {
    let text = text.trim_end();
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let time = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    time.map(|time| (time, false)).or_else(|| Some((day()?, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(zone: &str, text: &str) -> Result<String, String> {
        parse(named(zone)?, text).map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }

    #[test]
    fn a_time_is_of_the_zone_unless_it_states_its_offset() {
        assert_eq!(read("UTC", "2026-01-31").unwrap(), "2026-01-31T00:00:00Z");
        assert_eq!(read("Europe/Berlin", "2026-01-31").unwrap(), "2026-01-30T23:00:00Z");
        assert_eq!(read("Europe/Berlin", "2026-07-31 12:30").unwrap(), "2026-07-31T10:30:00Z");
        for text in ["2026-01-31T12:00+01:00", "2026-01-31 12:00:00+01:00", "2026-01-31T11:00Z", "2026-01-31 11:00:00Z"]
        {
            assert_eq!(read("Asia/Tokyo", text).unwrap(), "2026-01-31T11:00:00Z", "{text}");
        }
        assert_eq!(read("Asia/Tokyo", "2026-01-31+01:00").unwrap(), "2026-01-30T23:00:00Z");
        assert_eq!(read("Asia/Beirut", "2026-03-29").unwrap(), "2026-03-28T22:00:00Z", "it begins at one o'clock");
        assert!(read("Europe/Berlin", "2026-03-29 02:30").unwrap_err().contains("does not exist in Europe/Berlin"));
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for (zone, text) in [("UTC", "2026-01-31 11:00:00Z"), ("Europe/Berlin", "2026-01-31 12:00:00+01:00")] {
            let zone = named(zone).unwrap();
            assert_eq!(show(zone, parse(zone, text).unwrap()), text);
        }
    }

    #[test]
    fn whole_days_are_shown_as_days() {
        let zone = Tz::Europe__Berlin;
        let at = |text| parse(zone, text).unwrap();
        assert_eq!(span(zone, at("2026-03-28"), at("2026-03-30")), "2026-03-28 to 2026-03-30");
        let hours = span(zone, at("2026-03-28"), at("2026-03-28 12:00"));
        assert_eq!(hours, "2026-03-28 00:00:00+01:00 to 2026-03-28 12:00:00+01:00");
    }

    #[test]
    fn refusals_show_what_is_right() {
        let refused = read("Europe/Berlin", "tomorrow").unwrap_err();
        let examples = ["2026-01-31", "2026-01-31 12:00", "2026-01-31T12:00:00+01:00"];
        for example in examples {
            assert!(refused.contains(example) && read("UTC", example).is_ok(), "{refused}");
        }
        let offset = named("+02:00").unwrap_err();
        assert!(offset.contains("Etc/GMT-2 for +02:00"), "{offset}");
        assert_eq!(read("Etc/GMT-2", "2026-01-31"), read("UTC", "2026-01-31+02:00"));
        assert!(named("Berlin").unwrap_err().contains("Etc/GMT-1 for +01:00"));
    }
}
