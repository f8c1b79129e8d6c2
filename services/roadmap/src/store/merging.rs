//! Bringing a scenario into the roadmap: by field, in one write, by the decisions that initiatives have.

use std::collections::{BTreeMap, BTreeSet};

use waymark_domain::merge::Side;
use waymark_domain::roadmap::{
    Around, Conflict, Initiative, InitiativeEvent, InitiativeState, Scenario, ScenarioError, Variant,
};
use waymark_domain::{AnyName, Change, Name, Violations};
use waymark_proto::merge::{DELETE_TIME, Difference, Fields, Outcome};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Error, Write, resource};

use super::scenarios::SCENARIO;
use super::{Initiatives, Scenarios, Variants, bring_back, must_decline, new_name, not_to_build, taken_up_again};

/// How a scenario is to be merged.
pub struct Merging {
    /// Whose value is taken, by initiative and field; an empty field stands for all without one of their own.
    pub resolutions: BTreeMap<(Name<Initiative>, String), Side>,
    /// Whose value is taken of what is in conflict otherwise.
    pub otherwise: Option<Side>,
    /// The revision that the caller compared with.
    pub compared: Option<i64>,
}

/// An initiative that a scenario changed, beside the roadmap.
struct Compared {
    variant: Variant,
    /// On the roadmap, deleted or not; `None` where there is none yet.
    trunk: Option<Initiative>,
    /// What is to come of it; `None` where nothing is.
    wanted: Option<Initiative>,
    /// The decision that is made with the merge, that it is not built.
    made: Option<AnyName>,
}

/// What a scenario changed of an initiative, and what a merge makes of it.
pub fn differences(fields: &Fields<pb::Initiative>, variant: &Variant, trunk: Option<&Initiative>) -> Vec<Difference> {
    let base = variant.base.as_deref().map(pb::Initiative::from);
    let alike =
        |field: &str| field == "state" && trunk.is_some_and(|trunk| trunk.state.is_like(&variant.initiative.state));
    let branch = (&*variant.initiative).into();
    fields.differences(base.as_ref(), &branch, trunk.map(pb::Initiative::from).as_ref(), alike)
}

/// Merges a scenario. Gives it as it is then, with the names of the initiatives that changed.
pub async fn merge(write: &mut Write, scenario: Scenario, how: &Merging) -> Result<pb::MergeScenarioResponse, Error> {
    scenario.must_be_open("MergeScenario").map_err(Error::rule)?;
    let name = scenario.meta.name.clone();
    let variants = write.all_where::<Variants>(SCENARIO, &name.to_string(), Scenario::INITIATIVES as u32).await?;
    let ids: Vec<String> = variants.iter().map(|variant| variant.initiative.meta.name.id().to_string()).collect();
    let mut trunks = write.load_many::<Initiatives>(ids.iter().cloned()).await?;
    let mut compared = Vec::with_capacity(variants.len());
    for (variant, id) in variants.into_iter().zip(&ids) {
        let trunk = trunks.remove(id).map(resource::<Initiatives>).transpose()?;
        compared.push(Compared { variant, trunk, wanted: None, made: None });
    }
    if let Some(revision) = how.compared {
        must_not_have_moved(write, revision, &ids, &compared).await?;
    }
    decide_fields(&name, &mut compared, how)?;
    let changes = decide(write, &name, compared).await?;
    let mut initiatives = Vec::with_capacity(changes.len());
    for change in changes {
        initiatives.push(change.state().meta.name.to_string());
        write.put::<Initiatives>(change)?;
    }
    initiatives.sort();
    let (by, now, revision) = (write.actor().to_owned(), write.now(), write.revision());
    let scenario = write.put::<Scenarios>(scenario.merged(by, now, revision))?;
    Ok(pb::MergeScenarioResponse { scenario: Some(scenario), initiatives })
}

/// Refuses when an initiative is no longer as the caller compared it.
async fn must_not_have_moved(write: &mut Write, compared: i64, ids: &[String], all: &[Compared]) -> Result<(), Error> {
    let current = write.revision() - 1;
    if compared > current {
        return Err(Error::Future { asked: compared, current });
    }
    let changed = write.changed_since::<Initiatives>(compared, ids.iter().map(String::as_str)).await?;
    let moved = all.iter().find(|one| changed.contains(one.variant.initiative.meta.name.id().as_str()));
    match moved {
        Some(Compared { variant, trunk, .. }) => {
            let initiative = variant.initiative.meta.name.clone();
            let etag = trunk.as_ref().map(|trunk| trunk.meta.version.to_string()).unwrap_or_default();
            Err(Error::rule(ScenarioError::Moved { initiative, etag, compared }))
        }
        None => Ok(()),
    }
}

