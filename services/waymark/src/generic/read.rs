//! Messages from documents: what a scalar stands for is said by its field, so the text `no` is a text where one is wanted.
//! All that is wrong is told, each by its line and field.

use std::collections::HashMap;

use chrono_tz::Tz;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use super::contract::is_plain;
use super::document::{self, Form, Name, Node, Problem};
use super::literal;
use crate::place::Place;
use crate::zone;
use waymark_domain::text::nearest;

/// The message that a document stands for.
pub fn message(of: &MessageDescriptor, node: &Node, place: &Place<'_>) -> Result<DynamicMessage, Vec<Problem>> {
    let mut reading = Reading { zone: place.zone, path: Vec::new(), problems: Vec::new() };
    let message = reading.message(of, node);
    if reading.problems.is_empty() { Ok(message) } else { Err(reading.problems) }
}

/// The message in a text that holds one document; an empty text holds an empty one.
pub fn text(of: &MessageDescriptor, text: &str, place: &Place<'_>) -> Result<DynamicMessage, Vec<Problem>> {
    let documents = document::documents(text).map_err(|problem| vec![problem])?;
    match documents.as_slice() {
        [] => Ok(DynamicMessage::new(of.clone())),
        [node] => message(of, node, place),
        [_, second, ..] => {
            let text = "a second document begins; one is wanted".to_owned();
            Err(vec![Problem { line: second.line, field: String::new(), text }])
        }
    }
}

/// The value of `kind` that the text of a flag stands for; a message is JSON, YAML, or `key=value,key=value`.
pub fn flag(kind: &Kind, written: &str, place: &Place<'_>) -> Result<Value, String> {
    let Kind::Message(of) = kind.clone() else { return literal::parse(kind, written, place.zone) };
    if is_plain(kind) {
        return literal::parse(kind, written, place.zone);
    }
    let read = if !written.trim_start().starts_with('{') && written.contains('=') {
        message(&of, &pairs(written)?, place)
    } else {
        text(&of, written, place)
    };
    read.map(Value::Message).map_err(|problems| {
        // A flag is one line.
        let field = |Problem { field, text, .. }: &Problem| match field.as_str() {
            "" => text.clone(),
            field => format!("`{field}`: {text}"),
        };
        problems.iter().map(field).collect::<Vec<_>>().join("; ")
    })
}

/// `key=value,key=value`, for messages of plain fields.
fn pairs(text: &str) -> Result<Node, String> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("{pair:?} is not key=value"))?;
        Ok::<_, String>((Name { line: 1, text: key.trim().replace('-', "_") }, Node::plain(value)))
    };
    Ok(Node { line: 1, form: Form::Fields(text.split(',').map(pair).collect::<Result<_, _>>()?) })
}

/// A message being read.
struct Reading {
    /// The time zone of times that state no offset.
    zone: Tz,
    /// The fields that lead to what is read.
    path: Vec<String>,
    problems: Vec<Problem>,
}

impl Reading {
    fn refuse<T>(&mut self, line: usize, text: impl Into<String>) -> Option<T> {
        self.problems.push(Problem { line, field: self.path.concat(), text: text.into() });
        None
    }

    /// Something read at a further step of the path.
    fn at<T>(&mut self, step: String, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(if self.path.is_empty() || step.starts_with('[') { step } else { format!(".{step}") });
        let read = read(self);
        self.path.pop();
        read
    }

    fn message(&mut self, of: &MessageDescriptor, node: &Node) -> DynamicMessage {
        let mut message = DynamicMessage::new(of.clone());
        let Form::Fields(fields) = &node.form else {
            let known = of.fields().take(3).map(|field| field.name().to_owned()).collect::<Vec<_>>().join(", ");
            self.refuse::<()>(node.line, format!("is {}; what is wanted are fields, such as {known}", node.what()));
            return message;
        };
        let outer = self.zone;
        self.zone = stated_zone(node).unwrap_or(outer);
        let mut lines: HashMap<u32, usize> = HashMap::new();
        for (name, value) in fields {
            let Some(field) = of.get_field_by_name(&name.text).or_else(|| of.get_field_by_json_name(&name.text)) else {
                self.unknown(of, name);
                continue;
            };
            let given = self.at(field.name().to_owned(), |reading| {
                if let Some(line) = lines.insert(field.number(), name.line) {
                    return reading.refuse(name.line, format!("stands in line {line} already"));
                }
                if value.is_null() {
                    return None;
                }
                let rivals = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
                let mut rivals = rivals.iter().flat_map(|oneof| oneof.fields().filter(|other| *other != field));
                if let Some(rival) = rivals.find(|rival| message.has_field(rival)) {
                    return reading.refuse(name.line, format!("only one of it and {} can be given", rival.name()));
                }
                reading.field(&field, value)
            });
            if let Some(given) = given {
                message.set_field(&field, given);
            }
        }
        self.zone = outer;
        message
    }

