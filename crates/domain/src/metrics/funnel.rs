//! Funnels: how far users get through steps, and everything that peers disagree on, as choices. Never follows users; that
//! is the lake's work.

mod preset;

use chrono::TimeDelta;
use chrono_tz::Tz;
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{Interval, Step, TrendSettings, WeekStart};
use crate::{Period, Violations};

/// A question about a funnel.
#[derive(Debug, Clone, PartialEq)]
pub struct Funnel {
    steps: Vec<FunnelStep>,
    settings: FunnelSettings,
}

/// What reaches a step, and whether it may be left out.
#[derive(Debug, Clone, PartialEq)]
pub struct FunnelStep {
    /// The event.
    pub step: Step,
    /// Whether the step after it may be reached without it.
    pub optional: bool,
}

/// How users are followed and counted.
#[derive(Debug, Clone, PartialEq)]
pub struct FunnelSettings {
    /// Whose they are where nothing else was chosen.
    pub preset: FunnelPreset,
    /// When the first step must be done.
    pub entries: Period,
    /// Which events begin, and what is counted.
    pub entry: FunnelEntry,
    /// What may come between.
    pub order: FunnelOrder,
    /// Events that do not come between where the order is strict.
    pub ignored: Vec<String>,
    /// The time there is.
    pub window: FunnelWindow,
    /// What comes after what of events at one moment.
    pub ties: FunnelTies,
    /// How long a moment is where ties have a grace.
    pub grace: TimeDelta,
    /// Whether one event may be several steps.
    pub reuse: EventReuse,
    /// What must not come between.
    pub exclusions: Vec<FunnelExclusion>,
    /// Properties that all events of a way have alike.
    pub held: Vec<String>,
    /// Values that get numbers of their own.
    pub breakdown: Option<FunnelBreakdown>,
    /// How long a user does nothing between two sessions.
    pub session_gap: TimeDelta,
    /// The calendar.
    pub zone: Tz,
    /// The day a week starts on.
    pub week_start: WeekStart,
    /// Whether entries are told by interval, too, and how long those are.
    pub interval: Option<Interval>,
}

/// Whose way of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum FunnelPreset {
    /// Ours.
    Waymark,
    /// `windowFunnel` without a mode.
    Clickhouse,
    /// `windowFunnel` with `strict_order`.
    ClickhouseStrictOrder,
    /// `windowFunnel` with `strict_increase`.
    ClickhouseStrictIncrease,
    /// PostHog.
    Posthog,
    /// Mixpanel.
    Mixpanel,
    /// Amplitude.
    Amplitude,
}

/// Which events begin, and what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum FunnelEntry {
    /// Users, by the best of all their ways, wherever they begin.
    LatestStart,
    /// Users, by the way that begins with their first entry.
    FirstEntry,
    /// Entries, one after the other.
    EveryEntry,
    /// Sessions, each by the way that begins with its first entry.
    Session,
}

/// What may come between steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum FunnelOrder {
    /// Anything.
    Ordered,
    /// Nothing but steps that were done before.
    Strict,
    /// Steps come in any order.
    Unordered,
    /// The first step comes first, the others in any order.
    UnorderedAfterFirst,
}

/// The time there is for a funnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunnelWindow {
    /// What it is for.
    pub scope: WindowScope,
    /// How many units.
    pub length: u32,
    /// Of what.
    pub unit: WindowUnit,
    /// How days are counted.
    pub arithmetic: WindowArithmetic,
    /// Whether its last moment is part of it.
    pub boundary: WindowBoundary,
}

/// What a window is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum WindowScope {
    /// All steps, from the first on.
    Total,
    /// Each step, from the one before on.
    PerStep,
    /// All steps, which are done in one session.
    Session,
}

/// Units of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum WindowUnit {
    /// A second.
    Second,
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours, or a calendar day.
    Day,
    /// Seven days.
    Week,
    /// A calendar month.
    Month,
}

/// How days, weeks and months are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum WindowArithmetic {
    /// A day is 24 hours.
    Elapsed,
    /// A day later is the same time on the clock of the day after.
    Calendar,
}

/// Whether the last moment of a window is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum WindowBoundary {
    /// It is.
    Inclusive,
    /// It is not.
    Exclusive,
}

/// What comes after what of events at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum FunnelTies {
    /// Any of them after any other, whichever leads furthest.
    Inclusive,
    /// None after another.
    Exclusive,
    /// As inclusive, where a moment is as long as the grace.
    Grace,
}

/// Whether one event may be several steps of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum EventReuse {
    /// One.
    Once,
    /// All whose conditions it meets.
    EveryStep,
}

