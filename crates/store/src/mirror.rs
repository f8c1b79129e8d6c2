//! Mirrors: tables that hold the resources of another service as it announces them, to be read like own ones.
//!
//! What comes to a mirror is a whole resource, by an event or from a page of the walk through the source
//! (`mirror/filling.rs`), and is kept when it is *newer* than what is there: of a name what was created later, of that
//! the later version. So it does not matter in which order things come, or how often. A resource that is deleted stays
//! as a row with its delete time, as in the source, which never gives its name to another; so nothing older can come
//! back.
//!
//! Nothing is announced by it: there is no revision, no row of the log, no note in the inbox. Links of mirrored
//! resources are kept with them, under `//<service>/<collection>/<id>`, so that they are found by what they refer to.

mod filling;

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use sea_orm::{DbBackend, QueryResult, SqlErr};
use serde_json::{Map, Value};
use tokio::time::timeout;
use waymark_domain::{Resource, Violations};
use waymark_proto::ResourceMessage;

use crate::carried::json_name;
use crate::draft::{Action, Row, sql};
use crate::links::{self, Links};
use crate::schema::Declaration;
use crate::statement::{columns, json_text, keyed};
use crate::turn::Turn;
use crate::workspaces::workspace_of;
use crate::write::{counted, send};
use crate::{Error, Received, Store, Table, resource};

pub use filling::Filling;

/// How often what was read is read again because another wrote in between, at most.
const TRIES: u32 = 5;

/// A table that mirrors a collection of another service.
#[derive(Debug, Clone, Copy)]
pub struct Mirror {
    /// The service that the resources are of.
    pub source: &'static str,
    /// Their collection.
    pub collection: &'static str,
    /// Full names of the events that tell of them.
    pub events: &'static [&'static str],
    /// The field of an event that carries the resource, in JSON.
    field: &'static str,
    /// Whether resources refer to others, so that what is there has to be read before it is replaced.
    refers: bool,
    declaration: Declaration,
    read: fn(&str) -> Result<Copied, Violations>,
    links: fn(&Row, &str) -> Result<Links, Error>,
}

/// A resource as it comes to a mirror.
#[derive(Clone)]
struct Copied {
    age: Age,
    row: Row,
    body: String,
}

/// What tells which state of a resource is the newer one: when it was created, and its version.
type Age = (i64, i64);

/// A resource as the mirror has it.
struct Known {
    age: Age,
    /// Empty where it is not needed.
    body: String,
}

impl Mirror {
    /// The mirror that `T` declares.
    ///
    /// # Panics
    /// When compiled, as a schema is a constant: if `T` is a table of the service's own, or has columns that only those
    /// can have.
    pub const fn of<T: Table>() -> Self {
        let (source, keeper) = (<T::Resource as Resource>::SERVICE, T::KEEPER);
        assert!(source.len() != keeper.len() || !begins_with(source, keeper), "a mirror is kept by another service");
        assert!(
            T::TABLE.len() > source.len() && begins_with(T::TABLE, source),
            "a mirror's table is called after the service it mirrors"
        );
        let mut at = 0;
        while at < T::COLUMNS.len() {
            assert!(
                T::COLUMNS[at].tallied.is_none() && !T::COLUMNS[at].traced,
                "only own tables have tallies and a past"
            );
            at += 1;
        }
        Self {
            source,
            collection: <T::Resource as Resource>::COLLECTION,
            events: T::Message::EVENTS,
            field: T::Message::SINGULAR,
            refers: !T::Message::LINKS.is_empty(),
            declaration: Declaration::without_methods::<T>(),
            read: read::<T>,
            links: links_of::<T>,
        }
    }

    /// Its table as the code declares it.
    pub fn declaration(&self) -> Declaration {
        self.declaration
    }

