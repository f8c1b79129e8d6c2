//! How the rows of a list are come by, so that no page looks at more than some of them, whatever is filtered by. Where an
//! index finds few rows among which all are that a filter selects, those are looked at, in any order. Otherwise a list is
//! read in an order that is kept, stretch by stretch: a page ends where its stretch does, be it empty.

use std::collections::BTreeSet;

use sea_orm::DbBackend;
use sea_orm::sea_query::{Asterisk, Expr, ExprTrait as _, Func, Order, Query, SelectStatement, UnionType};
use waymark_domain::{Resource as _, WorkspaceId};
use waymark_proto::ResourceMessage as _;
use waymark_proto::links::LinkField;
use waymark_request::{Comparison, Filter, FilterError, Operator};

use crate::filter::{Field, Fields, is_presence};
use crate::integrity::referring;
use crate::labels::labelled;
use crate::links;
use crate::{Error, Store, Table};

/// Indexes that are asked how many rows they find for a filter, at most.
const ASKED: usize = 4;
/// Entries of an index that are read in the time in which a row is found and read.
const ENTRIES: u64 = 4;

/// Which rows are looked at.
pub(crate) enum Access {
    /// All there are.
    All,
    /// Those of these ids.
    Among(Box<SelectStatement>),
    /// None: an index has all that the filter and the order ask for. These are its entries.
    Entries(Box<SelectStatement>),
    /// A stretch of an order that is kept.
    Stretch,
}

/// Statements that each find ids by an index: all that a filter selects are among them.
pub(crate) type Source = Vec<SelectStatement>;

