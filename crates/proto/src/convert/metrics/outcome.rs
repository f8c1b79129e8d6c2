//! Outcomes.

use chrono::{DateTime, Utc};
use waymark_domain::Violations;
use waymark_domain::metrics::{Finding, Outcome, Prediction};

use crate::Choice as _;
use crate::common::v1::Verdict;
use crate::convert::{evidence, meta, range, set_meta, time, timestamp, whole};
use crate::metrics::v1 as pb;

impl TryFrom<pb::Outcome> for Outcome {
    type Error = Violations;
    fn try_from(message: pb::Outcome) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta = meta(&mut violations, &message);
        let verdict = message.verdict().domain();
        let prediction = violations.check("prediction", message.prediction.parse());
        let initiative = violations.check("initiative", message.initiative.parse());
        let metric = violations.check("metric", message.metric.parse());
        let predicted = range(&mut violations, "predicted", message.predicted);
        let measured = range(&mut violations, "measured", message.measured);
        let days = violations.check("days", u16::try_from(message.days));
        let ship_time = time(&mut violations, "ship_time", message.ship_time);
        let evidence = evidence(&mut violations, "evidence", message.evidence);
        let latest_event = time(&mut violations, "latest_event_time", message.latest_event_time);
        let pb::Outcome { pre_mean, post_mean, summary, .. } = message;
        let outcome = (|| {
            Some(Self {
                meta: meta?,
                prediction: prediction?,
                initiative: initiative?,
                metric: metric?,
                predicted: predicted?,
                finding: Finding { measured, pre_mean, post_mean, verdict: verdict?, summary, latest_event },
                days: days?,
                ship_time: ship_time?,
                evidence,
            })
        })();
        whole(violations, outcome)
    }
}

impl From<&Outcome> for pb::Outcome {
    fn from(outcome: &Outcome) -> Self {
        let mut message = Self {
            prediction: outcome.prediction.to_string(),
            initiative: outcome.initiative.to_string(),
            metric: outcome.metric.to_string(),
            predicted: Some((&outcome.predicted).into()),
            days: outcome.days.into(),
            ship_time: Some(timestamp(outcome.ship_time)),
            evidence: outcome.evidence.iter().map(Into::into).collect(),
            ..Self::default()
        };
        set_finding(&mut message, &outcome.finding);
        set_meta(&mut message, &outcome.meta);
        message
    }
}

fn set_finding(message: &mut pb::Outcome, finding: &Finding) {
    message.measured = finding.measured.as_ref().map(Into::into);
    message.pre_mean = finding.pre_mean;
    message.post_mean = finding.post_mean;
    message.verdict = Verdict::of(finding.verdict);
    message.summary.clone_from(&finding.summary);
    message.latest_event_time = finding.latest_event.map(timestamp);
}

/// A new outcome as a message, which the store completes: what was found about a prediction, measured around
/// `ship_time`.
pub fn outcome(prediction: &Prediction, ship_time: DateTime<Utc>, finding: &Finding) -> pb::Outcome {
    let promise = &prediction.promise;
    let mut message = pb::Outcome {
        display_name: prediction.meta.display_name.clone(),
        prediction: prediction.meta.name.to_string(),
        initiative: promise.initiative.to_string(),
        metric: promise.metric.to_string(),
        predicted: Some((&promise.change).into()),
        days: promise.window_days.into(),
        ship_time: Some(timestamp(ship_time)),
        evidence: promise.evidence.iter().map(Into::into).collect(),
        ..Default::default()
    };
    set_finding(&mut message, finding);
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::metrics::prediction::tests::message as prediction;
    use proptest::prelude::*;
    use waymark_domain::{Range, Verdict};

    proptest! {
        #[test]
        fn an_outcome_prints_what_it_parsed(
            (pre_mean, post_mean) in (0.0..1e6_f64, 0.0..1e6_f64),
            measured in prop::option::of(-1.0..1.0_f64),
            verdict in prop::sample::select(vec![Verdict::Met, Verdict::Missed, Verdict::CantTell]),
        ) {
            let prediction = crate::parse::<Prediction, _>(prediction()).unwrap();
            let measured = measured.map(|likely| Range::new(likely - 0.1, likely, likely + 0.1).unwrap());
            let ship_time = prediction.promise.commit_time;
            let finding = Finding { measured, pre_mean, post_mean, verdict, summary: "It moved.".into(), latest_event: Some(ship_time) };
            let mut message = outcome(&prediction, ship_time, &finding);
            set_meta(&mut message, &prediction.meta);
            message.name = "workspaces/acme/outcomes/sso".into();
            let parsed = crate::parse::<Outcome, _>(message.clone()).unwrap();
            prop_assert_eq!(&parsed.finding, &finding);
            prop_assert_eq!(pb::Outcome::from(&parsed), message);
        }
    }

    #[test]
    fn an_outcome_without_a_verdict_is_refused() {
        let prediction = crate::parse::<Prediction, _>(prediction()).unwrap();
        let finding = Finding {
            measured: None,
            pre_mean: 0.0,
            post_mean: 0.0,
            verdict: Verdict::CantTell,
            summary: "Nobody can tell.".into(),
            latest_event: None,
        };
        let mut message = outcome(&prediction, prediction.promise.commit_time, &finding);
        set_meta(&mut message, &prediction.meta);
        message.name = "workspaces/acme/outcomes/sso".into();
        message.verdict = 0;
        let fields: Vec<_> =
            crate::parse::<Outcome, _>(message).unwrap_err().into_vec().into_iter().map(|v| v.field).collect();
        assert_eq!(fields, ["verdict"]);
    }
}
