//! What estimates say of initiatives: the rules of both tables by which an initiative keeps what its estimate says, and
//! the announcement of what that does to the ranking.

use std::collections::BTreeMap;
use std::sync::Arc;

use waymark_domain::roadmap::ranking::{current, moved};
use waymark_domain::roadmap::{
    Estimate, EstimateEvent, Framework, Initiative, InitiativeEvent, Priority, Rank, RankMove,
};
use waymark_domain::{Change, Name, Violations};
use waymark_proto::ResourceMessage as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Error, Rule, Ruled, Rules, Step, Write};

use super::initiatives::rank_column;
use super::{Estimates, Initiatives, scales};

impl Ruled for Initiatives {
    const RULES: Rules<Self> = Rules {
        create: Rule::Alone(|new| Ok(new.propose())),
        update: Rule::Alone(|(old, new)| new.revise(&old).map_err(Error::rule)),
        undelete: Rule::Reading(|write, back| Box::pin(bring_back(write, back))),
        ..Rules::PLAIN
    };
}

impl Ruled for Estimates {
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, new| Box::pin(hold(write, None, new, EstimateEvent::Created))),
        update: Rule::Reading(|write, (old, new)| Box::pin(hold(write, Some(old), new, EstimateEvent::Updated))),
        after: Some(|write, taken| Box::pin(prioritize_all(write, taken))),
        ..Rules::PLAIN
    };
}

/// An initiative that is no longer deleted, as its estimates have it now: they may have changed meanwhile.
pub async fn bring_back(write: &mut Write, back: Initiative) -> Result<Change<Initiative>, Error> {
    let newest = write.last::<Estimates>("create_time", "initiative", &[back.meta.name.to_string()]).await?;
    let priority = newest.first().map(Priority::of);
    Ok(Change::new(Initiative { priority, ..back }, InitiativeEvent::Undeleted))
}

/// An estimate with numbers for its words, signed by its caller as far as it says anything else than before. The scales of
/// the workspace are read only where they have a say.
async fn hold(
    write: &mut Write,
    old: Option<Estimate>,
    new: Estimate,
    event: EstimateEvent,
) -> Result<Change<Estimate>, Error> {
    let old = old.as_ref();
    let scales = if new.asks_scales(old) { scales(write).await? } else { Arc::default() };
    let mut violations = Violations::new();
    let new = violations.nested(pb::Estimate::SINGULAR, new.on_scales(old, &scales)).ok_or(violations)?;
    Ok(Change::new(new.signed(old, write.actor(), write.now()), event))
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

/// Estimates of an initiative that were written, and what was done to the last of them.
struct Written<'a> {
    estimates: Vec<&'a Estimate>,
    done: Vec<String>,
}

/// Gives each initiative whose estimates were written what they say now.
async fn prioritize_all(write: &mut Write, taken: &[Step<Estimate>]) -> Result<(), Error> {
    let mut written: BTreeMap<_, Written<'_>> = BTreeMap::new();
    for step in taken {
        let of = written.entry(&step.state().initiative).or_insert(Written { estimates: Vec::new(), done: Vec::new() });
        of.estimates.push(step.state());
        // Of several for one initiative the last says why.
        of.done = done(step);
    }
    prioritize(write, written.into_values().collect()).await
}

/// Gives the initiatives of estimates that were written what their estimates say now, and announces where that moved
/// them, one after the other. Beside an estimate stands what of it changed. Initiatives that only make room are not
/// announced: their own estimate says the same as before.
async fn prioritize(write: &mut Write, written: Vec<Written<'_>>) -> Result<(), Error> {
    let names = written.iter().filter_map(|of| Some(&of.estimates.first()?.initiative));
    let mut initiatives = write.find_all::<Initiatives>(names).await?;
    let counted = counted(write, &initiatives).await?;
    let mut moves = Vec::with_capacity(written.len());
    for Written { estimates, done } in written {
        let Some(estimate) = estimates.last().copied() else { continue };
        let Some(initiative) = initiatives.remove(estimate.initiative.id().as_str()) else { continue };
        let live = estimates.into_iter().filter(|estimate| estimate.meta.delete_time.is_none());
        let priority = current(live.chain(counted.get(&initiative.meta.name))).map(Priority::of);
        if priority != initiative.priority {
            let why = reason(done, initiative.priority.as_ref(), priority.as_ref());
            let after = Initiative { priority, ..initiative.clone() };
            moves.push(Move { initiative, after, estimate, why, orders: Vec::new() });
        }
    }
    // Counted before the first of them moves, all at once: what the moves before one do to its count is added there.
    for framework in Framework::ALL {
        rank(write, *framework, &mut moves).await?;
    }
    for Move { initiative, after, estimate, why, orders } in moves {
        let moved = moved(orders, estimate, &why, write.now());
        if let Some(change) = initiative.prioritize(after.priority, moved) {
            write.put::<Initiatives>(change)?;
        }
    }
    Ok(())
}

