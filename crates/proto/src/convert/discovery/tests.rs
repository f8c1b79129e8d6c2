//! What a message says survives the way into the domain and back.

use proptest::prelude::*;
use waymark_domain::Violations;
use waymark_domain::discovery::{
    AssumptionTest, Insight, Interview, Opportunity, Outcome, Participant, Solution, Study,
};

use crate::common::v1 as common;
use crate::discovery::v1 as pb;
use crate::{ResourceMessage, Standard};

fn standard<M: ResourceMessage>(mut message: M, id: &str) -> M {
    let time = Some(crate::Timestamp { seconds: 1_700_000_000, nanos: 5_000 });
    message.set_standard(Standard {
        name: format!("workspaces/acme/{}/{id}", M::COLLECTION),
        uid: "6f4f3c1e-7a0b-4b61-9d1b-3a7c7a1d9f10".into(),
        display_name: "Name".into(),
        etag: "3".into(),
        create_time: time,
        update_time: time,
        delete_time: None,
        labels: [("team".to_owned(), "growth".to_owned())].into(),
    });
    message
}

fn time(seconds: i64) -> crate::Timestamp {
    crate::Timestamp { seconds, nanos: 0 }
}

fn study() -> pb::Study {
    let message =
        pb::Study { goal: "g".into(), questions: vec!["why?".into()], start_time: Some(time(5)), ..Default::default() };
    let mut message = standard(message, "s");
    message.set_method(pb::StudyMethod::Diary);
    message.set_state(pb::StudyState::Active);
    message
}

fn participant() -> pb::Participant {
    let consent = pb::Consent {
        scopes: vec![pb::ConsentScope::Notes.into(), pb::ConsentScope::Quoting.into()],
        give_time: Some(time(1)),
        expire_time: Some(time(9)),
    };
    let attributes = [("role".to_owned(), "admin".to_owned())].into();
    standard(
        pb::Participant {
            segment: "smb".into(),
            account: "acme".into(),
            attributes,
            consent: Some(consent),
            ..Default::default()
        },
        "p",
    )
}

fn interview(text: &str, quote: &str, start: i32) -> pb::Interview {
    let end = start + quote.chars().count() as i32;
    let mut highlight = pb::Highlight {
        id: "h".into(),
        quote: quote.into(),
        span: Some(pb::Span { segment: 0, start, end }),
        tags: vec!["onboarding".into()],
        ..Default::default()
    };
    highlight.set_sentiment(pb::Sentiment::Negative);
    let offset = Some(pbjson_types::Duration { seconds: 3, nanos: 500 });
    let message = pb::Interview {
        study: "workspaces/acme/studies/s".into(),
        participant: "workspaces/acme/participants/p".into(),
        conduct_time: Some(time(7)),
        transcript: vec![pb::TranscriptSegment { speaker: "ada".into(), offset, text: text.into() }],
        highlights: vec![highlight],
        ..Default::default()
    };
    standard(message, "i")
}

fn evidence() -> Vec<common::Evidence> {
    vec![common::Evidence { target: "//discovery.waymark.dev/workspaces/acme/insights/i".into(), note: "n".into() }]
}

fn pruning() -> pb::Pruning {
    pb::Pruning { reason: "r".into(), node: "workspaces/acme/opportunities/o".into(), time: Some(time(8)) }
}

fn insight() -> pb::Insight {
    let link = pb::InsightEvidence {
        target: "//discovery.waymark.dev/workspaces/acme/interviews/i".into(),
        highlight: "h".into(),
        note: "n".into(),
    };
    let mut strength = pb::InsightStrength {
        score: 0.5,
        participants: 2,
        source_kinds: 1,
        newest_time: Some(time(7)),
        ..Default::default()
    };
    strength.set_band(pb::StrengthBand::Moderate);
    let message =
        pb::Insight { statement: "s".into(), evidence: vec![link], strength: Some(strength), ..Default::default() };
    let mut message = standard(message, "i");
    message.set_kind(pb::InsightKind::Behaviour);
    message
}

fn opportunity() -> pb::Opportunity {
    let mut learning = pb::Learning {
        outcome: "//metrics.waymark.dev/workspaces/acme/outcomes/sso".into(),
        initiative: "//roadmap.waymark.dev/workspaces/acme/initiatives/sso".into(),
        summary: "came".into(),
        measured: Some(common::Range { low: -0.1, likely: 0.0, high: 0.2 }),
        time: Some(time(9)),
        ..Default::default()
    };
    learning.set_verdict(common::Verdict::CantTell);
    let message = pb::Opportunity {
        parent_node: "workspaces/acme/outcomes/o".into(),
        description: "d".into(),
        evidence: evidence(),
        learnings: vec![learning],
        pruning: Some(pruning()),
        ..Default::default()
    };
    let mut message = standard(message, "o");
    message.set_kind(pb::OpportunityKind::Desire);
    message
}

fn solution() -> pb::Solution {
    let mut entry = pb::RiskEvidence { evidence: evidence(), ..Default::default() };
    entry.set_risk(common::Risk::Viability);
    let message = pb::Solution {
        opportunity: "workspaces/acme/opportunities/o".into(),
        description: "d".into(),
        risk_evidence: vec![entry],
        validate_time: Some(time(3)),
        pruning: Some(pruning()),
        ..Default::default()
    };
    let mut message = standard(message, "s");
    message.set_state(pb::SolutionState::Validated);
    message
}

