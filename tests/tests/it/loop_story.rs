//! The whole loop once around, through three services, as their clients see it: evidence, a decision, delivery, a
//! measurement with planted truth, the answer back where the question came from, and an alert and a friction that ask
//! the next ones. One story, told on two sets of parts.

mod discover;
mod measure;
mod roadmap;

use anyhow::Result;
use waymark_testkit::Engine;

use crate::services::{Services, Wires};

const WORKSPACE: &str = "workspaces/acme";
/// How long an event may take from one service to the next on a busy machine.
const SOON: std::time::Duration = std::time::Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loop_goes_round_on_sqlite_over_the_bus() -> Result<()> {
    Box::pin(the_loop_goes_round(Services::start(Engine::Sqlite, Wires::Bus).await?)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loop_goes_round_on_postgresql_over_nats() -> Result<()> {
    Box::pin(the_loop_goes_round(Services::start(Engine::Postgres, Wires::Broker).await?)).await
}

async fn the_loop_goes_round(services: Services) -> Result<()> {
    discover::an_insight_rests_on_what_a_participant_said(&services).await?;
    discover::a_solution_is_validated_by_four_tests(&services).await?;

    roadmap::the_solution_is_proposed_with_its_evidence(&services).await?;
    roadmap::an_initiative_with_open_risks_is_not_committed(&services).await?;
    roadmap::estimates_make_an_order(&services).await?;
    measure::a_metric_is_defined(&services).await?;
    roadmap::it_is_committed_with_an_expectation(&services).await?;
    measure::the_prediction_is_on_record(&services).await?;
    let before = roadmap::revision(&services).await?;
    roadmap::it_is_shipped(&services).await?;

    measure::nobody_can_measure_before_the_window_is_over(&services).await?;
    measure::product_events_arrive_with_a_planted_lift(&services).await?;
    measure::the_outcome_meets_the_prediction(&services).await?;

    roadmap::the_initiative_knows_what_became_of_it(&services).await?;
    roadmap::the_roadmap_remembers_how_it_stood(&services, before).await?;
    discover::the_opportunity_has_learned(&services).await?;
    measure::activation_is_found_below_its_threshold(&services).await?;
    discover::an_opportunity_is_opened_for_it(&services).await?;
    measure::users_are_found_to_leave_before_they_activate(&services).await?;
    discover::an_opportunity_is_opened_for_those_who_leave(&services).await?;
    services.stop().await;
    Ok(())
}

/// The name of a resource of the story's workspace.
fn name(collection: &str, id: &str) -> String {
    format!("{WORKSPACE}/{collection}/{id}")
}

/// How another service refers to it.
fn full(service: &str, collection: &str, id: &str) -> String {
    format!("//{service}.waymark.dev/{}", name(collection, id))
}

/// Why a call was refused.
fn refusal<T: std::fmt::Debug>(answer: Result<tonic::Response<T>, tonic::Status>) -> waymark_client::Error {
    answer.expect_err("it is refused").into()
}
