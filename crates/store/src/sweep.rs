//! Questions across all workspaces: what a timer looks for, such as resources that are due.

use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query};
use waymark_domain::{Name, ResourceId};
use waymark_request::Filter;

use crate::filter::Fields;
use crate::statement::columns;
use crate::workspaces::workspace_of;
use crate::{Error, Store, Table};

impl Store {
    /// Names of live resources of all workspaces that match an AIP-160 `filter` over the table's columns, in order of
    /// workspace and id: the first `limit` of them, or of those after `after`.
    pub async fn sweep<T: Table>(
        &self,
        filter: &str,
        after: Option<&Name<T::Resource>>,
        limit: u32,
    ) -> Result<Vec<Name<T::Resource>>, Error> {
        const ORDER: [&str; 2] = ["workspace", "id"];
        let mut select = Query::select();
        select.columns(ORDER).from(T::TABLE).and_where(Expr::col("delete_time").is_null());
        select.and_where(Fields::of::<T>(self.backend(), None).condition(&Filter::parse(filter)?)?);
        if let Some(name) = after {
            let last = Expr::tuple([name.workspace().id().into(), name.id().as_str().into()]);
            select.and_where(columns(ORDER).gt(last));
        }
        for column in ORDER {
            select.order_by(column, Order::Asc);
        }
        select.limit(limit.into());
        self.across().query_all(&select).await?.iter().map(name::<T>).collect()
    }
}

fn name<T: Table>(row: &QueryResult) -> Result<Name<T::Resource>, Error> {
    let (workspace, id): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    let id = id.parse::<ResourceId>().map_err(|error| Error::Damaged {
        table: T::TABLE,
        column: "id",
        workspace: workspace.clone(),
        id: id.clone(),
        problem: error.to_string(),
    })?;
    Ok(Name::new(workspace_of(T::TABLE, workspace)?, id))
}