/// Puts fields together, or names all that are in conflict.
fn decide_fields(scenario: &Name<Scenario>, all: &mut [Compared], how: &Merging) -> Result<(), Error> {
    let fields = Fields::<pb::Initiative>::read();
    let (mut conflicts, mut violations) = (Vec::new(), Violations::new());
    let mut used = BTreeSet::new();
    for Compared { variant, trunk, wanted, .. } in all {
        let name = &variant.initiative.meta.name;
        let found = differences(&fields, variant, trunk.as_ref());
        let mut side = |field: &str| {
            let keys = [field, ""].map(|field| (name.clone(), field.to_owned()));
            let (key, side) = keys.iter().find_map(|key| how.resolutions.get_key_value(key))?;
            used.insert(key);
            Some(*side)
        };
        let sides: Vec<Option<Side>> = found
            .iter()
            .map(|one| side(&one.field).or(how.otherwise.filter(|_| one.outcome == Outcome::Conflict)))
            .collect();
        let taken = || found.iter().zip(sides.iter().copied());
        if taken().any(|(one, side)| one.field == DELETE_TIME && side == Some(Side::Trunk)) {
            // Whether there is one at all is as on the roadmap, so the rest says nothing.
            continue;
        }
        let unresolved: Vec<_> = taken()
            .filter(|(one, side)| one.outcome == Outcome::Conflict && side.is_none())
            .map(|(one, _)| conflict(name, one))
            .collect();
        if !unresolved.is_empty() {
            conflicts.extend(unresolved);
            continue;
        }
        let branch = (&*variant.initiative).into();
        let merged = fields.merged(&branch, trunk.as_ref().map(Into::into).as_ref(), taken()).map_err(Error::bug)?;
        *wanted = violations.nested(&format!("initiatives/{}", name.id()), waymark_proto::parse(merged));
    }
    for (initiative, field) in how.resolutions.keys().filter(|key| !used.contains(key)) {
        let what = if field.is_empty() { initiative.to_string() } else { format!("{field} of {initiative}") };
        violations.add("resolutions", format!("{what} is not changed by {scenario}; CompareScenario tells what is"));
    }
    violations.into_result()?;
    if conflicts.is_empty() {
        return Ok(());
    }
    Err(Error::rule(ScenarioError::Conflicts { resource: scenario.clone(), conflicts }))
}

fn conflict(initiative: &Name<Initiative>, difference: &Difference) -> Conflict {
    let Difference { field, base, branch, trunk, .. } = difference;
    let [base, scenario, roadmap] = [base, branch, trunk].map(text);
    Conflict { initiative: initiative.clone(), field: field.clone(), base, scenario, roadmap }
}

/// A value as it is told: JSON, and nothing where it is not set.
pub fn text(value: &serde_json::Value) -> String {
    if value.is_null() { String::new() } else { value.to_string() }
}

