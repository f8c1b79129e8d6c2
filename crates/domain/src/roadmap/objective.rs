//! Objectives: what is to be reached and by when. Narrower ones stand below wider ones, in trees.

use std::collections::BTreeSet;

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{Product, TargetInterval};
use crate::{Meta, Name, Resource};

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
