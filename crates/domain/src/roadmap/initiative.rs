//! Initiatives: what is proposed, committed to, built, shipped and measured, or declined. Types here; rules in
//! `decide`.

mod decide;
mod error;
mod follow;
mod order;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

pub use decide::Declining;
pub use error::InitiativeError;
pub use follow::Around;

use super::{Audience, Framework, KeyResult, Product, TargetInterval};
use crate::{AnyName, Evidence, FullName, Meta, Name, Range, Resource, Risk, Verdict};

/// A piece of work that is meant to change something for users.
#[derive(Debug, Clone, PartialEq)]
pub struct Initiative {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// The product it is for.
    pub product: Option<Name<Product>>,
    /// The problem it solves and for whom.
    pub problem: String,
    /// Why this should solve it.
    pub hypothesis: String,
    /// When it is planned for, roughly.
    pub horizon: Horizon,
    /// When it is planned for, in months, quarters or years.
    pub target: Option<TargetInterval>,
    /// Who answers for it; may be empty.
    pub owner: String,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// What is known about each risk; a risk without an entry is open.
    pub risks: BTreeMap<Risk, RiskAssessment>,
    /// What it is expected to move.
    pub expected_outcome: Option<ExpectedOutcome>,
    /// The initiatives that must ship before this one.
    pub dependencies: BTreeSet<Name<Self>>,
    /// Where it stands, and what is known by then.
    pub state: InitiativeState,
    /// The last time an estimate moved it in the order.
    pub rank_change: Option<RankChange>,
    /// What the estimate that counts says of it.
    pub priority: Option<Priority>,
    /// The signatures under steps that dependencies spoke against.
    pub dependency_waivers: DependencyWaivers,
    /// The key results it serves.
    pub key_results: BTreeSet<Name<KeyResult>>,
    /// The audiences it is shown to.
    pub audiences: BTreeSet<Name<Audience>>,
}

/// When something is planned for, without dates.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, IntoStaticStr, VariantNames,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Horizon {
    /// Being worked on, or next in line with certainty.
    Now,
    /// After what is being worked on.
    Next,
    /// Worth doing, no promise when.
    Later,
}

/// Where an initiative stands, with all that got it there. Printed as in the contract: `IN_PROGRESS`.
#[derive(Debug, Clone, PartialEq, IntoStaticStr, Display)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum InitiativeState {
    /// An idea with reasons.
    Proposed,
    /// It will be built.
    Committed(Commitment),
    /// It is being built.
    InProgress(Start),
    /// Users have it.
    Shipped(Shipment),
    /// What it moved is known.
    Measured(Shipment, ActualOutcome),
    /// It will not be built.
    Declined(Decline),
    /// Set aside after it was committed to.
    Paused(Pause),
}

/// One risk and why it is no longer open.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RiskAssessment {
    /// What shows that it is small enough.
    pub evidence: Vec<Evidence>,
    /// The signature that stands in for evidence.
    pub waiver: Option<Waiver>,
}

impl RiskAssessment {
    /// Whether there is neither evidence nor a waiver.
    pub fn is_open(&self) -> bool {
        self.evidence.is_empty() && self.waiver.is_none()
    }
}

/// A signature under a risk taken without evidence, or under a step that dependencies speak against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub signed_by: String,
    /// When it was signed.
    pub time: DateTime<Utc>,
}

/// Signatures under steps, the last one of each.
pub type DependencyWaivers = BTreeMap<InitiativeStep, DependencyWaiver>;

/// A step that dependencies may speak against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum InitiativeStep {
    /// Work starts.
    Start,
    /// It ships.
    Ship,
    /// It is declined.
    Decline,
}

/// Why a step was taken although dependencies spoke against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyWaiver {
    /// Those that had not shipped, or that waited.
    pub initiatives: BTreeSet<Name<Initiative>>,
    /// The signature.
    pub waiver: Waiver,
}

/// What an initiative is expected to move.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedOutcome {
    /// The metric, of the metrics service.
    pub metric: FullName,
    /// The relative change: 0.1 is ten per cent more; not below -1.
    pub change: Range,
    /// Days before and days after shipping that are compared, 1 to 365.
    pub window_days: u16,
}

/// What an initiative moved in fact.
#[derive(Debug, Clone, PartialEq)]
pub struct ActualOutcome {
    /// The outcome, of the metrics service.
    pub outcome: FullName,
    /// Whether the expected change happened.
    pub verdict: Verdict,
    /// The relative change with its 95 % interval; `None` when there was nothing to measure.
    pub measured: Option<Range>,
    /// When it was measured.
    pub time: DateTime<Utc>,
}

/// Who committed to an initiative and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    /// The actor.
    pub by: String,
    /// When.
    pub time: DateTime<Utc>,
}

/// When work on an initiative started, and the commitment it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The commitment.
    pub commitment: Commitment,
    /// When.
    pub time: DateTime<Utc>,
}

/// When an initiative shipped, and the work that led there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipment {
    /// The work.
    pub start: Start,
    /// When.
    pub time: DateTime<Utc>,
}

/// Why something will not be built.
#[derive(Debug, Clone, PartialEq)]
pub struct Decline {
    /// Why not.
    pub reason: String,
    /// What the decision rests on.
    pub evidence: Vec<Evidence>,
    /// What would have to become true to decide otherwise.
    pub what_would_change_our_mind: String,
    /// The day to look at it again.
    pub review_date: Option<NaiveDate>,
    /// The decision that says so, of the same workspace; `None` where it was declined before decisions were kept.
    pub decision: Option<AnyName>,
    /// How far it had come; `None` when nobody had committed to it.
    pub left: Option<Underway>,
    /// Who decided.
    pub by: String,
    /// When it was decided.
    pub time: DateTime<Utc>,
}

