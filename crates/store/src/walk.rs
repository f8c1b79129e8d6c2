//! Walks along links, from a resource to what it refers to or to what refers to it, and on from there. What refers to a
//! resource is read from the table of links by its key; what a resource refers to is in its body.
//!
//! A walk goes level by level, the nearest first. Of the last level a page is read, however many links it has; those
//! before it are read to their ends, as they say where to go on.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::DbBackend;
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Order, Query, SelectStatement, UnionType};
use waymark_domain::{AnyName, FullName, Violations, WorkspaceId};
use waymark_proto::standard::Page;
use waymark_request::{PageToken, page};

use crate::links::{Link as Reference, holds, key};
use crate::statement::{columns, json_text, keyed, one_of, unseen};
use crate::{Declaration, Error, Schema, Store};

/// Links before the last level at most.
const WALKED: usize = 10_000;
/// Resources that one statement looks for; databases limit how many it may bind.
const TOGETHER: usize = 500;

/// What a walk asks.
#[derive(Debug, Clone, Copy)]
pub struct Walk<'a> {
    /// Where it begins: a name, or a full name of any service.
    pub name: &'a str,
    /// Which way it goes.
    pub direction: Direction,
    /// The field it goes by; any when empty.
    pub field: &'a str,
    /// How many levels it goes.
    pub depth: u32,
    /// Links at most; 0 for the default.
    pub page_size: i32,
    /// Token of the page before.
    pub page_token: &'a str,
}

/// Which way a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To what is referred to.
    Outgoing,
    /// To what refers.
    Incoming,
}

/// A step of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What refers.
    pub from: FullName,
    /// Its display name, where it is a resource of this service.
    pub from_display_name: String,
    /// Path of the field that refers.
    pub field: String,
    /// What is referred to.
    pub to: FullName,
    /// Its display name, where it is a resource of this service.
    pub to_display_name: String,
    /// Whether the latter cannot be deleted meanwhile.
    pub holds: bool,
    /// The number of its level, from 1.
    pub distance: u32,
}

/// A link as it is walked along; both ends are written as the table of links has them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    near: String,
    field: String,
    far: String,
    holds: bool,
}

/// A walk that was understood.
struct Route<'a> {
    service: &'a str,
    tables: &'a [Declaration],
    workspace: WorkspaceId,
    direction: Direction,
    field: &'a str,
}

impl Store {
    /// A page of the links of a walk, nearest first, by those of the tables that `schema` declares for a service.
    pub async fn walk(&self, schema: &'static Schema, service: &str, walk: Walk<'_>) -> Result<Page<Link>, Error> {
        let size = page::size(walk.page_size)?;
        let start = begin(service, walk.name)?;
        let tables = &schema.tables();
        let Walk { direction, field, depth, .. } = walk;
        let route = Route { service, tables, workspace: start.name.workspace.clone(), direction, field };
        route.must_know_field(&start)?;
        let way = if direction == Direction::Outgoing { "outgoing" } else { "incoming" };
        let (name, levels) = (start.to_string(), depth.to_string());
        let parts = ["links", service, &name, way, field, &levels];
        let place = PageToken::decode(walk.page_token, &parts, 4)?.map(place).transpose()?;
        let begin = key(service, &start);
        if start.service == service && self.display_names(&route, [begin.as_str()]).await?.is_empty() {
            return Err(Error::NotFound(start.name.to_string()));
        }

        let mut found = self.links(&route, begin, depth, place.as_ref(), size + 1).await?;
        let more = found.len() > size;
        found.truncate(size);
        let next_page_token = match found.last().filter(|_| more) {
            Some((distance, Edge { near, field, far, .. })) => {
                let key = [&distance.to_string(), near, field, far].map(|part| Some(part.clone()));
                PageToken::after(&parts, key.into()).encode()
            }
            None => String::new(),
        };
        let ends = found.iter().flat_map(|(_, edge)| [edge.near.as_str(), edge.far.as_str()]);
        let names = self.display_names(&route, ends).await?;
        let items: Result<_, Error> = found.into_iter().map(|(at, edge)| route.link(at, edge, &names)).collect();
        Ok(Page { items: items?, next_page_token })
    }

