//! Objectives as they belong together: branches of them, the key results that tell of them, and the initiatives that name
//! those. Read level by level, now or as they stood.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Deserialize;
use waymark_domain::Name;
use waymark_domain::roadmap::{Initiative, KeyResult, Objective, Score, Standing};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Error, Read as _, View, below};

use super::initiatives::STATE;
use super::{Initiatives, KeyResults, Objectives};

/// As much of an initiative as is said of it beside a key result.
#[derive(Debug, Clone)]
pub struct Serving {
    /// Its name.
    pub name: String,
    /// What it is called.
    pub display_name: String,
    /// Where it is in its life.
    pub state: pb::InitiativeState,
    /// The key results that it named as it stood; links tell which it names now.
    named: Option<Vec<String>>,
}

/// The same as events have it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stood {
    name: String,
    display_name: String,
    state: pb::InitiativeState,
    key_results: Vec<String>,
    delete_time: Option<String>,
}

impl Serving {
    /// Those of these ids that are live, by id.
    async fn of(view: &View, ids: BTreeSet<&str>) -> Result<BTreeMap<String, Self>, Error> {
        if view.is_past::<Initiatives>() {
            let stood = view.outlined::<Initiatives, Stood>(ids).await?.into_iter();
            let live = stood.filter(|(_, stood)| stood.delete_time.is_none());
            return Ok(live.map(|(id, stood)| (id, Self::from(stood))).collect());
        }
        let rows = view.columns::<Initiatives, (String, String, String)>(ids, ["id", "display_name", STATE]).await?;
        let serving = |(id, display_name, state): (String, String, String)| {
            let state = pb::InitiativeState::from_str_name(&format!("INITIATIVE_STATE_{state}"));
            let state = state.ok_or_else(|| Error::bug(format!("initiative {id} is in a state that there is not")))?;
            let name = Name::<Initiative>::new(view.workspace().clone(), id.parse().map_err(Error::bug)?).to_string();
            Ok((id, Self { name, display_name, state, named: None }))
        };
        rows.into_iter().map(serving).collect()
    }

    fn names(&self, key_result: &str) -> bool {
        self.named.as_ref().is_none_or(|named| named.iter().any(|name| name == key_result))
    }
}

impl From<Stood> for Serving {
    fn from(Stood { name, display_name, state, key_results, .. }: Stood) -> Self {
        Self { name, display_name, state, named: Some(key_results) }
    }
}

/// Objectives and what belongs to them, by name. Names have long beginnings in common, so what need not be in order is not.
#[derive(Default)]
pub struct Goals {
    /// The objectives.
    pub objectives: BTreeMap<String, pb::Objective>,
    /// The names of those directly below each.
    pub below: HashMap<String, Vec<String>>,
    key_results: HashMap<String, Vec<pb::KeyResult>>,
    initiatives: HashMap<String, Vec<Serving>>,
    /// The key results that more initiatives name than were read.
    more: HashSet<String>,
}

impl Goals {
    /// Objectives and all that stands below them, with as many initiatives of each key result; `None` where that is too
    /// much.
    pub async fn below(view: &mut View, roots: &[pb::Objective], initiatives: usize) -> Result<Option<Self>, Error> {
        let names = roots.iter().map(|root| root.name.clone()).collect();
        let below = below::<Objectives>(view, "parent_objective", names, Objective::READ_AT_ONCE + 1).await?;
        Self::of(view, roots.iter().cloned().chain(below), initiatives).await
    }

