//! Which product events can be taken in. Judges one event at a time; never stores, counts or compares events.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::text::{self, TextError};

/// One thing a user did, without its properties: no rule looks into those.
#[derive(Debug, Clone, PartialEq)]
pub struct ProductEvent {
    /// Id the sender gave; with user and time the event's identity.
    pub event_id: String,
    /// Who did it.
    pub user: String,
    /// What was done.
    pub event: String,
    /// When, to the microsecond.
    pub time: DateTime<Utc>,
    /// The device, if the sender tells devices apart.
    pub device: Option<String>,
    /// The session, if the sender has sessions.
    pub session: Option<String>,
}

/// Why an event is not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The id cannot be used.
    #[error("{0}: give each event an id, so that a retry is not counted twice")]
    EventId(TextError),
    /// The user cannot be used.
    #[error("{0}: say who did it, or use the device's id")]
    User(TextError),
    /// The event's name cannot be used.
    #[error("{0}: say what was done, such as checkout_completed")]
    Event(TextError),
    /// There is no time, or none a calendar has.
    #[error("is missing, or not between the years 1 and 9999: milliseconds that are taken for seconds lie beyond")]
    Time,
    /// Later than clocks that are slightly off explain.
    #[error("is {time}, more than {} hours ahead of the service's clock: {advice}", ahead.num_hours())]
    TimeInFuture {
        /// The time given.
        time: DateTime<Utc>,
        /// How far ahead is allowed.
        ahead: TimeDelta,
        /// What may be wrong.
        advice: String,
    },
    /// Older than the history that is kept.
    #[error("is {time}, more than {} days ago: {advice}", behind.num_days())]
    TimeTooOld {
        /// The time given.
        time: DateTime<Utc>,
        /// How far back is allowed.
        behind: TimeDelta,
        /// What may be wrong.
        advice: String,
    },
    /// The device cannot be used.
    #[error("{0}")]
    Device(TextError),
    /// The session cannot be used.
    #[error("{0}")]
    Session(TextError),
    /// The properties cannot be kept.
    #[error("{0}")]
    Properties(String),
    /// The tracking plan, which is enforced, does not expect it.
    #[error("{problem}")]
    Unexpected {
        /// The field that is to blame.
        field: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// It is of a bot.
    #[error("{property} is of a bot, as it is like {pattern:?}, and the tracking plan drops events of such")]
    Bot {
        /// The property that tells.
        property: String,
        /// The pattern that it is like.
        pattern: String,
    },
}

impl Rejection {
    /// The field of the event that is to blame.
    pub fn field(&self) -> &str {
        match self {
            Self::EventId(_) => "event_id",
            Self::User(_) => "user",
            Self::Event(_) => "event",
            Self::Time | Self::TimeInFuture { .. } | Self::TimeTooOld { .. } => "time",
            Self::Device(_) => "device",
            Self::Session(_) => "session",
            Self::Properties(_) | Self::Bot { .. } => "properties",
            Self::Unexpected { field, .. } => field,
        }
    }
}

/// How far an event's time may be from the service's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntakePolicy {
    /// How far ahead: clocks of devices are off, but not by days.
    pub ahead: TimeDelta,
    /// How far behind: imports bring history, but not from before there were products to measure.
    pub behind: TimeDelta,
}

impl Default for IntakePolicy {
    /// 24 hours ahead; 40 years (14,610 days) behind.
    fn default() -> Self {
        Self { ahead: TimeDelta::hours(24), behind: TimeDelta::days(14_610) }
    }
}

impl IntakePolicy {
    /// The event, or the first reason it is not taken in. Both limits are allowed themselves.
    pub fn admit(
        &self,
        now: DateTime<Utc>,
        time: Option<DateTime<Utc>>,
        [event_id, user, event, device, session]: [String; 5],
    ) -> Result<ProductEvent, Rejection> {
        let event_id = text::required(event_id, 128).map_err(Rejection::EventId)?;
        let user = text::required(user, 256).map_err(Rejection::User)?;
        let event = text::required(event, 200).map_err(Rejection::Event)?;
        let time = time.ok_or(Rejection::Time)?.trunc_subsecs(6);
        if self.is_ahead(now, time) {
            let advice = self.other_unit(now, time, &SMALLER_UNITS);
            let advice = advice.unwrap_or_else(|| "check the device's clock".to_owned());
            return Err(Rejection::TimeInFuture { time, ahead: self.ahead, advice });
        }
        if self.is_behind(now, time) {
            let advice = self.other_unit(now, time, &LARGER_UNITS).unwrap_or_else(|| "leave the event out".to_owned());
            return Err(Rejection::TimeTooOld { time, behind: self.behind, advice });
        }
        let context = |text: String| Ok((!text.is_empty()).then_some(text::optional(text, 256)?));
        Ok(ProductEvent {
            event_id,
            user,
            event,
            time,
            device: context(device).map_err(Rejection::Device)?,
            session: context(session).map_err(Rejection::Session)?,
        })
    }