    fn unknown(&mut self, of: &MessageDescriptor, name: &Name) {
        let known: Vec<String> = of.fields().map(|field| field.name().to_owned()).collect();
        let meant = nearest(&name.text, known.iter().map(String::as_str));
        let advice = match meant {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("its fields are {}", known.join(", ")),
        };
        let text = format!("is no field of {}; {advice}", of.name());
        self.at(name.text.clone(), |reading| reading.refuse::<()>(name.line, text));
    }

    fn field(&mut self, field: &FieldDescriptor, node: &Node) -> Option<Value> {
        match (&node.form, field.kind()) {
            (Form::Fields(fields), Kind::Message(entry)) if field.is_map() => {
                let (key, value) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
                let mut entries = HashMap::new();
                for (name, node) in fields {
                    self.at(name.text.clone(), |reading| {
                        let key = literal::parse(&key, &name.text, reading.zone).ok().and_then(Value::into_map_key);
                        let Some(key) = key else { return reading.refuse(name.line, "cannot be a key") };
                        if entries.contains_key(&key) {
                            return reading.refuse(name.line, "is given twice");
                        }
                        let value = reading.one(&value, node)?;
                        entries.insert(key, value);
                        Some(())
                    });
                }
                Some(Value::Map(entries))
            }
            (_, _) if field.is_map() => self.refuse(node.line, format!("is {}, not keys with values", node.what())),
            (Form::List(items), kind) if field.is_list() => {
                let items = items.iter().enumerate();
                let read =
                    items.filter_map(|(index, node)| self.at(format!("[{index}]"), |reading| reading.one(&kind, node)));
                Some(Value::List(read.collect()))
            }
            (_, _) if field.is_list() => {
                self.refuse(node.line, format!("is {}, not a list such as [a, b]", node.what()))
            }
            (_, kind) => self.one(&kind, node),
        }
    }

    fn one(&mut self, kind: &Kind, node: &Node) -> Option<Value> {
        match (kind, &node.form) {
            (Kind::Message(of), _) if !is_plain(kind) => Some(Value::Message(self.message(of, node))),
            (Kind::Message(of), _) if literal::is_any_value(of) => match literal::well_known(of, node.json()) {
                Ok(value) => Some(value),
                Err(problem) => self.refuse(node.line, problem),
            },
            (_, Form::Scalar(text, _)) => match literal::parse(kind, text, self.zone) {
                Ok(value) => Some(value),
                Err(problem) => self.refuse(node.line, problem),
            },
            _ => self.refuse(node.line, format!("is {}; what is wanted is one value", node.what())),
        }
    }
}

