//! Doubles of the metrics service: thresholds come back to the bit, and an event is found by the value of its property.

use pbjson_types::Value;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_testkit::doubles;

use crate::on_both;
use crate::world::{WORKSPACE, at, event};

const COUNT: usize = 60;

#[tokio::test]
async fn thresholds_come_back_to_the_bit() {
    on_both(async |world| {
        let create = |index: usize, threshold: f64| pb::CreateMetricRequest {
            parent: WORKSPACE.into(),
            metric_id: format!("m{index:02}"),
            metric: Some(pb::Metric {
                display_name: "Orders".into(),
                kind: pb::MetricKind::Count.into(),
                events: vec!["ordered".into()],
                alert: Some(pb::MetricAlert {
                    threshold: Some(threshold),
                    condition: pb::AlertCondition::Below.into(),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let thresholds: Vec<f64> = doubles(3).take(COUNT).collect();
        let requests = thresholds.iter().enumerate().map(|(index, threshold)| create(index, *threshold)).collect();
        let batch = pb::BatchCreateMetricsRequest { parent: WORKSPACE.into(), requests, ..Default::default() };
        world.metrics().batch_create_metrics(batch).await.unwrap();
        let list = pb::ListMetricsRequest { parent: WORKSPACE.into(), page_size: 100, ..Default::default() };
        let listed = world.metrics().list_metrics(list).await.unwrap().into_inner().metrics;
        let listed: Vec<f64> = listed.iter().map(|metric| metric.alert.as_ref().unwrap().threshold()).collect();
        assert_eq!(listed, thresholds);
        let rows = world.served.store().read_log("acme", 0, 1_000).await.unwrap();
        let logged = rows.iter().map(|row| serde_json::from_str::<pb::MetricCreated>(&row.data).unwrap());
        let logged: Vec<f64> = logged.map(|event| event.metric.unwrap().alert.unwrap().threshold()).collect();
        assert_eq!(logged, thresholds);
    })
    .await;
}

#[tokio::test]
async fn an_event_is_found_by_the_value_of_its_property() {
    on_both(async |world| {
        let time = at("2026-02-02T10:00:00Z");
        let numbers: Vec<f64> = doubles(4).take(COUNT).collect();
        let with = |(index, number): (usize, &f64)| pb::ProductEvent {
            properties: Some([("n".to_owned(), Value::from(*number))].into_iter().collect()),
            ..event(index, "ada", "seen", time)
        };
        world.ingest(numbers.iter().enumerate().map(with).collect()).await;
        for number in &numbers {
            let question = pb::QueryTrendRequest {
                parent: WORKSPACE.into(),
                kind: pb::MetricKind::Sum.into(),
                property: "n".into(),
                events: vec!["seen".into()],
                filters: vec![pb::PropertyFilter {
                    property: "n".into(),
                    operator: pb::PropertyOperator::Equal.into(),
                    values: vec![Value::from(*number)],
                }],
                settings: Some(pb::TrendSettings {
                    start_time: Some(timestamp(at("2026-02-02T00:00:00Z"))),
                    end_time: Some(timestamp(at("2026-02-03T00:00:00Z"))),
                    ..Default::default()
                }),
            };
            let answer = world.analysis().query_trend(question).await.unwrap().into_inner();
            assert_eq!(answer.series[0].total, *number);
        }
    })
    .await;
}
