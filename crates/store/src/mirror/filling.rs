//! How a mirror is filled: by a walk through what the source has, in order of workspace and id, beside the events that
//! are heard.
//!
//! Events first, then the walk: whoever begins to fill hears the source's events from before its first page on. A
//! change whose event was not heard was therefore committed before the walk began, so the walk finds it, or something
//! newer; a change that comes behind the walk is heard. Whichever is newer stays.
//!
//! So it is filled anew when events may have been missed: when it never was, when others heard them in between who do
//! not keep the mirror as this program does (of another release, or over another transport), when the stream was
//! found to lack what was not read. And when it was emptied: the row at which the walk has arrived is not there any
//! more. (Single rows that somebody deleted from the table are not missed; empty it to have it filled anew.)

use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Query, UpdateStatement};
use waymark_proto::events::v1 as pb;

use super::{Copied, Mirror};
use crate::statement::insert;
use crate::{Error, Store};

/// How far a mirror is filled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filling {
    /// Workspace and id of the last resource that was taken over from the source; empty before the first.
    pub after: (String, String),
    /// Resources of the source that were walked by.
    pub rows: i64,
    /// Whether the walk has come to its end.
    pub is_done: bool,
    /// The number of the walk.
    walk: i64,
}

/// What is kept of a mirror.
struct Kept {
    reader: String,
    types: String,
    filling: Filling,
}

impl Store {
    /// Notes that `reader` hears the events of the mirror's source from here on. The mirror is filled anew unless the
    /// one before listened to the same events of it, and `before`, where that is known, was the last who heard any.
    pub async fn begin_mirror(&self, mirror: &Mirror, reader: &str, before: Option<&str>) -> Result<(), Error> {
        let types = mirror.events.join(" ");
        let known = self.kept(mirror).await?;
        let walk = known.as_ref().map_or(0, |kept| kept.filling.walk) + 1;
        let goes_on =
            known.is_some_and(|kept| kept.types == types && before.is_none_or(|before| before == kept.reader));
        let row = [
            ("source", mirror.source.into()),
            ("collection", mirror.collection.into()),
            ("reader", reader.into()),
            ("types", types.into()),
            ("walk", walk.into()),
            ("workspace", "".into()),
            ("id", "".into()),
            ("rows", 0_i64.into()),
            ("end_time", Expr::val(None::<i64>)),
        ];
        let mut begun = OnConflict::columns(["source", "collection"]);
        begun.update_columns(["reader", "types"]);
        if !goes_on {
            begun.update_columns(["walk", "workspace", "id", "rows", "end_time"]);
        }
        self.across().execute(insert("mirrors", row).on_conflict(begun)).await.map(|_| ())
    }

    /// Has the mirror be filled anew.
    pub async fn refill(&self, mirror: &Mirror) -> Result<(), Error> {
        let mut update = noted(mirror);
        update.values([("workspace", "".into()), ("id", "".into()), ("rows", 0_i64.into())]);
        update.value("walk", Expr::col("walk").add(1_i64));
        self.across().execute(update.value("end_time", None::<i64>)).await.map(|_| ())
    }

    /// How far the mirror is filled. One that was emptied is so from the beginning.
    pub async fn filling(&self, mirror: &Mirror) -> Result<Filling, Error> {
        let filling = self.kept(mirror).await?.map(|kept| kept.filling).unwrap_or_default();
        let (workspace, id) = &filling.after;
        let mut select = Query::select();
        select.expr(Expr::val(1)).from(mirror.table()).limit(1);
        if !workspace.is_empty() {
            select.and_where(Expr::col("workspace").eq(workspace)).and_where(Expr::col("id").eq(id));
        }
        // Where nothing was found to take over there may be something by now: it costs a page to ask.
        let is_kept = workspace.is_empty() && !filling.is_done || self.across().query_one(&select).await?.is_some();
        Ok(if is_kept { filling } else { Filling { walk: filling.walk, ..Filling::default() } })
    }

    /// Takes over a page of the source's resources that were asked for when the mirror was filled so far. Tells how far
    /// it is then; nothing when it is to be filled anew, or another has come further, meanwhile.
    pub async fn fill(
        &self,
        mirror: &Mirror,
        mut filling: Filling,
        page: &pb::SnapshotResponse,
    ) -> Result<Option<Filling>, Error> {
        if self.filling(mirror).await? != filling {
            return Ok(None);
        }
        filling.rows += i64::try_from(page.rows.len()).unwrap_or_default();
        let copies: Vec<Copied> = page.rows.iter().filter_map(|row| mirror.of_page(row)).collect();
        self.keep(mirror, &copies).await?;
        if let Some(last) = copies.last() {
            filling.after = (last.row.workspace.clone(), last.row.id.clone());
        }
        filling.is_done = !page.more;
        let (workspace, id) = &filling.after;
        let mut update = noted(mirror);
        update.values([("workspace", workspace.into()), ("id", id.into()), ("rows", filling.rows.into())]);
        update.value("end_time", filling.is_done.then(|| self.now().timestamp_micros()));
        let noted = self.across().execute(update.and_where(Expr::col("walk").eq(filling.walk))).await?;
        Ok((noted > 0).then_some(filling))
    }

    async fn kept(&self, mirror: &Mirror) -> Result<Option<Kept>, Error> {
        let mut select = Query::select();
        select.columns(["reader", "types", "workspace", "id", "rows", "end_time", "walk"]).from("mirrors");
        select.and_where(Expr::col("source").eq(mirror.source));
        select.and_where(Expr::col("collection").eq(mirror.collection));
        let Some(row) = self.across().query_one(&select).await? else { return Ok(None) };
        let filling = Filling {
            after: (row.try_get_by_index(2)?, row.try_get_by_index(3)?),
            rows: row.try_get_by_index(4)?,
            is_done: row.try_get_by_index::<Option<i64>>(5)?.is_some(),
            walk: row.try_get_by_index(6)?,
        };
        Ok(Some(Kept { reader: row.try_get_by_index(0)?, types: row.try_get_by_index(1)?, filling }))
    }
}

impl Mirror {
    /// A resource of a page. One that cannot be taken over is reported and left out, so that it does not keep others
    /// from being known; its next event is tried on its own.
    fn of_page(&self, row: &pb::SnapshotRow) -> Option<Copied> {
        let (table, workspace, id) = (self.table(), row.workspace.as_str(), row.id.as_str());
        if row.resource.is_empty() {
            tracing::error!(table, column = "body", workspace, id, "too large for a message; left out of the mirror");
            return None;
        }
        match (self.read)(&row.resource) {
            Ok(copied) => Some(copied),
            Err(error) => {
                tracing::error!(table, column = "body", workspace, id, %error, "not understood; left out of the mirror");
                None
            }
        }
    }
}

fn noted(mirror: &Mirror) -> UpdateStatement {
    let mut update = Query::update();
    update.table("mirrors").and_where(Expr::col("source").eq(mirror.source));
    update.and_where(Expr::col("collection").eq(mirror.collection)).take()
}
