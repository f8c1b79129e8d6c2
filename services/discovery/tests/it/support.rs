//! A server of its own for each test and database, and the resources tests begin with.

use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;
use waymark_clock::ManualClock;
use waymark_discovery::SERVICE;
use waymark_domain::WorkspaceId;
use waymark_proto::common::v1::Evidence;
use waymark_proto::discovery::v1 as pb;
use waymark_proto::discovery::v1::opportunity_service_client::OpportunityServiceClient;
use waymark_proto::discovery::v1::research_service_client::ResearchServiceClient;
use waymark_store::{Error, Received, Store};
use waymark_testkit::{Engine, NOW, Served, host};

pub const PARENT: &str = "workspaces/acme";

/// A running service and its clients.
pub struct Discovery {
    pub research: ResearchServiceClient<Channel>,
    pub trees: OpportunityServiceClient<Channel>,
    pub served: Served,
    pub clock: ManualClock,
}

/// Runs a test on both databases.
pub async fn on_both(test: impl AsyncFn(Discovery)) {
    for engine in Engine::each() {
        let (host, clock) = host(7);
        let served = Served::start(engine, &host, &SERVICE, &()).await.unwrap();
        let channel = Endpoint::from_shared(format!("http://{}", served.address())).unwrap().connect_lazy();
        let research = ResearchServiceClient::new(channel.clone());
        let trees = OpportunityServiceClient::new(channel);
        test(Discovery { research, trees, served, clock }).await;
    }
}

impl Discovery {
    /// Names of all events so far, oldest first, with their revisions.
    pub async fn events(&self) -> Vec<(i64, String)> {
        let rows = self.served.store().read_log("acme", 0, 1_000).await.unwrap();
        rows.into_iter().map(|r| (r.revision, r.event_type.rsplit('.').next().unwrap_or_default().to_owned())).collect()
    }

    /// The workspace's revision.
    pub async fn revision(&self) -> i64 {
        self.served.store().revision(&WorkspaceId::from_id("acme").unwrap()).await.unwrap()
    }

    pub async fn study(&mut self, id: &str) -> pb::Study {
        let mut study = pb::Study { display_name: id.into(), ..Default::default() };
        study.set_method(pb::StudyMethod::Interview);
        let request = pb::CreateStudyRequest {
            parent: PARENT.into(),
            study_id: id.into(),
            study: Some(study),
            ..Default::default()
        };
        self.research.create_study(request).await.unwrap().into_inner()
    }

    pub async fn participant(&mut self, id: &str, consent: Option<pb::Consent>) -> pb::Participant {
        let participant = Some(pb::Participant { display_name: id.into(), consent, ..Default::default() });
        let request = pb::CreateParticipantRequest {
            parent: PARENT.into(),
            participant_id: id.into(),
            participant,
            ..Default::default()
        };
        self.research.create_participant(request).await.unwrap().into_inner()
    }

    pub async fn interview(&mut self, id: &str, interview: pb::Interview) -> Result<pb::Interview, Status> {
        let interview = Some(interview);
        let request = pb::CreateInterviewRequest {
            parent: PARENT.into(),
            interview_id: id.into(),
            interview,
            ..Default::default()
        };
        self.research.create_interview(request).await.map(tonic::Response::into_inner)
    }

    pub async fn insight(&mut self, id: &str, evidence: Vec<pb::InsightEvidence>) -> Result<pb::Insight, Status> {
        let mut insight =
            pb::Insight { display_name: id.into(), statement: "Admins give up".into(), evidence, ..Default::default() };
        insight.set_kind(pb::InsightKind::Pain);
        let request = pb::CreateInsightRequest {
            parent: PARENT.into(),
            insight_id: id.into(),
            insight: Some(insight),
            ..Default::default()
        };
        self.research.create_insight(request).await.map(tonic::Response::into_inner)
    }

    pub async fn outcome(&mut self, id: &str) -> pb::Outcome {
        let outcome = Some(pb::Outcome { display_name: id.into(), metric: metric(id), ..Default::default() });
        let request =
            pb::CreateOutcomeRequest { parent: PARENT.into(), outcome_id: id.into(), outcome, ..Default::default() };
        self.trees.create_outcome(request).await.unwrap().into_inner()
    }

    pub async fn opportunity(&mut self, id: &str, above: &str) -> Result<pb::Opportunity, Status> {
        let parent_node = format!("{PARENT}/{above}");
        let mut opportunity = pb::Opportunity { display_name: id.into(), parent_node, ..Default::default() };
        opportunity.set_kind(pb::OpportunityKind::Need);
        let opportunity = Some(opportunity);
        let request = pb::CreateOpportunityRequest {
            parent: PARENT.into(),
            opportunity_id: id.into(),
            opportunity,
            ..Default::default()
        };
        self.trees.create_opportunity(request).await.map(tonic::Response::into_inner)
    }

