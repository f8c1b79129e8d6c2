//! Scoring models: the ways to score that a workspace keeps.

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::Scoring;
use crate::{Meta, Resource};

/// A team's own way to score.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoringModel {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What it is good for and what it leaves out.
    pub description: String,
    /// The way.
    pub scoring: Scoring,
}

/// What happens to scoring models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum ScoringModelEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

impl Resource for ScoringModel {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "ScoringModel";
    const COLLECTION: &'static str = "scoringModels";
    type Event = ScoringModelEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}
