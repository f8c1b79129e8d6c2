//! Chapters 1 and 2: research, and the tree that grows out of it.

use anyhow::Result;
use chrono::TimeDelta;
use waymark_proto::common::v1::Risk;
use waymark_proto::discovery::v1 as pb;
use waymark_proto::discovery::v1::opportunity_service_client::OpportunityServiceClient;
use waymark_proto::discovery::v1::research_service_client::ResearchServiceClient;

use super::say;
use super::story::{METRIC, SOLUTION, Story, done, timestamp, until};

const STUDY: &str = "lost-carts";
const INSIGHT: &str = "carts-get-lost";
const OUTCOME: &str = "more-orders";
const OPPORTUNITY: &str = "lost-carts";

/// Who said what.
const VOICES: [(&str, &str, &str, &str); 3] = [
    (
        "p1",
        "Nora, buys for a kindergarten",
        "How did the last order go?",
        "I had it all picked, then the phone rang, and then it was gone.",
    ),
    (
        "p2",
        "Emil, orders on the train",
        "What happens in a tunnel?",
        "The page reloads and my cart is empty, so I leave it.",
    ),
    (
        "p3",
        "Ida, compares for days",
        "How do you decide?",
        "I write it all on paper because the shop forgets what I chose.",
    ),
];

/// The study, its interviews and the insight.
pub async fn research(story: &Story) -> Result<()> {
    let mut client = ResearchServiceClient::new(story.discovery.clone());
    let parent = story.parent.clone();
    let study = pb::Study {
        display_name: "Why do people leave with a full cart?".into(),
        goal: "Find out what keeps people from ordering what they picked".into(),
        method: pb::StudyMethod::Interview.into(),
        questions: VOICES.iter().map(|(_, _, question, _)| (*question).to_owned()).collect(),
        ..Default::default()
    };
    let request = pb::CreateStudyRequest {
        parent: parent.clone(),
        study_id: STUDY.into(),
        study: Some(study),
        ..Default::default()
    };
    done(client.create_study(request).await)?;
    done(client.start_study(pb::StartStudyRequest { name: story.name("studies", STUDY), ..Default::default() }).await)?;
    for (day, (id, who, question, answer)) in VOICES.into_iter().enumerate() {
        let consent = pb::Consent {
            scopes: vec![pb::ConsentScope::Notes.into(), pb::ConsentScope::Quoting.into()],
            give_time: Some(timestamp(story.now - TimeDelta::days(90))),
            expire_time: None,
        };
        let participant = pb::Participant { display_name: who.into(), consent: Some(consent), ..Default::default() };
        let request = pb::CreateParticipantRequest {
            parent: parent.clone(),
            participant_id: id.into(),
            participant: Some(participant),
            ..Default::default()
        };
        done(client.create_participant(request).await)?;
        let said = |speaker: &str, second, text: &str| pb::TranscriptSegment {
            speaker: speaker.into(),
            offset: Some(pbjson_types::Duration { seconds: second, nanos: 0 }),
            text: text.into(),
        };
        // A few dozen characters.
        let end = answer.chars().count() as i32;
        let highlight = pb::Highlight {
            id: "lost".into(),
            quote: answer.into(),
            span: Some(pb::Span { segment: 1, start: 0, end }),
            tags: vec!["cart".into()],
            sentiment: pb::Sentiment::Negative.into(),
        };
        let interview = pb::Interview {
            display_name: format!("Interview with {who}"),
            study: story.name("studies", STUDY),
            participant: story.name("participants", id),
            conduct_time: Some(timestamp(story.now - TimeDelta::days(80 - day as i64))),
            transcript: vec![said("Researcher", 0, question), said("Participant", 4, answer)],
            highlights: vec![highlight],
            ..Default::default()
        };
        let request = pb::CreateInterviewRequest {
            parent: parent.clone(),
            interview_id: id.into(),
            interview: Some(interview),
            ..Default::default()
        };
        done(client.create_interview(request).await)?;
        say::quote(who, answer);
    }
    let evidence = VOICES.iter().map(|(id, ..)| pb::InsightEvidence {
        target: story.full_name("discovery", "interviews", id),
        highlight: "lost".into(),
        note: String::new(),
    });
    let insight = pb::Insight {
        display_name: "Carts get lost".into(),
        statement: "People lose the cart they filled when they are interrupted, and do not fill it again".into(),
        kind: pb::InsightKind::Pain.into(),
        evidence: evidence.collect(),
        ..Default::default()
    };
    let request =
        pb::CreateInsightRequest { parent, insight_id: INSIGHT.into(), insight: Some(insight), ..Default::default() };
    let insight = done(client.create_insight(request).await)?;
    let strength = insight.strength.unwrap_or_default();
    say::step(format!(
        "Insight: {}. Strength {:.2}, from {} people.",
        insight.statement, strength.score, strength.participants
    ));
    Ok(())
}

