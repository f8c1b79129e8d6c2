//! Labels: each label of a resource is a row, written with the resource, by which lists find it. Those of a deleted
//! resource stay, as lists may show it. What counts is what the body says; the rows tell where to look.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement};
use serde_json::json;
use waymark_domain::{Resource as _, WorkspaceId};
use waymark_proto::ResourceMessage as _;

use crate::draft::{Action, Row};
use crate::{Draft, Table};

impl Draft {
    /// Puts labels of a resource beside it, as far as they are other than before.
    pub(crate) fn label<T: Table>(&mut self, id: &str, message: &T::Message, before: Option<&T::Message>) {
        let labels = |message: &T::Message| message.standard().labels;
        let (mut gone, mut new) = (before.map(labels).unwrap_or_default(), labels(message));
        new.retain(|key, value| gone.get(key) != Some(value) || gone.remove(key).is_none());
        for (labels, action) in [(gone, Action::Unlink), (new, Action::Link)] {
            if !labels.is_empty() {
                self.rows.push(row::<T>(self.workspace.id(), id, &labels, action));
            }
        }
    }
}

/// Labels of a resource, to be added or taken away.
pub(crate) fn row<T: Table>(workspace: &str, id: &str, labels: &BTreeMap<String, String>, action: Action) -> Row {
    let collection = T::Resource::COLLECTION;
    let rows: Vec<_> = labels.iter().map(|(key, value)| [collection, key, value, id]).collect();
    Row::many("labels", workspace, &format!("{collection}/{id}"), json!(rows).to_string(), action)
}

/// Ids of the resources that have a label of a key.
pub(crate) fn labelled<T: Table>(workspace: &WorkspaceId, key: &str) -> SelectStatement {
    let mut select = Query::select();
    select.column("id").from("labels").and_where(Expr::col("workspace").eq(workspace.id()));
    select.and_where(Expr::col("collection").eq(T::Resource::COLLECTION)).and_where(Expr::col("key").eq(key)).take()
}
