//! What users need, what is known about it, and what might help; and in the end, what was learned.

use anyhow::Result;
use tonic::Code;
use waymark_client::Channel;
use waymark_proto::common::v1::{Evidence, Risk, Verdict};
use waymark_proto::convert::timestamp;
use waymark_proto::discovery::v1 as pb;
use waymark_proto::discovery::v1::opportunity_service_client::OpportunityServiceClient;
use waymark_proto::discovery::v1::research_service_client::ResearchServiceClient;
use waymark_testkit::wait_for;

use super::{SOON, WORKSPACE, full, name, refusal};
use crate::services::Services;

const SAID: &str = "I had the account for a week before I found out where to start.";
const QUOTE: &str = "a week before I found out where to start";

fn trees(services: &Services) -> OpportunityServiceClient<Channel> {
    OpportunityServiceClient::new(services.discovery.clone())
}

pub async fn an_insight_rests_on_what_a_participant_said(services: &Services) -> Result<()> {
    let mut research = ResearchServiceClient::new(services.discovery.clone());
    let now = services.now();
    let study = pb::Study {
        display_name: "Why new accounts stay empty".to_owned(),
        goal: "Decide what to do about activation".to_owned(),
        method: pb::StudyMethod::Interview.into(),
        questions: vec!["What did you do on your first day?".to_owned()],
        ..Default::default()
    };
    let create = pb::CreateStudyRequest {
        parent: WORKSPACE.to_owned(),
        study_id: "onboarding".to_owned(),
        study: Some(study),
        ..Default::default()
    };
    research.create_study(create).await?;
    research.start_study(pb::StartStudyRequest { name: name("studies", "onboarding"), ..Default::default() }).await?;

    let consent = pb::Consent {
        scopes: vec![pb::ConsentScope::Notes.into(), pb::ConsentScope::Quoting.into()],
        give_time: Some(timestamp(now - chrono::TimeDelta::days(1))),
        expire_time: None,
    };
    let participant = pb::Participant {
        display_name: "Heron".to_owned(),
        segment: "admins of small teams".to_owned(),
        consent: Some(consent),
        ..Default::default()
    };
    let create = pb::CreateParticipantRequest {
        parent: WORKSPACE.to_owned(),
        participant_id: "heron".to_owned(),
        participant: Some(participant),
        ..Default::default()
    };
    research.create_participant(create).await?;

    let start = SAID.find(QUOTE).unwrap_or_default() as i32;
    let highlight = pb::Highlight {
        id: "lost".to_owned(),
        quote: QUOTE.to_owned(),
        span: Some(pb::Span { segment: 0, start, end: start + QUOTE.len() as i32 }),
        tags: vec!["onboarding".to_owned()],
        sentiment: pb::Sentiment::Negative.into(),
    };
    let interview = pb::Interview {
        display_name: "Heron on the first week".to_owned(),
        study: name("studies", "onboarding"),
        participant: name("participants", "heron"),
        conduct_time: Some(timestamp(now)),
        transcript: vec![pb::TranscriptSegment {
            speaker: "Heron".to_owned(),
            text: SAID.to_owned(),
            ..Default::default()
        }],
        highlights: vec![highlight],
        ..Default::default()
    };
    let create = pb::CreateInterviewRequest {
        parent: WORKSPACE.to_owned(),
        interview_id: "heron-1".to_owned(),
        interview: Some(interview),
        ..Default::default()
    };
    research.create_interview(create).await?;

    let evidence = pb::InsightEvidence {
        target: full("discovery", "interviews", "heron-1"),
        highlight: "lost".to_owned(),
        note: String::new(),
    };
    let insight = pb::Insight {
        display_name: "Nobody knows where to start".to_owned(),
        statement: "New admins do not find the first step by themselves.".to_owned(),
        kind: pb::InsightKind::Pain.into(),
        evidence: vec![evidence],
        ..Default::default()
    };
    let create = pb::CreateInsightRequest {
        parent: WORKSPACE.to_owned(),
        insight_id: "no-first-step".to_owned(),
        insight: Some(insight),
        ..Default::default()
    };
    let insight = research.create_insight(create).await?.into_inner();
    assert_eq!(insight.strength.map(|strength| strength.participants), Some(1));

    let trace = research.trace_evidence(pb::TraceEvidenceRequest { name: insight.name }).await?.into_inner();
    let [trace] = trace.traces.as_slice() else { panic!("one piece of evidence, not {:?}", trace.traces) };
    assert_eq!(trace.highlight.as_ref().map(|highlight| highlight.quote.as_str()), Some(QUOTE));
    assert_eq!(trace.participant.as_ref().map(|participant| participant.display_name.as_str()), Some("Heron"));
    assert_eq!(trace.study.as_ref().map(|study| study.name.clone()), Some(name("studies", "onboarding")));
    Ok(())
}

