//! Objectives: what is to be reached and by when. Narrower ones stand below wider ones, in trees.

use std::collections::BTreeSet;

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{Product, TargetInterval};
use crate::{Failure, FailureKind, Meta, Name, Reason, Resource, Violation};

/// Something to be reached within a period; its display name says what.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// Why it matters and what would be different.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// When it is to be reached.
    pub period: TargetInterval,
    /// The wider objective that it serves, if it serves one.
    pub parent_objective: Option<Name<Self>>,
    /// The products it is for.
    pub products: BTreeSet<Name<Product>>,
}

/// What happens to objectives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum ObjectiveEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

impl Resource for Objective {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "Objective";
    const COLLECTION: &'static str = "objectives";
    type Event = ObjectiveEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

impl Objective {
    /// Objectives, key results and references by initiatives that are read at once, at most.
    pub const READ_AT_ONCE: usize = 20_000;
}

/// Why objectives are not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectiveError {
    /// More belongs together than is read at once.
    #[error("more than {most} objectives, key results and references by initiatives belong to {resource}; {instead}", most = Objective::READ_AT_ONCE)]
    TooLarge {
        /// To what they belong.
        resource: String,
        /// What to do.
        instead: &'static str,
    },
}

impl ObjectiveError {
    /// That more belongs to a resource than is read at once, and what to do.
    pub fn too_large(resource: &str, instead: &'static str) -> Self {
        Self::TooLarge { resource: resource.to_owned(), instead }
    }
}

impl Failure for ObjectiveError {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> Reason {
        Reason::RuleViolated
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        let Self::TooLarge { resource, .. } = self;
        vec![("rule", "size".to_owned()), ("resource", resource.clone())]
    }
    fn violations(&self) -> Vec<Violation> {
        vec![Violation { field: "size".to_owned(), description: self.to_string() }]
    }
}
