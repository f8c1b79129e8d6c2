//! A funnel's settings prepared for following users, and events as they look then: numbers and bits, no names. Never
//! follows anybody.

use chrono::{DateTime, Days, Months, TimeZone, Utc};
use chrono_tz::Tz;
use waymark_domain::metrics::{
    Attribution, EventReuse, ExclusionEffect, Funnel, FunnelEntry, FunnelOrder, FunnelTies, FunnelWindow,
    WindowArithmetic, WindowBoundary, WindowScope, WindowUnit,
};

use crate::file::Span;

/// Steps of a funnel at most; the contract says so, too.
pub(super) const MOST_STEPS: usize = 32;
/// No event, no value, no session.
pub(super) const NONE: u32 = u32::MAX;

/// An event that a funnel may care for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    /// Microseconds.
    pub time: i64,
    /// The steps whose conditions it meets, as bits.
    pub steps: u32,
    /// The exclusions whose conditions it meets, as bits.
    pub bars: u32,
    /// Which of the user's values of properties that are held it has.
    pub key: u32,
    /// Which of the user's values of the breakdown it has.
    pub value: u32,
    /// The user's session it is in, from 0.
    pub session: u32,
}

/// What must not come between two steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    pub after: usize,
    pub before: usize,
    pub effect: ExclusionEffect,
}

/// How users are followed.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(super) struct Rules {
    pub steps: usize,
    /// The steps that may be left out, as bits.
    pub optional: u32,
    pub entries: Span,
    pub entry: FunnelEntry,
    pub order: FunnelOrder,
    /// Whether a way stays within a session.
    pub within_sessions: bool,
    pub window: Window,
    /// How long a moment is, in microseconds.
    pub moment: i64,
    /// Whether what comes after is strictly later.
    pub exclusive: bool,
    /// Whether one event may be several steps.
    pub reuse: bool,
    pub bars: Vec<Bar>,
    /// Whether all events of a way have one value of the breakdown.
    pub by_value: bool,
    pub now: i64,
}

impl Rules {
    pub(super) fn new(funnel: &Funnel, now: DateTime<Utc>) -> Self {
        let settings = funnel.settings();
        let optional = funnel.steps().iter().enumerate().filter(|(_, step)| step.optional);
        let bars = settings.exclusions.iter();
        let attribution = settings.breakdown.as_ref().map(|breakdown| breakdown.attribution);
        Self {
            steps: funnel.steps().len().min(MOST_STEPS),
            optional: optional.fold(0, |bits, (step, _)| bits | 1 << step),
            entries: Span::of_times(settings.entries.start(), settings.entries.end()),
            entry: settings.entry,
            order: settings.order,
            within_sessions: settings.within_sessions(),
            window: Window::new(settings.window, settings.zone),
            moment: match settings.ties {
                FunnelTies::Grace => settings.grace.num_microseconds().unwrap_or(i64::MAX).max(1),
                FunnelTies::Inclusive | FunnelTies::Exclusive => 1,
            },
            exclusive: settings.ties == FunnelTies::Exclusive,
            reuse: settings.reuse == EventReuse::EveryStep,
            bars: bars.map(|bar| Bar { after: bar.after, before: bar.before, effect: bar.effect }).collect(),
            by_value: attribution == Some(Attribution::All),
            now: now.timestamp_micros(),
        }
    }

    /// The last step.
    pub(super) fn last(&self) -> usize {
        self.steps - 1
    }

    /// The moment that a time belongs to.
    pub(super) fn moment_of(&self, time: i64) -> i64 {
        if self.moment == 1 { time } else { time.div_euclid(self.moment) }
    }

    /// The first event after `from` that is not of its moment.
    pub(super) fn moment_end(&self, hits: &[Hit], from: usize, end: usize) -> usize {
        let at = self.moment_of(hits[from].time);
        let mut next = from + 1;
        while next < end && self.moment_of(hits[next].time) == at {
            next += 1;
        }
        next
    }

    /// The last time at which an event may count.
    pub(super) fn horizon(&self) -> i64 {
        let steps = match self.window.scope {
            WindowScope::Total => 1,
            WindowScope::PerStep => self.last() as i64,
            WindowScope::Session => return i64::MAX,
        };
        // A calendar's window differs by hours from that of its end, and what is a little too long costs nothing.
        let length = self.window.after(self.entries.max).saturating_sub(self.entries.max).saturating_add(DAY * 4);
        self.entries.max.saturating_add(length.saturating_mul(steps))
    }
}

const DAY: i64 = 86_400_000_000;

/// How long there is.
#[derive(Debug)]
pub(super) struct Window {
    pub scope: WindowScope,
    length: Length,
    /// What the last moment is earlier by than the end.
    excluded: i64,
}

