//! What other services announce and what discovery does about it. Each event takes effect once, in one transaction with
//! the note that it was handled.

mod breached;
mod found;
mod measured;
mod seen;

use std::convert::Infallible;

use waymark_domain::discovery::{Outcome, OutcomeEvent};
use waymark_domain::{Change, Violations};
use waymark_proto::common::v1::Evidence;
use waymark_proto::discovery::v1 as pb;
use waymark_proto::metrics::v1 as metrics;
use waymark_store::{Error, Received, Store, Write};

use crate::NAME;
use crate::store::Outcomes;

const OUTCOME_MEASURED: &str = "waymark.metrics.v1.OutcomeMeasured";
const METRIC_BREACHED: &str = "waymark.metrics.v1.MetricBreached";
const FRICTION_FOUND: &str = "waymark.metrics.v1.FrictionFound";

/// What the service reacts to: source service and event types.
pub const CONSUMES: &[(&str, &[&str])] = &[("metrics", &[OUTCOME_MEASURED, METRIC_BREACHED, FRICTION_FOUND])];

/// Reacts to an event. Events of other types are left alone.
pub async fn handle(store: &Store, event: &Received) -> Result<(), Error> {
    let reaction = event.reaction(NAME);
    let unreadable =
        |error: serde_json::Error| Violations::one("data", format!("is not a {}: {error}", event.event_type));
    match event.event_type.as_str() {
        OUTCOME_MEASURED => {
            let metrics::OutcomeMeasured { outcome, .. } = serde_json::from_str(&event.data).map_err(unreadable)?;
            let outcome = outcome.unwrap_or_default();
            let learned = measured::learned(&outcome, event)?;
            store
                .react(&reaction, async move |write: &mut Write| measured::measured(write, &outcome, learned).await)
                .await
        }
        METRIC_BREACHED => {
            let metrics::MetricBreached { metric, .. } = serde_json::from_str(&event.data).map_err(unreadable)?;
            let alarm = breached::alarm(metric.unwrap_or_default())?;
            store.react(&reaction, async move |write: &mut Write| breached::breached(write, alarm).await).await
        }
        FRICTION_FOUND => {
            let metrics::FrictionFound { friction, .. } = serde_json::from_str(&event.data).map_err(unreadable)?;
            let leak = found::leak(friction.unwrap_or_default())?;
            store.react(&reaction, async move |write: &mut Write| found::found(write, leak).await).await
        }
        _ => Ok(()),
    }
}

/// The root of the tree whose outcome is bound to a metric, given by its full name. It is made when there is none,
/// named after what the metric is `called`.
async fn root(write: &mut Write, metric: &str, called: &str) -> Result<String, Error> {
    if let Some(root) = write.all_where::<Outcomes>("metric", metric, 1).await?.into_iter().next() {
        return Ok(root.meta.name.to_string());
    }
    create_root(
        write,
        pb::Outcome { display_name: format!("Move {called}"), metric: metric.to_owned(), ..Default::default() },
    )
    .await
}

/// Makes an outcome; of its name as much is kept as a name may have.
async fn create_root(write: &mut Write, mut message: pb::Outcome) -> Result<String, Error> {
    message.display_name = cut(&message.display_name);
    let created = |outcome: Outcome| Ok::<_, Infallible>(Change::new(outcome, OutcomeEvent::Created));
    Ok(write.create::<Outcomes, _>("", message, created).await?.name)
}

fn link(target: &str, note: &str) -> Evidence {
    Evidence { target: target.to_owned(), note: note.to_owned() }
}

/// A display name of at most 200 characters.
fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}
