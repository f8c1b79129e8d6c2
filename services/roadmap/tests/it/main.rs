//! The service as its callers meet it: over gRPC, on SQLite and on PostgreSQL, with a clock that stands still.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod batches;
mod consume;
mod decisions;
mod doubles;
mod estimates;
mod factor_scales;
mod frameworks;
mod goals;
mod graph;
mod grouping;
mod key_results;
mod lifecycle;
mod links;
mod merges;
mod objectives;
mod optimizing;
mod pages;
mod plan;
mod products;
mod ranking;
mod ranks_then;
mod reasons;
mod scenarios;
mod scoring_models;
mod sensitivity;
mod snapshots;
mod workspaces;

use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use waymark_clock::ManualClock;
use waymark_proto::common::v1 as common;
use waymark_proto::events::v1::events_service_client::EventsServiceClient;
use waymark_proto::graph::v1::graph_service_client::GraphServiceClient;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::decision_service_client::DecisionServiceClient;
use waymark_proto::roadmap::v1::prioritization_service_client::PrioritizationServiceClient;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::scenario_service_client::ScenarioServiceClient;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_proto::roadmap::v1::workspace_service_client::WorkspaceServiceClient;
use waymark_roadmap::SERVICE;
use waymark_testkit::{Engine, Served, host};

pub(crate) const W: &str = "workspaces/acme";

/// A service on a database of its own.
pub(crate) struct Fixture {
    pub(crate) served: Served,
    pub(crate) clock: ManualClock,
    channel: Channel,
}

impl Fixture {
    pub(crate) async fn start(engine: Engine) -> Self {
        let (host, clock) = host(7);
        let served = Served::start(engine, &host, &SERVICE, &()).await.unwrap();
        let channel = Endpoint::from_shared(format!("http://{}", served.address())).unwrap().connect_lazy();
        Self { served, clock, channel }
    }

    pub(crate) async fn stop(self) {
        let Self { served, channel, .. } = self;
        drop(channel);
        served.stop().await.unwrap();
    }

    pub(crate) fn strategy(&self) -> StrategyServiceClient<Channel> {
        StrategyServiceClient::new(self.channel.clone())
    }

    pub(crate) fn deciding(&self) -> DecisionServiceClient<Channel> {
        DecisionServiceClient::new(self.channel.clone())
    }

    pub(crate) fn graph(&self) -> GraphServiceClient<Channel> {
        GraphServiceClient::new(self.channel.clone())
    }

    pub(crate) fn events(&self) -> EventsServiceClient<Channel> {
        EventsServiceClient::new(self.channel.clone())
    }

    pub(crate) fn roadmap(&self) -> RoadmapServiceClient<Channel> {
        RoadmapServiceClient::new(self.channel.clone())
    }

    pub(crate) fn workspaces(&self) -> WorkspaceServiceClient<Channel> {
        WorkspaceServiceClient::new(self.channel.clone())
    }

    pub(crate) fn scenarios(&self) -> ScenarioServiceClient<Channel> {
        ScenarioServiceClient::new(self.channel.clone())
    }

    pub(crate) fn prioritization(&self) -> PrioritizationServiceClient<Channel> {
        PrioritizationServiceClient::new(self.channel.clone())
    }

    pub(crate) async fn create(&self, id: &str, initiative: pb::Initiative) -> Result<pb::Initiative, Status> {
        let request = pb::CreateInitiativeRequest {
            parent: W.into(),
            initiative_id: id.into(),
            initiative: Some(initiative),
            ..Default::default()
        };
        self.roadmap().create_initiative(by_ada(request)).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn depend(&self, on: &str, id: &str) -> Result<pb::Initiative, Status> {
        let request = pb::AddDependencyRequest {
            name: initiative_name(id),
            dependency: initiative_name(on),
            ..Default::default()
        };
        self.roadmap().add_dependency(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn get(&self, id: &str) -> pb::Initiative {
        let request = pb::GetInitiativeRequest { name: initiative_name(id) };
        self.roadmap().get_initiative(request).await.unwrap().into_inner()
    }

    /// Types of all events so far, without the package, with the resource's id.
    pub(crate) async fn log(&self) -> Vec<String> {
        let rows = self.served.store().read_log("acme", 0, 1_000).await.unwrap();
        rows.iter().map(|row| format!("{} {}", row.event_type.rsplit('.').next().unwrap(), row.resource_id)).collect()
    }
}

pub(crate) fn by_ada<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("waymark-actor", "users/ada@example.com".parse().unwrap());
    request
}

pub(crate) fn initiative_name(id: &str) -> String {
    format!("{W}/initiatives/{id}")
}

pub(crate) fn named(display_name: &str) -> pb::Initiative {
    pb::Initiative { display_name: display_name.into(), ..Default::default() }
}

pub(crate) fn insight(id: &str) -> common::Evidence {
    common::Evidence { target: format!("//discovery.waymark.dev/{W}/insights/{id}"), note: "seen in interviews".into() }
}

/// Evidence for all four risks.
pub(crate) fn answered() -> Vec<pb::RiskAssessment> {
    let kinds = [common::Risk::Value, common::Risk::Usability, common::Risk::Feasibility, common::Risk::Viability];
    kinds.map(|risk| pb::RiskAssessment { risk: risk.into(), evidence: vec![insight("i1")], waiver: None }).into()
}

/// The code and reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    (status.code(), reason)
}

/// Runs a scenario on both databases.
pub(crate) async fn on_both(scenario: impl AsyncFn(&Fixture)) {
    for engine in Engine::each() {
        let fixture = Fixture::start(engine).await;
        // Scenarios hold many messages.
        Box::pin(scenario(&fixture)).await;
        fixture.stop().await;
    }
}
