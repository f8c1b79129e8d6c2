//! Who may relay: a row with a holder and an expiry, the same on both databases.
//!
//! The lease only keeps two relays from working at once; that no event is stored twice or out of order is guaranteed by the sequence
//! numbers the relay publishes with, even if clocks lie and two hold the lease.

use chrono::Duration;
use sea_orm::ConnectionTrait;
use sea_orm::{Statement, Value};
use waymark_store::{Error, Store};

/// How long a lease holds without being renewed.
const TERM: Duration = Duration::seconds(10);

/// Takes or renews the lease `name` for `holder`; false when another holds it.
pub(crate) async fn acquire(store: &Store, name: &str, holder: &str) -> Result<bool, Error> {
    let now = store.now();
    let values: [Value; 4] = [name.into(), holder.into(), (now + TERM).timestamp_micros().into(), now.timestamp_micros().into()];
    let statement = Statement::from_sql_and_values(
        store.backend(),
        "INSERT INTO leases (name, holder, expire_time) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expire_time = excluded.expire_time
         WHERE leases.holder = excluded.holder OR leases.expire_time < $4",
        values,
    );
    Ok(store.writer().execute_raw(statement).await?.rows_affected() == 1)
}

/// Gives the lease up, so that another replica need not wait for its end.
pub(crate) async fn release(store: &Store, name: &str, holder: &str) -> Result<(), Error> {
    let values: [Value; 2] = [name.into(), holder.into()];
    let statement = Statement::from_sql_and_values(store.backend(), "DELETE FROM leases WHERE name = $1 AND holder = $2", values);
    store.writer().execute_raw(statement).await?;
    Ok(())
}
