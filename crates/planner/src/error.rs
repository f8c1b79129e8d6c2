//! Why there is no plan: what cannot be, by the items and pools that it is about.

/// A question that no plan answers. Items and pools are told by their places in the question.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The question itself is wrong.
    #[error("{0}")]
    Malformed(&'static str),
    /// Items wait for one another.
    #[error("items {0:?} wait for one another, in this order; the last is the first again")]
    Cycle(Vec<usize>),
    /// What must be done waits for what must not be.
    #[error("item {item} must be done and waits for {other}, which must not be done")]
    NeedsMustNot {
        /// What must be done.
        item: usize,
        /// What it waits for.
        other: usize,
    },
    /// What must be done is more work than a pool has in the periods it may be done in.
    #[error("item {item} must be done and does not fit: in no way it may be done has pool {pool} enough for it")]
    TooLarge {
        /// What must be done.
        item: usize,
        /// Who has too little for it.
        pool: usize,
    },
    /// Dates of what must be done are against those of what it waits for, or of what waits for it.
    #[error("item {item} must be done and cannot be within its periods, because of those of {other:?}")]
    Dates {
        /// What must be done.
        item: usize,
        /// What it waits for, or what must be done behind it; `None` where it lasts longer than its own periods.
        other: Option<usize>,
    },
    /// All that must be done in some periods is more work than a pool has in them.
    #[error("what must be done from period {} to {} needs {needs} of pool {pool}, which has {has}", .periods.first, .periods.last)]
    Capacity {
        /// Who has too little.
        pool: usize,
        /// When.
        periods: crate::Periods,
        /// How much is needed at least.
        needs: f64,
        /// How much there is.
        has: f64,
        /// What needs it.
        items: Vec<usize>,
    },
    /// Items that must be done do not go together, however they are laid out, though there is capacity enough in sum.
    #[error("items {items:?} must all be done and cannot be laid out together")]
    Together {
        /// The items, none of which could be left out of this.
        items: Vec<usize>,
        /// The pool whose capacity is what keeps them from it, where it is one.
        pool: Option<usize>,
    },
    /// Neither a way to do all that must be done was found, nor that there is none.
    #[error("no way was found to do all that must be done before the time was over; there may be one")]
    Undecided,
}
