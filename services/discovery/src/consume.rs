//! What other services announce and what discovery does about it. Each event takes effect once, in one transaction with
//! the note that it was handled.

mod breached;
mod found;
mod measured;
mod roots;
mod seen;

use waymark_domain::Violations;
use waymark_events::Topic;
use waymark_proto::metrics::v1 as metrics;
use waymark_store::{Error, Reaction, Received, Store, Write};

const OUTCOME_MEASURED: &str = "waymark.metrics.v1.OutcomeMeasured";
const METRIC_BREACHED: &str = "waymark.metrics.v1.MetricBreached";
const BREACH_WITHDRAWN: &str = "waymark.metrics.v1.MetricBreachWithdrawn";
const FRICTION_FOUND: &str = "waymark.metrics.v1.FrictionFound";

/// What the service listens to.
pub const CONSUMES: &[Topic] =
    &[Topic::new("metrics", &[OUTCOME_MEASURED, METRIC_BREACHED, BREACH_WITHDRAWN, FRICTION_FOUND])];

/// Reacts to an event. Events of other types are left alone.
pub async fn handle(store: &Store, event: &Received, reaction: &Reaction) -> Result<(), Error> {
    let unreadable =
        |error: serde_json::Error| Violations::one("data", format!("is not a {}: {error}", event.event_type));
    match event.event_type.as_str() {
        OUTCOME_MEASURED => {
            let metrics::OutcomeMeasured { outcome, .. } = serde_json::from_str(&event.data).map_err(unreadable)?;
            let outcome = outcome.unwrap_or_default();
            let learned = measured::learned(&outcome, event)?;
            store
                .react(reaction, async move |write: &mut Write| measured::measured(write, &outcome, learned).await)
                .await
        }
        METRIC_BREACHED => {
            let metrics::MetricBreached { metric, .. } = serde_json::from_str(&event.data).map_err(unreadable)?;
            let alarm = breached::alarm(metric.unwrap_or_default())?;
            store.react(reaction, async move |write: &mut Write| breached::breached(write, alarm).await).await
        }
        BREACH_WITHDRAWN => {
            let metrics::MetricBreachWithdrawn { metric, .. } =
                serde_json::from_str(&event.data).map_err(unreadable)?;
            let none = breached::withdrawal(metric.unwrap_or_default())?;
            store.react(reaction, async move |write: &mut Write| seen::cite(write, none).await.map(|_| ())).await
        }
        FRICTION_FOUND => {
            let metrics::FrictionFound { friction, .. } = serde_json::from_str(&event.data).map_err(unreadable)?;
            let leak = found::leak(friction.unwrap_or_default())?;
            store.react(reaction, async move |write: &mut Write| found::found(write, leak).await).await
        }
        _ => Ok(()),
    }
}
