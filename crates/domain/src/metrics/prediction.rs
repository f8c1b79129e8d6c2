//! Predictions: what somebody expected of an initiative when it was committed. Never edited by hand; it follows the
//! initiative.

use chrono::{DateTime, Days, NaiveTime, Utc};
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

use crate::{
    AnyName, Change, Evidence, Failure, FailureKind, FullName, Meta, Name, Range, Reason, Resource, Violation,
};

/// What somebody expected of an initiative.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What was promised.
    pub promise: Promise,
    /// Where it stands.
    pub state: PredictionState,
}

/// What was promised when the initiative was committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Promise {
    /// The initiative.
    pub initiative: FullName,
    /// The metric that is to move.
    pub metric: FullName,
    /// The expected change of the daily mean as a share: 0.1 is +10 %.
    pub change: Range,
    /// Whole days compared before and after.
    pub window_days: u16,
    /// What the initiative rested on.
    pub evidence: Vec<Evidence>,
    /// Who committed it; may be empty when the event did not say.
    pub committed_by: String,
    /// When it was committed.
    pub commit_time: DateTime<Utc>,
}

impl Promise {
    /// The shortest window: less than a week compares weekdays with weekends.
    pub const LEAST_DAYS: u16 = 7;
}

/// Where a prediction stands. Displayed as in the contract.
#[derive(Debug, Clone, PartialEq, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum PredictionState {
    /// The initiative is committed and not yet shipped.
    Recorded,
    /// The window after shipping is running.
    Measuring {
        /// When the initiative reached users.
        ship_time: DateTime<Utc>,
    },
    /// There is an outcome.
    Measured {
        /// When the initiative reached users.
        ship_time: DateTime<Utc>,
        /// The outcome, which names this prediction.
        outcome: AnyName,
    },
    /// The initiative was declined before it shipped.
    Withdrawn,
}

/// What happens to predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum PredictionEvent {
    Recorded,
    Started,
    Withdrawn,
    Measured,
}

/// Why a prediction does not move.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PredictionError {
    /// The state does not allow it.
    #[error("{name} is {state}: only a prediction that is MEASURING can be measured")]
    State {
        /// The prediction.
        name: Name<Prediction>,
        /// Its state.
        state: String,
    },
    /// The days after shipping are not over.
    #[error("the window after shipping of {name} is not over: measure it from {due} on")]
    WindowOpen {
        /// The prediction.
        name: Name<Prediction>,
        /// When it will be over.
        due: DateTime<Utc>,
    },
    /// A correction of the shipping time that cannot be.
    #[error("ship_time must be at or before {recorded}, when the initiative was marked as shipped")]
    ShipTime {
        /// The shipping time on record.
        recorded: DateTime<Utc>,
    },
    /// Somebody else was faster.
    #[error("{name} changed while it was measured: read it and decide again")]
    Overtaken {
        /// The prediction.
        name: Name<Prediction>,
        /// Its present version.
        version: u64,
    },
}

impl Failure for PredictionError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::State { .. } | Self::WindowOpen { .. } => FailureKind::Refused,
            Self::ShipTime { .. } => FailureKind::Invalid,
            Self::Overtaken { .. } => FailureKind::Stale,
        }
    }
    fn reason(&self) -> Reason {
        match self {
            Self::State { .. } => Reason::StateConflict,
            Self::WindowOpen { .. } => Reason::RuleViolated,
            Self::ShipTime { .. } => Reason::InvalidField,
            Self::Overtaken { .. } => Reason::EtagMismatch,
        }
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::State { name, state } => {
                vec![("resource", name.to_string()), ("state", state.clone()), ("action", "MeasureOutcome".to_owned())]
            }
            Self::WindowOpen { name, .. } => vec![("resource", name.to_string()), ("rule", "window_over".to_owned())],
            Self::ShipTime { .. } => Vec::new(),
            Self::Overtaken { name, version } => vec![("resource", name.to_string()), ("etag", version.to_string())],
        }
    }
    fn violations(&self) -> Vec<Violation> {
        let field = match self {
            Self::WindowOpen { .. } => "window_over",
            Self::ShipTime { .. } => "ship_time",
            Self::State { .. } | Self::Overtaken { .. } => return Vec::new(),
        };
        vec![Violation { field: field.to_owned(), description: self.to_string() }]
    }
}

/// The days that are compared: whole days (UTC) on both sides of the day of shipping, which is in neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// First moment of the first day before.
    pub before: DateTime<Utc>,
    /// First moment of the day of shipping, hence the end of the days before.
    pub shipped: DateTime<Utc>,
    /// First moment of the first day after.
    pub after: DateTime<Utc>,
    /// First moment after the last day after.
    pub end: DateTime<Utc>,
}