    fn is_ahead(&self, now: DateTime<Utc>, time: DateTime<Utc>) -> bool {
        time.signed_duration_since(now) > self.ahead
    }

    fn is_behind(&self, now: DateTime<Utc>, time: DateTime<Utc>) -> bool {
        now.signed_duration_since(time) > self.behind
    }

    /// Which unit may have been taken for another, as the time would be within the limits then.
    fn other_unit(&self, now: DateTime<Utc>, time: DateTime<Utc>, units: &[Unit]) -> Option<String> {
        units.iter().find_map(|(times, over, taken)| {
            let micros = i128::from(time.timestamp_micros()) * times / over;
            let meant = DateTime::from_timestamp_micros(i64::try_from(micros).ok()?)?;
            let within = !self.is_ahead(now, meant) && !self.is_behind(now, meant);
            within.then(|| format!("check the unit, as {taken} it would be {}", meant.format("%Y-%m-%d")))
        })
    }
}

/// By how much a time is more when its number is of another unit, as a fraction, and in which case.
type Unit = (i128, i128, &'static str);

/// Of a number that was too large.
const SMALLER_UNITS: [Unit; 2] =
    [(1, 1_000, "milliseconds, not seconds,"), (1, 1_000_000, "microseconds, not seconds,")];

/// Of a number that was too small.
const LARGER_UNITS: [Unit; 2] = [
    (1_000, 1, "seconds, not milliseconds, or milliseconds, not microseconds,"),
    (1_000_000, 1, "seconds, not microseconds,"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn admit(time: Option<DateTime<Utc>>, texts: [&str; 5]) -> Result<ProductEvent, Rejection> {
        IntakePolicy::default().admit(now(), time, texts.map(str::to_owned))
    }

    #[test]
    fn says_what_is_missing() {
        let field = |result: Result<ProductEvent, Rejection>| result.unwrap_err().field().to_owned();
        assert_eq!(field(admit(Some(now()), ["", "u", "e", "", ""])), "event_id");
        assert_eq!(field(admit(Some(now()), ["1", " ", "e", "", ""])), "user");
        assert_eq!(field(admit(Some(now()), ["1", "u", "", "", ""])), "event");
        assert_eq!(field(admit(None, ["1", "u", "e", "", ""])), "time");
        assert_eq!(field(admit(Some(now()), ["1", "u", "e", &"d".repeat(257), ""])), "device");
        assert_eq!(field(admit(Some(now()), ["1", "u", "e", "", "s\0"])), "session");
    }

    #[test]
    fn an_empty_context_is_none() {
        let event = admit(Some(now()), ["1", "u", "e", "", "s"]).unwrap();
        assert_eq!((event.device, event.session.as_deref()), (None, Some("s")));
    }

    #[test]
    fn a_wrong_unit_is_named() {
        let refused = |time: i64, per_second: i64| {
            let time = DateTime::from_timestamp_micros(time * 1_000_000 / per_second);
            admit(time, ["1", "u", "e", "", ""]).unwrap_err().to_string()
        };
        let seconds = 1_710_325_274;
        let in_milliseconds = refused(seconds, 1_000);
        assert!(
            in_milliseconds.starts_with("is 1970-01-20 19:05:25.274 UTC, more than 14610 days ago"),
            "{in_milliseconds}"
        );
        assert!(
            in_milliseconds
                .ends_with("as seconds, not milliseconds, or milliseconds, not microseconds, it would be 2024-03-13")
        );
        let in_microseconds = refused(seconds * 1_000, 1_000_000);
        assert_eq!(in_microseconds, in_milliseconds, "who asked in which unit is not known here");
        assert!(refused(seconds, 1_000_000).ends_with("as seconds, not microseconds, it would be 2024-03-13"));
        assert!(refused(seconds * 1_000, 1).ends_with("as milliseconds, not seconds, it would be 2024-03-13"));
        assert!(refused(-seconds, 1).ends_with("ago: leave the event out"));
        assert!(refused(seconds * 2, 1).ends_with("clock: check the device's clock"));
    }

    proptest! {
        #[test]
        fn time_is_taken_exactly_within_the_limits(seconds in -2_000_000_000_i64..2_000_000_000) {
            let policy = IntakePolicy::default();
            let offset = TimeDelta::seconds(seconds);
            let result = admit(Some(now() + offset), ["1", "u", "e", "", ""]);
            prop_assert_eq!(result.is_ok(), offset <= policy.ahead && -offset <= policy.behind);
        }
    }
}
