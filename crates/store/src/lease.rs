//! Leases: a row with a holder and an expiry, the same on both databases. They rest on the clocks of those who want
//! them, so nothing may go wrong when two believe to hold one.

use std::time::{Duration, Instant};

use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, OnConflict, Query};

use crate::statement::insert;
use crate::{Error, Store};

/// A lease that this process wants.
pub struct Lease {
    name: String,
    holder: String,
    term: Duration,
    /// When it was last taken or renewed.
    since: Option<Instant>,
}

impl Lease {
    /// The lease `name` for `holder`, who is told from others by it. It holds for `term` without being renewed.
    pub fn new(name: impl Into<String>, holder: impl Into<String>, term: Duration) -> Self {
        Self { name: name.into(), holder: holder.into(), term, since: None }
    }

    /// Who wants it.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// When the lease was last taken or renewed, while it surely holds.
    pub fn since(&self) -> Option<Instant> {
        self.since.filter(|since| since.elapsed() < self.term)
    }

    /// Makes sure that the lease is held, if no other has it; asks the database only when a third of the term is over.
    pub async fn hold(&mut self, store: &Store) -> Result<bool, Error> {
        let asked = Instant::now();
        if self.since.is_some_and(|since| asked.duration_since(since) < self.term / 3) {
            return Ok(true);
        }
        let taken = store.hold_lease(&self.name, &self.holder, self.term).await?;
        self.since = taken.then_some(asked);
        Ok(taken)
    }

    /// Gives the lease up, so that another replica need not wait for its end.
    pub async fn release(&mut self, store: &Store) -> Result<(), Error> {
        self.since = None;
        store.release_lease(&self.name, &self.holder).await
    }
}

impl Store {
    /// Takes or renews the lease `name` for `holder`, for the `term` from now; false while another has it.
    async fn hold_lease(&self, name: &str, holder: &str, term: Duration) -> Result<bool, Error> {
        let now = self.now();
        let expire = || Expr::col(("leases", "expire_time"));
        // One that ends later than a clock like ours could have said was taken by a clock that is ahead: if its holder
        // is dead, nobody would have it until our time has come there.
        let free = Condition::any()
            .add(Expr::col(("leases", "holder")).equals(("excluded", "holder")))
            .add(expire().lt(now.timestamp_micros()))
            .add(expire().gt((now + 2 * term).timestamp_micros()));
        let row =
            [("name", name.into()), ("holder", holder.into()), ("expire_time", (now + term).timestamp_micros().into())];
        let mut insert = insert("leases", row);
        let mut taken = OnConflict::column("name");
        taken.update_columns(["holder", "expire_time"]).action_cond_where(free);
        insert.on_conflict(taken);
        Ok(self.across().execute(&insert).await? == 1)
    }

    /// Gives a lease up, so that another need not wait for its end.
    async fn release_lease(&self, name: &str, holder: &str) -> Result<(), Error> {
        let mut delete = Query::delete();
        delete.from_table("leases").and_where(Expr::col("name").eq(name)).and_where(Expr::col("holder").eq(holder));
        self.across().execute(&delete).await.map(|_| ())
    }
}
