//! Texts as people write them: YAML, or JSON, which is YAML too. A node knows its line, and a scalar how it was written:
//! what it stands for is known when it is known for which field.

use std::collections::HashMap;
use std::fmt;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};
use serde_json::Value;

use crate::exact;

/// Deeper than any message.
const LEVELS: usize = 64;
/// Nodes that anchors may repeat.
const REPEATED: usize = 100_000;

/// A value of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The line it begins in, from 1.
    pub line: usize,
    /// What it is.
    pub form: Form,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// One value, and whether it was written without quotes.
    Scalar(String, bool),
    /// Values in order.
    List(Vec<Node>),
    /// Values by name, as they stand there.
    Fields(Vec<(Name, Node)>),
}

/// The name of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The line it stands in.
    pub line: usize,
    /// The name.
    pub text: String,
}

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The path of the field, as the contract has it; empty when it is of none.
    pub field: String,
    /// What is wrong and what would be right.
    pub text: String,
}

/// `line 4, `lifecycle`: …`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, field, text } = self;
        if field.is_empty() { write!(f, "line {line}: {text}") } else { write!(f, "line {line}, `{field}`: {text}") }
    }
}

impl Node {
    /// A value that was written without quotes.
    pub fn plain(text: &str) -> Self {
        Self { line: 1, form: Form::Scalar(text.to_owned(), true) }
    }

    /// Whether there is nothing: `null`, or an empty place.
    pub fn is_null(&self) -> bool {
        matches!(&self.form, Form::Scalar(text, true) if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The field of a name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Form::Fields(fields) = &self.form else { return None };
        fields.iter().find(|(known, _)| known.text == name).map(|(_, node)| node)
    }

    /// What it is to people.
    pub fn what(&self) -> &'static str {
        match self.form {
            Form::Scalar(..) => "one value",
            Form::List(_) => "a list",
            Form::Fields(_) => "a group of fields",
        }
    }

    /// The value where no field says which type it has: what JSON writes without quotes is that, all else a text. Of two
    /// fields of one name the second stands.
    pub fn json(&self) -> Value {
        match &self.form {
            Form::Scalar(..) if self.is_null() => Value::Null,
            Form::Scalar(text, true) => exact::json(text).unwrap_or_else(|_| Value::String(text.clone())),
            Form::Scalar(text, false) => Value::String(text.clone()),
            Form::List(items) => items.iter().map(Self::json).collect(),
            Form::Fields(fields) => fields.iter().map(|(name, node)| (name.text.clone(), node.json())).collect(),
        }
    }

    fn size(&self) -> usize {
        1 + match &self.form {
            Form::Scalar(..) => 0,
            Form::List(items) => items.iter().map(Self::size).sum(),
            Form::Fields(fields) => fields.iter().map(|(_, node)| node.size()).sum::<usize>(),
        }
    }
}

/// The documents in a text, in order; those that are empty are left out.
pub fn documents(text: &str) -> Result<Vec<Node>, Problem> {
    let options = granit_parser::options! { emit_comments: false };
    let events = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { events, anchors: HashMap::new(), repeated: 0 };
    let mut documents = Vec::new();
    while let Some((event, span)) = reader.next()? {
        // Between documents there is nothing to be read.
        if let Some(node) = reader.node(event, span, LEVELS)?.filter(|node| !node.is_null()) {
            documents.push(node);
        }
    }
    Ok(documents)
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    /// What may be repeated, by the number of its anchor.
    anchors: HashMap<usize, Node>,
    repeated: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Problem> {
        self.events.next().transpose().map_err(|error| unreadable(&error))
    }

    /// The next node of a list or of fields; `None` at their end.
    fn inner(&mut self, levels: usize) -> Result<Option<Node>, Problem> {
        match self.next()? {
            Some((event, span)) => self.node(event, span, levels),
            None => Ok(None),
        }
    }

    /// The node that begins with an event, if one does.
    fn node(&mut self, event: Event<'a>, span: Span, levels: usize) -> Result<Option<Node>, Problem> {
        let line = span.start.line();
        let problem = |text: String| Problem { line, field: String::new(), text };
        let within = levels.checked_sub(1).ok_or_else(|| problem(format!("is nested more than {LEVELS} levels deep")));
        let (form, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                (Form::Scalar(text.into_owned(), style == ScalarStyle::Plain && !is_text), anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let (mut items, within) = (Vec::new(), within?);
                while let Some(item) = self.inner(within)? {
                    items.push(item);
                }
                (Form::List(items), anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let (mut fields, within) = (Vec::new(), within?);
                while let Some(name) = self.inner(within)? {
                    let Form::Scalar(text, _) = name.form else {
                        return Err(problem(format!("the name of a field is {}", name.what())));
                    };
                    let Some(node) = self.inner(within)? else { break };
                    fields.push((Name { line: name.line, text }, node));
                }
                (Form::Fields(fields), anchor)
            }
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).ok_or_else(|| problem("repeats what is not complete".into()))?;
                self.repeated += target.size();
                if self.repeated > REPEATED {
                    return Err(problem(format!("repeats more than {REPEATED} values")));
                }
                return Ok(Some(Node { line, form: target.form.clone() }));
            }
            _ => return Ok(None),
        };
        let node = Node { line, form };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(Some(node))
    }
}

