//! Who may relay: a row with a holder and an expiry, the same on both databases.
//!
//! The lease only keeps two relays from working at once. Even if clocks lie and two hold it, no event is stored out of
//! order, as each is published for one place in the stream, nor twice, as the broker knows the message ids of the last
//! hour.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
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
        let micros = |time: DateTime<Utc>| Value::from(time.timestamp_micros());
        let (name, holder) = (self.name.as_str().into(), self.holder.as_str().into());
        // One that ends later than a clock like ours could have said was taken by a clock that is ahead: if its holder
        // is dead, nobody would relay until our time has come there.
        let values: [Value; 5] = [name, holder, micros(now + TERM), micros(now), micros(now + 2 * TERM)];
        let statement = Statement::from_sql_and_values(
            store.backend(),
            "INSERT INTO leases (name, holder, expire_time) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expire_time = excluded.expire_time
             WHERE leases.holder = excluded.holder OR leases.expire_time < $4 OR leases.expire_time > $5",
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
        let statement = Statement::from_sql_and_values(
            store.backend(),
            "DELETE FROM leases WHERE name = $1 AND holder = $2",
            values,
        );
        store.writer().execute_raw(statement).await?;
        Ok(())
    }
}
