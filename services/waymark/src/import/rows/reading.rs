//! What a row says, as documents of the contract: cells and constants at the places that the mapping leads to. What is
//! wrong with a value is told by its field; whether it is right together with others is the service's to say.

use std::borrow::Cow;

use anyhow::Result;
use chrono_tz::Tz;
use prost_reflect::Kind as Type;
use waymark_domain::metrics::Scalar;

use super::super::notation::Notation;
use super::super::record::{Cells, find};
use super::super::time::TimeReader;
use super::declared::{Read, Spec};
use super::target::Target;
use crate::Usage;
use crate::exact::Exact;
use crate::generic::cell::bare;
use crate::generic::contract::is_plain;
use crate::generic::document::{self, Form, Name, Node};

/// What separates the entries of a list in one cell.
const BETWEEN: [char; 3] = [';', ',', '\n'];

/// A column, and every other that is called so.
#[derive(Debug, Clone)]
pub struct Columns {
    pub name: String,
    places: Vec<usize>,
}

/// What stands in a column; a text is never blank.
#[derive(Debug, Clone, Copy)]
pub enum Said<'a> {
    Text(&'a str),
    Json(&'a Exact),
}

impl Columns {
    pub fn new(name: &str, header: &[String]) -> Self {
        let places = header.iter().enumerate().filter(|(_, known)| *known == name).map(|(place, _)| place);
        Self { name: name.to_owned(), places: places.collect() }
    }

    /// What the columns say, without those that are empty.
    pub fn said<'a>(&self, cells: &'a Cells) -> Vec<Said<'a>> {
        match cells {
            Cells::Texts(texts) => {
                let cells = self.places.iter().filter_map(|place| texts.get(*place));
                cells.map(|cell| bare(cell)).filter(|text| !text.trim().is_empty()).map(Said::Text).collect()
            }
            Cells::Object(members) => {
                let value = find(members, &self.name).filter(|value| **value != Exact::Null);
                let blank = matches!(value, Some(Exact::Text(text)) if text.trim().is_empty());
                value.filter(|_| !blank).map(Said::Json).into_iter().collect()
            }
        }
    }
}

impl<'a> Said<'a> {
    /// The text of it, without blanks around.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text.trim()),
            Self::Json(Exact::Text(text) | Exact::Number(text)) => Cow::Borrowed(text.trim()),
            Self::Json(other) => Cow::Owned(other.to_string()),
        }
    }
}

/// What is made of a date, and how it may be written.
#[derive(Debug)]
struct Date {
    read: Read,
    formats: Vec<TimeReader>,
}

/// How what stands in cells becomes values of a field.
#[derive(Debug)]
pub struct Reader {
    translate: Vec<(String, String)>,
    date: Option<Date>,
    notation: Notation,
    zone: Tz,
}

impl Reader {
    pub fn new(spec: &Spec, notation: Notation, zone: Tz) -> Result<Self> {
        let auto = ["auto".to_owned()];
        let formats = if spec.formats.is_empty() { &auto[..] } else { &spec.formats };
        let formats = || formats.iter().map(|format| TimeReader::new(format, zone)).collect::<Result<_, _>>();
        let date = spec.read.map(|read| formats().map(|formats| Date { read, formats })).transpose().map_err(Usage)?;
        Ok(Self { translate: spec.translate.clone(), date, notation, zone })
    }

