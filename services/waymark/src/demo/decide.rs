//! Chapters 4, 5 and 7: estimates, the order they make, a refusal, a commitment, and the answer beside it.

use anyhow::{Result, bail};
use waymark_client::{Channel, Error};
use waymark_proto::common::v1::Range;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::prioritization_service_client::PrioritizationServiceClient;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;

use super::behaviour::WINDOW;
use super::say;
use super::story::{METRIC, SOLUTION, Story, done, maybe, until};
use crate::draw::words;
use crate::generic::names::short;

const PRODUCT: &str = "shop";
const RIVAL: &str = "gift-wrapping";

/// What is predicted: low, likely, high.
const PREDICTED: Range = Range { low: 0.05, likely: 0.1, high: 0.18 };

/// What orders a day are, and what they are to become.
const DAILY_ORDERS: (f64, f64) = (150.0, 170.0);

fn roadmap(story: &Story) -> RoadmapServiceClient<Channel> {
    RoadmapServiceClient::new(story.roadmap.clone())
}

/// The product, its objective, the initiative that follows from the validated solution, and a rival.
pub async fn propose(story: &Story) -> Result<()> {
    let product = pb::Product {
        display_name: "The shop".into(),
        vision: "What people pick is what they get".into(),
        lifecycle: pb::ProductLifecycle::Growing.into(),
        ..Default::default()
    };
    let request = pb::CreateProductRequest {
        parent: story.parent.clone(),
        product_id: PRODUCT.into(),
        product: Some(product),
        ..Default::default()
    };
    let mut strategy = StrategyServiceClient::new(story.roadmap.clone());
    done(strategy.create_product(request).await)?;
    let objective = pb::Objective {
        display_name: "No cart gets lost".into(),
        owner: "users/ada@example.com".into(),
        period: Some(pb::TargetInterval { start: story.now.format("%Y").to_string(), end: String::new() }),
        products: vec![story.name("products", PRODUCT)],
        ..Default::default()
    };
    let request = pb::CreateObjectiveRequest {
        parent: story.parent.clone(),
        objective_id: "carts".into(),
        objective: Some(objective),
        ..Default::default()
    };
    let objective = done(strategy.create_objective(request).await)?;
    say::step(format!("The shop's objective for the year: “{}”.", objective.display_name));
    let key_result = pb::KeyResult {
        display_name: "Orders a day".into(),
        objective: objective.name,
        start: Some(DAILY_ORDERS.0),
        target: Some(DAILY_ORDERS.1),
        unit: "orders".into(),
        metric: story.full_name("metrics", "metrics", METRIC),
        ..Default::default()
    };
    let request = pb::CreateKeyResultRequest {
        parent: story.parent.clone(),
        key_result_id: METRIC.into(),
        key_result: Some(key_result),
        ..Default::default()
    };
    done(strategy.create_key_result(request).await)?;

    let client = roadmap(story);
    let name = story.name("initiatives", SOLUTION);
    let proposed = until("the proposal of an initiative", || {
        let (mut client, name) = (client.clone(), name.clone());
        async move { maybe(client.get_initiative(pb::GetInitiativeRequest { name }).await) }
    })
    .await?;
    say::step(format!(
        "The roadmap heard of the validated solution and proposes “{}” with its evidence.",
        proposed.display_name
    ));
    let expected = pb::ExpectedOutcome {
        metric: story.full_name("metrics", "metrics", METRIC),
        change: Some(PREDICTED),
        // 28.
        window_days: WINDOW as i32,
    };
    let initiative = pb::Initiative {
        name,
        product: story.name("products", PRODUCT),
        problem: "People lose the cart they filled when they are interrupted".into(),
        expected_outcome: Some(expected),
        key_results: vec![story.name("keyResults", METRIC)],
        owner: "users/ada@example.com".into(),
        ..Default::default()
    };
    let request = pb::UpdateInitiativeRequest { initiative: Some(initiative), ..Default::default() };
    done(client.clone().update_initiative(request).await)?;
    say::step(format!("It is expected to move orders by {} within {WINDOW} days.", words::change(&PREDICTED)));

    let rival = pb::Initiative {
        display_name: "Gift wrapping".into(),
        product: story.name("products", PRODUCT),
        problem: "Somebody asked for it".into(),
        ..Default::default()
    };
    let request = pb::CreateInitiativeRequest {
        parent: story.parent.clone(),
        initiative_id: RIVAL.into(),
        initiative: Some(rival),
        ..Default::default()
    };
    done(client.clone().create_initiative(request).await)?;
    Ok(())
}

