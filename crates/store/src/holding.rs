//! The table whose resources hold revisions: while one stands its revision can be read, however far the log is trimmed
//! beyond it. What that keeps of the log, and until when, is in `freeing`.

use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement};
use waymark_domain::{AnyName, Resource as _, WorkspaceId};

use crate::Own;

/// The table whose resources hold revisions.
#[derive(Debug, Clone, Copy)]
pub struct Holding {
    table: &'static str,
    /// The collection of its resources.
    pub(crate) collection: &'static str,
    /// The column of the revision.
    column: &'static str,
}

impl Holding {
    /// Live resources of `T` hold the revision in this column, which has an index and does not change.
    pub const fn of<T: Own>(column: &'static str) -> Self {
        Self { table: T::TABLE, collection: T::Resource::COLLECTION, column }
    }

    /// Whether a revision is held.
    pub(crate) fn holds(&self, workspace: &WorkspaceId, revision: i64) -> SelectStatement {
        self.held(workspace).and_where(Expr::col(self.column).eq(revision)).limit(1).take()
    }

    /// The revision that a resource holds.
    pub(crate) fn of_resource(&self, name: &AnyName) -> SelectStatement {
        self.held(&name.workspace).and_where(Expr::col("id").eq(name.id.as_str())).take()
    }

    /// All held revisions before one. They are as many as somebody gave names to.
    pub(crate) fn before(&self, workspace: &WorkspaceId, revision: i64) -> SelectStatement {
        self.held(workspace).and_where(Expr::col(self.column).lt(revision)).take()
    }

    fn held(&self, workspace: &WorkspaceId) -> SelectStatement {
        let mut select = Query::select();
        select.column(self.column).from(self.table).and_where(Expr::col("workspace").eq(workspace.id()));
        select.and_where(Expr::col("delete_time").is_null()).take()
    }
}
