//! A [`Table`] among others: what it and its columns are as statements, and its standard methods. Migrations do not come
//! from here, or a declaration that changes would change the past; `make schema` and the tests compare both.
//!
//! In text, as sea-query's types are not these ones and it knows no collation of a column.

use waymark_domain::Resource as _;
use waymark_proto::links::LinkField;
use waymark_proto::{ResourceMessage as _, event};

use crate::links::Links;
use crate::methods::methods;
use crate::table::{Collection, Presence};
use crate::{Column, ColumnKind, Error, Ruled, StandardMethod, Table, history, links, resource};

/// The declared table of a resource.
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    /// The table's name.
    pub table: &'static str,
    /// The fields of its resources that refer to others.
    pub links: &'static [LinkField],
    collection: fn() -> Collection,
    columns: fn() -> Vec<Declared>,
    methods: fn() -> Vec<StandardMethod>,
    links_of: fn(&str, &str, &str) -> Result<Links, Error>,
}

struct Declared {
    name: &'static str,
    kind: ColumnKind,
    index: Option<&'static [&'static str]>,
    sparse: bool,
    log_index: Option<(String, String)>,
}

impl Declaration {
    /// What `T` declares.
    pub const fn of<T: Ruled>() -> Self {
        const {
            assert!(
                event::agree::<T::Resource, T::Message>(),
                "the contract and the domain name it or its events otherwise"
            );
            let (mut at, mut traced) = (0, 0);
            while at < T::COLUMNS.len() {
                traced += T::COLUMNS[at].traced as usize;
                at += 1;
            }
            assert!(traced <= 1, "an event says one thing that the past is looked up by");
        };
        Self { methods: methods::<T>, ..Self::without_methods::<T>() }
    }

    /// What `T` declares, which nobody calls.
    pub(crate) const fn without_methods<T: Table>() -> Self {
        Self {
            table: T::TABLE,
            collection: collection::<T>,
            links: T::Message::LINKS,
            columns: declared::<T>,
            methods: Vec::new,
            links_of: |workspace, id, body| links::of::<T>(&resource::decode::<T>(workspace, id, body)?),
        }
    }

    /// What it keeps.
    pub(crate) fn collection(&self) -> Collection {
        (self.collection)()
    }

    /// What a resource refers to, by the row of its workspace, id and body.
    pub(crate) fn links_of(&self, workspace: &str, id: &str, body: &str) -> Result<Links, Error> {
        (self.links_of)(workspace, id, body)
    }

    /// The standard methods of its resource.
    pub fn methods(&self) -> Vec<StandardMethod> {
        (self.methods)()
    }

    /// All columns in order: name and definition, for a [`Script`](crate::Script) of both databases.
    pub fn columns(&self) -> Vec<(&'static str, &'static str)> {
        let standard = [
            ("workspace", "{text} NOT NULL"),
            ("id", "{text} NOT NULL"),
            ("uid", "{text} NOT NULL"),
            ("version", "bigint NOT NULL"),
            ("display_name", "{text} NOT NULL"),
            ("create_time", "bigint NOT NULL"),
            ("update_time", "bigint NOT NULL"),
            ("delete_time", "bigint"),
            ("body", "{json} NOT NULL"),
        ];
        let declared = (self.columns)().into_iter().map(|column| (column.name, type_of(column.kind)));
        standard.into_iter().chain(declared).collect()
    }

    /// The statement that makes the table, without its indexes.
    pub fn create(&self) -> String {
        let columns = self.columns().into_iter();
        let columns =
            columns.fold(String::new(), |all, (name, definition)| all + &format!("    {name} {definition},\n"));
        format!("CREATE TABLE {} (\n{columns}    PRIMARY KEY (workspace, id)\n);", self.table)
    }

    /// Its indexes: the column, and the statement that makes it.
    pub fn indexes(&self) -> Vec<(&'static str, String)> {
        let table = self.table;
        let index = |Declared { name, index, sparse, .. }: Declared| {
            let columns = [&["workspace", name, "id"], index?].concat().join(", ");
            let rows = if sparse { format!(" WHERE {name} IS NOT NULL") } else { String::new() };
            Some((name, format!("CREATE INDEX {table}_{name} ON {table} ({columns}){rows};")))
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
        sparse: column.presence == Presence::Few,
        log_index: column.traced.then(|| history::index::<T>(column.name)),
    };
    T::COLUMNS.iter().map(declared).collect()
}

fn type_of(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text | ColumnKind::Choice(_) => "{text}",
        ColumnKind::Integer | ColumnKind::Time => "bigint",
        ColumnKind::Number => "{number}",
        ColumnKind::Boolean => "boolean",
    }
}
