//! Activity: which events make a user active, and by which calendar that is told, for how users come, stay and go. Never
//! looks for them; that is the lake's work.

use super::{PropertyFilter, TrendSettings};

/// Which events make a user active.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Activity {
    /// By name; any when there are none.
    pub events: Vec<String>,
    /// What they must meet.
    pub filters: Vec<PropertyFilter>,
}

/// A question about in how many intervals users are active.
#[derive(Debug, Clone, PartialEq)]
pub struct Stickiness {
    /// What makes them so.
    pub activity: Activity,
    /// The range, and how it is cut.
    pub settings: TrendSettings,
    /// How many events in an interval it takes.
    pub occurrences: u32,
}
