//! What rows name that a method of its own adds, as of an initiative what it waits for: added when all rows are resources,
//! as it may stand further down. What is not there, or cannot be waited for, is left out and told; the row stays.

use anyhow::Result;
use prost_reflect::{DynamicMessage, Value};
use tonic::Code;
use waymark_client::Error;

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
    /// Adds what rows name and do not have yet: of each row the field and what became of each name. `would_be` says
    /// what a dry run would have made.
    pub async fn link(&self, rows: &[Row], would_be: impl Fn(&str) -> bool) -> Result<Vec<Vec<(String, Linked)>>> {
        // In their order, so that of those that would close a cycle it is the last that is left out.
        let mut linked = Vec::with_capacity(rows.len());
        for row in rows {
            linked.push(self.link_row(row, &would_be).await?);
        }
        Ok(linked)
    }

    async fn link_row(&self, row: &Row, would_be: &impl Fn(&str) -> bool) -> Result<Vec<(String, Linked)>> {
        let own = self.name(&row.id);
        let current = self.find(&own).await?;
        let mut linked = Vec::new();
        for (field, wanted) in &row.links {
            let (Some(adder), true) = (self.kind.adders.get(field), current.is_some() || would_be(&own)) else {
                // The row is refused, and that is told.
                continue;
            };
            let known = current.as_ref().and_then(|current| current.get_field_by_name(field));
            let known = known.map(|known| names(&known)).unwrap_or_default();
            for name in wanted {
                let became = if known.contains(name) {
                    Linked::Unchanged
                } else if current.is_some() {
                    self.add(adder, &own, name, would_be).await?
                } else if would_be(name) || self.find(name).await?.is_some() {
                    Linked::Added
                } else {
                    Linked::LeftOut(format!("{name} does not exist"))
                };
                linked.push((field.clone(), became));
            }
        }
        Ok(linked)
    }

    async fn add(&self, adder: &Adder, own: &str, name: &str, would_be: &impl Fn(&str) -> bool) -> Result<Linked> {
        let mut request = new(&adder.method.descriptor.input());
        set(&mut request, "name", Value::String(own.to_owned()))?;
        set(&mut request, adder.entry.name(), Value::String(name.to_owned()))?;
        set(&mut request, "validate_only", Value::Bool(self.dry_run))?;
        match call::unary(&self.channel, adder.method, request).await {
            Ok(_) => Ok(Linked::Added),
            Err(error) if error.reason() == "REFERENCE_NOT_FOUND" && would_be(name) => Ok(Linked::Added),
            Err(error) if is_of_the_row(&error) => {
                let faults = self.writer(self.kind, self.dry_run).refusal(failure(&error)).faults;
                let reasons: Vec<String> = faults.into_iter().map(|(_, reason)| reason).collect();
                Ok(Linked::LeftOut(reasons.join("; ")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The resource of a name, if there is one.
    async fn find(&self, name: &str) -> Result<Option<DynamicMessage>> {
        match self.writer(self.kind, true).current(&[name.to_owned()]).await {
            Ok(found) => Ok(found.into_iter().next()),
            Err(error) if error.downcast_ref::<Error>().is_some_and(|error| error.code() == Code::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
