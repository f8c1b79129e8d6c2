//! Bucket boundaries on a local calendar. Never touches events.
//!
//! Boundaries are computed once per query and a row finds its bucket by its instant alone, so a clock change needs no
//! care elsewhere.

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;
use waymark_domain::Period;
use waymark_domain::metrics::{Interval, TrendSettings, WeekStart};

use crate::answer::Bucket;
use crate::error::{LakeError, Result};

/// The buckets that the settings' range touches, in order and without gaps.
pub(crate) fn buckets(settings: &TrendSettings) -> Result<Vec<Bucket>> {
    let TrendSettings { interval, zone, week_start, .. } = *settings;
    let mut start = floor(settings.start(), interval, zone, week_start)?;
    let mut buckets = Vec::new();
    while start < settings.end() {
        let end = next(start, interval, zone)?;
        buckets.push(Bucket { start, end, partial: start < settings.start() || end > settings.end() });
        start = end;
    }
    Ok(buckets)
}

/// The last interval that is over at `now`. Nothing lies between it and the interval that `now` is in.
pub fn last_complete(now: DateTime<Utc>, interval: Interval, zone: Tz, week_start: WeekStart) -> Result<Period> {
    let end = floor(now, interval, zone, week_start)?;
    let last_instant = end.checked_sub_signed(TimeDelta::microseconds(1)).ok_or_else(out_of_calendar)?;
    let start = floor(last_instant, interval, zone, week_start)?;
    Period::new(start, end).map_err(|error| LakeError::InvalidQuery(error.to_string()))
}

/// The start of the bucket that `time` is in.
fn floor(time: DateTime<Utc>, interval: Interval, zone: Tz, week_start: WeekStart) -> Result<DateTime<Utc>> {
    let date = local(time, zone).date();
    let first = match interval {
        Interval::Day => Some(date),
        Interval::Week => {
            let past = match week_start {
                WeekStart::Monday => date.weekday().num_days_from_monday(),
                WeekStart::Sunday => date.weekday().num_days_from_sunday(),
            };
            date.checked_sub_days(Days::new(past.into()))
        }
        Interval::Month => date.with_day(1),
    };
    start_of_day(first.ok_or_else(out_of_calendar)?, zone)
}

/// The end of the bucket that starts at `start`.
fn next(start: DateTime<Utc>, interval: Interval, zone: Tz) -> Result<DateTime<Utc>> {
    let date = local(start, zone).date();
    let mut following = match interval {
        Interval::Day => date.checked_add_days(Days::new(1)),
        Interval::Week => date.checked_add_days(Days::new(7)),
        Interval::Month => date.with_day(1).and_then(|first| first.checked_add_months(chrono::Months::new(1))),
    };
    // A zone that crossed the date line skipped a whole day, which then starts when the next one does and is no bucket
    // of its own.
    loop {
        let end = start_of_day(following.ok_or_else(out_of_calendar)?, zone)?;
        if end > start {
            return Ok(end);
        }
        following = following.and_then(|date| date.checked_add_days(Days::new(1)));
    }
}

/// The first instant of a local date. Midnight may come twice (the first counts) or not at all (the day starts after
/// the gap).
fn start_of_day(date: NaiveDate, zone: Tz) -> Result<DateTime<Utc>> {
    let midnight = date.and_time(NaiveTime::MIN);
    match zone.from_local_datetime(&midnight) {
        MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => Ok(time.to_utc()),
        MappedLocalTime::None => {
            // No zone is further than 26 hours from another, so the gap lies between these two instants.
            let span = TimeDelta::hours(26);
            let (before, after) = (midnight.checked_sub_signed(span), midnight.checked_add_signed(span));
            let (before, after) = before.zip(after).ok_or_else(out_of_calendar)?;
            first_instant(before.and_utc(), after.and_utc(), |time| local(time, zone) >= midnight)
        }
    }
}

/// The first whole second in `(from, to]` at which `reached` holds, given that it holds at `to` and from some second
/// on.
fn first_instant(
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    reached: impl Fn(DateTime<Utc>) -> bool,
) -> Result<DateTime<Utc>> {
    let (mut low, mut high) = (from.timestamp(), to.timestamp());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if reached(seconds(middle)?) { high = middle } else { low = middle }
    }
    seconds(high)
}

fn seconds(timestamp: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp(timestamp, 0).ok_or_else(out_of_calendar)
}

fn local(time: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    zone.from_utc_datetime(&time.naive_utc()).naive_local()
}

