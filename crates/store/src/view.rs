//! A workspace as it stands, or as it stood after a revision or at a time: all that is read from one view agrees,
//! whatever is written meanwhile.
//!
//! The present is in the tables, the past in the log, where the state of a resource is what its last event up to the
//! revision carries. What resources there are is told by their table either way, as it keeps those that were deleted: so
//! the past costs one look into an index of the log for each resource that is looked at, however often it changed, and
//! writes pay nothing for it.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, QueryResult, StatementBuilder};
use waymark_domain::{AnyName, Name, Resource as _, Violations, WorkspaceId};
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::{ResourceMessage, convert};

use crate::holding::Holding;
use crate::list::PAGE_BYTES;
use crate::statement::{Ordering, apart, columns, json_text, order_by, page, unseen};
use crate::workspaces::{bounds, within};
use crate::{Error, Found, Store, Table, Write, history, resource};

/// What times are told apart by.
const MOMENT: TimeDelta = TimeDelta::microseconds(1);
/// Values that one statement looks for; databases limit how many it may bind.
pub(crate) const VALUES: usize = 1_000;
/// The same where they are bound as one, and what is found is so little that it need not come in parts.
const AS_ONE: usize = 20_000;

/// A position in a workspace's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// After this revision.
    Revision(i64),
    /// After the last revision at or before this time.
    Time(DateTime<Utc>),
    /// After the revision that a resource holds.
    Held(AnyName),
}

/// A workspace at one position.
pub struct View {
    transaction: DatabaseTransaction,
    workspace: WorkspaceId,
    revision: i64,
    /// The earliest revision whose history is whole, and the current one.
    bounds: (i64, i64),
    holding: Option<Holding>,
}

/// Some of a table's resources, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<M, K> {
    /// Those that are live at the view's position.
    pub items: Vec<M>,
    /// What the next part begins behind; none when this is the last. There may be one though there are no items.
    pub next: Option<K>,
}

/// Which rows of a table to read in the order of a column, and of ids where that is the same.
#[derive(Debug, Clone, Copy)]
pub struct Range<'a> {
    /// A declared text column with an index.
    pub column: &'static str,
    /// Rows behind this value and id.
    pub after: (&'a str, &'a str),
    /// Only values less than this.
    pub below: &'a str,
    /// Another column, which must have this value.
    pub only: Option<(&'static str, &'a str)>,
    /// Rows at most.
    pub size: usize,
    /// Bytes of JSON at most, about.
    pub bytes: i64,
}

/// What resources are read from.
pub trait Read: Send {
    /// A resource, unless there is none, or it is deleted, or its name is of another workspace.
    fn find<T: Table>(
        &mut self,
        name: &Name<T::Resource>,
    ) -> impl Future<Output = Result<Option<T::Resource>, Error>> + Send;

    /// Live resources whose declared text column `column` is one of `values`, in no order; at most `limit`. Of the past
    /// if the column is [traced](crate::Column::traced). Their names are there before they are read.
    fn where_in<T: Table>(
        &mut self,
        column: &'static str,
        values: &[String],
        limit: u32,
    ) -> impl Future<Output = Result<Found<T::Message>, Error>> + Send;

    /// The same, read.
    fn messages_where_in<T: Table>(
        &mut self,
        column: &'static str,
        values: &[String],
        limit: u32,
    ) -> impl Future<Output = Result<Vec<T::Message>, Error>> + Send {
        async move { self.where_in::<T>(column, values, limit).await?.all().await }
    }

    /// The same as the domain has them.
    fn all_where_in<T: Table>(
        &mut self,
        column: &'static str,
        values: &[String],
        limit: u32,
    ) -> impl Future<Output = Result<Vec<T::Resource>, Error>> + Send {
        async move {
            let messages = self.messages_where_in::<T>(column, values, limit).await?;
            messages.into_iter().map(resource::resource::<T>).collect()
        }
    }
}

