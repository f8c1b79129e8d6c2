//! The service's tables, and the one place where a stored message becomes a domain value outside of a write.

mod frictions;
mod metrics;
mod outcomes;
mod predictions;

use sea_orm::{ConnectionTrait, Statement, Value};
use waymark_domain::{Name, ResourceId, WorkspaceId};
use waymark_proto::ResourceMessage;
use waymark_store::{Error, Store, Table};

pub use frictions::Frictions;
pub use metrics::{Metrics, alerted};
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

/// The names that a question across workspaces finds: it selects workspace and id, in this order.
async fn names<T: Table>(store: &Store, sql: &str, values: Vec<Value>) -> Result<Vec<Name<T::Resource>>, Error> {
    let rows = store.reader().query_all_raw(Statement::from_sql_and_values(store.backend(), sql, values)).await?;
    let mut names = Vec::with_capacity(rows.len());
    for row in rows {
        let (workspace, id): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let damaged = |problem: String| Error::Damaged {
            table: T::TABLE,
            column: "id",
            workspace: workspace.clone(),
            id: id.clone(),
            problem,
        };
        let name_of = WorkspaceId::from_id(&workspace).map_err(|e| damaged(e.to_string()))?;
        let id_of: ResourceId = id.parse().map_err(|e: waymark_domain::name::NameError| damaged(e.to_string()))?;
        names.push(Name::new(name_of, id_of));
    }
    Ok(names)
}
