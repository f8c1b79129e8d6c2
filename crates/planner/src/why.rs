//! Why an item is left out of a plan; what finds it out is in `explain`.

/// Why an item is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It must not be done.
    MustNot,
    /// What it waits for is left out.
    Waits(usize),
    /// This pool has too little for it in any of its periods, though nothing else were done.
    TooLarge(usize),
    /// It cannot be within its periods: because of those of what it waits for, or as it lasts longer than they do.
    Dates(Option<usize>),
    /// Nobody knows what it is worth, and nothing that is done waits for it.
    Unknown,
    /// It is worth nothing, and nothing that is done waits for it.
    Worthless,
    /// What it needs is used by what is worth more together.
    Outdone {
        /// The pools that have too little left for it.
        pools: Vec<usize>,
        /// One that is done and in whose place it could be.
        instead_of: Option<usize>,
    },
}