impl Position {
    /// The position that a request asks for in a field.
    pub fn asked(field: &str, as_of: AsOf) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let position = match as_of.position {
            None => {
                violations.add(field, "must be a revision or a time");
                None
            }
            Some(as_of::Position::Revision(revision)) if revision < 0 => {
                violations.add(format!("{field}.revision"), format!("must not be negative, got {revision}"));
                None
            }
            Some(as_of::Position::Revision(revision)) => Some(Self::Revision(revision)),
            Some(as_of::Position::Time(time)) => {
                convert::time(&mut violations, &format!("{field}.time"), Some(time)).map(Self::Time)
            }
            Some(as_of::Position::Snapshot(name)) => {
                violations.check(&format!("{field}.snapshot"), name.parse()).map(Self::Held)
            }
        };
        position.ok_or(violations)
    }
}

impl Store {
    /// A view of a workspace, as it stands when there is no position. Refuses positions in the future or no longer kept.
    pub async fn view(&self, workspace: &WorkspaceId, position: Option<Position>) -> Result<View, Error> {
        let asked = match position {
            Some(position) => Some(self.revision_at(workspace, position).await?),
            None => None,
        };
        let transaction = self.reader.begin_view().await.map_err(|e| self.error(e))?;
        // What the first statement tells holds for the transaction.
        let first = self.of(workspace.id()).telling(self.backend().build(&bounds(workspace.id())));
        let bounds = match transaction.query_one_raw(first).await? {
            Some(row) => (row.try_get_by_index(0)?, row.try_get_by_index(1)?),
            None => (0, 0),
        };
        let (workspace, revision) = (workspace.clone(), asked.unwrap_or(bounds.1));
        let view = View { transaction, workspace, revision, bounds, holding: self.holding };
        view.check(view.revision).await?;
        Ok(view)
    }

    /// The revision a position stands for, whether there is one of it or not; refuses times in the future.
    pub async fn revision_at(&self, workspace: &WorkspaceId, position: Position) -> Result<i64, Error> {
        match position {
            Position::Revision(revision) => Ok(revision),
            Position::Time(time) if time > self.now() => {
                Err(Violations::one("as_of.time", "lies in the future").into())
            }
            Position::Time(time) => self.last_before(workspace, time + MOMENT).await,
            Position::Held(name) if name.workspace != *workspace => Err(Error::NotFound(name.to_string())),
            Position::Held(name) => self.held_by("as_of.snapshot", &name).await,
        }
    }

    /// The revision that a resource holds, which a request names in `field`.
    async fn held_by(&self, field: &str, name: &AnyName) -> Result<i64, Error> {
        let Some(holding) = self.holding else {
            return Err(Violations::one(field, "is not known to this service, which keeps none").into());
        };
        if name.collection != holding.collection {
            let expected = holding.collection;
            return Err(Violations::one(field, format!("must be one of {expected}, got {name}")).into());
        }
        let row = self.of(name.workspace.id()).query_one(&holding.of_resource(name)).await?;
        Ok(row.ok_or_else(|| Error::NotFound(name.to_string()))?.try_get_by_index(0)?)
    }
}

impl View {
    /// The revision that is shown.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Refuses revisions in the future or no longer kept.
    pub(crate) async fn check(&self, asked: i64) -> Result<(), Error> {
        let is_held = match self.holding.filter(|_| asked < self.bounds.0) {
            Some(holding) => !self.rows(&holding.holds(&self.workspace, asked)).await?.is_empty(),
            None => false,
        };
        if is_held { Ok(()) } else { within(self.bounds, asked) }
    }

    /// Resources behind the one with id `after`, in order of id, as far as the next `limit` ids lead.
    pub async fn part<T: Table>(&self, after: &str, limit: u64) -> Result<Part<T::Message, String>, Error> {
        let mut select = states::<T>(self.backend(), &self.workspace, self.past_of::<T>());
        select.and_where(Expr::col("id").gt(after)).order_by("id", Order::Asc).limit(limit);
        let by_id = [("id".to_owned(), Order::Asc, None)];
        let (rows, more) = self.page(select, limit as usize, ("state", PAGE_BYTES), &by_id).await?;
        let last = rows.last().filter(|_| more || rows.len() as u64 == limit).map(|row| row.try_get_by_index(0));
        Ok(Part { items: self.live::<T>(&rows)?, next: last.transpose()? })
    }

