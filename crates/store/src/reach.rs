//! Whose rows a statement may reach: those of one workspace, or of all.
//!
//! On PostgreSQL the second is another role's, where there is one, and the first is told to the database, whose policies
//! let nothing else through (`schema/separation.rs`): so a statement that forgot to ask for its workspace finds nothing,
//! and changes nothing. It is told within the statement or its transaction, never to the session, which a pooler may
//! hand to another.

use sea_orm::sea_query::SelectStatement;
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, QueryResult, Statement, StatementBuilder};

use crate::connections::Connections;
use crate::statement::{self, Ordering};
use crate::told::{tell, telling};
use crate::{Error, LogRow, Store, log};

/// The rows that statements reach which are sent by it.
#[derive(Clone, Copy)]
pub(crate) struct Reach<'a> {
    store: &'a Store,
    /// All where there is none.
    workspace: Option<&'a str>,
}

impl Store {
    /// Reaches the rows of one workspace.
    pub(crate) fn of<'a>(&'a self, workspace: &'a str) -> Reach<'a> {
        Reach { store: self, workspace: Some(workspace) }
    }

    /// Reaches the rows of all workspaces: for what relay, consumers and housekeeping keep, never for what a call asks.
    pub(crate) fn across(&self) -> Reach<'_> {
        Reach { store: self, workspace: None }
    }
}

impl<'a> Reach<'a> {
    /// The first row that a statement finds.
    pub(crate) async fn query_one(self, statement: &impl StatementBuilder) -> Result<Option<QueryResult>, Error> {
        let statement = self.telling(self.store.backend().build(statement));
        self.reader().query_one_raw(statement).await.map_err(|e| self.store.error(e))
    }

    /// All rows that a statement finds.
    pub(crate) async fn query_all(self, statement: &impl StatementBuilder) -> Result<Vec<QueryResult>, Error> {
        let statement = self.telling(self.store.backend().build(statement));
        self.reader().query_all_raw(statement).await.map_err(|e| self.store.error(e))
    }

    /// The events that a statement made from [`log::events`] finds.
    pub(crate) async fn events(self, select: &impl StatementBuilder) -> Result<Vec<LogRow>, Error> {
        log::decode_all(&self.query_all(select).await?)
    }

    /// A page of what a statement finds, as [`statement::page`] reads it.
    pub(crate) async fn page(
        self,
        select: SelectStatement,
        size: usize,
        within: (&'static str, i64),
        order: &[Ordering],
    ) -> Result<(Vec<QueryResult>, bool), Error> {
        let page = statement::page(self.reader(), self.told(), select, size, within, order);
        page.await.map_err(|e| self.store.error(e))
    }

    /// How many rows a statement changed that is a transaction by itself. Resources are changed by [`Store::write`]
    /// only; this is for what relay, consumers and housekeeping keep.
    pub(crate) async fn execute(self, statement: &impl StatementBuilder) -> Result<u64, Error> {
        if self.told().is_none() {
            let done = self.writer().execute(statement).await.map_err(|e| self.store.error(e))?;
            return Ok(done.rows_affected());
        }
        let transaction = self.begin().await?;
        let done = transaction.execute(statement).await?.rows_affected();
        transaction.commit().await?;
        Ok(done)
    }

    /// A transaction of what relay, consumers and housekeeping keep.
    pub(crate) async fn begin(self) -> Result<DatabaseTransaction, Error> {
        let transaction = self.writer().begin(false).await.map_err(|error| self.store.error(error))?;
        if let Some(workspace) = self.told() {
            transaction.execute(&tell(workspace)).await?;
        }
        Ok(transaction)
    }

    /// A statement that finds rows, with the workspace told in front where the database separates them.
    pub(crate) fn telling(self, statement: Statement) -> Statement {
        match self.told() {
            Some(workspace) => telling(workspace, statement),
            None => statement,
        }
    }

    /// What the database has to be told.
    fn told(self) -> Option<&'a str> {
        self.workspace.filter(|_| self.store.separates())
    }

    fn reader(self) -> &'a Connections {
        self.keeper().unwrap_or(&self.store.reader)
    }

    fn writer(self) -> &'a Connections {
        self.keeper().unwrap_or(&self.store.writer)
    }

    fn keeper(self) -> Option<&'a Connections> {
        self.store.keeper.as_ref().filter(|_| self.workspace.is_none())
    }
}
