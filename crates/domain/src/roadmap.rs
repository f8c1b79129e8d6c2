//! Decide and deliver: products, objectives and how far they have come, initiatives, estimates, the order they put
//! initiatives in.

pub mod advice;
pub mod audience;
pub mod check_in;
pub mod decision;
pub mod dependencies;
pub mod estimate;
pub mod factor_scale;
pub mod formula;
pub mod framework;
pub mod goal;
pub mod initiative;
pub mod key_result;
pub mod lint;
pub mod objective;
pub mod product;
pub mod ranking;
pub mod scale;
pub mod scenario;
pub mod scorer;
pub mod scoring;
pub mod scoring_model;
pub mod snapshot;
pub mod target;
pub mod workspace;

pub use audience::{Audience, AudienceError, AudienceEvent, DatePrecision, FieldGroup};
pub use check_in::{CheckIn, CheckInError, CheckInEvent};
pub use decision::{Decision, DecisionError};
pub use dependencies::{CriticalPath, Dependencies};
pub use estimate::{Amount, Basis, Estimate, EstimateEvent, Factor, FactorSource, ReachPeriod, Worded};
pub use factor_scale::{FactorScale, FactorScaleEvent, Scales};
pub use formula::{EvaluationError, Formula, FormulaError};
pub use framework::bands::{KanoCategory, OpportunityBand, Quadrant};
pub use framework::delay;
pub use framework::moscow::{Moscow, MoscowEffort};
pub use framework::{Framework, Input};
pub use goal::{Direction, Goal, GoalError, Score, ScoreBand, Standing};
pub use initiative::{
    ActualOutcome, Around, Commitment, Decline, Declining, DependencyWaiver, DependencyWaivers, ExpectedOutcome,
    Horizon, Initiative, InitiativeError, InitiativeEvent, InitiativeState, InitiativeStep, Pause, Place, Priority,
    RankChange, RankMove, RiskAssessment, Shipment, Start, Underway, Waiver,
};
pub use key_result::{CurrentValue, KeyResult, KeyResultEvent, LastCheckIn};
pub use lint::{Finding, LintRule};
pub use objective::{Objective, ObjectiveError, ObjectiveEvent};
pub use product::{Product, ProductEvent, ProductLifecycle};
pub use ranking::{KnownFactors, Rank};
pub use scale::{OffScale, Scale, ScaleError, Step};
pub use scenario::{Conflict, Scenario, ScenarioError, ScenarioEvent, ScenarioState, Variant, VariantEvent};
pub use scorer::{Axis, Course, Known, Scorer, Unknown, Unscored};
pub use scoring::{Combination, Criterion, Extent, Normalisation, Scoring, ScoringError, Weighing};
pub use scoring_model::{ScoringModel, ScoringModelEvent};
pub use snapshot::{Snapshot, SnapshotEvent};
pub use target::{Period, TargetInterval};
pub use workspace::{Workspace, WorkspaceError, WorkspaceEvent, WorkspaceState};
