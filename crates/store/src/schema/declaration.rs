//! A [`Table`] among others: what it and its columns are as statements, and its standard methods. Migrations do not come
//! from here, or a declaration that changes would change the past; `make schema` and the tests compare both.
//!
//! In text, as sea-query's types are not these ones and it knows no collation of a column.

use sea_orm::DbBackend;
use waymark_domain::Resource as _;

use crate::methods::methods;
use crate::table::Collection;
use crate::{Column, ColumnKind, Ruled, StandardMethod, Table, history};

/// The declared table of a resource.
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    /// The table's name.
    pub table: &'static str,
    pub(crate) collection: fn() -> Collection,
    columns: fn() -> Vec<Declared>,
    methods: fn() -> Vec<StandardMethod>,
}

struct Declared {
    name: &'static str,
    kind: ColumnKind,
    index: Option<&'static [&'static str]>,
    log_index: Option<(String, String)>,
}

impl Declaration {
    /// What `T` declares.
    pub const fn of<T: Ruled>() -> Self {
        Self { methods: methods::<T>, ..Self::without_methods::<T>() }
    }

    /// What `T` declares, which nobody calls.
    pub(crate) const fn without_methods<T: Table>() -> Self {
        Self { table: T::TABLE, collection: collection::<T>, columns: declared::<T>, methods: Vec::new }
    }

    /// The standard methods of its resource.
    pub fn methods(&self) -> Vec<StandardMethod> {
        (self.methods)()
    }

    /// All columns in order: name and definition.
    pub fn columns(&self, backend: DbBackend) -> Vec<(&'static str, String)> {
        let kind = |kind| kind_in(kind, backend);
        let text = kind(ColumnKind::Text);
        let json = if backend == DbBackend::Postgres { "json" } else { "text" };
        let mut columns = vec![
            ("workspace", format!("{text} NOT NULL")),
            ("id", format!("{text} NOT NULL")),
            ("uid", format!("{text} NOT NULL")),
            ("version", "bigint NOT NULL".to_owned()),
            ("display_name", format!("{text} NOT NULL")),
            ("create_time", "bigint NOT NULL".to_owned()),
            ("update_time", "bigint NOT NULL".to_owned()),
            ("delete_time", "bigint".to_owned()),
            ("body", format!("{json} NOT NULL")),
        ];
        columns.extend((self.columns)().iter().map(|column| (column.name, kind(column.kind).to_owned())));
        columns
    }

    /// The statement that makes the table, without its indexes.
    pub fn create(&self, backend: DbBackend) -> String {
        let columns = self.columns(backend).into_iter();
        let columns =
            columns.fold(String::new(), |all, (name, definition)| all + &format!("    {name} {definition},\n"));
        format!("CREATE TABLE {} (\n{columns}    PRIMARY KEY (workspace, id)\n);", self.table)
    }

    /// Its indexes: the column, and the statement that makes it.
    pub fn indexes(&self) -> Vec<(&'static str, String)> {
        let table = self.table;
        let index = |Declared { name, index, .. }: Declared| {
            let columns = [&["workspace", name, "id"], index?].concat().join(", ");
            Some((name, format!("CREATE INDEX {table}_{name} ON {table} ({columns});")))
        };
        (self.columns)().into_iter().filter_map(index).collect()
    }

    /// The indexes that it has the log have: the index, and the statement that makes it.
    pub fn log_indexes(&self) -> Vec<(String, String)> {
        (self.columns)().into_iter().filter_map(|column| column.log_index).collect()
    }
}

fn collection<T: Table>() -> Collection {
    let (service, name) = (T::Resource::SERVICE, T::Resource::COLLECTION);
    Collection { service, name, table: T::TABLE, mirrored: T::KEEPER != service }
}

fn declared<T: Table>() -> Vec<Declared> {
    let declared = |column: &Column<T::Resource>| Declared {
        name: column.name,
        kind: column.kind(),
        index: column.index,
        log_index: column.traced.then(|| history::index::<T>(column.name)),
    };
    T::COLUMNS.iter().map(declared).collect()
}

fn kind_in(kind: ColumnKind, backend: DbBackend) -> &'static str {
    match (kind, backend) {
        // Collation C sorts by bytes, as SQLite does, so that pages and orders agree on both.
        (ColumnKind::Text | ColumnKind::Choice(_), DbBackend::Postgres) => "text COLLATE \"C\"",
        (ColumnKind::Text | ColumnKind::Choice(_), _) => "text",
        (ColumnKind::Integer | ColumnKind::Time, _) => "bigint",
        (ColumnKind::Number, DbBackend::Postgres) => "double precision",
        (ColumnKind::Number, _) => "real",
        (ColumnKind::Boolean, _) => "boolean",
    }
}
