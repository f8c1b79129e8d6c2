//! One row of a file, and what stands in its columns.

use std::borrow::Cow;

use crate::exact::{Exact, Members};

/// A row as it stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Line in the file, from 1; the row's number in Parquet.
    pub line: u64,
    /// The row's text, from which its id is made.
    pub text: String,
    /// Its columns.
    pub cells: Cells,
}

/// The columns of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Texts, in the order of the header.
    Texts(Vec<String>),
    /// A JSON object.
    Object(Members),
}

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its line.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
}

/// A row, a broken row, or a failure to read on.
pub type Row = anyhow::Result<Result<Record, Broken>>;

/// The rows of a file.
pub type Rows = Box<dyn Iterator<Item = Row> + Send>;

/// A column of the file, or a field within one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What it is called: a path with dots for a field within an object.
    pub name: String,
    /// Its place in rows of texts.
    index: Option<usize>,
}

/// What stands in a column.
#[derive(Debug, Clone, Copy)]
pub enum Given<'a> {
    /// A text that may stand for anything; never empty, without blanks around it.
    Text(&'a str),
    /// A JSON value other than null.
    Json(&'a Exact),
}

impl Column {
    /// The column of this name below a header, if there is one.
    pub fn new(name: &str, header: &[String]) -> Self {
        Self { name: name.to_owned(), index: header.iter().position(|known| known == name) }
    }

    /// What stands in it; nothing when it is absent, empty or null.
    pub fn of<'a>(&self, cells: &'a Cells) -> Option<Given<'a>> {
        match cells {
            Cells::Texts(texts) => {
                let text = texts.get(self.index?)?.trim();
                (!text.is_empty()).then_some(Given::Text(text))
            }
            Cells::Object(members) => find(members, &self.name).and_then(Given::json),
        }
    }
}

impl<'a> Given<'a> {
    /// A value that says something.
    pub fn json(value: &'a Exact) -> Option<Self> {
        (*value != Exact::Null).then_some(Self::Json(value))
    }

    /// The text of it: of a JSON text what it says, of all else how it is written.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Json(Exact::Text(text) | Exact::Number(text)) => Cow::Borrowed(text),
            Self::Json(other) => Cow::Owned(other.to_string()),
        }
    }
}

/// The value at a path: a member of that very name, or one within the object that a part of it names.
pub fn find<'a>(members: &'a Members, path: &str) -> Option<&'a Exact> {
    members.get(path).or_else(|| {
        path.match_indices('.').find_map(|(dot, _)| match members.get(&path[..dot])? {
            Exact::Object(inner) => find(inner, &path[dot + 1..]),
            _ => None,
        })
    })
}

/// The paths of all that stands in an object, those of objects within it included.
pub fn paths(members: &Members) -> Vec<String> {
    let mut paths = Vec::new();
    for (name, value) in members {
        match value {
            Exact::Object(inner) if !inner.is_empty() => {
                paths.extend(self::paths(inner).into_iter().map(|path| format!("{name}.{path}")));
            }
            _ => paths.push(name.clone()),
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::object;

    #[test]
    fn paths_lead_into_objects_and_names_with_dots_are_names() {
        let members = object(r#"{"a": {"b": {"c": 1}, "d.e": 2}, "a.b": {"x": 3}, "f": null, "g": {}}"#).unwrap();
        let number = |path: &str| find(&members, path).map(ToString::to_string);
        assert_eq!(number("a.b.c").as_deref(), Some("1"));
        assert_eq!(number("a.d.e").as_deref(), Some("2"));
        assert_eq!(number("a.b.x").as_deref(), Some("3"));
        assert_eq!((number("a.c"), number("f.g")), (None, None));
        assert_eq!(paths(&members), ["a.b.c", "a.d.e", "a.b.x", "f", "g"]);
        let cells = Cells::Object(members);
        assert!(Column::new("f", &[]).of(&cells).is_none(), "null says nothing");
    }

    #[test]
    fn blanks_around_texts_are_not_part_of_them() {
        let header = ["user".to_owned(), "note".to_owned()];
        let cells = Cells::Texts(vec![" ada\t".to_owned(), "  ".to_owned()]);
        assert_eq!(Column::new("user", &header).of(&cells).unwrap().text(), "ada");
        assert!(Column::new("note", &header).of(&cells).is_none());
    }
}
