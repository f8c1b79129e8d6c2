//! What grows for ever is trimmed by the services themselves.

use std::time::Duration;

use chrono::TimeDelta;
use waymark_client::{Channel, Start, Update, Watch};
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_proto::roadmap::v1::{
    CreateInitiativeRequest, CreateProductRequest, CreateSnapshotRequest, DeclineInitiativeRequest,
    DeleteSnapshotRequest, GetRoadmapRequest, Initiative, Product, Snapshot, UpdateProductRequest,
};
use waymark_testkit::schema::text;
use waymark_testkit::{Engine, wait_until};

use crate::services::{Services, Wires};

/// Rounds of trimming are seconds apart.
const LIMIT: Duration = Duration::from_mins(2);
const WAYS: [(Engine, Wires); 2] = [(Engine::Sqlite, Wires::Bus), (Engine::Postgres, Wires::Broker)];

/// Puts a product of a workspace into words, for the first time or again.
async fn word(client: &mut StrategyServiceClient<Channel>, workspace: &str, vision: &str) {
    let name = format!("workspaces/{workspace}/products/app");
    let product = Product { name, display_name: "App".into(), vision: vision.into(), ..Product::default() };
    let update = UpdateProductRequest { product: Some(product.clone()), ..UpdateProductRequest::default() };
    if client.update_product(update).await.is_err() {
        let create = CreateProductRequest {
            parent: format!("workspaces/{workspace}"),
            product_id: "app".into(),
            product: Some(product),
            ..CreateProductRequest::default()
        };
        client.create_product(create).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_forgotten_when_it_is_older_than_it_is_to_be_kept() {
    for (engine, wires) in WAYS {
        let services = Services::start_keeping(engine, wires, "1d,museum=forever".parse().unwrap()).await.unwrap();
        let mut client = StrategyServiceClient::new(services.roadmap.clone());
        for vision in ["one", "two", "three", "four"] {
            for workspace in ["acme", "museum"] {
                word(&mut client, workspace, vision).await;
            }
            services.clock.advance(Duration::from_hours(24));
        }
        let watch = async |workspace: &str| {
            let parent = format!("workspaces/{workspace}");
            let mut watch = Watch::new(services.roadmap.clone(), &parent, Vec::new(), Vec::new(), Start::After(0));
            watch.next().await
        };
        // Four days have passed; what is from before the last is how it stood after the third event.
        wait_until("the log of acme is trimmed", LIMIT, async || {
            watch("acme").await.is_err_and(|error| {
                error.reason() == "REVISION_EXPIRED" && error.metadata("earliest_revision") == Some("3")
            })
        })
        .await;
        let first = watch("museum").await.unwrap();
        assert!(matches!(&first, Update::Revision(1, _)), "{engine:?}: {first:?}");
        services.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_snapshot_needs_is_kept_until_it_is_deleted() {
    for (engine, wires) in WAYS {
        let services = Services::start_keeping(engine, wires, "1d".parse().unwrap()).await.unwrap();
        let mut products = StrategyServiceClient::new(services.roadmap.clone());
        let mut roadmap = RoadmapServiceClient::new(services.roadmap.clone());
        word(&mut products, "acme", "one").await;
        let create = CreateSnapshotRequest {
            parent: "workspaces/acme".into(),
            snapshot_id: "board".into(),
            snapshot: Some(Snapshot { display_name: "Board".into(), ..Snapshot::default() }),
            ..CreateSnapshotRequest::default()
        };
        let Snapshot { name, revision, .. } = roadmap.create_snapshot(create).await.unwrap().into_inner();
        for vision in ["two", "three", "four"] {
            services.clock.advance(Duration::from_hours(24));
            word(&mut products, "acme", vision).await;
        }
        services.clock.advance(Duration::from_hours(24));
        let held = async || {
            text(services.database("roadmap"), "SELECT CAST(count(*) AS text) FROM held_events").await.unwrap()
        };
        wait_until("the log is trimmed", LIMIT, async || held().await == "1").await;
        let position = Some(as_of::Position::Snapshot(name.clone()));
        let request = GetRoadmapRequest {
            parent: "workspaces/acme".into(),
            as_of: Some(AsOf { position }),
            ..GetRoadmapRequest::default()
        };
        assert_eq!(roadmap.get_roadmap(request).await.unwrap().into_inner().revision, revision, "{engine:?}");
        roadmap.delete_snapshot(DeleteSnapshotRequest { name, ..DeleteSnapshotRequest::default() }).await.unwrap();
        wait_until("what was kept is forgotten", LIMIT, async || held().await == "0").await;
        services.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_and_notes_of_handled_events_do_not_grow_for_ever() {
    for (engine, wires) in WAYS {
        let services = Services::start(engine, wires).await.unwrap();
        let mut client = RoadmapServiceClient::new(services.roadmap.clone());
        let create = CreateInitiativeRequest {
            parent: "workspaces/acme".into(),
            initiative_id: "idea".into(),
            initiative: Some(Initiative { display_name: "Idea".into(), ..Initiative::default() }),
            request_id: "6f1ad1a4-2b6a-4bd6-9d3e-0c4f6a3f9b11".into(),
            ..CreateInitiativeRequest::default()
        };
        let name = client.create_initiative(create).await.unwrap().into_inner().name;
        let review_date = (services.now() + TimeDelta::days(99)).format("%Y-%m-%d").to_string();
        let decline = DeclineInitiativeRequest {
            name,
            reason: "Too few ask for it".into(),
            what_would_change_our_mind: "Five customers ask".into(),
            review_date,
            ..DeclineInitiativeRequest::default()
        };
        client.decline_initiative(decline).await.unwrap();
        let rows = async |service: &str, table: &str| {
            text(services.database(service), &format!("SELECT CAST(count(*) AS text) FROM {table}")).await.unwrap()
        };
        wait_until("metrics has heard of it", LIMIT, async || rows("metrics", "inbox").await == "1").await;
        assert_ne!(rows("roadmap", "requests").await, "0", "{engine:?}");
        services.clock.advance(Duration::from_hours(31 * 24));
        wait_until("the answers are forgotten", LIMIT, async || rows("roadmap", "requests").await == "0").await;
        wait_until("the note is folded", LIMIT, async || rows("metrics", "inbox").await == "0").await;
        assert_eq!(rows("metrics", "inbox_floors").await, "1", "{engine:?}");
        services.stop().await;
    }
}