    /// Live resources in the order of a column. The order of the past is not kept: [`View::part`] reads that.
    pub async fn range<T: Table>(&self, range: Range<'_>) -> Result<Part<T::Message, (String, String)>, Error> {
        if self.past_of::<T>().is_some() {
            return Err(Error::bug("the past is in order of ids alone"));
        }
        let select = in_order::<T>(&self.workspace, range)?;
        let by_key = [range.column, "id"].map(|column| (column.to_owned(), Order::Asc, None));
        let (rows, more) = self.page(select, range.size, ("state", range.bytes), &by_key).await?;
        let next = match rows.last() {
            Some(last) if more => Some((last.try_get_by_index(2)?, last.try_get_by_index(0)?)),
            _ => None,
        };
        Ok(Part { items: self.live::<T>(&rows)?, next })
    }

    pub(crate) async fn page(
        &self,
        select: SelectStatement,
        size: usize,
        within: (&'static str, i64),
        order: &[Ordering],
    ) -> Result<(Vec<QueryResult>, bool), Error> {
        Ok(page(&self.transaction, None, select, size, within, order).await?)
    }

    pub(crate) async fn rows(&self, statement: &impl StatementBuilder) -> Result<Vec<QueryResult>, Error> {
        Ok(self.transaction.query_all(statement).await?)
    }

    /// The workspace.
    pub fn workspace(&self) -> &WorkspaceId {
        &self.workspace
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.transaction.get_database_backend()
    }

    /// How many values a statement looks for whose rows are a few short texts: each statement is a wait for the database.
    pub(crate) fn at_once(&self) -> usize {
        if self.backend() == DbBackend::Postgres { AS_ONE } else { VALUES }
    }

    /// The revision, where that is past.
    fn past(&self) -> Option<i64> {
        (self.revision < self.bounds.1).then_some(self.revision)
    }

    /// The revision at which resources of the table are shown, where that is past. What another service keeps is shown
    /// as it is known now: its past is in the log of that service.
    pub(crate) fn past_of<T: Table>(&self) -> Option<i64> {
        self.past().filter(|_| T::KEEPER == T::Resource::SERVICE)
    }

    /// Whether resources of the table are shown as they stood.
    pub fn is_past<T: Table>(&self) -> bool {
        self.past_of::<T>().is_some()
    }

    /// The resources among rows of ids and states that are live.
    pub(crate) fn live<T: Table>(&self, rows: &[QueryResult]) -> Result<Vec<T::Message>, Error> {
        let read = |row: &QueryResult| -> Result<Option<T::Message>, Error> {
            let message = self.decode::<T>(&row.try_get_by_index::<String>(0)?, &row.try_get_by_index::<String>(1)?)?;
            Ok(message.filter(is_live))
        };
        rows.iter().filter_map(|row| read(row).transpose()).collect()
    }

    /// The resource of a state, if there is one, deleted or not.
    pub(crate) fn decode<T: Table>(&self, id: &str, state: &str) -> Result<Option<T::Message>, Error> {
        if self.past_of::<T>().is_some() {
            resource::carried::<T, T::Message>(self.workspace.id(), id, state)
        } else {
            resource::decode::<T>(self.workspace.id(), id, state).map(Some)
        }
    }
}

/// Whether a resource is not deleted.
pub(crate) fn is_live(message: &impl ResourceMessage) -> bool {
    message.standard().delete_time.is_none()
}

impl Write {
    /// Refuses a revision that there is not yet, which its own is, or that is no longer kept.
    pub async fn must_keep(&mut self, revision: i64) -> Result<(), Error> {
        let row = self.rows(&bounds(self.workspace().id())).await?.pop();
        let earliest =
            row.ok_or_else(|| Error::bug("a workspace that is written to has no row"))?.try_get_by_index(0)?;
        let is_held = match self.holding().filter(|_| revision < earliest) {
            Some(holding) => !self.rows(&holding.holds(self.workspace(), revision)).await?.is_empty(),
            None => false,
        };
        if is_held { Ok(()) } else { within((earliest, self.revision() - 1), revision) }
    }
}

impl Read for View {
    async fn find<T: Table>(&mut self, name: &Name<T::Resource>) -> Result<Option<T::Resource>, Error> {
        if *name.workspace() != self.workspace {
            return Ok(None);
        }
        let rows = self
            .rows(
                states::<T>(self.backend(), &self.workspace, self.past_of::<T>())
                    .and_where(Expr::col("id").eq(name.id().as_str())),
            )
            .await?;
        self.live::<T>(&rows)?.pop().map(resource::resource::<T>).transpose()
    }

