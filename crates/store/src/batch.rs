//! Batches: many resources of a table created in one write, all or none, or those that are right.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use waymark_domain::{Change, ResourceId, Violations};
use waymark_proto::ResourceMessage;
use waymark_proto::common::v1::RowFailure;
use waymark_request::{Call, Written, row_failure};

use crate::standard::{missing, parse_workspace};
use crate::{Error, Store, Table, Write};

/// Rows of a batch at most.
const ROWS: usize = 500;

/// What became of a batch: a message per row, and why rows failed, by index.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<M> {
    /// One per row, in their order; the default message where the row failed.
    pub items: Vec<M>,
    /// Failures by index.
    pub failures: BTreeMap<i32, RowFailure>,
}

/// What to create: ids, empty where one is to be made, and messages.
pub type BatchRows<M> = Vec<(String, Option<M>)>;

impl Store {
    /// Creates many resources in one write: all or none, or with `partial` those that are right. `decide` sees the rows
    /// before its own. `reply` builds the answer.
    pub async fn batch_create<T, F, R>(
        &self,
        call: &Call,
        parent: &str,
        rows: BatchRows<T::Message>,
        partial: bool,
        decide: F,
        reply: impl FnOnce(Batch<T::Message>) -> R + Send,
    ) -> Result<Written<R>, Error>
    where
        T: Table,
        F: AsyncFn(&mut Write, T::Resource) -> Result<Change<T::Resource>, Error>,
        R: Message + Default,
    {
        let workspace = parse_workspace(parent)?;
        let create = async |write: &mut Write| Ok(reply(write.batch_create::<T, F>(rows, partial, decide).await?));
        self.write(call, &workspace, create).await
    }
}

impl Write {
    /// As [`Store::batch_create`].
    pub async fn batch_create<T, F>(
        &mut self,
        rows: BatchRows<T::Message>,
        partial: bool,
        decide: F,
    ) -> Result<Batch<T::Message>, Error>
    where
        T: Table,
        F: AsyncFn(&mut Self, T::Resource) -> Result<Change<T::Resource>, Error>,
    {
        if rows.len() > ROWS {
            let problem = format!("has {} rows, at most {ROWS} are allowed", rows.len());
            return Err(Violations::one("requests", problem).into());
        }
        // What is no id is nobody's, and its row is told so; a database need not like it.
        let ids = rows.iter().map(|(id, _)| id).filter(|id| id.parse::<ResourceId>().is_ok());
        let ids: Vec<String> = ids.cloned().collect();
        let mut taken: BTreeSet<String> = self.taken::<T>(&ids).await?.into_iter().collect();
        let mut batch = Batch { items: Vec::with_capacity(rows.len()), failures: BTreeMap::new() };
        let mut fresh = Vec::with_capacity(rows.len());
        for (id, message) in rows {
            fresh.push(self.claimed::<T>(&id, message, &mut taken));
        }
        self.refuse_dangling::<T>(&mut fresh).await?;
        for (index, fresh) in fresh.into_iter().enumerate() {
            let item = match fresh {
                Ok(fresh) => decide(self, fresh).await,
                Err(error) => Err(error),
            };
            match item.and_then(|change| self.put::<T>(change)) {
                Ok(item) => batch.items.push(item),
                // A failing database fails the batch, not a row.
                Err(error) if partial && error.is_of_the_row() => {
                    batch.failures.insert(index as i32, row_failure(&error));
                    batch.items.push(T::Message::default());
                }
                Err(error) => return Err(Error::Row { index, error: Box::new(error) }),
            }
        }
        Ok(batch)
    }

    /// The resource of a row, if there is one and its id is free.
    fn claimed<T: Table>(
        &self,
        id: &str,
        message: Option<T::Message>,
        taken: &mut BTreeSet<String>,
    ) -> Result<T::Resource, Error> {
        let message = message.ok_or_else(missing::<T>)?;
        if !id.is_empty() && !taken.insert(id.to_owned()) {
            return Err(Error::Exists(format!("{}/{}/{id}", self.workspace(), T::Message::COLLECTION)));
        }
        self.fresh::<T>(id, message)
    }
}
