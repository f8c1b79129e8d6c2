//! Predictions.

use waymark_domain::metrics::{Outcome, Prediction, PredictionState, Promise};
use waymark_domain::{Name, Violations};

use crate::convert::{evidence, meta, range, set_meta, time, time_while, timestamp, whole};
use crate::metrics::v1 as pb;
use crate::roadmap::v1 as roadmap;

impl TryFrom<pb::Prediction> for Prediction {
    type Error = Violations;
    fn try_from(message: pb::Prediction) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta = meta(&mut violations, &message);
        let state = state(&mut violations, &message);
        let initiative = violations.check("initiative", message.initiative.parse());
        let metric = violations.check("metric", message.metric.parse());
        let change = range(&mut violations, "change", message.change);
        let window_days = u16::try_from(message.window_days).ok();
        let evidence = evidence(&mut violations, "evidence", message.evidence);
        let commit_time = time(&mut violations, "commit_time", message.commit_time);
        let prediction = (|| {
            let promise = Promise {
                initiative: initiative?,
                metric: metric?,
                change: change?,
                window_days: window_days?,
                evidence,
                committed_by: message.committed_by,
                commit_time: commit_time?,
            };
            Some(Self { meta: meta?, promise, state: state? })
        })();
        whole(violations, prediction)
    }
}

/// The state with what belongs to it; a message must say all of that and nothing else. When a measurement is due follows
/// from it and is not looked at.
fn state(violations: &mut Violations, message: &pb::Prediction) -> Option<PredictionState> {
    let (shipped, measured) = match message.state() {
        pb::PredictionState::Unspecified | pb::PredictionState::Recorded | pb::PredictionState::Withdrawn => {
            (false, false)
        }
        pb::PredictionState::Measuring => (true, false),
        pb::PredictionState::Measured => (true, true),
    };
    let stated = message.state().as_str_name();
    let ship_time = time_while(violations, stated, "ship_time", message.ship_time, shipped);
    let mut outcome = None;
    if measured {
        outcome = violations.check("outcome", message.outcome.parse::<Name<Outcome>>());
    } else if !message.outcome.is_empty() {
        violations.add("outcome", format!("must not be set while {stated}"));
    }
    match (message.state(), ship_time) {
        (pb::PredictionState::Withdrawn, _) => Some(PredictionState::Withdrawn),
        (_, None) => Some(PredictionState::Recorded),
        (_, Some(ship_time)) if measured => Some(PredictionState::Measured { ship_time, outcome: outcome?.any() }),
        (_, Some(ship_time)) => Some(PredictionState::Measuring { ship_time }),
    }
}

impl From<&Prediction> for pb::Prediction {
    fn from(prediction: &Prediction) -> Self {
        let (state, outcome) = match &prediction.state {
            PredictionState::Recorded => (pb::PredictionState::Recorded, String::new()),
            PredictionState::Measuring { .. } => (pb::PredictionState::Measuring, String::new()),
            PredictionState::Measured { outcome, .. } => (pb::PredictionState::Measured, outcome.to_string()),
            PredictionState::Withdrawn => (pb::PredictionState::Withdrawn, String::new()),
        };
        let mut message = self::prediction(String::new(), &prediction.promise);
        message.state = state.into();
        message.ship_time = prediction.ship_time().map(timestamp);
        message.due_time = prediction.due_time().map(timestamp);
        message.outcome = outcome;
        set_meta(&mut message, &prediction.meta);
        message
    }
}

/// A new prediction as a message, which the store completes.
pub fn prediction(display_name: String, promise: &Promise) -> pb::Prediction {
    pb::Prediction {
        display_name,
        initiative: promise.initiative.to_string(),
        metric: promise.metric.to_string(),
        change: Some((&promise.change).into()),
        window_days: promise.window_days.into(),
        evidence: promise.evidence.iter().map(Into::into).collect(),
        committed_by: promise.committed_by.clone(),
        commit_time: Some(timestamp(promise.commit_time)),
        ..Default::default()
    }
}

