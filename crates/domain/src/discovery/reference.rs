//! References between discovery's resources: what is referred to must exist, what is referred to is not deleted.
//!
//! Nothing is looked up here: the caller brings what exists.

use crate::{Failure, FailureKind, FullName, Reason, Violation};

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

/// Whether `target` can be checked here: it is of the discovery service.
pub fn is_ours(target: &FullName) -> bool {
    target.service == "discovery"
}
