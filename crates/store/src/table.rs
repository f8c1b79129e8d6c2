//! What a service says about a resource's table. All else, from DDL to filters, follows from it.

use chrono::{DateTime, Utc};
use sea_orm::Value;
use waymark_domain::{Resource, Violations};
use waymark_proto::ResourceMessage;

/// A resource's table; implemented on a service-local marker such as `struct Products;`.
pub trait Table: Send + Sync + 'static {
    /// The domain's type.
    type Resource: Resource + TryFrom<Self::Message, Error = Violations>;
    /// The contract's type, which is also what the body column and the log keep, as JSON.
    type Message: ResourceMessage + for<'a> From<&'a Self::Resource>;
    /// The table's name; a mirror's begins with the service it mirrors, as in `metrics_metrics`.
    const TABLE: &'static str;
    /// The service that keeps the table: that of the resource, unless the table is a mirror.
    const KEEPER: &'static str = <Self::Resource as Resource>::SERVICE;
    /// The columns that are filtered or sorted by, beyond those every table has: `id`, `display_name`, `create_time`,
    /// `update_time`, `delete_time`.
    const COLUMNS: Columns<Self::Resource> = &[];
}

/// A table that its service writes: any that is no mirror.
pub trait Own: Table {}

/// A collection, and the table that it is kept in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Collection {
    /// The service of its resources.
    pub service: &'static str,
    /// Its name in those of resources.
    pub name: &'static str,
    /// The table's name.
    pub table: &'static str,
    /// Whether the table is a mirror.
    pub mirrored: bool,
}

impl Collection {
    /// What stands before the ids of its resources where they refer or are referred to: `products/`, or of a mirror
    /// `//metrics/metrics/`.
    pub(crate) fn prefix(&self) -> String {
        let Self { service, name, mirrored, .. } = self;
        if *mirrored { format!("//{service}/{name}/") } else { format!("{name}/") }
    }
}

/// The declared columns of a table.
pub type Columns<R> = &'static [Column<R>];

/// A typed column taken from the resource.
pub struct Column<R> {
    /// The column's name, also in filters and orders.
    pub name: &'static str,
    pub(crate) value: ColumnValue<R>,
    /// The further columns of its index, when it has one.
    pub(crate) index: Option<&'static [&'static str]>,
    /// In which rows it is set.
    pub(crate) presence: Presence,
    /// Characters of its values that are tallied.
    pub(crate) tallied: Option<usize>,
    /// Whether the log has an index of it.
    pub(crate) traced: bool,
    /// Whether lists may filter and order by it.
    pub(crate) listed: bool,
}

/// In which rows a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// In any.
    Some,
    /// In every one.
    All,
    /// In few, and its index leaves out the others.
    Few,
}

pub(crate) enum ColumnValue<R> {
    Text(fn(&R) -> Option<String>),
    Choice(fn(&R) -> Option<&'static str>, &'static [&'static str]),
    Integer(fn(&R) -> Option<i64>),
    Number(fn(&R) -> Option<f64>),
    Boolean(fn(&R) -> Option<bool>),
    Time(fn(&R) -> Option<DateTime<Utc>>),
}

/// The type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ColumnKind {
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    Integer,
    Number,
    Boolean,
    Time,
}

impl<R> Column<R> {
    const fn new(name: &'static str, value: ColumnValue<R>) -> Self {
        Self { name, value, index: None, presence: Presence::Some, tallied: None, traced: false, listed: true }
    }

