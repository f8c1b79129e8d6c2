//! Which of a caller's groups policies can tell apart, found once for a set of policies: a caller may be in hundreds of
//! groups, of which policies name a few. What stands for the others in an answer is nothing, so Cedar is not told of them,
//! and a decision costs by what policies say and not by how many groups there are.
//!
//! A policy looks at groups by name where it asks whether the caller is in one that it writes down, or whether
//! `context.groups` contains such. Where it does anything else with them, as with how many there are, it looks at all; and
//! where it asks whether the caller is in one of whichever there are, the caller must be known to be in all of them.

use std::collections::HashMap;

use cedar_policy::EntityUid;
use serde_json::{Map, Value};

use super::schema::Schema;
use super::set::PolicySet;
use crate::principal::Principal;

/// What answers can depend on.
#[derive(Debug, Default)]
pub(super) struct Heeded {
    /// The groups that policies name.
    named: HashMap<String, EntityUid>,
    at_all: AtAll,
}

/// Whether what nobody names makes a difference.
#[derive(Debug, Default, Clone, Copy)]
struct AtAll {
    /// To what is told of a call, `context.groups`.
    told: bool,
    /// To what the caller is in.
    in_them: bool,
}

/// Of the groups of a caller those that answers can depend on.
pub(super) struct Groups {
    /// In which the caller is.
    pub(super) parents: Vec<EntityUid>,
    /// Which are told of the call.
    pub(super) told: Vec<EntityUid>,
}

/// What asks a set whether it has one thing, some or all, which are named.
const CONTAINS: [&str; 3] = ["contains", "containsAny", "containsAll"];

impl Heeded {
    pub(super) fn of(schema: &Schema, set: &PolicySet) -> Self {
        let mut heeded = Self::default();
        for policy in set.cedar().policies() {
            match policy.to_json() {
                Ok(policy) => heeded.at_all.look(&policy["conditions"], false),
                // What cannot be looked at might look at anything.
                Err(_) => heeded.at_all = AtAll { told: true, in_them: true },
            }
            let groups = policy.entity_literals().into_iter().filter(|named| *named.type_name() == schema.types.group);
            heeded.named.extend(groups.map(|group| (group.id().unescaped().to_owned(), group)));
        }
        heeded
    }

    pub(super) fn among(&self, schema: &Schema, groups: &[Principal]) -> Groups {
        let all = || groups.iter().map(|group| schema.principal(group)).collect::<Vec<_>>();
        let named = || -> Vec<EntityUid> {
            let groups = if self.named.is_empty() { &[] } else { groups };
            groups.iter().filter_map(|group| self.named.get(group.as_str()).cloned()).collect()
        };
        match self.at_all {
            AtAll { told: false, in_them: false } => {
                let named = named();
                Groups { parents: named.clone(), told: named }
            }
            AtAll { told: true, in_them: false } => Groups { parents: named(), told: all() },
            AtAll { told: _, in_them: true } => {
                let all = all();
                Groups { parents: all.clone(), told: all }
            }
        }
    }
}

impl AtAll {
    /// Looks at an expression, as Cedar writes it in JSON, which may stand where it is asked what somebody is in.
    fn look(&mut self, expression: &Value, is_in: bool) {
        match expression {
            Value::Object(fields) => self.look_into(fields, is_in),
            Value::Array(parts) => parts.iter().for_each(|part| self.look(part, is_in)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn look_into(&mut self, fields: &Map<String, Value>, is_in: bool) {
        // All that is told of a call at once, or whatever might come to be written otherwise.
        if is_context(fields) {
            self.found(is_in);
        }
        for (operator, operands) in fields {
            let left = operands.get("left").and_then(Value::as_object);
            let of_context = left.is_some_and(is_context);
            match operator.as_str() {
                "." if of_context && operands["attr"] != "groups" => {}
                // There always are groups, be they none.
                "has" if of_context => {}
                contains if CONTAINS.contains(&contains) && left.is_some_and(are_groups) => {
                    self.look(&operands["right"], is_in);
                }
                _ => self.look(operands, is_in || operator == "in"),
            }
        }
    }

    fn found(&mut self, is_in: bool) {
        self.told = true;
        self.in_them |= is_in;
    }
}

/// Whether an expression is `context`.
fn is_context(fields: &Map<String, Value>) -> bool {
    fields.get("Var").is_some_and(|name| name == "context")
}

/// Whether an expression is `context.groups`.
fn are_groups(fields: &Map<String, Value>) -> bool {
    fields.get(".").is_some_and(|access| {
        access["attr"] == "groups" && access.get("left").and_then(Value::as_object).is_some_and(is_context)
    })
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use cedar_policy::Policy;

    use super::*;

    #[test]
    fn what_asks_for_groups_by_name_looks_at_no_others() {
        let cases = [
            ("true", ""),
            ("context.certificate && !context.validate_only", ""),
            ("context has groups && context has audience && principal in context.audience", ""),
            ("principal in Group::\"groups/corp/a\" || principal in [Group::\"groups/corp/b\"]", ""),
            ("context.groups.contains(Group::\"groups/corp/a\")", ""),
            ("context[\"groups\"].containsAny([Group::\"groups/corp/a\", Group::\"groups/corp/b\"])", ""),
            ("!(if context.certificate then context.groups.containsAll([Group::\"groups/corp/a\"]) else false)", ""),
            ("context.groups.isEmpty()", "told"),
            ("context.groups == [Group::\"groups/corp/a\"]", "told"),
            ("[Group::\"groups/corp/a\"].containsAll(context.groups)", "told"),
            ("context.groups.containsAny(context.groups)", "told"),
            ("context.groups.containsAny(if context.certificate then context.groups else [])", "told"),
            ("(if context.certificate then context else context).groups.contains(Group::\"groups/corp/a\")", "told"),
            ("principal in context.groups", "told, in them"),
            ("[context.groups].contains([Group::\"groups/corp/a\"])", "told"),
            ("principal is User in context.groups", "told, in them"),
            ("principal in (if context.certificate then context.groups else [])", "told, in them"),
            ("principal in [Group::\"groups/corp/a\"] && context.groups.isEmpty()", "told"),
            ("{groups: context}.groups has certificate", "told"),
            ("context == {certificate: true}", "told"),
        ];
        for (condition, expected) in cases {
            let policy = Policy::from_str(&format!("permit (principal, action, resource) when {{ {condition} }};"));
            let mut at_all = AtAll::default();
            at_all.look(&policy.unwrap().to_json().unwrap()["conditions"], false);
            let found = match at_all {
                AtAll { told: false, in_them: false } => "",
                AtAll { told: true, in_them: false } => "told",
                AtAll { told: true, in_them: true } => "told, in them",
                AtAll { told: false, in_them: true } => "in them",
            };
            assert_eq!(found, expected, "{condition}");
        }
    }
}
