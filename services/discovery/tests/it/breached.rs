//! What discovery does when a metric went beyond the threshold of its alert.

use waymark_proto::Timestamp;
use waymark_proto::common::v1::Evidence;
use waymark_proto::discovery::v1 as pb;
use waymark_proto::metrics::v1 as metrics;
use waymark_store::Received;

use crate::support::{Discovery, PARENT, days_ago, handle, metric, on_both, received};

/// Orders were `value` on that day, counted from 23 November 2026, and should be 20.
fn breached(event: u128, day: i64, value: f64) -> Received {
    let (breach, orders) = orders(day, value);
    let orders = metrics::Metric { breach: Some(breach), ..orders };
    let data = serde_json::to_string(&metrics::MetricBreached { metric: Some(orders), change: None }).unwrap();
    received(event, "MetricBreached", format!("{PARENT}/metrics/orders"), data)
}

/// Orders were `value` on that day with those that came late.
fn withdrawn(event: u128, day: i64, value: f64) -> Received {
    let (withdrawn, orders) = orders(day, value);
    let orders = metrics::Metric { withdrawn: Some(withdrawn), ..orders };
    let data = serde_json::to_string(&metrics::MetricBreachWithdrawn { metric: Some(orders), change: None }).unwrap();
    received(event, "MetricBreachWithdrawn", format!("{PARENT}/metrics/orders"), data)
}

fn orders(day: i64, value: f64) -> (metrics::MetricBreach, metrics::Metric) {
    let start = 1_795_392_000 + 86_400 * day;
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let below = metrics::MetricAlert {
        threshold: Some(20.0),
        condition: metrics::AlertCondition::Below.into(),
        ..Default::default()
    };
    let orders = metrics::Metric {
        name: format!("{PARENT}/metrics/orders"),
        uid: "6f4f3c1e-7a0b-4b61-9d1b-3a7c7a1d9f10".into(),
        display_name: "Orders".into(),
        etag: "3".into(),
        create_time: Some(days_ago(9)),
        update_time: Some(days_ago(0)),
        kind: metrics::MetricKind::Count.into(),
        events: vec!["ordered".into()],
        alert: Some(below),
        ..Default::default()
    };
    (metrics::MetricBreach { start_time: at(start), end_time: at(start + 86_400), value }, orders)
}

async fn opportunities(d: &mut Discovery) -> Vec<pb::Opportunity> {
    let list = pb::ListOpportunitiesRequest { parent: PARENT.into(), ..Default::default() };
    d.trees.list_opportunities(list).await.unwrap().into_inner().opportunities
}

async fn verbs(d: &Discovery) -> Vec<String> {
    d.events().await.into_iter().map(|(_, event)| event).collect()
}

