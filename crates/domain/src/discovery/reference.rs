//! References between discovery's resources: what is referred to must exist, what is referred to is not deleted.
//!
//! Nothing is looked up here: the caller brings what exists.

use std::collections::BTreeSet;

use crate::{AnyName, Change, Failure, FailureKind, FullName, Reason, Resource, Violation, WorkspaceId};

/// Why a reference refuses a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// What a field refers to does not exist.
    #[error("{field} refers to {resource}, which does not exist or is deleted; create it first or refer to another")]
    Missing {
        /// The field that refers.
        field: &'static str,
        /// What it refers to.
        resource: String,
    },
    /// Something still refers to what is to go.
    #[error("{resource} is in use by {referrer}; delete or change that first")]
    InUse {
        /// What is to go.
        resource: String,
        /// What refers to it.
        referrer: String,
    },
}

impl Failure for ReferenceError {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> Reason {
        match self {
            Self::Missing { .. } => Reason::ReferenceNotFound,
            Self::InUse { .. } => Reason::ResourceInUse,
        }
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Missing { field, resource } => vec![("field", (*field).to_owned()), ("resource", resource.clone())],
            Self::InUse { resource, referrer } => vec![("resource", resource.clone()), ("referrer", referrer.clone())],
        }
    }
    fn violations(&self) -> Vec<Violation> {
        let field = match self {
            Self::Missing { field, .. } => (*field).to_owned(),
            Self::InUse { resource, .. } => resource.clone(),
        };
        vec![Violation { field, description: self.to_string() }]
    }
}

/// Deletes a resource unless something refers to it.
pub fn delete<T: Resource>(
    resource: T,
    deleted: T::Event,
    referrer: Option<AnyName>,
) -> Result<Change<T>, ReferenceError> {
    match referrer {
        Some(referrer) => {
            Err(ReferenceError::InUse { resource: resource.meta().name.to_string(), referrer: referrer.to_string() })
        }
        None => Ok(Change::new(resource, deleted)),
    }
}

/// Whether `target` can be checked here: it is of the discovery service.
pub fn is_ours(target: &FullName) -> bool {
    target.service == "discovery"
}

/// Checks that evidence stays in its workspace and that what it cites of this service exists. What other services hold
/// is not checked: they may be away while evidence is written down.
pub fn check_targets<'a>(
    field: &'static str,
    workspace: &WorkspaceId,
    targets: impl IntoIterator<Item = &'a FullName>,
    existing: &BTreeSet<AnyName>,
) -> Result<(), ReferenceError> {
    for target in targets {
        if target.name.workspace != *workspace || (is_ours(target) && !existing.contains(&target.name)) {
            return Err(ReferenceError::Missing { field, resource: target.to_string() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<FullName> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn only_what_this_service_holds_is_looked_up() {
        let workspace = WorkspaceId::from_id("a").unwrap();
        let existing = BTreeSet::from(["workspaces/a/insights/known".parse().unwrap()]);
        let check = |texts: &[&str]| check_targets("evidence", &workspace, &names(texts), &existing);
        assert_eq!(
            check(&[
                "//discovery.waymark.dev/workspaces/a/insights/known",
                "//metrics.waymark.dev/workspaces/a/metrics/any"
            ]),
            Ok(())
        );
        assert!(matches!(
            check(&["//discovery.waymark.dev/workspaces/a/insights/unknown"]),
            Err(ReferenceError::Missing { .. })
        ));
        assert!(matches!(
            check(&["//metrics.waymark.dev/workspaces/other/metrics/any"]),
            Err(ReferenceError::Missing { .. })
        ));
    }
}
