//! Connections to a database: straight, or to PostgreSQL through a pooler that hands a server on after each transaction, as
//! PgBouncer does in its transaction mode.
//!
//! Through such a pooler the driver's two messages for a statement, to prepare and to run it, meet the same server only
//! within a transaction, where they may find names that other connections have given to theirs. So each statement is in a
//! transaction there, which begins by forgetting all names.

use std::pin::Pin;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, IsolationLevel,
    QueryResult, SqliteTransactionMode, Statement, StreamTrait, TransactionOptions, TransactionTrait as _,
};

/// Connections of one role.
#[derive(Clone)]
pub(crate) struct Connections {
    pub pool: DatabaseConnection,
    /// There is a pooler that hands servers on.
    transaction_pooling: bool,
}

impl Connections {
    pub(crate) fn new(pool: DatabaseConnection, transaction_pooling: bool) -> Self {
        Self { pool, transaction_pooling }
    }

    /// Begins a transaction; on SQLite, if it is `immediate`, as the one that writes.
    pub(crate) async fn begin(&self, immediate: bool) -> Result<DatabaseTransaction, DbErr> {
        let mode = immediate.then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode: mode, ..TransactionOptions::default() };
        let transaction = self.pool.begin_with_options(options).await?;
        if self.transaction_pooling {
            transaction.execute_unprepared("DEALLOCATE ALL").await?;
        }
        Ok(transaction)
    }

    /// Begins a transaction in which all that is read agrees.
    pub(crate) async fn begin_view(&self) -> Result<DatabaseTransaction, DbErr> {
        // All that a transaction of SQLite reads agrees by itself.
        let isolation =
            (self.pool.get_database_backend() == DbBackend::Postgres).then_some(IsolationLevel::RepeatableRead);
        if !self.transaction_pooling {
            return self.pool.begin_with_config(isolation, None).await;
        }
        let transaction = self.pool.begin().await?;
        let settings = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; DEALLOCATE ALL";
        transaction.execute_unprepared(settings).await?;
        Ok(transaction)
    }
}

#[async_trait]
impl ConnectionTrait for Connections {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        if !self.transaction_pooling {
            return self.pool.execute_raw(statement).await;
        }
        let transaction = self.begin(false).await?;
        let done = transaction.execute_raw(statement).await?;
        transaction.commit().await?;
        Ok(done)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.pool.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        if !self.transaction_pooling {
            return self.pool.query_one_raw(statement).await;
        }
        let transaction = self.begin(false).await?;
        let found = transaction.query_one_raw(statement).await?;
        transaction.commit().await?;
        Ok(found)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if !self.transaction_pooling {
            return self.pool.query_all_raw(statement).await;
        }
        let transaction = self.begin(false).await?;
        let found = transaction.query_all_raw(statement).await?;
        transaction.commit().await?;
        Ok(found)
    }
}

/// Only SQLite's rows are streamed.
impl StreamTrait for Connections {
    type Stream<'a> = <DatabaseConnection as StreamTrait>::Stream<'a>;

    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        self.pool.stream_raw(statement)
    }
}
