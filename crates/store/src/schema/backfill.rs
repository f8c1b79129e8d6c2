//! Filling in what rows that were there before a migration lack: columns, links and labels follow from the resource, so
//! they are derived again from the row's body.
//!
//! Rows are taken in batches in order of workspace and id, and the place behind the last one is kept in the database by
//! the same transaction: a process that is killed has lost the batch at hand, and whoever comes next goes on. Each
//! batch asks for the lock anew, so replicas that start together take turns, and one that needs no backfill does not
//! wait for it. The workspaces of a batch are locked as a write locks its own, so neither overwrites the other.
//!
//! No event is told: a resource does not change by how it is found. What a resource lacks that follows from others is
//! another matter: it is written as any write is, told, and done again when a process was killed before it got on.

mod events;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, Value};
use waymark_domain::Resource as _;
use waymark_proto::ResourceMessage as _;
use waymark_request::Call;

use super::record;
use crate::draft::{Action, Row, form};
use crate::resource::{decode, parse};
use crate::rules::BoxFuture;
use crate::workspaces::workspace_of;
use crate::{Error, Store, Table, Write};

/// Rows of a batch. Writers of their workspaces wait for as long as it takes.
const ROWS: u64 = 200;
/// How often it tells how far it has come.
const TELL: Duration = Duration::from_secs(10);

/// What derives the declared columns of a table's rows again.
#[derive(Debug)]
pub struct Backfill {
    /// What it is called in logs and in the database.
    pub name: &'static str,
    table: &'static str,
    how: How,
}

