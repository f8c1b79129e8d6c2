//! One row of a file, and how a row of separated text is taken apart.

use std::sync::Arc;

use serde_json::{Map, Value};

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
    /// Texts below a header.
    Texts(Arc<Vec<String>>, Vec<String>),
    /// A JSON object.
    Object(Map<String, Value>),
}

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its line.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
}

impl Cells {
    /// A column as JSON; nothing when it is absent, empty or null.
    pub fn get(&self, column: &str) -> Option<Value> {
        match self {
            Self::Texts(header, texts) => {
                let text = texts.get(header.iter().position(|name| name == column)?)?;
                (!text.is_empty()).then(|| guess(text))
            }
            Self::Object(fields) => fields.get(column).filter(|value| !value.is_null()).cloned(),
        }
    }

    /// A column as text, just as it was written.
    pub fn text(&self, column: &str) -> Option<String> {
        match self {
            Self::Texts(header, texts) => {
                texts.get(header.iter().position(|name| name == column)?).filter(|t| !t.is_empty()).cloned()
            }
            Self::Object(fields) => match fields.get(column)? {
                Value::Null => None,
                Value::String(text) => (!text.is_empty()).then(|| text.clone()),
                other => Some(other.to_string()),
            },
        }
    }

    /// The names of the columns.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Texts(header, _) => header.iter().map(String::as_str).collect(),
            Self::Object(fields) => fields.keys().map(String::as_str).collect(),
        }
    }
}

/// A text as a number or a truth value when it is one. What starts with a needless zero or `+` is a label, not a
/// number.
fn guess(text: &str) -> Value {
    match text {
        "true" | "TRUE" | "True" => return Value::Bool(true),
        "false" | "FALSE" | "False" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let label = digits.starts_with('0') && digits.len() > 1 && !digits.starts_with("0.");
    if label || !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Value::String(text.to_owned());
    }
    let number = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

/// What separates columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimiter {
    /// A character, with quotes as in RFC 4180.
    Character(char),
    /// Any run of spaces and tabs, without quotes.
    Whitespace,
}

impl Delimiter {
    /// Reads the option's value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut characters = text.chars();
        match (text, characters.next(), characters.next()) {
            ("tab" | "\\t", _, _) => Ok(Self::Character('\t')),
            ("whitespace", _, _) => Ok(Self::Whitespace),
            (_, Some(one), None) if one != '"' => Ok(Self::Character(one)),
            _ => Err(format!("{text:?} is not one character, `tab` or `whitespace`")),
        }
    }

    /// The columns of a row; `None` while a quote is open, so that the row may go on in the next line.
    pub fn split(self, text: &str) -> Option<Result<Vec<String>, String>> {
        let delimiter = match self {
            Self::Whitespace => return Some(Ok(text.split_whitespace().map(str::to_owned).collect())),
            Self::Character(delimiter) => delimiter,
        };
        if !text.contains('"') {
            return Some(Ok(text.split(delimiter).map(str::to_owned).collect()));
        }
        let mut cells = vec![String::new()];
        let mut characters = text.chars().peekable();
        let (mut quoted, mut closed) = (false, false);
        while let Some(c) = characters.next() {
            let Some(cell) = cells.last_mut() else { continue };
            if quoted {
                match c {
                    '"' if characters.peek() == Some(&'"') => cell.extend(characters.next()),
                    '"' => (quoted, closed) = (false, true),
                    other => cell.push(other),
                }
            } else if c == delimiter {
                closed = false;
                cells.push(String::new());
            } else if c == '"' && cell.is_empty() && !closed {
                quoted = true;
            } else if closed {
                return Some(Err(format!("column {} goes on after its closing quote", cells.len())));
            } else {
                cell.push(c);
            }
        }
        (!quoted).then_some(Ok(cells))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn split(text: &str) -> Option<Result<Vec<String>, String>> {
        Delimiter::Character(',').split(text)
    }

    #[test]
    fn splits_as_rfc_4180_does() {
        let cells = |text| split(text).unwrap().unwrap();
        assert_eq!(cells("a,b,,c"), ["a", "b", "", "c"]);
        assert_eq!(cells(r#"a,"b,c","d ""e""""#), ["a", "b,c", "d \"e\""]);
        assert_eq!(cells("a,\"two\nlines\""), ["a", "two\nlines"]);
        assert_eq!(cells(r#"a,b "c" d"#), ["a", "b \"c\" d"]);
        assert_eq!(
            Delimiter::Whitespace.split("  00001 19970101  1   11.77").unwrap().unwrap(),
            ["00001", "19970101", "1", "11.77"]
        );
    }

    #[test]
    fn an_open_quote_is_not_a_row_yet() {
        assert_eq!(split("a,\"b"), None);
        assert!(split("a,\"b\"c").unwrap().unwrap_err().contains("column 2"));
    }

    #[test]
    fn numbers_are_numbers_and_labels_are_not() {
        assert_eq!(guess("12.5"), json!(12.5));
        assert_eq!(guess("-3"), json!(-3.0));
        assert_eq!(guess("0.1"), json!(0.1));
        assert_eq!(guess("true"), json!(true));
        for label in ["007", "+49", "1-2", "2024-01", "NaN", "inf", ""] {
            assert_eq!(guess(label), json!(label));
        }
    }

    #[test]
    fn delimiters() {
        assert_eq!(Delimiter::parse("tab"), Ok(Delimiter::Character('\t')));
        assert_eq!(Delimiter::parse(";"), Ok(Delimiter::Character(';')));
        assert!(Delimiter::parse("ab").is_err());
        assert!(Delimiter::parse("\"").is_err());
    }
}
