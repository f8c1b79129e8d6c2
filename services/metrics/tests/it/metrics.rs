//! Metrics: the standard methods, their refusals, and what a metric's values are.

use pbjson_types::{FieldMask, Value};
use tonic::Code;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::metric_service_client::MetricServiceClient;

use crate::on_both;
use crate::world::{WORKSPACE, at, event, refusal};

fn revenue() -> pb::Metric {
    pb::Metric {
        display_name: "Revenue".into(),
        kind: pb::MetricKind::Sum.into(),
        events: vec!["paid".into()],
        property: "amount".into(),
        unit: "EUR".into(),
        stage: pb::MetricStage::Revenue.into(),
        filters: vec![pb::PropertyFilter {
            property: "plan".into(),
            operator: pb::PropertyOperator::NotEqual.into(),
            values: vec![Value::from("trial".to_owned())],
        }],
        ..Default::default()
    }
}

fn create(id: &str, metric: pb::Metric) -> pb::CreateMetricRequest {
    pb::CreateMetricRequest {
        parent: WORKSPACE.into(),
        metric_id: id.into(),
        metric: Some(metric),
        ..Default::default()
    }
}

fn mask(path: &str) -> FieldMask {
    FieldMask { paths: vec![path.to_owned()] }
}

#[tokio::test]
async fn a_metric_lives_through_its_standard_methods() {
    on_both(async |world| {
        let mut api = world.metrics();
        let request = pb::CreateMetricRequest {
            request_id: "8d2f0a5e-0000-4000-8000-000000000001".into(),
            ..create("revenue", revenue())
        };
        let created = api.create_metric(request.clone()).await.unwrap();
        assert_eq!(created.metadata().get("waymark-revision").unwrap(), "1");
        let created = created.into_inner();
        assert_eq!(created.name, "workspaces/acme/metrics/revenue");
        assert_eq!(created.direction(), pb::MetricDirection::Increase, "the default is said");
        assert_eq!(
            api.create_metric(request).await.unwrap().into_inner(),
            created,
            "the same request, the same answer"
        );
        let (code, reason, _) = refusal(api.create_metric(create("revenue", revenue())).await);
        assert_eq!((code, reason.as_str()), (Code::AlreadyExists, "RESOURCE_EXISTS"));
        let checked = pb::CreateMetricRequest { validate_only: true, ..create("other", revenue()) };
        api.create_metric(checked).await.unwrap();

        let get = |name: &str| pb::GetMetricRequest { name: name.into() };
        assert_eq!(api.get_metric(get(&created.name)).await.unwrap().into_inner(), created);
        assert_eq!(refusal(api.get_metric(get("workspaces/acme/metrics/other")).await).0, Code::NotFound);

        let patch = pb::Metric { unit: "USD".into(), description: "ignored".into(), ..created.clone() };
        let request =
            pb::UpdateMetricRequest { metric: Some(patch), update_mask: Some(mask("unit")), ..Default::default() };
        let updated = api.update_metric(request.clone()).await.unwrap().into_inner();
        assert_eq!((updated.unit.as_str(), updated.description.as_str()), ("USD", ""));
        let (code, reason, _) = refusal(api.update_metric(request).await);
        assert_eq!(
            (code, reason.as_str()),
            (Code::Aborted, "ETAG_MISMATCH"),
            "the etag of the first version is outdated"
        );

        let list = |filter: &str| pb::ListMetricsRequest {
            parent: WORKSPACE.into(),
            filter: filter.into(),
            ..Default::default()
        };
        assert_eq!(
            api.list_metrics(list(r#"kind = "SUM" AND stage = "REVENUE""#)).await.unwrap().into_inner().metrics,
            std::slice::from_ref(&updated)
        );
        assert_eq!(api.list_metrics(list(r#"direction = "DECREASE""#)).await.unwrap().into_inner().metrics, []);
        assert_eq!(refusal(api.list_metrics(list("colour = 1")).await).1, "INVALID_FILTER");
        let unknown = api.list_metrics(list("direction = METRIC_DIRECTION_INCREASE")).await.unwrap_err();
        assert!(unknown.message().contains("those are INCREASE, DECREASE"), "{unknown}");

        let name = updated.name.clone();
        let deleted = api
            .delete_metric(pb::DeleteMetricRequest { name: name.clone(), etag: updated.etag, ..Default::default() })
            .await;
        assert!(deleted.unwrap().into_inner().delete_time.is_some());
        assert_eq!(api.list_metrics(list("")).await.unwrap().into_inner().metrics, []);
        let settings = Some(pb::TrendSettings {
            start_time: Some(timestamp(at("2026-01-01T00:00:00Z"))),
            end_time: Some(timestamp(at("2026-01-02T00:00:00Z"))),
            ..Default::default()
        });
        let query = pb::QueryMetricRequest { name: name.clone(), settings };
        assert_eq!(refusal(api.query_metric(query).await).0, Code::NotFound, "a deleted metric has no values");
        let undelete = pb::UndeleteMetricRequest { name, ..Default::default() };
        assert!(api.undelete_metric(undelete.clone()).await.unwrap().into_inner().delete_time.is_none());
        assert_eq!(refusal(api.undelete_metric(undelete).await).1, "STATE_CONFLICT");
        assert_eq!(world.announced().await, ["MetricCreated", "MetricUpdated", "MetricDeleted", "MetricUndeleted"]);
    })
    .await;
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    on_both(async |world| {
        let wrong =
            pb::Metric { display_name: String::new(), property: String::new(), unit: "x".repeat(31), ..revenue() };
        let (code, reason, fields) = refusal(world.metrics().create_metric(create("Revenue!", wrong)).await);
        assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
        assert_eq!(fields, ["metric_id", "metric.display_name", "metric.unit", "metric.property"]);
        let (_, _, fields) = refusal(
            world.metrics().create_metric(pb::CreateMetricRequest { metric: None, ..create("x", revenue()) }).await,
        );
        assert_eq!(fields, ["metric"]);
    })
    .await;
}

#[tokio::test]
async fn a_batch_keeps_what_is_right() {
    on_both(async |world| {
        let wrong = pb::Metric { events: vec![], ..revenue() };
        let batch = |partial| pb::BatchCreateMetricsRequest {
            parent: WORKSPACE.into(),
            requests: vec![
                create("a", revenue()),
                create("b", wrong.clone()),
                create("a", revenue()),
                create("c", revenue()),
            ],
            partial,
            ..Default::default()
        };
        let (code, _, fields) = refusal(world.metrics().batch_create_metrics(batch(false)).await);
        assert_eq!((code, fields), (Code::InvalidArgument, vec!["requests[1].metric.events".to_owned()]));
        assert_eq!(world.announced().await, Vec::<String>::new(), "all or nothing");
        let answer = world.metrics().batch_create_metrics(batch(true)).await.unwrap().into_inner();
        let names: Vec<_> = answer.metrics.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names, ["workspaces/acme/metrics/a", "", "", "workspaces/acme/metrics/c"]);
        let reasons: Vec<_> =
            answer.failures.iter().map(|(index, failure)| (*index, failure.reason.as_str())).collect();
        assert_eq!(reasons, [(1, "INVALID_FIELD"), (2, "RESOURCE_EXISTS")]);
        let foreign = pb::CreateMetricRequest { parent: "workspaces/other".into(), ..create("d", revenue()) };
        let request = pb::BatchCreateMetricsRequest { requests: vec![foreign], ..batch(true) };
        assert_eq!(refusal(world.metrics().batch_create_metrics(request).await).2, ["requests[0].parent"]);
    })
    .await;
}

#[tokio::test]
async fn only_who_may_write_writes() {
    on_both(async |world| {
        let mut viewer = MetricServiceClient::new(world.channel_as("viewer"));
        let (code, reason, _) = refusal(viewer.create_metric(create("revenue", revenue())).await);
        assert_eq!((code, reason.as_str()), (Code::PermissionDenied, "PERMISSION_DENIED"));
        assert!(
            viewer
                .list_metrics(pb::ListMetricsRequest { parent: WORKSPACE.into(), ..Default::default() })
                .await
                .is_ok()
        );
    })
    .await;
}

#[tokio::test]
async fn a_query_answers_from_every_accepted_event() {
    on_both(async |world| {
        world.metrics().create_metric(create("revenue", revenue())).await.unwrap();
        let paid = |id: i32, time: &str, plan: &str, amount: Value| pb::ProductEvent {
            properties: Some(
                [("plan".to_owned(), Value::from(plan.to_owned())), ("amount".to_owned(), amount)]
                    .into_iter()
                    .collect(),
            ),
            ..event(id, "ada", "paid", at(time))
        };
        world
            .ingest(vec![
                paid(1, "2026-02-01T10:00:00Z", "team", 10.0.into()),
                paid(2, "2026-02-01T23:59:59.999999Z", "team", 2.5.into()),
                paid(3, "2026-02-02T00:00:00Z", "solo", 1.0.into()),
                paid(4, "2026-02-02T10:00:00Z", "trial", 99.0.into()),
                paid(5, "2026-02-02T11:00:00Z", "solo", Value::from("much".to_owned())),
                paid(6, "2026-02-03T00:00:00Z", "solo", 7.0.into()),
            ])
            .await;
        let settings = pb::TrendSettings {
            start_time: Some(timestamp(at("2026-02-01T00:00:00Z"))),
            end_time: Some(timestamp(at("2026-02-03T00:00:00Z"))),
            ..Default::default()
        };
        let name = "workspaces/acme/metrics/revenue".to_owned();
        let answer =
            world.metrics().query_metric(pb::QueryMetricRequest { name: name.clone(), settings: Some(settings) }).await;
        let answer = answer.unwrap().into_inner();
        let values: Vec<_> = answer.series[0].points.iter().map(|point| point.value).collect();
        assert_eq!(values, [12.5, 1.0], "trials are filtered, texts add nothing, the end is not included");
        assert_eq!(answer.series[0].total, 13.5);
        assert_eq!(answer.metric.unwrap().unit, "EUR");
        assert!(answer.watermark.is_some());

        let (code, _, fields) =
            refusal(world.metrics().query_metric(pb::QueryMetricRequest { name, settings: None }).await);
        assert_eq!((code, fields), (Code::InvalidArgument, vec!["settings".to_owned()]));
    })
    .await;
}