impl Windows {
    /// The windows of `days` days around `ship_time`; `None` at the ends of the calendar.
    pub fn around(ship_time: DateTime<Utc>, days: u16) -> Option<Self> {
        let shipped = ship_time.date_naive();
        let start_of = |date: chrono::NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
        let after = shipped.checked_add_days(Days::new(1))?;
        let length = Days::new(days.into());
        Some(Self {
            before: start_of(shipped.checked_sub_days(length)?),
            shipped: start_of(shipped),
            after: start_of(after),
            end: start_of(after.checked_add_days(length)?),
        })
    }
}

impl Prediction {
    /// Whether the initiative may still prove it right or wrong.
    pub fn is_open(&self) -> bool {
        match self.state {
            PredictionState::Recorded | PredictionState::Measuring { .. } => true,
            PredictionState::Measured { .. } | PredictionState::Withdrawn => false,
        }
    }

    /// When the initiative reached users, once it has.
    pub fn ship_time(&self) -> Option<DateTime<Utc>> {
        match self.state {
            PredictionState::Measuring { ship_time } | PredictionState::Measured { ship_time, .. } => Some(ship_time),
            PredictionState::Recorded | PredictionState::Withdrawn => None,
        }
    }

    /// When the window after shipping is over, once it runs.
    pub fn due_time(&self) -> Option<DateTime<Utc>> {
        Windows::around(self.ship_time()?, self.promise.window_days).map(|windows| windows.end)
    }

    /// The same initiative was committed anew: its promise replaces the one before, as long as nothing shipped. `None`
    /// afterwards.
    pub fn renew(self, promise: Promise) -> Option<Change<Self>> {
        match self.state {
            PredictionState::Recorded | PredictionState::Withdrawn => {
                Some(Change::new(Self { promise, state: PredictionState::Recorded, ..self }, PredictionEvent::Recorded))
            }
            PredictionState::Measuring { .. } | PredictionState::Measured { .. } => None,
        }
    }

    /// The initiative shipped. `None` when that is known already or the prediction was withdrawn.
    pub fn start(self, ship_time: DateTime<Utc>) -> Option<Change<Self>> {
        match self.state {
            PredictionState::Recorded => Some(Change::new(
                Self { state: PredictionState::Measuring { ship_time }, ..self },
                PredictionEvent::Started,
            )),
            PredictionState::Measuring { .. } | PredictionState::Measured { .. } | PredictionState::Withdrawn => None,
        }
    }

    /// The initiative was declined. `None` when it shipped before that, or the prediction is withdrawn already.
    pub fn withdraw(self) -> Option<Change<Self>> {
        match self.state {
            PredictionState::Recorded => {
                Some(Change::new(Self { state: PredictionState::Withdrawn, ..self }, PredictionEvent::Withdrawn))
            }
            PredictionState::Measuring { .. } | PredictionState::Measured { .. } | PredictionState::Withdrawn => None,
        }
    }

