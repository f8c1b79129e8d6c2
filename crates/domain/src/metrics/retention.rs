//! Retention: of those who began, how many came back when. Never looks for them; that is the lake's work.

use chrono_tz::Tz;
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{Interval, Step, TrendSettings, WeekStart};
use crate::{Period, Violations};

/// A question about retention.
#[derive(Debug, Clone, PartialEq)]
pub struct Retention {
    start: Step,
    returns: Step,
    settings: RetentionSettings,
}

/// How users are put into cohorts and when they have come back.
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionSettings {
    /// When users begin.
    pub range: Period,
    /// Which of their starts count.
    pub start: RetentionStart,
    /// How long a period is, and the cohorts that users are told by.
    pub interval: Interval,
    /// What periods are counted from.
    pub periods_from: RetentionPeriods,
    /// How many periods after that of the start.
    pub count: u32,
    /// What coming back in a period is.
    pub mode: RetentionMode,
    /// Where brackets begin, and where the last ends: periods.
    pub brackets: Vec<u32>,
    /// Of whom shares are.
    pub denominator: RetentionDenominator,
    /// How often the event must come.
    pub occurrences: u32,
    /// The calendar.
    pub zone: Tz,
    /// The day a week starts on.
    pub week_start: WeekStart,
}

/// Which starts of a user count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RetentionStart {
    /// The first there ever was, if it is in the range.
    FirstEver,
    /// The first in the range.
    FirstMatching,
    /// The first in each interval of the range.
    Every,
}

/// What periods are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RetentionPeriods {
    /// The interval of the calendar that the start is in.
    Calendar,
    /// The start itself, in days of 24 hours, weeks of seven and months of thirty such.
    Rolling,
}

/// What coming back in a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RetentionMode {
    /// In the period.
    On,
    /// In it or later.
    OnOrAfter,
    /// In it or before.
    OnOrBefore,
    /// In any period of a bracket.
    Brackets,
}

/// Of whom shares are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RetentionDenominator {
    /// All who began.
    All,
    /// Those for whom the period is over.
    Matured,
}

impl Retention {
    /// Of those who did `start`, who did `returns` afterwards. Tells all that is wrong, under `settings`.
    pub fn new(start: Step, returns: Step, settings: RetentionSettings) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let RetentionSettings { range, mode, brackets, interval, zone, .. } = &settings;
        let mut refuse = |field: &str, wrong: bool, reason: &str| {
            if wrong {
                violations.add(format!("settings.{field}"), reason);
            }
        };
        let of_brackets = *mode == RetentionMode::Brackets;
        refuse("brackets", !of_brackets && !brackets.is_empty(), "must be empty unless mode is BRACKETS");
        let rising = brackets.len() > 1 && brackets.windows(2).all(|pair| pair[0] < pair[1]);
        refuse("brackets", of_brackets && !rising, "must be two or more periods, each later than the one before");
        if let Err(error) = TrendSettings::new(range.start(), range.end(), *interval, *zone) {
            refuse("end_time", true, &error.to_string());
        }
        if violations.is_empty() { Ok(Self { start, returns, settings }) } else { Err(violations) }
    }

    /// What users begin with.
    pub fn start(&self) -> &Step {
        &self.start
    }

    /// What they come back for.
    pub fn returns(&self) -> &Step {
        &self.returns
    }

    /// How both are counted.
    pub fn settings(&self) -> &RetentionSettings {
        &self.settings
    }

    /// The columns of the answer: from which period to which, the latter not included.
    pub fn columns(&self) -> Vec<(u32, u32)> {
        match self.settings.mode {
            RetentionMode::Brackets => self.settings.brackets.windows(2).map(|pair| (pair[0], pair[1])).collect(),
            RetentionMode::On | RetentionMode::OnOrAfter | RetentionMode::OnOrBefore => {
                (0..=self.settings.count).map(|period| (period, period + 1)).collect()
            }
        }
    }

    /// How many periods are looked at, the first included.
    pub fn periods(&self) -> u32 {
        self.columns().last().map_or(1, |(_, end)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(mode: RetentionMode, brackets: &[u32]) -> Result<Retention, Vec<String>> {
        let at = |text: &str| text.parse().unwrap();
        let step = || Step::new("a".to_owned(), Vec::new());
        let settings = RetentionSettings {
            range: Period::new(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z")).unwrap(),
            start: RetentionStart::FirstEver,
            interval: Interval::Day,
            periods_from: RetentionPeriods::Calendar,
            count: 2,
            mode,
            brackets: brackets.to_vec(),
            denominator: RetentionDenominator::All,
            occurrences: 1,
            zone: Tz::UTC,
            week_start: WeekStart::Monday,
        };
        let retention = Retention::new(step(), step(), settings);
        retention.map_err(|violations| violations.into_vec().into_iter().map(|violation| violation.field).collect())
    }

    #[test]
    fn columns_are_periods_or_brackets() {
        assert_eq!(asked(RetentionMode::On, &[]).unwrap().columns(), [(0, 1), (1, 2), (2, 3)]);
        let brackets = asked(RetentionMode::Brackets, &[1, 3, 7]).unwrap();
        assert_eq!((brackets.columns(), brackets.periods()), (vec![(1, 3), (3, 7)], 7));
        for wrong in [&[][..], &[1], &[3, 3], &[3, 1]] {
            assert_eq!(asked(RetentionMode::Brackets, wrong).unwrap_err(), ["settings.brackets"]);
        }
        assert_eq!(asked(RetentionMode::On, &[1, 2]).unwrap_err(), ["settings.brackets"]);
    }
}
