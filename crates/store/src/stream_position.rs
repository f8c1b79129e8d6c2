//! How far this service has read the stream of another one: a position up to which everything is settled, but for
//! workspaces that are parked, each at a sequence of its own.
//!
//! One process reads at a time. It has written its name beside the position, and whatever it saves it saves only while
//! the name is there: when another has taken over, a late word of the one before cannot undo what is known since.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, OnConflict, Query, UpdateStatement};
use sea_orm::{ConnectionTrait as _, StatementBuilder};
use waymark_domain::WorkspaceId;

use crate::statement::insert;
use crate::workspaces::workspace_of;
use crate::{Error, Store};

/// A place in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPosition {
    /// The sequence of a message; 0 before the first.
    pub sequence: u64,
    /// When the stream stored that message. Another message at the same sequence has another time.
    pub time: DateTime<Utc>,
}

/// A workspace that is read apart from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedWorkspace {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The sequence from which on its events are to be read.
    pub sequence: u64,
}

/// The right to save how far `consumer` has read the stream of `source`, until another takes it over. All that saves
/// tells whether it did: false when another has taken over.
#[derive(Clone)]
pub struct StreamReader {
    store: Store,
    consumer: &'static str,
    source: &'static str,
    holder: String,
}

impl StreamPosition {
    /// Before the first message of any stream.
    pub const START: Self = Self { sequence: 0, time: DateTime::UNIX_EPOCH };
}

impl Store {
    /// Who reads the stream of `source` for `consumer`, or did last.
    pub async fn last_reader(&self, consumer: &str, source: &str) -> Result<Option<String>, Error> {
        let mut select = Query::select();
        select.column("holder").from("stream_positions").and_where(Expr::col("consumer").eq(consumer));
        select.and_where(Expr::col("source").eq(source));
        Ok(self.across().query_one(&select).await?.map(|row| row.try_get_by_index(0)).transpose()?)
    }

    /// Takes over the reading of the stream of `source` for `consumer`. `holder` tells this process from others.
    pub async fn take_over(
        &self,
        consumer: &'static str,
        source: &'static str,
        holder: &str,
    ) -> Result<StreamReader, Error> {
        let row = [
            ("consumer", consumer.into()),
            ("source", source.into()),
            ("holder", holder.into()),
            ("sequence", 0_i64.into()),
            ("time", 0_i64.into()),
        ];
        let mut insert = insert("stream_positions", row);
        insert.on_conflict(OnConflict::columns(["consumer", "source"]).update_column("holder").to_owned());
        self.across().execute(&insert).await?;
        Ok(StreamReader { store: self.clone(), consumer, source, holder: holder.to_owned() })
    }
}

impl StreamReader {
    /// The position that was saved last, and the workspaces that are parked.
    pub async fn load(&self) -> Result<(StreamPosition, Vec<ParkedWorkspace>), Error> {
        let mut select = Query::select();
        select.columns(["sequence", "time"]).from("stream_positions").cond_where(self.here());
        let position = match self.store.across().query_one(&select).await? {
            Some(row) => StreamPosition {
                sequence: sequence(row.try_get_by_index(0)?)?,
                time: DateTime::from_timestamp_micros(row.try_get_by_index(1)?)
                    .ok_or_else(|| Error::bug("a position's time is out of range"))?,
            },
            None => StreamPosition::START,
        };
        let mut select = Query::select();
        select.columns(["workspace", "sequence"]).from("parked_workspaces").cond_where(self.here());
        let rows = self.store.across().query_all(&select).await?;
        let parked = rows.iter().map(|row| {
            let workspace = workspace_of("parked_workspaces", row.try_get_by_index(0)?)?;
            Ok(ParkedWorkspace { workspace, sequence: sequence(row.try_get_by_index(1)?)? })
        });
        Ok((position, parked.collect::<Result<_, Error>>()?))
    }

    /// Saves that everything up to `position` is settled, but for parked workspaces.
    pub async fn advance(&self, position: StreamPosition) -> Result<bool, Error> {
        let statement = self.moved_to(position)?;
        Ok(self.store.across().execute(&statement).await? > 0)
    }

    /// Parks a workspace: its events from `at` on are no longer covered by the position. One that is parked already
    /// is moved there.
    pub async fn park(&self, workspace: &WorkspaceId, at: u64) -> Result<bool, Error> {
        let row = [
            ("consumer", self.consumer.into()),
            ("source", self.source.into()),
            ("workspace", workspace.id().into()),
            ("sequence", number(at)?.into()),
        ];
        let mut insert = insert("parked_workspaces", row);
        insert
            .on_conflict(OnConflict::columns(["consumer", "source", "workspace"]).update_column("sequence").to_owned());
        self.save(&self.held(), &insert).await
    }

    /// Ends the parking of a workspace.
    pub async fn unpark(&self, workspace: &WorkspaceId) -> Result<bool, Error> {
        let mut delete = Query::delete();
        delete.from_table("parked_workspaces").cond_where(self.here());
        delete.and_where(Expr::col("workspace").eq(workspace.id()));
        self.save(&self.held(), &delete).await
    }

    /// Goes back to `position`, and with it the workspaces that are parked behind it.
    pub async fn rewind(&self, position: StreamPosition) -> Result<bool, Error> {
        let next = number(position.sequence)? + 1;
        let mut update = Query::update();
        update.table("parked_workspaces").value("sequence", next).cond_where(self.here());
        update.and_where(Expr::col("sequence").gt(next));
        self.save(&self.moved_to(position)?, &update).await
    }

    /// Runs both statements, the second only if the first, which locks the position, finds this holder's name there.
    async fn save(&self, held: &UpdateStatement, statement: &impl StatementBuilder) -> Result<bool, Error> {
        let store = &self.store;
        let transaction = store.across().begin().await?;
        let holds = transaction.execute(held).await?.rows_affected() > 0;
        if holds {
            transaction.execute(statement).await?;
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        Ok(holds)
    }

    fn held(&self) -> UpdateStatement {
        let mut update = Query::update();
        update.table("stream_positions").value("holder", self.holder.as_str()).cond_where(self.here());
        update.and_where(Expr::col("holder").eq(self.holder.as_str())).take()
    }

    fn moved_to(&self, position: StreamPosition) -> Result<UpdateStatement, Error> {
        let mut update = self.held();
        update.value("sequence", number(position.sequence)?).value("time", position.time.timestamp_micros());
        Ok(update)
    }

    /// What this consumer keeps of this source.
    fn here(&self) -> Condition {
        Condition::all().add(Expr::col("consumer").eq(self.consumer)).add(Expr::col("source").eq(self.source))
    }
}

fn number(sequence: u64) -> Result<i64, Error> {
    i64::try_from(sequence).map_err(|_| Error::bug("a stream's sequence does not fit 63 bits"))
}

fn sequence(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::bug("a stream's sequence is negative"))
}
