//! What the other services announce, and that each announcement takes effect once.

use chrono::TimeDelta;
use uuid::Uuid;
use waymark_events::Topic;
use waymark_proto::convert::timestamp;
use waymark_proto::{common::v1 as common, discovery::v1 as discovery, metrics::v1 as metrics, roadmap::v1 as pb};
use waymark_roadmap::{CONSUMES, SCHEMA};
use waymark_store::{Error, Received, Store};
use waymark_testkit::NOW;

use crate::{Fixture, W, initiative_name, insight, named, on_both};

pub(crate) fn received(number: u128, source: &str, event: &str, data: &impl serde::Serialize) -> Received {
    Received {
        source: source.into(),
        workspace: W.parse().unwrap(),
        revision: 1,
        event_id: Uuid::from_u128(number),
        event_type: format!("waymark.{source}.v1.{event}"),
        subject: String::new(),
        time: NOW,
        actor: "users/ada".into(),
        traceparent: None,
        data: serde_json::to_string(data).unwrap(),
    }
}

fn validated(number: u128, risk_evidence: Vec<discovery::RiskEvidence>) -> Received {
    let solution = discovery::Solution {
        name: format!("{W}/solutions/sso"),
        display_name: "Single sign-on".into(),
        opportunity: format!("{W}/opportunities/logins"),
        description: "Sign in with the company account.".into(),
        risk_evidence,
        ..Default::default()
    };
    received(
        number,
        "discovery",
        "SolutionValidated",
        &discovery::SolutionValidated { solution: Some(solution), change: None },
    )
}

fn concluded(number: u128, verdict: discovery::TestVerdict) -> Received {
    let test = discovery::AssumptionTest {
        name: format!("{W}/assumptionTests/t1"),
        display_name: "Admins finish the set-up".into(),
        solution: format!("{W}/solutions/sso"),
        risk: common::Risk::Usability.into(),
        verdict: verdict.into(),
        ..Default::default()
    };
    let event = discovery::AssumptionTestConcluded { assumption_test: Some(test), change: None };
    received(number, "discovery", "AssumptionTestConcluded", &event)
}

async fn handle(store: &Store, event: &Received) -> Result<(), Error> {
    waymark_roadmap::handle(store, event, &event.reaction("roadmap")).await
}

pub(crate) async fn deliver(f: &Fixture, event: &Received) {
    handle(f.served.store(), event).await.unwrap();
}

#[test]
fn every_consumed_event_is_of_the_contract() {
    for Topic { source, types, .. } in CONSUMES {
        for event in *types {
            assert!(
                event.starts_with(&format!("waymark.{source}.v1.")) && waymark_proto::event::is_event(event),
                "{event}"
            );
        }
    }
}

#[tokio::test]
async fn a_validated_solution_becomes_an_initiative_once() {
    on_both(async |f| {
        let evidence =
            vec![discovery::RiskEvidence { risk: common::Risk::Value.into(), evidence: vec![insight("i1")] }];
        let event = validated(1, evidence);
        deliver(f, &event).await;
        deliver(f, &event).await;
        let initiative = f.get("sso").await;
        assert_eq!(
            (initiative.display_name.as_str(), initiative.state()),
            ("Single sign-on", pb::InitiativeState::Proposed)
        );
        let targets: Vec<&str> = initiative.evidence.iter().map(|e| e.target.as_str()).collect();
        let of = |name: &str| format!("//discovery.waymark.dev/{W}/{name}");
        assert_eq!(targets, [of("solutions/sso"), of("opportunities/logins")]);
        let by_risk: Vec<&str> = initiative.risks.iter().map(|r| r.evidence[0].target.as_str()).collect();
        assert_eq!(by_risk[0], insight("i1").target, "the evidence of the solution");
        assert_eq!(by_risk[1..], [of("solutions/sso"), of("solutions/sso"), of("solutions/sso")], "a test passed");
        assert_eq!(f.log().await, ["InitiativeCreated sso"], "the second delivery changed nothing");

        // A second validation is another event: it finds the initiative and has nothing to add but its new evidence.
        let more =
            vec![discovery::RiskEvidence { risk: common::Risk::Viability.into(), evidence: vec![insight("i2")] }];
        deliver(f, &validated(2, more)).await;
        deliver(f, &concluded(3, discovery::TestVerdict::Failed)).await;
        deliver(f, &concluded(4, discovery::TestVerdict::Passed)).await;
        assert_eq!(
            f.log().await,
            ["InitiativeCreated sso", "InitiativeEvidenceAdded sso", "InitiativeEvidenceAdded sso"]
        );
        let risks = f.get("sso").await.risks;
        assert!(risks[3].evidence.iter().any(|e| e.target == insight("i2").target));
        assert!(risks[1].evidence.iter().any(|e| e.target == of("assumptionTests/t1")));
        assert_eq!(f.get("sso").await.state(), pb::InitiativeState::Proposed, "people commit, events do not");
    })
    .await;
}

#[tokio::test]
async fn a_taken_id_does_not_stop_a_proposal() {
    on_both(async |f| {
        f.create("sso", named("Something else")).await.unwrap();
        deliver(f, &validated(1, Vec::new())).await;
        let list =
            pb::ListInitiativesRequest { parent: W.into(), order_by: "display_name".into(), ..Default::default() };
        let listed = f.roadmap().list_initiatives(list).await.unwrap().into_inner().initiatives;
        assert_eq!(
            listed.iter().map(|i| i.display_name.as_str()).collect::<Vec<_>>(),
            ["Single sign-on", "Something else"]
        );
    })
    .await;
}

