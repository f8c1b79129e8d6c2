//! Discover: what users need and what is known about it.
//!
//! Research (studies, participants, interviews, insights) says what was seen; the opportunity solution tree (outcomes,
//! opportunities, solutions, assumption tests) says what follows from it.

pub mod assumption_test;
pub mod insight;
pub mod interview;
mod likeness;
pub mod lint;
pub mod opportunity;
pub mod outcome;
pub mod participant;
pub mod pruning;
pub mod reference;
pub mod risks;
pub mod solution;
pub mod study;
pub mod tree;

pub use assumption_test::{
    AssumptionTest, AssumptionTestError, AssumptionTestEvent, Comparison, Observation, PassThreshold, TestResult,
    TestVerdict,
};
pub use insight::{Insight, InsightError, InsightEvent, InsightEvidence, InsightKind, Strength, StrengthBand, Support};
pub use interview::{
    Highlight, Highlights, Interview, InterviewError, InterviewEvent, Sentiment, Span, Transcript, TranscriptSegment,
};
pub use lint::{Finding, LintRule};
pub use opportunity::{Learning, Opportunity, OpportunityEvent, OpportunityKind, ParentNode};
pub use outcome::{Outcome, OutcomeEvent};
pub use participant::{Consent, ConsentScope, Participant, ParticipantEvent};
pub use pruning::Pruning;
pub use reference::ReferenceError;
pub use risks::{RiskStanding, RiskVerdict, SolutionError};
pub use solution::{RiskEvidence, Solution, SolutionEvent, SolutionState};
pub use study::{Study, StudyError, StudyEvent, StudyMethod, StudyState};
pub use tree::{NodeChange, NodeName, Tree, TreeError};

/// Implements [`crate::Resource`] for a discovery resource with a `meta` field.
macro_rules! resource {
    ($resource:ident, $event:ident, $collection:literal) => {
        impl crate::Resource for $resource {
            const SERVICE: &'static str = "discovery";
            const KIND: &'static str = stringify!($resource);
            const COLLECTION: &'static str = $collection;
            type Event = $event;
            fn meta(&self) -> &crate::Meta<Self> {
                &self.meta
            }
            fn meta_mut(&mut self) -> &mut crate::Meta<Self> {
                &mut self.meta
            }
        }
    };
}
use resource;
