//! Values of `waymark.common.v1` that resources of several services carry.

use waymark_domain::{Evidence, Range, Risk, Verdict, Violations, text};

use crate::common::v1 as pb;

const NOTE_LENGTH: usize = 500;

/// The evidence of a message, at most 100 links; what is wrong is blamed on `field[index].…`.
pub fn evidence(violations: &mut Violations, field: &str, messages: Vec<pb::Evidence>) -> Vec<Evidence> {
    if messages.len() > Evidence::LINKS {
        violations.add(field, format!("has {} entries, at most {} are allowed", messages.len(), Evidence::LINKS));
        return Vec::new();
    }
    let mut links = Vec::with_capacity(messages.len());
    for (index, pb::Evidence { target, note }) in messages.into_iter().enumerate() {
        let target = violations.check(&format!("{field}[{index}].target"), target.parse());
        let note = violations.check(&format!("{field}[{index}].note"), text::optional(note, NOTE_LENGTH));
        if let (Some(target), Some(note)) = (target, note) {
            links.push(Evidence { target, note });
        }
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

/// The risk of a message; `field` is blamed when none is stated.
pub fn risk(violations: &mut Violations, field: &str, message: pb::Risk) -> Option<Risk> {
    match message {
        pb::Risk::Unspecified => {
            violations.add(field, "must be one of VALUE, USABILITY, FEASIBILITY, VIABILITY");
            None
        }
        pb::Risk::Value => Some(Risk::Value),
        pb::Risk::Usability => Some(Risk::Usability),
        pb::Risk::Feasibility => Some(Risk::Feasibility),
        pb::Risk::Viability => Some(Risk::Viability),
    }
}

impl From<Risk> for pb::Risk {
    fn from(risk: Risk) -> Self {
        match risk {
            Risk::Value => Self::Value,
            Risk::Usability => Self::Usability,
            Risk::Feasibility => Self::Feasibility,
            Risk::Viability => Self::Viability,
        }
    }
}

/// The verdict of a message; `field` is blamed when none is stated.
pub fn verdict(violations: &mut Violations, field: &str, message: pb::Verdict) -> Option<Verdict> {
    match message {
        pb::Verdict::Unspecified => {
            violations.add(field, "must be one of MET, MISSED, CANT_TELL");
            None
        }
        pb::Verdict::Met => Some(Verdict::Met),
        pb::Verdict::Missed => Some(Verdict::Missed),
        pb::Verdict::CantTell => Some(Verdict::CantTell),
    }
}

impl From<Verdict> for pb::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Met => Self::Met,
            Verdict::Missed => Self::Missed,
            Verdict::CantTell => Self::CantTell,
        }
    }
}