fn test(value: f64, result: Option<f64>) -> pb::AssumptionTest {
    let mut threshold = pb::PassThreshold { measure: "share".into(), value: Some(value), ..Default::default() };
    threshold.set_comparison(pb::Comparison::AtLeast);
    let message = pb::AssumptionTest {
        solution: "workspaces/acme/solutions/s".into(),
        assumption: "a".into(),
        method: "m".into(),
        threshold: Some(threshold),
        result: result.map(|value| pb::TestResult {
            value: Some(value),
            sample_size: 8,
            note: "n".into(),
            time: Some(time(4)),
        }),
        ..Default::default()
    };
    let mut message = standard(message, "t");
    message.set_risk(common::Risk::Usability);
    message.set_verdict(match result {
        None => pb::TestVerdict::Open,
        Some(result) if result >= value => pb::TestVerdict::Passed,
        Some(_) => pb::TestVerdict::Failed,
    });
    message
}

/// Into the domain and back.
fn there_and_back<M, R>(message: &M) -> M
where
    M: ResourceMessage + for<'a> From<&'a R>,
    R: TryFrom<M, Error = Violations>,
{
    M::from(&crate::parse::<R, _>(message.clone()).unwrap_or_else(|e| panic!("{e}")))
}

#[test]
fn every_field_survives() {
    assert_eq!(there_and_back::<_, Study>(&study()), study());
    assert_eq!(there_and_back::<_, Participant>(&participant()), participant());
    assert_eq!(
        there_and_back::<_, Interview>(&interview("I loathe it", "loathe", 2)),
        interview("I loathe it", "loathe", 2)
    );
    assert_eq!(there_and_back::<_, Insight>(&insight()), insight());
    let outcome = standard(pb::Outcome { measure: "m".into(), description: "d".into(), ..Default::default() }, "o");
    assert_eq!(there_and_back::<_, Outcome>(&outcome), outcome);
    assert_eq!(there_and_back::<_, Opportunity>(&opportunity()), opportunity());
    assert_eq!(there_and_back::<_, Solution>(&solution()), solution());
    assert_eq!(there_and_back::<_, AssumptionTest>(&test(0.8, None)), test(0.8, None));
}

proptest! {
    #[test]
    fn tests_survive_with_the_verdict_of_their_threshold(value in -1e9f64..1e9, result in proptest::option::of(-1e9f64..1e9)) {
        let message = test(value, result);
        prop_assert_eq!(there_and_back::<_, AssumptionTest>(&message), message);
    }

    #[test]
    fn interviews_survive_whatever_is_said(before in "\\PC{0,20}", quote in "\\PC{1,20}", after in "[a-z]{1,9}") {
        let message = interview(&format!("{before}{quote}{after}"), &quote, before.chars().count() as i32);
        prop_assert_eq!(there_and_back::<_, Interview>(&message), message);
    }
}

fn violations<M: crate::Check, R: TryFrom<M, Error = Violations>>(message: M) -> Vec<String> {
    crate::parse::<R, _>(message).err().expect("refused").into_vec().into_iter().map(|v| v.field).collect()
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    assert_eq!(
        violations::<_, Study>(pb::Study { method: 0, questions: vec![String::new()], ..study() }),
        ["method", "questions[0]"]
    );
    let message =
        pb::Interview { participant: String::new(), study: "nonsense".into(), ..interview("I loathe it", "love", 2) };
    assert_eq!(violations::<_, Interview>(message), ["study", "participant", "highlights[0].quote"]);
    let mut message = opportunity();
    message.evidence[0].target = "insights/i".into();
    message.parent_node = "workspaces/acme/solutions/s".into();
    assert_eq!(violations::<_, Opportunity>(message), ["parent_node", "evidence[0].target"]);
    let mut message = solution();
    message.risk_evidence.push(message.risk_evidence[0].clone());
    assert_eq!(violations::<_, Solution>(message), ["risk_evidence[1].risk"]);
    assert_eq!(
        violations::<_, AssumptionTest>(pb::AssumptionTest { threshold: None, ..test(1.0, None) }),
        ["threshold"]
    );
    assert_eq!(violations::<_, AssumptionTest>(test(f64::NAN, None)), ["threshold.value"]);
    let mut message = test(1.0, Some(1.0));
    message.threshold.as_mut().unwrap().value = None;
    message.result.as_mut().unwrap().value = None;
    assert_eq!(violations::<_, AssumptionTest>(message), ["threshold.value", "result.value"]);
    assert_eq!(violations::<_, Outcome>(standard(pb::Outcome::default(), "o")), ["metric"]);
    assert_eq!(
        violations::<_, Study>(pb::Study { start_time: None, complete_time: Some(time(6)), ..study() }),
        ["start_time", "complete_time"]
    );
    assert_eq!(violations::<_, Solution>(pb::Solution { validate_time: None, ..solution() }), ["validate_time"]);
    let proposed = pb::Solution { state: pb::SolutionState::Proposed.into(), ..solution() };
    assert_eq!(violations::<_, Solution>(proposed), ["validate_time"]);
    let mut message = insight();
    message.evidence[0].target = "//metrics.waymark.dev/workspaces/acme/metrics/m".into();
    assert_eq!(violations::<_, Insight>(message), ["evidence[0].highlight"]);
    let mut message = participant();
    message.consent = Some(pb::Consent { scopes: vec![0], ..Default::default() });
    assert_eq!(violations::<_, Participant>(message), ["consent.scopes[0]"]);
}
