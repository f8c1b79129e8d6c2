//! What rows name that a method of its own adds, as of an initiative what it waits for: added when all rows are resources,
//! as it may stand further down. What is not there, or cannot be waited for, is left out and told; the row stays.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use prost_reflect::{DynamicMessage, Value};

use super::batch::Service;
use super::kind::{Adder, names};
use super::mapping::Row;
use super::writing::{failure, is_of_the_row, new, set};
use crate::generic::call;

/// What became of a name that is to be added.
#[derive(Debug, Clone, PartialEq)]
pub enum Linked {
    Added,
    Unchanged,
    /// It is left out: why.
    LeftOut(String),
}

impl Service {
    /// Adds what rows name and do not have yet: of each row the field and what became of each name. `would_be` says of what a dry
    /// run would leave whether it is there already.
    pub async fn link(
        &self,
        rows: &[Row],
        would_be: impl Fn(&str) -> Option<bool>,
    ) -> Result<Vec<Vec<(String, Linked)>>> {
        let known = self.known(rows, &would_be).await?;
        // In their order, so that of those that would close a cycle it is the last that is left out.
        let mut linked = Vec::with_capacity(rows.len());
        for row in rows {
            linked.push(self.link_row(row, &known, &would_be).await?);
        }
        Ok(linked)
    }

    /// The resources of rows that are there, by name; for a dry run those that they name, too, unless it is known what becomes of
    /// them.
    async fn known(
        &self,
        rows: &[Row],
        would_be: &impl Fn(&str) -> Option<bool>,
    ) -> Result<BTreeMap<String, DynamicMessage>> {
        let own = rows.iter().map(|row| self.name(&row.id)).filter(|own| would_be(own) != Some(false));
        let named = rows.iter().flat_map(|row| &row.links).flat_map(|(_, names)| names);
        let named = named.filter(|name| self.dry_run && would_be(name).is_none()).cloned();
        let names: Vec<String> = own.chain(named).collect::<BTreeSet<_>>().into_iter().collect();
        let mut known = BTreeMap::new();
        for names in names.chunks(rows.len().max(1)) {
            for resource in self.writer(self.kind, true).existing(names).await? {
                let name = resource.get_field_by_name("name");
                known.extend(name.and_then(|name| name.as_str().map(str::to_owned)).map(|name| (name, resource)));
            }
        }
        Ok(known)
    }

    async fn link_row(
        &self,
        row: &Row,
        known: &BTreeMap<String, DynamicMessage>,
        would_be: &impl Fn(&str) -> Option<bool>,
    ) -> Result<Vec<(String, Linked)>> {
        let own = self.name(&row.id);
        let current = known.get(&own);
        let mut linked = Vec::new();
        for (field, wanted) in &row.links {
            let (Some(adder), true) = (self.kind.adders.get(field), current.is_some() || would_be(&own).is_some())
            else {
                // The row is refused, and that is told.
                continue;
            };
            let has = current.and_then(|current| current.get_field_by_name(field));
            let has = has.map(|has| names(&has)).unwrap_or_default();
            for name in wanted {
                let became = if has.contains(name) {
                    Linked::Unchanged
                } else if current.is_some() {
                    self.add(adder, &own, name, would_be).await?
                } else if would_be(name).is_some() || known.contains_key(name) {
                    Linked::Added
                } else {
                    Linked::LeftOut(format!("{name} does not exist"))
                };
                linked.push((field.clone(), became));
            }
        }
        Ok(linked)
    }

    async fn add(
        &self,
        adder: &Adder,
        own: &str,
        name: &str,
        would_be: &impl Fn(&str) -> Option<bool>,
    ) -> Result<Linked> {
        let mut request = new(&adder.method.descriptor.input());
        set(&mut request, "name", Value::String(own.to_owned()))?;
        set(&mut request, adder.entry.name(), Value::String(name.to_owned()))?;
        set(&mut request, "validate_only", Value::Bool(self.dry_run))?;
        match call::unary(&self.channel, adder.method, request).await {
            Ok(_) => Ok(Linked::Added),
            Err(error) if error.reason() == "REFERENCE_NOT_FOUND" && would_be(name).is_some() => Ok(Linked::Added),
            Err(error) if is_of_the_row(&error) => {
                let faults = self.writer(self.kind, self.dry_run).refusal(failure(&error)).faults;
                let reasons: Vec<String> = faults.into_iter().map(|(_, reason)| reason).collect();
                Ok(Linked::LeftOut(reasons.join("; ")))
            }
            Err(error) => Err(error.into()),
        }
    }
}
