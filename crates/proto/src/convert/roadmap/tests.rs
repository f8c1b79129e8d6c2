//! A value of the domain comes back from its message unchanged, and what is wrong with a message is told field by
//! field.

use proptest::prelude::*;
use waymark_domain::Violations;
use waymark_domain::roadmap::{CheckIn, Declining, Estimate, Initiative, KeyResult, Objective};

use crate::common::v1 as common;
use crate::roadmap::v1 as pb;
use crate::{ResourceMessage, Standard};

#[expect(clippy::unnecessary_wraps, reason = "times are optional in messages")]
pub(super) fn at(seconds: i64) -> Option<crate::Timestamp> {
    Some(crate::Timestamp { seconds: 1_772_442_000 + seconds, nanos: 0 })
}

pub(super) fn stored<M: ResourceMessage>(mut message: M) -> M {
    message.set_standard(Standard {
        name: format!("workspaces/w/{}/a", M::COLLECTION),
        uid: "00000000-0000-0000-0000-000000000001".into(),
        display_name: "A".into(),
        etag: "3".into(),
        create_time: at(0),
        update_time: at(1),
        ..Standard::default()
    });
    message
}

fn link() -> common::Evidence {
    common::Evidence { target: "//discovery.waymark.dev/workspaces/w/insights/i".into(), note: "seen".into() }
}

fn initiative(state: pb::InitiativeState, low: f64, days: i32, waived: bool) -> pb::Initiative {
    let waiver = waived.then(|| pb::Waiver { reason: "small".into(), signed_by: "users/ada".into(), time: at(2) });
    let risk =
        |risk: common::Risk| pb::RiskAssessment { risk: risk.into(), evidence: vec![link()], waiver: waiver.clone() };
    let range = Some(common::Range { low, likely: low + 0.1, high: low + 0.2 });
    let mut message = pb::Initiative {
        product: "workspaces/w/products/p".into(),
        horizon: pb::Horizon::Next.into(),
        target: Some(pb::TargetInterval { start: "2026-Q3".into(), end: "2026-12".into() }),
        evidence: vec![link()],
        risks: [common::Risk::Value, common::Risk::Usability, common::Risk::Feasibility, common::Risk::Viability]
            .map(risk)
            .into(),
        expected_outcome: Some(pb::ExpectedOutcome {
            metric: "//metrics.waymark.dev/workspaces/w/metrics/m".into(),
            change: range,
            window_days: days,
        }),
        dependencies: vec!["workspaces/w/initiatives/b".into()],
        dependency_waivers: waiver
            .iter()
            .map(|waiver| pb::DependencyWaiver {
                step: pb::InitiativeStep::Start.into(),
                initiatives: vec!["workspaces/w/initiatives/b".into()],
                waiver: Some(waiver.clone()),
            })
            .collect(),
        key_results: vec!["workspaces/w/keyResults/k".into(), "workspaces/w/keyResults/l".into()],
        audiences: vec!["workspaces/w/audiences/a".into(), "workspaces/w/audiences/b".into()],
        state: state.into(),
        ..Default::default()
    };
    // How far it has come; PAUSED and DECLINED had come to IN_PROGRESS.
    if state != pb::InitiativeState::Proposed {
        (message.committed_by, message.commit_time) = ("users/ada".into(), at(3));
        message.start_time = at(4).filter(|_| state != pb::InitiativeState::Committed);
    }
    if matches!(state, pb::InitiativeState::Shipped | pb::InitiativeState::Measured) {
        message.ship_time = at(5);
    }
    match state {
        pb::InitiativeState::Measured => {
            let outcome = "//metrics.waymark.dev/workspaces/w/outcomes/o".into();
            message.actual =
                Some(pb::ActualOutcome { outcome, verdict: common::Verdict::Met.into(), measured: range, time: at(4) });
        }
        pb::InitiativeState::Declined => {
            message.decline = Some(pb::Decline {
                reason: "no".into(),
                what_would_change_our_mind: "money".into(),
                review_date: "2026-09-01".into(),
                declined_by: "users/ada".into(),
                time: at(4),
                ..Default::default()
            });
        }
        pb::InitiativeState::Paused => {
            let resume_state = pb::InitiativeState::InProgress.into();
            message.pause = Some(pb::Pause { reason: "outage".into(), resume_state, time: at(4) });
        }
        _ => {}
    }
    stored(message)
}

pub(super) fn fields(result: Result<impl std::fmt::Debug, Violations>) -> Vec<String> {
    result.unwrap_err().into_vec().into_iter().map(|violation| violation.field).collect()
}

