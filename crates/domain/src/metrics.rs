//! Measure: product events, what is expected of them and where they came from, metrics over them, predictions made of them and outcomes, and
//! where users leave a path.

pub mod activity;
pub mod alert;
pub mod friction;
pub mod funnel;
pub mod import;
pub mod intake;
pub mod measure;
pub mod metric;
pub mod outcome;
pub mod prediction;
pub mod retention;
pub mod scalar;
pub mod tracking;
pub mod trend;
mod watch;

pub use activity::{Activity, Stickiness};
pub use alert::{Alert, FalseAlarms, Limit, Threshold, Usual, Watch};
pub use friction::{
    Answer, Correlate, Entries, Friction, FrictionError, FrictionEvent, Loss, MinUsers, Path, Properties, Question,
    QuestionError, Step, Ties, Window,
};
pub use funnel::{
    Attribution, EventReuse, ExclusionEffect, Funnel, FunnelBreakdown, FunnelEntry, FunnelExclusion, FunnelOrder,
    FunnelPreset, FunnelSettings, FunnelStep, FunnelTies, FunnelWindow, WindowArithmetic, WindowBoundary, WindowScope,
    WindowUnit,
};
pub use import::{Completion, Counts, Import, ImportError, ImportEvent, ImportState, ReadColumn, Report, Undo};
pub use intake::{IntakePolicy, ProductEvent, Rejection};
pub use measure::{Condition, Measure, MeasureError, MeasureKind, NumberOrder, PropertyFilter};
pub use metric::{Metric, MetricDirection, MetricError, MetricEvent, MetricStage};
pub use outcome::{Finding, Measurement, Outcome, OutcomeEvent, TooLittle, judge};
pub use prediction::{Prediction, PredictionError, PredictionEvent, PredictionState, Promise, Windows};
pub use retention::{
    Retention, RetentionDenominator, RetentionMode, RetentionPeriods, RetentionSettings, RetentionStart,
};
pub use scalar::Scalar;
pub use tracking::{
    BotAction, BotRule, Expectations, Fault, Held, Sighting, TrackedEvent, TrackedProperty, TrackedType,
    TrackingExample, TrackingMode, TrackingPlan, TrackingPlanEvent, TrackingViolation, TrackingViolationEvent,
    TrackingViolationKind, ViolationKey,
};
pub use trend::{Breakdown, BreakdownBy, Interval, TrendError, TrendSettings, WeekStart, zone};