    /// Objectives alone, with what belongs to them.
    pub async fn of(
        view: &mut View,
        objectives: impl IntoIterator<Item = pb::Objective>,
        initiatives: usize,
    ) -> Result<Option<Self>, Error> {
        let mut goals = Self::default();
        goals.objectives.extend(objectives.into_iter().map(|objective| (objective.name.clone(), objective)));
        for (name, objective) in &goals.objectives {
            goals.below.entry(objective.parent_objective.clone()).or_default().push(name.clone());
        }
        let Some(room) = Objective::READ_AT_ONCE.checked_sub(goals.objectives.len()) else { return Ok(None) };
        let names: Vec<String> = goals.objectives.keys().cloned().collect();
        let found = view.where_in::<KeyResults>("objective", &names, room as u32 + 1).await?;
        let Some(room) = room.checked_sub(found.names.len()) else { return Ok(None) };
        // What names them is looked up while they are read.
        if !goals.name(view, &found.names, room, initiatives).await? {
            return Ok(None);
        }
        for key_result in found.all().await? {
            goals.key_results.entry(key_result.objective.clone()).or_default().push(key_result);
        }
        goals.key_results.values_mut().for_each(|of| of.sort_by(|a, b| a.name.cmp(&b.name)));
        Ok(Some(goals))
    }

    /// Reads the first initiatives that name each of these key results; tells whether there was room for the references.
    async fn name(&mut self, view: &View, key_results: &[String], room: usize, most: usize) -> Result<bool, Error> {
        let ids: Vec<String> = key_results.iter().map(|name| id(name).to_owned()).collect();
        let pairs = view.referrers::<Initiatives, KeyResult>("key_results", &ids, room + 1).await?;
        if pairs.len() > room {
            return Ok(false);
        }
        let mut naming: HashMap<&str, Vec<&str>> = HashMap::new();
        for (key_result, initiative) in &pairs {
            naming.entry(key_result).or_default().push(initiative);
        }
        let shown = naming.values().flat_map(|of| of.iter().take(most).copied());
        let initiatives = Serving::of(view, shown.collect()).await?;
        for key_result in key_results {
            let Some(naming) = naming.get(id(key_result)) else { continue };
            if naming.len() > most {
                self.more.insert(key_result.clone());
            }
            let known = naming.iter().take(most).filter_map(|id| initiatives.get(*id));
            let known = known.filter(|initiative| initiative.names(key_result));
            self.initiatives.insert(key_result.clone(), known.cloned().collect());
        }
        Ok(true)
    }

    /// The key results of an objective, by name.
    pub fn key_results(&self, objective: &str) -> &[pb::KeyResult] {
        self.key_results.get(objective).map_or(&[], Vec::as_slice)
    }

    /// The initiatives that name a key result, by name, as far as they were read, and whether there are more.
    pub fn initiatives(&self, key_result: &str) -> (&[Serving], bool) {
        (self.initiatives.get(key_result).map_or(&[], Vec::as_slice), self.more.contains(key_result))
    }

    /// Takes out what is shown of an objective: it, and its key results by name.
    pub fn take(&mut self, objective: &str) -> (Option<pb::Objective>, Vec<pb::KeyResult>) {
        (self.objectives.remove(objective), self.key_results.remove(objective).unwrap_or_default())
    }

    /// An objective and all below it with how many stand above each: each before those below it, siblings by name.
    pub fn walk<'a>(&'a self, root: &'a str) -> Vec<(&'a str, usize)> {
        let (mut walked, mut next) = (Vec::new(), vec![(root, 0)]);
        while let Some((name, depth)) = next.pop() {
            walked.push((name, depth));
            // The only one that even a damaged tree leads to twice is where the walk began.
            let below = self.below.get(name).into_iter().flatten().filter(|below| *below != root);
            next.extend(below.rev().map(|below| (below.as_str(), depth + 1)));
        }
        walked
    }

    /// How far each of those on a walk has come.
    pub fn standings<'a>(&self, walked: &[(&'a str, usize)]) -> HashMap<&'a str, Standing> {
        let mut standings: HashMap<&str, Standing> = HashMap::with_capacity(walked.len());
        // From below: what stands below an objective is known before the objective.
        for (name, _) in walked.iter().rev() {
            let of = self.key_results(name).iter();
            let of: Vec<_> = of.map(|of| (of.score.map(Score::of), of.weight_or_default())).collect();
            let below = self.below.get(*name).into_iter().flatten();
            let below: Vec<_> = below.filter_map(|below| Some(standings.get(below.as_str())?.score)).collect();
            standings.insert(name, Standing::of(&of, &below));
        }
        standings
    }
}

/// The id of a name.
fn id(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}
