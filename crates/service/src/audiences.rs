//! The audiences of a service, as the edge asks for them.

use std::collections::BTreeSet;
use std::fmt;

use futures::future::BoxFuture;
use tonic::Status;
use waymark_proto::Sight;
use waymark_rpc as rpc;
use waymark_runtime::edge;
use waymark_store::{Error, Store};

/// What the audience of a name sees; `None` when there is none.
pub type FindAudience = for<'a> fn(&'a Store, &'a str) -> BoxFuture<'a, Result<Option<Sight>, Error>>;

/// Audiences that are found in a store.
pub(crate) struct Audiences {
    pub store: Store,
    pub find: FindAudience,
}

impl edge::Audiences for Audiences {
    fn sight<'a>(&'a self, audience: &'a str) -> BoxFuture<'a, Result<Option<Sight>, Status>> {
        Box::pin(async move { rpc::or_status((self.find)(&self.store, audience).await) })
    }

    fn shown<'a>(
        &'a self,
        sight: &'a Sight,
        names: BTreeSet<String>,
    ) -> BoxFuture<'a, Result<BTreeSet<String>, Status>> {
        Box::pin(async move { rpc::or_status(self.store.shown(sight, names).await) })
    }
}

impl fmt::Debug for Audiences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Audiences")
    }
}
