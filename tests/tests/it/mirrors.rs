//! What the services know of one another: the roadmap of metrics, metrics and discovery of initiatives.

use std::time::Duration;

use waymark_client::Channel;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as metrics;
use waymark_proto::metrics::v1::ingestion_service_client::IngestionServiceClient;
use waymark_proto::metrics::v1::metric_service_client::MetricServiceClient;
use waymark_proto::roadmap::v1 as roadmap;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_testkit::schema::text;
use waymark_testkit::{Engine, wait_until};

use crate::services::{Services, Wires};

const LIMIT: Duration = Duration::from_mins(1);
const WAYS: [(Engine, Wires); 2] = [(Engine::Sqlite, Wires::Bus), (Engine::Postgres, Wires::Broker)];
const W: &str = "workspaces/acme";

fn expecting(metrics: &[&str]) -> roadmap::CreateInitiativeRequest {
    let assumption = |id: &&str| waymark_proto::common::v1::Evidence {
        target: format!("//metrics.waymark.dev/{W}/metrics/{id}"),
        note: String::new(),
    };
    roadmap::CreateInitiativeRequest {
        parent: W.into(),
        initiative: Some(roadmap::Initiative {
            display_name: "Single sign-on".into(),
            evidence: metrics.iter().map(assumption).collect(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// What an answered write says that it did not look up.
fn unverified<T>(answer: &tonic::Response<T>) -> Option<String> {
    answer.metadata().get("waymark-unverified").map(|names| names.to_str().unwrap().to_owned())
}

async fn create_metric(client: &mut MetricServiceClient<Channel>, id: &str) {
    let metric = metrics::Metric {
        display_name: "Weekly orders".into(),
        kind: metrics::MetricKind::Count.into(),
        direction: metrics::MetricDirection::Increase.into(),
        events: vec!["ordered".into()],
        ..Default::default()
    };
    let request = metrics::CreateMetricRequest {
        parent: W.into(),
        metric_id: id.into(),
        metric: Some(metric),
        ..Default::default()
    };
    client.create_metric(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn references_to_other_services_are_looked_up_in_what_is_known_of_them() {
    for (engine, wires) in WAYS {
        let services = Services::start(engine, wires).await.unwrap();
        let mut metrics = MetricServiceClient::new(services.metrics.clone());
        let mut roadmap = RoadmapServiceClient::new(services.roadmap.clone());
        let name = |id: &str| format!("//metrics.waymark.dev/{W}/metrics/{id}");

        // Nobody has heard of it; it may be on its way.
        let answer = roadmap.create_initiative(expecting(&["orders"])).await.unwrap();
        assert_eq!(unverified(&answer), Some(name("orders")));
        create_metric(&mut metrics, "orders").await;
        let known = async || {
            let check = roadmap::CreateInitiativeRequest { validate_only: true, ..expecting(&["orders"]) };
            unverified(&roadmap.clone().create_initiative(check).await.unwrap()).is_none()
        };
        wait_until("the roadmap knows the metric", LIMIT, known).await;
        let answer = roadmap.create_initiative(expecting(&["orders", "visits"])).await.unwrap();
        assert_eq!(unverified(&answer), Some(name("visits")));

        let delete = metrics::DeleteMetricRequest { name: format!("{W}/metrics/orders"), ..Default::default() };
        metrics.delete_metric(delete).await.unwrap();
        let refused = async || {
            let check = roadmap::CreateInitiativeRequest { validate_only: true, ..expecting(&["orders"]) };
            roadmap.clone().create_initiative(check).await.is_err()
        };
        wait_until("the roadmap knows that it is deleted", LIMIT, refused).await;
        let error = roadmap.create_initiative(expecting(&["orders"])).await.unwrap_err();
        assert_eq!(error.code(), tonic::Code::FailedPrecondition);
        assert!(error.message().contains(&format!("{} does not exist", name("orders"))), "{}", error.message());
        // What refers to it already may go on to.
        let initiative = answer.into_inner();
        let patch = roadmap::Initiative { name: initiative.name, owner: "users/ada".into(), ..Default::default() };
        let update = roadmap::UpdateInitiativeRequest { initiative: Some(patch), ..Default::default() };
        assert_eq!(unverified(&roadmap.update_initiative(update).await.unwrap()), None);

        // The others know initiatives, and nobody announces what is not his.
        for service in ["metrics", "discovery"] {
            let count = "SELECT CAST(COUNT(*) AS text) FROM roadmap_initiatives";
            let both = async || text(services.database(service), count).await.unwrap() == "2";
            wait_until(&format!("{service} knows the initiatives"), LIMIT, both).await;
            let foreign = "SELECT CAST(COUNT(*) AS text) FROM log WHERE collection = 'initiatives'";
            assert_eq!(text(services.database(service), foreign).await.unwrap(), "0");
        }
        let links = "SELECT referrer FROM links WHERE target = 'metrics/orders' AND referrer LIKE '//%' LIMIT 1";
        let referrer = text(services.database("metrics"), links).await.unwrap();
        assert!(referrer.starts_with("//roadmap/initiatives/"), "metrics finds who rests on a metric: {referrer}");
        services.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_roadmap_shows_what_the_metrics_that_are_to_move_were_last() {
    for (engine, wires) in WAYS {
        let services = Services::start(engine, wires).await.unwrap();
        let mut metrics = MetricServiceClient::new(services.metrics.clone());
        create_metric(&mut metrics, "orders").await;
        let mut initiative = expecting(&[]);
        initiative.initiative.as_mut().unwrap().expected_outcome = Some(roadmap::ExpectedOutcome {
            metric: format!("//metrics.waymark.dev/{W}/metrics/orders"),
            change: Some(waymark_proto::common::v1::Range { low: 0.1, likely: 0.2, high: 0.3 }),
            ..Default::default()
        });
        RoadmapServiceClient::new(services.roadmap.clone()).create_initiative(initiative).await.unwrap();

        // One order yesterday, and a word of today that shows that yesterday is over.
        let event = |event: &str, time| metrics::ProductEvent {
            event_id: event.into(),
            user: "ada".into(),
            event: event.into(),
            time: Some(timestamp(time)),
            ..Default::default()
        };
        let now = services.now();
        let events = vec![event("ordered", now - chrono::TimeDelta::days(1)), event("opened", now)];
        let ingest = metrics::IngestEventsRequest { parent: W.into(), events, ..Default::default() };
        IngestionServiceClient::new(services.metrics.clone()).ingest_events(ingest).await.unwrap();
        assert_eq!(services.take_readings().await.unwrap(), 0);
        let get = metrics::GetMetricRequest { name: format!("{W}/metrics/orders") };
        let measured = metrics.get_metric(get).await.unwrap().into_inner().latest;
        assert_eq!(measured.map(|reading| reading.value), Some(1.0));

        let shown = async || {
            let request = roadmap::GetRoadmapRequest { parent: W.into(), ..Default::default() };
            RoadmapServiceClient::new(services.roadmap.clone()).get_roadmap(request).await.unwrap().into_inner().metrics
        };
        let what = "the roadmap shows what was measured";
        wait_until(what, LIMIT, async || shown().await.first().is_some_and(|metric| metric.latest == measured)).await;
        let shown = shown().await;
        assert_eq!((shown.len(), shown[0].display_name.as_str()), (1, "Weekly orders"));
        services.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_measured_moves_the_key_results_of_the_metric() {
    for (engine, wires) in WAYS {
        let services = Services::start(engine, wires).await.unwrap();
        let mut metrics = MetricServiceClient::new(services.metrics.clone());
        let mut strategy = StrategyServiceClient::new(services.roadmap.clone());
        create_metric(&mut metrics, "orders").await;
        let objective = roadmap::Objective {
            display_name: "People come back for more".into(),
            period: Some(roadmap::TargetInterval { start: "2026-H1".into(), end: String::new() }),
            ..Default::default()
        };
        let request = roadmap::CreateObjectiveRequest {
            parent: W.into(),
            objective_id: "more".into(),
            objective: Some(objective),
            ..Default::default()
        };
        strategy.create_objective(request).await.unwrap();
        let bound = |id: &str| {
            let key_result = roadmap::KeyResult {
                display_name: "Orders a day".into(),
                objective: format!("{W}/objectives/more"),
                start: Some(0.0),
                target: Some(4.0),
                metric: format!("//metrics.waymark.dev/{W}/metrics/orders"),
                ..Default::default()
            };
            roadmap::CreateKeyResultRequest {
                parent: W.into(),
                key_result_id: id.into(),
                key_result: Some(key_result),
                ..Default::default()
            }
        };
        strategy.create_key_result(bound("before")).await.unwrap();

        let event = |event: &str, id: &str, time| metrics::ProductEvent {
            event_id: id.into(),
            user: "ada".into(),
            event: event.into(),
            time: Some(timestamp(time)),
            ..Default::default()
        };
        let (now, yesterday) = (services.now(), services.now() - chrono::TimeDelta::days(1));
        let ingest = async |events: Vec<metrics::ProductEvent>| {
            let request = metrics::IngestEventsRequest { parent: W.into(), events, ..Default::default() };
            IngestionServiceClient::new(services.metrics.clone()).ingest_events(request).await.unwrap();
            services.take_readings().await.unwrap();
        };
        let score = async |id: &str| {
            let name = format!("{W}/keyResults/{id}");
            let request = roadmap::GetKeyResultRequest { name };
            StrategyServiceClient::new(services.roadmap.clone())
                .get_key_result(request)
                .await
                .unwrap()
                .into_inner()
                .score
        };
        let orders = (1..=2).map(|number| event("ordered", &format!("o{number}"), yesterday));
        ingest(orders.chain([event("opened", "today", now)]).collect()).await;
        wait_until("two of four orders are half of the way", LIMIT, async || score("before").await == Some(0.5)).await;
        // One that comes to be bound later knows what was measured at once.
        let late = strategy.create_key_result(bound("late")).await.unwrap().into_inner();
        assert_eq!((late.score, late.band()), (Some(0.5), roadmap::ScoreBand::Yellow));
        let told = "SELECT CAST(COUNT(*) AS text) FROM log WHERE type LIKE '%KeyResultMeasured'";
        assert_eq!(text(services.database("roadmap"), told).await.unwrap(), "1", "once for an interval");

        let request = roadmap::GetObjectiveTreeRequest { parent: W.into(), ..Default::default() };
        let tree = strategy.get_objective_tree(request).await.unwrap().into_inner();
        assert_eq!(tree.nodes[0].score, Some(0.5));
        services.stop().await;
    }
}