/// What must not come between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct FunnelExclusion {
    /// The event.
    pub event: Step,
    /// The step, from 0, after which it counts.
    pub after: usize,
    /// The step before which it counts.
    pub before: usize,
    /// What it does.
    pub effect: ExclusionEffect,
}

/// What an event does that must not come between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ExclusionEffect {
    /// The user is not counted.
    Remove,
    /// The way ends.
    Drop,
    /// The way ends, and the next entry begins another.
    Reset,
}

/// One series for each of the most frequent values of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelBreakdown {
    /// The property.
    pub property: String,
    /// How many values get numbers of their own.
    pub limit: u32,
    /// Whose value it is.
    pub attribution: Attribution,
}

/// Which event of a way says the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribution {
    /// The first.
    First,
    /// The last.
    Last,
    /// That of a step, from 0.
    Step(usize),
    /// All, and they say the same.
    All,
}

/// Seconds of a day.
const DAY: i64 = 86_400;
/// The longest window, in days, and calendar months.
const WINDOW_DAYS: i64 = 3_660;
const WINDOW_MONTHS: u32 = 120;

impl Funnel {
    /// These steps, followed so. Tells all that is wrong: steps under `steps`, settings under `settings`.
    pub fn new(steps: Vec<FunnelStep>, settings: FunnelSettings) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        if let Some(first) = steps.first()
            && first.optional
        {
            violations.add("steps[0].optional", "must be false: a funnel begins with its first step");
        }
        let any_order = settings.is_unordered();
        for (index, _) in steps.iter().enumerate().filter(|(index, step)| *index > 0 && any_order && step.optional) {
            violations.add(format!("steps[{index}].optional"), "must be false where steps come in any order");
        }
        settings.check(&mut violations, steps.len());
        if violations.is_empty() { Ok(Self { steps, settings }) } else { Err(violations) }
    }

    /// The steps; at least 2.
    pub fn steps(&self) -> &[FunnelStep] {
        &self.steps
    }

    /// How users are followed.
    pub fn settings(&self) -> &FunnelSettings {
        &self.settings
    }
}

impl FunnelSettings {
    /// Whether steps come in any order.
    pub fn is_unordered(&self) -> bool {
        matches!(self.order, FunnelOrder::Unordered | FunnelOrder::UnorderedAfterFirst)
    }

    /// Whether a way stays within a session.
    pub fn within_sessions(&self) -> bool {
        self.window.scope == WindowScope::Session || self.entry == FunnelEntry::Session
    }

    fn check(&self, violations: &mut Violations, steps: usize) {
        let mut refuse = |field: &str, wrong: bool, reason: &str| {
            if wrong {
                violations.add(format!("settings.{field}"), reason);
            }
        };
        let any_order = self.is_unordered();
        refuse(
            "ignored_events",
            self.order != FunnelOrder::Strict && !self.ignored.is_empty(),
            "must be empty unless order is STRICT",
        );
        refuse(
            "exclusions",
            any_order && !self.exclusions.is_empty(),
            "must be empty where steps come in any order: nothing is between two of them",
        );
        refuse(
            "window_scope",
            any_order && self.window.scope == WindowScope::PerStep,
            "must not be PER_STEP where steps come in any order: none comes before another",
        );
        refuse(
            "ties",
            any_order && self.ties == FunnelTies::Exclusive,
            "must not be EXCLUSIVE where steps come in any order",
        );
        let by_day = matches!(self.window.unit, WindowUnit::Day | WindowUnit::Week | WindowUnit::Month);
        let calendar = self.window.arithmetic == WindowArithmetic::Calendar;
        let clock = self.window.scope != WindowScope::Session;
        refuse(
            "window_unit",
            clock && calendar && !by_day,
            "must be DAY, WEEK or MONTH where window_arithmetic is CALENDAR",
        );
        refuse(
            "window_unit",
            clock && !calendar && self.window.unit == WindowUnit::Month,
            "must not be MONTH unless window_arithmetic is CALENDAR: months differ in length",
        );
        let within = self.window.elapsed().is_none_or(|length| self.grace <= length);
        refuse(
            "grace_seconds",
            clock && self.ties == FunnelTies::Grace && !within,
            "must not be longer than the window",
        );
        refuse("window_length", clock && self.window.is_too_long(), "makes a window of more than ten years");
        for (index, exclusion) in self.exclusions.iter().enumerate() {
            let in_order = exclusion.after < exclusion.before && exclusion.before < steps;
            refuse(
                &format!("exclusions[{index}].before_step"),
                !in_order,
                "must be the index of a step later than after_step",
            );
        }
        for (index, name) in self.held.iter().enumerate() {
            refuse(&format!("held_properties[{index}]"), self.held[..index].contains(name), "is there twice");
        }
        if let Some(FunnelBreakdown { attribution: Attribution::Step(step), .. }) = &self.breakdown {
            refuse("attribution_step", *step >= steps, "must be the index of a step");
        }
        if let Some(interval) = self.interval {
            let cut = TrendSettings::new(self.entries.start(), self.entries.end(), interval, self.zone);
            if let Err(error) = cut {
                refuse("end_time", true, &error.to_string());
            }
        }
    }
}