    fn table(&self) -> &'static str {
        self.declaration.table
    }

    /// Whether an event carries a resource that is mirrored.
    pub fn is_told_by(&self, event: &Received) -> bool {
        self.source == event.source && self.events.contains(&event.event_type.as_str())
    }

    /// What an event carries.
    fn carried(&self, event: &Received) -> Result<Copied, Error> {
        let wrong = |problem: String| Violations::one("data", format!("of {}: {problem}", event.event_type));
        let mut data: Map<String, Value> = serde_json::from_str(&event.data).map_err(|e| wrong(e.to_string()))?;
        let field = json_name(self.field);
        let resource = data.remove(&field).ok_or_else(|| wrong(format!("{field} must be set")))?;
        Ok((self.read)(&resource.to_string())?)
    }
}

const fn begins_with(text: &str, start: &str) -> bool {
    let (text, start) = (text.as_bytes(), start.as_bytes());
    let mut at = 0;
    while at < start.len() {
        if at >= text.len() || text[at] != start[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// A resource as a mirror keeps it, from its JSON.
fn read<T: Table>(json: &str) -> Result<Copied, Violations> {
    let field = T::Message::SINGULAR;
    let wrong = |e: serde_json::Error| Violations::one(field, format!("is not a {}: {e}", T::Message::FULL_NAME));
    let message: T::Message = serde_json::from_str(json).map_err(wrong)?;
    let body = serde_json::to_string(&message).map_err(wrong)?;
    let mut violations = Violations::new();
    let Some(resource) = violations.nested(field, waymark_proto::parse::<T::Resource, _>(message)) else {
        return Err(violations);
    };
    let row = Row::state::<T>(&resource, Action::Insert, &body);
    let meta = resource.meta();
    Ok(Copied { age: (meta.create_time.timestamp_micros(), meta.version.cast_signed()), row, body })
}

/// What a resource that is kept refers to.
fn links_of<T: Table>(row: &Row, body: &str) -> Result<Links, Error> {
    links::of::<T>(&resource::decode::<T>(&row.workspace, &row.id, body)?)
}

impl Copied {
    fn key(&self) -> (&str, &str) {
        (&self.row.workspace, &self.row.id)
    }

    /// The rows that put it in place of what is known.
    fn rows(&self, mirror: &Mirror, known: Option<&Known>) -> Result<Vec<Row>, Error> {
        let mut row = self.row.clone();
        let mut gone = Links::new();
        if let Some(known) = known {
            row.action = Action::Replace(known.age.1.cast_unsigned());
            row.cells.retain(|(column, _)| !["workspace", "id"].contains(column));
            if mirror.refers {
                gone = (mirror.links)(&row, &known.body)?;
            }
        }
        let mut new = if mirror.refers { (mirror.links)(&row, &self.body)? } else { Links::new() };
        new.retain(|link, _| gone.remove(link).is_none());
        let referrer = format!("//{}/{}/{}", mirror.source, mirror.collection, row.id);
        let workspace = row.workspace.clone();
        let mut rows = vec![row];
        for (links, action) in [(gone, Action::Unlink), (new, Action::Link)] {
            if !links.is_empty() {
                rows.push(Row::links(&workspace, &referrer, &links, action));
            }
        }
        Ok(rows)
    }
}

impl Store {
    /// Takes over the resources that events of one workspace carry into those of the mirrors which they tell of, unless
    /// what is there is as new. Events that tell of none are passed over.
    pub async fn mirror(&self, mirrors: &[Mirror], events: &[Received]) -> Result<(), Error> {
        for mirror in mirrors {
            // Of each resource only the newest state is of use.
            let mut newest: BTreeMap<_, Copied> = BTreeMap::new();
            for event in events.iter().filter(|event| mirror.is_told_by(event)) {
                let copied = mirror.carried(event)?;
                let key = (copied.row.workspace.clone(), copied.row.id.clone());
                if newest.get(&key).is_none_or(|known| known.age < copied.age) {
                    newest.insert(key, copied);
                }
            }
            self.keep(mirror, &newest.into_values().collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// Keeps those of the resources, which are in order of workspace and id, that are newer than what is there; tells
    /// how many. Of each workspace all or none of them are kept.
    async fn keep(&self, mirror: &Mirror, copies: &[Copied]) -> Result<u64, Error> {
        let mut kept = 0;
        // Where the database separates workspaces a transaction is of one.
        for part in copies.chunk_by(|one, next| !self.separates() || one.row.workspace == next.row.workspace) {
            kept += self.keep_part(mirror, part).await?;
        }
        Ok(kept)
    }

    /// As [`Store::keep`], all or none of them.
    ///
    /// Two may be at it: the walk through the source, and what comes by events. Where they meet at a resource, the
    /// later finds that what it has read is no longer there, and reads again.
    async fn keep_part(&self, mirror: &Mirror, copies: &[Copied]) -> Result<u64, Error> {
        let Some(first) = copies.first() else { return Ok(0) };
        let workspace = workspace_of(mirror.table(), first.row.workspace.clone())?;
        for _ in 0..TRIES {
            let mut turn = self.turn(workspace.id()).await?;
            // On the heap, as are writes that take their turn.
            let merging = Box::pin(self.merge(&mut turn, mirror, copies));
            let merged = timeout(self.patience, merging).await.unwrap_or(Err(Error::Busy(self.patience)));
            let new = merged.as_ref().is_ok_and(|kept| kept.is_some_and(|kept| kept > 0));
            // There is no revision of it.
            turn.finish(new.then(|| (workspace.clone(), 0))).await?;
            if let Some(kept) = merged? {
                if kept > 0 {
                    self.heads().stir(&workspace);
                }
                return Ok(kept);
            }
        }
        Err(Error::Busy(self.patience))
    }

    /// As [`Store::keep_part`], in a turn; `None` when another wrote meanwhile.
    async fn merge(&self, turn: &mut Turn, mirror: &Mirror, copies: &[Copied]) -> Result<Option<u64>, Error> {
        let backend = self.backend();
        let keys: Vec<_> = copies.iter().map(Copied::key).collect();
        let mut there = BTreeMap::new();
        let known = backend.build(&known(backend, mirror.table(), mirror.refers, &keys));
        // What it tells holds for the rest of the transaction.
        let workspace = keys.first().map_or("", |key| key.0);
        for row in turn.all(self.of(workspace).telling(known)).await? {
            let (workspace, id): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            there.insert((workspace, id), Known::read(mirror, &row)?);
        }
        let (mut rows, mut kept) = (Vec::new(), 0);
        for copied in copies {
            let (workspace, id) = copied.key();
            let known = there.get(&(workspace.to_owned(), id.to_owned()));
            if known.is_none_or(|known| known.age < copied.age) {
                rows.extend(copied.rows(mirror, known)?);
                kept += 1;
            }
        }
        for mut part in sql::parts(rows) {
            match send(turn, backend, &mut part, 0).await {
                Ok(written) if written == counted(&part) => {}
                Ok(_) => return Ok(None),
                Err(Error::Database(e)) if matches!(e.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(kept))
    }
}

impl Known {
    fn read(mirror: &Mirror, row: &QueryResult) -> Result<Self, Error> {
        let age = (row.try_get_by_index(2)?, row.try_get_by_index(3)?);
        Ok(Self { age, body: if mirror.refers { row.try_get_by_index(4)? } else { String::new() } })
    }
}

/// What a table has of the resources with these keys, which are in order, with the resources themselves if asked for;
/// where they are of several workspaces, of all from the first to the last.
pub(crate) fn known(
    backend: DbBackend,
    table: &'static str,
    with_body: bool,
    keys: &[(&str, &str)],
) -> SelectStatement {
    let mut select = Query::select();
    select.columns(["workspace", "id", "create_time", "version"]).from(table);
    if with_body {
        select.expr(json_text("body"));
    }
    let key = |(workspace, id): &(&str, &str)| Expr::tuple([(*workspace).into(), (*id).into()]);
    match keys {
        [first, .., last] if first.0 != last.0 => {
            // A walk came by nothing else between the two.
            select.and_where(columns(["workspace", "id"]).gte(key(first)));
            select.and_where(columns(["workspace", "id"]).lte(key(last)));
            // In no need of an order, but for PostgreSQL to take the index that has it.
            select.order_by("workspace", Order::Asc).order_by("id", Order::Asc);
        }
        _ => {
            let workspace = keys.first().map_or("", |key| key.0);
            select.and_where(keyed(backend, workspace, keys.iter().map(|key| key.1)));
        }
    }
    select
}
