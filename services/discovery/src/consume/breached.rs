//! A metric went beyond the threshold of its alert. Somebody drew the line because it hurts to be beyond it.

use waymark_domain::metrics::Metric;
use waymark_domain::{Evidence, Violations};
use waymark_proto::metrics::v1 as metrics;
use waymark_store::{Error, Write};

use super::roots::root;
use super::seen::{Sighting, cite_or_open};

/// What the breach says, in discovery's terms.
pub(super) struct Alarm {
    /// What people call the metric.
    metric: String,
    /// The metric, with the numbers.
    sighting: Sighting,
}

/// The alarm of a metric that is beyond its threshold.
pub(super) fn alarm(message: metrics::Metric) -> Result<Alarm, Violations> {
    let mut violations = Violations::new();
    let Some(metric) = violations.nested("metric", waymark_proto::parse::<Metric, _>(message)) else {
        return Err(violations);
    };
    let (Some(limit), Some(note)) = (metric.limit(), metric.alarm()) else {
        return Err(Violations::one("metric.breach", "must be set, and the alert that it is a breach of"));
    };
    let (target, metric) = (metric.meta.name.full(), metric.meta.display_name);
    let title = format!("Find out why {metric:?} went {limit}");
    Ok(Alarm { sighting: Sighting { title, description: format!("{note}."), seen: Evidence { target, note } }, metric })
}

/// What those are told that rest on a metric whose breach was none.
pub(super) fn withdrawal(message: metrics::Metric) -> Result<Evidence, Violations> {
    let mut violations = Violations::new();
    let Some(metric) = violations.nested("metric", waymark_proto::parse::<Metric, _>(message)) else {
        return Err(violations);
    };
    let none = metric.withdrawal();
    let note =
        none.ok_or_else(|| Violations::one("metric.withdrawn", "must be set, and the alert that it was none of"))?;
    Ok(Evidence { target: metric.meta.name.full(), note })
}

/// Adds to the opportunities that rest on the metric; one that is opened stands below the outcome that is bound to it.
pub(super) async fn breached(write: &mut Write, Alarm { metric, sighting }: Alarm) -> Result<(), Error> {
    let bound = sighting.seen.target.to_string();
    cite_or_open(write, sighting, async move |write: &mut Write| root(write, &bound, &metric).await).await
}
