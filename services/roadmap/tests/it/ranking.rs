//! The order that is kept, beside one that is worked out anew from all estimates.

use std::collections::BTreeMap;

use proptest::prelude::*;
use waymark_proto::roadmap::v1 as pb;
use waymark_testkit::Engine;

use crate::estimates::{create, estimate};
use crate::{Fixture, W, initiative_name, named, on_both};

#[derive(Debug, Clone)]
enum Step {
    /// An estimate of an initiative, by reach and confidence in percent; some lack the effort.
    Estimate(u8, u16, u8, bool),
    /// Estimates are changed to another reach, deleted and undeleted, those that were made first.
    Revise(usize, u16),
    Delete(usize),
    Undelete(usize),
    Decline(u8),
    /// The clock moves on; otherwise names decide which of two estimates counts.
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        // Few values, so that there are ties.
        6 => (0u8..6, 1u16..5, 1u8..3, proptest::bool::weighted(0.9)).prop_map(|(of, reach, sure, whole)| {
            Step::Estimate(of, reach * 100, sure * 50, whole)
        }),
        1 => (0usize..8, 1u16..5).prop_map(|(index, reach)| Step::Revise(index, reach * 100)),
        1 => (0usize..8).prop_map(Step::Delete),
        1 => (0usize..8).prop_map(Step::Undelete),
        1 => (0u8..6).prop_map(Step::Decline),
        2 => Just(Step::Wait),
    ]
}

/// Pages of the order, put together: positions with ids, then those without a position.
async fn pages(f: &Fixture, filter: &str, page_size: i32) -> (Vec<(i32, String)>, Vec<String>) {
    let (mut ranked, mut unranked, mut page_token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let request = pb::RankInitiativesRequest {
            parent: W.into(),
            filter: filter.into(),
            page_size,
            page_token,
            ..Default::default()
        };
        let page = f.prioritization().rank_initiatives(request).await.unwrap().into_inner();
        assert!(page.ranked.len() + page.unranked.len() <= page_size as usize);
        assert!(page.ranked.is_empty() || unranked.is_empty(), "those without a position come last");
        ranked.extend(page.ranked.into_iter().map(|row| (row.position, row.display_name)));
        unranked.extend(page.unranked.into_iter().map(|row| row.display_name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            assert_eq!(page.ranked_count as usize, ranked.len());
            return (ranked, unranked);
        }
    }
}

/// The order of some initiatives by the estimates there are.
fn order(ids: impl Iterator<Item = u8>, counting: &BTreeMap<u8, pb::Estimate>) -> (Vec<(i32, String)>, Vec<String>) {
    let (mut scored, mut unscored) = (Vec::new(), Vec::new());
    for id in ids {
        match counting.get(&id).and_then(|estimate| Some((estimate, estimate.score?.likely))) {
            Some((estimate, score)) => scored.push((score, likely(estimate.confidence.as_ref()), id)),
            None => unscored.push(id.to_string()),
        }
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2)));
    let position = |score: f64| scored.iter().filter(|row| row.0 > score).count() as i32 + 1;
    (scored.iter().map(|row| (position(row.0), row.2.to_string())).collect(), unscored)
}

fn likely(factor: Option<&pb::Factor>) -> f64 {
    match factor.and_then(|factor| factor.value.as_ref()) {
        Some(pb::factor::Value::Point(value)) => *value,
        _ => 0.0,
    }
}

