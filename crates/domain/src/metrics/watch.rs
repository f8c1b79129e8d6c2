//! Watching a metric: what a reading of a complete interval says of it, by its alert if it has one, and what that is called.
//! Never measures; the numbers are arguments.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{Interval, Limit, Metric, MetricEvent, Usual, Watch};
use crate::number::rounded;
use crate::{Change, Period, Reading, Side};

/// How long a metric is left as it is where only events that came late would change its latest reading: each change is a
/// version, which whoever is about to update the metric does not know.
const REST: TimeDelta = TimeDelta::hours(1);

impl Metric {
    /// The calendar that cuts the intervals in which it is measured: that of its alert, days of UTC without one.
    pub fn calendar(&self) -> (Interval, Tz) {
        self.watch.map_or((Interval::Day, Tz::UTC), |Watch { alert, .. }| (alert.interval, alert.zone))
    }

    /// For how long after an interval its events are waited for.
    pub fn delay(&self) -> TimeDelta {
        self.watch.map_or(TimeDelta::zero(), |watch| watch.alert.delay)
    }

    /// Whether its value in a complete interval can say anything new. That of one that is not watched is asked for once,
    /// that of one that is again and again, as events may come late; but not that of an interval before its breach.
    pub fn awaits(&self, period: Period) -> bool {
        match (self.watch, self.latest) {
            (Some(Watch { breach, .. }), _) => breach.is_none_or(|breach| period.end() >= breach.period().end()),
            (None, latest) => latest.is_none_or(|latest| period.end() > latest.period().end()),
        }
    }

    /// What a reading of a complete interval changes; `None` when it says nothing new. `usual` is what was usual in it, as far as
    /// that is known: an alert of what is not usual judges nothing without.
    pub fn measured(self, reading: Reading, usual: Option<Usual>, now: DateTime<Utc>) -> Option<Change<Self>> {
        if !self.awaits(reading.period()) {
            return None;
        }
        let reading = reading.as_shown();
        let (watch, event) = match self.judge(reading, usual) {
            Some((watch, event)) => (Some(watch), event),
            None if self.is_news(reading, now) => (self.followed(reading), MetricEvent::Measured),
            None => return None,
        };
        let later = self.latest.filter(|latest| latest.period().end() > reading.period().end());
        Some(Change::new(Self { watch, latest: later.or(Some(reading)), ..self }, event))
    }

    /// What follows where a reading that it keeps is taken anew, because events of its interval are gone; `None` where
    /// it says nothing new. Whether another interval is a breach now is for the next measurement to say.
    pub fn corrected(self, reading: Reading, usual: Option<Usual>) -> Option<Change<Self>> {
        let reading = reading.as_shown();
        let is_of = |known: Option<Reading>| known.is_some_and(|known| known.period() == reading.period());
        let is_breach = is_of(self.watch.and_then(|watch| watch.breach));
        let (watch, event) = match self.judge(reading, usual) {
            Some((watch, event)) if is_breach => (Some(watch), event),
            _ => (self.followed(reading), MetricEvent::Measured),
        };
        let latest = if is_of(self.latest) { Some(reading) } else { self.latest };
        let is_news = (watch, latest) != (self.watch, self.latest);
        is_news.then(|| Change::new(Self { watch, latest, ..self }, event))
    }

    /// What becomes of how it is watched, where the reading begins or ends a breach.
    fn judge(&self, reading: Reading, usual: Option<Usual>) -> Option<(Watch, MetricEvent)> {
        let watch = self.watch?;
        let usual = usual.map(Usual::as_shown);
        match (watch.breach, watch.alert.is_beyond(reading.value(), usual)?) {
            (None, true) => {
                let breached = Watch { breach: Some(reading), withdrawn: None, usual, ..watch };
                Some((breached, MetricEvent::Breached))
            }
            (Some(breach), false) if breach.period() == reading.period() => {
                let none = Watch { breach: None, withdrawn: Some(reading), usual, ..watch };
                Some((none, MetricEvent::BreachWithdrawn))
            }
            (Some(_), false) => Some((Watch { breach: None, usual: None, ..watch }, MetricEvent::Recovered)),
            (Some(_), true) | (None, false) => None,
        }
    }

