//! The inbox: which events of other services were handled.
//!
//! Every event that is handled leaves a *note* of its id. A note that is old is *folded*: it goes, and a *floor*
//! counts the event as handled from then on. A floor is of one consumer and of one type of event in one workspace of
//! one source, and reaches from the first event that was folded into it to the last.
//!
//! A floor names no event between its two ends, so it rests on this: **a consumer gets the events of a workspace in the
//! order of the log, and settles each before the next.** Hence what lies between two events of a type that it handled is
//! settled too, if it listened to that type. What is not is never counted:
//!
//! - An event of a type that the consumer did not listen to, or not yet: a floor is of one type, and begins where the
//!   consumer began to hear of it.
//! - The other events of a revision of which one was handled: at its two ends, a floor counts only the events it names.
//! - An event that was set aside: it is settled, but not handled. While it is among the dead letters no floor counts it,
//!   so a redrive runs the handler. One that was handled for all that is a dead letter that knows it
//!   ([`Store::set_aside`]). A dead letter that was discarded counts as handled.
//!
//! Out of that order comes only what is sent again: all of it counts already, except where history is sent that the
//! consumer had not heard. That is settled before its notes are old.
//!
//! Notes of programs that did not say where the event stood are kept. They grow no more.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{
    CaseStatement, DeleteStatement, Expr, ExprTrait as _, Func, InsertStatement, OnConflict, Order, Query,
    SelectStatement,
};
use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, QueryResult};
use waymark_request::Causation;

use crate::statement::{index_of, insert, joined};
use crate::{Error, Store};

impl Store {
    /// Folds notes that were made before `before`, the oldest `limit` of them at most; tells how many.
    ///
    /// It may run twice at a time: what both fold is folded once.
    pub async fn fold_inbox(&self, before: DateTime<Utc>, limit: u64) -> Result<u64, Error> {
        let notes = self.across().query_all(&old(before, limit)).await?;
        let notes = notes.iter().map(Note::read).collect::<Result<Vec<_>, _>>()?;
        if notes.is_empty() {
            return Ok(0);
        }
        let mut stretches: BTreeMap<&Stretch, Vec<&Note>> = BTreeMap::new();
        let mut ids: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for note in &notes {
            stretches.entry(&note.stretch).or_default().push(note);
            ids.entry(&note.stretch.consumer).or_default().push(&note.event_id);
        }
        let transaction = self.across().begin().await?;
        // In order of their keys, so that two that fold at a time wait for each other rather than deadlock.
        for (stretch, notes) in &stretches {
            let revisions = || notes.iter().map(|note| note.revision);
            if let (Some(first), Some(last)) = (revisions().min(), revisions().max()) {
                transaction.execute(&raise(stretch, &End::at(first, notes), &End::at(last, notes))).await?;
            }
        }
        for (consumer, ids) in ids {
            transaction.execute(&forget(consumer, &ids)).await?;
        }
        for note in notes.iter().filter(|note| note.set_aside) {
            let mut handled = Query::update();
            handled.table("dead_letters").value("handled", true);
            handled.and_where(Expr::col("workspace").eq(note.stretch.workspace.as_str()));
            transaction.execute(handled.and_where(Expr::col("event_id").eq(note.event_id.as_str()))).await?;
        }
        transaction.commit().await?;
        Ok(notes.len() as u64)
    }
}

/// What a floor is of.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    consumer: String,
    source: String,
    workspace: String,
    event_type: String,
}

/// A note to be folded.
struct Note {
    stretch: Stretch,
    revision: i64,
    event_id: String,
    /// Its event is among the dead letters.
    set_aside: bool,
}

impl Note {
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let stretch = Stretch {
            consumer: row.try_get_by_index(0)?,
            source: row.try_get_by_index(1)?,
            workspace: row.try_get_by_index(2)?,
            event_type: row.try_get_by_index(3)?,
        };
        let (revision, event_id) = (row.try_get_by_index(4)?, row.try_get_by_index(5)?);
        Ok(Self { stretch, revision, event_id, set_aside: row.try_get_by_index(6)? })
    }
}

/// One of the two ends of a floor: a revision, and the events of it that count.
struct End<'a> {
    revision: i64,
    events: Vec<&'a str>,
}