    pub async fn solution(&mut self, id: &str, opportunity: &str) -> Result<pb::Solution, Status> {
        let opportunity = format!("{PARENT}/opportunities/{opportunity}");
        let solution = Some(pb::Solution { display_name: id.into(), opportunity, ..Default::default() });
        let request =
            pb::CreateSolutionRequest { parent: PARENT.into(), solution_id: id.into(), solution, ..Default::default() };
        self.trees.create_solution(request).await.map(tonic::Response::into_inner)
    }

    pub async fn test(&mut self, id: &str, solution: &str, risk: i32) -> Result<pb::AssumptionTest, Status> {
        let assumption_test = Some(pb::AssumptionTest { risk, ..test_of(solution) });
        let request = pb::CreateAssumptionTestRequest {
            parent: PARENT.into(),
            assumption_test_id: id.into(),
            assumption_test,
            ..Default::default()
        };
        self.trees.create_assumption_test(request).await.map(tonic::Response::into_inner)
    }

    pub async fn tree(&mut self, root: &str) -> pb::TreeNode {
        let request = pb::GetTreeRequest { name: format!("{PARENT}/outcomes/{root}"), ..Default::default() };
        self.trees.get_tree(request).await.unwrap().into_inner().root.unwrap()
    }
}

/// Delivers an event.
pub async fn handle(store: &Store, event: &Received) -> Result<(), Error> {
    waymark_discovery::handle(store, event, &event.reaction("discovery")).await
}

/// An event of the metrics service, as it is delivered.
pub fn received(event: u128, event_type: &str, subject: String, data: String) -> Received {
    Received {
        source: "metrics".into(),
        workspace: PARENT.parse().unwrap(),
        revision: 1,
        event_id: Uuid::from_u128(event),
        event_type: format!("waymark.metrics.v1.{event_type}"),
        subject,
        time: NOW,
        actor: "services/metrics".into(),
        traceparent: None,
        data,
    }
}

pub fn metric(id: &str) -> String {
    format!("//metrics.waymark.dev/{PARENT}/metrics/{id}")
}

/// An assumption test of the value of a solution: 80 % or more passes.
pub fn test_of(solution: &str) -> pb::AssumptionTest {
    let mut threshold =
        pb::PassThreshold { measure: "share who finish".into(), value: Some(0.8), ..Default::default() };
    threshold.set_comparison(pb::Comparison::AtLeast);
    pb::AssumptionTest {
        display_name: "they finish".into(),
        solution: format!("{PARENT}/solutions/{solution}"),
        risk: 1,
        threshold: Some(threshold),
        ..Default::default()
    }
}

/// An interview of study `s` in which "invites" is highlighted, `days` before the tests' now.
pub fn interview_of(participant: &str, days: i64) -> pb::Interview {
    let segment =
        pb::TranscriptSegment { speaker: "p".into(), text: "I löse the invites".into(), ..Default::default() };
    let highlight = pb::Highlight {
        id: "invites".into(),
        quote: "invites".into(),
        span: Some(pb::Span { segment: 0, start: 11, end: 18 }),
        ..Default::default()
    };
    pb::Interview {
        display_name: "An interview".into(),
        study: format!("{PARENT}/studies/s"),
        participant: format!("{PARENT}/participants/{participant}"),
        conduct_time: Some(days_ago(days)),
        transcript: vec![segment],
        highlights: vec![highlight],
        ..Default::default()
    }
}

pub fn cite(interview: &str, highlight: &str) -> pb::InsightEvidence {
    let target = format!("//discovery.waymark.dev/{PARENT}/interviews/{interview}");
    pb::InsightEvidence { target, highlight: highlight.into(), note: String::new() }
}

pub fn link(target: &str) -> Evidence {
    Evidence { target: format!("//discovery.waymark.dev/{PARENT}/{target}"), note: String::new() }
}

pub fn days_ago(days: i64) -> waymark_proto::Timestamp {
    waymark_proto::Timestamp { seconds: NOW.timestamp() - days * 86_400, nanos: 0 }
}

/// Code, reason and metadata of a refusal.
pub fn refusal<T: std::fmt::Debug>(
    result: Result<T, Status>,
) -> (Code, String, std::collections::HashMap<String, String>) {
    let status = result.unwrap_err();
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    (status.code(), info.reason, info.metadata)
}

/// Code and reason of a refusal.
pub fn reason<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let (code, reason, _) = refusal(result);
    (code, reason)
}

/// Fields that a BadRequest names.
pub fn fields<T: std::fmt::Debug>(result: Result<T, Status>) -> Vec<String> {
    let details = result.unwrap_err().get_details_bad_request().unwrap();
    details.field_violations.into_iter().map(|v| v.field).collect()
}
