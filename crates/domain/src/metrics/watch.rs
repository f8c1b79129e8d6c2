//! Watching a metric: the rule that judges a complete interval against the metric's alert, and what it is called. Never
//! measures; the numbers are arguments.

use super::{Breach, Interval, Metric, MetricEvent, Period, Watch};
use crate::Change;
use crate::number::rounded;

impl Metric {
    /// What a complete interval with this value means, as far as the value is shown. `None` when it says nothing new: nobody watches, the value is no
    /// finite number, the breach it would announce is announced already, or the interval is not later than the one that
    /// the breach was found in.
    pub fn judge(self, period: Period, value: f64) -> Option<Change<Self>> {
        let Watch { alert, breach } = self.watch?;
        let value = rounded(value);
        let found = Breach::new(period, value).ok()?;
        let (breach, event) = match (breach, alert.is_beyond(value)) {
            (Some(known), _) if period.end() <= known.period().end() => return None,
            (None, true) => (Some(found), MetricEvent::Breached),
            (Some(_), false) => (None, MetricEvent::Recovered),
            (Some(_), true) | (None, false) => return None,
        };
        Some(Change::new(Self { watch: Some(Watch { alert, breach }), ..self }, event))
    }

    /// What the alert calls a breach, in words: `below 20 EUR`. `None` when nobody watches.
    pub fn limit(&self) -> Option<String> {
        let alert = self.watch?.alert;
        Some(format!("{} {}", alert.condition.word(), self.amount(alert.threshold.value())))
    }

    /// The breach in one line of fewer than 400 characters: `"Orders" was 12 EUR on 2026-11-23, below 20 EUR`. `None`
    /// while there is none.
    pub fn alarm(&self) -> Option<String> {
        let Watch { alert, breach } = self.watch?;
        let (breach, limit) = (breach?, self.limit()?);
        let start = breach.period().start().with_timezone(&alert.zone);
        let when = match alert.interval {
            Interval::Day => start.format("on %Y-%m-%d"),
            Interval::Week => start.format("in the week of %Y-%m-%d"),
            Interval::Month => start.format("in %Y-%m"),
        };
        Some(format!("\"{}\" was {} {when}, {limit}", self.meta.display_name, self.amount(breach.value())))
    }

    fn amount(&self, value: f64) -> String {
        let number = number(value);
        if self.unit.is_empty() { number } else { format!("{number} {}", self.unit) }
    }
}