#[tokio::test]
async fn what_was_measured_stands_beside_what_was_expected() {
    on_both(async |f| {
        let outcome = metrics::Outcome {
            name: format!("{W}/outcomes/sso"),
            initiative: format!("//roadmap.waymark.dev/{}", initiative_name("sso")),
            verdict: common::Verdict::Met.into(),
            measured: Some(common::Range { low: 0.04, likely: 0.11, high: 0.18 }),
            update_time: Some(timestamp(NOW)),
            ..Default::default()
        };
        let event = |number| {
            let data = metrics::OutcomeMeasured { outcome: Some(outcome.clone()), change: None };
            received(number, "metrics", "OutcomeMeasured", &data)
        };
        deliver(f, &event(1)).await;
        assert!(f.log().await.is_empty(), "there is no such initiative");

        deliver(f, &validated(2, Vec::new())).await;
        let name = initiative_name("sso");
        let mut roadmap = f.roadmap();
        deliver(f, &event(3)).await;
        assert_eq!(f.get("sso").await.actual, None, "it has not shipped");
        roadmap
            .commit_initiative(pb::CommitInitiativeRequest { name: name.clone(), ..Default::default() })
            .await
            .unwrap();
        roadmap
            .start_initiative(pb::StartInitiativeRequest { name: name.clone(), ..Default::default() })
            .await
            .unwrap();
        roadmap.ship_initiative(pb::ShipInitiativeRequest { name, ..Default::default() }).await.unwrap();
        deliver(f, &event(4)).await;
        deliver(f, &event(4)).await;
        let measured = f.get("sso").await;
        assert_eq!(measured.state(), pb::InitiativeState::Measured);
        let actual = measured.actual.unwrap();
        assert_eq!((actual.verdict(), actual.measured.unwrap().likely), (common::Verdict::Met, 0.11));
        assert_eq!(f.log().await.iter().filter(|e| e.starts_with("InitiativeMeasured")).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_damaged_event_is_refused_and_changes_nothing() {
    on_both(async |f| {
        let damaged = Received { data: "{\"solution\": 7}".into(), ..validated(1, Vec::new()) };
        assert!(handle(f.served.store(), &damaged).await.is_err());
        let unnamed = discovery::SolutionValidated { solution: None, change: None };
        assert!(handle(f.served.store(), &received(2, "discovery", "SolutionValidated", &unnamed)).await.is_err());
        assert!(f.log().await.is_empty());
    })
    .await;
}

/// What the metrics service announces of orders.
pub(crate) fn measured(version: u64, value: Option<f64>, deleted: bool) -> Received {
    let time = Some(timestamp(NOW));
    let reading =
        |value| common::Reading { start_time: Some(timestamp(NOW - TimeDelta::days(1))), end_time: time, value };
    let metric = metrics::Metric {
        name: format!("{W}/metrics/orders"),
        uid: Uuid::nil().to_string(),
        display_name: "Orders".into(),
        etag: version.to_string(),
        create_time: time,
        update_time: time,
        delete_time: time.filter(|_| deleted),
        kind: metrics::MetricKind::Count.into(),
        events: vec!["ordered".into()],
        unit: "orders".into(),
        latest: value.map(reading),
        ..Default::default()
    };
    let event = metrics::MetricMeasured { metric: Some(metric), change: None };
    received(version.into(), "metrics", "MetricMeasured", &event)
}

#[tokio::test]
async fn the_roadmap_tells_what_it_knows_of_the_metrics_that_are_to_move() {
    on_both(async |f| {
        let expecting = |metric: &str| pb::Initiative {
            expected_outcome: Some(pb::ExpectedOutcome {
                metric: format!("//metrics.waymark.dev/{W}/metrics/{metric}"),
                change: Some(common::Range { low: 0.1, likely: 0.2, high: 0.3 }),
                window_days: 28,
            }),
            ..named(metric)
        };
        for (id, metric) in [("a", "orders"), ("b", "orders"), ("c", "visits")] {
            f.create(id, expecting(metric)).await.unwrap();
        }
        let known = async |revision: Option<i64>| {
            let as_of =
                revision.map(|revision| common::AsOf { position: Some(common::as_of::Position::Revision(revision)) });
            let request = pb::GetRoadmapRequest { parent: W.into(), as_of, ..Default::default() };
            f.roadmap().get_roadmap(request).await.unwrap().into_inner().metrics
        };
        let hear = async |event: Received| f.served.store().mirror(SCHEMA.mirrors(), &[event]).await.unwrap();
        assert_eq!(known(None).await, [], "nothing was heard of them");
        hear(measured(1, None, false)).await;
        let mut orders = pb::ExpectedMetric {
            metric: format!("//metrics.waymark.dev/{W}/metrics/orders"),
            display_name: "Orders".into(),
            unit: "orders".into(),
            latest: None,
        };
        assert_eq!(known(None).await, [orders.clone()], "once, and of visits nothing is known");
        hear(measured(2, Some(12.0), false)).await;
        orders.latest = Some(common::Reading {
            start_time: Some(timestamp(NOW - TimeDelta::days(1))),
            end_time: Some(timestamp(NOW)),
            value: 12.0,
        });
        assert_eq!((known(None).await, known(Some(1)).await), (vec![orders.clone()], vec![orders]), "as it is now");
        assert_eq!(known(Some(0)).await, [], "there was nothing that was to move it");
        hear(measured(3, Some(12.0), true)).await;
        assert_eq!(known(None).await, []);
    })
    .await;
}
