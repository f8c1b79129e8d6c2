//! The RPCs of the service beside the standard methods. A handler opens the request, makes one call of the store and
//! answers; rules are the domain's.

mod advice;
mod changing;
mod comparing;
mod decisions;
mod grouping;
mod initiatives;
mod lanes;
mod model_ranking;
mod objectives;
mod optimizing;
mod pages;
mod planned;
mod prioritization;
mod products;
mod ranking;
mod ranks_of_all;
mod ranks_then;
mod roadmap;
mod scenarios;
mod score_history;
mod scorers;
mod sensitivity;
mod strategy;
mod versions;
mod workspaces;

use waymark_store::Store;

/// All gRPC services of this crate over one store.
#[derive(Clone)]
pub struct Api {
    pub(crate) store: Store,
}
