//! Desired outcomes: the roots of opportunity solution trees, what a product team wants to move. The contract calls them
//! outcomes, as it does what became of a prediction, which is `metrics::Outcome`.

use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::{FullName, Meta};

/// A desired outcome, the root of a tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// How one knows that it moves.
    pub binding: Binding,
    /// Why it matters.
    pub description: String,
}

/// How one knows that an outcome moves: a metric, words, or both; never neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    metric: Option<FullName>,
    measure: String,
}

impl Binding {
    /// A binding, or `None` when there is neither a metric nor a measure in words.
    pub fn new(metric: Option<FullName>, measure: String) -> Option<Self> {
        (metric.is_some() || !measure.trim().is_empty()).then_some(Self { metric, measure })
    }

    /// The metric that shows it.
    pub fn metric(&self) -> Option<&FullName> {
        self.metric.as_ref()
    }

    /// How one would know, in words; may be empty when there is a metric.
    pub fn measure(&self) -> &str {
        &self.measure
    }
}

/// What happens to outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum OutcomeEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

super::resource!(Outcome, OutcomeEvent, "outcomes");
