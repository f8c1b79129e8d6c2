//! Values of `waymark.common.v1` that resources of several services carry, and steps that conversions share.

use std::str::FromStr;

use chrono::NaiveDate;
use waymark_domain::name::NameError;
use waymark_domain::{Evidence, Name, Period, Range, Reading, Resource, Violations, WorkspaceId};

use super::{time, timestamp};
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

/// The day that a text names, if it is not empty.
pub fn date(violations: &mut Violations, field: &str, text: &str) -> Option<NaiveDate> {
    if text.is_empty() {
        return None;
    }
    // Of one length, so that days are in the order of their texts.
    let date =
        NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| text == date.to_string() && text.len() == 10);
    if date.is_none() {
        violations.add(field, format!("{text:?} is not a day such as 2027-01-31"));
    }
    date
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

impl TryFrom<pb::Reading> for Reading {
    type Error = Violations;
    fn try_from(message: pb::Reading) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let start = time(&mut violations, "start_time", message.start_time);
        let end = time(&mut violations, "end_time", message.end_time);
        let period = match (start, end) {
            (Some(start), Some(end)) => violations.check("end_time", Period::new(start, end)),
            _ => None,
        };
        let reading = period.and_then(|period| violations.check("value", Self::new(period, message.value)));
        reading.ok_or(violations)
    }
}

impl From<&Reading> for pb::Reading {
    fn from(reading: &Reading) -> Self {
        let (start, end) = (reading.period().start(), reading.period().end());
        Self { start_time: Some(timestamp(start)), end_time: Some(timestamp(end)), value: reading.value() }
    }
}
