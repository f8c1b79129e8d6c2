//! Rights: what somebody is given by the bindings, with the policies that say what that is worth.

use std::collections::BTreeMap;

use cedar_policy::{Effect, Policy};
use serde_json::Value;

use super::bindings::{Grant, Granted};
use super::schema::Schema;
use super::set::PolicySet;
use crate::like::covers;
use crate::role::Role;

/// What somebody is given, and what that is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// What the bindings give.
    pub grant: Grant,
    /// The ids of the policies that permit something to who has the role, or is shown what the audience sees, in order.
    pub policies: Vec<String>,
}

/// Which policies permit by what: found once for a set, as it is asked for by whoever asks what they may do.
#[derive(Debug)]
pub(super) struct Worth {
    roles: BTreeMap<Role, Vec<String>>,
    shown: Vec<Shown>,
}

/// A policy that permits to who is shown what an audience sees.
#[derive(Debug)]
struct Shown {
    policy: String,
    /// The names of the audiences that it is about; any where there are none.
    audiences: Vec<String>,
}

impl Worth {
    pub(super) fn of(schema: &Schema, set: &PolicySet) -> Self {
        let (mut roles, mut shown) = (BTreeMap::<Role, Vec<String>>::new(), Vec::new());
        for policy in set.cedar().policies().filter(|policy| policy.effect() == Effect::Permit) {
            let (id, named) = (policy.id().to_string(), policy.entity_literals());
            let of_type = |wanted| named.iter().filter(move |named| named.type_name() == wanted);
            for role in of_type(&schema.types.role).filter_map(|role| Role::named(role.id().unescaped())) {
                roles.entry(role).or_default().push(id.clone());
            }
            let audiences: Vec<String> =
                of_type(&schema.types.audience).map(|audience| audience.id().unescaped().to_owned()).collect();
            if !audiences.is_empty() || asks_for_audience(policy) {
                shown.push(Shown { policy: id, audiences });
            }
        }
        for ids in roles.values_mut() {
            ids.sort_unstable();
            ids.dedup();
        }
        shown.sort_unstable_by(|one, other| one.policy.cmp(&other.policy));
        Self { roles, shown }
    }

    pub(super) fn right(&self, grant: Grant) -> Right {
        let policies = match &grant.gives {
            Granted::Role(role) => self.roles.get(role).cloned().unwrap_or_default(),
            Granted::Audience(audience) => {
                let about = self.shown.iter().filter(|shown| shown.is_about(&grant.workspaces, audience));
                about.map(|shown| shown.policy.clone()).collect()
            }
        };
        Right { grant, policies }
    }
}

impl Shown {
    /// Whether it is about this audience of one of these workspaces.
    fn is_about(&self, workspaces: &str, audience: &str) -> bool {
        let is_it = |name: &String| {
            let parts = name.strip_prefix("workspaces/").and_then(|rest| rest.split_once("/audiences/"));
            parts.is_some_and(|(workspace, id)| id == audience && covers(workspaces, workspace))
        };
        self.audiences.is_empty() || self.audiences.iter().any(is_it)
    }
}

/// Whether a policy asks as which audience the caller is to be answered, and not merely whether there is one.
fn asks_for_audience(policy: &Policy) -> bool {
    fn is_in(value: &Value) -> bool {
        match value {
            Value::Object(fields) => {
                let asked = fields
                    .get(".")
                    .is_some_and(|access| access["attr"] == "audience" && access["left"]["Var"] == "context");
                asked || fields.values().any(is_in)
            }
            Value::Array(entries) => entries.iter().any(is_in),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }
    policy.to_json().is_ok_and(|policy| is_in(&policy))
}
