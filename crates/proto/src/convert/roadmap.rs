//! Conversions of the roadmap's resources.

mod estimate;
mod initiative;
mod initiative_parts;
mod score;
mod strategy;
#[cfg(test)]
mod tests;

use waymark_domain::{Name, Resource, Violations, WorkspaceId};

/// The name of a resource in the same workspace, if there is a name; what is wrong is blamed on `field`.
fn sibling<T: Resource>(
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
