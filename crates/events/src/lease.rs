//! Who may relay: a row with a holder and an expiry, the same on both databases.
//!
//! The lease only keeps two relays from working at once. Even if clocks lie and two hold it, no event is stored out of order, as each is
//! published for one place in the stream, nor twice, as the broker knows the message ids of the last hour.

use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use sea_orm::{Statement, Value};
use waymark_store::{Error, Store};

/// How long a lease holds without being renewed.
const TERM: Duration = Duration::from_secs(10);

/// A lease that this process wants.
pub(crate) struct Lease {
    name: String,
    holder: String,
    /// When it was last taken or renewed.
    since: Option<Instant>,
}

impl Lease {
    /// The lease `name` for `holder`, who is told from others by it.
    pub(crate) fn new(name: String, holder: String) -> Self {
        Self { name, holder, since: None }
    }

    /// When the lease was last taken or renewed, while it surely holds.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since.filter(|since| since.elapsed() < TERM)
    }

    /// Makes sure that the lease is held, if no other has it; asks the database only when a third of the term is over.
    pub(crate) async fn hold(&mut self, store: &Store) -> Result<bool, Error> {
        let asked = Instant::now();
        if self.since.is_some_and(|since| asked.duration_since(since) < TERM / 3) {
            return Ok(true);
        }
        let now = store.now();
        let expire = (now + TERM).timestamp_micros();
        let values: [Value; 4] = [self.name.as_str().into(), self.holder.as_str().into(), expire.into(), now.timestamp_micros().into()];
        let statement = Statement::from_sql_and_values(
            store.backend(),
            "INSERT INTO leases (name, holder, expire_time) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expire_time = excluded.expire_time
             WHERE leases.holder = excluded.holder OR leases.expire_time < $4",
            values,
        );
        let taken = store.writer().execute_raw(statement).await?.rows_affected() == 1;
        self.since = taken.then_some(asked);
        Ok(taken)
    }

    /// Gives the lease up, so that another replica need not wait for its end.
    pub(crate) async fn release(&mut self, store: &Store) -> Result<(), Error> {
        self.since = None;
        let values: [Value; 2] = [self.name.as_str().into(), self.holder.as_str().into()];
        let statement = Statement::from_sql_and_values(store.backend(), "DELETE FROM leases WHERE name = $1 AND holder = $2", values);
        store.writer().execute_raw(statement).await?;
        Ok(())
    }
}
