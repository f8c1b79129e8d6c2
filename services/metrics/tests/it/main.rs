//! The metrics service as its clients meet it: a real server on a socket, both databases, Delta tables on disk, time
//! held still.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::float_cmp, reason = "counts and sums of a few decimals are exact")]

mod alerts;
mod events_in;
mod frictions;
mod loop_closed;
mod metrics;
mod world;

use waymark_testkit::Engine;
use world::World;

/// Runs each story on both databases, as tests of their own.
macro_rules! on_both {
    ($($module:ident::$story:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $story() { super::$module::$story(super::World::open(super::Engine::Sqlite).await).await })*
        }
        mod postgres {
            $(#[tokio::test] async fn $story() { super::$module::$story(super::World::open(super::Engine::Postgres).await).await })*
        }
    };
}

on_both! {
    events_in::wrong_events_are_reported_and_the_rest_is_kept,
    events_in::a_repeat_changes_nothing,
    events_in::what_is_too_much_is_refused,
    events_in::a_lake_that_cannot_be_written_is_an_outage,
    events_in::a_trend_follows_the_calendar_of_its_zone,
    events_in::a_breakdown_has_a_series_per_value,
    metrics::a_metric_lives_through_its_standard_methods,
    metrics::all_that_is_wrong_is_said_at_once,
    metrics::a_batch_keeps_what_is_right,
    metrics::only_who_may_write_writes,
    metrics::a_query_answers_from_every_accepted_event,
    loop_closed::a_kept_promise_is_met,
    loop_closed::a_promise_is_missed_or_nobody_can_tell,
    loop_closed::predictions_follow_their_initiatives,
    loop_closed::measuring_waits_for_the_window_and_for_the_events,
    loop_closed::every_due_prediction_is_measured_however_many_there_are,
    loop_closed::a_late_mark_can_be_corrected,
    loop_closed::a_metric_that_somebody_aims_at_keeps_its_meaning,
    alerts::a_breach_is_announced_once_and_so_is_its_end,
    alerts::nothing_is_judged_before_its_events_have_arrived,
    alerts::an_interval_is_one_of_the_alerts_calendar,
    alerts::another_alert_is_another_question,
    alerts::all_that_is_wrong_with_an_alert_is_said_at_once,
    alerts::every_metric_is_judged_however_many_there_are,
    alerts::a_metric_that_cannot_be_judged_does_not_hold_up_the_others,
    frictions::what_was_planted_is_found,
    frictions::who_may_still_get_there_is_not_lost,
    frictions::the_same_question_finds_the_same_friction,
    frictions::little_is_kept_but_not_announced,
    frictions::all_that_is_wrong_with_a_question_is_said_at_once,
    frictions::a_property_that_tells_everybody_apart_is_refused,
    frictions::a_repeated_request_has_the_first_answer,
}
