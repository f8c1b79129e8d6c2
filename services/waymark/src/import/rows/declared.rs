//! What a mapping says, in a file or by options: which column is the key, which columns, translated how, go to which
//! field, and what is the same for all rows.
//!
//! A file has a group for each collection that it is for:
//!
//! ```yaml
//! initiatives:
//!   key: Issue key              # the column that tells rows apart; of several the first that says something
//!   prefix: jira-               # what ids begin with
//!   only: {Issue Type: [Epic]}  # rows of anything else are passed over
//!   optional: true              # columns that the file does not have are passed over
//!   fields:
//!     display_name: Summary     # field: column; of a list of columns the first that says something
//!     target.end: {column: Due date, read: month, format: "%d/%b/%y %I:%M %p"}
//!     horizon: {column: Status, translate: {In Progress: now, "*": later}}
//!   constants:
//!     labels.source: jira
//! ```

use anyhow::{Result, bail};

use crate::Usage;
use crate::generic::document::{self, Form, Node};

/// A mapping as it was said.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// The columns of the key, any of which may say it.
    pub key: Vec<String>,
    /// What ids begin with.
    pub prefix: String,
    /// Whether columns that are not there are passed over.
    pub optional: bool,
    /// What a column must say for the row to be taken.
    pub only: Vec<(String, Vec<String>)>,
    /// What goes to which field.
    pub fields: Vec<(String, Spec)>,
    /// What is the same for all rows, by field.
    pub constants: Vec<(String, String)>,
}

/// What goes to a field.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// The columns; the first that says something counts.
    pub columns: Vec<String>,
    /// What stands for what is said; `*` for all else.
    pub translate: Vec<(String, String)>,
    /// What is made of a date.
    pub read: Option<Read>,
    /// How dates may be written, each as `--time-format` says it.
    pub formats: Vec<String>,
}

/// What is made of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Its month, such as `2026-07`.
    Month,
    /// The day, such as `2026-07-31`.
    Day,
    /// The moment.
    Time,
}

impl Declared {
    /// What a file says of a collection.
    pub fn parse(source: &str, text: &str, collection: &str) -> Result<Self> {
        let wrong = |line: usize, problem: String| Usage(format!("{source}, line {line}: {problem}"));
        let documents = document::documents(text).map_err(|problem| wrong(problem.line, problem.text))?;
        let groups = documents.iter().flat_map(fields).collect::<Vec<_>>();
        let Some((_, group)) = groups.iter().find(|(name, _)| *name == collection) else {
            let known = groups.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            bail!(Usage(format!("{source} says nothing of {collection}; it is for {known}")));
        };
        Self::of(group).map_err(|(line, problem)| wrong(line, problem).into())
    }

    fn of(group: &Node) -> Result<Self, (usize, String)> {
        let mut declared = Self::default();
        for (name, node) in fields(group) {
            match name {
                "key" => declared.key = texts(node)?,
                "prefix" => declared.prefix = text(node)?,
                "optional" => declared.optional = text(node)? == "true",
                "only" => {
                    for (column, node) in fields(node) {
                        declared.only.push((column.to_owned(), texts(node)?));
                    }
                }
                "fields" => {
                    for (field, node) in fields(node) {
                        declared.fields.push((field.to_owned(), Spec::of(node)?));
                    }
                }
                "constants" => {
                    for (field, node) in fields(node) {
                        declared.constants.push((field.to_owned(), text(node)?));
                    }
                }
                other => {
                    let known = "key, prefix, optional, only, fields and constants";
                    return Err((node.line, format!("{other:?} is no part of a mapping; these are {known}")));
                }
            }
        }
        Ok(declared)
    }

    /// Says what goes to a field, in place of what was said before.
    pub fn map(&mut self, field: &str, spec: Spec) {
        self.constants.retain(|(known, _)| known != field);
        match self.fields.iter_mut().find(|(known, _)| known == field) {
            Some((_, known)) => *known = spec,
            None => self.fields.push((field.to_owned(), spec)),
        }
    }

    /// Says what a field is in all rows.
    pub fn set(&mut self, field: &str, text: &str) {
        self.fields.retain(|(known, _)| known != field);
        self.constants.retain(|(known, _)| known != field);
        self.constants.push((field.to_owned(), text.to_owned()));
    }
}

impl Spec {
    /// A column by itself.
    pub fn column(name: &str) -> Self {
        Self { columns: vec![name.to_owned()], ..Self::default() }
    }

    fn of(node: &Node) -> Result<Self, (usize, String)> {
        if !matches!(node.form, Form::Fields(_)) {
            return Ok(Self { columns: texts(node)?, ..Self::default() });
        }
        let mut spec = Self::default();
        for (name, node) in fields(node) {
            match (name, &node.form) {
                ("column", _) => spec.columns = texts(node)?,
                ("format", _) => spec.formats = texts(node)?,
                ("translate", _) => {
                    for (from, node) in fields(node) {
                        spec.translate.push((from.to_owned(), text(node)?));
                    }
                }
                ("read", _) => {
                    spec.read = Some(match text(node)?.as_str() {
                        "month" => Read::Month,
                        "day" => Read::Day,
                        "time" => Read::Time,
                        other => return Err((node.line, format!("{other:?} is none of month, day and time"))),
                    });
                }
                (other, _) => {
                    return Err((node.line, format!("{other:?} is none of column, translate, read and format")));
                }
            }
        }
        Ok(spec)
    }
}

fn fields(node: &Node) -> Vec<(&str, &Node)> {
    let Form::Fields(fields) = &node.form else { return Vec::new() };
    fields.iter().map(|(name, node)| (name.text.as_str(), node)).collect()
}

fn text(node: &Node) -> Result<String, (usize, String)> {
    match &node.form {
        Form::Scalar(text, _) => Ok(text.clone()),
        Form::List(_) | Form::Fields(_) => Err((node.line, format!("is {}; what is wanted is one text", node.what()))),
    }
}

fn texts(node: &Node) -> Result<Vec<String>, (usize, String)> {
    match &node.form {
        Form::List(items) => items.iter().map(text).collect(),
        Form::Scalar(..) | Form::Fields(_) => text(node).map(|one| vec![one]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_it_for_a_collection() {
        let file = "initiatives:\n  key: [Key, Id]\n  only: {Type: Epic}\n  fields:\n    display_name: Summary\n    \
                    horizon: {column: Status, translate: {Doing: now}}\n    target.end: {column: Due, read: month}\n  \
                    constants: {labels.source: x}\n";
        let said = Declared::parse("m.yaml", file, "initiatives").unwrap();
        assert_eq!(
            (said.key, said.only),
            (vec!["Key".into(), "Id".into()], vec![("Type".into(), vec!["Epic".into()])])
        );
        assert_eq!(said.fields[1].1.translate, [("Doing".to_owned(), "now".to_owned())]);
        assert_eq!((said.fields[2].1.read, said.constants.len()), (Some(Read::Month), 1));
        let refused = |text: &str| Declared::parse("m.yaml", text, "initiatives").unwrap_err().to_string();
        assert_eq!(refused("products: {}\n"), "m.yaml says nothing of initiatives; it is for products");
        assert!(refused("initiatives:\n  keys: a\n").starts_with("m.yaml, line 2: \"keys\" is no part of a mapping"));
        assert!(refused("initiatives:\n  fields:\n    a: {read: week}\n").contains("none of month, day and time"));
    }
}
