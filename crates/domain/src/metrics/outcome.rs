//! Measured outcomes: what became of a prediction, and the rule that judges it. Never measures; the numbers are
//! arguments. The contract calls them outcomes, as it does the roots of trees, which are `discovery::Outcome`.

use chrono::{DateTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{MetricDirection, Prediction, Promise, Windows};
use crate::number::rounded;
use crate::{Evidence, FullName, Meta, Name, Range, Resource, Verdict};

/// A measured outcome: what became of a prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// The prediction.
    pub prediction: Name<Prediction>,
    /// The initiative.
    pub initiative: FullName,
    /// The metric.
    pub metric: FullName,
    /// The change that was predicted, as a share.
    pub predicted: Range,
    /// What was found.
    pub finding: Finding,
    /// Whole days on each side.
    pub days: u16,
    /// When the initiative reached users.
    pub ship_time: DateTime<Utc>,
    /// The prediction's evidence.
    pub evidence: Vec<Evidence>,
}

/// What was found, and what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The change as a share, with the ends of its 95 % interval.
    pub measured: Option<Range>,
    /// Mean of a day before.
    pub pre_mean: f64,
    /// Mean of a day after.
    pub post_mean: f64,
    /// What it means for the prediction.
    pub verdict: Verdict,
    /// One sentence for people.
    pub summary: String,
    /// The time of the latest product event.
    pub latest_event: Option<DateTime<Utc>>,
}

/// What happens to outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum OutcomeEvent {
    Measured,
}

/// Daily values compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The name people know the metric by.
    pub metric: String,
    /// Which way is good.
    pub direction: MetricDirection,
    /// Mean of a day before.
    pub pre_mean: f64,
    /// Mean of a day after.
    pub post_mean: f64,
    /// The change as a share with its 95 % interval, or why there is none.
    pub change: Result<Range, TooLittle>,
    /// The time of the latest product event.
    pub latest_event: Option<DateTime<Utc>>,
}

/// Why a change cannot be told from the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLittle {
    /// Fewer than [`TooLittle::DAYS`] days before have a value.
    #[error("only {days} of the days before have a value, at least {} are needed", Self::DAYS)]
    QuietBefore {
        /// How many have one.
        days: usize,
    },
    /// The events end too early.
    #[error("the product events end before the last day after shipping")]
    EndsEarly,
    /// The mean before is zero or the numbers are out of any range.
    #[error("the days before give nothing to compare with")]
    NoBaseline,
    /// There is no such metric any more.
    #[error("the metric does not exist any more")]
    NoMetric,
}

impl TooLittle {
    /// How many days before must have a value.
    pub const DAYS: usize = 7;

    /// Whether daily values before and the reach of the events suffice to compare.
    pub fn check(before: &[f64], windows: &Windows, latest_event: Option<DateTime<Utc>>) -> Result<(), Self> {
        let days = before.iter().filter(|value| **value != 0.0).count();
        if days < Self::DAYS {
            return Err(Self::QuietBefore { days });
        }
        if !Self::covered(windows, latest_event) {
            return Err(Self::EndsEarly);
        }
        Ok(())
    }

    /// Whether the events reach into the last day after shipping.
    pub fn covered(windows: &Windows, latest_event: Option<DateTime<Utc>>) -> bool {
        latest_event.is_some_and(|latest_event| latest_event >= windows.end - chrono::TimeDelta::days(1))
    }
}

/// What a measured change means for a predicted one. The bar is the end of the prediction that promised least in the
/// wished direction: met when the whole interval is at the bar or better, missed when all of it is worse, and nobody
/// can tell otherwise.
pub fn judge(direction: MetricDirection, predicted: &Range, measured: &Range) -> Verdict {
    let (bar, worst, best) = match direction {
        MetricDirection::Increase => (predicted.low(), measured.low(), measured.high()),
        MetricDirection::Decrease => (-predicted.high(), -measured.high(), -measured.low()),
    };
    // Shares of decimals: without the digits that say only how they were computed.
    let [bar, worst, best] = [bar, worst, best].map(rounded);
    if worst >= bar {
        Verdict::Met
    } else if best < bar {
        Verdict::Missed
    } else {
        Verdict::CantTell
    }
}

impl Finding {
    /// Judges a measurement of a promise.
    pub fn of(promise: &Promise, measurement: Measurement) -> Self {
        let Measurement { metric, direction, pre_mean, post_mean, change, latest_event } = measurement;
        let predicted = &promise.change;
        let expected =
            format!("{metric} was to change by {} to {}", percent(predicted.low()), percent(predicted.high()));
        let (verdict, summary) = match &change {
            Ok(measured) => {
                let verdict = judge(direction, predicted, measured);
                let meaning = match verdict {
                    Verdict::Met => "the prediction was met",
                    Verdict::Missed => "the prediction was missed",
                    Verdict::CantTell => "the data do not tell whether the prediction was met",
                };
                let (likely, low, high) =
                    (percent(measured.likely()), percent(measured.low()), percent(measured.high()));
                (verdict, format!("{expected}; measured {likely} (95 % interval {low} to {high}): {meaning}."))
            }
            Err(reason) => (Verdict::CantTell, format!("{expected}; nobody can tell whether it did: {reason}.")),
        };
        Self { measured: change.ok(), pre_mean, post_mean, verdict, summary, latest_event }
    }
}

/// `0.123` is `+12.3 %`.
fn percent(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}

