//! What discovery does when metrics has measured an outcome.

use waymark_discovery::SCHEMA;
use waymark_proto::common::v1::{Evidence, Range, Risk, Verdict};
use waymark_proto::discovery::v1 as pb;
use waymark_proto::discovery::v1::tree_node::Node;
use waymark_proto::events::v1::SnapshotRequest;
use waymark_proto::metrics::v1 as metrics;
use waymark_proto::roadmap::v1 as roadmap;
use waymark_proto::{ResourceMessage as _, Standard};
use waymark_store::Received;

use crate::support::{Discovery, PARENT, days_ago, handle, link, metric, on_both, received};

fn measured(event: u128, verdict: Verdict, summary: &str, evidence: Vec<Evidence>) -> Received {
    let mut outcome = metrics::Outcome {
        name: format!("{PARENT}/outcomes/sso"),
        display_name: "Single sign-on".into(),
        initiative: format!("//roadmap.waymark.dev/{PARENT}/initiatives/sso"),
        metric: metric("root"),
        measured: Some(Range { low: -0.1, likely: 0.01, high: 0.12 }),
        summary: summary.into(),
        create_time: Some(days_ago(1)),
        evidence,
        ..Default::default()
    };
    outcome.set_verdict(verdict);
    let data = serde_json::to_string(&metrics::OutcomeMeasured { outcome: Some(outcome), change: None }).unwrap();
    received(event, "OutcomeMeasured", format!("{PARENT}/outcomes/sso"), data)
}

