//! What a filter says, in SQL: of columns, and of what a resource's body has beyond them, its labels and references. Each
//! condition looks at one row and is true or false, never null, so that NOT means not. Which rows it is put to is decided
//! in `access`.

mod holds;

use std::collections::BTreeSet;

use chrono::DateTime;
use sea_orm::sea_query::{BinOper, Condition, Expr, ExprTrait as _, Func, Query};
use sea_orm::{DbBackend, Value};
use waymark_domain::{FullName, Resource as _, WorkspaceId};
use waymark_proto::ResourceMessage as _;
use waymark_proto::choice::reads_alike;
use waymark_proto::links::{LinkField, holders};
use waymark_request::{Comparison, Filter, FilterError, Operator};

use crate::statement::index_of;
use crate::table::listable;
use crate::{ColumnKind, Table};

pub use holds::Selection;

/// What begins the field of a label; its key follows.
const LABEL: &str = "labels.";

/// What filters may name.
pub(crate) struct Fields<'a> {
    backend: DbBackend,
    columns: Vec<(&'static str, ColumnKind)>,
    body: Option<Body<'a>>,
}

/// The bodies of a table of resources.
struct Body<'a> {
    table: &'static str,
    service: &'static str,
    links: &'static [LinkField],
    /// Where references are looked for that are given without one.
    workspace: Option<&'a WorkspaceId>,
}