    /// How it is watched when its breach has the value of a reading of the same interval.
    fn followed(&self, reading: Reading) -> Option<Watch> {
        let follow = |breach: Reading| if breach.period() == reading.period() { reading } else { breach };
        self.watch.map(|watch| Watch { breach: watch.breach.map(follow), ..watch })
    }

    fn is_news(&self, reading: Reading, now: DateTime<Utc>) -> bool {
        let mut known = self.latest.into_iter().chain(self.watch.and_then(|watch| watch.breach));
        if let Some(known) = known.find(|known| known.period() == reading.period()) {
            return known != reading && now - self.meta.update_time >= REST;
        }
        self.latest.is_none_or(|latest| reading.period().end() > latest.period().end())
    }

    /// What the alert calls a breach, in words: `below 20 EUR`, `outside the usual 18 to 26 EUR`. `None` when nobody watches.
    pub fn limit(&self) -> Option<String> {
        let Watch { alert, usual, .. } = self.watch?;
        let (side, limit) = match alert.limit {
            Limit::Threshold(threshold, side) => (side.word(), self.amount(threshold.value())),
            Limit::Unusual(_, side) => {
                let side = side.map_or("outside", Side::word);
                let usual =
                    usual.map(|usual| format!("the usual {} to {}", number(usual.low), self.amount(usual.high)));
                (side, usual.unwrap_or_else(|| "what is usual".to_owned()))
            }
        };
        Some(format!("{side} {limit}"))
    }

    /// The breach in one line of fewer than 400 characters: `"Orders" was 12 EUR on 2026-11-23, below 20 EUR`. `None`
    /// while there is none.
    pub fn alarm(&self) -> Option<String> {
        Some(format!("{}, {}", self.said(self.watch?.breach?)?, self.limit()?))
    }

    /// That the last breach was none, in one line as short: `"Orders" was 22 EUR on 2026-11-23, not below 20 EUR, with all
    /// events that are known now`. `None` where it was one.
    pub fn withdrawal(&self) -> Option<String> {
        let (said, limit) = (self.said(self.watch?.withdrawn?)?, self.limit()?);
        Some(format!("{said}, not {limit}, with all events that are known now"))
    }

