//! Pictures of the loop for a terminal: the tree, objectives, the roadmap, links between resources, and the trace of one initiative
//! from insight to learning.

pub mod bars;
pub mod branches;
pub mod links;
pub mod okr;
mod okr_plot;
pub mod roadmap;
pub mod trace;
pub mod tree;
pub mod words;
