//! Another writer: one that has the lock of all workspaces of a PostgreSQL database while a test does something that has to
//! wait for it.

use std::time::Duration;

use anyhow::Result;
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, Statement, TransactionTrait as _,
};

use crate::database::TestDatabase;
use crate::wait::wait_for;

/// Who waits for a lock: whether it is a blind write.
const WAITING: &str = "SELECT query LIKE '%, _bump_ %' FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// A transaction that holds the lock.
#[derive(Debug)]
pub struct Holder {
    transaction: DatabaseTransaction,
    looks: DatabaseConnection,
}

impl TestDatabase {
    /// Takes the lock of all workspaces, and runs statements under it.
    ///
    /// # Errors
    /// When the database refuses one.
    pub async fn hold(&self, statements: &[&str]) -> Result<Holder> {
        let transaction = self.connect().await?.begin().await?;
        transaction.execute_unprepared("SELECT 1 FROM workspaces FOR UPDATE").await?;
        for statement in statements {
            transaction.execute_unprepared(statement).await?;
        }
        Ok(Holder { transaction, looks: self.connect().await? })
    }
}

impl Holder {
    /// Waits until a statement waits for a lock, and tells whether it is that of a blind write.
    pub async fn sees_a_blind_write(&self) -> bool {
        wait_for("a statement that waits", Duration::from_secs(10), async || {
            let waiting = Statement::from_string(DbBackend::Postgres, WAITING);
            self.looks.query_one_raw(waiting).await.ok()??.try_get_by_index(0).ok()
        })
        .await
    }

    /// Lets go, with what was done.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn commit(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }
}
