//! What the service keeps, in pages, for others that mirror it.

use prost::Message as _;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use waymark_domain::Violations;
use waymark_proto::events::v1 as pb;

use crate::statement::{columns, json_text, order_by};
use crate::{Error, Store};

/// Resources of a page at most.
const ROWS: usize = 1_000;
/// Bytes of a page, about, where there is room for more.
const PAGE: usize = 1 << 20;
/// Bytes of a field that holds a message, beside the message.
const FIELD: usize = 6;

impl Store {
    /// Resources of a collection behind the one that is named, whatever their workspace: as many as `bytes` have room
    /// for, encoded. One that has no room alone comes without its content.
    pub async fn snapshot_page(
        &self,
        request: &pb::SnapshotRequest,
        bytes: usize,
    ) -> Result<pb::SnapshotResponse, Error> {
        let own = || self.collections.iter().filter(|collection| !collection.mirrored);
        let Some(collection) = own().find(|collection| collection.name == request.collection) else {
            let names: Vec<_> = own().map(|collection| collection.name).collect();
            let problem =
                format!("{:?} is none that this service keeps; those are {}", request.collection, names.join(", "));
            return Err(Violations::one("collection", problem).into());
        };
        let order = ["workspace", "id"].map(|column| (column.to_owned(), Order::Asc, None));
        let room = bytes.min(PAGE) as i64;
        let select = match request {
            pb::SnapshotRequest { workspace, id, .. } if !id.is_empty() => single(collection.table, workspace, id),
            _ => behind(collection.table, &request.after_workspace, &request.after_id),
        };
        let (rows, more) = self.across().page(select, ROWS, ("resource", room), &order).await?;
        let mut page = pb::SnapshotResponse { rows: Vec::new(), more };
        let mut left = bytes.saturating_sub(FIELD);
        for row in &rows {
            let mut row = pb::SnapshotRow {
                workspace: row.try_get_by_index(0)?,
                id: row.try_get_by_index(1)?,
                resource: row.try_get_by_index(2)?,
            };
            if page.rows.is_empty() && row.encoded_len() + FIELD > left {
                row.resource.clear();
            }
            let size = row.encoded_len() + FIELD;
            if size > left {
                page.more = true;
                break;
            }
            left -= size;
            page.rows.push(row);
        }
        Ok(page)
    }
}

fn resources(table: &'static str) -> SelectStatement {
    Query::select().columns(["workspace", "id"]).expr_as(json_text("body"), "resource").from(table).take()
}

fn single(table: &'static str, workspace: &str, id: &str) -> SelectStatement {
    resources(table).and_where(Expr::col("workspace").eq(workspace)).and_where(Expr::col("id").eq(id)).take()
}

/// One row more than a page has, to tell whether there are more.
pub(crate) fn behind(table: &'static str, workspace: &str, id: &str) -> SelectStatement {
    let mut select = resources(table);
    if !workspace.is_empty() {
        let last = Expr::tuple([Expr::val(workspace), Expr::val(id)]);
        select.and_where(columns(["workspace", "id"]).gt(last));
    }
    let order = ["workspace", "id"].map(|column| (column.to_owned(), Order::Asc, None));
    order_by(&mut select, order);
    select.limit(ROWS as u64 + 1).take()
}
