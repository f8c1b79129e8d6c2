//! A connection to a database that no store is in between of: for what no product path does.

use anyhow::{Context as _, Result};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};

/// One connection to the database at `url`.
///
/// # Errors
/// When it cannot be reached.
pub(crate) async fn connect(url: &str) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.with_context(|| format!("connecting to {url}"))
}