/// Tells where moves lead in the order of a framework, one after the other. Of an order that none of them is about nothing
/// is read.
async fn rank(write: &mut Write, framework: Framework, moves: &mut [Move<'_>]) -> Result<(), Error> {
    // Of what has a place there alone.
    let in_order = |of: &Initiative| of.place(framework, 0).and_then(|_| of.rank_by(framework));
    let bound = |rank: Option<&Rank>| rank.map_or(Rank::UNRANKED, Rank::by_score).to_owned();
    let moving = moves.iter_mut().map(|of| (in_order(&of.initiative), in_order(&of.after), of));
    let moving: Vec<_> = moving.filter(|(from, to, _)| from != to).collect();
    if moving.is_empty() {
        return Ok(());
    }
    let bounds: Vec<String> =
        moving.iter().flat_map(|(from, to, _)| [bound(from.as_ref()), bound(to.as_ref())]).collect();
    let mut ranges = vec![(Rank::FIRST, Rank::UNRANKED)];
    ranges.extend(bounds.iter().map(|bound| (Rank::FIRST, bound.as_str())));
    let counts = write.counts_between::<Initiatives>(rank_column(framework), &ranges).await?;
    let [ranked, better @ ..] = counts.as_slice() else { return Err(Error::bug("a count is missing")) };
    let mut shift = Shift::default();
    for ((from, to, of), better) in moving.into_iter().zip(better.chunks(2)) {
        let [better_from, better_to] = [0, 1].map(|end| better.get(end).copied().unwrap_or_default());
        let start = of.initiative.place(framework, shift.of(better_from, &bound(from.as_ref())) + 1);
        shift.ranks.extend(from.map(|rank| (rank.to_string(), -1)));
        let end = of.after.place(framework, shift.of(better_to, &bound(to.as_ref())) + 1);
        let ranked_count = shift.of(*ranked, Rank::UNRANKED) + u32::from(end.is_some());
        shift.ranks.extend(to.map(|rank| (rank.to_string(), 1)));
        of.orders.push(RankMove { framework, from: start, to: end, ranked_count });
    }
    Ok(())
}

/// The estimate of each initiative that counted so far, as it is; where that one is gone, the one that counts now. So
/// what an estimate costs does not depend on how many there are, unless the one that counts is deleted: then those of its
/// initiative are looked through, though not read.
async fn counted(
    write: &mut Write,
    initiatives: &BTreeMap<String, Initiative>,
) -> Result<BTreeMap<Name<Initiative>, Estimate>, Error> {
    let named = |initiative: &Initiative| {
        let estimate = initiative.priority.as_ref()?.estimate.clone();
        Some((initiative.meta.name.clone(), Name::new(estimate.workspace, estimate.id)))
    };
    let named: Vec<(Name<Initiative>, Name<Estimate>)> = initiatives.values().filter_map(named).collect();
    let mut known = write.find_all::<Estimates>(named.iter().map(|(_, estimate)| estimate)).await?;
    let gone = named.iter().filter(|(_, estimate)| !known.contains_key(estimate.id().as_str()));
    let gone: Vec<String> = gone.map(|(initiative, _)| initiative.to_string()).collect();
    let next = write.last::<Estimates>("create_time", "initiative", &gone).await?;
    known.extend(next.into_iter().map(|estimate| (estimate.meta.name.id().to_string(), estimate)));
    Ok(known.into_values().map(|estimate| (estimate.initiative.clone(), estimate)).collect())
}

/// What moves do to counts of the ranks better than a bound.
#[derive(Default)]
struct Shift {
    /// Ranks that are gone or have come, with what each adds.
    ranks: Vec<(String, i64)>,
}

impl Shift {
    /// A count from before all moves, as it is now.
    fn of(&self, before: u32, bound: &str) -> u32 {
        let better = self.ranks.iter().filter(|(rank, _)| Rank::FIRST <= rank.as_str() && rank.as_str() < bound);
        (i64::from(before) + better.map(|(_, by)| by).sum::<i64>()) as u32
    }
}

/// What becomes of an initiative: how it was and is to be, why, and where that puts it in each order that it moves in.
struct Move<'a> {
    initiative: Initiative,
    after: Initiative,
    estimate: &'a Estimate,
    why: String,
    orders: Vec<RankMove>,
}

/// The same for an estimate that was written before its initiative kept what the one that counts says.
pub async fn reprioritize(write: &mut Write, id: &str) -> Result<(), Error> {
    let id = id.parse().map_err(Error::bug)?;
    match write.find::<Estimates>(&Name::new(write.workspace().clone(), id)).await? {
        Some(estimate) => {
            let done = vec!["kept from now on".to_owned()];
            prioritize(write, vec![Written { estimates: vec![&estimate], done }]).await
        }
        None => Ok(()),
    }
}
