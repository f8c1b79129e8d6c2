//! Pictures of the loop for a terminal: the tree, objectives, orders and how alike they are, decisions, the roadmap, scenarios,
//! plans, links between resources, what product events say of users, and the trace of one initiative from insight to learning.

mod asked;
pub mod bars;
pub mod branches;
pub mod compare;
pub mod decisions;
pub mod funnel;
mod lanes;
pub mod lifecycle;
pub mod links;
pub mod okr;
mod okr_plot;
pub mod plan;
mod plan_plot;
mod plan_words;
mod plot;
pub mod rank;
mod rank_plot;
mod ranked;
pub mod retention;
pub mod roadmap;
mod roadmap_markdown;
pub mod scenario;
mod study;
mod svg;
mod timeline;
mod timeline_axis;
pub mod trace;
pub mod tree;
pub mod words;
