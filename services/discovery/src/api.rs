//! The service's RPCs. A handler opens the request, makes one call and answers; rules are the domain's, transactions
//! the store's.

mod opportunity;
mod research;
mod trace;
mod tree;

use std::convert::Infallible;

use waymark_domain::{Change, Resource};
use waymark_store::Store;

/// What the handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The service's database.
    pub store: Store,
}

/// A change that no rule refuses.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the store asks for the result of a decision, and this one is never refused"
)]
fn change<R: Resource>(resource: R, event: R::Event) -> Result<Change<R>, Infallible> {
    Ok(Change::new(resource, event))
}