/// What a comparison is about.
pub(crate) enum Field<'a> {
    Column(&'static str, ColumnKind),
    /// The keys of labels.
    Labels,
    /// The value of a label.
    Label(&'a str),
    /// A reference that has no column.
    Link(&'static LinkField),
}

impl<'a> Fields<'a> {
    /// Columns alone.
    pub(crate) fn columns(backend: DbBackend, columns: &[(&'static str, ColumnKind)]) -> Self {
        Self { backend, columns: columns.to_vec(), body: None }
    }

    /// Those of a table's resources: of one workspace, or of all.
    pub(crate) fn of<T: Table>(backend: DbBackend, workspace: Option<&'a WorkspaceId>) -> Self {
        let (service, links) = (T::Resource::SERVICE, T::Message::LINKS);
        let body = Body { table: T::TABLE, service, links, workspace };
        Self { backend, columns: listable::<T>(), body: Some(body) }
    }

    /// A filter as a condition.
    pub(crate) fn condition(&self, filter: &Filter) -> Result<Expr, FilterError> {
        let together = |start: Condition, terms: &[Filter]| {
            let mut terms = terms.iter().map(|term| self.condition(term));
            terms.try_fold(start, |all, term| Ok(all.add(term?))).map(Expr::from)
        };
        match filter {
            Filter::All(terms) => together(Condition::all(), terms),
            Filter::Any(terms) => together(Condition::any(), terms),
            Filter::Not(inner) => Ok(self.condition(inner)?.not()),
            Filter::Compare(comparison) => self.compare(comparison),
        }
    }

    /// What a comparison is about.
    pub(crate) fn field<'c>(&self, comparison: &'c Comparison) -> Result<Field<'c>, FilterError> {
        let Comparison { field, value, .. } = comparison;
        if field.contains('\0') || value.contains('\0') {
            return Err(refusal(comparison, "a field or value must not contain the NUL character"));
        }
        let column = self.columns.iter().find(|(name, _)| name == field);
        if let Some((name, kind)) = column {
            return Ok(Field::Column(name, *kind));
        }
        let links = self.body.as_ref().map(|body| body.links).unwrap_or_default();
        match (self.body.is_some(), field.strip_prefix(LABEL)) {
            (true, Some("")) => Err(refusal(comparison, "labels. is followed by a key, such as labels.team")),
            (true, Some(key)) => Ok(Field::Label(key)),
            (true, None) if field == "labels" => Ok(Field::Labels),
            _ => links.iter().find(|link| link.path == *field).map(Field::Link).ok_or_else(|| {
                let columns = self.columns.iter().map(|(name, _)| *name);
                let labels = self.body.iter().flat_map(|_| ["labels", "labels.KEY"]);
                let of_bodies = links.iter().map(|link| link.path).filter(|path| !self.has_column(path));
                let all: Vec<&str> = columns.chain(labels).chain(of_bodies).collect();
                refusal(comparison, &format!("{field:?} is not a field to filter by; those are {}", all.join(", ")))
            }),
        }
    }

    /// Adds the columns that a filter looks at; false where it looks at more than columns.
    pub(crate) fn needs(&self, filter: &Filter, columns: &mut BTreeSet<&'static str>) -> Result<bool, FilterError> {
        match filter {
            Filter::All(terms) | Filter::Any(terms) => {
                terms.iter().try_fold(true, |all, term| Ok(self.needs(term, columns)? && all))
            }
            Filter::Not(inner) => self.needs(inner, columns),
            Filter::Compare(comparison) => Ok(match self.field(comparison)? {
                Field::Column(name, _) => {
                    columns.insert(name);
                    true
                }
                Field::Labels | Field::Label(_) | Field::Link(_) => false,
            }),
        }
    }

    fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|(column, _)| *column == name)
    }

    fn compare(&self, comparison: &Comparison) -> Result<Expr, FilterError> {
        match self.field(comparison)? {
            Field::Column(name, kind) => self.compare_column(comparison, name, kind),
            Field::Labels if comparison.operator != Operator::Contains => {
                let problem = "labels are asked for a key, as labels:team, or for a value, as labels.team = growth";
                Err(refusal(comparison, problem))
            }
            Field::Labels if is_presence(comparison) => Ok(self.has_label(None)),
            Field::Labels => Ok(self.has_label(Some(Expr::col(("label", "key")).eq(comparison.value.as_str())))),
            Field::Label(key) => {
                let of_key = Expr::col(("label", "key")).eq(key);
                // By bytes, as columns are compared.
                let collation = if self.backend == DbBackend::Postgres { r#" COLLATE "C""# } else { "" };
                let value = || Expr::cust(format!("label.value{collation}"));
                if is_presence(comparison) {
                    return Ok(self.has_label(Some(of_key)));
                }
                // What is not set is other than any value.
                let differs = comparison.operator == Operator::NotEqual;
                let operator = if differs { Operator::Equal } else { comparison.operator };
                let compared = self.compared(value, operator, comparison.value.as_str().into(), &comparison.value);
                let found = self.has_label(Some(of_key.and(compared)));
                Ok(if differs { found.not() } else { found })
            }
            Field::Link(link) => {
                let Some(of_target) = self.target_of(comparison, link)? else { return Ok(self.refers(link, None)) };
                let found = self.refers(link, Some(&of_target));
                match comparison.operator {
                    Operator::Equal | Operator::Contains => Ok(found),
                    Operator::NotEqual => Ok(found.not()),
                    Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                        let problem = format!("{} refers to resources, which are compared by : = or !=", link.path);
                        Err(refusal(comparison, &problem))
                    }
                }
            }
        }
    }

    fn compare_column(
        &self,
        comparison: &Comparison,
        name: &'static str,
        kind: ColumnKind,
    ) -> Result<Expr, FilterError> {
        let column = || Expr::col(name);
        if is_presence(comparison) {
            return Ok(column().is_not_null());
        }
        let (bound, text) = self.bound(comparison, name, kind)?;
        let compared = self.compared(column, comparison.operator, bound, &text);
        Ok(match comparison.operator {
            Operator::NotEqual => column().is_null().or(compared),
            _ => column().is_not_null().and(compared),
        })
    }

    /// What a column is compared with, in the form it is stored in, and as a text.
    fn bound(
        &self,
        comparison: &Comparison,
        name: &'static str,
        kind: ColumnKind,
    ) -> Result<(Value, String), FilterError> {
        let Comparison { field, operator, value, .. } = comparison;
        let error = |problem: String| refusal(comparison, &problem);
        let value = match kind {
            ColumnKind::Choice(names) => &chosen(names, *operator, value)
                .ok_or_else(|| error(format!("{value:?} is not a value of {field}; those are {}", names.join(", "))))?,
            _ => value,
        };
        let bound = match kind {
            ColumnKind::Time => DateTime::parse_from_rfc3339(value).ok().map(|t| Value::from(t.timestamp_micros())),
            // One of the same workspace may be given without it.
            ColumnKind::Text if matches!(operator, Operator::Equal | Operator::NotEqual) => {
                let body = self.body.as_ref();
                let link = body.and_then(|body| body.links.iter().find(|link| link.path == name));
                let named = link.and_then(|link| self.named(link, value).ok());
                Some(named.unwrap_or_else(|| value.clone()).into())
            }
            other => stored(other, value),
        };
        let bound = bound.ok_or_else(|| {
            error(match kind {
                ColumnKind::Text | ColumnKind::Choice(_) => format!("{field} compares with text"),
                ColumnKind::Integer => format!("{field} compares with an integer, not {value:?}"),
                ColumnKind::Number => format!("{field} compares with a number, not {value:?}"),
                ColumnKind::Boolean => format!("{field} compares with true or false, not {value:?}"),
                ColumnKind::Time => format!("{field} compares with a time such as 2026-01-31T12:00:00Z, not {value:?}"),
            })
        })?;
        if *operator == Operator::Contains && !matches!(kind, ColumnKind::Text | ColumnKind::Choice(_)) {
            let problem = format!("\":\" looks into texts, {field} is none; \"{field}:*\" asks whether it is set");
            return Err(error(problem));
        }
        Ok((bound, value.clone()))
    }

    /// A comparison of what is set.
    fn compared(&self, of: impl Fn() -> Expr, operator: Operator, bound: Value, text: &str) -> Expr {
        match operator {
            Operator::Equal => of().eq(bound),
            Operator::NotEqual => of().ne(bound),
            Operator::Less => of().lt(bound),
            Operator::LessOrEqual => of().lte(bound),
            Operator::Greater => of().gt(bound),
            Operator::GreaterOrEqual => of().gte(bound),
            // Both databases fold the case of ASCII alone, by the collation.
            Operator::Contains => index_of(self.backend, Func::lower(of()), text.to_ascii_lowercase()).gt(0),
        }
    }

    /// Whether there is a label, such a one if it is said which.
    fn has_label(&self, such: Option<Expr>) -> Expr {
        let mut labels = Query::select();
        let each = Func::cust(if self.backend == DbBackend::Postgres { "json_each_text" } else { "json_each" });
        labels.expr(Expr::val(1_i32)).from_function(each.arg(member(self.body(), "labels")), "label");
        labels.and_where_option(such);
        Expr::exists(labels.take())
    }

    /// Whether there is a reference by a field, to a target if it is said to which.
    fn refers(&self, link: &LinkField, target: Option<&str>) -> Expr {
        let (object, text) = match self.backend {
            DbBackend::Postgres => ("json_array_elements", "json_array_elements_text"),
            _ => ("json_each", "json_each"),
        };
        let (mut within, mut at, mut many) = (Query::select(), self.body(), 0);
        for (index, (name, repeated)) in link.steps.iter().enumerate() {
            let last = index + 1 == link.steps.len();
            if *repeated {
                let element = format!("element{many}");
                let each = Func::cust(if last { text } else { object }).arg(member(at, name));
                within.from_function(each, element.clone());
                at = Expr::col((element, "value"));
                many += 1;
            } else if last {
                at = at.binary(BinOper::Custom("->>"), quoted(name));
            } else {
                at = member(at, name);
            }
        }
        let found = match target {
            Some(target) => at.clone().is_not_null().and(at.eq(target)),
            None => at.clone().is_not_null().and(at.ne("")),
        };
        if many == 0 {
            return found;
        }
        Expr::exists(within.expr(Expr::val(1_i32)).and_where(found).take())
    }

    fn body(&self) -> Expr {
        Expr::col((self.body.as_ref().map_or("", |body| body.table), "body"))
    }

    /// The name of what a reference is asked for, as bodies have it; `None` when it is asked for any.
    fn target_of(&self, comparison: &Comparison, link: &LinkField) -> Result<Option<String>, FilterError> {
        if is_presence(comparison) {
            return Ok(None);
        }
        self.named(link, &comparison.value).map(Some).map_err(|problem| refusal(comparison, &problem))
    }

    /// What a comparison wants a reference to refer to.
    pub(crate) fn target(&self, comparison: &Comparison, link: &LinkField) -> Option<FullName> {
        let named = self.named(link, &comparison.value).ok()?;
        link.target(self.body.as_ref()?.service, &named).ok()
    }

    /// A name as a reference has it: given so, or as `collection/id` of the same workspace.
    fn named(&self, link: &LinkField, text: &str) -> Result<String, String> {
        let Some(Body { service, workspace, .. }) = self.body.as_ref() else { return Ok(text.to_owned()) };
        let valid = |name: String| link.target(service, &name).map(|_| name).map_err(|error| error.to_string());
        let local = match (text.split_once('/'), workspace) {
            (Some((collection, id)), Some(workspace))
                if !collection.is_empty() && collection != "workspaces" && !id.contains('/') =>
            {
                format!("{workspace}/{text}")
            }
            _ if text.starts_with("workspaces/") => text.to_owned(),
            _ => return valid(text.to_owned()),
        };
        let collection = local.split('/').nth(2).unwrap_or_default();
        match (link.service, holders(collection).as_slice()) {
            ("", _) => valid(local),
            ("*", [holder]) => valid(format!("//{holder}.waymark.dev/{local}")),
            ("*", []) => Err(format!("{collection:?} are of none of the services")),
            ("*", holders) => Err(format!(
                "{collection} are of several services; write //{}.waymark.dev/{local}",
                holders.join(&format!(".waymark.dev/{local} or //"))
            )),
            (service, _) => valid(format!("//{service}.waymark.dev/{local}")),
        }
    }
}