/// The zone of the times of a message, where it has one of its own.
fn stated_zone(node: &Node) -> Option<Tz> {
    let zone = node.get("time_zone").or_else(|| node.get("timeZone"))?;
    let Form::Scalar(zone, _) = &zone.form else { return None };
    zone::named(zone).ok()
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;
    use waymark_proto::descriptors;

    const UTC: Place<'_> = Place { workspace: "acme", zone: Tz::UTC };

    fn read(of: &str, written: &str) -> Result<serde_json::Value, String> {
        let of = descriptors().get_message_by_name(of).unwrap();
        let problems = |problems: Vec<Problem>| problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
        text(&of, written, &UTC).map(|message| json::of(&message).unwrap()).map_err(problems)
    }

    const PRODUCT: &str = "waymark.roadmap.v1.Product";
    const INITIATIVE: &str = "waymark.roadmap.v1.Initiative";

    #[test]
    fn a_text_is_what_was_written_where_the_field_is_a_text() {
        let labels = "labels: {country: no, a: 012, b: 1e3, c: 2026-01-31, d: on, e: 1_000, f: 0x1F, g: Null}";
        let product = read(PRODUCT, &format!("display_name: 2026\nvision: yes\nlifecycle: growing\n{labels}")).unwrap();
        let expected = serde_json::json!({
            "country": "no", "a": "012", "b": "1e3", "c": "2026-01-31", "d": "on", "e": "1_000", "f": "0x1F", "g": "Null"
        });
        assert_eq!((&product["labels"], &product["displayName"]), (&expected, &"2026".into()));
        assert_eq!((&product["vision"], &product["lifecycle"]), (&"yes".into(), &"PRODUCT_LIFECYCLE_GROWING".into()));
        assert!(read(PRODUCT, "display_name: null\nlabels:\n").unwrap().as_object().unwrap().is_empty());
    }

    #[test]
    fn all_that_is_wrong_is_told_by_line_and_field_in_the_contract_s_words() {
        let text = "displayName: B\ncolour: growing\nowner: [a]\nhorizon: soon\nexpectedOutcome:\n  change:\n    low: a\n    \
                    likely: 1\nevidence: 3\nlabels: {a: {b: c}}\ndisplay_name: C\nwhat: ever\n";
        let problems = read(INITIATIVE, text).unwrap_err();
        let lines: Vec<&str> = problems.lines().collect();
        assert!(
            lines[0].starts_with("line 2, `colour`: is no field of Initiative; its fields are name,"),
            "{problems}"
        );
        assert_eq!(lines[1], "line 3, `owner`: is a list; what is wanted is one value");
        assert_eq!(lines[2], "line 4, `horizon`: \"soon\" is none of now, next, later");
        assert_eq!(lines[3], "line 7, `expected_outcome.change.low`: \"a\" is not a number");
        assert_eq!(lines[4], "line 9, `evidence`: is one value, not a list such as [a, b]");
        assert_eq!(lines[5], "line 10, `labels.a`: is a group of fields; what is wanted is one value");
        assert_eq!(lines[6], "line 11, `display_name`: stands in line 1 already");
        let meant = read(PRODUCT, "vison: x").unwrap_err();
        assert_eq!(meant, "line 1, `vison`: is no field of Product; did you mean vision?");
        let rivals = read("waymark.common.v1.AsOf", "revision: 4\ntime: 2026-01-31").unwrap_err();
        assert_eq!(rivals, "line 2, `time`: only one of it and revision can be given");
        assert!(read(PRODUCT, "[1]").unwrap_err().contains("is a list; what is wanted are fields, such as name"));
    }

    #[test]
    fn times_are_of_the_zone_that_stands_beside_them() {
        let settings = "waymark.metrics.v1.TrendSettings";
        let read = read(settings, "start_time: 2026-01-31\ntime_zone: Europe/Berlin\n").unwrap();
        assert_eq!(read["startTime"], "2026-01-30T23:00:00Z");
    }

    #[test]
    fn values_of_any_type_keep_theirs() {
        let filter = "waymark.metrics.v1.PropertyFilter";
        let read = read(filter, "property: 1\noperator: equal\nvalues: [1, \"1\", no, true]\n").unwrap();
        assert_eq!((&read["property"], &read["values"]), (&"1".into(), &serde_json::json!([1.0, "1", "no", true])));
    }

    #[test]
    fn doubles_come_back_to_the_bit_from_json_and_yaml() {
        let range = descriptors().get_message_by_name("waymark.common.v1.Range").unwrap();
        for number in waymark_testkit::doubles(7).take(2_000) {
            let mut message = DynamicMessage::new(range.clone());
            message.set_field_by_name("low", Value::F64(number));
            let json = json::of(&message).unwrap();
            for written in [json.to_string(), json::yaml(&json).unwrap()] {
                let read = text(&range, &written, &UTC).unwrap();
                let low = read.get_field_by_name("low").and_then(|low| low.as_f64());
                assert_eq!(low.map(f64::to_bits), Some(number.to_bits()), "{written}");
            }
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let labels = serde_json::json!({"a": "no", "b": "012", "c": "null", "d": "", "e": "- x", "f": "a: b # c"});
        let product = serde_json::json!({"displayName": "~", "vision": "two\nlines\n", "labels": labels});
        for written in [product.to_string(), json::yaml(&product).unwrap()] {
            assert_eq!(read(PRODUCT, &written).unwrap(), product, "{written}");
        }
    }

    #[test]
    fn flags_take_messages_as_json_or_pairs() {
        let flag = |of: &str, written: &str| {
            let kind = Kind::Message(descriptors().get_message_by_name(of).unwrap());
            super::flag(&kind, written, &UTC).map(|value| json::of(value.as_message().unwrap()).unwrap())
        };
        let evidence = "waymark.common.v1.Evidence";
        assert_eq!(flag(evidence, r#"{"target": "//a/b", "note": "x, y"}"#).unwrap()["note"], "x, y");
        assert_eq!(flag(evidence, "target=//a/b,note=seen").unwrap()["note"], "seen");
        assert_eq!(flag(evidence, "tarket=x").unwrap_err(), "`tarket`: is no field of Evidence; did you mean target?");
        assert_eq!(flag("waymark.common.v1.Range", "low=0.05,likely=0.1,high=0.2").unwrap()["likely"], 0.1);
    }
}
