//! A workspace in which whatever customers are not to see holds a planted word.

use waymark_client::Channel;
use waymark_proto::common::v1 as common;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::prioritization_service_client::PrioritizationServiceClient;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::scenario_service_client::ScenarioServiceClient;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;

use crate::services::Services;

pub const W: &str = "workspaces/acme";
/// What no customer may read, in whatever field it stands.
pub const PLANTED: &str = "zq9planted";
pub const CUSTOMERS: &str = "workspaces/acme/audiences/customers";

pub fn initiative(id: &str) -> String {
    format!("{W}/initiatives/{id}")
}

/// A text that is not to be read.
pub fn planted(what: &str) -> String {
    format!("{PLANTED} {what}")
}

/// Fills it; tells at which revision it is.
pub async fn filled(services: &Services) -> i64 {
    let mut workspace = Workspace {
        roadmap: RoadmapServiceClient::new(services.roadmap.clone()),
        strategy: StrategyServiceClient::new(services.roadmap.clone()),
        prioritization: PrioritizationServiceClient::new(services.roadmap.clone()),
        scenarios: ScenarioServiceClient::new(services.roadmap.clone()),
    };
    Box::pin(workspace.fill()).await;
    let roadmap = pb::GetRoadmapRequest { parent: W.into(), ..Default::default() };
    workspace.roadmap.get_roadmap(roadmap).await.unwrap().into_inner().revision
}

struct Workspace {
    roadmap: RoadmapServiceClient<Channel>,
    strategy: StrategyServiceClient<Channel>,
    prioritization: PrioritizationServiceClient<Channel>,
    scenarios: ScenarioServiceClient<Channel>,
}

impl Workspace {
    async fn audience(&mut self, id: &str, display_name: String, dates: pb::DatePrecision) {
        let audience = pb::Audience {
            display_name,
            description: planted("description"),
            dates: dates.into(),
            ..Default::default()
        };
        let (parent, audience_id, audience) = (W.into(), id.into(), Some(audience));
        let request = pb::CreateAudienceRequest { parent, audience_id, audience, ..Default::default() };
        self.roadmap.create_audience(request).await.unwrap();
    }

    async fn create(&mut self, id: &str, display_name: &str, audiences: &[&str]) {
        let evidence = common::Evidence {
            target: format!("//discovery.waymark.dev/{W}/insights/{PLANTED}"),
            note: planted("note"),
        };
        let outcome = pb::ExpectedOutcome {
            metric: format!("//metrics.waymark.dev/{W}/metrics/{PLANTED}"),
            change: Some(common::Range { low: 0.1, likely: 0.2, high: 0.3 }),
            window_days: 28,
        };
        let initiative = pb::Initiative {
            display_name: display_name.into(),
            problem: planted("problem"),
            hypothesis: planted("hypothesis"),
            owner: planted("owner"),
            labels: [(PLANTED.to_owned(), PLANTED.to_owned())].into(),
            evidence: vec![evidence],
            expected_outcome: Some(outcome),
            key_results: vec![format!("{W}/keyResults/{PLANTED}")],
            target: Some(pb::TargetInterval { start: "2026-11".into(), end: String::new() }),
            audiences: audiences.iter().map(|id| format!("{W}/audiences/{id}")).collect(),
            ..Default::default()
        };
        let (parent, initiative_id, initiative) = (W.into(), id.into(), Some(initiative));
        let request = pb::CreateInitiativeRequest { parent, initiative_id, initiative, ..Default::default() };
        self.roadmap.create_initiative(request).await.unwrap();
    }

    async fn update(&mut self, id: &str, paths: &[&str], patch: pb::Initiative) {
        let update_mask = Some(pbjson_types::FieldMask { paths: paths.iter().map(|&path| path.into()).collect() });
        let patch = Some(pb::Initiative { name: initiative(id), ..patch });
        let request = pb::UpdateInitiativeRequest { initiative: patch, update_mask, ..Default::default() };
        self.roadmap.update_initiative(request).await.unwrap();
    }

    /// All there is: what is shown, what was, what was not yet, and what never is.
    async fn fill(&mut self) {
        self.audience("customers", "Customers".into(), pb::DatePrecision::Quarter).await;
        self.audience(PLANTED, planted("partners"), pb::DatePrecision::Kept).await;
        self.strategy().await;
        self.create("merger", &planted("merger"), &[PLANTED]).await;
        self.create(PLANTED, &planted("unnamed"), &[]).await;
        self.create("sso", "Single sign-on", &["customers", PLANTED]).await;
        self.create("fax", "Fax export", &["customers"]).await;
        self.create("early", &planted("early"), &[]).await;
        let both = ["display_name", "audiences"];
        let dark = pb::Initiative {
            display_name: "Dark mode".into(),
            audiences: vec![CUSTOMERS.into()],
            ..Default::default()
        };
        self.update("early", &both, dark).await;
        self.create("withdrawn", &planted("withdrawn"), &["customers"]).await;
        self.update("withdrawn", &["audiences"], pb::Initiative::default()).await;
        self.create("gone", &planted("gone"), &["customers"]).await;
        let gone = pb::DeleteInitiativeRequest { name: initiative("gone"), ..Default::default() };
        self.roadmap.delete_initiative(gone).await.unwrap();
        self.happen().await;
    }

