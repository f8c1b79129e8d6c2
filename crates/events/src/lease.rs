//! Who may relay: a row with a holder and an expiry, the same on both databases.
//!
//! The lease only keeps two relays from working at once; that no event is stored twice or out of order is guaranteed by the sequence
//! numbers the relay publishes with, even if clocks lie and two hold the lease.

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

/// Whether the lease is held.
pub(crate) enum Held {
    /// As before.
    Yes,
    /// Since now; what was read before may be out of date.
    Taken,
    /// By another.
    No,
}

impl Lease {
    /// The lease `name` for `holder`, who is told from others by it.
    pub(crate) fn new(name: String, holder: String) -> Self {
        Self { name, holder, since: None }
    }

    /// Makes sure that the lease is held; asks the database only when a third of the term is over.
    pub(crate) async fn hold(&mut self, store: &Store) -> Result<Held, Error> {
        let asked = Instant::now();
        let held = self.since.is_some_and(|since| asked.duration_since(since) < TERM);
        if self.since.is_some_and(|since| asked.duration_since(since) < TERM / 3) {
            return Ok(Held::Yes);
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
        Ok(match taken {
            true if held => Held::Yes,
            true => Held::Taken,
            false => Held::No,
        })
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