impl Store {
    /// How to come by the rows that a filter selects, deleted ones included if they are listed, when of each these columns
    /// are wanted, too.
    pub(crate) async fn access<T: Table>(
        &self,
        workspace: &WorkspaceId,
        filter: &Filter,
        wanted: &[&'static str],
        show_deleted: bool,
    ) -> Result<Access, Error> {
        let fields = Fields::of::<T>(self.backend(), Some(workspace));
        // In order, lest PostgreSQL, where few workspaces share a table, looks for them in all of it.
        let in_order = all::<T>(workspace).order_by("id", Order::Asc).take();
        let mut ways = vec![(Access::All, vec![in_order])];
        let entries = entries_of::<T>(&fields, workspace, filter, wanted)?;
        ways.extend(entries.map(|entries| (Access::Entries(Box::new(entries.clone())), vec![entries])));
        for source in sources_of::<T>(&fields, workspace, filter, show_deleted)?.into_iter().take(ASKED) {
            ways.extend(union(source.clone()).map(|ids| (Access::Among(Box::new(ids)), source)));
        }
        let weight = |way: &Access| if matches!(way, Access::Entries(_)) { 1 } else { ENTRIES };
        let most = self.looked_at * ENTRIES;
        let mut select = Query::select();
        for (index, (way, source)) in ways.iter().enumerate() {
            let size = size(source.clone(), index, most / weight(way));
            select.expr(Expr::SubQuery(None, Box::new(size.into())));
        }
        let mut weights = Vec::with_capacity(ways.len());
        if let Some(row) = self.of(workspace.id()).query_one(&select).await? {
            for (index, (way, _)) in ways.iter().enumerate() {
                weights.push(row.try_get_by_index::<i64>(index)?.unsigned_abs() * weight(way));
            }
        }
        let lightest = weights.into_iter().zip(ways).min_by_key(|(weight, _)| *weight);
        Ok(lightest.filter(|(weight, _)| *weight <= most).map_or(Access::Stretch, |(_, (way, _))| way))
    }
}

/// The condition that an id is among these.
pub(crate) fn among(backend: DbBackend, ids: SelectStatement) -> Expr {
    if backend != DbBackend::Postgres {
        return Expr::col("id").in_subquery(ids);
    }
    // As an array they are looked up in any case. Joined with them PostgreSQL might read all rows in the order that is
    // asked for, trusting that it soon has enough for a page.
    let array = Func::cust("ARRAY").arg(Expr::SubQuery(None, Box::new(ids.into())));
    Expr::col("id").eq(Func::cust("ANY").arg(array))
}

/// The entries of an index among which all are that a filter selects and that have all columns which it and the order
/// need, if there is such an index: nothing but these columns.
pub(crate) fn entries_of<T: Table>(
    fields: &Fields<'_>,
    workspace: &WorkspaceId,
    filter: &Filter,
    wanted: &[&'static str],
) -> Result<Option<SelectStatement>, FilterError> {
    let terms = match filter {
        Filter::All(terms) => terms.as_slice(),
        term => std::slice::from_ref(term),
    };
    let mut needed: BTreeSet<&'static str> = wanted.iter().copied().collect();
    if !fields.needs(filter, &mut needed)? {
        return Ok(None);
    }
    for term in terms {
        let Filter::Compare(comparison) = term else { continue };
        let column = T::COLUMNS.iter().find(|column| column.name == comparison.field);
        let Some((column, further)) = column.and_then(|column| Some((column, column.index?))) else { continue };
        let has = |name: &&str| *name == "id" || *name == column.name || further.contains(name);
        if is_narrow(comparison.operator) && needed.iter().all(has) {
            let mut entries = Query::select();
            entries.columns(needed).from(T::TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
            return Ok(Some(entries.and_where(fields.condition(term)?).take()));
        }
    }
    Ok(None)
}

/// Whether an index finds what compares so.
fn is_narrow(operator: Operator) -> bool {
    !matches!(operator, Operator::NotEqual | Operator::Contains)
}

/// Where all that a filter selects can be found by indexes, whichever of them is taken.
pub(crate) fn sources_of<T: Table>(
    fields: &Fields<'_>,
    workspace: &WorkspaceId,
    filter: &Filter,
    show_deleted: bool,
) -> Result<Vec<Source>, FilterError> {
    let of = |term: &Filter| sources_of::<T>(fields, workspace, term, show_deleted);
    Ok(match filter {
        Filter::All(terms) => {
            let found: Vec<_> = terms.iter().map(of).collect::<Result<_, _>>()?;
            found.into_iter().flatten().collect()
        }
        // A source for each, or none.
        Filter::Any(terms) => {
            let found: Vec<_> = terms.iter().map(of).collect::<Result<_, _>>()?;
            let firsts: Option<Vec<Source>> = found.into_iter().map(|of_one| of_one.into_iter().next()).collect();
            firsts.map(|firsts| firsts.concat()).into_iter().collect()
        }
        Filter::Not(_) => Vec::new(),
        Filter::Compare(comparison) => {
            let source = source::<T>(fields, workspace, comparison, show_deleted)?;
            source.map(|select| vec![select]).into_iter().collect()
        }
    })
}

fn source<T: Table>(
    fields: &Fields<'_>,
    workspace: &WorkspaceId,
    comparison: &Comparison,
    show_deleted: bool,
) -> Result<Option<SelectStatement>, FilterError> {
    let Comparison { operator, value, .. } = comparison;
    let equal = *operator == Operator::Equal;
    Ok(match fields.field(comparison)? {
        Field::Column(name, _) => {
            let has_index =
                name == "id" || T::COLUMNS.iter().any(|column| column.name == name && column.index.is_some());
            let link = T::Message::LINKS.iter().find(|link| link.path == name && equal && !show_deleted);
            match (has_index, link) {
                (true, _) if is_narrow(*operator) => {
                    let condition = fields.condition(&Filter::Compare(comparison.clone()))?;
                    Some(all::<T>(workspace).and_where(condition).take())
                }
                (_, Some(link)) => referring_to::<T>(fields, workspace, comparison, link),
                _ => None,
            }
        }
        // What is deleted refers to nothing, as links have it.
        Field::Link(_) if show_deleted || is_presence(comparison) || *operator == Operator::NotEqual => None,
        Field::Link(link) => referring_to::<T>(fields, workspace, comparison, link),
        // Of what another service keeps there are no rows of labels here.
        Field::Labels | Field::Label(_) if T::KEEPER != T::Resource::SERVICE => None,
        Field::Labels if is_presence(comparison) => None,
        Field::Labels => Some(labelled::<T>(workspace, value)),
        Field::Label(_) if *operator == Operator::NotEqual => None,
        Field::Label(key) => {
            let mut labelled = labelled::<T>(workspace, key);
            if equal {
                labelled.and_where(Expr::col("value").eq(value.as_str()));
            }
            Some(labelled)
        }
    })
}

fn referring_to<T: Table>(
    fields: &Fields<'_>,
    workspace: &WorkspaceId,
    comparison: &Comparison,
    link: &'static LinkField,
) -> Option<SelectStatement> {
    let target = fields.target(comparison, link).filter(|target| target.name.workspace == *workspace)?;
    let target = links::key(T::KEEPER, &target);
    Some(referring(workspace, &links::prefix::<T>(), &target, &[link.path]))
}

/// Ids of all resources.
fn all<T: Table>(workspace: &WorkspaceId) -> SelectStatement {
    Query::select().column("id").from(T::TABLE).and_where(Expr::col("workspace").eq(workspace.id())).take()
}

/// How many rows a source has, as far as it matters: whether there are more than `most`.
pub(crate) fn size(source: Source, index: usize, most: u64) -> SelectStatement {
    let mut size = Query::select();
    size.expr(Expr::col(Asterisk).count());
    if let Some(mut ids) = union(source) {
        ids.limit(most + 1);
        size.from_subquery(ids, format!("source{index}"));
    }
    size
}

/// Ids of all of a source, some maybe twice.
fn union(source: Source) -> Option<SelectStatement> {
    source.into_iter().reduce(|mut all, more| all.union(UnionType::All, more).take())
}
