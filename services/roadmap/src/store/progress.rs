//! What is known of key results: the rules of their table and of that of check-ins, by which a key result keeps what the last
//! of its check-ins says and what its metric was last, and finds that again where it came to be measured otherwise.

use std::collections::{BTreeMap, BTreeSet};

use waymark_domain::roadmap::{CheckIn, CheckInEvent, KeyResult, KeyResultEvent, LastCheckIn};
use waymark_domain::{Change, FullName, Name, Reading};
use waymark_store::{Error, Rule, Ruled, Rules, Step, Write};

use super::{CheckIns, KeyResults, Metrics};

impl Ruled for KeyResults {
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, new| Box::pin(bind(write, None, new))),
        update: Rule::Reading(|write, (old, new)| Box::pin(bind(write, Some(old), new))),
        undelete: Rule::Reading(|write, back| Box::pin(bring_back(write, back))),
        ..Rules::PLAIN
    };
}

impl Ruled for CheckIns {
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, new| Box::pin(sign(write, None, new))),
        update: Rule::Reading(|write, (old, new)| Box::pin(sign(write, Some(old), new))),
        after: Some(|write, taken| Box::pin(tell(write, taken))),
        ..Rules::PLAIN
    };
}

/// A key result with what its metric was last, where that is another one than before.
async fn bind(write: &mut Write, old: Option<KeyResult>, mut new: KeyResult) -> Result<Change<KeyResult>, Error> {
    let event = if old.is_some() { KeyResultEvent::Updated } else { KeyResultEvent::Created };
    if old.is_none_or(|old| old.metric != new.metric) {
        new.reading = reading(write, new.metric.as_ref()).await?;
    }
    Ok(Change::new(new, event))
}

/// A key result that is no longer deleted, as its check-ins and its metric have it now: they may have changed meanwhile.
async fn bring_back(write: &mut Write, mut back: KeyResult) -> Result<Change<KeyResult>, Error> {
    let last = write.last::<CheckIns>("time", "key_result", &[back.meta.name.to_string()]).await?;
    back.last_check_in = last.first().map(LastCheckIn::from);
    back.reading = reading(write, back.metric.as_ref()).await?;
    Ok(Change::new(back, KeyResultEvent::Undeleted))
}

/// What a metric was last, as far as is known here.
pub async fn reading(write: &mut Write, metric: Option<&FullName>) -> Result<Option<Reading>, Error> {
    let Some(FullName { name, .. }) = metric else { return Ok(None) };
    let name = Name::new(name.workspace.clone(), name.id.clone());
    Ok(write.find::<Metrics>(&name).await?.and_then(|metric| metric.latest))
}

/// A check-in that says what its key result needs to be told, signed.
async fn sign(write: &mut Write, old: Option<CheckIn>, new: CheckIn) -> Result<Change<CheckIn>, Error> {
    let event = if old.is_some() { CheckInEvent::Updated } else { CheckInEvent::Created };
    // That there is none is told of the reference.
    let Some(key_result) = write.find::<KeyResults>(&new.key_result).await? else { return Ok(Change::new(new, event)) };
    let signed = new.signed(old.as_ref(), &key_result, write.actor(), write.now());
    Ok(Change::new(signed.map_err(Error::rule)?, event))
}

/// Gives each key result whose check-ins were written the one that is last now.
async fn tell(write: &mut Write, taken: &[Step<CheckIn>]) -> Result<(), Error> {
    let written: BTreeSet<_> = taken.iter().map(|step| &step.state().key_result).collect();
    let names: Vec<String> = written.iter().map(ToString::to_string).collect();
    let last = write.last::<CheckIns>("time", "key_result", &names).await?;
    let last: BTreeMap<_, _> = last.iter().map(|check_in| (&check_in.key_result, check_in)).collect();
    for key_result in write.find_all::<KeyResults>(written.into_iter()).await?.into_values() {
        let last = last.get(&key_result.meta.name).copied().map(LastCheckIn::from);
        if let Some(change) = key_result.checked_in(last) {
            write.put::<KeyResults>(change)?;
        }
    }
    Ok(())
}
