//! The service's tables, and the one place where a stored message becomes a domain value outside of a write.

mod metrics;
mod outcomes;
mod predictions;

use waymark_domain::{Name, Violations};
use waymark_proto::ResourceMessage;
use waymark_store::{Error, Store, Table};

pub use metrics::Metrics;
pub use outcomes::Outcomes;
pub use predictions::{Predictions, due};

/// A resource that exists and is not deleted.
pub async fn live<T: Table>(store: &Store, name: &Name<T::Resource>) -> Result<T::Resource, Error> {
    let message = store.get::<T>(&name.to_string()).await?;
    if message.standard().delete_time.is_some() {
        return Err(Error::Deleted(name.to_string()));
    }
    waymark_store::resource::<T>(message)
}

/// The name in a field of a request.
pub fn name<R: waymark_domain::Resource>(field: &str, text: &str) -> Result<Name<R>, Error> {
    text.parse().map_err(|error: waymark_domain::name::NameError| Violations::one(field, error.to_string()).into())
}

/// The workspace in the `parent` field of a request.
pub fn parent(text: &str) -> Result<waymark_domain::WorkspaceId, Error> {
    text.parse().map_err(|error: waymark_domain::name::NameError| Violations::one("parent", error.to_string()).into())
}