/// Whether a comparison asks whether there is anything.
pub(crate) fn is_presence(comparison: &Comparison) -> bool {
    comparison.operator == Operator::Contains && comparison.value == "*"
}

/// The name that is meant among these; of one that is to be contained, whether there is any.
fn chosen(names: &[&str], operator: Operator, value: &str) -> Option<String> {
    if operator == Operator::Contains {
        let within = |name: &&&str| name.to_ascii_lowercase().contains(&value.to_ascii_lowercase());
        return names.iter().find(within).map(|_| value.to_owned());
    }
    names.iter().find(|name| reads_alike(name, value)).map(|name| (*name).to_owned())
}

/// A value of a column from text, in the form it is stored in.
pub(crate) fn stored(kind: ColumnKind, text: &str) -> Option<Value> {
    match kind {
        ColumnKind::Text | ColumnKind::Choice(_) => Some(text.into()),
        ColumnKind::Integer | ColumnKind::Time => text.parse::<i64>().ok().map(Into::into),
        ColumnKind::Number => text.parse::<f64>().ok().map(Into::into),
        ColumnKind::Boolean => text.parse::<bool>().ok().map(Into::into),
    }
}

fn refusal(comparison: &Comparison, problem: &str) -> FilterError {
    FilterError { problem: problem.to_owned(), position: comparison.position }
}

/// A field of a JSON object. Both databases have the operator; sea-query knows it for either alone.
fn member(of: Expr, name: &str) -> Expr {
    of.binary(BinOper::Custom("->"), quoted(name))
}

/// A name of the contract, which needs no binding.
fn quoted(name: &str) -> Expr {
    Expr::cust(format!("'{name}'"))
}
