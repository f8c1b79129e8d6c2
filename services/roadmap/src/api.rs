//! The RPCs of the service beside the standard methods. A handler opens the request, makes one call of the store and
//! answers; rules are the domain's.

mod decisions;
mod initiatives;
mod lanes;
mod prioritization;
mod ranking;
mod roadmap;

use waymark_store::Store;

/// All gRPC services of this crate over one store.
#[derive(Clone)]
pub struct Api {
    pub(crate) store: Store,
}
