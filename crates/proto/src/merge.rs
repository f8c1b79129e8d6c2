//! Three-way merges of resources, field by field of the contract: what a branch and the trunk made of one base. A field
//! that says more of another is one with it (`part_of`); of maps, of names, and of entries that begin with a name or an
//! enum each is looked at by itself. A new field needs no code.

use std::marker::PhantomData;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};
use waymark_domain::merge::{Side, choose, entries};

use crate::options::Options;
use crate::{ResourceMessage, descriptors, options};

/// Fields that say which resource it is and when it was written, and nothing of its own.
const IDENTITY: [&str; 5] = ["name", "uid", "etag", "create_time", "update_time"];

/// The field that says whether there is a resource at all.
pub const DELETE_TIME: &str = "delete_time";

/// The fields of a resource, as a merge looks at them.
pub struct Fields<M> {
    fields: Vec<Field>,
    of: PhantomData<fn() -> M>,
}

/// A field, with those that say more of it.
struct Field {
    /// As the contract spells it.
    name: String,
    /// As JSON does: its own, then those of the others.
    parts: Vec<String>,
    keys: Keys,
}

/// What tells the entries of a field apart.
enum Keys {
    /// It has none, or they are one value.
    None,
    /// It is a map.
    Map,
    /// Themselves.
    Themselves,
    /// A field of theirs, as JSON spells it.
    Field(String),
}

/// What became of a field that the branch changed. Values are JSON: null where it is not set, and of one with others an
/// object.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The field, as the contract spells it.
    pub field: String,
    /// Its value where the branch began.
    pub base: Value,
    /// Its value in the branch.
    pub branch: Value,
    /// Its value in the trunk.
    pub trunk: Value,
    /// What comes of the three.
    pub outcome: Outcome,
}

/// What comes of three values.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The branch's alone was changed.
    Taken,
    /// The trunk's says the same.
    Alike,
    /// Both were, in entries of their own; all put together.
    Combined(Value),
    /// Both were, to different values.
    Conflict,
}

impl<M: ResourceMessage> Fields<M> {
    /// Reads them off the contract.
    pub fn read() -> Self {
        let message = descriptors().get_message_by_name(M::FULL_NAME);
        let all: Vec<_> = message.iter().flat_map(MessageDescriptor::fields).collect();
        let is_own = |field: &&FieldDescriptor| {
            !IDENTITY.contains(&field.name()) && field.name() != DELETE_TIME && options().part_of(field).is_none()
        };
        let read = |field: &FieldDescriptor| {
            let whole = Some(field.name().to_owned());
            let more = all.iter().filter(|part| options().part_of(part) == whole);
            let parts: Vec<_> = [field].into_iter().chain(more).map(|part| part.json_name().to_owned()).collect();
            Field { name: field.name().to_owned(), parts, keys: Keys::of(field, options()) }
        };
        Self { fields: all.iter().filter(is_own).map(read).collect(), of: PhantomData }
    }

    /// What the branch changed, in the order of the contract, and what a merge makes of it. `alike` tells of a field whether
    /// both sides say the same of it though their values differ, as by when they were written.
    ///
    /// Where one side deleted the resource while the other changed it, [`DELETE_TIME`] is in conflict.
    pub fn differences(
        &self,
        base: Option<&M>,
        branch: &M,
        trunk: Option<&M>,
        alike: impl Fn(&str) -> bool,
    ) -> Vec<Difference> {
        let [of_base, of_branch, of_trunk] =
            [base, Some(branch), trunk].map(|state| state.map(object).unwrap_or_default());
        let mut found = Vec::new();
        let mut trunk_changed = false;
        for field in &self.fields {
            let [base, branch, trunk] = [&of_base, &of_branch, &of_trunk].map(|state| field.value(state));
            trunk_changed |= trunk != base;
            if branch != base {
                let outcome = if alike(&field.name) { Outcome::Alike } else { field.outcome(&base, &branch, &trunk) };
                found.push(Difference { field: field.name.clone(), base, branch, trunk, outcome });
            }
        }
        let there = [base, Some(branch), trunk].map(|state| state.is_some_and(is_live));
        let outcome = match there {
            [before, branch, trunk] if before == branch && before == trunk => return found,
            // Both deleted it, or brought it back.
            [_, branch, trunk] if branch == trunk => Outcome::Alike,
            [true, false, _] if trunk_changed => Outcome::Conflict,
            [before, branch, _] if before != branch => Outcome::Taken,
            // The trunk alone did.
            _ if found.is_empty() => return found,
            _ => Outcome::Conflict,
        };
        if !there[1] {
            found.clear();
        }
        let [base, branch, trunk] =
            [&of_base, &of_branch, &of_trunk].map(|state| state.get("deleteTime").cloned().unwrap_or_default());
        found.push(Difference { field: DELETE_TIME.to_owned(), base, branch, trunk, outcome });
        found
    }