/// The tree, its tests, and the solution that passed them.
pub async fn tree(story: &Story) -> Result<()> {
    let mut client = OpportunityServiceClient::new(story.discovery.clone());
    let parent = story.parent.clone();
    let outcome = pb::Outcome {
        display_name: "More people order what they picked".into(),
        metric: story.full_name("metrics", "metrics", METRIC),
        ..Default::default()
    };
    let request = pb::CreateOutcomeRequest {
        parent: parent.clone(),
        outcome_id: OUTCOME.into(),
        outcome: Some(outcome),
        ..Default::default()
    };
    done(client.create_outcome(request).await)?;
    let opportunity = pb::Opportunity {
        display_name: "People lose the cart they filled".into(),
        kind: pb::OpportunityKind::Pain.into(),
        parent_node: story.name("outcomes", OUTCOME),
        evidence: vec![story.evidence("discovery", "insights", INSIGHT, "three of three lost one")],
        ..Default::default()
    };
    let request = pb::CreateOpportunityRequest {
        parent: parent.clone(),
        opportunity_id: OPPORTUNITY.into(),
        opportunity: Some(opportunity),
        ..Default::default()
    };
    done(client.create_opportunity(request).await)?;
    let solutions = [
        (SOLUTION, "Saved carts", "The cart is kept for 30 days, on every device"),
        ("reminder-mails", "Reminder mails", "A mail the next morning with what was left"),
        ("shared-lists", "Shared lists", "A list that several people fill"),
    ];
    for (id, name, description) in solutions {
        let solution = pb::Solution {
            display_name: name.into(),
            opportunity: story.name("opportunities", OPPORTUNITY),
            description: description.into(),
            ..Default::default()
        };
        let request = pb::CreateSolutionRequest {
            parent: parent.clone(),
            solution_id: id.into(),
            solution: Some(solution),
            ..Default::default()
        };
        done(client.create_solution(request).await)?;
    }
    say::step("Three solutions are compared. What must be true is tested, and what would pass is written down first:");
    let tests = [
        (SOLUTION, "value", Risk::Value, "People come back to a kept cart", "share who come back", 0.3, 0.42),
        (SOLUTION, "usability", Risk::Usability, "People find the kept cart unaided", "share who find it", 0.8, 0.9),
        (SOLUTION, "feasibility", Risk::Feasibility, "A cart is read in time", "share read within 50 ms", 0.99, 0.998),
        (
            SOLUTION,
            "viability",
            Risk::Viability,
            "Legal agrees to keep carts for 30 days",
            "agreements of one",
            1.0,
            1.0,
        ),
        (
            "reminder-mails",
            "mails-value",
            Risk::Value,
            "People like to be reminded",
            "share who do not unsubscribe",
            0.9,
            0.61,
        ),
    ];
    for (solution, id, risk, name, measure, threshold, result) in tests {
        conclude(story, &mut client, solution, id, risk, name, (measure, threshold, result)).await?;
    }
    let request = pb::ValidateSolutionRequest { name: story.name("solutions", SOLUTION), ..Default::default() };
    done(client.validate_solution(request).await)?;
    say::step("Saved carts passed all four risks: the solution is validated.\n");
    Ok(())
}

type Client = OpportunityServiceClient<waymark_client::Channel>;

async fn conclude(
    story: &Story,
    client: &mut Client,
    solution: &str,
    id: &str,
    risk: Risk,
    name: &str,
    (measure, threshold, result): (&str, f64, f64),
) -> Result<()> {
    let passing = pb::PassThreshold {
        measure: measure.into(),
        comparison: pb::Comparison::AtLeast.into(),
        value: Some(threshold),
    };
    let test = pb::AssumptionTest {
        display_name: name.into(),
        solution: story.name("solutions", solution),
        risk: risk.into(),
        threshold: Some(passing),
        ..Default::default()
    };
    let request = pb::CreateAssumptionTestRequest {
        parent: story.parent.clone(),
        assumption_test_id: id.into(),
        assumption_test: Some(test),
        ..Default::default()
    };
    done(client.create_assumption_test(request).await)?;
    let found = pb::TestResult { value: Some(result), sample_size: 40, ..Default::default() };
    let request = pb::ConcludeAssumptionTestRequest {
        name: story.name("assumptionTests", id),
        result: Some(found),
        ..Default::default()
    };
    let test = done(client.conclude_assumption_test(request).await)?;
    let verdict = test.verdict().as_str_name().trim_start_matches("TEST_VERDICT_").to_lowercase();
    say::step(format!("{name}: {measure} at least {threshold}, found {result}: {verdict}"));
    Ok(())
}

/// Waits until the opportunity has the learning.
pub async fn wait_for_learning(story: &Story) -> Result<()> {
    let client = OpportunityServiceClient::new(story.discovery.clone());
    let learning = until("the opportunity's learning", || {
        let (mut client, name) = (client.clone(), story.name("opportunities", OPPORTUNITY));
        async move {
            let opportunity = done(client.get_opportunity(pb::GetOpportunityRequest { name }).await)?;
            Ok(opportunity.learnings.into_iter().next())
        }
    })
    .await?;
    say::step(format!("The opportunity learned: {}\n", learning.summary));
    Ok(())
}