    async fn where_in<T: Table>(
        &mut self,
        column: &'static str,
        values: &[String],
        limit: u32,
    ) -> Result<Found<T::Message>, Error> {
        if self.past_of::<T>().is_some() {
            return Ok(Found::read(self.stood::<T>(column, values, limit as usize).await?));
        }
        let (mut found, limit) = (Found::default(), limit as usize);
        for values in values.chunks(VALUES) {
            let mut select = resource::those::<T>(self.backend(), &self.workspace, column, values)?;
            let wanted = limit - found.names.len();
            let text = self.one(select.limit(wanted as u64).take(), &["id", "body"]).await?;
            for (id, _) in apart(&text) {
                let id = id.parse().map_err(Error::bug)?;
                found.names.push(Name::<T::Resource>::new(self.workspace.clone(), id).to_string());
            }
            found.parts.push(self.coming::<T>(text));
        }
        Ok(found)
    }
}

impl Read for Write {
    async fn find<T: Table>(&mut self, name: &Name<T::Resource>) -> Result<Option<T::Resource>, Error> {
        Write::find::<T>(self, name).await
    }

    async fn where_in<T: Table>(
        &mut self,
        column: &'static str,
        values: &[String],
        limit: u32,
    ) -> Result<Found<T::Message>, Error> {
        let mut found = Vec::new();
        for values in values.chunks(VALUES) {
            let mut select = resource::those::<T>(self.backend(), self.workspace(), column, values)?;
            select.limit(u64::from(limit) - found.len() as u64);
            found.extend(self.messages::<T>(select).await?);
        }
        Ok(Found::read(found))
    }
}

/// All rows of a table as ids and states: bodies, or of the past the last events up to a revision, empty of what was not
/// there yet.
pub(crate) fn states<T: Table>(backend: DbBackend, workspace: &WorkspaceId, past: Option<i64>) -> SelectStatement {
    let state = match past {
        Some(revision) => history::state::<T>(backend, workspace, revision, (T::TABLE, "id")),
        None => json_text("body"),
    };
    let mut select = Query::select();
    select.column("id").expr_as(state, "state").from(T::TABLE);
    select.and_where(Expr::col("workspace").eq(unseen(backend, workspace.id()))).take()
}

/// One row more than the range's size, to tell whether there are more.
pub(crate) fn in_order<T: Table>(workspace: &WorkspaceId, range: Range<'_>) -> Result<SelectStatement, Error> {
    let Range { column, after, below, only, size, .. } = range;
    let column = resource::declared::<T>(column)?;
    let mut select = Query::select();
    select.column("id").expr_as(json_text("body"), "state").column(column).from(T::TABLE);
    select.and_where(Expr::col("workspace").eq(workspace.id()));
    let last = Expr::tuple([Expr::val(after.0), Expr::val(after.1)]);
    select.and_where(columns([column, "id"]).gt(last)).and_where(Expr::col(column).lt(below));
    if let Some((only, value)) = only {
        select.and_where(Expr::col(resource::declared::<T>(only)?).eq(value));
    }
    // What is deleted may have a value as well.
    select.and_where(Expr::col("delete_time").is_null());
    order_by(&mut select, [column, "id"].map(|column| (column.to_owned(), Order::Asc, None)));
    Ok(select.limit(size as u64 + 1).take())
}
