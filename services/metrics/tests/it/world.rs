//! A service of the test's own, and the few calls that every story makes.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use tonic::{Code, Response, Status};
use uuid::Uuid;
use waymark_client::{Channel, Options};
use waymark_clock::ManualClock;
use waymark_metrics::{MetricsArgs, Parts, SERVICE};
use waymark_proto::convert::timestamp;
use waymark_proto::events::v1 as log;
use waymark_proto::events::v1::events_service_client::EventsServiceClient;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::analysis_service_client::AnalysisServiceClient;
use waymark_proto::metrics::v1::ingestion_service_client::IngestionServiceClient;
use waymark_proto::metrics::v1::metric_service_client::MetricServiceClient;
use waymark_proto::metrics::v1::outcome_service_client::OutcomeServiceClient;
use waymark_store::{Error, Received, Store};
use waymark_testkit::{Engine, Served, host};

pub const WORKSPACE: &str = "workspaces/acme";

pub struct World {
    pub served: Served<Parts, MetricsArgs>,
    pub hand: ManualClock,
    pub folder: TempDir,
    deliveries: u64,
}

/// Delivers an event.
pub async fn handle(store: &Store, event: &Received) -> Result<(), Error> {
    waymark_metrics::handle(store, event, &event.reaction("metrics")).await
}

impl World {
    pub async fn open(engine: Engine) -> Self {
        let (host, hand) = host(7);
        let folder = tempfile::tempdir().unwrap();
        let lake = folder.path().join("lake").display().to_string();
        let args = MetricsArgs { lake: Some(lake), ingest_wait: Duration::from_millis(2), ..MetricsArgs::default() };
        let served = Served::start(engine, &host, &SERVICE, &args).await.unwrap();
        Self { served, hand, folder, deliveries: 0 }
    }

    pub fn channel_as(&self, role: &str) -> Channel {
        let options = Options {
            actor: Some("users/ada@example.com".into()),
            role: Some(role.into()),
            attempts: 1,
            ..Options::default()
        };
        Channel::new(&self.served.address().to_string(), options).unwrap()
    }

    fn channel(&self) -> Channel {
        self.channel_as("admin")
    }

    pub fn metrics(&self) -> MetricServiceClient<Channel> {
        MetricServiceClient::new(self.channel())
    }

    pub fn ingestion(&self) -> IngestionServiceClient<Channel> {
        IngestionServiceClient::new(self.channel())
    }

    pub fn analysis(&self) -> AnalysisServiceClient<Channel> {
        AnalysisServiceClient::new(self.channel())
    }

    pub fn outcomes(&self) -> OutcomeServiceClient<Channel> {
        OutcomeServiceClient::new(self.channel())
    }

    /// Types of all events in the log, without their package, oldest first.
    pub async fn announced(&self) -> Vec<String> {
        let request = log::ListEventsRequest { parent: WORKSPACE.into(), page_size: 1_000, ..Default::default() };
        let events = EventsServiceClient::new(self.channel()).list_events(request).await.unwrap().into_inner().events;
        events.into_iter().map(|event| event.r#type.trim_start_matches("waymark.metrics.v1.").to_owned()).collect()
    }

    pub async fn ingest(&self, events: Vec<pb::ProductEvent>) -> pb::IngestEventsResponse {
        let request = pb::IngestEventsRequest { parent: WORKSPACE.into(), events, ..Default::default() };
        self.ingestion().ingest_events(request).await.unwrap().into_inner()
    }

    /// A metric that counts `ordered`.
    pub async fn orders(&self, direction: pb::MetricDirection) -> pb::Metric {
        let metric = pb::Metric {
            display_name: "Orders".into(),
            kind: pb::MetricKind::Count.into(),
            events: vec!["ordered".into()],
            direction: direction.into(),
            ..Default::default()
        };
        let request = pb::CreateMetricRequest {
            parent: WORKSPACE.into(),
            metric_id: "orders".into(),
            metric: Some(metric),
            ..Default::default()
        };
        self.metrics().create_metric(request).await.unwrap().into_inner()
    }

    /// An event of the roadmap under a new id.
    pub fn received<M: serde::Serialize>(&mut self, verb: &str, message: &M) -> Received {
        self.deliveries += 1;
        Received {
            source: "roadmap".into(),
            workspace: WORKSPACE.parse().unwrap(),
            revision: self.deliveries.cast_signed(),
            event_id: Uuid::from_u128(self.deliveries.into()),
            event_type: format!("waymark.roadmap.v1.Initiative{verb}"),
            subject: format!("{WORKSPACE}/initiatives/sso"),
            time: self.now(),
            actor: "users/ada@example.com".into(),
            traceparent: None,
            data: serde_json::to_string(message).unwrap(),
        }
    }

    /// Delivers an event of the roadmap, twice: the second delivery must change nothing.
    pub async fn deliver<M: serde::Serialize>(&mut self, verb: &str, message: &M) {
        let event = self.received(verb, message);
        handle(self.served.store(), &event).await.unwrap();
        let before = self.announced().await.len();
        handle(self.served.store(), &event).await.unwrap();
        assert_eq!(self.announced().await.len(), before, "a second delivery has no effect");
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.served.store().now()
    }

    pub fn advance(&self, by: TimeDelta) {
        self.hand.advance(by.to_std().unwrap());
    }
}

/// A product event without properties.
pub fn event(id: impl std::fmt::Display + Copy, user: &str, name: &str, time: DateTime<Utc>) -> pb::ProductEvent {
    pb::ProductEvent {
        event_id: id.to_string(),
        user: user.into(),
        event: name.into(),
        time: Some(timestamp(time)),
        ..Default::default()
    }
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A refusal in one line: code, reason, and the fields or rules it names.
pub fn refusal<T: std::fmt::Debug>(result: Result<Response<T>, Status>) -> (Code, String, Vec<String>) {
    let error = waymark_client::Error::from(result.unwrap_err());
    let fields = error.violations().iter().map(|violation| violation.field.clone()).collect();
    (error.code(), error.reason().to_owned(), fields)
}
