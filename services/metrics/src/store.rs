//! The service's tables, and the one place where a stored message becomes a domain value outside of a write.

mod frictions;
mod imports;
mod initiatives;
mod metrics;
mod outcomes;
mod predictions;
mod tracking_plans;
mod tracking_violations;
mod workspaces;

use waymark_domain::Name;
use waymark_proto::ResourceMessage;
use waymark_store::{Error, Store, Table};

pub use frictions::Frictions;
pub use imports::{Imports, undoing};
pub use initiatives::Initiatives;
pub use metrics::{Metrics, unread};
pub use outcomes::Outcomes;
pub use predictions::{Predictions, due};
pub use tracking_plans::{TrackingPlans, tracking_plan};
pub use tracking_violations::TrackingViolations;
pub use workspaces::Workspaces;

/// A resource that exists and is not deleted.
pub async fn live<T: Table>(store: &Store, name: &Name<T::Resource>) -> Result<T::Resource, Error> {
    let message = store.get::<T>(&name.to_string()).await?;
    if message.standard().delete_time.is_some() {
        return Err(Error::Deleted(name.to_string()));
    }
    waymark_store::resource::<T>(message)
}