/// Why an initiative is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Why.
    pub reason: String,
    /// Where it goes on.
    pub left: Underway,
    /// When it was paused.
    pub time: DateTime<Utc>,
}

/// How far an initiative has come that was committed to and has not shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Underway {
    /// Work has not started.
    Committed(Commitment),
    /// It is being built.
    InProgress(Start),
}

/// What a new or changed estimate did to the place of its initiative in the orders of frameworks.
#[derive(Debug, Clone, PartialEq)]
pub struct RankChange {
    /// The estimate that caused it, which names the initiative.
    pub estimate: AnyName,
    /// The moves, at least one, in the order of frameworks.
    pub moves: Vec<RankMove>,
    /// What changed, as a sentence.
    pub explanation: String,
    /// When.
    pub time: DateTime<Utc>,
}

/// A move in the order of one framework.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankMove {
    /// The framework.
    pub framework: Framework,
    /// Where it stood; `None` when it had no place.
    pub from: Option<Place>,
    /// Where it stands.
    pub to: Option<Place>,
    /// How many initiatives have a position after the change.
    pub ranked_count: u32,
}

/// Where something stands in an order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// From 1; equal scores share a position.
    pub position: u32,
    /// The score, by the likely values.
    pub score: f64,
}

/// What the estimate that counts says of an initiative.
#[derive(Debug, Clone, PartialEq)]
pub struct Priority {
    /// The estimate, which names the initiative.
    pub estimate: AnyName,
    /// The RICE score, unless a factor is missing.
    pub score: Option<Range>,
    /// How sure the score is, by the likely value.
    pub confidence: Option<f64>,
    /// What it costs in person-months, by the likely value.
    pub effort: Option<f64>,
    /// The factors of RICE to find out.
    pub missing: Vec<&'static str>,
    /// The scores by other frameworks that it has all factors of.
    pub scores: BTreeMap<Framework, Range>,
    /// All that it has, by the likely values as scores take them.
    pub factors: BTreeMap<String, f64>,
}

/// What happens to initiatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum InitiativeEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
    Scheduled,
    Moved,
    RiskWaived,
    EvidenceAdded,
    Committed,
    Started,
    Shipped,
    Declined,
    Paused,
    Resumed,
    DependencyAdded,
    DependencyRemoved,
    Measured,
    RankChanged,
    Prioritized,
}

impl Resource for Initiative {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "Initiative";
    const COLLECTION: &'static str = "initiatives";
    type Event = InitiativeEvent;

    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

impl Underway {
    fn commitment(&self) -> &Commitment {
        match self {
            Self::Committed(commitment) => commitment,
            Self::InProgress(start) => &start.commitment,
        }
    }

    fn start(&self) -> Option<&Start> {
        match self {
            Self::Committed(_) => None,
            Self::InProgress(start) => Some(start),
        }
    }
}

impl Priority {
    /// The RICE score by the likely values, unless a factor is missing.
    pub fn likely(&self) -> Option<f64> {
        self.score.map(|score| score.likely())
    }

    /// The score by a framework, unless a factor is missing.
    pub fn score_by(&self, framework: Framework) -> Option<Range> {
        if framework == Framework::Rice { self.score } else { self.scores.get(&framework).copied() }
    }
}

impl InitiativeState {
    /// Who committed to it and when, once somebody has.
    pub fn commitment(&self) -> Option<&Commitment> {
        match self {
            Self::Proposed => None,
            Self::Committed(commitment) => Some(commitment),
            Self::InProgress(start) => Some(&start.commitment),
            Self::Shipped(shipment) | Self::Measured(shipment, _) => Some(&shipment.start.commitment),
            Self::Declined(decline) => decline.left.as_ref().map(Underway::commitment),
            Self::Paused(pause) => Some(pause.left.commitment()),
        }
    }

    /// When work started, once it has.
    pub fn start_time(&self) -> Option<DateTime<Utc>> {
        let start = match self {
            Self::Proposed | Self::Committed(_) => None,
            Self::InProgress(start) => Some(start),
            Self::Shipped(shipment) | Self::Measured(shipment, _) => Some(&shipment.start),
            Self::Declined(decline) => decline.left.as_ref().and_then(Underway::start),
            Self::Paused(pause) => pause.left.start(),
        };
        start.map(|start| start.time)
    }

    /// When it shipped, once it has.
    pub fn ship_time(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Shipped(shipment) | Self::Measured(shipment, _) => Some(shipment.time),
            Self::Proposed | Self::Committed(_) | Self::InProgress(_) | Self::Declined(_) | Self::Paused(_) => None,
        }
    }
}

impl Initiative {
    /// The risks with neither evidence nor a waiver.
    pub fn open_risks(&self) -> Vec<Risk> {
        Risk::ALL.iter().copied().filter(|risk| self.risks.get(risk).is_none_or(RiskAssessment::is_open)).collect()
    }

    /// Whether work on it is still to come: neither shipped nor declined.
    pub fn is_open(&self) -> bool {
        match self.state {
            InitiativeState::Proposed
            | InitiativeState::Committed(_)
            | InitiativeState::InProgress(_)
            | InitiativeState::Paused(_) => true,
            InitiativeState::Shipped(_) | InitiativeState::Measured(..) | InitiativeState::Declined(_) => false,
        }
    }
}