proptest! {
    #[test]
    fn initiatives_come_back_unchanged(state in 1i32..=7, low in -1.0f64..10.0, days in 1i32..=365, waived in any::<bool>()) {
        let message = initiative(state.try_into().unwrap(), low, days, waived);
        let value: Initiative = crate::parse(message.clone()).unwrap();
        prop_assert_eq!(pb::Initiative::from(&value), message);
    }

    #[test]
    fn estimates_come_back_unchanged(reach in 0.0f64..1e6, confidence in 0.01f64..=1.0, effort in 0.01f64..100.0, period in 1i32..=4) {
        let source = |basis| Some(pb::FactorSource { basis: Some(basis), by: "users/ada".into(), time: at(0) });
        let point = |value, basis| Some(pb::Factor { value: Some(pb::factor::Value::Point(value)), source: source(basis), word: String::new() });
        let range = common::Range { low: reach / 2.0, likely: reach, high: reach * 2.0 };
        let metric = "//metrics.waymark.dev/workspaces/w/metrics/m".to_owned();
        let message = stored(pb::Estimate {
            initiative: "workspaces/w/initiatives/b".into(),
            reach: Some(pb::Factor { value: Some(pb::factor::Value::Range(range)), source: source(pb::factor_source::Basis::Metric(metric)), word: String::new() }),
            reach_period: period,
            impact: point(0.25, pb::factor_source::Basis::Evidence(link())),
            confidence: point(confidence, pb::factor_source::Basis::Guess("gut".into())),
            effort: point(effort, pb::factor_source::Basis::Guess(String::new())),
            ..Default::default()
        });
        let value: Estimate = crate::parse(message.clone()).unwrap();
        let mut back = pb::Estimate::from(&value);
        prop_assert!(back.score.take().is_some(), "the score is computed, not kept");
        prop_assert_eq!(back, message);
    }
}

fn key_result(start: f64, target: f64, weight: f64, is_measured: bool) -> pb::KeyResult {
    stored(pb::KeyResult {
        objective: "workspaces/w/objectives/o".into(),
        start: Some(start),
        target: Some(target),
        unit: "%".into(),
        direction: if target > start { 1 } else { 2 },
        weight: Some(weight),
        metric: if is_measured { "//metrics.waymark.dev/workspaces/w/metrics/m".into() } else { String::new() },
        owner: "users/ada".into(),
        last_check_in: Some(pb::LastCheckIn {
            check_in: "workspaces/w/checkIns/c".into(),
            value: Some(start),
            confidence: Some(0.5),
            time: at(3),
        }),
        reading: is_measured.then(|| common::Reading { start_time: at(0), end_time: at(4), value: target }),
        ..Default::default()
    })
}

proptest! {
    #[test]
    fn key_results_come_back_unchanged_with_what_follows_from_them(
        (start, way, weight, is_measured) in (-1e6..1e6, prop_oneof![-1e6..-0.1, 0.1..1e6], 0.01..1e6, any::<bool>()),
    ) {
        let target: f64 = start + way;
        let message = key_result(start, target, weight, is_measured);
        let value: KeyResult = crate::parse(message.clone()).unwrap();
        let mut back = pb::KeyResult::from(&value);
        let (current, score, band) = (back.current.take().unwrap(), back.score.take().unwrap(), back.band());
        let expected = if is_measured { (target, at(4), 1.0) } else { (start, at(3), 0.0) };
        prop_assert_eq!((current.value, current.time, score), expected);
        prop_assert_eq!(band == pb::ScoreBand::Green, is_measured);
        back.set_band(pb::ScoreBand::Unspecified);
        prop_assert_eq!(back, message);
    }

    #[test]
    fn check_ins_come_back_unchanged(value in prop::option::of(-1e9..1e9), confidence in prop::option::of(0.0..=1.0)) {
        let key_result = "workspaces/w/keyResults/k".into();
        let (note, by, time) = ("two teams left".into(), "users/ada".into(), at(7));
        let message = stored(pb::CheckIn { key_result, value, confidence, note, by, time, ..Default::default() });
        prop_assert_eq!(pb::CheckIn::from(&crate::parse::<CheckIn, _>(message.clone()).unwrap()), message.clone());
        let timeless = crate::parse::<CheckIn, _>(pb::CheckIn { time: None, ..message }).unwrap();
        prop_assert_eq!(pb::CheckIn::from(&timeless).time, at(0), "it is of when it was written down");
    }
}

#[test]
fn a_key_result_that_loses_its_metric_loses_its_reading() {
    let message = pb::KeyResult { metric: String::new(), ..key_result(0.0, 4.0, 1.0, true) };
    assert_eq!(crate::parse::<KeyResult, _>(message).unwrap().reading, None);
    let mut wrong = key_result(2.0, 2.0, 0.0, false);
    wrong.objective = "workspaces/other/objectives/o".into();
    wrong.last_check_in.as_mut().unwrap().confidence = Some(7.0);
    let mut found = fields(crate::parse::<KeyResult, _>(wrong));
    found.sort();
    assert_eq!(found, ["last_check_in.confidence", "objective", "target", "weight"]);
}