pub async fn a_solution_is_validated_by_four_tests(services: &Services) -> Result<()> {
    let mut trees = trees(services);
    let parent = WORKSPACE.to_owned();
    let outcome = pb::Outcome {
        display_name: "More accounts become active".to_owned(),
        metric: full("metrics", "metrics", "activation"),
        ..Default::default()
    };
    let create = pb::CreateOutcomeRequest {
        parent: parent.clone(),
        outcome_id: "activation".to_owned(),
        outcome: Some(outcome),
        ..Default::default()
    };
    trees.create_outcome(create).await?;

    let opportunity = pb::Opportunity {
        display_name: "Find the first step".to_owned(),
        kind: pb::OpportunityKind::Pain.into(),
        parent_node: name("outcomes", "activation"),
        evidence: vec![Evidence { target: full("discovery", "insights", "no-first-step"), note: String::new() }],
        ..Default::default()
    };
    let create = pb::CreateOpportunityRequest {
        parent: parent.clone(),
        opportunity_id: "first-step".to_owned(),
        opportunity: Some(opportunity),
        ..Default::default()
    };
    trees.create_opportunity(create).await?;

    let solution = pb::Solution {
        display_name: "Guided setup".to_owned(),
        description: "Five steps that end with something to show.".to_owned(),
        opportunity: name("opportunities", "first-step"),
        ..Default::default()
    };
    let create = pb::CreateSolutionRequest {
        parent: parent.clone(),
        solution_id: "guided-setup".to_owned(),
        solution: Some(solution),
        ..Default::default()
    };
    trees.create_solution(create).await?;

    let validate = pb::ValidateSolutionRequest { name: name("solutions", "guided-setup"), ..Default::default() };
    for risk in [Risk::Value, Risk::Usability, Risk::Feasibility, Risk::Viability] {
        let refused = refusal(trees.validate_solution(validate.clone()).await);
        assert_eq!(
            (refused.code(), refused.reason()),
            (Code::FailedPrecondition, "RISKS_OPEN"),
            "before the test of {risk:?}: {refused}"
        );

        let id = risk.as_str_name().trim_start_matches("RISK_").to_lowercase();
        let threshold = pb::PassThreshold {
            measure: "people of eight".to_owned(),
            comparison: pb::Comparison::AtLeast.into(),
            value: Some(6.0),
        };
        let test = pb::AssumptionTest {
            display_name: format!("Is the {id} risk small?"),
            solution: name("solutions", "guided-setup"),
            risk: risk.into(),
            method: "prototype test with 8 admins".to_owned(),
            threshold: Some(threshold),
            ..Default::default()
        };
        let create = pb::CreateAssumptionTestRequest {
            parent: parent.clone(),
            assumption_test_id: id.clone(),
            assumption_test: Some(test),
            ..Default::default()
        };
        trees.create_assumption_test(create).await?;
        let result = pb::TestResult { value: Some(7.0), sample_size: 8, ..Default::default() };
        let conclude = pb::ConcludeAssumptionTestRequest {
            name: name("assumptionTests", &id),
            result: Some(result),
            ..Default::default()
        };
        let test = trees.conclude_assumption_test(conclude).await?.into_inner();
        assert_eq!(test.verdict(), pb::TestVerdict::Passed);
    }
    let risks =
        trees.assess_risks(pb::AssessRisksRequest { name: name("solutions", "guided-setup") }).await?.into_inner();
    assert!(risks.ready, "{risks:?}");
    let solution = trees.validate_solution(validate).await?.into_inner();
    assert_eq!(solution.state(), pb::SolutionState::Validated);
    Ok(())
}

