//! A scenario as changes in it see it: initiatives that it changed as it has them, others as they were at its revision,
//! which are read when they are looked at. What was changed is kept at the end, as variants.

use std::collections::{BTreeMap, BTreeSet};

use waymark_domain::roadmap::{Initiative, Scenario, ScenarioError, Variant, VariantEvent};
use waymark_domain::{Change, Meta, Name};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Error, Read as _, Write, resource};

use super::scenarios::{PLACE, SCENARIO, place};
use super::{Initiatives, Scenarios, Variants};

/// A scenario that is being changed.
pub struct Branch<'a> {
    pub write: &'a mut Write,
    scenario: Scenario,
    /// What was looked at, by the id of the initiative.
    seen: BTreeMap<String, Seen>,
    /// Whether all variants are among that.
    whole: bool,
}

/// An initiative in the scenario; deleted ones, too.
#[derive(Default)]
struct Seen {
    variant: Option<Variant>,
    base: Option<Initiative>,
    now: Option<Initiative>,
    changed: bool,
}

impl Seen {
    fn of(variant: Variant) -> Self {
        let (base, now) = (variant.base.as_deref().cloned(), Some((*variant.initiative).clone()));
        Self { variant: Some(variant), base, now, changed: false }
    }
}

impl<'a> Branch<'a> {
    /// A scenario, of which nothing was looked at so far.
    pub fn new(write: &'a mut Write, scenario: Scenario) -> Self {
        Self { write, scenario, seen: BTreeMap::new(), whole: false }
    }

