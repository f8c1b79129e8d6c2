//! Leases: a row with a holder and an expiry, the same on both databases. They rest on the clocks of those who want
//! them, so nothing may go wrong when two believe to hold one.

use std::time::Duration;

use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, OnConflict, Query};

use crate::statement::insert;
use crate::{Error, Store};

impl Store {
    /// Takes or renews the lease `name` for `holder`, for the `term` from now; false while another has it.
    pub async fn hold_lease(&self, name: &str, holder: &str, term: Duration) -> Result<bool, Error> {
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
        Ok(self.execute(&insert).await? == 1)
    }

    /// Gives a lease up, so that another need not wait for its end.
    pub async fn release_lease(&self, name: &str, holder: &str) -> Result<(), Error> {
        let mut delete = Query::delete();
        delete.from_table("leases").and_where(Expr::col("name").eq(name)).and_where(Expr::col("holder").eq(holder));
        self.execute(&delete).await.map(|_| ())
    }
}
