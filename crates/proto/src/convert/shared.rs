//! Values of `waymark.common.v1` that resources of several services carry, and steps that conversions share.

use std::str::FromStr;

use waymark_domain::name::NameError;
use waymark_domain::{Evidence, Name, Range, Resource, Violations, WorkspaceId};

use crate::common::v1 as pb;

/// The value, or all that was found wrong on the way to it.
pub(super) fn whole<T>(violations: Violations, value: Option<T>) -> Result<T, Violations> {
    match value {
        Some(value) if violations.is_empty() => Ok(value),
        _ => Err(violations),
    }
}

/// A name that may be left out.
pub(super) fn name_if_set<N>(violations: &mut Violations, field: &str, text: &str) -> Option<N>
where
    N: FromStr<Err = NameError>,
{
    if text.is_empty() { None } else { violations.check(field, text.parse()) }
}

/// The name of a resource in the same workspace, if there is a name; what is wrong is blamed on `field`.
pub(super) fn sibling<T: Resource>(
    violations: &mut Violations,
    field: &str,
    workspace: Option<&WorkspaceId>,
    name: &str,
) -> Option<Name<T>> {
    if name.is_empty() {
        return None;
    }
    let name: Name<T> = violations.check(field, name.parse())?;
    match workspace {
        Some(workspace) if workspace != name.workspace() => {
            violations.add(field, format!("{name} is not in {workspace}"));
            None
        }
        _ => Some(name),
    }
}

/// The evidence of a message; what is wrong is blamed on `field[index].…`.
pub fn evidence(violations: &mut Violations, field: &str, messages: Vec<pb::Evidence>) -> Vec<Evidence> {
    let mut links = Vec::with_capacity(messages.len());
    for (index, pb::Evidence { target, note }) in messages.into_iter().enumerate() {
        let target = violations.check(&format!("{field}[{index}].target"), target.parse());
        links.extend(target.map(|target| Evidence { target, note }));
    }
    links
}

impl From<&Evidence> for pb::Evidence {
    fn from(evidence: &Evidence) -> Self {
        Self { target: evidence.target.to_string(), note: evidence.note.clone() }
    }
}

/// The range of a message, if it has one; what is wrong is blamed on `field`.
pub fn range(violations: &mut Violations, field: &str, message: Option<pb::Range>) -> Option<Range> {
    let pb::Range { low, likely, high } = message?;
    violations.check(field, Range::new(low, likely, high))
}

impl From<&Range> for pb::Range {
    fn from(range: &Range) -> Self {
        Self { low: range.low(), likely: range.likely(), high: range.high() }
    }
}
