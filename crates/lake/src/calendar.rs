//! Bucket boundaries on a local calendar. Never touches events.
//!
//! Boundaries are computed once per query and a row finds its bucket by its instant alone, so a clock change needs no
//! care elsewhere.

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;

use crate::error::{LakeError, Result};
use crate::query::{Bucket, Interval, TimeRange, WeekStart};

/// Far more than a chart shows; guards against a range of centuries by the hour.
const MOST_BUCKETS: usize = 20_000;
const HOUR: i64 = 3600;

/// The buckets that `range` touches, in order and without gaps.
pub(crate) fn buckets(range: TimeRange, interval: Interval, zone: Tz, week_start: WeekStart) -> Result<Vec<Bucket>> {
    if interval == Interval::Whole {
        return Ok(vec![Bucket { start: range.start, end: range.end, partial: false }]);
    }
    let mut start = floor(range.start, interval, zone, week_start)?;
    let mut buckets = Vec::new();
    while start < range.end {
        if buckets.len() == MOST_BUCKETS {
            return Err(LakeError::InvalidQuery(format!(
                "the range has more than {MOST_BUCKETS} buckets: choose a wider interval or a shorter range"
            )));
        }
        let end = next(start, interval, zone)?;
        buckets.push(Bucket { start, end, partial: start < range.start || end > range.end });
        start = end;
    }
    Ok(buckets)
}

/// The last bucket that is over at `now`. Nothing lies between it and the bucket that `now` is in.
pub fn last_complete(now: DateTime<Utc>, interval: Interval, zone: Tz, week_start: WeekStart) -> Result<Bucket> {
    if interval == Interval::Whole {
        return Err(LakeError::InvalidQuery(
            "one bucket over the whole range is over when the range is: choose hours, days, weeks or months".to_owned(),
        ));
    }
    let end = floor(now, interval, zone, week_start)?;
    let last_instant = end.checked_sub_signed(TimeDelta::microseconds(1)).ok_or_else(out_of_calendar)?;
    Ok(Bucket { start: floor(last_instant, interval, zone, week_start)?, end, partial: false })
}

