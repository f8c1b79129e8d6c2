//! The service's tables, and what its rules need to read inside a write before they decide.

mod assumption_tests;
mod insights;
mod interviews;
mod opportunities;
mod outcomes;
mod participants;
mod references;
mod solutions;
mod studies;
mod trees;

pub use assumption_tests::{AssumptionTests, keep_test};
pub use insights::{Insights, keep_insight, reassess};
pub use interviews::{Interviews, keep_interview, update_interview};
pub use opportunities::{Opportunities, keep_opportunity, revise_opportunity};
pub use outcomes::Outcomes;
pub use participants::Participants;
pub use references::delete;
pub use solutions::{Solutions, keep_solution, revise_solution};
pub use studies::Studies;
pub use trees::{put_node, tests_of, tree_as_of, tree_of};