    /// The windows to measure now: around the shipping time on record, or an earlier `corrected` one. Refused while
    /// they are not over.
    pub fn windows(&self, corrected: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<Windows, PredictionError> {
        let name = || self.meta.name.clone();
        let PredictionState::Measuring { ship_time: recorded } = self.state else {
            return Err(PredictionError::State { name: name(), state: self.state.to_string() });
        };
        let out_of_place = PredictionError::ShipTime { recorded };
        let ship_time = corrected.unwrap_or(recorded);
        if ship_time > recorded {
            return Err(out_of_place);
        }
        let windows = Windows::around(ship_time, self.promise.window_days).ok_or(out_of_place)?;
        if now < windows.end {
            return Err(PredictionError::WindowOpen { name: name(), due: windows.end });
        }
        Ok(windows)
    }

    /// The prediction has an outcome, measured around `ship_time`. The same conditions as for [`Prediction::windows`].
    pub fn conclude(
        self,
        outcome: AnyName,
        ship_time: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Change<Self>, PredictionError> {
        self.windows(ship_time, now)?;
        let PredictionState::Measuring { ship_time: recorded } = self.state else {
            return Err(PredictionError::State { name: self.meta.name.clone(), state: self.state.to_string() });
        };
        let ship_time = ship_time.unwrap_or(recorded);
        Ok(Change::new(
            Self { state: PredictionState::Measured { ship_time, outcome }, ..self },
            PredictionEvent::Measured,
        ))
    }
}

impl Resource for Prediction {
    const SERVICE: &'static str = "metrics";
    const KIND: &'static str = "Prediction";
    const COLLECTION: &'static str = "predictions";
    type Event = PredictionEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    pub(crate) fn prediction(state: PredictionState) -> Prediction {
        let time = at("2026-01-05T09:00:00Z");
        Prediction {
            meta: Meta {
                name: "workspaces/acme/predictions/sso".parse().unwrap(),
                uid: uuid::Uuid::nil(),
                display_name: "Single sign-on".into(),
                labels: std::collections::BTreeMap::new(),
                version: 1,
                create_time: time,
                update_time: time,
                delete_time: None,
            },
            promise: Promise {
                initiative: "//roadmap.waymark.dev/workspaces/acme/initiatives/sso".parse().unwrap(),
                metric: "//metrics.waymark.dev/workspaces/acme/metrics/signups".parse().unwrap(),
                change: Range::new(0.05, 0.1, 0.2).unwrap(),
                window_days: 28,
                evidence: vec![],
                committed_by: "users/ada@example.com".into(),
                commit_time: time,
            },
            state,
        }
    }

    fn measuring() -> Prediction {
        prediction(PredictionState::Measuring { ship_time: at("2026-02-10T15:30:00Z") })
    }

    fn outcome() -> AnyName {
        "workspaces/acme/outcomes/sso".parse().unwrap()
    }

    #[test]
    fn windows_are_whole_days_without_the_day_of_shipping() {
        let windows = Windows::around(at("2026-02-10T15:30:00Z"), 7).unwrap();
        assert_eq!(windows.before, at("2026-02-03T00:00:00Z"));
        assert_eq!(windows.shipped, at("2026-02-10T00:00:00Z"));
        assert_eq!(windows.after, at("2026-02-11T00:00:00Z"));
        assert_eq!(windows.end, at("2026-02-18T00:00:00Z"));
    }

    #[test]
    fn it_follows_the_initiative() {
        let shipped = at("2026-02-10T15:30:00Z");
        let started = prediction(PredictionState::Recorded).start(shipped).unwrap();
        assert_eq!(started.events(), [PredictionEvent::Started]);
        let started = started.into_parts().0;
        assert_eq!(started.due_time(), Some(at("2026-03-11T00:00:00Z")));
        assert!(started.clone().start(shipped).is_none() && started.clone().withdraw().is_none());
        let due = started.due_time().unwrap();
        let measured = started.conclude(outcome(), None, due).unwrap().into_parts().0;
        assert_eq!(measured.state, PredictionState::Measured { ship_time: shipped, outcome: outcome() });
        assert!(!measured.is_open());
    }

    #[test]
    fn a_withdrawn_prediction_can_be_made_anew() {
        let withdrawn = prediction(PredictionState::Recorded).withdraw().unwrap().into_parts().0;
        assert!(!withdrawn.is_open());
        let promise = Promise { window_days: 14, ..withdrawn.promise.clone() };
        let renewed = withdrawn.renew(promise).unwrap().into_parts().0;
        assert_eq!((renewed.promise.window_days, renewed.is_open()), (14, true));
        assert!(measuring().renew(renewed.promise).is_none());
    }

    #[test]
    fn measuring_waits_for_the_window() {
        let due = at("2026-03-11T00:00:00Z");
        let early = measuring().windows(None, due - chrono::TimeDelta::microseconds(1)).unwrap_err();
        assert!(matches!(early, PredictionError::WindowOpen { due: at, .. } if at == due));
        assert_eq!((early.kind(), early.reason()), (FailureKind::Refused, Reason::RuleViolated));
        assert!(measuring().windows(None, due).is_ok());
        assert!(matches!(prediction(PredictionState::Recorded).windows(None, due), Err(PredictionError::State { .. })));
        assert!(matches!(
            prediction(PredictionState::Withdrawn).conclude(outcome(), None, due),
            Err(PredictionError::State { .. })
        ));
    }

    #[test]
    fn a_correction_goes_back_only() {
        let late = at("2026-06-01T00:00:00Z");
        assert!(matches!(
            measuring().windows(Some(at("2026-02-10T15:30:01Z")), late),
            Err(PredictionError::ShipTime { .. })
        ));
        let corrected = at("2026-01-20T00:00:00Z");
        let concluded = measuring().conclude(outcome(), Some(corrected), late).unwrap().into_parts().0;
        assert_eq!(concluded.ship_time(), Some(corrected));
    }

    proptest! {
        #[test]
        fn windows_are_of_equal_length_and_a_day_apart(seconds in 0_i64..4_000_000_000, days in Promise::LEAST_DAYS..=365) {
            let ship = DateTime::from_timestamp(seconds, 0).unwrap();
            let windows = Windows::around(ship, days).unwrap();
            prop_assert_eq!(windows.shipped - windows.before, windows.end - windows.after);
            prop_assert_eq!((windows.after - windows.shipped).num_hours(), 24);
            prop_assert!(windows.shipped <= ship && ship < windows.after);
        }
    }
}