#[derive(Debug)]
enum Length {
    /// Microseconds.
    Elapsed(i64),
    /// Days and months of a calendar.
    Calendar { days: u64, months: u32, zone: Tz },
}

impl Window {
    pub(super) fn new(window: FunnelWindow, zone: Tz) -> Self {
        let calendar = window.arithmetic == WindowArithmetic::Calendar;
        let count = u64::from(window.length);
        let length = match (window.unit, window.elapsed()) {
            (WindowUnit::Month, _) | (_, None) => Length::Calendar { days: 0, months: window.length, zone },
            (WindowUnit::Day, _) if calendar => Length::Calendar { days: count, months: 0, zone },
            (WindowUnit::Week, _) if calendar => Length::Calendar { days: 7 * count, months: 0, zone },
            (_, Some(elapsed)) => Length::Elapsed(elapsed.num_microseconds().unwrap_or(i64::MAX)),
        };
        Self { scope: window.scope, length, excluded: i64::from(window.boundary == WindowBoundary::Exclusive) }
    }

    /// The last time that is in a window that begins at `time`.
    pub(super) fn after(&self, time: i64) -> i64 {
        match &self.length {
            Length::Elapsed(length) => time.saturating_add(*length).saturating_sub(self.excluded),
            Length::Calendar { days, months, zone } => {
                later(time, *days, *months, *zone).unwrap_or(i64::MAX).saturating_sub(self.excluded)
            }
        }
    }
}

/// The same time on the clock of a later date. One that a clock skips is as much after the jump as it would have been
/// after midnight, as if the clock had not been changed; of one that comes twice the first counts.
fn later(time: i64, days: u64, months: u32, zone: Tz) -> Option<i64> {
    let local = zone.from_utc_datetime(&DateTime::from_timestamp_micros(time)?.naive_utc()).naive_local();
    let local = local.checked_add_months(Months::new(months))?.checked_add_days(Days::new(days))?;
    if let Some(then) = zone.from_local_datetime(&local).earliest() {
        return Some(then.timestamp_micros());
    }
    // The jump is less than a day: what the clock said an hour earlier, and that hour, or as many as it takes.
    (1..=26).find_map(|hours| {
        let before = local.checked_sub_signed(chrono::TimeDelta::hours(hours))?;
        let before = zone.from_local_datetime(&before).latest()?;
        Some(before.timestamp_micros() + hours * 3_600_000_000)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(time: &str, unit: WindowUnit, length: u32, arithmetic: WindowArithmetic, zone: Tz) -> String {
        let boundary = WindowBoundary::Inclusive;
        let window = FunnelWindow { scope: WindowScope::Total, length, unit, arithmetic, boundary };
        let time: DateTime<Utc> = time.parse().unwrap();
        let then = Window::new(window, zone).after(time.timestamp_micros());
        DateTime::from_timestamp_micros(then).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    #[test]
    fn a_calendar_day_later_is_the_same_time_on_the_clock() {
        let (day, berlin) = (WindowUnit::Day, Tz::Europe__Berlin);
        let calendar = |time| after(time, day, 1, WindowArithmetic::Calendar, berlin);
        // A night of 23 hours, one of 25, and an hour that there is not.
        assert_eq!(calendar("2026-03-28T11:00:00Z"), "2026-03-29T10:00:00Z");
        assert_eq!(calendar("2026-10-24T10:00:00Z"), "2026-10-25T11:00:00Z");
        assert_eq!(calendar("2026-03-28T01:30:00Z"), "2026-03-29T01:30:00Z");
        let elapsed = after("2026-03-28T11:00:00Z", day, 1, WindowArithmetic::Elapsed, berlin);
        assert_eq!(elapsed, "2026-03-29T11:00:00Z");
        let months = |time, zone| after(time, WindowUnit::Month, 1, WindowArithmetic::Calendar, zone);
        assert_eq!(months("2024-01-31T12:00:00Z", Tz::UTC), "2024-02-29T12:00:00Z", "a leap year");
        // Samoa had no 30 December 2011; New York's clocks go forward on 8 March 2026.
        let apia = after("2011-12-29T22:00:00Z", day, 1, WindowArithmetic::Calendar, Tz::Pacific__Apia);
        assert_eq!(apia, "2011-12-30T22:00:00Z");
        assert_eq!(months("2026-02-08T12:00:00Z", Tz::America__New_York), "2026-03-08T11:00:00Z");
        assert_eq!(months("2026-02-08T12:00:00Z", Tz::Asia__Kolkata), "2026-03-08T12:00:00Z");
        // Morocco goes back for Ramadan.
        let fes = after("2026-02-14T12:00:00Z", day, 1, WindowArithmetic::Calendar, Tz::Africa__Casablanca);
        assert_eq!(fes, "2026-02-15T13:00:00Z");
    }
}
