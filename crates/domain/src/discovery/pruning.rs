//! Prunings: why a node of a tree was given up, kept with the node and with all that was given up with it.

use chrono::{DateTime, Utc};

use crate::AnyName;

/// Why a node was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruning {
    /// The reason given.
    pub reason: String,
    /// The node that was pruned: the one that holds this, or one above it.
    pub node: AnyName,
    /// When.
    pub time: DateTime<Utc>,
}