/// A number for people, as it is compared, and short however large or small it is.
fn number(value: f64) -> String {
    let value = rounded(value);
    if value == 0.0 || (1e-3..1e12).contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use proptest::prelude::*;

    use super::super::metric::tests::metric;
    use super::super::prediction::tests::at;
    use super::super::{Alert, AlertCondition, AlertError, Threshold};
    use super::*;

    fn alert(condition: AlertCondition) -> Alert {
        Alert { threshold: Threshold::new(20.0).unwrap(), condition, interval: Interval::Day, zone: Tz::UTC }
    }

    fn watched(condition: AlertCondition) -> Metric {
        Metric { watch: Some(Watch::new(alert(condition))), ..metric() }
    }

    fn breach(metric: &Metric) -> Option<Breach> {
        metric.watch.and_then(|watch| watch.breach)
    }

    /// A day, counted from 1 January 2026.
    fn day(number: i64) -> Period {
        let start = at("2026-01-01T00:00:00Z") + chrono::TimeDelta::days(number);
        Period::new(start, start + chrono::TimeDelta::days(1)).unwrap()
    }

    fn judged(metric: Metric, number: i64, value: f64) -> (Metric, MetricEvent) {
        let change = metric.judge(day(number), value).unwrap();
        assert_eq!(change.events().len(), 1);
        let event = change.events()[0];
        (change.into_parts().0, event)
    }

    #[test]
    fn a_breach_is_announced_once_until_it_is_over() {
        let metric = watched(AlertCondition::Below);
        assert_eq!(metric.clone().judge(day(0), 20.0), None, "the threshold itself is within");
        let (breached, event) = judged(metric, 1, 12.0);
        assert_eq!((event, breach(&breached)), (MetricEvent::Breached, Breach::new(day(1), 12.0).ok()));
        assert_eq!(breached.clone().judge(day(2), 5.0), None, "it goes on");
        assert_eq!(
            breached.clone().judge(day(1), 25.0),
            None,
            "late events do not end what was announced of their interval"
        );
        assert_eq!(breached.clone().judge(day(0), 25.0), None, "nor does an interval before it");
        let (recovered, event) = judged(breached, 3, 20.0);
        assert_eq!((event, breach(&recovered)), (MetricEvent::Recovered, None));
        assert_eq!(judged(recovered, 4, 19.9).1, MetricEvent::Breached);
    }

    #[test]
    fn the_condition_says_which_side_is_wrong() {
        let above = watched(AlertCondition::Above);
        assert_eq!(above.clone().judge(day(1), 20.0), None);
        assert_eq!(above.clone().judge(day(1), -1e9), None);
        assert_eq!(judged(above, 1, 20.5).1, MetricEvent::Breached);
    }

    #[test]
    fn a_sum_of_decimals_is_the_decimal_that_it_makes() {
        let limit = |condition, threshold| {
            let alert = Alert { threshold: Threshold::new(threshold).unwrap(), ..alert(condition) };
            Metric { watch: Some(Watch::new(alert)), ..metric() }
        };
        let (below, above) = (limit(AlertCondition::Below, 1.0), limit(AlertCondition::Above, 0.3));
        assert_eq!(below.clone().judge(day(1), [0.1; 10].iter().sum()), None);
        assert_eq!(above.judge(day(1), 0.1 + 0.1 + 0.1), None);
        let breached = judged(below, 1, 0.999_999_999_99).0;
        assert_eq!(breached.alarm().as_deref(), Some("\"Signups\" was 0.99999999999 on 2026-01-02, below 1"));
    }

    #[test]
    fn without_an_alert_or_a_number_nothing_is_judged() {
        assert_eq!(metric().judge(day(1), 0.0), None);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(watched(AlertCondition::Below).judge(day(1), value), None);
            assert_eq!(Threshold::new(value), Err(AlertError::NotFinite));
        }
        let start = day(1).start();
        assert_eq!(Period::new(start, start), Err(AlertError::Empty));
    }

    #[test]
    fn an_alarm_is_one_line_with_the_numbers() {
        let (breached, _) = judged(watched(AlertCondition::Below), 0, 12.0);
        assert_eq!(breached.limit().as_deref(), Some("below 20"));
        assert_eq!(breached.alarm().as_deref(), Some("\"Signups\" was 12 on 2026-01-01, below 20"));
        let zone = Tz::America__New_York;
        let weekly = Alert { interval: Interval::Week, zone, ..alert(AlertCondition::Above) };
        let sum = Metric { watch: Some(Watch::new(weekly)), unit: "EUR".into(), ..metric() };
        let (breached, _) = judged(sum, 0, 0.1 + 0.2 + 20.0);
        assert_eq!(
            breached.alarm().as_deref(),
            Some("\"Signups\" was 20.3 EUR in the week of 2025-12-31, above 20 EUR")
        );
        let alert = Alert { interval: Interval::Month, ..weekly };
        let monthly = Metric { watch: breached.watch.map(|watch| Watch { alert, ..watch }), ..breached };
        assert!(monthly.alarm().unwrap().contains(" in 2025-12, "));
        assert_eq!(metric().alarm(), None);
        assert_eq!(watched(AlertCondition::Below).alarm(), None);
    }

    #[test]
    fn an_alarm_stays_short() {
        let threshold = Threshold::new(f64::MIN).unwrap();
        let alert = Alert { threshold, interval: Interval::Week, ..alert(AlertCondition::Above) };
        let breach = Breach::new(day(0), f64::MIN_POSITIVE).ok();
        let mut long = Metric { watch: Some(Watch { alert, breach }), unit: "€".repeat(30), ..metric() };
        long.meta.display_name = "é".repeat(200);
        assert!(long.alarm().unwrap().chars().count() < 400);
        assert_eq!([number(0.0), number(-12.5), number(1e300), number(0.001)], ["0", "-12.5", "1e300", "0.001"]);
    }

    proptest! {
        /// However the values go, and even if intervals are judged again, a breach begins it and the two events take
        /// turns.
        #[test]
        fn breaches_and_recoveries_take_turns(values in prop::collection::vec((0_i64..3, 10.0..30.0_f64), 0..40)) {
            let mut metric = watched(AlertCondition::Below);
            let mut announced = Vec::new();
            let mut number = 0;
            for (days, value) in values {
                number += days;
                if let Some(change) = metric.clone().judge(day(number), value) {
                    announced.extend_from_slice(change.events());
                    metric = change.into_parts().0;
                }
                if days > 0 {
                    prop_assert_eq!(breach(&metric).is_some(), value < 20.0);
                }
            }
            for (index, event) in announced.iter().enumerate() {
                prop_assert_eq!(*event, if index % 2 == 0 { MetricEvent::Breached } else { MetricEvent::Recovered });
            }
            prop_assert_eq!(breach(&metric).is_some(), announced.len() % 2 == 1);
        }
    }
}