    /// The first links of all levels, each with the number of its level: those behind a place, at least as many as are
    /// wanted where there are.
    async fn links(
        &self,
        route: &Route<'_>,
        begin: String,
        depth: u32,
        place: Option<&(u32, Edge)>,
        wanted: usize,
    ) -> Result<Vec<(u32, Edge)>, Error> {
        let (mut level, mut seen) = (vec![begin.clone()], BTreeSet::from([begin]));
        let (mut found, mut left) = (Vec::new(), WALKED);
        for distance in 1..=depth {
            let after = place.filter(|(at, _)| *at == distance).map(|(_, edge)| edge);
            if distance == depth {
                let last = self.edges(route, &level, after, wanted - found.len()).await?;
                found.extend(last.into_iter().map(|edge| (distance, edge)));
                break;
            }
            let edges = self.edges(route, &level, None, left + 1).await?;
            left = left.checked_sub(edges.len()).ok_or_else(|| {
                let problem = format!("leads along more than {WALKED} links; give a field or less depth");
                Violations::one("depth", problem)
            })?;
            level = edges.iter().filter(|edge| seen.insert(edge.far.clone())).map(|edge| edge.far.clone()).collect();
            level.sort();
            let passed = place.is_some_and(|(at, _)| *at > distance);
            let shown = edges.into_iter().filter(|edge| !passed && after.is_none_or(|after| edge > after));
            found.extend(shown.map(|edge| (distance, edge)));
            if level.is_empty() || found.len() >= wanted {
                break;
            }
        }
        Ok(found)
    }

    /// The first links of a level, in order: those behind one, as many as are wanted.
    async fn edges(
        &self,
        route: &Route<'_>,
        level: &[String],
        after: Option<&Edge>,
        wanted: usize,
    ) -> Result<Vec<Edge>, Error> {
        let mut edges = Vec::new();
        let begin = after.map_or(0, |after| level.partition_point(|near| *near < after.near));
        let goes_on = after.is_some_and(|after| level.get(begin) == Some(&after.near));
        let (first, rest) = level[begin..].split_at(usize::from(goes_on));
        for (nears, after) in [(first, after)].into_iter().chain(rest.chunks(TOGETHER).map(|nears| (nears, None))) {
            if edges.len() < wanted && !nears.is_empty() {
                let wanted = wanted - edges.len();
                edges.extend(match route.direction {
                    Direction::Incoming => self.referring_to(route, nears, after, wanted).await?,
                    Direction::Outgoing => self.referred_to(route, nears, after, wanted).await?,
                });
            }
        }
        Ok(edges)
    }

    async fn referring_to(
        &self,
        route: &Route<'_>,
        targets: &[String],
        after: Option<&Edge>,
        wanted: usize,
    ) -> Result<Vec<Edge>, Error> {
        let select = referring(
            self.backend(),
            &route.workspace,
            targets,
            route.field,
            after.map(|a| (&*a.field, &*a.far)),
            wanted,
        );
        let rows = self.of(route.workspace.id()).query_all(&select).await?;
        let edge = |row: &sea_orm::QueryResult| {
            let holds = row.try_get_by_index(3)?;
            let [near, field, far] = [row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?];
            Ok(Edge { near, field, far, holds })
        };
        rows.iter().map(edge).collect()
    }

    async fn referred_to(
        &self,
        route: &Route<'_>,
        referrers: &[String],
        after: Option<&Edge>,
        wanted: usize,
    ) -> Result<Vec<Edge>, Error> {
        let mut edges = BTreeSet::new();
        // What others refer to is for them to say.
        let known = route.known(referrers.iter().map(String::as_str));
        for (table, prefix, ids) in known.into_iter().filter(|(table, ..)| !table.collection().mirrored) {
            let mut select = Query::select();
            select.column("id").expr(json_text("body")).from(table.table);
            select.and_where(keyed(self.backend(), route.workspace.id(), ids));
            for row in self.of(route.workspace.id()).query_all(&select).await? {
                let (id, body): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                for ((field, far), reference) in table.links_of(route.workspace.id(), &id, &body)? {
                    if route.field.is_empty() || route.field == field {
                        let Reference { field: declared, target } = &reference;
                        let holds = holds(declared) && target.service == route.service;
                        let near = format!("{prefix}{id}");
                        edges.insert(Edge { near, field: field.to_owned(), far, holds });
                    }
                }
            }
        }
        Ok(edges.into_iter().filter(|edge| after.is_none_or(|after| edge > after)).take(wanted).collect())
    }

    /// Display names of those that the service keeps, other services' among them, deleted ones included.
    async fn display_names<'n>(
        &self,
        route: &Route<'_>,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut select: Option<SelectStatement> = None;
        for (table, prefix, ids) in route.known(names) {
            let mut named = Query::select();
            named.expr(Expr::val(prefix).cast_as("text")).columns(["id", "display_name"]).from(table.table);
            named.and_where(keyed(self.backend(), route.workspace.id(), ids));
            select = Some(match select {
                Some(mut all) => all.union(UnionType::All, named).take(),
                None => named,
            });
        }
        let Some(select) = select else { return Ok(BTreeMap::new()) };
        let rows = self.of(route.workspace.id()).query_all(&select).await?;
        let name = |row: &sea_orm::QueryResult| {
            let (prefix, id): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            Ok((format!("{prefix}{id}"), row.try_get_by_index(2)?))
        };
        rows.iter().map(name).collect()
    }
}