    /// A text column; sorted by bytes.
    pub const fn text(name: &'static str, value: fn(&R) -> Option<String>) -> Self {
        Self::new(name, ColumnValue::Text(value))
    }
    /// A text column that holds one of `names`: those of an enum's values, as [`Choice`](waymark_proto::Choice) has
    /// them.
    pub const fn choice(
        name: &'static str,
        names: &'static [&'static str],
        value: fn(&R) -> Option<&'static str>,
    ) -> Self {
        Self::new(name, ColumnValue::Choice(value, names))
    }
    /// An integer column.
    pub const fn integer(name: &'static str, value: fn(&R) -> Option<i64>) -> Self {
        Self::new(name, ColumnValue::Integer(value))
    }
    /// A floating-point column.
    pub const fn number(name: &'static str, value: fn(&R) -> Option<f64>) -> Self {
        Self::new(name, ColumnValue::Number(value))
    }
    /// A true-or-false column.
    pub const fn boolean(name: &'static str, value: fn(&R) -> Option<bool>) -> Self {
        Self::new(name, ColumnValue::Boolean(value))
    }
    /// A time column, kept in microseconds.
    pub const fn time(name: &'static str, value: fn(&R) -> Option<DateTime<Utc>>) -> Self {
        Self::new(name, ColumnValue::Time(value))
    }
    /// The same with an index over (workspace, column, id): for columns that lists are usually filtered by.
    #[must_use]
    pub const fn indexed(self) -> Self {
        self.indexed_with(&[])
    }
    /// The same with an index that has `further` columns at its end, so that rows of others need not be looked at.
    #[must_use]
    pub const fn indexed_with(mut self, further: &'static [&'static str]) -> Self {
        self.index = Some(further);
        self
    }
    /// The same with an index of the log, whose events say so, too: so resources are found by what the column was after
    /// a revision. A table has one such column at most.
    #[must_use]
    pub const fn traced(mut self) -> Self {
        self.traced = true;
        self
    }
    /// The same, but not known to lists: for what only the service itself reads by.
    #[must_use]
    pub const fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }

    /// The same for one that few rows have: its index leaves out the others, which so pay nothing for it. It serves what
    /// compares the column with a value, and no more.
    #[must_use]
    pub const fn sparse(mut self) -> Self {
        self.presence = Presence::Few;
        self
    }

    /// The same for one whose function never gives nothing, so that lists in its order are read from its index.
    #[must_use]
    pub const fn always_set(mut self) -> Self {
        self.presence = Presence::All;
        self
    }
    /// The same for an indexed text of ASCII with a tally kept beside it: how many resources have a value that begins with
    /// the same `length` characters, shorter values aside. So [`Write::counts_between`](crate::Write::counts_between) counts without
    /// reading what it counts.
    #[must_use]
    pub const fn tallied(mut self, length: usize) -> Self {
        self.tallied = Some(length);
        self
    }

    /// Whether lists in its order are read from its index.
    pub(crate) fn is_kept(&self) -> bool {
        self.index == Some(&[]) && self.presence == Presence::All
    }

    /// What its tally is called, of a table.
    pub(crate) fn tally_name(&self, table: &str) -> String {
        format!("{table}.{}", self.name)
    }

    /// What a resource's value is tallied under, if it is.
    pub(crate) fn tally_of(&self, resource: &R) -> Option<String> {
        let (length, ColumnValue::Text(value)) = (self.tallied?, &self.value) else { return None };
        value(resource)?.get(..length).map(str::to_owned)
    }

    /// The type of its values.
    pub fn kind(&self) -> ColumnKind {
        match self.value {
            ColumnValue::Text(_) => ColumnKind::Text,
            ColumnValue::Choice(_, names) => ColumnKind::Choice(names),
            ColumnValue::Integer(_) => ColumnKind::Integer,
            ColumnValue::Number(_) => ColumnKind::Number,
            ColumnValue::Boolean(_) => ColumnKind::Boolean,
            ColumnValue::Time(_) => ColumnKind::Time,
        }
    }

    pub(crate) fn value_of(&self, resource: &R) -> Value {
        match self.value {
            // Empty text is how the contract says that there is none.
            ColumnValue::Text(value) => value(resource).filter(|text| !text.is_empty()).into(),
            ColumnValue::Choice(value, names) => {
                let chosen = value(resource);
                debug_assert!(chosen.is_none_or(|chosen| names.contains(&chosen)), "{chosen:?} is not among {names:?}");
                chosen.into()
            }
            ColumnValue::Integer(value) => value(resource).into(),
            ColumnValue::Number(value) => value(resource).into(),
            ColumnValue::Boolean(value) => value(resource).into(),
            ColumnValue::Time(value) => value(resource).map(|t| t.timestamp_micros()).into(),
        }
    }
}

/// Columns of every table that lists may use.
const STANDARD: [(&str, ColumnKind); 5] = [
    ("id", ColumnKind::Text),
    ("display_name", ColumnKind::Text),
    ("create_time", ColumnKind::Time),
    ("update_time", ColumnKind::Time),
    ("delete_time", ColumnKind::Time),
];

/// Names and types of the columns lists of `T` may filter and order by.
pub(crate) fn listable<T: Table>() -> Vec<(&'static str, ColumnKind)> {
    STANDARD.into_iter().chain(T::COLUMNS.iter().filter(|c| c.listed).map(|c| (c.name, c.kind()))).collect()
}

/// Columns of `T` that are set in every row.
pub(crate) fn always_set<T: Table>() -> Vec<&'static str> {
    let declared = T::COLUMNS.iter().filter(|column| column.presence == Presence::All).map(|column| column.name);
    ["id", "display_name", "create_time", "update_time"].into_iter().chain(declared).collect()
}