impl<'a> End<'a> {
    /// The end that `notes` have at `revision`.
    fn at(revision: i64, notes: &[&'a Note]) -> Self {
        let events = notes.iter().filter(|note| note.revision == revision).map(|note| note.event_id.as_str());
        Self { revision, events: events.collect() }
    }
}

/// The oldest notes that say where their events stood.
pub(crate) fn old(before: DateTime<Utc>, limit: u64) -> SelectStatement {
    let mut letter = Query::select();
    letter.expr(Expr::val(1)).from("dead_letters");
    for column in ["workspace", "event_id"] {
        letter.and_where(Expr::col(("dead_letters", column)).equals(("inbox", column)));
    }
    Query::select()
        .columns(["consumer", "source", "workspace", "type", "revision", "event_id"])
        .expr(Expr::exists(letter))
        .from("inbox")
        .and_where(Expr::col("revision").is_not_null())
        .and_where(Expr::col("time").lt(before.timestamp_micros()))
        .order_by("time", Order::Asc)
        .limit(limit)
        .take()
}

/// Has the floor of `stretch` reach from `first` to `last` at least.
fn raise(stretch: &Stretch, first: &End<'_>, last: &End<'_>) -> InsertStatement {
    let row = [
        ("consumer", stretch.consumer.as_str().into()),
        ("source", stretch.source.as_str().into()),
        ("workspace", stretch.workspace.as_str().into()),
        ("type", stretch.event_type.as_str().into()),
        ("first_revision", first.revision.into()),
        ("first_events", first.events.join(" ").into()),
        ("last_revision", last.revision.into()),
        ("last_events", last.events.join(" ").into()),
    ];
    let was = |column: &'static str| Expr::col(("inbox_floors", column));
    let new = |column: &'static str| Expr::col(("excluded", column));
    // Where both stand at one revision, its events are put together.
    let events = |revision: &'static str, events: &'static str, moved: Expr| {
        let both = joined(was(events), [Expr::val(" "), new(events)]);
        CaseStatement::new().case(moved, new(events)).case(new(revision).eq(was(revision)), both).finally(was(events))
    };
    let (lower, higher) =
        (new("first_revision").lt(was("first_revision")), new("last_revision").gt(was("last_revision")));
    let mut floor = OnConflict::columns(["consumer", "source", "workspace", "type"]);
    floor
        .value("first_events", events("first_revision", "first_events", lower))
        .value("first_revision", Func::least([was("first_revision"), new("first_revision")]))
        .value("last_events", events("last_revision", "last_events", higher))
        .value("last_revision", Func::greatest([was("last_revision"), new("last_revision")]));
    insert("inbox_floors", row).on_conflict(floor).take()
}

pub(crate) fn forget<S: AsRef<str>>(consumer: &str, events: &[S]) -> DeleteStatement {
    let mut delete = Query::delete();
    delete.from_table("inbox").and_where(Expr::col("consumer").eq(consumer));
    delete.and_where(Expr::col("event_id").is_in(events.iter().map(AsRef::as_ref))).take()
}

/// Finds a row when the event was handled.
pub(crate) fn find_handled(causation: &Causation, backend: DbBackend) -> SelectStatement {
    let handled = Expr::exists(noted(causation)).or(counted(causation, backend));
    Query::select().expr(Expr::val(1)).and_where(handled).take()
}

/// The note that an event was handled. Inside a write, a second handler of the same event waits for the workspace's
/// lock, then finds the note: the insert counts no row.
pub(crate) fn note(causation: &Causation, backend: DbBackend, now: DateTime<Utc>) -> Result<InsertStatement, Error> {
    let row = [
        ("consumer", Expr::val(causation.consumer.as_str())),
        ("event_id", causation.event_id.to_string().into()),
        ("time", now.timestamp_micros().into()),
        ("source", causation.source.as_str().into()),
        ("workspace", causation.workspace.id().into()),
        ("type", causation.event_type.as_str().into()),
        ("revision", causation.revision.into()),
    ];
    let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    let uncounted = Query::select().exprs(values).and_where(counted(causation, backend).not()).take();
    let mut insert = Query::insert();
    insert.into_table("inbox").columns(columns).select_from(uncounted).map_err(Error::bug)?;
    Ok(insert.on_conflict(OnConflict::new().do_nothing().to_owned()).take())
}

/// Whether the event was handled when it is not among the dead letters.
pub(crate) fn known(causation: &Causation, backend: DbBackend) -> Expr {
    Expr::exists(noted(causation)).or(Expr::exists(below(causation, backend)))
}

/// Whether a floor counts the event as handled.
fn counted(causation: &Causation, backend: DbBackend) -> Expr {
    let mut letter = Query::select();
    letter.expr(Expr::val(1)).from("dead_letters");
    letter.and_where(Expr::col("workspace").eq(causation.workspace.id()));
    letter.and_where(Expr::col("event_id").eq(causation.event_id.to_string()));
    letter.and_where(Expr::col("handled").eq(false));
    Expr::exists(below(causation, backend)).and(Expr::not_exists(letter))
}

/// The note of the event.
fn noted(causation: &Causation) -> SelectStatement {
    let mut note = Query::select();
    note.expr(Expr::val(1)).from("inbox").and_where(Expr::col("consumer").eq(causation.consumer.as_str()));
    note.and_where(Expr::col("event_id").eq(causation.event_id.to_string())).take()
}

/// The floor that the event is between the ends of, or is named by.
fn below(causation: &Causation, backend: DbBackend) -> SelectStatement {
    let mut floor = Query::select();
    floor.expr(Expr::val(1)).from("inbox_floors");
    floor.and_where(Expr::col("consumer").eq(causation.consumer.as_str()));
    floor.and_where(Expr::col("source").eq(causation.source.as_str()));
    floor.and_where(Expr::col("workspace").eq(causation.workspace.id()));
    floor.and_where(Expr::col("type").eq(causation.event_type.as_str()));
    let names =
        |events: &'static str| Expr::expr(index_of(backend, Expr::col(events), causation.event_id.to_string())).gt(0);
    let between =
        Expr::col("first_revision").lt(causation.revision).and(Expr::col("last_revision").gt(causation.revision));
    floor.and_where(between.or(names("first_events")).or(names("last_events"))).take()
}
