//! Audiences: who else is shown the roadmap, which groups of fields they see, and how exact dates are for them.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, NaiveTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{Period, TargetInterval};
use crate::{Meta, Resource};

/// Those who are shown a part of the roadmap.
#[derive(Debug, Clone, PartialEq)]
pub struct Audience {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// Who they are and what they are shown for.
    pub description: String,
    /// What it sees beside the plan.
    pub groups: BTreeSet<FieldGroup>,
    /// How exact the dates are that it is shown.
    pub dates: DatePrecision,
}

/// What a field tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum FieldGroup {
    /// What is planned and when; every audience sees it.
    Plan,
    /// Why.
    Reasoning,
    /// Who answers, decided or did it.
    People,
    /// Efforts and scores.
    Money,
    /// What no audience sees.
    Internal,
}

/// How exact dates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the variants are lengths of periods")]
pub enum DatePrecision {
    /// As they are kept.
    Kept,
    Month,
    Quarter,
    Half,
    Year,
}

/// What happens to audiences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum AudienceEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

/// Why an audience is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AudienceError {
    /// It would see what nobody sees.
    #[error("must not be INTERNAL, which no audience sees")]
    Internal,
}

impl Resource for Audience {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "Audience";
    const COLLECTION: &'static str = "audiences";
    type Event = AudienceEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

impl FieldGroup {
    /// The group, if an audience can be made to see it.
    pub fn seen(self) -> Result<Self, AudienceError> {
        if self == Self::Internal { Err(AudienceError::Internal) } else { Ok(self) }
    }
}

impl DatePrecision {
    /// Its months; none of dates that are shown as they are kept.
    fn months(self) -> Option<u32> {
        match self {
            Self::Kept => None,
            Self::Month => Some(1),
            Self::Quarter => Some(3),
            Self::Half => Some(6),
            Self::Year => Some(12),
        }
    }

    /// The period of this length that holds the start of a shorter one; the period itself where it is as long or longer.
    pub fn of_period(self, period: Period) -> Period {
        match self.months() {
            Some(months) => period.widened(months),
            None => period,
        }
    }

    /// An interval of such periods that holds the other one.
    #[must_use]
    pub fn of_interval(self, interval: TargetInterval) -> TargetInterval {
        // What holds two periods does not end before it starts if they do not.
        TargetInterval::new(self.of_period(interval.start()), self.of_period(interval.end())).unwrap_or(interval)
    }

    /// The first moment of the period in which a time lies, in UTC.
    #[must_use]
    pub fn of_time(self, time: DateTime<Utc>) -> DateTime<Utc> {
        let Some(months) = self.months() else { return time };
        let day = time.date_naive();
        let first = day.with_day(1).and_then(|day| day.with_month0(day.month0() / months * months));
        first.unwrap_or(day).and_time(NaiveTime::MIN).and_utc()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [DatePrecision; 5] =
        [DatePrecision::Kept, DatePrecision::Month, DatePrecision::Quarter, DatePrecision::Half, DatePrecision::Year];

    #[test]
    fn examples() {
        let shown = |precision: DatePrecision, period: &str| precision.of_period(period.parse().unwrap()).to_string();
        assert_eq!(
            ALL.map(|precision| shown(precision, "2026-11")),
            ["2026-11", "2026-11", "2026-Q4", "2026-H2", "2026"]
        );
        assert_eq!(
            ALL.map(|precision| shown(precision, "2026-Q3")),
            ["2026-Q3", "2026-Q3", "2026-Q3", "2026-H2", "2026"]
        );
        assert_eq!(ALL.map(|precision| shown(precision, "2026")), ["2026"; 5]);
        let time = "2026-08-31T23:59:59Z".parse::<DateTime<Utc>>().unwrap();
        let day = |precision: DatePrecision| precision.of_time(time).date_naive().to_string();
        assert_eq!(ALL.map(day), ["2026-08-31", "2026-08-01", "2026-07-01", "2026-07-01", "2026-01-01"]);
        assert_eq!(
            (FieldGroup::Plan.seen(), FieldGroup::Internal.seen()),
            (Ok(FieldGroup::Plan), Err(AudienceError::Internal))
        );
    }

    proptest! {
        /// Nothing finer is left: what two initiatives within one period are shown is the same, and showing it again
        /// changes nothing.
        #[test]
        fn what_is_shown_holds_what_is_kept_and_tells_no_more(
            year in 2000..2200_u16, first in 1..=12_u8, second in 1..=12_u8, which in 0..5_usize
        ) {
            let precision = ALL[which];
            let month = |month: u8| format!("{year:04}-{month:02}").parse::<Period>().unwrap();
            let (start, end) = (month(first.min(second)), month(first.max(second)));
            let interval = TargetInterval::new(start, end).unwrap();
            let shown = precision.of_interval(interval);
            prop_assert!(interval.is_within(&shown), "{} {}", interval, shown);
            prop_assert_eq!(precision.of_interval(shown), shown);
            let day = |period: Period| period.first_day().and_time(NaiveTime::MIN).and_utc();
            prop_assert_eq!(precision.of_time(day(start)), day(shown.start()));
            let together = precision.of_period(start) == precision.of_period(end);
            prop_assert_eq!(together, precision.of_time(day(start)) == precision.of_time(day(end)));
        }
    }
}