async fn follow(f: &Fixture, steps: &[Step]) {
    for id in 0..6 {
        f.create(&id.to_string(), named(&id.to_string())).await.unwrap();
    }
    let mut estimates: Vec<(u8, pb::Estimate)> = Vec::new();
    let mut closed = Vec::new();
    let counting = |estimates: &[(u8, pb::Estimate)]| {
        let mut counting: BTreeMap<u8, pb::Estimate> = BTreeMap::new();
        for (of, estimate) in estimates.iter().filter(|(_, estimate)| estimate.delete_time.is_none()) {
            let age = |e: &pb::Estimate| {
                let time = e.create_time.unwrap_or_default();
                (time.seconds, time.nanos, e.name.clone())
            };
            if counting.get(of).is_none_or(|known| age(known) < age(estimate)) {
                counting.insert(*of, estimate.clone());
            }
        }
        counting
    };
    for step in steps {
        let before = order((0..6).filter(|id| !closed.contains(id)), &counting(&estimates));
        let mut touched = None;
        match step {
            Step::Estimate(of, reach, sure, whole) => {
                let mut message = estimate(&of.to_string(), [(*reach).into(), 1.0, f64::from(*sure) / 100.0, 1.0]);
                message.effort = message.effort.filter(|_| *whole);
                let made = create(f, &format!("e{}", 99 - estimates.len()), message).await.unwrap();
                estimates.push((*of, made));
                touched = Some(*of);
            }
            Step::Revise(index, reach) => {
                if let Some((of, estimate)) = estimates.get_mut(*index).filter(|(_, e)| e.delete_time.is_none()) {
                    let reach = crate::estimates::estimate("0", [(*reach).into(), 1.0, 1.0, 1.0]).reach;
                    let patch = pb::Estimate { name: estimate.name.clone(), reach, ..Default::default() };
                    let request = pb::UpdateEstimateRequest { estimate: Some(patch), ..Default::default() };
                    *estimate = f.prioritization().update_estimate(request).await.unwrap().into_inner();
                    touched = Some(*of);
                }
            }
            Step::Delete(index) => {
                if let Some((of, estimate)) = estimates.get_mut(*index).filter(|(_, e)| e.delete_time.is_none()) {
                    let request = pb::DeleteEstimateRequest { name: estimate.name.clone(), ..Default::default() };
                    *estimate = f.prioritization().delete_estimate(request).await.unwrap().into_inner();
                    touched = Some(*of);
                }
            }
            Step::Undelete(index) => {
                if let Some((of, estimate)) = estimates.get_mut(*index).filter(|(_, e)| e.delete_time.is_some()) {
                    let request = pb::UndeleteEstimateRequest { name: estimate.name.clone(), ..Default::default() };
                    *estimate = f.prioritization().undelete_estimate(request).await.unwrap().into_inner();
                    touched = Some(*of);
                }
            }
            Step::Decline(id) => {
                let request = pb::DeclineInitiativeRequest {
                    name: initiative_name(&id.to_string()),
                    reason: "no".into(),
                    what_would_change_our_mind: "money".into(),
                    ..Default::default()
                };
                if f.roadmap().decline_initiative(request).await.is_ok() {
                    closed.push(*id);
                }
            }
            Step::Wait => f.clock.advance(std::time::Duration::from_secs(1)),
        }
        let counting = counting(&estimates);
        let after = order((0..6).filter(|id| !closed.contains(id)), &counting);
        for page_size in [2, 50] {
            assert_eq!(pages(f, "", page_size).await, after, "{step:?}");
            assert_eq!(pages(f, "create_time:*", page_size).await, order(0..6, &counting), "{step:?}");
        }
        // What is told of a move is how it was and how it is.
        if let Some(of) = touched {
            let initiative = f.get(&of.to_string()).await;
            let place = |(ranked, _): &(Vec<(i32, String)>, Vec<String>)| {
                ranked.iter().find(|(_, id)| *id == of.to_string()).map_or(0, |(position, _)| *position)
            };
            let (from, to) = (place(&before), place(&after));
            if from != to {
                let told = initiative.rank_change.unwrap();
                let count = after.0.len() as i32;
                assert_eq!((told.from_position, told.to_position, told.ranked_count), (from, to, count), "{step:?}");
            }
            assert_eq!(initiative.priority.map(|p| p.estimate), counting.get(&of).map(|e| e.name.clone()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, ..ProptestConfig::default() })]

    #[test]
    fn the_order_that_is_kept_is_the_order(steps in proptest::collection::vec(step(), 1..25)) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            for engine in Engine::each() {
                let f = Fixture::start(engine).await;
                follow(&f, &steps).await;
                f.stop().await;
            }
        });
    }
}

#[tokio::test]
async fn initiatives_of_before_get_their_priorities() {
    on_both(async |f| {
        for (id, reach) in [("a", 100.0), ("b", 900.0), ("c", 500.0)] {
            f.create(id, named(id)).await.unwrap();
            create(f, id, estimate(id, [reach, 1.0, 1.0, 1.0])).await.unwrap();
        }
        let kept = pages(f, "", 50).await;
        assert_eq!(kept.0.len(), 3);
        let database = f.served.database();
        let priority = if database.url().starts_with("sqlite") {
            "UPDATE initiatives SET body = json_remove(body, '$.priority'), rank = '2', score = NULL"
        } else {
            "UPDATE initiatives SET body = (body::jsonb - 'priority')::json, rank = '2', score = NULL"
        };
        let reopened = "UPDATE schema_backfills SET workspace = '', id = '', end_time = NULL";
        database.execute(&[priority, "DELETE FROM tallies", reopened]).await.unwrap();
        assert_eq!(pages(f, "", 50).await.0.len(), 0);
        f.served.database().addresses().migrate(waymark_roadmap::SERVICE.schema).await.unwrap();
        assert_eq!(pages(f, "", 50).await, kept);
    })
    .await;
}
