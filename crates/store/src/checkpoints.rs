//! What is remembered of the stream that the relay publishes to: when it was made, and messages that it has taken. A
//! stream that does not hold them any more has lost what came behind the newest one that it does.
//!
//! Marks and rewinds take turns by a version: one that was begun before another changes nothing. So what a relay has
//! published that was stopped for a while cannot pass for what the stream holds now.

use std::collections::BTreeSet;

use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Order, Query};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction};

use crate::statement::insert;
use crate::{Error, Store};

/// A message that the stream has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its sequence in the stream; 0 is the place before the first message.
    pub sequence: u64,
    /// Its message id.
    pub message_id: String,
    /// Behind it, up to this sequence, the stream may hold messages out of order: the relay came back to this
    /// checkpoint and published again behind what was there. 0 when it did not.
    pub resumed: u64,
}

impl Checkpoint {
    /// One that the relay never came back to.
    pub fn new(sequence: u64, message_id: String) -> Self {
        Self { sequence, message_id, resumed: 0 }
    }
}

/// What is remembered of a stream.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    name: String,
    /// When the stream was made, in microseconds.
    pub create_time: i64,
    /// Newest first: all of the last ones, ever fewer before, and each that the relay came back to.
    pub checkpoints: Vec<Checkpoint>,
    /// Cursors may be ahead of the stream, and a rewind has to be finished before anything is published.
    pub rewinding: bool,
    version: i64,
}

impl Checkpoints {
    /// The sequence of the newest one; 0 when there is none.
    pub fn newest(&self) -> u64 {
        self.checkpoints.first().map_or(0, |checkpoint| checkpoint.sequence)
    }

    /// The version was moved on, and the transaction committed.
    pub(crate) fn advanced(&mut self) {
        self.version += 1;
    }

    /// Adds one, and takes out those without which the list still has one at most twice as far back as any of them;
    /// tells which. About twice the logarithm of the stream's length remain.
    fn push(&mut self, newest: Checkpoint) -> Vec<u64> {
        let head = newest.sequence;
        let mut removed = Vec::new();
        let mut kept = vec![newest];
        let mut rest = std::mem::take(&mut self.checkpoints).into_iter().peekable();
        while let Some(checkpoint) = rest.next() {
            let newer = kept.last().map_or(0, |newer| head - newer.sequence);
            let close = rest.peek().is_some_and(|older| head - older.sequence <= 2 * newer);
            if close && checkpoint.resumed == 0 {
                removed.push(checkpoint.sequence);
            } else {
                kept.push(checkpoint);
            }
        }
        self.checkpoints = kept;
        removed
    }
}

impl Store {
    /// What is remembered of the stream `name`; `None` before anything was.
    pub async fn checkpoints(&self, name: &str) -> Result<Option<Checkpoints>, Error> {
        let mut stream = Query::select();
        stream.columns(["create_time", "rewinding", "version"]).from("relay_stream");
        stream.and_where(Expr::col("name").eq(name));
        let Some(row) = self.across().query_one(&stream).await? else { return Ok(None) };
        let mut select = Query::select();
        select.columns(["sequence", "message_id", "resumed"]).from("relay_checkpoints");
        select.order_by("sequence", Order::Desc);
        let rows = self.across().query_all(&select).await?;
        let checkpoints = rows.iter().map(|row| {
            Ok(Checkpoint {
                sequence: row.try_get_by_index::<i64>(0)?.unsigned_abs(),
                message_id: row.try_get_by_index(1)?,
                resumed: row.try_get_by_index::<i64>(2)?.unsigned_abs(),
            })
        });
        Ok(Some(Checkpoints {
            name: name.to_owned(),
            create_time: row.try_get_by_index(0)?,
            rewinding: row.try_get_by_index(1)?,
            version: row.try_get_by_index(2)?,
            checkpoints: checkpoints.collect::<Result<_, Error>>()?,
        }))
    }

