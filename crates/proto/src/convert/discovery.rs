//! Conversions of the discovery service's resources.

mod assumption_test;
mod insight;
mod interview;
mod opportunity;
mod participant;
mod solution;
mod study;

mod tree;

pub use assumption_test::observation;
pub use insight::refresh_strength;
pub use opportunity::learning;
pub use tree::tree_node;

use std::str::FromStr;

use waymark_domain::Violations;
use waymark_domain::name::NameError;

/// The value, or all that was found wrong on the way to it.
fn whole<T>(violations: Violations, value: Option<T>) -> Result<T, Violations> {
    match value {
        Some(value) if violations.is_empty() => Ok(value),
        _ => Err(violations),
    }
}

/// A name that must be there.
fn name<N: FromStr<Err = NameError>>(violations: &mut Violations, field: &str, text: &str) -> Option<N> {
    if text.is_empty() {
        violations.add(field, "must be set");
        return None;
    }
    violations.check(field, text.parse())
}

/// A name that may be left out: `None` inside when it is.
fn name_if_set<N: FromStr<Err = NameError>>(violations: &mut Violations, field: &str, text: &str) -> Option<N> {
    if text.is_empty() { None } else { violations.check(field, text.parse()) }
}

/// The value of an enum that must be stated; `values` says what may be.
fn stated<T>(violations: &mut Violations, field: &str, value: Option<T>, values: &str) -> Option<T> {
    if value.is_none() {
        violations.add(field, format!("must be one of {values}"));
    }
    value
}

/// A list of at most `limit` entries; a longer one is refused whole.
fn limited<T>(violations: &mut Violations, field: &str, entries: Vec<T>, limit: usize) -> Vec<T> {
    if entries.len() <= limit {
        return entries;
    }
    violations.add(field, format!("has {} entries, at most {limit} are allowed", entries.len()));
    Vec::new()
}

/// A finite number that must be there, since nobody can tell a zero that was meant from one that was left out; `why`
/// says what it is for.
fn finite(violations: &mut Violations, field: &str, value: Option<f64>, why: &str) -> Option<f64> {
    match value {
        None => violations.add(field, format!("must be set: {why}")),
        Some(value) if !value.is_finite() => violations.add(field, "must be a finite number"),
        Some(_) => {}
    }
    value
}

/// Adds the violations of a part whose paths are those of the resource already.
fn part<T>(violations: &mut Violations, result: Result<T, Violations>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(found) => {
            for violation in found.into_vec() {
                violations.add(violation.field, violation.description);
            }
            None
        }
    }
}

#[cfg(test)]
mod tests;