fn objective() -> pb::Objective {
    stored(pb::Objective {
        description: "d".into(),
        owner: "users/ada".into(),
        period: Some(pb::TargetInterval { start: "2026-Q3".into(), end: "2026".into() }),
        parent_objective: "workspaces/w/objectives/b".into(),
        products: vec!["workspaces/w/products/p".into(), "workspaces/w/products/q".into()],
        ..Default::default()
    })
}

#[test]
fn objectives_come_back_unchanged_and_all_that_is_wrong_is_told() {
    let value: Objective = crate::parse(objective()).unwrap();
    assert_eq!(pb::Objective::from(&value), objective());
    let alone = pb::Objective { parent_objective: String::new(), products: Vec::new(), ..objective() };
    assert_eq!(pb::Objective::from(&crate::parse::<Objective, _>(alone.clone()).unwrap()), alone);

    let mut wrong = objective();
    wrong.period = Some(pb::TargetInterval { start: "soon".into(), end: String::new() });
    wrong.parent_objective = "workspaces/other/objectives/b".into();
    wrong.products.extend(["workspaces/other/products/p".into(), "workspaces/w/objectives/p".into()]);
    let fields = fields(crate::parse::<Objective, _>(wrong));
    for field in ["period.start", "parent_objective", "products[2]", "products[3]"] {
        assert!(fields.iter().any(|found| found == field), "{field} is not among {fields:?}");
    }
    let timeless = pb::Objective { period: None, ..objective() };
    assert_eq!(self::fields(crate::parse::<Objective, _>(timeless)), ["period"]);
}

#[test]
fn all_that_is_wrong_with_an_initiative_is_told() {
    let mut message = initiative(pb::InitiativeState::Paused, 0.0, 28, false);
    message.display_name = String::new();
    message.product = "workspaces/other/products/p".into();
    message.target = Some(pb::TargetInterval { start: "2026-Q4".into(), end: "2026-Q1".into() });
    message.risks[1].risk = message.risks[0].risk;
    message.expected_outcome.as_mut().unwrap().window_days = 400;
    message.pause = None;
    let expected = ["display_name", "pause", "target.end", "risks[1].risk", "expected_outcome.window_days"];
    let found = fields(crate::parse::<Initiative, _>(message));
    assert!(expected.iter().all(|field| found.iter().any(|f| f == field)), "{found:?}");
}

#[test]
fn a_state_says_all_that_belongs_to_it_and_nothing_else() {
    use pb::InitiativeState as Stated;
    let broken = |state, change: fn(&mut pb::Initiative)| {
        let mut message = initiative(state, 0.0, 28, false);
        change(&mut message);
        fields(crate::parse::<Initiative, _>(message))
    };
    assert_eq!(broken(Stated::Shipped, |m| m.ship_time = None), ["ship_time"]);
    assert_eq!(
        broken(Stated::Shipped, |m| (m.commit_time, m.start_time) = (None, None)),
        ["commit_time", "start_time"]
    );
    assert_eq!(broken(Stated::Committed, |m| m.start_time = at(4)), ["start_time"]);
    assert_eq!(broken(Stated::InProgress, |m| m.ship_time = at(5)), ["ship_time"]);
    assert_eq!(broken(Stated::Proposed, |m| m.committed_by = "users/eve".into()), ["committed_by"]);
    assert_eq!(broken(Stated::Measured, |m| m.actual = None), ["actual"]);
    assert_eq!(
        broken(Stated::Proposed, |m| m.decline = Some(pb::Decline { time: at(4), ..Default::default() })),
        ["decline"]
    );
    // One paused before work started has no start, one declined before anybody committed to it nothing.
    let before = |m: &mut pb::Initiative| m.pause.as_mut().unwrap().set_resume_state(Stated::Committed);
    assert_eq!(broken(Stated::Paused, before), ["start_time"]);
    assert_eq!(broken(Stated::Declined, |m| m.commit_time = None), ["commit_time"]);
    let mut declined = initiative(Stated::Declined, 0.0, 28, false);
    (declined.committed_by, declined.commit_time, declined.start_time) = (String::new(), None, None);
    assert_eq!(pb::Initiative::from(&Initiative::try_from(declined.clone()).unwrap()), declined);
}

#[test]
fn declining_needs_a_reason_and_what_would_change_it() {
    let name = "workspaces/w/initiatives/i".into();
    let request = pb::DeclineInitiativeRequest { name, review_date: "soon".into(), ..Default::default() };
    assert_eq!(fields(crate::check(&request).into_result()), ["reason", "what_would_change_our_mind"]);
    assert_eq!(fields(Declining::try_from(&request)), ["review_date"]);
}