    /// Takes a stream as it is: the one that is remembered, if any, has no checkpoints. False when another was quicker.
    pub async fn take_stream(&self, name: &str, create_time: i64, newest: Option<&Checkpoint>) -> Result<bool, Error> {
        let transaction = self.across().begin().await?;
        let row = [
            ("name", name.into()),
            ("create_time", create_time.into()),
            ("version", 1.into()),
            ("rewinding", false.into()),
        ];
        let mut stream = insert("relay_stream", row);
        let version = Expr::col(("relay_stream", "version")).add(1);
        stream
            .on_conflict(OnConflict::column("name").update_column("create_time").value("version", version).to_owned());
        transaction.execute(&stream).await?;
        let mut any = Query::select();
        any.column("sequence").from("relay_checkpoints").limit(1);
        if transaction.query_one(&any).await?.is_some() {
            transaction.rollback().await?;
            return Ok(false);
        }
        if let Some(newest) = newest {
            add(&transaction, newest).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Begins to come back to the newest checkpoint that the stream still holds, `base`: those behind it are forgotten,
    /// and nothing is marked before [`Store::end_rewind`]. The stream was made at `create_time` and ends at `last`.
    /// False when another relay was quicker.
    pub async fn begin_rewind(
        &self,
        known: &mut Checkpoints,
        create_time: i64,
        base: u64,
        last: u64,
    ) -> Result<bool, Error> {
        let transaction = self.across().begin().await?;
        if !advance(&transaction, known, Some((create_time, true))).await? {
            transaction.rollback().await?;
            return Ok(false);
        }
        let mut forget = Query::delete();
        forget.from_table("relay_checkpoints");
        if create_time == known.create_time {
            forget.and_where(Expr::col("sequence").gt(base as i64));
        } else {
            known.checkpoints.clear();
        }
        transaction.execute(&forget).await?;
        known.checkpoints.retain(|checkpoint| checkpoint.sequence <= base);
        if last > base {
            if let Some(newest) = known.checkpoints.first_mut().filter(|newest| newest.sequence == base) {
                newest.resumed = Ord::max(newest.resumed, last);
            } else {
                // Only the place before the first message needs no checkpoint to come back to.
                let place = Checkpoint { sequence: base, message_id: String::new(), resumed: last };
                known.checkpoints.insert(0, place);
            }
            if let Some(newest) = known.checkpoints.first() {
                add(&transaction, newest).await?;
            }
        }
        transaction.commit().await?;
        (known.create_time, known.rewinding) = (create_time, true);
        known.advanced();
        Ok(true)
    }

    /// The rewind is done: what the cursors say is published, the stream holds.
    pub async fn end_rewind(&self, known: &mut Checkpoints) -> Result<bool, Error> {
        let transaction = self.across().begin().await?;
        let ended = advance(&transaction, known, Some((known.create_time, false))).await?;
        transaction.commit().await?;
        if ended {
            known.rewinding = false;
            known.advanced();
        }
        Ok(ended)
    }
}

/// Moves the version on, inside of a mark or a rewind; false when another mark or rewind has since `known` was read.
/// `state` is what it sets: when the stream was made, and whether a rewind is under way. The caller moves the version
/// of `known` once the transaction is committed.
pub(crate) async fn advance(
    transaction: &DatabaseTransaction,
    known: &Checkpoints,
    state: Option<(i64, bool)>,
) -> Result<bool, Error> {
    let mut update = Query::update();
    update.table("relay_stream").value("version", known.version + 1);
    if let Some((create_time, rewinding)) = state {
        update.values([("create_time", create_time.into()), ("rewinding", rewinding.into())]);
    }
    update.and_where(Expr::col("name").eq(known.name.as_str())).and_where(Expr::col("version").eq(known.version));
    Ok(transaction.execute(&update).await?.rows_affected() == 1)
}

/// Remembers the newest checkpoint, and forgets those that it makes superfluous.
pub(crate) async fn remember(
    transaction: &DatabaseTransaction,
    known: &mut Checkpoints,
    newest: Checkpoint,
) -> Result<(), Error> {
    add(transaction, &newest).await?;
    let removed: BTreeSet<i64> = known.push(newest).into_iter().map(|sequence| sequence as i64).collect();
    if !removed.is_empty() {
        let mut forget = Query::delete();
        forget.from_table("relay_checkpoints").and_where(Expr::col("sequence").is_in(removed));
        transaction.execute(&forget).await?;
    }
    Ok(())
}

async fn add(transaction: &DatabaseTransaction, checkpoint: &Checkpoint) -> Result<(), Error> {
    let row = [
        ("sequence", (checkpoint.sequence as i64).into()),
        ("message_id", checkpoint.message_id.as_str().into()),
        ("resumed", (checkpoint.resumed as i64).into()),
    ];
    let mut insert = insert("relay_checkpoints", row);
    insert.on_conflict(OnConflict::column("sequence").update_columns(["message_id", "resumed"]).to_owned());
    transaction.execute(&insert).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_few_and_one_is_never_twice_as_far_back_as_what_was_lost() {
        for step in [1, 7, 2_048] {
            let mut known = Checkpoints {
                name: String::new(),
                create_time: 0,
                checkpoints: Vec::new(),
                rewinding: false,
                version: 1,
            };
            let mut remembered = BTreeSet::new();
            for sequence in (1..20_000).map(|n| n * step) {
                remembered.insert(sequence);
                for removed in known.push(Checkpoint::new(sequence, String::new())) {
                    assert!(remembered.remove(&removed), "what is told to be removed was there");
                }
            }
            let sequences: Vec<_> = known.checkpoints.iter().rev().map(|checkpoint| checkpoint.sequence).collect();
            assert_eq!(sequences, remembered.into_iter().collect::<Vec<_>>());
            assert!(sequences.len() <= 2 * 15 + 2, "{} of 20000", sequences.len());
            let head = known.newest();
            for pair in sequences.windows(2) {
                let (older, newer) = (head - pair[0], head - pair[1]);
                assert!(older <= 2 * Ord::max(newer, step), "nothing between {older} and {newer} before the end");
            }
        }
    }

    #[test]
    fn a_checkpoint_that_was_come_back_to_is_kept() {
        let mut known = Checkpoints {
            name: String::new(),
            create_time: 0,
            checkpoints: vec![
                Checkpoint { sequence: 5, message_id: String::new(), resumed: 9 },
                Checkpoint::new(4, String::new()),
                Checkpoint::new(3, String::new()),
            ],
            rewinding: false,
            version: 1,
        };
        for sequence in 10..10_000 {
            known.push(Checkpoint::new(sequence, String::new()));
        }
        assert!(known.checkpoints.iter().any(|checkpoint| checkpoint.resumed == 9));
    }
}