/// What people do wrong, in their words; for the rest, where it is.
fn unreadable(error: &ScanError) -> Problem {
    let place: &Marker = error.marker();
    let text = match error.kind() {
        ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation | ErrorKind::TabNotAllowed => {
            "a tab stands where spaces are needed".to_owned()
        }
        ErrorKind::TabInPlainScalar => "a tab stands here or in the line below where spaces are needed".to_owned(),
        ErrorKind::UnclosedQuotedScalar => "a quote is not closed".to_owned(),
        ErrorKind::UnclosedFlowCollection { open } => format!("{open:?} is not closed"),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => format!("{open:?} is closed by {close:?}"),
        ErrorKind::UnknownAnchor => "a name after * is of nothing that & named before".to_owned(),
        ErrorKind::RecursionLimitExceeded => format!("is nested more than {LEVELS} levels deep"),
        _ => format!(
            "is neither YAML nor JSON from column {} on; look at the indentation, quotes and colons there and before",
            place.col() + 1
        ),
    };
    Problem { line: place.line(), field: String::new(), text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values(text: &str) -> Vec<Value> {
        documents(text).unwrap().iter().map(Node::json).collect()
    }

    #[test]
    fn documents_come_in_order_with_their_lines() {
        let text = "# first\na: 1\n---\n---\n- b\n- c: {d: e}\n...\n";
        assert_eq!(values(text), [json!({"a": 1}), json!(["b", {"c": {"d": "e"}}])]);
        let lines: Vec<usize> = documents(text).unwrap().iter().map(|node| node.line).collect();
        assert_eq!(lines, [2, 5]);
        assert_eq!(values("\u{feff}{\"a\":\n\t[true, \"\\ud83d\\ude00\\/\"]}"), [json!({"a": [true, "😀/"]})]);
        assert!(values("").is_empty() && values("# nothing\n").is_empty());
    }

    #[test]
    fn only_what_json_has_is_no_text() {
        let text = "[no, yes, on, 012, .5, 0x1F, 1e3, 12, true, null, ~, 2026-01-31, \"1\", 9007199254740993]";
        let expected = json!([
            "no",
            "yes",
            "on",
            "012",
            ".5",
            "0x1F",
            1e3,
            12,
            true,
            null,
            null,
            "2026-01-31",
            "1",
            "9007199254740993"
        ]);
        assert_eq!(values(text), [expected]);
    }

    #[test]
    fn what_is_named_can_be_repeated_but_not_without_end() {
        assert_eq!(values("a: &x {b: 1}\nc: *x\n"), [json!({"a": {"b": 1}, "c": {"b": 1}})]);
        let level = |level| format!("l{level}: &l{level} [{}]\n", vec![format!("*l{}", level - 1); 10].join(", "));
        let text = std::iter::once("l0: &l0 [x, x]\n".to_owned()).chain((1..8).map(level)).collect::<String>();
        assert!(documents(&text).unwrap_err().text.contains("repeats"));
        assert!(documents(&format!("{}{}", "[".repeat(100), "]".repeat(100))).unwrap_err().text.contains("levels"));
    }

    #[test]
    fn refusals_say_where_in_words_of_their_own() {
        for (text, line, words) in [
            ("a:\n\tb: 2\n", 2, "a tab stands where"),
            ("a: 1\n\tb: 2\n", 1, "a tab stands here or in the line below"),
            ("a: 1\nb: \"x\n", 2, "a quote is not closed"),
            ("{\"a\": [1}", 1, "is closed by"),
            ("a: *b", 1, "nothing that & named"),
            ("a: 1\n  b: \"x\"\n", 2, "column"),
        ] {
            let problem = documents(text).unwrap_err();
            assert!(problem.line == line && problem.text.contains(words), "{text}: {problem}");
        }
    }
}