impl Resource for Outcome {
    const SERVICE: &'static str = "metrics";
    const KIND: &'static str = "Outcome";
    const COLLECTION: &'static str = "outcomes";
    type Event = OutcomeEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests {
    use super::super::metric::tests::metric;
    use super::super::prediction::tests::{at, prediction};
    use super::super::{Metric, PredictionState};
    use super::*;
    use crate::{Failure, Reason};
    use proptest::prelude::*;

    fn range(low: f64, likely: f64, high: f64) -> Range {
        Range::new(low, likely, high).unwrap()
    }

    #[test]
    fn the_bar_is_the_end_that_promised_least() {
        let predicted = range(0.05, 0.1, 0.2);
        let up = |low, high| judge(MetricDirection::Increase, &predicted, &range(low, f64::midpoint(low, high), high));
        assert_eq!(up(0.05, 0.15), Verdict::Met);
        assert_eq!(up(0.30, 0.50), Verdict::Met);
        assert_eq!(up(0.04, 0.15), Verdict::CantTell);
        assert_eq!(up(-0.2, 0.049), Verdict::Missed);
        let tenth = (0.22 - 0.2) / 0.2;
        assert!(tenth < 0.1);
        assert_eq!(judge(MetricDirection::Increase, &range(0.1, 0.2, 0.3), &range(tenth, 0.2, 0.3)), Verdict::Met);
        let predicted = range(-0.3, -0.2, -0.1);
        let down =
            |low, high| judge(MetricDirection::Decrease, &predicted, &range(low, f64::midpoint(low, high), high));
        assert_eq!(down(-0.25, -0.1), Verdict::Met);
        assert_eq!(down(-0.25, -0.05), Verdict::CantTell);
        assert_eq!(down(-0.09, 0.1), Verdict::Missed);
    }

    #[test]
    fn the_summary_says_all_in_one_sentence() {
        let promise = prediction(PredictionState::Recorded).promise;
        let measurement = |change| Measurement {
            metric: "Signups".into(),
            direction: MetricDirection::Increase,
            pre_mean: 100.0,
            post_mean: 112.3,
            change,
            latest_event: None,
        };
        let met = Finding::of(&promise, measurement(Ok(range(0.061, 0.123, 0.185))));
        assert_eq!(
            met.summary,
            "Signups was to change by +5.0 % to +20.0 %; measured +12.3 % (95 % interval +6.1 % to +18.5 %): the prediction was met."
        );
        let quiet = Finding::of(&promise, measurement(Err(TooLittle::QuietBefore { days: 3 })));
        assert_eq!((quiet.verdict, quiet.measured), (Verdict::CantTell, None));
        assert!(
            quiet.summary.contains("only 3 of the days before have a value, at least 7 are needed"),
            "{}",
            quiet.summary
        );
    }

    #[test]
    fn too_little_data_is_said_so() {
        let windows = Windows::around(at("2026-02-10T15:30:00Z"), 14).unwrap();
        let last_day = Some(windows.end - chrono::TimeDelta::days(1));
        let mut before = vec![1.0; 7];
        before.extend([0.0; 7]);
        assert_eq!(TooLittle::check(&before, &windows, last_day), Ok(()));
        assert_eq!(TooLittle::check(&before[1..], &windows, last_day), Err(TooLittle::QuietBefore { days: 6 }));
        assert_eq!(
            TooLittle::check(&before, &windows, last_day.map(|t| t - chrono::TimeDelta::microseconds(1))),
            Err(TooLittle::EndsEarly)
        );
        assert_eq!(TooLittle::check(&before, &windows, None), Err(TooLittle::EndsEarly));
    }

    #[test]
    fn a_goal_does_not_move_while_somebody_aims_at_it() {
        let open = prediction(PredictionState::Recorded);
        let metric = metric();
        let moved = Metric { direction: MetricDirection::Decrease, ..metric.clone() };
        let described = Metric { description: "More".into(), ..metric.clone() };
        let open = [open];
        assert_eq!(metric.redefine(moved.clone(), &open).unwrap_err().reason(), Reason::ResourceInUse);
        assert!(metric.redefine(described, &open).is_ok());
        assert!(metric.clone().delete(&open).is_err());
        let closed = [prediction(PredictionState::Withdrawn)];
        assert!(metric.redefine(moved, &closed).is_ok());
        assert!(metric.delete(&closed).is_ok());
    }

    proptest! {
        /// Turning the axis round turns nothing else.
        #[test]
        fn increase_and_decrease_are_mirror_images(p in prop::array::uniform3(-1.0..1.0_f64), m in prop::array::uniform3(-1.0..1.0_f64)) {
            let sorted = |mut v: [f64; 3]| { v.sort_by(f64::total_cmp); v };
            let (p, m) = (sorted(p), sorted(m));
            let mirrored = |v: [f64; 3]| range(-v[2], -v[1], -v[0]);
            prop_assert_eq!(
                judge(MetricDirection::Increase, &range(p[0], p[1], p[2]), &range(m[0], m[1], m[2])),
                judge(MetricDirection::Decrease, &mirrored(p), &mirrored(m))
            );
        }

        /// A better measurement never gets a worse verdict.
        #[test]
        fn better_is_never_judged_worse(bar in -1.0..1.0_f64, low in -1.0..1.0_f64, width in 0.0..1.0_f64, more in 0.0..1.0_f64) {
            let rank = |low: f64| match judge(MetricDirection::Increase, &range(bar, bar, bar), &range(low, low, low + width)) {
                Verdict::Missed => 0,
                Verdict::CantTell => 1,
                Verdict::Met => 2,
            };
            prop_assert!(rank(low + more) >= rank(low));
        }
    }
}
