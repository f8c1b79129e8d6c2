//! Scenarios: branches of the roadmap to try things in, and the initiatives that they changed. Types here; why something
//! is refused in `error`, what is decided in `decide`.

mod decide;
mod error;

use chrono::{DateTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

pub use error::{Conflict, ScenarioError};

use super::Initiative;
use crate::{Meta, Name, Resource};

/// A branch of the roadmap at a revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What is tried in it and why.
    pub description: String,
    /// The revision that it branches off; 0 for the current one, until it is created.
    pub revision: i64,
    /// Whether it can be changed.
    pub state: ScenarioState,
    /// How many initiatives it has changed.
    pub initiative_count: u32,
    /// When something was last changed in it.
    pub change_time: Option<DateTime<Utc>>,
}

/// What can be done with a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScenarioState {
    /// It can be changed and merged.
    Open,
    /// It is part of the roadmap.
    Merged {
        /// Who merged it.
        by: String,
        /// When.
        time: DateTime<Utc>,
        /// At which revision.
        revision: i64,
    },
}

/// What happens to scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum ScenarioEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
    Changed,
    Merged,
}

/// An initiative as a scenario has it that changed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// The scenario.
    pub scenario: Name<Scenario>,
    /// The initiative at the revision of the scenario; `None` when it was created in the scenario.
    pub base: Option<Box<Initiative>>,
    /// The initiative in the scenario.
    pub initiative: Box<Initiative>,
}

/// What happens to variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum VariantEvent {
    Created,
    Updated,
    Deleted,
}

impl Resource for Scenario {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "Scenario";
    const COLLECTION: &'static str = "scenarios";
    type Event = ScenarioEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

impl Resource for Variant {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "Variant";
    const COLLECTION: &'static str = "variants";
    type Event = VariantEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

impl Scenario {
    /// Initiatives that one scenario changes, at most, as they are merged in one write.
    pub const INITIATIVES: usize = 2_000;
    /// Initiatives that are looked at for a way of dependencies that leads back, at most.
    pub const LOOKED_AT: usize = 10_000;
}

impl ScenarioState {
    /// Its name in the contract.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Merged { .. } => "MERGED",
        }
    }
}
