//! The service's tables, and what its rules need to read inside a write before they decide.

mod assumption_tests;
mod initiatives;
mod insights;
mod interviews;
mod nodes;
mod opportunities;
mod outcomes;
mod participants;
mod research;
mod solutions;
mod studies;
mod trees;
mod workspaces;

pub use assumption_tests::AssumptionTests;
pub use initiatives::Initiatives;
pub use insights::Insights;
pub use interviews::Interviews;
pub use nodes::add_above;
pub use opportunities::Opportunities;
pub use outcomes::Outcomes;
pub use participants::Participants;
pub use research::REQUEST_BYTES;
pub use solutions::Solutions;
pub use studies::Studies;
pub use trees::{branch, put_node};
pub use workspaces::Workspaces;
