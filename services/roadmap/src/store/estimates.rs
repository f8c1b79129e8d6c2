//! The table of estimates, and the announcement of what they do to the ranking of initiatives.

use std::collections::BTreeMap;
use std::future::ready;

use waymark_domain::Change;
use waymark_domain::roadmap::{Estimate, EstimateEvent, Initiative, Ranking};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Error, Rule, Rules, Step, Table, Write};

use super::Initiatives;

/// Estimates.
pub struct Estimates;

impl Table for Estimates {
    type Resource = Estimate;
    type Message = pb::Estimate;
    const TABLE: &'static str = "estimates";
    const COLUMNS: Columns<Estimate> = &[
        Column::text("initiative", |e: &Estimate| Some(e.initiative.to_string())).indexed(),
        Column::number("score", |e| e.score().map(|s| s.likely())),
    ];
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, new| Box::pin(ready(Ok(sign(write, new, EstimateEvent::Created))))),
        update: Rule::Reading(|write, (_, new)| Box::pin(ready(Ok(sign(write, new, EstimateEvent::Updated))))),
        after: Some(|write, taken| Box::pin(announce_ranks(write, taken))),
        ..Rules::PLAIN
    };
}

/// An estimate, signed by its caller.
fn sign(write: &Write, estimate: Estimate, event: EstimateEvent) -> Change<Estimate> {
    Change::new(estimate.signed(write.actor(), write.now()), event)
}

/// Announces, on each initiative whose estimate was written, where it moved in the priority ranking of the open ones; of
/// several for one initiative the last says why. Initiatives that only make room are not announced: their own estimate
/// says the same as before.
async fn announce_ranks(write: &mut Write, taken: &[Step<Estimate>]) -> Result<(), Error> {
    let open = write.all::<Initiatives>().await?.into_iter().filter(Initiative::is_open);
    let mut initiatives: BTreeMap<_, _> = open.map(|i| (i.meta.name.clone(), i)).collect();
    let mut estimates = write.all::<Estimates>().await?;
    let after = Ranking::new(initiatives.values(), &estimates);
    estimates.retain(|estimate| taken.iter().all(|step| step.state().meta.name != estimate.meta.name));
    estimates.extend(taken.iter().filter_map(|step| match step {
        Step::Updated { old, .. } | Step::Deleted(old) => Some(old.clone()),
        Step::Created(_) | Step::Undeleted(_) => None,
    }));
    let before = Ranking::new(initiatives.values(), &estimates);
    let last: BTreeMap<_, _> = taken.iter().map(|step| (&step.state().initiative, step)).collect();
    for (name, step) in last {
        let moved = after.moved_since(&before, step.state(), &reason(step), write.now());
        if let Some((change, initiative)) = moved.zip(initiatives.remove(name)) {
            write.put::<Initiatives>(initiative.announce_rank(change))?;
        }
    }
    Ok(())
}

/// Why an initiative moves when this is done to its estimate.
fn reason(step: &Step<Estimate>) -> String {
    match step {
        Step::Created(new) => format!("new estimate {}", new.meta.name.id()),
        Step::Updated { old, new } => {
            let differences = new.differences(old);
            if differences.is_empty() { "estimate confirmed".to_owned() } else { differences.join(", ") }
        }
        Step::Deleted(_) => "estimate deleted".to_owned(),
        Step::Undeleted(_) => "estimate undeleted".to_owned(),
    }
}
