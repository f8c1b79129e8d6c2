//! A metric went beyond the threshold of its alert: the opportunities that rest on the metric hear of it, and when there is none, one is
//! opened.

use std::convert::Infallible;

use waymark_domain::discovery::{Opportunity, OpportunityEvent};
use waymark_domain::metrics::Metric;
use waymark_domain::{Change, Evidence, Violations};
use waymark_proto::discovery::v1 as pb;
use waymark_proto::metrics::v1 as metrics;
use waymark_store::{Error, Write};

use super::{cut, link, root};
use crate::store::Opportunities;

/// What the breach says, in discovery's terms.
pub(super) struct Alarm {
    /// What people call the metric.
    metric: String,
    /// What is a breach, such as `below 20`.
    limit: String,
    /// The metric, with the numbers.
    seen: Evidence,
}

/// The alarm of a metric that is beyond its threshold.
pub(super) fn alarm(message: metrics::Metric) -> Result<Alarm, Violations> {
    let mut violations = Violations::new();
    let Some(metric) = violations.nested("metric", Metric::try_from(message)) else { return Err(violations) };
    let (Some(limit), Some(note)) = (metric.limit(), metric.alarm()) else {
        return Err(Violations::one("metric.breach", "must be set, and the alert that it is a breach of"));
    };
    Ok(Alarm { limit, seen: Evidence { target: metric.meta.name.full(), note }, metric: metric.meta.display_name })
}

/// Adds the numbers to the live opportunities that have the metric among their evidence, whether an earlier breach opened them or a person
/// cited it there; opens one when there is none. One that was given up does not count: that it happens again is worth a new one.
pub(super) async fn breached(write: &mut Write, alarm: Alarm) -> Result<(), Error> {
    let mut resting = write.all::<Opportunities>().await?;
    resting.retain(|o| o.pruning.is_none() && o.evidence.iter().any(|evidence| evidence.target == alarm.seen.target));
    if resting.is_empty() {
        return open(write, &alarm).await;
    }
    for opportunity in resting {
        if let Some(change) = opportunity.cite(alarm.seen.clone()) {
            write.put::<Opportunities>(change).await?;
        }
    }
    Ok(())
}

async fn open(write: &mut Write, Alarm { metric, limit, seen }: &Alarm) -> Result<(), Error> {
    let target = seen.target.to_string();
    let mut message = pb::Opportunity {
        display_name: cut(&format!("Find out why {metric:?} went {limit}")),
        parent_node: root(write, &target, metric).await?,
        description: format!("{}.", seen.note),
        evidence: vec![link(&target, &seen.note)],
        ..Default::default()
    };
    // Somebody drew the line because it hurts to be beyond it.
    message.set_kind(pb::OpportunityKind::Pain);
    let opened = |opportunity: Opportunity| Ok::<_, Infallible>(Change::new(opportunity, OpportunityEvent::Created));
    write.create::<Opportunities, _>("", message, opened).await.map(|_| ())
}