pub async fn the_opportunity_has_learned(services: &Services) -> Result<()> {
    let learned = wait_for("the learning of the opportunity", SOON, async || {
        let get = pb::GetOpportunityRequest { name: name("opportunities", "first-step") };
        let opportunity = trees(services).get_opportunity(get).await.ok()?.into_inner();
        (!opportunity.learnings.is_empty()).then_some(opportunity)
    })
    .await;
    let [learning] = learned.learnings.as_slice() else { panic!("one learning, not {:?}", learned.learnings) };
    assert_eq!(learning.outcome, full("metrics", "outcomes", "guided-setup"));
    assert_eq!(learning.initiative, full("roadmap", "initiatives", "guided-setup"));
    assert_eq!(learning.verdict(), Verdict::Met);

    let get = pb::GetTreeRequest { name: name("outcomes", "activation"), ..Default::default() };
    let tree = trees(services).get_tree(get).await?.into_inner().root.unwrap_or_default();
    let [below] = tree.children.as_slice() else { panic!("one opportunity, not {:?}", tree.children) };
    assert_eq!(below.node, Some(pb::tree_node::Node::Opportunity(learned.clone())));
    let [solution] = below.children.as_slice() else { panic!("one solution, not {:?}", below.children) };
    assert_eq!(solution.children.len(), 4, "its tests");
    Ok(())
}

/// The first opportunity that has `target` among its evidence.
async fn resting_on(services: &Services, target: &str) -> pb::Opportunity {
    wait_for("an opportunity that rests on what was found", SOON, async || {
        let list = pb::ListOpportunitiesRequest { parent: WORKSPACE.to_owned(), ..Default::default() };
        let all = trees(services).list_opportunities(list).await.ok()?.into_inner().opportunities;
        all.into_iter().find(|opportunity| opportunity.evidence.iter().any(|evidence| evidence.target == target))
    })
    .await
}

pub async fn an_opportunity_is_opened_for_it(services: &Services) -> Result<()> {
    let opened = resting_on(services, &full("metrics", "metrics", "activation")).await;
    assert_eq!(opened.parent_node, name("outcomes", "activation"), "the outcome that is bound to the metric");
    assert_eq!(opened.display_name, "Find out why \"Activation\" went below 100");
    let [seen] = opened.evidence.as_slice() else { panic!("one piece of evidence, not {:?}", opened.evidence) };
    assert!(seen.note.starts_with("\"Activation\" was 0 on ") && seen.note.ends_with(", below 100"), "{}", seen.note);
    Ok(())
}

pub async fn an_opportunity_is_opened_for_those_who_leave(services: &Services) -> Result<()> {
    let opened = resting_on(services, &full("metrics", "frictions", "activation")).await;
    assert_eq!(opened.display_name, "Find out why users do not get from \"sign_up\" to \"activate\"");
    let [seen] = opened.evidence.as_slice() else { panic!("one piece of evidence, not {:?}", opened.evidence) };
    let numbers = "75 % of 40 users who did \"sign_up\" did not get to \"activate\" within 7 days (";
    assert!(seen.note.starts_with(numbers), "{}", seen.note);
    let get = pb::GetOutcomeRequest { name: opened.parent_node };
    let root = trees(services).get_outcome(get).await?.into_inner();
    assert_eq!(root.display_name, "More users get from \"sign_up\" to \"activate\"");
    Ok(())
}