    /// Looks at initiatives, all at once.
    pub async fn look<'n>(&mut self, names: impl IntoIterator<Item = &'n Name<Initiative>>) -> Result<(), Error> {
        let unseen = self.look_at_variants(names).await?;
        if unseen.is_empty() {
            return Ok(());
        }
        let revision = self.scenario.revision;
        let past = self.write.past::<Initiatives>(revision, unseen.iter().map(String::as_str)).await;
        let mut past = past.map_err(|error| match error {
            Error::Expired { asked, earliest } => {
                let resource = self.scenario.meta.name.clone();
                Error::rule(ScenarioError::Trimmed { resource, asked, earliest })
            }
            other => other,
        })?;
        for id in unseen {
            let base = past.remove(&id).map(resource::<Initiatives>).transpose()?;
            self.seen.insert(id, Seen { now: base.clone(), base, ..Seen::default() });
        }
        Ok(())
    }

    /// The same, of those that the scenario changed; gives the ids of the others.
    async fn look_at_variants<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n Name<Initiative>>,
    ) -> Result<BTreeSet<String>, Error> {
        let unseen: BTreeMap<String, String> = names
            .into_iter()
            .filter(|name| name.workspace() == self.write.workspace() && !self.seen.contains_key(name.id().as_str()))
            .map(|name| (name.id().to_string(), place(&self.scenario.meta.name, name)))
            .collect();
        let mut ids: BTreeSet<String> = unseen.keys().cloned().collect();
        if ids.is_empty() || self.whole {
            return Ok(ids);
        }
        let places: Vec<String> = unseen.into_values().collect();
        for variant in self.write.all_where_in::<Variants>(PLACE, &places, places.len() as u32).await? {
            let id = variant.initiative.meta.name.id().to_string();
            ids.remove(&id);
            self.seen.insert(id, Seen::of(variant));
        }
        Ok(ids)
    }

    /// Looks at all that the scenario changed.
    async fn look_at_all(&mut self) -> Result<(), Error> {
        if !self.whole {
            let scenario = self.scenario.meta.name.to_string();
            let most = Scenario::INITIATIVES as u32;
            for variant in self.write.all_where::<Variants>(SCENARIO, &scenario, most).await? {
                let id = variant.initiative.meta.name.id().to_string();
                self.seen.entry(id).or_insert_with(|| Seen::of(variant));
            }
            self.whole = true;
        }
        Ok(())
    }

    /// An initiative that was looked at, deleted or not. A given `etag` must be the one that it has in the scenario.
    pub fn any(&self, name: &Name<Initiative>, etag: &str) -> Result<Initiative, Error> {
        let found = self.seen.get(name.id().as_str()).filter(|_| name.workspace() == self.write.workspace());
        let found = found.and_then(|seen| seen.now.clone()).ok_or_else(|| Error::NotFound(name.to_string()))?;
        let current = found.meta.version.to_string();
        if !etag.is_empty() && etag != current {
            return Err(Error::Stale { resource: name.to_string(), current, given: etag.to_owned() });
        }
        Ok(found)
    }

    /// The same, unless it is deleted there.
    pub fn live(&self, name: &Name<Initiative>, etag: &str) -> Result<Initiative, Error> {
        let found = self.any(name, etag)?;
        if found.meta.delete_time.is_some() { Err(Error::Deleted(name.to_string())) } else { Ok(found) }
    }

    /// Refuses a name that an initiative has, on the roadmap or in the scenario.
    pub async fn must_be_free(&mut self, name: &Name<Initiative>) -> Result<(), Error> {
        self.look_at_variants([name]).await?;
        let is_new = self.seen.get(name.id().as_str()).is_none_or(|seen| seen.now.is_none());
        if is_new && self.write.is_free::<Initiatives>(name).await? {
            Ok(())
        } else {
            Err(Error::Exists(name.to_string()))
        }
    }

    /// Those that an initiative depends on.
    pub async fn before(&mut self, initiative: &Initiative) -> Result<Vec<Initiative>, Error> {
        self.look(&initiative.dependencies).await?;
        Ok(initiative.dependencies.iter().filter_map(|name| self.live(name, "").ok()).collect())
    }

    /// Those that depend on an initiative. Of what the scenario did not change only those are looked at that still do on the
    /// roadmap: no merge asks for others, and the log has no index of them.
    pub async fn waiting(&mut self, name: &Name<Initiative>) -> Result<Vec<Initiative>, Error> {
        self.look_at_all().await?;
        let present = self.write.referrers::<Initiatives>(&name.full(), &["dependencies"]).await?;
        self.look(present.iter().map(|initiative| &initiative.meta.name)).await?;
        let live = self.seen.values().filter_map(|seen| seen.now.as_ref()).filter(|now| now.meta.delete_time.is_none());
        Ok(live.filter(|now| now.dependencies.contains(name)).cloned().collect())
    }

    /// Refuses a dependency that leads back, in the scenario, to what would have it.
    pub async fn must_not_lead_back(&mut self, from: &Name<Initiative>, to: &Name<Initiative>) -> Result<(), Error> {
        let mut via: BTreeMap<Name<Initiative>, Name<Initiative>> = BTreeMap::new();
        let mut level = vec![to.clone()];
        while !level.is_empty() && !level.contains(from) {
            self.look(&level).await?;
            for name in std::mem::take(&mut level) {
                let Ok(initiative) = self.live(&name, "") else { continue };
                for next in initiative.dependencies {
                    if next != *to && !via.contains_key(&next) {
                        via.insert(next.clone(), name.clone());
                        level.push(next);
                    }
                }
            }
            if via.len() > Scenario::LOOKED_AT {
                return Err(Error::rule(ScenarioError::TooLong { initiative: from.clone() }));
            }
        }
        if level.is_empty() {
            return Ok(());
        }
        let mut way = vec![from];
        while let Some(before) = way.last().and_then(|last| via.get(last)) {
            way.push(before);
        }
        way.push(from);
        Err(Error::Cycle(way.into_iter().rev().map(ToString::to_string).collect()))
    }

    /// Has an initiative as it is after a change. One that leaves it as it is counts for nothing.
    pub fn set(&mut self, initiative: Initiative) -> Initiative {
        let seen = self.seen.entry(initiative.meta.name.id().to_string()).or_default();
        if seen.now.as_ref() == Some(&initiative) {
            return initiative;
        }
        let initiative = initiative.changed_in_scenario(self.write.now());
        (seen.now, seen.changed) = (Some(initiative.clone()), true);
        initiative
    }

    /// Keeps what was changed. Gives the scenario after it.
    pub fn keep(self) -> Result<pb::Scenario, Error> {
        let Self { write, scenario, seen, .. } = self;
        let (mut more, mut any) = (0, false);
        for Seen { variant, base, now, .. } in seen.into_values().filter(|seen| seen.changed) {
            let Some(initiative) = now else { continue };
            let change = if let Some(variant) = variant {
                let meta = Meta { display_name: initiative.meta.display_name.clone(), ..variant.meta.clone() };
                Change::new(Variant { meta, initiative: Box::new(initiative), ..variant }, VariantEvent::Updated)
            } else {
                more += 1;
                let message = pb::Variant {
                    display_name: initiative.meta.display_name.clone(),
                    scenario: scenario.meta.name.to_string(),
                    base: base.map(|base| Box::new((&base).into())),
                    initiative: Some(Box::new((&initiative).into())),
                    ..Default::default()
                };
                Change::new(write.fresh::<Variants>("", message)?, VariantEvent::Created)
            };
            write.put::<Variants>(change)?;
            any = true;
        }
        if !any {
            return Ok((&scenario).into());
        }
        let now = write.now();
        write.put::<Scenarios>(scenario.changed(more, now).map_err(Error::rule)?)
    }
}
