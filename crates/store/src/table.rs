//! What a service says about a resource's table. All else, from DDL to filters, follows from it.

use chrono::{DateTime, Utc};
use sea_orm::Value;
use waymark_domain::{Resource, Violations};
use waymark_proto::ResourceMessage;

use crate::Rules;

/// A resource's table; implemented on a service-local marker such as `struct Products;`.
pub trait Table: Sized + Send + Sync + 'static {
    /// The domain's type.
    type Resource: Resource + TryFrom<Self::Message, Error = Violations>;
    /// The contract's type, which is also what the body column and the log keep, as JSON.
    type Message: ResourceMessage + for<'a> From<&'a Self::Resource>;
    /// The table's name.
    const TABLE: &'static str;
    /// The columns that are filtered or sorted by, beyond those every table has: `id`, `display_name`, `create_time`,
    /// `update_time`, `delete_time`.
    const COLUMNS: Columns<Self::Resource> = &[];
    /// What is particular about its standard methods.
    const RULES: Rules<Self> = Rules::PLAIN;
    /// Bytes of a request at most, where they are more than usual.
    const REQUEST_BYTES: Option<usize> = None;
}

/// The declared columns of a table.
pub type Columns<R> = &'static [Column<R>];

/// A typed column taken from the resource.
pub struct Column<R> {
    /// The column's name, also in filters and orders.
    pub name: &'static str,
    pub(crate) value: ColumnValue<R>,
    pub(crate) indexed: bool,
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
    /// A text column; sorted by bytes.
    pub const fn text(name: &'static str, value: fn(&R) -> Option<String>) -> Self {
        Self { name, value: ColumnValue::Text(value), indexed: false }
    }
    /// A text column that holds one of `names`: those of an enum's values, as [`Choice`](waymark_proto::Choice) has
    /// them.
    pub const fn choice(
        name: &'static str,
        names: &'static [&'static str],
        value: fn(&R) -> Option<&'static str>,
    ) -> Self {
        Self { name, value: ColumnValue::Choice(value, names), indexed: false }
    }
    /// An integer column.
    pub const fn integer(name: &'static str, value: fn(&R) -> Option<i64>) -> Self {
        Self { name, value: ColumnValue::Integer(value), indexed: false }
    }
    /// A floating-point column.
    pub const fn number(name: &'static str, value: fn(&R) -> Option<f64>) -> Self {
        Self { name, value: ColumnValue::Number(value), indexed: false }
    }
    /// A true-or-false column.
    pub const fn boolean(name: &'static str, value: fn(&R) -> Option<bool>) -> Self {
        Self { name, value: ColumnValue::Boolean(value), indexed: false }
    }
    /// A time column, kept in microseconds.
    pub const fn time(name: &'static str, value: fn(&R) -> Option<DateTime<Utc>>) -> Self {
        Self { name, value: ColumnValue::Time(value), indexed: false }
    }
    /// The same with an index over (workspace, column, id): for columns that lists are usually filtered by.
    #[must_use]
    pub const fn indexed(mut self) -> Self {
        self.indexed = true;
        self
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
    STANDARD.into_iter().chain(T::COLUMNS.iter().map(|c| (c.name, c.kind()))).collect()
}