impl FunnelWindow {
    /// How long it is where a day is 24 hours; a month has no such length.
    pub fn elapsed(self) -> Option<TimeDelta> {
        let seconds = match self.unit {
            WindowUnit::Second => 1,
            WindowUnit::Minute => 60,
            WindowUnit::Hour => 3_600,
            WindowUnit::Day => DAY,
            WindowUnit::Week => 7 * DAY,
            WindowUnit::Month => return None,
        };
        TimeDelta::try_seconds(seconds * i64::from(self.length))
    }

    fn is_too_long(self) -> bool {
        match self.elapsed() {
            Some(length) => length > TimeDelta::days(WINDOW_DAYS),
            None => self.length > WINDOW_MONTHS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> FunnelSettings {
        let at = |text: &str| text.parse().unwrap();
        FunnelPreset::Waymark.settings(Period::new(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z")).unwrap())
    }

    fn wrong(change: impl FnOnce(&mut Vec<FunnelStep>, &mut FunnelSettings)) -> Vec<String> {
        let step = |name: &str| FunnelStep { step: Step::new(name.to_owned(), Vec::new()), optional: false };
        let (mut steps, mut settings) = (vec![step("a"), step("b"), step("c")], settings());
        change(&mut steps, &mut settings);
        let violations = Funnel::new(steps, settings).err().map(Violations::into_vec).unwrap_or_default();
        violations.into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn what_means_nothing_together_is_refused() {
        assert_eq!(wrong(|_, _| ()), [""; 0]);
        assert_eq!(wrong(|steps, _| steps[0].optional = true), ["steps[0].optional"]);
        assert_eq!(wrong(|_, of| of.ignored = vec!["x".to_owned()]), ["settings.ignored_events"]);
        let exclusion = |after, before| FunnelExclusion {
            event: Step::new("x".to_owned(), Vec::new()),
            after,
            before,
            effect: ExclusionEffect::Drop,
        };
        let fields = wrong(|steps, of| {
            steps[1].optional = true;
            of.order = FunnelOrder::Unordered;
            of.ties = FunnelTies::Exclusive;
            of.window.scope = WindowScope::PerStep;
            of.exclusions = vec![exclusion(0, 1)];
        });
        assert_eq!(fields, ["steps[1].optional", "settings.exclusions", "settings.window_scope", "settings.ties"]);
        let fields = wrong(|_, of| of.exclusions = vec![exclusion(0, 2), exclusion(1, 1), exclusion(1, 3)]);
        assert_eq!(fields, ["settings.exclusions[1].before_step", "settings.exclusions[2].before_step"]);
        assert_eq!(wrong(|_, of| of.held = vec!["a".to_owned(), "a".to_owned()]), ["settings.held_properties[1]"]);
        let breakdown = FunnelBreakdown { property: "plan".to_owned(), limit: 10, attribution: Attribution::Step(3) };
        assert_eq!(wrong(|_, of| of.breakdown = Some(breakdown)), ["settings.attribution_step"]);
    }

    #[test]
    fn windows_have_a_length() {
        assert_eq!(wrong(|_, of| of.window.unit = WindowUnit::Month), ["settings.window_unit"]);
        let calendar = |unit| {
            move |_: &mut Vec<FunnelStep>, of: &mut FunnelSettings| {
                of.window.unit = unit;
                of.window.arithmetic = WindowArithmetic::Calendar;
            }
        };
        assert_eq!(wrong(calendar(WindowUnit::Month)), [""; 0]);
        assert_eq!(wrong(calendar(WindowUnit::Hour)), ["settings.window_unit"]);
        let brief = |_: &mut Vec<FunnelStep>, of: &mut FunnelSettings| {
            (of.ties, of.grace, of.window.unit) = (FunnelTies::Grace, TimeDelta::seconds(8), WindowUnit::Second);
        };
        assert_eq!(wrong(brief), ["settings.grace_seconds"], "seven seconds");
        assert_eq!(wrong(|_, of| of.window.length = 3_661), ["settings.window_length"]);
        assert_eq!(wrong(|_, of| of.window.length = 3_660), [""; 0]);
    }
}
