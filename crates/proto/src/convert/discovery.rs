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
pub use tree::tree_node;

use waymark_domain::Violations;

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
