//! The table of estimates, and the announcement of what they do to the ranking of initiatives.

use std::collections::BTreeMap;
use std::future::ready;

use waymark_domain::roadmap::ranking::{current, moved};
use waymark_domain::roadmap::{Estimate, EstimateEvent, Initiative, Priority, Rank};
use waymark_domain::{Change, Name};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Error, Read as _, Rule, Ruled, Rules, Step, Table, Write};

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

/// What is done to an estimate.
fn done(step: &Step<Estimate>) -> Vec<String> {
    match step {
        Step::Created(new) => vec![format!("new estimate {}", new.meta.name.id())],
        Step::Updated { old, new } => new.differences(old),
        Step::Deleted(_) => vec!["estimate deleted".to_owned()],
        Step::Undeleted(_) => vec!["estimate undeleted".to_owned()],
    }
}

/// Why an initiative moves when this is done to one of its estimates.
fn reason(mut done: Vec<String>, before: Option<&Priority>, after: Option<&Priority>) -> String {
    if let (Some(before), Some(after)) = (before, after)
        && before.estimate != after.estimate
    {
        done.push(format!("{} counts instead of {}", after.estimate.id, before.estimate.id));
    }
    done.join(", ")
}

/// Gives each initiative whose estimates were written what they say now.
async fn prioritize_all(write: &mut Write, taken: &[Step<Estimate>]) -> Result<(), Error> {
    // Of several for one initiative the last says why.
    let last: BTreeMap<_, _> = taken.iter().map(|step| (&step.state().initiative, step)).collect();
    prioritize(write, last.into_values().map(|step| (step.state(), done(step))).collect()).await
}

/// Gives the initiatives of estimates that were written, one of each, what their estimates say now, and announces where
/// that moved them, one after the other. Beside an estimate stands what of it changed. Initiatives that only make room are
/// not announced: their own estimate says the same as before.
async fn prioritize(write: &mut Write, written: Vec<(&Estimate, Vec<String>)>) -> Result<(), Error> {
    let mut initiatives = write.find_all::<Initiatives>(written.iter().map(|(e, _)| &e.initiative)).await?;
    let names: Vec<String> = written.iter().map(|(e, _)| e.initiative.to_string()).collect();
    let mut estimates: BTreeMap<_, Vec<Estimate>> = BTreeMap::new();
    for estimate in write.all_where_in::<Estimates>("initiative", &names, u32::MAX).await? {
        estimates.entry(estimate.initiative.id().to_string()).or_default().push(estimate);
    }
    let mut moves = Vec::with_capacity(written.len());
    for (estimate, done) in written {
        let id = estimate.initiative.id().as_str();
        let Some(initiative) = initiatives.remove(id) else { continue };
        let priority = estimates.get(id).and_then(|all| current(all)).map(Priority::of);
        if priority != initiative.priority {
            let why = reason(done, initiative.priority.as_ref(), priority.as_ref());
            let after = Initiative { priority, ..initiative.clone() };
            moves.push(Move { from: initiative.rank(), to: after.rank(), initiative, after, estimate, why });
        }
    }
    // Counted before the first of them moves, all at once: what the moves before one do to its count is added below.
    let mut ranges = vec![(Rank::FIRST, Rank::UNRANKED)];
    for Move { from, to, .. } in &moves {
        ranges.extend([from, to].map(|rank| (Rank::FIRST, rank.by_score())));
    }
    let counts = write.counts_between::<Initiatives>(RANK, &ranges).await?;
    let [ranked, better @ ..] = counts.as_slice() else { return Err(Error::bug("a count is missing")) };
    let mut shift = Shift::default();
    for (Move { initiative, after, from, to, estimate, why }, better) in moves.into_iter().zip(better.chunks(2)) {
        let [better_from, better_to] = [0, 1].map(|end| better.get(end).copied().unwrap_or_default());
        let start = initiative.place(shift.of(better_from, from.by_score()) + 1);
        shift.gone(&from);
        let end = after.place(shift.of(better_to, to.by_score()) + 1);
        let count = shift.of(*ranked, Rank::UNRANKED) + u32::from(end.is_some());
        shift.come(&to);
        let moved = moved(start, end, count, estimate, &why, write.now());
        if let Some(change) = initiative.prioritize(after.priority, moved) {
            write.put::<Initiatives>(change)?;
        }
    }
    Ok(())
}

/// What moves do to counts of the ranks better than a bound.
#[derive(Default)]
struct Shift {
    /// Ranks that are gone or have come, with what each adds.
    ranks: Vec<(String, i64)>,
}

impl Shift {
    fn gone(&mut self, rank: &Rank) {
        self.ranks.push((rank.to_string(), -1));
    }

    fn come(&mut self, rank: &Rank) {
        self.ranks.push((rank.to_string(), 1));
    }

    /// A count from before all moves, as it is now.
    fn of(&self, before: u32, bound: &str) -> u32 {
        let better = self.ranks.iter().filter(|(rank, _)| Rank::FIRST <= rank.as_str() && rank.as_str() < bound);
        (i64::from(before) + better.map(|(_, by)| by).sum::<i64>()) as u32
    }
}

/// What becomes of an initiative: how it was and is to be, and where that puts it.
struct Move<'a> {
    initiative: Initiative,
    after: Initiative,
    from: Rank,
    to: Rank,
    estimate: &'a Estimate,
    why: String,
}

/// The same for an estimate that was written before its initiative kept what it says.
pub async fn reprioritize(write: &mut Write, id: &str) -> Result<(), Error> {
    let id = id.parse().map_err(Error::bug)?;
    match write.find::<Estimates>(&Name::new(write.workspace().clone(), id)).await? {
        Some(estimate) => prioritize(write, vec![(&estimate, vec!["kept from now on".to_owned()])]).await,
        None => Ok(()),
    }
}