fn out_of_calendar() -> LakeError {
    LakeError::InvalidQuery("the range leaves the calendar: keep it between the years 0 and 9999".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn starts(from: &str, to: &str, interval: Interval, zone: Tz) -> Vec<String> {
        let buckets = buckets(&TrendSettings::new(utc(from), utc(to), interval, zone).unwrap()).unwrap();
        assert!(buckets.windows(2).all(|pair| pair[0].end == pair[1].start && pair[0].start < pair[0].end));
        buckets.iter().map(|bucket| bucket.start.format("%m-%dT%H:%M").to_string()).collect()
    }

    #[test]
    fn days_with_clock_changes_have_23_and_25_hours() {
        let zone = Tz::America__New_York;
        assert_eq!(
            starts("2024-03-09T12:00:00Z", "2024-03-11T12:00:00Z", Interval::Day, zone),
            ["03-09T05:00", "03-10T05:00", "03-11T04:00"]
        );
        assert_eq!(
            starts("2024-11-02T12:00:00Z", "2024-11-04T12:00:00Z", Interval::Day, zone),
            ["11-02T04:00", "11-03T04:00", "11-04T05:00"]
        );
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_starts_after_the_gap() {
        // Cairo, 2024-04-26: 00:00 became 01:00 at 22:00 UTC of the 25th.
        assert_eq!(
            starts("2024-04-25T12:00:00Z", "2024-04-27T00:00:00Z", Interval::Day, Tz::Africa__Cairo),
            ["04-24T22:00", "04-25T22:00", "04-26T21:00"]
        );
    }

    #[test]
    fn a_date_that_never_was_has_no_bucket() {
        // Samoa went from 29 to 31 December 2011.
        assert_eq!(
            starts("2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z", Interval::Day, Tz::Pacific__Apia),
            ["12-29T10:00", "12-30T10:00", "12-31T10:00"]
        );
    }

    #[test]
    fn days_of_zones_off_by_half_an_hour_and_of_half_hour_clock_changes() {
        assert_eq!(
            starts("2024-01-01T00:10:00Z", "2024-01-02T01:40:00Z", Interval::Day, Tz::Asia__Kolkata),
            ["12-31T18:30", "01-01T18:30"]
        );
        // Lord Howe, 2024-04-07: 02:00 (+11) became 01:30 (+10:30) at 15:00 UTC of the 6th.
        assert_eq!(
            starts("2024-04-06T12:00:00Z", "2024-04-08T12:00:00Z", Interval::Day, Tz::Australia__Lord_Howe),
            ["04-05T13:00", "04-06T13:00", "04-07T13:30"]
        );
    }

    #[test]
    fn weeks_begin_on_the_day_asked_for_and_months_on_the_first() {
        let (from, to) = (utc("2024-05-15T10:00:00Z"), utc("2024-05-16T00:00:00Z"));
        let start = |week_start| {
            let mut weekly = TrendSettings::new(from, to, Interval::Week, Tz::UTC).unwrap();
            weekly.week_start = week_start;
            buckets(&weekly).unwrap()[0].start
        };
        assert_eq!(start(WeekStart::Monday), utc("2024-05-13T00:00:00Z"));
        assert_eq!(start(WeekStart::Sunday), utc("2024-05-12T00:00:00Z"));
        assert_eq!(
            starts("2024-01-31T12:00:00Z", "2024-03-01T00:00:01Z", Interval::Month, Tz::UTC),
            ["01-01T00:00", "02-01T00:00", "03-01T00:00"]
        );
    }

    #[test]
    fn the_last_complete_bucket_is_the_one_before_now() {
        let last = |now: &str, interval, zone| {
            let period = last_complete(utc(now), interval, zone, WeekStart::Monday).unwrap();
            let text = |time: DateTime<Utc>| time.format("%m-%dT%H:%M").to_string();
            (text(period.start()), text(period.end()))
        };
        let span = |start: &str, end: &str| (start.to_owned(), end.to_owned());
        assert_eq!(last("2024-05-15T10:00:00Z", Interval::Day, Tz::UTC), span("05-14T00:00", "05-15T00:00"));
        assert_eq!(last("2024-05-15T00:00:00Z", Interval::Day, Tz::UTC), span("05-14T00:00", "05-15T00:00"));
        assert_eq!(last("2024-05-14T23:59:59.999999Z", Interval::Day, Tz::UTC), span("05-13T00:00", "05-14T00:00"));
        assert_eq!(last("2024-05-15T10:00:00Z", Interval::Week, Tz::UTC), span("05-06T00:00", "05-13T00:00"));
        assert_eq!(last("2024-03-15T10:00:00Z", Interval::Month, Tz::UTC), span("02-01T00:00", "03-01T00:00"));
        // The day before had 25 hours, and in Samoa the day before was two dates ago.
        assert_eq!(
            last("2024-11-04T12:00:00Z", Interval::Day, Tz::America__New_York),
            span("11-03T04:00", "11-04T05:00")
        );
        assert_eq!(last("2011-12-30T12:00:00Z", Interval::Day, Tz::Pacific__Apia), span("12-29T10:00", "12-30T10:00"));
    }

    #[test]
    fn partial_buckets_are_marked() {
        let (from, to) = (utc("2024-01-01T06:00:00Z"), utc("2024-01-03T00:00:00Z"));
        let daily = TrendSettings::new(from, to, Interval::Day, Tz::UTC).unwrap();
        let partial: Vec<_> = buckets(&daily).unwrap().iter().map(|bucket| bucket.partial).collect();
        assert_eq!(partial, [true, false]);
    }
}
