//! What a write reads of the past, under its lock: resources as they were after a revision, and which have changed since.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement};
use waymark_domain::{Resource, WorkspaceId};

use crate::statement::{keyed, unseen};
use crate::trail::trail;
use crate::view::{VALUES, states};
use crate::{Error, Table, Write, resource};

impl Write {
    /// Those of these resources that there were after `revision`, deleted or not, by id. Refuses a revision in the future or
    /// no longer kept.
    pub async fn past<T: Table>(
        &mut self,
        revision: i64,
        ids: impl IntoIterator<Item = &str>,
    ) -> Result<BTreeMap<String, T::Message>, Error> {
        self.must_keep(revision).await?;
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut found = BTreeMap::new();
        for ids in ids.chunks(VALUES) {
            let mut select = states::<T>(self.backend(), self.workspace(), Some(revision));
            select.and_where(keyed(self.backend(), self.workspace().id(), ids.iter().copied()));
            for row in self.rows(&select).await? {
                let (id, state): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                let message = resource::carried::<T, T::Message>(self.workspace().id(), &id, &state)?;
                found.extend(message.map(|message| (id, message)));
            }
        }
        Ok(found)
    }

    /// Ids of those of these resources that have an event behind `revision`.
    pub async fn changed_since<T: Table>(
        &mut self,
        revision: i64,
        ids: impl IntoIterator<Item = &str>,
    ) -> Result<BTreeSet<String>, Error> {
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut changed = BTreeSet::new();
        for ids in ids.chunks(VALUES) {
            let select = since::<T>(self.backend(), self.workspace(), revision, ids);
            for row in self.rows(&select).await? {
                changed.insert(row.try_get_by_index(0)?);
            }
        }
        Ok(changed)
    }
}

/// Ids of those of these resources that have an event behind `revision`.
pub(crate) fn since<T: Table>(
    backend: DbBackend,
    workspace: &WorkspaceId,
    revision: i64,
    ids: &[&str],
) -> SelectStatement {
    let resource = [unseen(backend, T::Resource::COLLECTION), Expr::col((T::TABLE, "id"))];
    let mut last = trail(backend, workspace.id(), resource, (revision, i64::MAX));
    last.column("revision").limit(1);
    let mut select = Query::select();
    select.column("id").from(T::TABLE).and_where(keyed(backend, workspace.id(), ids.iter().copied()));
    select.and_where(Expr::SubQuery(None, Box::new(last.into())).is_not_null()).take()
}