async fn opportunity(d: &mut Discovery, id: &str) -> pb::Opportunity {
    let request = pb::GetOpportunityRequest { name: format!("{PARENT}/opportunities/{id}") };
    d.trees.get_opportunity(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_measurement_is_learned_where_it_came_from_exactly_once() {
    on_both(async |mut d: Discovery| {
        d.outcome("root").await;
        for id in ["a", "b", "c"] {
            d.opportunity(id, "outcomes/root").await.unwrap();
        }
        d.solution("s", "b").await.unwrap();
        let evidence = vec![link("opportunities/a"), link("solutions/s"), link("solutions/gone"), link("insights/i")];
        let event = measured(1, Verdict::Missed, "It did not move", evidence.clone());
        for _delivery in 0..3 {
            handle(d.served.store(), &event).await.unwrap();
        }
        for (id, learnings) in [("a", 1), ("b", 1), ("c", 0)] {
            assert_eq!(opportunity(&mut d, id).await.learnings.len(), learnings, "{id}");
        }
        let learning = opportunity(&mut d, "a").await.learnings.remove(0);
        assert_eq!((learning.verdict(), learning.summary.as_str()), (Verdict::Missed, "It did not move"));
        assert_eq!(learning.outcome, format!("//metrics.waymark.dev/{PARENT}/outcomes/sso"));
        assert_eq!((learning.measured.unwrap().high, learning.time), (0.12, Some(days_ago(1))));
        let events = d.events().await;
        let learned: Vec<_> = events.iter().filter(|(_, event)| event == "OpportunityLearned").collect();
        assert_eq!(learned.len(), 2);
        assert_eq!(learned[0].0, learned[1].0);

        // Another measurement of the same outcome replaces the first; the tree shows it.
        handle(d.served.store(), &measured(2, Verdict::Met, "It did after all", evidence)).await.unwrap();
        let tree = d.tree("root").await;
        let Some(Node::Opportunity(a)) = &tree.children[0].node else { panic!("{tree:?}") };
        assert_eq!(a.learnings.iter().map(|l| l.summary.as_str()).collect::<Vec<_>>(), ["It did after all"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miss_that_came_from_nowhere_opens_an_opportunity() {
    on_both(async |mut d: Discovery| {
        handle(d.served.store(), &measured(1, Verdict::Met, "It moved", vec![])).await.unwrap();
        handle(d.served.store(), &measured(2, Verdict::CantTell, "Nobody can tell", vec![])).await.unwrap();
        assert_eq!(d.events().await, []);
        handle(d.served.store(), &measured(3, Verdict::Missed, "It did not move", vec![])).await.unwrap();
        handle(d.served.store(), &measured(4, Verdict::Missed, "It still does not", vec![])).await.unwrap();
        let verbs: Vec<String> = d.events().await.into_iter().map(|(_, event)| event).collect();
        assert_eq!(verbs, ["OutcomeCreated", "OpportunityCreated", "OpportunityLearned", "OpportunityLearned"]);
        let list = pb::ListOutcomesRequest {
            parent: PARENT.into(),
            filter: format!("metric = \"{}\"", metric("root")),
            ..Default::default()
        };
        let roots = d.trees.list_outcomes(list).await.unwrap().into_inner().outcomes;
        let list = pb::ListOpportunitiesRequest { parent: PARENT.into(), ..Default::default() };
        let opened = d.trees.list_opportunities(list).await.unwrap().into_inner().opportunities.remove(0);
        assert_eq!(opened.parent_node, roots[0].name);
        assert_eq!(opened.display_name, "Find out why \"Single sign-on\" did not do what was expected");
        assert_eq!(opened.evidence[0].target, format!("//metrics.waymark.dev/{PARENT}/outcomes/sso"));
        assert_eq!(opened.learnings.iter().map(|l| l.summary.as_str()).collect::<Vec<_>>(), ["It still does not"]);
    })
    .await;
}

/// What the roadmap announces of the initiative.
fn initiative(version: u128, display_name: &str, evidence: Vec<Evidence>, deleted: bool) -> Received {
    let risks = [Risk::Value, Risk::Usability, Risk::Feasibility, Risk::Viability];
    let mut initiative = roadmap::Initiative {
        state: roadmap::InitiativeState::Proposed.into(),
        risks: risks.map(|risk| roadmap::RiskAssessment { risk: risk.into(), ..Default::default() }).into(),
        evidence,
        ..Default::default()
    };
    initiative.set_standard(Standard {
        name: format!("{PARENT}/initiatives/sso"),
        uid: "00000000-0000-0000-0000-000000000001".into(),
        display_name: display_name.into(),
        etag: version.to_string(),
        create_time: Some(days_ago(9)),
        update_time: Some(days_ago(1)),
        delete_time: deleted.then(|| days_ago(1)),
        ..Standard::default()
    });
    let event = roadmap::InitiativeUpdated { initiative: Some(initiative), change: None };
    let data = serde_json::to_string(&event).unwrap();
    let event = received(version, "", format!("{PARENT}/initiatives/sso"), data);
    Received { source: "roadmap".into(), event_type: "waymark.roadmap.v1.InitiativeUpdated".into(), ..event }
}

async fn hear(d: &Discovery, event: &Received) {
    d.served.store().mirror(SCHEMA.mirrors(), std::slice::from_ref(event)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_initiative_is_known_as_it_stands_and_what_was_announced_of_it_is_not_checked_again() {
    on_both(async |mut d: Discovery| {
        d.outcome("root").await;
        d.opportunity("a", "outcomes/root").await.unwrap();
        // Cited since the outcome was predicted.
        hear(&d, &initiative(2, "Sign in once", vec![link("opportunities/a")], false)).await;
        handle(d.served.store(), &measured(1, Verdict::Missed, "It did not move", vec![])).await.unwrap();
        assert_eq!(opportunity(&mut d, "a").await.learnings.len(), 1);

        hear(&d, &initiative(3, "Sign in once", vec![], false)).await;
        let mut again = measured(2, Verdict::Missed, "It did not", vec![]);
        again.data = again.data.replace("outcomes/sso", "outcomes/again");
        handle(d.served.store(), &again).await.unwrap();
        let list = async |d: &mut Discovery| {
            let list = pb::ListOpportunitiesRequest { parent: PARENT.into(), ..Default::default() };
            let found = d.trees.list_opportunities(list).await.unwrap().into_inner().opportunities;
            found.into_iter().map(|opportunity| opportunity.display_name).collect::<Vec<_>>()
        };
        let opened = "Find out why \"Sign in once\" did not do what was expected".to_owned();
        assert!(list(&mut d).await.contains(&opened), "by the name it has by now");

        // Deleted meanwhile: nobody else may refer to it any more, but what was measured was measured.
        hear(&d, &initiative(4, "Sign in once", vec![], true)).await;
        let mut late = measured(3, Verdict::Missed, "Too late", vec![]);
        late.data = late.data.replace("outcomes/sso", "outcomes/late");
        handle(d.served.store(), &late).await.unwrap();
        assert_eq!(list(&mut d).await.len(), 3);
        let cites = pb::Opportunity {
            display_name: "Resting on nothing".into(),
            kind: pb::OpportunityKind::Need.into(),
            parent_node: format!("{PARENT}/outcomes/root"),
            evidence: vec![Evidence {
                target: format!("//roadmap.waymark.dev/{PARENT}/initiatives/sso"),
                note: String::new(),
            }],
            ..Default::default()
        };
        let request =
            pb::CreateOpportunityRequest { parent: PARENT.into(), opportunity: Some(cites), ..Default::default() };
        let refused = d.trees.create_opportunity(request).await.unwrap_err();
        assert!(refused.message().contains("initiatives/sso does not exist"), "{}", refused.message());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_an_error_and_changes_nothing() {
    on_both(async |d: Discovery| {
        let event = measured(1, Verdict::Missed, "m", vec![]);
        let broken = Received { data: "{\"outcome\": 3}".into(), ..event.clone() };
        let error = handle(d.served.store(), &broken).await.unwrap_err();
        assert!(error.to_string().contains("OutcomeMeasured"), "{error}");
        assert!(!error.is_transient());
        let other = Received { event_type: "waymark.metrics.v1.MetricCreated".into(), ..event };
        handle(d.served.store(), &other).await.unwrap();
        assert_eq!(d.events().await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mirrored_is_not_given_on() {
    on_both(async |mut d: Discovery| {
        d.outcome("root").await;
        hear(&d, &initiative(1, "Sign in once", vec![], false)).await;
        let page = async |collection: &str| {
            let request = SnapshotRequest { collection: collection.into(), ..Default::default() };
            d.served.store().snapshot_page(&request, 1 << 20).await
        };
        assert_eq!(page("outcomes").await.unwrap().rows.len(), 1);
        let refused = page("initiatives").await.unwrap_err().to_string();
        let (_, own) = refused.split_once("those are").unwrap();
        assert!(own.contains("outcomes") && !own.contains("initiatives"), "{refused}");
    })
    .await;
}