    /// What it was in an interval of its alert: `"Orders" was 12 EUR on 2026-11-23`.
    fn said(&self, reading: Reading) -> Option<String> {
        let alert = self.watch?.alert;
        let start = reading.period().start().with_timezone(&alert.zone);
        let when = match alert.interval {
            Interval::Day => start.format("on %Y-%m-%d"),
            Interval::Week => start.format("in the week of %Y-%m-%d"),
            Interval::Month => start.format("in %Y-%m"),
        };
        Some(format!("\"{}\" was {} {when}", self.meta.display_name, self.amount(reading.value())))
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
    use proptest::prelude::*;

    use super::super::metric::tests::metric;
    use super::super::prediction::tests::at;
    use super::super::{Alert, FalseAlarms, Threshold};
    use super::*;
    use crate::ReadingError;

    fn alert(condition: Side) -> Alert {
        let limit = Limit::Threshold(Threshold::new(20.0).unwrap(), condition);
        Alert { limit, interval: Interval::Day, zone: Tz::UTC, delay: TimeDelta::zero() }
    }

    fn watched(condition: Side) -> Metric {
        Metric { watch: Some(Watch::new(alert(condition))), ..metric() }
    }

    fn breach(metric: &Metric) -> Option<Reading> {
        metric.watch.and_then(|watch| watch.breach)
    }

    /// A day, counted from 1 January 2026.
    fn day(number: i64) -> Period {
        let start = at("2026-01-01T00:00:00Z") + chrono::TimeDelta::days(number);
        Period::new(start, start + chrono::TimeDelta::days(1)).unwrap()
    }

    fn reading(number: i64, value: f64) -> Reading {
        Reading::new(day(number), value).unwrap()
    }

    /// What a reading changes that is taken when the metric has rested.
    fn taken(metric: &Metric, number: i64, value: f64) -> Option<Change<Metric>> {
        metric.clone().measured(reading(number, value), None, metric.meta.update_time + REST)
    }

    fn measured(metric: &Metric, number: i64, value: f64) -> (Metric, MetricEvent) {
        let change = taken(metric, number, value).unwrap();
        assert_eq!(change.events().len(), 1);
        let event = change.events()[0];
        (change.into_parts().0, event)
    }

    #[test]
    fn a_breach_is_announced_once_until_it_is_over() {
        let (metric, event) = measured(&watched(Side::Below), 0, 20.0);
        assert_eq!((event, breach(&metric)), (MetricEvent::Measured, None), "the threshold itself is within");
        let (breached, event) = measured(&metric, 1, 12.0);
        let found = Some(reading(1, 12.0));
        assert_eq!((event, breach(&breached), breached.latest), (MetricEvent::Breached, found, found));
        assert_eq!(taken(&breached, 0, 25.0), None, "an interval before it does not end it");
        let (breached, event) = measured(&breached, 2, 5.0);
        assert_eq!((event, breach(&breached)), (MetricEvent::Measured, found), "it goes on");
        let (recovered, event) = measured(&breached, 3, 20.0);
        assert_eq!((event, breach(&recovered)), (MetricEvent::Recovered, None));
        assert_eq!(measured(&recovered, 4, 19.9).1, MetricEvent::Breached);
    }

    #[test]
    fn a_breach_follows_the_events_that_come_late_and_is_withdrawn_when_they_make_it_none() {
        let (breached, _) = measured(&watched(Side::Below), 1, 3.0);
        let (more, event) = measured(&breached, 1, 5.0);
        let found = Some(reading(1, 5.0));
        assert_eq!((event, breach(&more), more.latest), (MetricEvent::Measured, found, found));
        let (well, event) = measured(&more, 1, 25.0);
        assert_eq!((event, breach(&well), well.latest), (MetricEvent::BreachWithdrawn, None, Some(reading(1, 25.0))));
        let said = "\"Signups\" was 25 on 2026-01-02, not below 20, with all events that are known now";
        assert_eq!((well.withdrawal().as_deref(), well.alarm()), (Some(said), None));
        let (again, event) = measured(&well, 2, 4.0);
        assert_eq!((event, again.withdrawal()), (MetricEvent::Breached, None), "what is true now");

        // The interval after it was measured, too, and is as bad.
        let (goes_on, _) = measured(&breached, 2, 4.0);
        let (more, _) = measured(&goes_on, 1, 6.0);
        assert_eq!((breach(&more), more.latest), (Some(reading(1, 6.0)), Some(reading(2, 4.0))));
        let (well, event) = measured(&more, 1, 25.0);
        assert_eq!((event, well.latest), (MetricEvent::BreachWithdrawn, Some(reading(2, 4.0))), "the later one stays");
        let (next, event) = measured(&well, 2, 4.0);
        assert_eq!(
            (event, breach(&next)),
            (MetricEvent::Breached, Some(reading(2, 4.0))),
            "which is a breach of its own"
        );
        let soon = breached.clone().measured(reading(1, 5.0), None, breached.meta.update_time);
        assert_eq!(soon, None, "nobody is overtaken all the time");
    }

    #[test]
    fn a_reading_of_events_that_are_gone_is_corrected() {
        let (breached, _) = measured(&watched(Side::Above), 1, 30.0);
        let (known, _) = measured(&breached, 2, 25.0);
        let corrected = |metric: &Metric, number, value| {
            let change = metric.clone().corrected(reading(number, value), None)?;
            let events = change.events().to_vec();
            let metric = change.into_parts().0;
            Some((metric.latest, breach(&metric), events))
        };
        let (latest, found) = (known.latest, breach(&known));
        assert_eq!(corrected(&known, 2, 25.0), None, "nothing of it is gone");
        let measured = |latest, breach| Some((latest, breach, vec![MetricEvent::Measured]));
        assert_eq!(corrected(&known, 2, 5.0), measured(Some(reading(2, 5.0)), found));
        assert_eq!(corrected(&known, 1, 21.0), measured(latest, Some(reading(1, 21.0))), "still beyond");
        assert_eq!(corrected(&known, 1, 20.0), Some((latest, None, vec![MetricEvent::BreachWithdrawn])));
        assert_eq!(corrected(&known, 0, 50.0), None, "it keeps no reading of that");
        assert_eq!(corrected(&metric(), 1, 20.0), None, "nobody has measured it");
    }

    #[test]
    fn a_reading_is_taken_once_and_follows_late_events_where_it_is_watched() {
        let (unwatched, event) = measured(&metric(), 1, 7.0);
        assert_eq!((event, unwatched.latest), (MetricEvent::Measured, Some(reading(1, 7.0))));
        assert!(!unwatched.awaits(day(1)) && !unwatched.awaits(day(0)) && unwatched.awaits(day(2)));
        assert_eq!((taken(&unwatched, 1, 8.0), taken(&unwatched, 0, 8.0)), (None, None));

        let (watched, _) = measured(&watched(Side::Below), 1, 30.0);
        assert!(watched.awaits(day(1)), "more of it may come, and take it beyond the threshold");
        assert_eq!(taken(&watched, 1, 30.0), None, "nothing new");
        let soon = watched.meta.update_time + REST - TimeDelta::microseconds(1);
        assert_eq!(watched.clone().measured(reading(1, 31.0), None, soon), None, "nobody is overtaken all the time");
        assert_eq!(measured(&watched, 1, 31.0).0.latest, Some(reading(1, 31.0)));
        assert_eq!(taken(&watched, 0, 31.0), None, "an interval before says nothing of now");
        let next = watched.clone().measured(reading(2, 31.0), None, watched.meta.update_time).unwrap();
        assert_eq!(next.events(), [MetricEvent::Measured], "the next interval waits for nothing");
        let late = watched.clone().measured(reading(1, 12.0), None, watched.meta.update_time).unwrap();
        assert_eq!(late.events(), [MetricEvent::Breached], "nor does a breach");
    }

    #[test]
    fn the_condition_says_which_side_is_wrong() {
        let above = watched(Side::Above);
        assert_eq!(measured(&above, 1, 20.0).1, MetricEvent::Measured);
        assert_eq!(measured(&above, 1, -1e9).1, MetricEvent::Measured);
        assert_eq!(measured(&above, 1, 20.5).1, MetricEvent::Breached);
    }

    #[test]
    fn a_sum_of_decimals_is_the_decimal_that_it_makes() {
        let limit = |condition, threshold| {
            let limit = Limit::Threshold(Threshold::new(threshold).unwrap(), condition);
            let alert = Alert { limit, ..alert(condition) };
            Metric { watch: Some(Watch::new(alert)), ..metric() }
        };
        let (below, above) = (limit(Side::Below, 1.0), limit(Side::Above, 0.3));
        assert_eq!(measured(&below, 1, [0.1; 10].iter().sum()).1, MetricEvent::Measured);
        assert_eq!(measured(&above, 1, 0.1 + 0.1 + 0.1).1, MetricEvent::Measured);
        let breached = measured(&below, 1, 0.999_999_999_99).0;
        assert_eq!(breached.alarm().as_deref(), Some("\"Signups\" was 0.99999999999 on 2026-01-02, below 1"));
    }

    #[test]
    fn what_is_no_number_is_no_reading() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Reading::new(day(1), value), Err(ReadingError::NotFinite));
            assert_eq!(Threshold::new(value), Err(ReadingError::NotFinite));
        }
        let start = day(1).start();
        assert_eq!(Period::new(start, start), Err(ReadingError::Empty));
    }

    #[test]
    fn an_alarm_is_one_line_with_the_numbers() {
        let (breached, _) = measured(&watched(Side::Below), 0, 12.0);
        assert_eq!(breached.limit().as_deref(), Some("below 20"));
        assert_eq!(breached.alarm().as_deref(), Some("\"Signups\" was 12 on 2026-01-01, below 20"));
        let zone = Tz::America__New_York;
        let weekly = Alert { interval: Interval::Week, zone, ..alert(Side::Above) };
        let sum = Metric { watch: Some(Watch::new(weekly)), unit: "EUR".into(), ..metric() };
        let (breached, _) = measured(&sum, 0, 0.1 + 0.2 + 20.0);
        assert_eq!(
            breached.alarm().as_deref(),
            Some("\"Signups\" was 20.3 EUR in the week of 2025-12-31, above 20 EUR")
        );
        let alert = Alert { interval: Interval::Month, ..weekly };
        let monthly = Metric { watch: breached.watch.map(|watch| Watch { alert, ..watch }), ..breached };
        assert!(monthly.alarm().unwrap().contains(" in 2025-12, "));
        assert_eq!(metric().alarm(), None);
        assert_eq!(watched(Side::Below).alarm(), None);
    }

    #[test]
    fn an_alarm_stays_short() {
        let usual = Usual { value: f64::MIN, low: f64::MIN, high: f64::MIN_POSITIVE, tried: 1, outside: 0 };
        let threshold = Limit::Threshold(Threshold::new(f64::MIN).unwrap(), Side::Above);
        for limit in [threshold, Limit::Unusual(FalseAlarms(0.02), None)] {
            let alert = Alert { limit, interval: Interval::Week, ..alert(Side::Above) };
            let breach = Some(reading(0, f64::MIN_POSITIVE));
            let watch = Watch { alert, breach, withdrawn: breach, usual: Some(usual.as_shown()) };
            let mut long = Metric { watch: Some(watch), unit: "€".repeat(30), ..metric() };
            long.meta.display_name = "é".repeat(200);
            assert!(long.alarm().unwrap().chars().count() < 400 && long.withdrawal().unwrap().chars().count() < 450);
        }
        assert_eq!([number(0.0), number(-12.5), number(1e300), number(0.001)], ["0", "-12.5", "1e300", "0.001"]);
    }

    #[test]
    fn what_is_not_usual_is_a_breach_where_it_is_known_what_is() {
        let usual = Some(Usual { value: 22.0, low: 18.0, high: 26.0, tried: 120, outside: 3 });
        let on = |side| {
            let alert = Alert { limit: Limit::Unusual(FalseAlarms(0.02), side), ..alert(Side::Below) };
            Metric { watch: Some(Watch::new(alert)), unit: "EUR".into(), ..metric() }
        };
        let event = |metric: &Metric, number, value, usual| {
            let change =
                metric.clone().measured(reading(number, value), usual, metric.meta.update_time + REST).unwrap();
            let event = change.events()[0];
            (event, change.into_parts().0)
        };
        for (side, value, expected) in [
            (None, 18.0, MetricEvent::Measured),
            (None, 26.0, MetricEvent::Measured),
            (None, 17.9, MetricEvent::Breached),
            (None, 26.1, MetricEvent::Breached),
            (Some(Side::Below), 17.9, MetricEvent::Breached),
            (Some(Side::Below), 26.1, MetricEvent::Measured),
            (Some(Side::Above), 17.9, MetricEvent::Measured),
            (Some(Side::Above), 26.1, MetricEvent::Breached),
        ] {
            assert_eq!(event(&on(side), 1, value, usual).0, expected, "{side:?} {value}");
            assert_eq!(event(&on(side), 1, value, None).0, MetricEvent::Measured, "nobody knows what is usual");
        }
        let breached = event(&on(None), 1, 12.0, usual).1;
        assert_eq!(
            breached.alarm().as_deref(),
            Some("\"Signups\" was 12 EUR on 2026-01-02, outside the usual 18 to 26 EUR")
        );
        let unknown = event(&breached, 2, 20.0, None);
        assert_eq!(
            (unknown.0, breach(&unknown.1)),
            (MetricEvent::Measured, breach(&breached)),
            "it is not over either"
        );
        let recovered = event(&breached, 2, 20.0, usual);
        assert_eq!((recovered.0, recovered.1.watch.unwrap().usual), (MetricEvent::Recovered, None));
        let none = event(&breached, 1, 20.0, usual);
        let said = "\"Signups\" was 20 EUR on 2026-01-02, not outside the usual 18 to 26 EUR, with all events that are known now";
        assert_eq!((none.0, none.1.withdrawal().as_deref()), (MetricEvent::BreachWithdrawn, Some(said)));
        assert_eq!(on(None).limit().as_deref(), Some("outside what is usual"));
    }

    proptest! {
        /// However the values go, and even if intervals are judged again, a breach begins it and the two events take
        /// turns.
        #[test]
        fn breaches_and_recoveries_take_turns(values in prop::collection::vec((0_i64..3, 10.0..30.0_f64), 0..40)) {
            let mut metric = watched(Side::Below);
            let mut announced = Vec::new();
            let mut number = 0;
            for (days, value) in values {
                number += days;
                if let Some(change) = taken(&metric, number, value) {
                    let breaches = change.events().iter().copied().filter(|event| *event != MetricEvent::Measured);
                    announced.extend(breaches);
                    metric = change.into_parts().0;
                }
                if days > 0 {
                    prop_assert_eq!(breach(&metric).is_some(), value < 20.0);
                }
            }
            for (index, event) in announced.iter().enumerate() {
                prop_assert_eq!(*event == MetricEvent::Breached, index % 2 == 0);
            }
            prop_assert_eq!(breach(&metric).is_some(), announced.len() % 2 == 1);
        }
    }
}