    /// The trunk, or what is new in the branch, with the values that are taken: of each difference the side, `None` for what
    /// comes of it by itself. One that is in conflict stays as the trunk has it then.
    pub fn merged<'a>(
        &self,
        branch: &M,
        trunk: Option<&M>,
        taken: impl IntoIterator<Item = (&'a Difference, Option<Side>)>,
    ) -> Result<M, serde_json::Error> {
        let mut state = object(trunk.unwrap_or(branch));
        for (difference, side) in taken {
            let value = match (side, &difference.outcome) {
                (Some(Side::Branch), _) | (None, Outcome::Taken) => &difference.branch,
                (None, Outcome::Combined(value)) => value,
                (Some(Side::Trunk), _) | (None, Outcome::Alike | Outcome::Conflict) => &difference.trunk,
            };
            match self.fields.iter().find(|field| field.name == difference.field) {
                Some(field) => field.set(&mut state, value),
                None => set(&mut state, "deleteTime", value.clone()),
            }
        }
        serde_json::from_value(Value::Object(state))
    }
}

impl Keys {
    fn of(field: &FieldDescriptor, options: &Options) -> Self {
        let is_key = |field: &FieldDescriptor| match field.kind() {
            Kind::Enum(_) => true,
            Kind::String => options.reference(field).is_some(),
            _ => false,
        };
        match field.kind() {
            _ if field.is_map() => Self::Map,
            Kind::String if field.is_list() && is_key(field) => Self::Themselves,
            Kind::Message(entry) if field.is_list() => match entry.get_field(1).filter(is_key) {
                Some(key) => Self::Field(key.json_name().to_owned()),
                None => Self::None,
            },
            _ => Self::None,
        }
    }
}

impl Field {
    fn value(&self, state: &Map<String, Value>) -> Value {
        if let [own] = self.parts.as_slice() {
            return state.get(own).cloned().unwrap_or_default();
        }
        let parts = self.parts.iter().filter_map(|part| Some((part.clone(), state.get(part)?.clone())));
        let parts: Map<_, _> = parts.collect();
        if parts.is_empty() { Value::Null } else { Value::Object(parts) }
    }

    fn set(&self, state: &mut Map<String, Value>, value: &Value) {
        if let [own] = self.parts.as_slice() {
            return set(state, own, value.clone());
        }
        for part in &self.parts {
            set(state, part, value.get(part).cloned().unwrap_or_default());
        }
    }

    fn outcome(&self, base: &Value, branch: &Value, trunk: &Value) -> Outcome {
        match choose(base, branch, trunk) {
            Some(Side::Branch) => Outcome::Taken,
            Some(Side::Trunk) => Outcome::Alike,
            None => match self.combined(base, branch, trunk) {
                Some(value) if value == *trunk => Outcome::Alike,
                Some(value) => Outcome::Combined(value),
                None => Outcome::Conflict,
            },
        }
    }

    /// The three values put together entry by entry, where that can be done.
    fn combined(&self, base: &Value, branch: &Value, trunk: &Value) -> Option<Value> {
        let [base, branch, trunk] = [base, branch, trunk].map(|value| self.entries(value));
        let merged = entries(&base?, &branch?, &trunk?)?;
        Some(match self.keys {
            _ if merged.is_empty() => Value::Null,
            Keys::Map => Value::Object(merged.into_iter().collect()),
            Keys::None | Keys::Themselves | Keys::Field(_) => {
                Value::Array(merged.into_iter().map(|(_, value)| value).collect())
            }
        })
    }

    fn entries(&self, value: &Value) -> Option<Vec<(String, Value)>> {
        let list = || value.as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match &self.keys {
            Keys::None => None,
            Keys::Map => Some(value.as_object().cloned().unwrap_or_default().into_iter().collect()),
            Keys::Themselves => Some(list().iter().map(|entry| (text(entry), entry.clone())).collect()),
            Keys::Field(key) => Some(list().iter().map(|entry| (text(&entry[key.as_str()]), entry.clone())).collect()),
        }
    }
}

fn is_live(message: &impl ResourceMessage) -> bool {
    message.standard().delete_time.is_none()
}

/// A message as JSON.
fn object(message: &impl ResourceMessage) -> Map<String, Value> {
    match serde_json::to_value(message) {
        Ok(Value::Object(fields)) => fields,
        // A message prints as an object; enum values this build does not know are the only thing that would not print.
        Ok(_) | Err(_) => Map::new(),
    }
}

fn set(state: &mut Map<String, Value>, field: &str, value: Value) {
    if value.is_null() {
        state.remove(field);
    } else {
        state.insert(field.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