    async fn strategy(&mut self) {
        let product = pb::Product { display_name: planted("product"), vision: planted("vision"), ..Default::default() };
        let (parent, product_id, product) = (W.into(), PLANTED.into(), Some(product));
        let request = pb::CreateProductRequest { parent, product_id, product, ..Default::default() };
        self.strategy.create_product(request).await.unwrap();
        let period = Some(pb::TargetInterval { start: "2026".into(), end: String::new() });
        let objective = pb::Objective { display_name: planted("objective"), period, ..Default::default() };
        let (parent, objective_id, objective) = (W.into(), PLANTED.into(), Some(objective));
        let request = pb::CreateObjectiveRequest { parent, objective_id, objective, ..Default::default() };
        self.strategy.create_objective(request).await.unwrap();
        let key_result = pb::KeyResult {
            display_name: planted("key result"),
            objective: format!("{W}/objectives/{PLANTED}"),
            start: Some(0.0),
            target: Some(1.0),
            ..Default::default()
        };
        let (parent, key_result_id, key_result) = (W.into(), PLANTED.into(), Some(key_result));
        let request = pb::CreateKeyResultRequest { parent, key_result_id, key_result, ..Default::default() };
        self.strategy.create_key_result(request).await.unwrap();
    }

    /// Events of what is shown, each with something that is not.
    async fn happen(&mut self) {
        for id in ["sso", "fax"] {
            let (name, dependency) = (initiative(id), initiative("merger"));
            let request = pb::AddDependencyRequest { name, dependency, ..Default::default() };
            self.roadmap.add_dependency(request).await.unwrap();
        }
        for risk in 1..=4 {
            let (name, reason) = (initiative("sso"), planted("waiver"));
            let request = pb::WaiveRiskRequest { name, risk, reason, ..Default::default() };
            self.roadmap.waive_risk(request).await.unwrap();
        }
        let commit = pb::CommitInitiativeRequest { name: initiative("sso"), ..Default::default() };
        self.roadmap.commit_initiative(commit).await.unwrap();
        let pause =
            pb::PauseInitiativeRequest { name: initiative("sso"), reason: planted("pause"), ..Default::default() };
        self.roadmap.pause_initiative(pause).await.unwrap();
        let decline = pb::DeclineInitiativeRequest {
            name: initiative("fax"),
            reason: planted("decline"),
            what_would_change_our_mind: planted("mind"),
            ..Default::default()
        };
        self.roadmap.decline_initiative(decline).await.unwrap();
        let guess = pb::factor_source::Basis::Guess(planted("guess"));
        let source = Some(pb::FactorSource { basis: Some(guess), ..Default::default() });
        let factor = |value: f64| {
            Some(pb::Factor {
                value: Some(pb::factor::Value::Point(value)),
                source: source.clone(),
                ..Default::default()
            })
        };
        let estimate = pb::Estimate {
            display_name: planted("estimate"),
            initiative: initiative("sso"),
            reach: factor(4_711.0),
            impact: factor(2.0),
            confidence: factor(0.8),
            effort: factor(2.0),
            ..Default::default()
        };
        let (parent, estimate_id, estimate) = (W.into(), PLANTED.into(), Some(estimate));
        let request = pb::CreateEstimateRequest { parent, estimate_id, estimate, ..Default::default() };
        self.prioritization.create_estimate(request).await.unwrap();
        let scenario = pb::Scenario { display_name: planted("scenario"), ..Default::default() };
        let (parent, scenario_id, scenario) = (W.into(), PLANTED.into(), Some(scenario));
        let request = pb::CreateScenarioRequest { parent, scenario_id, scenario, ..Default::default() };
        self.scenarios.create_scenario(request).await.unwrap();
        let snapshot = pb::Snapshot { display_name: planted("snapshot"), ..Default::default() };
        let (parent, snapshot_id, snapshot) = (W.into(), "board".into(), Some(snapshot));
        let request = pb::CreateSnapshotRequest { parent, snapshot_id, snapshot, ..Default::default() };
        self.roadmap.create_snapshot(request).await.unwrap();
    }
}
