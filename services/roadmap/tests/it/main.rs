//! The service as its callers meet it: over gRPC, on SQLite and on PostgreSQL, with a clock that stands still.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod consume;
mod estimates;
mod lifecycle;
mod plan;

use std::net::{Ipv4Addr, SocketAddr};

use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use waymark_clock::ManualClock;
use waymark_proto::common::v1 as common;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::prioritization_service_client::PrioritizationServiceClient;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_roadmap::{NAME, SERVICE};
use waymark_runtime::{DatabaseArgs, Host, Running, ServerArgs};
use waymark_service::Open;
use waymark_testkit::{Engine, TestDatabase, database};

pub(crate) const W: &str = "workspaces/acme";

/// A service on a database of its own.
pub(crate) struct Fixture {
    pub(crate) service: Open,
    pub(crate) clock: ManualClock,
    channel: Channel,
    host: Host,
    running: Running,
    _database: TestDatabase,
}

impl Fixture {
    pub(crate) async fn start(engine: Engine) -> Self {
        let (host, clock) = waymark_testkit::host(7);
        let migrating = host.clone();
        let database = database(engine, NAME, |url| async move {
            let args = DatabaseArgs { database_url: Some(url), ..DatabaseArgs::default() };
            Ok(SERVICE.open(&migrating, &args, &()).await?.store().close().await?)
        });
        let database = database.await.unwrap();
        let args = DatabaseArgs { database_url: Some(database.url().to_owned()), ..DatabaseArgs::default() };
        let service = SERVICE.open(&host, &args, &()).await.unwrap();
        let server = ServerArgs { listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))), ..ServerArgs::default() };
        let running = service.serve(&host, &server).await.unwrap();
        let channel = Endpoint::from_shared(format!("http://{}", running.address())).unwrap().connect_lazy();
        Self { service, clock, channel, host, running, _database: database }
    }

    pub(crate) async fn stop(self) {
        let Self { host, running, service, channel, .. } = self;
        drop(channel);
        host.stop(vec![running]).await;
        service.store().close().await.unwrap();
    }

    pub(crate) fn strategy(&self) -> StrategyServiceClient<Channel> {
        StrategyServiceClient::new(self.channel.clone())
    }

    pub(crate) fn roadmap(&self) -> RoadmapServiceClient<Channel> {
        RoadmapServiceClient::new(self.channel.clone())
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
        let rows = self.service.store().read_log("acme", 0, 1_000).await.unwrap();
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
    for engine in Engine::ALL {
        let fixture = Fixture::start(engine).await;
        scenario(&fixture).await;
        fixture.stop().await;
    }
}
