//! The table of estimates, and the announcement of what they do to the ranking of initiatives.

use std::collections::BTreeMap;
use std::future::ready;

use waymark_domain::roadmap::ranking::{current, moved};
use waymark_domain::roadmap::{Estimate, EstimateEvent, Initiative, Place, Priority, Rank};
use waymark_domain::{Change, Name};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Error, Rule, Ruled, Rules, Step, Table, Write};

use super::Initiatives;
use super::initiatives::RANK;

/// Estimates.
pub struct Estimates;

impl Table for Estimates {
    type Resource = Estimate;
    type Message = pb::Estimate;
    const TABLE: &'static str = "estimates";
    const COLUMNS: Columns<Estimate> = &[
        Column::text("initiative", |e: &Estimate| Some(e.initiative.to_string())).indexed().always_set(),
        Column::number("score", |e| e.score().map(|s| s.likely())),
    ];
}

impl Ruled for Estimates {
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, new| Box::pin(ready(Ok(sign(write, new, EstimateEvent::Created))))),
        update: Rule::Reading(|write, (_, new)| Box::pin(ready(Ok(sign(write, new, EstimateEvent::Updated))))),
        after: Some(|write, taken| Box::pin(prioritize_all(write, taken))),
        ..Rules::PLAIN
    };
}

/// An estimate, signed by its caller.
fn sign(write: &Write, estimate: Estimate, event: EstimateEvent) -> Change<Estimate> {
    Change::new(estimate.signed(write.actor(), write.now()), event)
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

/// Gives each initiative whose estimates were written what they say now.
async fn prioritize_all(write: &mut Write, taken: &[Step<Estimate>]) -> Result<(), Error> {
    // Of several for one initiative the last says why.
    let last: BTreeMap<_, _> = taken.iter().map(|step| (&step.state().initiative, step)).collect();
    for step in last.into_values() {
        prioritize(write, step.state(), &reason(step)).await?;
    }
    Ok(())
}

/// Gives the initiative of an estimate that was written what its estimates say now, and announces where that moved it.
/// `why` says what changed. Initiatives that only make room are not announced: their own estimate says the same as before.
async fn prioritize(write: &mut Write, estimate: &Estimate, why: &str) -> Result<(), Error> {
    let Some(initiative) = write.find::<Initiatives>(&estimate.initiative).await? else { return Ok(()) };
    let estimates = write.all_where::<Estimates>("initiative", &estimate.initiative.to_string(), u32::MAX).await?;
    let priority = current(&estimates).map(Priority::of);
    if priority == initiative.priority {
        return Ok(());
    }
    let after = Initiative { priority: priority.clone(), ..initiative.clone() };
    // Of those better than it is now, it may itself be one.
    let (from, to) = (placed(write, &initiative, None).await?, placed(write, &after, Some(&initiative)).await?);
    let ranked = write.count_between::<Initiatives>(RANK, Rank::FIRST, Rank::UNRANKED).await?;
    let others = ranked.saturating_sub(u32::from(from.is_some()));
    let moved = moved(from, to, others + u32::from(to.is_some()), estimate, why, write.now());
    if let Some(change) = initiative.prioritize(priority, moved) {
        write.put::<Initiatives>(change)?;
    }
    Ok(())
}

/// The same for an estimate that was written before its initiative kept what it says.
pub async fn reprioritize(write: &mut Write, id: &str) -> Result<(), Error> {
    let id = id.parse().map_err(Error::bug)?;
    match write.find::<Estimates>(&Name::new(write.workspace().clone(), id)).await? {
        Some(estimate) => prioritize(write, &estimate, "kept from now on").await,
        None => Ok(()),
    }
}

/// The place of an initiative, if it has one, where its own row stands for `standing`.
async fn placed(
    write: &mut Write,
    initiative: &Initiative,
    standing: Option<&Initiative>,
) -> Result<Option<Place>, Error> {
    let rank = initiative.rank();
    if initiative.place(1).is_none() {
        return Ok(None);
    }
    let better = write.count_between::<Initiatives>(RANK, Rank::FIRST, rank.by_score()).await?;
    let itself = standing.is_some_and(|s| s.place(1).is_some() && s.rank().by_score() < rank.by_score());
    Ok(initiative.place(better.saturating_sub(u32::from(itself)) + 1))
}