/// Estimates, ranks, refusals and decisions.
pub async fn choose(story: &Story) -> Result<()> {
    let mut ranks = PrioritizationServiceClient::new(story.roadmap.clone());
    for (id, reach, impact, confidence, effort) in [(SOLUTION, 5000.0, 2.0, 0.8, 2.0), (RIVAL, 8000.0, 0.5, 1.0, 3.0)] {
        let factor = |value: f64, grounds: &str| {
            let source =
                pb::FactorSource { basis: Some(pb::factor_source::Basis::Guess(grounds.into())), ..Default::default() };
            Some(pb::Factor { value: Some(pb::factor::Value::Point(value)), source: Some(source), word: String::new() })
        };
        let estimate = pb::Estimate {
            display_name: format!("First estimate of {id}"),
            initiative: story.name("initiatives", id),
            reach: factor(reach, "visitors a quarter who meet it"),
            impact: factor(impact, "compared with what shipped before"),
            confidence: factor(confidence, "by the evidence there is"),
            effort: factor(effort, "the team's feeling"),
            ..Default::default()
        };
        let request = pb::CreateEstimateRequest {
            parent: story.parent.clone(),
            estimate_id: id.into(),
            estimate: Some(estimate),
            ..Default::default()
        };
        done(ranks.create_estimate(request).await)?;
    }
    let request = pb::RankInitiativesRequest { parent: story.parent.clone(), ..Default::default() };
    let answer = done(ranks.rank_initiatives(request).await)?;
    say::step("RICE, reach × impact × confidence / effort:");
    for ranked in answer.ranked {
        let score = ranked.score.map(|score| score.likely).unwrap_or_default();
        crate::show(format_args!("      {}. {:<16} {score:.0}", ranked.position, ranked.display_name));
    }

    let mut client = roadmap(story);
    let request = pb::CommitInitiativeRequest { name: story.name("initiatives", RIVAL), ..Default::default() };
    let Err(refused) = client.commit_initiative(request).await else {
        bail!("an initiative without evidence was committed")
    };
    let refused = Error::from(refused);
    say::step(format!("Committing to gift wrapping is refused. {}: {}", refused.reason(), refused.message()));
    let request = pb::DeclineInitiativeRequest {
        name: story.name("initiatives", RIVAL),
        reason: "Nobody we spoke to missed it".into(),
        what_would_change_our_mind: "Three of ten buyers ask for it unprompted".into(),
        ..Default::default()
    };
    done(client.decline_initiative(request).await)?;
    say::step("So it is declined, with what would change our mind. Saved carts is scheduled now and committed to:\n");
    let name = story.name("initiatives", SOLUTION);
    let request =
        pb::MoveInitiativeRequest { name: name.clone(), horizon: pb::Horizon::Now.into(), ..Default::default() };
    done(client.move_initiative(request).await)?;
    done(client.commit_initiative(pb::CommitInitiativeRequest { name, ..Default::default() }).await)?;
    Ok(())
}

/// Work starts and is shipped.
pub async fn ship(story: &Story) -> Result<()> {
    let mut client = roadmap(story);
    let name = story.name("initiatives", SOLUTION);
    done(client.start_initiative(pb::StartInitiativeRequest { name: name.clone(), ..Default::default() }).await)?;
    done(client.ship_initiative(pb::ShipInitiativeRequest { name, ..Default::default() }).await)?;
    say::step("Saved carts is built and shipped.");
    Ok(())
}

/// Waits until the answer stands beside the expectation.
pub async fn wait_for_answer(story: &Story) -> Result<()> {
    let client = roadmap(story);
    let initiative = until("the answer on the roadmap", || {
        let (mut client, name) = (client.clone(), story.name("initiatives", SOLUTION));
        async move {
            let initiative = done(client.get_initiative(pb::GetInitiativeRequest { name }).await)?;
            Ok((initiative.state() == pb::InitiativeState::Measured).then_some(initiative))
        }
    })
    .await?;
    let actual = initiative.actual.unwrap_or_default();
    say::step(format!(
        "The roadmap has the answer: {}, from {}.",
        words::verdict(actual.verdict()),
        short(&actual.outcome)
    ));
    Ok(())
}
