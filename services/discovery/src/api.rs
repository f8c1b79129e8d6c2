//! The service's RPCs beside the standard methods. A handler opens the request, makes one call and answers; rules are the domain's, transactions
//! the store's.

mod opportunity;
mod research;
mod trace;
mod tree;

use waymark_store::Store;

/// What the handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The service's database.
    pub store: Store,
}