#[derive(Debug, Clone, Copy)]
enum How {
    /// From workspace, id and body.
    Derive(fn(&str, &str, &str) -> Result<Derived, Error>),
    /// From the events of a collection in the log, which are the rows then: their workspace, resource and JSON.
    Trace { collection: &'static str, trace: fn(&str, &str, &str) -> Result<Value, Error> },
    /// By a write for each row.
    Write { service: &'static str, work: Work },
}

/// What is done for the row of an id.
pub type Work = for<'a> fn(&'a mut Write, &'a str) -> BoxFuture<'a, Result<(), Error>>;

/// What follows from a resource.
enum Derived {
    /// Columns and their values.
    Columns(Vec<(&'static str, Value)>),
    /// All its links.
    Links(Row),
    /// All its labels, if it has any.
    Labels(Option<Row>),
}

impl Backfill {
    /// Derives all columns that `T` declares.
    ///
    /// # Panics
    /// When compiled, as a schema is a constant: if `T` declares none.
    pub const fn columns<T: Table>(name: &'static str) -> Self {
        assert!(!T::COLUMNS.is_empty(), "a table without columns of its own has nothing to fill in");
        Self { name, table: T::TABLE, how: How::Derive(columns::<T>) }
    }

    /// Derives the links of all resources of `T`, also those that a program of before has changed meanwhile.
    ///
    /// # Panics
    /// When compiled, as a schema is a constant: if resources of `T` refer to nothing.
    pub const fn links<T: Table>(name: &'static str) -> Self {
        assert!(!T::Message::LINKS.is_empty(), "a resource without references has no links");
        Self { name, table: T::TABLE, how: How::Derive(links::<T>) }
    }

    /// Derives the labels of all resources of `T`.
    pub const fn labels<T: Table>(name: &'static str) -> Self {
        Self { name, table: T::TABLE, how: How::Derive(labels::<T>) }
    }

    /// Derives what the past is looked up by of all events of resources of `T`: their [traced](crate::Column::traced) column.
    pub const fn traces<T: Table>(name: &'static str) -> Self {
        let (collection, trace) = (T::Resource::COLLECTION, events::trace::<T> as _);
        Self { name, table: "log", how: How::Trace { collection, trace } }
    }

    /// Does `work` for each row of `T` in a write of its own, by the service. It may be done twice for a row.
    pub const fn writes<T: Table>(name: &'static str, work: Work) -> Self {
        Self { name, table: T::TABLE, how: How::Write { service: T::Resource::SERVICE, work } }
    }
}

fn columns<T: Table>(workspace: &str, id: &str, body: &str) -> Result<Derived, Error> {
    let resource = parse::<T>(workspace, decode::<T>(workspace, id, body)?)?;
    Ok(Derived::Columns(T::COLUMNS.iter().map(|column| (column.name, column.value_of(&resource))).collect()))
}

fn links<T: Table>(workspace: &str, id: &str, body: &str) -> Result<Derived, Error> {
    let links = crate::links::of::<T>(&decode::<T>(workspace, id, body)?)?;
    Ok(Derived::Links(Row::links(workspace, &format!("{}/{id}", T::Resource::COLLECTION), &links, Action::Link)))
}

fn labels<T: Table>(workspace: &str, id: &str, body: &str) -> Result<Derived, Error> {
    let labels = decode::<T>(workspace, id, body)?.standard().labels;
    let row = || crate::labels::row::<T>(workspace, id, &labels, Action::Link);
    Ok(Derived::Labels((!labels.is_empty()).then(row)))
}

impl Store {
    /// Sees the backfill of a migration to its end, in turns with other processes.
    pub(super) async fn fill_in(&self, migration: i64, backfill: &Backfill) -> Result<(), Error> {
        if record::position(&self.writer, migration).await?.is_none() {
            return Ok(());
        }
        let name = backfill.name;
        tracing::info!(name, "rows of before are filled in");
        let (begin, mut told, mut rows) = (Instant::now(), Instant::now(), 0);
        while let Some(filled) = match backfill.how {
            How::Derive(_) => self.patiently(name, || self.fill_batch(migration, backfill)).await?,
            How::Trace { collection, trace } => {
                self.patiently(name, || self.trace_batch(migration, collection, trace)).await?
            }
            How::Write { service, work } => self.write_batch(migration, backfill, service, work).await?,
        } {
            rows += filled;
            if told.elapsed() > TELL {
                tracing::info!(name, rows, "rows of before are being filled in");
                told = Instant::now();
            }
        }
        tracing::info!(name, rows, took = ?begin.elapsed(), "rows of before are filled in to the last");
        Ok(())
    }

    /// Does the work for the next rows and tells how many; none when there are no more.
    async fn write_batch(
        &self,
        migration: i64,
        backfill: &Backfill,
        service: &str,
        work: Work,
    ) -> Result<Option<usize>, Error> {
        let Some((workspace, id)) = record::position(&self.writer, migration).await? else { return Ok(None) };
        let keys = self.writer.query_all(rows(backfill, (&workspace, &id)).limit(ROWS)).await?;
        for row in &keys {
            let (workspace, id): (String, String) = (row.try_get("", "workspace")?, row.try_get("", "id")?);
            let named = workspace_of(backfill.table, workspace)?;
            let write = async |write: &mut Write| work(write, &id).await;
            match self.write(&Call::internal(service), &named, write).await {
                Ok(_) => {}
                Err(error @ (Error::Database(_) | Error::Unconfirmed(_) | Error::Busy(_))) => return Err(error),
                // One row that was damaged before must not keep a service from its start.
                Err(error) => tracing::error!(name = backfill.name, %named, id, %error, "a row is left as it is"),
            }
        }
        let transaction = self.one_process().await?;
        match keys.last() {
            Some(last) => {
                let (workspace, id): (String, String) = (last.try_get("", "workspace")?, last.try_get("", "id")?);
                record::advance(&transaction, migration, (&workspace, &id)).await?;
            }
            None => record::end(&transaction, migration, self.now()).await?,
        }
        transaction.commit().await?;
        Ok((!keys.is_empty()).then_some(keys.len()))
    }

    /// Fills in the next rows and tells how many; none when there are no more.
    async fn fill_batch(&self, migration: i64, backfill: &Backfill) -> Result<Option<usize>, Error> {
        let transaction = self.one_process().await?;
        let Some((workspace, id)) = record::position(&transaction, migration).await? else { return Ok(None) };
        let after = (workspace.as_str(), id.as_str());

        let keys = transaction.query_all(rows(backfill, after).limit(ROWS)).await?;
        let keys: Vec<(String, String)> = keys
            .iter()
            .map(|row| Ok((row.try_get("", "workspace")?, row.try_get("", "id")?)))
            .collect::<Result<_, Error>>()?;
        let Some((workspace, id)) = keys.last() else {
            record::end(&transaction, migration, self.now()).await?;
            transaction.commit().await?;
            return Ok(None);
        };
        let last = (workspace.as_str(), id.as_str());

        let workspaces: BTreeSet<&str> = keys.iter().map(|(workspace, _)| workspace.as_str()).collect();
        let mut lock = Query::select();
        lock.column("id").from("workspaces").and_where(Expr::col("id").is_in(workspaces));
        transaction.query_all(lock.order_by("id", Order::Asc).lock_exclusive()).await?;

        // Read again, as they may have changed before the lock was had.
        let mut locked = rows(backfill, after);
        locked.expr_as(Expr::col("body").cast_as("text"), "text").and_where(key().lte(pair(last)));
        let locked = transaction.query_all(&locked).await?;
        let How::Derive(derive) = backfill.how else { return Err(Error::bug("it derives nothing of rows")) };
        let (mut links, mut labels) = (Vec::new(), Vec::new());
        for row in &locked {
            let (workspace, id): (String, String) = (row.try_get("", "workspace")?, row.try_get("", "id")?);
            match derive(&workspace, &id, &row.try_get::<String>("", "text")?) {
                Ok(Derived::Columns(columns)) => {
                    let mut update = Query::update();
                    update.table(backfill.table).values(columns.into_iter().map(|(c, value)| (c, value.into())));
                    update.and_where(Expr::col("workspace").eq(workspace)).and_where(Expr::col("id").eq(id));
                    transaction.execute(&update).await?;
                }
                Ok(Derived::Links(of_one)) => links.push(of_one),
                Ok(Derived::Labels(of_one)) => labels.extend(of_one),
                // One row that was damaged before must not keep a service from its start.
                Err(error) => tracing::error!(name = backfill.name, %error, "a damaged row is left as it is"),
            }
        }
        if !links.is_empty() {
            // No index has links by their referrer: what became stale is looked for once for all.
            let mut stale = Query::delete();
            stale.from_table("links").and_where(Expr::col("workspace").is_in(links.iter().map(|row| &row.workspace)));
            stale.cond_where(crate::links::of_referrers(self.backend(), links.iter().map(|row| row.id.as_str())));
            transaction.execute(&stale).await?;
        }
        for of_one in links.into_iter().chain(labels) {
            transaction.execute_raw(form::sent(self.backend(), &mut vec![of_one], 0)?).await?;
        }
        record::advance(&transaction, migration, last).await?;
        transaction.commit().await?;
        Ok(Some(locked.len()))
    }
}

/// The keys of the rows behind one, in order.
fn rows(backfill: &Backfill, after: (&str, &str)) -> SelectStatement {
    let mut select = Query::select();
    select.columns(["workspace", "id"]).from(backfill.table).and_where(key().gt(pair(after)));
    select.order_by("workspace", Order::Asc).order_by("id", Order::Asc);
    select
}

fn key() -> Expr {
    Expr::tuple([Expr::col("workspace"), Expr::col("id")])
}

fn pair((workspace, id): (&str, &str)) -> Expr {
    Expr::tuple([Expr::val(workspace), Expr::val(id)])
}