    /// The value at a place; nothing where the translation makes nothing of it.
    pub fn node(&self, target: &Target, said: &[Said<'_>], line: usize) -> Result<Option<Node>, String> {
        let field = &target.field;
        let whole = |form| Ok(Some(Node { line, form }));
        if field.is_list() {
            let mut items = Vec::new();
            for one in said {
                items.extend(self.items(&field.kind(), *one, line)?);
            }
            return if items.is_empty() { Ok(None) } else { whole(Form::List(items)) };
        }
        let Some(first) = said.first() else { return Ok(None) };
        let is_group = (field.is_map() && !target.is_entry()) || !(field.is_map() || is_plain(&field.kind()));
        match first {
            Said::Json(Exact::Text(_)) | Said::Text(_) if is_group => group(&first.text(), line).map(Some),
            Said::Json(value @ (Exact::Object(_) | Exact::List(_))) => Ok(Some(of(value, line))),
            _ => {
                let kind = if field.is_map() { Type::String } else { field.kind() };
                Ok(self.scalar(&kind, *first)?.map(|form| Node { line, form }))
            }
        }
    }

    fn items(&self, kind: &Type, said: Said<'_>, line: usize) -> Result<Vec<Node>, String> {
        match said {
            Said::Json(Exact::List(items)) => Ok(items.iter().map(|item| of(item, line)).collect()),
            Said::Json(value @ Exact::Object(_)) => Ok(vec![of(value, line)]),
            _ => {
                let text = said.text();
                if text.starts_with(['[', '{']) {
                    return Ok(match group(&text, line)? {
                        Node { form: Form::List(items), .. } => items,
                        one => vec![one],
                    });
                }
                let parts = text.split(BETWEEN).map(str::trim).filter(|part| !part.is_empty());
                let read = parts.filter_map(|part| self.scalar(kind, Said::Text(part)).transpose());
                read.map(|form| form.map(|form| Node { line, form })).collect()
            }
        }
    }

    /// One value, in the words that the field takes.
    fn scalar(&self, kind: &Type, said: Said<'_>) -> Result<Option<Form>, String> {
        let text = said.text();
        let known = self.translate.iter().find(|(from, _)| from.eq_ignore_ascii_case(&text));
        let known = known.or_else(|| self.translate.iter().find(|(from, _)| from == "*"));
        if let Some((_, to)) = known {
            return Ok((!to.is_empty()).then(|| Form::Scalar(to.clone(), false)));
        }
        let written = match (kind, &self.date, said) {
            (_, Some(date), _) => self.date(date, &text)?,
            (Type::Double | Type::Float, ..) => match text.strip_suffix('%').and_then(|text| self.number(text)) {
                Some(percent) => (percent / 100.0).to_string(),
                None => self.number(&text).map_or(text.into_owned(), |number| number.to_string()),
            },
            (Type::String, _, Said::Text(whole)) => whole.to_owned(),
            (Type::String, _, Said::Json(Exact::Text(whole))) => whole.clone(),
            (Type::Enum(_), ..) => text.replace(' ', "-"),
            (Type::String | Type::Bytes | Type::Bool | Type::Message(_), ..) => text.into_owned(),
            _ => self.number(&text).map_or(text.into_owned(), |number| number.to_string()),
        };
        Ok(Some(Form::Scalar(written, false)))
    }

    fn number(&self, text: &str) -> Option<f64> {
        match self.notation.number(text.trim())? {
            Scalar::Number(number) => Some(number),
            _ => None,
        }
    }

    fn date(&self, Date { read, formats }: &Date, text: &str) -> Result<String, String> {
        let mut read_by = formats.iter().map(|format| format.read_alone(text));
        let one =
            read_by.find(Result::is_ok).unwrap_or_else(|| Err(format!("{text:?} is not a date that is recognised")));
        let time = one?.with_timezone(&self.zone);
        Ok(match read {
            Read::Month => time.format("%Y-%m").to_string(),
            Read::Day => time.format("%Y-%m-%d").to_string(),
            Read::Time => time.to_rfc3339(),
        })
    }
}

/// A list or a group of fields: JSON, or `key=value` with commas between.
fn group(text: &str, line: usize) -> Result<Node, String> {
    let text = text.trim();
    if text.starts_with(['[', '{']) {
        let read = document::documents(text).map_err(|problem| problem.text)?;
        return match <[Node; 1]>::try_from(read) {
            Ok([node]) => Ok(Node { line, ..node }),
            Err(_) => Err(format!("{text:?} is no JSON")),
        };
    }
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("{pair:?} is not key=value"))?;
        let name = Name { line, text: key.trim().to_owned() };
        Ok::<_, String>((name, Node { line, form: Form::Scalar(value.trim().to_owned(), false) }))
    };
    Ok(Node { line, form: Form::Fields(text.split(',').map(pair).collect::<Result<_, _>>()?) })
}

