//! The documented answer to what people and programs get wrong.

use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use waymark_client::{Channel, Start, Watch};
use waymark_proto::metrics::v1::ingestion_service_client::IngestionServiceClient;
use waymark_proto::metrics::v1::{IngestEventsRequest, ProductEvent, RejectionReason};
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_proto::roadmap::v1::{
    AddDependencyRequest, CreateInitiativeRequest, CreateProductRequest, DeleteProductRequest, Initiative,
    ListProductsRequest, Product, UpdateProductRequest,
};
use waymark_proto::rpc_methods;
use waymark_testkit::{Engine, NOW};

use crate::services::{Services, Wires};

const WORKSPACE: &str = "workspaces/acme";

/// Code and reason of a refusal.
fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.expect_err("it should have been refused");
    (status.code(), status.get_details_error_info().map(|info| info.reason).unwrap_or_default())
}

fn is(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

async fn product(client: &mut StrategyServiceClient<Channel>, id: &str) -> Product {
    let product = Some(Product { display_name: id.to_owned(), ..Product::default() });
    let request = CreateProductRequest {
        parent: WORKSPACE.into(),
        product_id: id.into(),
        product,
        ..CreateProductRequest::default()
    };
    client.create_product(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_names_are_not_found() {
    let services = Services::start(Engine::Sqlite, Wires::Bus).await.unwrap();
    let pool = waymark_proto::descriptors();
    let option = pool.get_extension_by_name("waymark.common.v1.resource").unwrap();
    let mut asked = 0;
    for (path, rpc) in rpc_methods() {
        let Some(verb) = ["Get", "Delete", "Undelete"].iter().find(|verb| rpc.method.starts_with(**verb)) else {
            continue;
        };
        let service = pool.get_service_by_name(&rpc.service).unwrap();
        let method = service.methods().find(|m| m.name() == rpc.method).unwrap();
        let options = method.output().options();
        let resource = options.get_extension(&option);
        let collection =
            resource.as_message().and_then(|r| r.get_field_by_name("collection")?.as_str().map(str::to_owned));
        let Some(collection) =
            collection.filter(|c| !c.is_empty() && method.input().get_field_by_name("name").is_some())
        else {
            continue;
        };
        let mut request = DynamicMessage::new(method.input());
        let parent = if collection == "workspaces" { "" } else { &format!("{WORKSPACE}/") };
        request.set_field_by_name("name", Value::String(format!("{parent}{collection}/missing")));
        for wire in services.serving(path) {
            let answer = wire.call(path, None, &request.encode_to_vec()).await;
            assert_eq!(
                (answer.code(), answer.reason()),
                is(Code::NotFound, "RESOURCE_NOT_FOUND"),
                "{verb} at {path}: {:?}",
                answer.status
            );
            asked += 1;
        }
    }
    assert!(asked > 30, "only {asked} methods were asked");
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outdated_etags_and_foreign_page_tokens_are_refused() {
    let services = Services::start(Engine::Sqlite, Wires::Bus).await.unwrap();
    let mut client = StrategyServiceClient::new(services.roadmap.clone());
    let first = product(&mut client, "a").await;
    product(&mut client, "b").await;
    let renamed = Product { display_name: "renamed".into(), ..first.clone() };
    let update =
        |product: &Product| UpdateProductRequest { product: Some(product.clone()), ..UpdateProductRequest::default() };
    client.update_product(update(&renamed)).await.unwrap();
    assert_eq!(refusal(client.update_product(update(&renamed)).await), is(Code::Aborted, "ETAG_MISMATCH"));
    let delete = DeleteProductRequest { name: first.name, etag: first.etag, ..DeleteProductRequest::default() };
    assert_eq!(refusal(client.delete_product(delete).await), is(Code::Aborted, "ETAG_MISMATCH"));

    let list = ListProductsRequest { parent: WORKSPACE.into(), page_size: 1, ..ListProductsRequest::default() };
    let page_token = client.list_products(list.clone()).await.unwrap().into_inner().next_page_token;
    assert!(!page_token.is_empty());
    let other_queries = [
        ListProductsRequest { order_by: "display_name".into(), ..list.clone() },
        ListProductsRequest { filter: "display_name = \"b\"".into(), ..list.clone() },
        ListProductsRequest { parent: "workspaces/other".into(), ..list.clone() },
        ListProductsRequest { show_deleted: true, ..list.clone() },
    ];
    for other in other_queries {
        let request = ListProductsRequest { page_token: page_token.clone(), ..other };
        assert_eq!(
            refusal(client.list_products(request.clone()).await),
            is(Code::InvalidArgument, "INVALID_PAGE_TOKEN"),
            "{request:?}"
        );
    }
    let next = client.list_products(ListProductsRequest { page_token, ..list }).await.unwrap().into_inner();
    assert_eq!(next.products.len(), 1);
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dependency_that_closes_a_cycle_is_refused() {
    let services = Services::start(Engine::Sqlite, Wires::Bus).await.unwrap();
    let mut client = RoadmapServiceClient::new(services.roadmap.clone());
    for id in ["a", "b", "c"] {
        let initiative = Some(Initiative { display_name: id.into(), ..Initiative::default() });
        let parent = WORKSPACE.to_owned();
        let request = CreateInitiativeRequest {
            parent,
            initiative_id: id.into(),
            initiative,
            ..CreateInitiativeRequest::default()
        };
        client.create_initiative(request).await.unwrap();
    }
    let depend = |from: &str, on: &str| AddDependencyRequest {
        name: format!("{WORKSPACE}/initiatives/{from}"),
        dependency: format!("{WORKSPACE}/initiatives/{on}"),
        ..AddDependencyRequest::default()
    };
    client.add_dependency(depend("a", "b")).await.unwrap();
    client.add_dependency(depend("b", "c")).await.unwrap();
    assert_eq!(refusal(client.add_dependency(depend("c", "a")).await), is(Code::FailedPrecondition, "CYCLE"));
    assert_eq!(refusal(client.add_dependency(depend("a", "a")).await), is(Code::FailedPrecondition, "CYCLE"));
    assert_eq!(
        refusal(client.add_dependency(depend("a", "missing")).await),
        is(Code::FailedPrecondition, "REFERENCE_NOT_FOUND")
    );
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches_from_the_future_or_from_what_is_forgotten_are_refused() {
    let services = Services::start(Engine::Sqlite, Wires::Bus).await.unwrap();
    let mut client = StrategyServiceClient::new(services.roadmap.clone());
    for id in ["a", "b", "c"] {
        product(&mut client, id).await;
    }
    let watch = |after| Watch::new(services.roadmap.clone(), WORKSPACE, Vec::new(), Vec::new(), Start::After(after));
    let future = watch(4).next().await.unwrap_err();
    assert_eq!((future.code(), future.reason()), (Code::InvalidArgument, "REVISION_IN_FUTURE"));
    assert_eq!(future.metadata("revision"), Some("3"));
    services.forget_roadmap(WORKSPACE, 3).await;
    let forgotten = watch(0).next().await.unwrap_err();
    assert_eq!((forgotten.code(), forgotten.reason()), (Code::OutOfRange, "REVISION_EXPIRED"));
    assert_eq!(forgotten.metadata("earliest_revision"), Some("3"));
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_product_events_are_told_apart_from_right_ones() {
    let services = Services::start(Engine::Sqlite, Wires::Bus).await.unwrap();
    let mut client = IngestionServiceClient::new(services.metrics.clone());
    let event = |id: &str, user: &str, seconds: i64| ProductEvent {
        event_id: id.to_owned(),
        user: user.to_owned(),
        event: "sign-up".to_owned(),
        time: Some(waymark_proto::Timestamp { seconds, nanos: 0 }),
        ..ProductEvent::default()
    };
    let (now, year) = (NOW.timestamp(), 366 * 86_400);
    let events = vec![
        event("right", "ada", now - 60),
        event("nobody", "", now - 60),
        event("future", "ada", now + year),
        event("", "ada", now - 60),
        event("ancient", "ada", now - 60 * year),
        ProductEvent { time: None, ..event("timeless", "ada", now) },
        event("right-too", "bob", now),
    ];
    let request = IngestEventsRequest { parent: WORKSPACE.into(), events, ..IngestEventsRequest::default() };
    let answer = client.ingest_events(request).await.unwrap().into_inner();
    assert_eq!(answer.accepted, 2);
    let rejected: Vec<_> = answer.rejected.iter().map(|r| (r.index, r.reason())).collect();
    let expected = [
        (1, RejectionReason::User),
        (2, RejectionReason::TimeInFuture),
        (3, RejectionReason::EventId),
        (4, RejectionReason::TimeTooOld),
        (5, RejectionReason::Time),
    ];
    assert_eq!(rejected, expected);
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_twenty_megabytes_are_too_large_everywhere() {
    let services = Services::start(Engine::Sqlite, Wires::Bus).await.unwrap();
    // Field 1, twenty megabytes of text.
    let huge = Product { name: "x".repeat(20 << 20), ..Product::default() }.encode_to_vec();
    for (path, _) in rpc_methods().step_by(5) {
        for wire in services.serving(path) {
            let answer = wire.call(path, None, &huge).await;
            assert_eq!(
                (answer.code(), answer.reason()),
                is(Code::ResourceExhausted, "TOO_LARGE"),
                "{path}: {:?}",
                answer.status
            );
        }
    }
    let mut client = StrategyServiceClient::new(services.roadmap.clone());
    product(&mut client, "small").await;
    services.stop().await;
}
