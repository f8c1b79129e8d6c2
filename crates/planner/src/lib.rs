//! What to do in which period, so that it is worth most within the capacity there is.
//!
//! Items have a value and work for pools of capacity; some wait for others, some must be done, some must not, some have
//! dates. The crate answers which are done and when, what that is worth, and what it could be worth at most, which is
//! proven; what was left out and why; which capacity was used up; and what more of it would buy. It knows nothing of
//! products, the wire or databases, and reads no clock but to stop in time.
//!
//! The rules, all of them:
//! - An item is done in consecutive periods, as many as it may last, and its work is spread evenly over them.
//! - What it waits for must be done, too, and ends in the period in which it begins, or before.
//! - In no period a pool has more work than capacity, but for what it has at any time (see [`Pool::anytime`]).
//! - An item whose value nobody knows is done where it must be, or where another that is done waits for it.
//!
//! ```
//! use waymark_planner::{Effort, Item, Pool, Question, plan};
//!
//! let pools = vec![Pool::of([2.0, 2.0])];
//! let item = |value, months| Item::of(2, Some(value), [(0, months)]);
//! let question = Question { periods: 2, pools, items: vec![item(5.0, 2.0), item(4.0, 1.0), item(3.0, 1.0)] };
//! let plan = plan(&question, Effort::default())?;
//! assert_eq!((plan.value, plan.is_optimal()), (12.0, true));
//! # Ok::<(), waymark_planner::PlanError>(())
//! ```

mod draft;
mod error;
mod explain;
mod model;
mod more;
mod plan;
mod question;
mod search;
mod selection;
mod tidying;
mod whole;
mod why;

pub use error::PlanError;
pub use more::{More, Worth, one_more};
pub use plan::{Ended, Plan, plan};
pub use question::{Effort, Item, Periods, Pool, Question, Wish};
pub use why::Why;
