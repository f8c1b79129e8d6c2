//! Whether a filter holds for a resource that is at hand, as it does for one that is read from the log and is in no row. It says
//! what the condition on a row would say, whichever database that is in.

use std::cmp::Ordering;

use sea_orm::{DbBackend, Value};
use waymark_domain::{Resource as _, WorkspaceId};
use waymark_proto::ResourceMessage as _;
use waymark_request::{Comparison, Filter, Operator};

use super::{Field, Fields, is_presence};
use crate::{Error, Table, links, resource};

/// What a filter selects among a table's resources of a workspace.
pub struct Selection<'a> {
    fields: Fields<'a>,
    filter: Filter,
}

impl<'a> Selection<'a> {
    /// Refuses what a list would refuse.
    pub fn of<T: Table>(workspace: &'a WorkspaceId, filter: &str) -> Result<Self, Error> {
        // Conditions are alike for both: that one can be made tells that the filter is right.
        let fields = Fields::of::<T>(DbBackend::Sqlite, Some(workspace));
        let filter = Filter::parse(filter)?;
        fields.condition(&filter)?;
        Ok(Self { fields, filter })
    }

    /// Whether a resource is selected.
    pub fn has<T: Table>(&self, message: &T::Message) -> Result<bool, Error> {
        let it = It::<T> { resource: resource::resource::<T>(message.clone())?, message };
        self.holds(&self.filter, &it)
    }

    fn holds<T: Table>(&self, filter: &Filter, it: &It<'_, T>) -> Result<bool, Error> {
        match filter {
            Filter::All(terms) => terms.iter().try_fold(true, |all, term| Ok(all && self.holds(term, it)?)),
            Filter::Any(terms) => terms.iter().try_fold(false, |any, term| Ok(any || self.holds(term, it)?)),
            Filter::Not(inner) => Ok(!self.holds(inner, it)?),
            Filter::Compare(comparison) => self.compares(comparison, it),
        }
    }

    fn compares<T: Table>(&self, comparison: &Comparison, it: &It<'_, T>) -> Result<bool, Error> {
        let Comparison { operator, value, .. } = comparison;
        let present = is_presence(comparison);
        Ok(match self.fields.field(comparison)? {
            Field::Column(name, kind) => {
                let set = it.column(name).filter(|value| *value != value.as_null());
                match (set, present) {
                    (set, true) => set.is_some(),
                    (None, false) => *operator == Operator::NotEqual,
                    (Some(set), false) => {
                        let (bound, text) = self.fields.bound(comparison, name, kind)?;
                        compared(&set, *operator, &bound, &text)
                    }
                }
            }
            Field::Labels => {
                let labels = it.message.standard().labels;
                if present { !labels.is_empty() } else { labels.contains_key(value.as_str()) }
            }
            Field::Label(key) => match (it.message.standard().labels.get(key), present) {
                (label, true) => label.is_some(),
                (None, false) => *operator == Operator::NotEqual,
                (Some(label), false) => {
                    let text = |text: &str| Value::from(text.to_owned());
                    compared(&text(label), *operator, &text(value), value)
                }
            },
            Field::Link(link) => {
                let links = links::of::<T>(it.message)?;
                let mut targets = links.into_values().filter(|of| of.field.path == link.path).map(|of| of.target);
                if present {
                    return Ok(targets.next().is_some());
                }
                let wanted = self.fields.target(comparison, link);
                targets.any(|target| wanted.as_ref() == Some(&target)) != (*operator == Operator::NotEqual)
            }
        })
    }
}

/// A resource.
struct It<'a, T: Table> {
    message: &'a T::Message,
    resource: T::Resource,
}

impl<T: Table> It<'_, T> {
    /// What its row would have in a column.
    fn column(&self, name: &str) -> Option<Value> {
        let meta = self.resource.meta();
        match name {
            "id" => Some(meta.name.id().as_str().to_owned().into()),
            "display_name" => Some(meta.display_name.clone().into()),
            "create_time" => Some(meta.create_time.timestamp_micros().into()),
            "update_time" => Some(meta.update_time.timestamp_micros().into()),
            "delete_time" => meta.delete_time.map(|time| time.timestamp_micros().into()),
            name => T::COLUMNS.iter().find(|column| column.name == name).map(|of| of.value_of(&self.resource)),
        }
    }
}

/// A comparison of what is set. Texts are compared by bytes, and looked into whatever the case of ASCII.
fn compared(set: &Value, operator: Operator, bound: &Value, text: &str) -> bool {
    let order = match (set, bound) {
        (Value::String(Some(a)), Value::String(Some(b))) => Some(a.cmp(b)),
        (Value::BigInt(Some(a)), Value::BigInt(Some(b))) => Some(a.cmp(b)),
        (Value::Bool(Some(a)), Value::Bool(Some(b))) => Some(a.cmp(b)),
        (Value::Double(Some(a)), Value::Double(Some(b))) => a.partial_cmp(b),
        // Columns have no other types.
        (_, _) => None,
    };
    match operator {
        Operator::Equal => order == Some(Ordering::Equal),
        Operator::NotEqual => order != Some(Ordering::Equal),
        Operator::Less => order == Some(Ordering::Less),
        Operator::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Operator::Greater => order == Some(Ordering::Greater),
        Operator::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Operator::Contains => match set {
            Value::String(Some(set)) => set.to_ascii_lowercase().contains(&text.to_ascii_lowercase()),
            _ => false,
        },
    }
}
