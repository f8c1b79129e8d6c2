//! Doubles of the roadmap's tables: what is read, listed, logged and found by its value is what was written, to the bit.

use waymark_proto::common::v1 as common;
use waymark_proto::roadmap::v1 as pb;
use waymark_testkit::doubles;

use crate::estimates::{create, estimate};
use crate::{Fixture, W, named, on_both};

const COUNT: usize = 40;

/// Three of the numbers, in order.
fn range(numbers: impl Iterator<Item = f64>) -> common::Range {
    let mut three: Vec<f64> = numbers.take(3).collect();
    three.sort_by(f64::total_cmp);
    common::Range { low: three[0], likely: three[1], high: three[2] }
}

async fn data<M: serde::de::DeserializeOwned>(f: &Fixture, event_type: &str) -> Vec<M> {
    let rows = f.served.store().read_log("acme", 0, 1_000).await.unwrap();
    let of_type = rows.iter().filter(|row| row.event_type == format!("waymark.roadmap.v1.{event_type}"));
    of_type.map(|row| serde_json::from_str(&row.data).unwrap()).collect()
}

#[tokio::test]
async fn doubles_come_back_to_the_bit() {
    on_both(async |f| {
        let mut changes = doubles(1).filter(|number| (-1.0..).contains(number));
        let mut reaches = doubles(2).filter(|number| (0.0..=1e12).contains(number));
        let (mut initiatives, mut estimates) = (Vec::new(), Vec::new());
        for index in 0..COUNT {
            let id = format!("i{index:02}");
            let expected = pb::ExpectedOutcome {
                metric: "//metrics.waymark.dev/workspaces/acme/metrics/orders".into(),
                change: Some(range(&mut changes)),
                window_days: 28,
            };
            let initiative = pb::Initiative { expected_outcome: Some(expected), ..named(&id) };
            f.create(&id, initiative.clone()).await.unwrap();
            initiatives.push(initiative.expected_outcome);
            let point = reaches.find(|number| (0.01..=1.0).contains(number)).unwrap();
            let mut given = estimate(&id, [1.0, 0.5, point, point]);
            given.reach.as_mut().unwrap().value = Some(pb::factor::Value::Range(range(&mut reaches)));
            create(f, &id, given.clone()).await.unwrap();
            estimates.push([given.reach, given.confidence, given.effort].map(|factor| factor.unwrap().value));
        }
        let outcome = |initiative: &pb::Initiative| initiative.expected_outcome.clone();
        let factors = |estimate: &pb::Estimate| {
            let pb::Estimate { reach, confidence, effort, .. } = estimate.clone();
            [reach, confidence, effort].map(|factor| factor.unwrap().value)
        };
        let list = pb::ListInitiativesRequest { parent: W.into(), ..Default::default() };
        let listed = f.roadmap().list_initiatives(list).await.unwrap().into_inner().initiatives;
        assert_eq!(listed.iter().map(outcome).collect::<Vec<_>>(), initiatives);
        let logged: Vec<pb::InitiativeCreated> = data(f, "InitiativeCreated").await;
        let logged: Vec<_> = logged.into_iter().map(|event| outcome(&event.initiative.unwrap())).collect();
        assert_eq!(logged, initiatives);

        let list = |filter: String| pb::ListEstimatesRequest { parent: W.into(), filter, ..Default::default() };
        let listed = f.prioritization().list_estimates(list(String::new())).await.unwrap().into_inner().estimates;
        assert_eq!(listed.iter().map(factors).collect::<Vec<_>>(), estimates);
        let logged: Vec<pb::EstimateCreated> = data(f, "EstimateCreated").await;
        let logged: Vec<_> = logged.into_iter().map(|event| factors(&event.estimate.unwrap())).collect();
        assert_eq!(logged, estimates);
        for estimate in listed {
            let score = estimate.score.unwrap().likely;
            let found = f.prioritization().list_estimates(list(format!("score = {score:?}"))).await.unwrap();
            assert!(found.into_inner().estimates.iter().any(|found| found.name == estimate.name), "{score:?}");
        }
    })
    .await;
}
