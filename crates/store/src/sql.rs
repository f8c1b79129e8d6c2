//! A statement under construction: text with `?` for each bound value. Values are always bound, never written into the
//! text.

use sea_orm::{DbBackend, Statement, StatementBuilder, Value};

/// SQL text and its values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// A placeholder for `value`.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.text.push('?');
        self.values.push(value.into());
        self
    }

    /// A placeholder for a JSON text, stored on PostgreSQL as json, which keeps the text: nothing looks into it, and
    /// reading it back costs nothing.
    pub(crate) fn bind_json(&mut self, backend: DbBackend, json: String) -> &mut Self {
        if backend == DbBackend::Postgres { self.push("CAST(").bind(json).push(" AS json)") } else { self.bind(json) }
    }

    pub(crate) fn append(&mut self, other: Sql) -> &mut Self {
        self.text.push_str(&other.text);
        self.values.extend(other.values);
        self
    }

    /// Numbers the placeholders; both databases take `$1`.
    pub(crate) fn statement(self, backend: DbBackend) -> Statement {
        let mut text = String::with_capacity(self.text.len() + 2 * self.values.len());
        let mut number = 0;
        for part in self.text.split_inclusive('?') {
            match part.strip_suffix('?') {
                Some(before) => {
                    number += 1;
                    text.push_str(before);
                    text.push('$');
                    text.push_str(&number.to_string());
                }
                None => text.push_str(part),
            }
        }
        Statement::from_sql_and_values(backend, text, self.values)
    }
}

impl StatementBuilder for Sql {
    fn build(&self, backend: &DbBackend) -> Statement {
        self.clone().statement(*backend)
    }
}

/// How a JSON column is read back as text.
pub(crate) fn json_text(backend: DbBackend, column: &str) -> String {
    if backend == DbBackend::Postgres { format!("{column}::text") } else { column.to_owned() }
}