impl<'a> Route<'a> {
    /// The names that the service keeps, by table: what stands before the ids there, and the ids.
    fn known<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Vec<(&'a Declaration, String, BTreeSet<&'n str>)> {
        let table = |table: &'a Declaration| (table, table.collection().prefix(), BTreeSet::new());
        let mut known: Vec<_> = self.tables.iter().map(table).collect();
        for name in names {
            let kept = |(_, prefix, ids): &mut (_, String, BTreeSet<&'n str>)| {
                name.strip_prefix(prefix.as_str()).map(|id| ids.insert(id)).is_some()
            };
            _ = known.iter_mut().any(kept);
        }
        known.retain(|(.., ids)| !ids.is_empty());
        known
    }

    /// Refuses a walk by a field that there is not, or that begins where only another service knows the way.
    fn must_know_field(&self, start: &FullName) -> Result<(), Error> {
        let outgoing = self.direction == Direction::Outgoing;
        if outgoing && start.service != self.service {
            let problem = format!("is of another service; ask {} what it refers to", start.service);
            return Err(Violations::one("name", problem).into());
        }
        let fields: BTreeSet<&str> = self.tables.iter().flat_map(|table| table.links).map(|link| link.path).collect();
        if self.field.is_empty() || fields.contains(self.field) {
            return Ok(());
        }
        let fields: Vec<_> = fields.into_iter().collect();
        let problem = format!("{:?} refers to nothing; fields that do are {}", self.field, fields.join(", "));
        Err(Violations::one("field", problem).into())
    }

    fn link(&self, distance: u32, edge: Edge, names: &BTreeMap<String, String>) -> Result<Link, Error> {
        let Edge { near, field, far, holds } = edge;
        let (from, to) = if self.direction == Direction::Outgoing { (near, far) } else { (far, near) };
        let display_name = |end: &str| names.get(end).cloned().unwrap_or_default();
        let (from_display_name, to_display_name) = (display_name(&from), display_name(&to));
        let holds = holds && !to.starts_with("//");
        let (from, to) = (self.full(&from)?, self.full(&to)?);
        Ok(Link { from, from_display_name, field, to, to_display_name, holds, distance })
    }

    /// The full name of an end of a link.
    fn full(&self, end: &str) -> Result<FullName, Error> {
        let foreign = end.strip_prefix("//").and_then(|end| end.split_once('/'));
        let (service, local) = foreign.unwrap_or((self.service, end));
        let name: AnyName = format!("{}/{local}", self.workspace).parse().map_err(Error::bug)?;
        Ok(FullName { service: service.to_owned(), name })
    }
}

/// Links to targets, in order of target, field and referrer; of one target those behind a field and referrer.
pub(crate) fn referring(
    backend: DbBackend,
    workspace: &WorkspaceId,
    targets: &[String],
    field: &str,
    after: Option<(&str, &str)>,
    wanted: usize,
) -> SelectStatement {
    let order = ["target", "field", "referrer"];
    let mut select = Query::select();
    select.columns(order).column("holds").from("links");
    select.and_where(Expr::col("workspace").eq(unseen(backend, workspace.id())));
    match targets {
        [target] => select.and_where(Expr::col("target").eq(target.as_str())),
        targets => select.and_where(one_of(backend, "target", targets.iter().map(String::as_str))),
    };
    let mut by_field = Condition::all();
    by_field = match (field, after) {
        // Those that are kept the other way round come behind all others.
        ("", None) => by_field.add(Expr::col("field").lt("~")),
        ("", Some((field, referrer))) => {
            let place = Expr::tuple([Expr::val(field), Expr::val(referrer)]);
            by_field.add(Expr::col("field").lt("~")).add(columns(["field", "referrer"]).gt(place))
        }
        (field, None) => by_field.add(Expr::col("field").eq(field)),
        (field, Some((_, referrer))) => {
            by_field.add(Expr::col("field").eq(field)).add(Expr::col("referrer").gt(referrer))
        }
    };
    select.cond_where(by_field);
    for column in order {
        select.order_by(column, Order::Asc);
    }
    select.limit(wanted as u64).take()
}

/// Where a walk begins.
fn begin(service: &str, name: &str) -> Result<FullName, Error> {
    let parsed = if name.starts_with("//") {
        name.parse()
    } else {
        name.parse().map(|name| FullName { service: service.to_owned(), name })
    };
    Ok(parsed.map_err(|error| Violations::one("name", error.to_string()))?)
}

/// Where a page begins: behind an edge of a level.
fn place(token: PageToken) -> Result<(u32, Edge), page::PageError> {
    let mut parts = token.key.into_iter().map(|part| part.ok_or(page::PageError::Damaged));
    let mut next = || parts.next().unwrap_or(Err(page::PageError::Damaged));
    let distance = next()?.parse().map_err(|_| page::PageError::Damaged)?;
    // Whichever it is: links that differ in nothing else are one.
    Ok((distance, Edge { near: next()?, field: next()?, far: next()?, holds: true }))
}