/// A JSON value as it stands.
fn of(value: &Exact, line: usize) -> Node {
    let form = match value {
        Exact::Null => Form::Scalar(String::new(), true),
        Exact::Boolean(flag) => Form::Scalar(flag.to_string(), true),
        Exact::Number(digits) => Form::Scalar(digits.clone(), true),
        Exact::Text(text) => Form::Scalar(text.clone(), false),
        Exact::List(items) => Form::List(items.iter().map(|item| of(item, line)).collect()),
        Exact::Object(members) => {
            let field = |(name, value): (&String, &Exact)| (Name { line, text: name.clone() }, of(value, line));
            Form::Fields(members.iter().map(field).collect())
        }
    };
    Node { line, form }
}

#[cfg(test)]
mod tests {
    use super::super::kind;
    use super::*;

    fn read(path: &str, cells: &[&str], spec: &Spec) -> Result<Option<serde_json::Value>, String> {
        let target = Target::new(kind::of("initiatives").unwrap(), path).unwrap();
        let reader = Reader::new(spec, Notation::new(',', Some('.')).unwrap(), Tz::UTC).unwrap();
        let said: Vec<Said<'_>> = cells.iter().map(|cell| Said::Text(cell)).collect();
        reader.node(&target, &said, 1).map(|node| node.map(|node| node.json()))
    }

    #[test]
    fn cells_become_what_the_field_takes() {
        let plain = Spec::default();
        let json = |path: &str, cells: &[&str]| read(path, cells, &plain).unwrap().unwrap();
        assert_eq!(json("problem", &[" two\nlines \n"]), " two\nlines \n");
        assert_eq!(json("key_results", &["a; b", "c"]), serde_json::json!(["a", "b", "c"]));
        assert_eq!(json("key_results", &["[\"a, b\"]"]), serde_json::json!(["a, b"]));
        assert_eq!(json("labels", &["a=1, b=x y"]), serde_json::json!({"a": "1", "b": "x y"}));
        assert_eq!(json("labels", &["{\"a\": \"1\"}"]), serde_json::json!({"a": "1"}));
        assert_eq!(json("estimate.reach.point", &["1.500,5"]), "1500.5");
        assert_eq!(json("estimate.confidence.point", &["80 %"]), "0.8");
        assert_eq!(json("horizon", &["in progress"]), "in-progress");
        assert_eq!(read("labels", &["a"], &plain).unwrap_err(), "\"a\" is not key=value");
    }

    #[test]
    fn words_are_translated_and_dates_read() {
        let words =
            [("Doing", "now"), ("Won't do", ""), ("*", "later")].map(|(from, to)| (from.to_owned(), to.to_owned()));
        let spec = Spec { translate: words.to_vec(), ..Spec::default() };
        let horizon = |cell: &str| read("horizon", &[cell], &spec).unwrap();
        assert_eq!(
            (horizon("doing"), horizon("won't do"), horizon("?")),
            (Some("now".into()), None, Some("later".into()))
        );
        let month = Spec {
            read: Some(Read::Month),
            formats: vec!["%d/%b/%y %I:%M %p".to_owned(), "auto".to_owned()],
            ..Spec::default()
        };
        let target = |cell: &str| read("target.end", &[cell], &month);
        assert_eq!(target("31/Jul/26 12:00 AM").unwrap().unwrap(), "2026-07");
        assert_eq!(target("2026-08-31").unwrap().unwrap(), "2026-08");
        assert_eq!(target("soon").unwrap_err(), "\"soon\" is not a date that is recognised");
    }
}