/// The start of the bucket that `time` is in.
fn floor(time: DateTime<Utc>, interval: Interval, zone: Tz, week_start: WeekStart) -> Result<DateTime<Utc>> {
    let date = local(time, zone).date();
    let first = match interval {
        Interval::Whole => return Ok(time),
        Interval::Hour => return floor_hour(time, zone),
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
        Interval::Whole => return Ok(start),
        Interval::Hour => return next_hour(start, zone),
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

fn floor_hour(time: DateTime<Utc>, zone: Tz) -> Result<DateTime<Utc>> {
    let start = seconds(time.timestamp() - second_of_hour(time, zone))?;
    if offset(start, zone) == offset(time, zone) { Ok(start) } else { change_of_clock(start, time, zone) }
}

fn next_hour(start: DateTime<Utc>, zone: Tz) -> Result<DateTime<Utc>> {
    let end = seconds(start.timestamp() + HOUR - second_of_hour(start, zone))?;
    if offset(end, zone) == offset(start, zone) { Ok(end) } else { change_of_clock(start, end, zone) }
}

/// The instant in `(from, to]` at which the offset of `to` begins.
fn change_of_clock(from: DateTime<Utc>, to: DateTime<Utc>, zone: Tz) -> Result<DateTime<Utc>> {
    let new = offset(to, zone);
    first_instant(from, to, |time| offset(time, zone) == new)
}

/// The first whole second in `(from, to]` at which `reached` holds, given that it holds at `to` and from some second
/// on.
fn first_instant(
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    reached: impl Fn(DateTime<Utc>) -> bool,
) -> Result<DateTime<Utc>> {
    // `to` may carry a fraction of a second: the whole second before it has the same offset unless the change is that
    // very second.
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

fn offset(time: DateTime<Utc>, zone: Tz) -> i64 {
    i64::from(zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc())
}

fn second_of_hour(time: DateTime<Utc>, zone: Tz) -> i64 {
    (time.timestamp() + offset(time, zone)).rem_euclid(HOUR)
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
        let range = TimeRange::new(utc(from), utc(to));
        let buckets = buckets(range, interval, zone, WeekStart::Monday).unwrap();
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
        assert_eq!(starts("2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z", Interval::Hour, zone).len(), 23);
        assert_eq!(starts("2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z", Interval::Hour, zone).len(), 25);
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
    fn half_hour_zones_and_half_hour_clock_changes() {
        assert_eq!(
            starts("2024-01-01T00:10:00Z", "2024-01-01T01:40:00Z", Interval::Hour, Tz::Asia__Kolkata),
            ["12-31T23:30", "01-01T00:30", "01-01T01:30"]
        );
        // Lord Howe, 2024-04-07: 02:00 (+11) became 01:30 (+10:30) at 15:00 UTC of the 6th.
        assert_eq!(
            starts("2024-04-06T14:00:00Z", "2024-04-06T16:30:00Z", Interval::Hour, Tz::Australia__Lord_Howe),
            ["04-06T14:00", "04-06T15:00", "04-06T15:30"]
        );
    }

    #[test]
    fn weeks_begin_on_the_day_asked_for_and_months_on_the_first() {
        let range = TimeRange::new(utc("2024-05-15T10:00:00Z"), utc("2024-05-16T00:00:00Z"));
        let start = |week| buckets(range, Interval::Week, Tz::UTC, week).unwrap()[0].start;
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
            let bucket = last_complete(utc(now), interval, zone, WeekStart::Monday).unwrap();
            assert!(!bucket.partial);
            let text = |time: DateTime<Utc>| time.format("%m-%dT%H:%M").to_string();
            (text(bucket.start), text(bucket.end))
        };
        let span = |start: &str, end: &str| (start.to_owned(), end.to_owned());
        assert_eq!(last("2024-05-15T10:00:00Z", Interval::Day, Tz::UTC), span("05-14T00:00", "05-15T00:00"));
        assert_eq!(last("2024-05-15T00:00:00Z", Interval::Day, Tz::UTC), span("05-14T00:00", "05-15T00:00"));
        assert_eq!(last("2024-05-14T23:59:59.999999Z", Interval::Day, Tz::UTC), span("05-13T00:00", "05-14T00:00"));
        assert_eq!(last("2024-05-15T10:00:00Z", Interval::Week, Tz::UTC), span("05-06T00:00", "05-13T00:00"));
        assert_eq!(last("2024-03-15T10:00:00Z", Interval::Month, Tz::UTC), span("02-01T00:00", "03-01T00:00"));
        assert_eq!(last("2024-05-15T10:20:00Z", Interval::Hour, Tz::Asia__Kolkata), span("05-15T08:30", "05-15T09:30"));
        // The day before had 25 hours, and in Samoa the day before was two dates ago.
        assert_eq!(
            last("2024-11-04T12:00:00Z", Interval::Day, Tz::America__New_York),
            span("11-03T04:00", "11-04T05:00")
        );
        assert_eq!(last("2011-12-30T12:00:00Z", Interval::Day, Tz::Pacific__Apia), span("12-29T10:00", "12-30T10:00"));
        assert!(last_complete(utc("2024-05-15T10:00:00Z"), Interval::Whole, Tz::UTC, WeekStart::Monday).is_err());
    }

    #[test]
    fn partial_buckets_are_marked_and_endless_ranges_refused() {
        let range = TimeRange::new(utc("2024-01-01T06:00:00Z"), utc("2024-01-03T00:00:00Z"));
        let partial: Vec<_> =
            buckets(range, Interval::Day, Tz::UTC, WeekStart::Monday).unwrap().iter().map(|b| b.partial).collect();
        assert_eq!(partial, [true, false]);
        let centuries = TimeRange::new(utc("1000-01-01T00:00:00Z"), utc("2024-01-01T00:00:00Z"));
        assert!(matches!(
            buckets(centuries, Interval::Hour, Tz::UTC, WeekStart::Monday),
            Err(LakeError::InvalidQuery(_))
        ));
    }
}