/// Decides on each initiative by its rules, judged by what all of them will be, or names all that they speak against.
async fn decide(
    write: &mut Write,
    scenario: &Name<Scenario>,
    mut all: Vec<Compared>,
) -> Result<Vec<Change<Initiative>>, Error> {
    for one in &mut all {
        let is_declined = one.trunk.iter().zip(&one.wanted).any(|(trunk, wanted)| trunk.state.is_like(&wanted.state));
        // A scenario makes no decisions, so the one that something is not built is made now.
        if let Some(wanted) = &mut one.wanted
            && let InitiativeState::Declined(decline) = &mut wanted.state
            && decline.decision.is_none()
            && !is_declined
        {
            one.made = Some(new_name(write)?);
            decline.decision.clone_from(&one.made);
        }
    }
    let others = others(write, &all).await?;
    let mut will_be: BTreeMap<&Name<Initiative>, &Initiative> =
        others.iter().map(|initiative| (&initiative.meta.name, initiative)).collect();
    will_be.extend(all.iter().filter_map(|one| one.wanted.as_ref().map(|wanted| (&wanted.meta.name, wanted))));
    will_be.retain(|_, initiative| initiative.meta.delete_time.is_none());
    let (mut changes, mut refusals) = (Vec::new(), Vec::new());
    for Compared { variant, trunk, wanted, made } in &all {
        let Some(wanted) = wanted else { continue };
        let before = wanted.dependencies.iter().filter_map(|name| will_be.get(name).copied()).collect();
        let is_declined = matches!(wanted.state, InitiativeState::Declined(_));
        let waits = |other: &&&Initiative| other.dependencies.contains(&wanted.meta.name);
        let waiting = will_be.values().filter(|_| is_declined).filter(waits).copied().collect();
        match one(write, trunk.as_ref(), wanted, made.as_ref(), &Around { before, waiting }).await? {
            Ok(change) => changes.extend(change),
            Err(refusal) => refusals.push((variant.initiative.meta.name.clone(), refusal)),
        }
    }
    if refusals.is_empty() {
        return Ok(changes);
    }
    Err(Error::rule(ScenarioError::Refused { resource: scenario.clone(), refusals }))
}

/// The initiatives that speak for or against steps of those that are merged, and are not merged themselves.
async fn others(write: &mut Write, all: &[Compared]) -> Result<Vec<Initiative>, Error> {
    let merged: BTreeSet<&Name<Initiative>> =
        all.iter().filter(|one| one.wanted.is_some()).map(|one| &one.variant.initiative.meta.name).collect();
    let wanted = || all.iter().filter_map(|one| one.wanted.as_ref());
    let before: BTreeSet<_> = wanted().flat_map(|wanted| &wanted.dependencies).collect();
    let found = write.find_all::<Initiatives>(before.into_iter().filter(|name| !merged.contains(name))).await?;
    let mut others: Vec<Initiative> = found.into_values().collect();
    for declined in wanted().filter(|wanted| matches!(wanted.state, InitiativeState::Declined(_))) {
        let waiting = write.referrers::<Initiatives>(&declined.meta.name.full(), &["dependencies"]).await?;
        others.extend(waiting.into_iter().filter(|other| !merged.contains(&other.meta.name)));
    }
    Ok(others)
}

type Decided = Result<Option<Change<Initiative>>, waymark_domain::roadmap::InitiativeError>;

/// What becomes of one initiative, with what is decided besides.
async fn one(
    write: &mut Write,
    trunk: Option<&Initiative>,
    wanted: &Initiative,
    made: Option<&AnyName>,
    around: &Around<'_>,
) -> Result<Decided, Error> {
    let is_live = |initiative: &Initiative| initiative.meta.delete_time.is_none();
    let (at, begun) = match trunk {
        None if is_live(wanted) => {
            let id = wanted.meta.name.id().as_str();
            write.fresh::<Initiatives>(id, wanted.into())?.propose().into_parts()
        }
        Some(trunk) if is_live(trunk) && is_live(wanted) => (trunk.clone(), Vec::new()),
        Some(trunk) if is_live(trunk) => {
            let mut deleted = trunk.clone();
            deleted.meta.delete_time = Some(write.now());
            return Ok(Ok(Some(Change::new(deleted, InitiativeEvent::Deleted))));
        }
        Some(trunk) if is_live(wanted) => {
            let mut back = trunk.clone();
            back.meta.delete_time = None;
            bring_back(write, back).await?.into_parts()
        }
        // Created in the scenario and deleted again, or deleted on both sides.
        None | Some(_) => return Ok(Ok(None)),
    };
    let by = write.actor().to_owned();
    let change = match at.follow(begun, wanted, around, &by, write.now()) {
        Ok(Some(change)) => change,
        unchanged => return Ok(unchanged),
    };
    let did = |event| change.events().contains(&event);
    if let Some(trunk) = trunk
        && let InitiativeState::Declined(decline) = &trunk.state
        && did(InitiativeEvent::Resumed)
    {
        taken_up_again(write, trunk, decline, &by).await?;
    }
    if let InitiativeState::Declined(decline) = &change.state().state
        && let Some(decision) = &decline.decision
        && did(InitiativeEvent::Declined)
    {
        match made {
            Some(_) => not_to_build(write, change.state())?,
            None => must_decline(write, decision).await?,
        }
    }
    Ok(Ok(Some(change)))
}
