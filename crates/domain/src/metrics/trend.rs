//! What a trend covers and how it is cut into points. Never cuts it; that is the lake's work.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use strum::{EnumString, IntoStaticStr, VariantNames};

/// More points than this serve nobody and cost memory.
const POINTS: i64 = 10_000;

/// What a trend covers and how it is cut.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendSettings {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    /// How long a point is.
    pub interval: Interval,
    /// The calendar that cuts days, weeks and months.
    pub zone: Tz,
    /// The day a week starts on.
    pub week_start: WeekStart,
    /// What gets a series each.
    pub breakdown: Option<Breakdown>,
}

/// How long a point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Interval {
    /// A calendar day.
    Day,
    /// Seven calendar days.
    Week,
    /// A calendar month.
    Month,
}

/// The day a week starts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum WeekStart {
    /// As in ISO 8601.
    Monday,
    /// As in North America.
    Sunday,
}

/// One series for each of the values with the highest totals, and one for the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakdown {
    by: BreakdownBy,
    limit: u32,
}

/// What values are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BreakdownBy {
    /// Of this top-level property.
    Property(String),
    /// The names of the events.
    Event,
}

/// Why settings are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrendError {
    /// Nothing between the ends.
    #[error("must be later than start_time")]
    Empty,
    /// More points than a caller can use.
    #[error("makes {points} points, at most {POINTS} are allowed: take a shorter range or a longer interval")]
    TooLong {
        /// How many points there would be, about.
        points: i64,
    },
    /// No IANA zone.
    #[error("{0:?} is not an IANA time zone such as Europe/Berlin, or Etc/GMT-1 for +01:00")]
    Zone(String),
}

impl Interval {
    /// The shortest it can be, which bounds how many fit into a range.
    fn shortest(self) -> TimeDelta {
        match self {
            Self::Day => TimeDelta::hours(23),
            Self::Week => TimeDelta::hours(7 * 24 - 1),
            Self::Month => TimeDelta::hours(28 * 24 - 1),
        }
    }
}

impl Breakdown {
    /// By these values, with series for the `limit` of them with the highest totals.
    pub fn new(by: BreakdownBy, limit: u32) -> Self {
        Self { by, limit }
    }

    /// What the values are of.
    pub fn by(&self) -> &BreakdownBy {
        &self.by
    }

    /// How many values get a series of their own.
    pub fn limit(&self) -> u32 {
        self.limit
    }
}

impl TrendSettings {
    /// The half-open range from `start` to `end`, cut by `interval` in the calendar of `zone`.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>, interval: Interval, zone: Tz) -> Result<Self, TrendError> {
        if end <= start {
            return Err(TrendError::Empty);
        }
        let points = (end - start).num_seconds() / interval.shortest().num_seconds();
        if points > POINTS {
            return Err(TrendError::TooLong { points });
        }
        Ok(Self { start, end, interval, zone, week_start: WeekStart::Monday, breakdown: None })
    }

    /// First moment, included.
    pub fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// First moment after.
    pub fn end(&self) -> DateTime<Utc> {
        self.end
    }
}

/// An IANA time zone; UTC when the name is empty.
pub fn zone(name: &str) -> Result<Tz, TrendError> {
    if name.is_empty() { Ok(Tz::UTC) } else { name.parse().map_err(|_| TrendError::Zone(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_goes_forward_and_ends() {
        let range = |start, end, interval| TrendSettings::new(at(start), at(end), interval, Tz::UTC);
        assert!(range("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z", Interval::Day).is_ok());
        assert_eq!(range("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", Interval::Day), Err(TrendError::Empty));
        assert!(matches!(
            range("1926-01-01T00:00:00Z", "2026-01-01T00:00:00Z", Interval::Day),
            Err(TrendError::TooLong { .. })
        ));
        assert!(range("1926-01-01T00:00:00Z", "2026-01-01T00:00:00Z", Interval::Month).is_ok());
    }

    #[test]
    fn zones_are_iana_names() {
        assert_eq!(zone(""), Ok(Tz::UTC));
        assert_eq!(zone("Europe/Berlin"), Ok(Tz::Europe__Berlin));
        assert!(zone("Berlin").is_err());
    }
}
