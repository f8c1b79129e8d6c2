//! What discovery does when users were found to leave a path through the product.

use waymark_proto::common::v1::{Evidence, Range};
use waymark_proto::discovery::v1 as pb;
use waymark_proto::metrics::v1 as metrics;
use waymark_store::Received;

use crate::support::{Discovery, PARENT, days_ago, handle, on_both, received};

/// Of those who got to the second step `reached` got to the third.
fn found(event: u128, id: &str, reached: i64) -> Received {
    let step =
        |event: &str, users, lost| metrics::FrictionStep { event: event.into(), users, lost, ..Default::default() };
    let at = |seconds| Some(waymark_proto::Timestamp { seconds, nanos: 0 });
    let correlate = metrics::FrictionCorrelate {
        property: "plan".into(),
        value: "free".into(),
        users: 620,
        lost: 500,
        difference: Some(Range { low: 0.3, likely: 0.38, high: 0.45 }),
        ..Default::default()
    };
    let friction = metrics::Friction {
        name: format!("{PARENT}/frictions/{id}"),
        uid: "6f4f3c1e-7a0b-4b61-9d1b-3a7c7a1d9f10".into(),
        display_name: "Activation".into(),
        etag: "3".into(),
        create_time: Some(days_ago(9)),
        update_time: Some(days_ago(0)),
        steps: vec![
            step("signed_up", 2000, 0),
            step("invited", 1240, 760),
            step("report_created", reached, 1240 - reached),
        ],
        window_days: 7,
        start_time: at(1_790_812_800),
        end_time: at(1_793_491_200),
        min_users: 30,
        correlates: vec![correlate],
        ..Default::default()
    };
    let data = serde_json::to_string(&metrics::FrictionFound { friction: Some(friction), change: None }).unwrap();
    received(event, "FrictionFound", format!("{PARENT}/frictions/{id}"), data)
}

fn seen(id: &str, note: &str) -> Evidence {
    Evidence { target: format!("//metrics.waymark.dev/{PARENT}/frictions/{id}"), note: note.into() }
}

async fn opportunities(d: &mut Discovery) -> Vec<pb::Opportunity> {
    let list = pb::ListOpportunitiesRequest { parent: PARENT.into(), ..Default::default() };
    d.trees.list_opportunities(list).await.unwrap().into_inner().opportunities
}

async fn roots(d: &mut Discovery) -> Vec<pb::Outcome> {
    let list = pb::ListOutcomesRequest { parent: PARENT.into(), ..Default::default() };
    d.trees.list_outcomes(list).await.unwrap().into_inner().outcomes
}

async fn verbs(d: &Discovery) -> Vec<String> {
    d.events().await.into_iter().map(|(_, event)| event).collect()
}

const WORST: &str = "80 % of 1,240 users who did \"invited\" did not get to \"report_created\" within 7 days (2026-10-01 to 2026-11-01)";
const BETTER: &str =
    "38 % of 2,000 users who did \"signed_up\" did not get to \"invited\" within 7 days (2026-10-01 to 2026-11-01)";

#[tokio::test(flavor = "multi_thread")]
async fn a_friction_opens_an_opportunity_once_and_the_next_finding_adds_to_it() {
    on_both(async |mut d: Discovery| {
        for _delivery in 0..3 {
            handle(d.served.store(), &found(1, "activation", 248)).await.unwrap();
        }
        assert_eq!(verbs(&d).await, ["OutcomeCreated", "OpportunityCreated"]);
        let [root]: [pb::Outcome; 1] = roots(&mut d).await.try_into().unwrap();
        assert_eq!(root.display_name, "More users get from \"signed_up\" to \"report_created\"");
        assert_eq!(root.measure, "share of users who get from \"signed_up\" to \"report_created\"");
        let [opened]: [pb::Opportunity; 1] = opportunities(&mut d).await.try_into().unwrap();
        assert_eq!((opened.parent_node.as_str(), opened.kind()), (root.name.as_str(), pb::OpportunityKind::Pain));
        assert_eq!(opened.display_name, "Find out why users do not get from \"invited\" to \"report_created\"");
        assert_eq!(opened.evidence, [seen("activation", WORST)]);
        let hint = "Where \"plan\" is \"free\", 81 % of 620 were lost, 38 points more than elsewhere";
        assert_eq!(opened.description, format!("{WORST}. {hint}."));

        // By now most are lost elsewhere on the path.
        for _delivery in 0..2 {
            handle(d.served.store(), &found(2, "activation", 1000)).await.unwrap();
        }
        let [told]: [pb::Opportunity; 1] = opportunities(&mut d).await.try_into().unwrap();
        assert_eq!(told.evidence, [seen("activation", WORST), seen("activation", BETTER)]);
        assert_eq!(verbs(&d).await, ["OutcomeCreated", "OpportunityCreated", "OpportunityUpdated"]);
        // The same numbers once more say nothing new.
        handle(d.served.store(), &found(3, "activation", 1000)).await.unwrap();
        assert_eq!(verbs(&d).await.len(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frictions_of_one_path_share_a_root_whatever_people_call_it() {
    on_both(async |mut d: Discovery| {
        handle(d.served.store(), &found(1, "activation", 248)).await.unwrap();
        let [root]: [pb::Outcome; 1] = roots(&mut d).await.try_into().unwrap();
        let renamed = pb::Outcome { display_name: "Activation".into(), etag: String::new(), ..root.clone() };
        let update = pb::UpdateOutcomeRequest { outcome: Some(renamed), ..Default::default() };
        d.trees.update_outcome(update).await.unwrap();

        handle(d.served.store(), &found(2, "activation-two-weeks", 248)).await.unwrap();
        let opened = opportunities(&mut d).await;
        assert_eq!(opened.iter().map(|o| o.parent_node.as_str()).collect::<Vec<_>>(), [root.name.as_str(); 2]);

        // One that was given up is not told; what comes after it is new, below the same root.
        let first = opened.into_iter().find(|o| o.evidence == [seen("activation", WORST)]).unwrap();
        let prune = pb::PruneNodeRequest { name: first.name, reason: "too small".into(), ..Default::default() };
        d.trees.prune_node(prune).await.unwrap();
        handle(d.served.store(), &found(3, "activation", 1000)).await.unwrap();
        let all = opportunities(&mut d).await;
        assert_eq!((all.len(), all.iter().filter(|o| o.evidence == [seen("activation", BETTER)]).count()), (3, 1));
        assert_eq!(roots(&mut d).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_friction_without_losses_is_an_error_and_changes_nothing() {
    on_both(async |d: Discovery| {
        let event = found(1, "activation", 248);
        let broken = Received { data: "{\"friction\": 3}".into(), ..event.clone() };
        let error = handle(d.served.store(), &broken).await.unwrap_err();
        assert!(error.to_string().contains("FrictionFound"), "{error}");
        let mut message: metrics::FrictionFound = serde_json::from_str(&event.data).unwrap();
        for step in message.friction.iter_mut().flat_map(|friction| &mut friction.steps) {
            step.users = 100;
        }
        let without = Received { data: serde_json::to_string(&message).unwrap(), ..event.clone() };
        let error = handle(d.served.store(), &without).await.unwrap_err();
        assert!(error.to_string().contains("friction.steps"), "{error}");
        assert!(!error.is_transient());
        // What was looked for and not found is nobody's business here.
        let sought = Received { event_type: "waymark.metrics.v1.FrictionSought".into(), ..event };
        handle(d.served.store(), &sought).await.unwrap();
        assert_eq!(d.events().await, []);
    })
    .await;
}