fn seen(note: &str) -> Evidence {
    Evidence { target: metric("orders"), note: note.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breach_opens_an_opportunity_once_and_the_next_one_adds_to_it() {
    on_both(async |mut d: Discovery| {
        let root = d.outcome("orders").await;
        for _delivery in 0..3 {
            handle(d.served.store(), &breached(1, 0, 12.0)).await.unwrap();
        }
        assert_eq!(verbs(&d).await, ["OutcomeCreated", "OpportunityCreated"]);
        let opened = opportunities(&mut d).await.remove(0);
        assert_eq!((opened.parent_node.as_str(), opened.kind()), (root.name.as_str(), pb::OpportunityKind::Pain));
        assert_eq!(opened.display_name, "Find out why \"Orders\" went below 20");
        let first = seen("\"Orders\" was 12 on 2026-11-23, below 20");
        assert_eq!(opened.evidence, std::slice::from_ref(&first));

        for _delivery in 0..2 {
            handle(d.served.store(), &breached(2, 7, 0.0)).await.unwrap();
        }
        let [told]: [pb::Opportunity; 1] = opportunities(&mut d).await.try_into().unwrap();
        assert_eq!(told.name, opened.name);
        assert_eq!(told.evidence, [first, seen("\"Orders\" was 0 on 2026-11-30, below 20")]);
        assert_eq!(verbs(&d).await, ["OutcomeCreated", "OpportunityCreated", "OpportunityUpdated"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opportunity_says_that_the_breach_it_was_opened_for_was_none() {
    on_both(async |mut d: Discovery| {
        d.outcome("orders").await;
        handle(d.served.store(), &withdrawn(1, 0, 22.0)).await.unwrap();
        assert_eq!(opportunities(&mut d).await.len(), 0, "nothing is opened for what did not happen");
        handle(d.served.store(), &breached(2, 0, 3.0)).await.unwrap();
        for _delivery in 0..2 {
            handle(d.served.store(), &withdrawn(3, 0, 22.0)).await.unwrap();
        }
        let [told]: [pb::Opportunity; 1] = opportunities(&mut d).await.try_into().unwrap();
        let none = seen("\"Orders\" was 22 on 2026-11-23, not below 20, with all events that are known now");
        assert_eq!(told.evidence, [seen("\"Orders\" was 3 on 2026-11-23, below 20"), none]);

        let mut broken = withdrawn(4, 0, 22.0);
        broken.data = breached(4, 0, 22.0).data;
        let error = handle(d.served.store(), &broken).await.unwrap_err();
        assert!(format!("{error:?}").contains("metric.withdrawn"), "{error:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breach_of_a_metric_that_no_outcome_is_bound_to_makes_one() {
    on_both(async |mut d: Discovery| {
        d.outcome("other").await;
        handle(d.served.store(), &breached(1, 0, 12.0)).await.unwrap();
        let list = pb::ListOutcomesRequest {
            parent: PARENT.into(),
            filter: format!("metric = \"{}\"", metric("orders")),
            ..Default::default()
        };
        let [root]: [pb::Outcome; 1] =
            d.trees.list_outcomes(list).await.unwrap().into_inner().outcomes.try_into().unwrap();
        assert_eq!(root.display_name, "Move Orders");
        assert_eq!(opportunities(&mut d).await[0].parent_node, root.name);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opportunity_that_rests_on_the_metric_is_told_unless_it_was_given_up() {
    on_both(async |mut d: Discovery| {
        d.outcome("orders").await;
        d.opportunity("unrelated", "outcomes/orders").await.unwrap();
        let mut resting = d.opportunity("resting", "outcomes/orders").await.unwrap();
        resting.evidence = vec![seen("fell after the redesign")];
        resting.etag = String::new();
        let update = pb::UpdateOpportunityRequest { opportunity: Some(resting.clone()), ..Default::default() };
        d.trees.update_opportunity(update).await.unwrap();

        handle(d.served.store(), &breached(1, 0, 12.0)).await.unwrap();
        let get = pb::GetOpportunityRequest { name: resting.name.clone() };
        let told = d.trees.get_opportunity(get).await.unwrap().into_inner();
        assert_eq!(told.evidence, [seen("fell after the redesign"), seen("\"Orders\" was 12 on 2026-11-23, below 20")]);
        assert_eq!(opportunities(&mut d).await.len(), 2, "nothing is opened");

        let prune =
            pb::PruneNodeRequest { name: resting.name.clone(), reason: "too small".into(), ..Default::default() };
        d.trees.prune_node(prune).await.unwrap();
        handle(d.served.store(), &breached(2, 7, 11.0)).await.unwrap();
        let all = opportunities(&mut d).await;
        assert_eq!(all.len(), 3);
        assert_eq!(all.iter().filter(|o| o.evidence == [seen("\"Orders\" was 11 on 2026-11-30, below 20")]).count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breach_without_its_numbers_is_an_error_and_changes_nothing() {
    on_both(async |d: Discovery| {
        let event = breached(1, 0, 12.0);
        let broken = Received { data: "{\"metric\": 3}".into(), ..event.clone() };
        let error = handle(d.served.store(), &broken).await.unwrap_err();
        assert!(error.to_string().contains("MetricBreached"), "{error}");
        let mut message: metrics::MetricBreached = serde_json::from_str(&event.data).unwrap();
        if let Some(metric) = &mut message.metric {
            metric.breach = None;
        }
        let without = Received { data: serde_json::to_string(&message).unwrap(), ..event };
        let error = handle(d.served.store(), &without).await.unwrap_err();
        assert!(error.to_string().contains("metric.breach"), "{error}");
        assert!(!error.is_transient());
        assert_eq!(d.events().await, []);
    })
    .await;
}