/// What is promised of a committed initiative; nothing when nobody expects anything of it.
pub fn promise(initiative: roadmap::Initiative) -> Result<Option<Promise>, Violations> {
    let Some(expected) = initiative.expected_outcome else { return Ok(None) };
    let mut violations = Violations::new();
    let full_name = format!("//roadmap.waymark.dev/{}", initiative.name).parse();
    let full_name = violations.check("initiative.name", full_name);
    let metric = violations.check("initiative.expected_outcome.metric", expected.metric.parse());
    let change =
        range(&mut violations, "initiative.expected_outcome.change", Some(expected.change.unwrap_or_default()));
    let evidence = evidence(&mut violations, "initiative.evidence", initiative.evidence);
    let commit_time = time(&mut violations, "initiative.commit_time", Some(initiative.commit_time.unwrap_or_default()));
    let window_days = u16::try_from(expected.window_days_or_default()).unwrap_or_default().max(Promise::LEAST_DAYS);
    let promise = (|| {
        Some(Promise {
            initiative: full_name?,
            metric: metric?,
            change: change?,
            window_days,
            evidence,
            committed_by: initiative.committed_by,
            commit_time: commit_time?,
        })
    })();
    whole(violations, promise.map(Some))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::common::v1::{Evidence, Range};
    use proptest::prelude::*;

    pub(in crate::convert::metrics) fn message() -> pb::Prediction {
        let at = |seconds| Some(crate::Timestamp { seconds, nanos: 0 });
        pb::Prediction {
            name: "workspaces/acme/predictions/sso".into(),
            uid: uuid::Uuid::nil().to_string(),
            display_name: "Single sign-on".into(),
            etag: "1".into(),
            create_time: at(1_770_000_000),
            update_time: at(1_770_000_000),
            initiative: "//roadmap.waymark.dev/workspaces/acme/initiatives/sso".into(),
            metric: "//metrics.waymark.dev/workspaces/acme/metrics/signups".into(),
            change: Some(Range { low: 0.05, likely: 0.1, high: 0.2 }),
            window_days: 28,
            evidence: vec![Evidence {
                target: "//discovery.waymark.dev/workspaces/acme/opportunities/login".into(),
                note: "asked for by 12".into(),
            }],
            committed_by: "users/ada@example.com".into(),
            commit_time: at(1_770_000_000),
            state: pb::PredictionState::Recorded.into(),
            ..Default::default()
        }
    }

    proptest! {
        #[test]
        fn a_prediction_prints_what_it_parsed(state in 1..=4_i32, days in Promise::LEAST_DAYS..=365, seconds in 0_i64..4_000_000_000) {
            let shipped = matches!(state, 2 | 3).then_some(crate::Timestamp { seconds, nanos: 0 });
            let outcome = if state == 3 { "workspaces/acme/outcomes/sso".to_owned() } else { String::new() };
            let mut message = pb::Prediction { state, window_days: days.into(), ship_time: shipped, outcome, ..message() };
            let prediction = crate::parse::<Prediction, _>(message.clone()).unwrap();
            // The due time follows from the others.
            message.due_time = prediction.due_time().map(timestamp);
            prop_assert_eq!(message.due_time.is_some(), shipped.is_some());
            prop_assert_eq!(pb::Prediction::from(&prediction), message);
        }
    }

    #[test]
    fn only_an_initiative_that_is_expected_to_move_something_promises() {
        let initiative = |window_days, metric: &str| roadmap::Initiative {
            name: "workspaces/acme/initiatives/sso".into(),
            commit_time: message().commit_time,
            expected_outcome: Some(roadmap::ExpectedOutcome {
                metric: metric.into(),
                change: message().change,
                window_days,
            }),
            ..Default::default()
        };
        let metric = message().metric;
        assert_eq!(promise(roadmap::Initiative { expected_outcome: None, ..initiative(0, &metric) }), Ok(None));
        let days = |days| promise(initiative(days, &metric)).unwrap().unwrap().window_days;
        assert_eq!((days(0), days(3), days(14)), (28, 7, 14));
        let fields: Vec<_> =
            promise(initiative(0, "orders")).unwrap_err().into_vec().into_iter().map(|v| v.field).collect();
        assert_eq!(fields, ["initiative.expected_outcome.metric"]);
    }

    #[test]
    fn a_state_without_its_facts_is_refused() {
        let fields = |message: pb::Prediction| {
            let error = crate::parse::<Prediction, _>(message).unwrap_err();
            error.into_vec().into_iter().map(|v| v.field).collect::<Vec<_>>()
        };
        let state = pb::PredictionState::Measured.into();
        assert_eq!(fields(pb::Prediction { state, ..message() }), ["ship_time", "outcome"]);
        let early = pb::Prediction {
            ship_time: message().commit_time,
            outcome: "workspaces/acme/outcomes/sso".into(),
            ..message()
        };
        assert_eq!(fields(early), ["ship_time", "outcome"], "RECORDED has neither");
        assert_eq!(fields(pb::Prediction { window_days: 6, change: None, ..message() }), ["change", "window_days"]);
    }
}
