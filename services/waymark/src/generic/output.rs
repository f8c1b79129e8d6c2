//! How answers are printed: tables for people, JSON and YAML for programs and files.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use anyhow::Result;
use chrono::DateTime;
use comfy_table::{Cell, ContentArrangement, Table, presets};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};

use super::contract::{Resource, contract};
use super::json;
use super::names::{short, short_value};

/// The forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Columns and blocks, for people.
    Table,
    /// Canonical JSON.
    Json,
    /// The same as YAML; `create -f` and `update -f` take it back.
    Yaml,
}

/// Longest text in a cell of a table; `-o yaml` shows all.
const CELL: usize = 60;

/// The text of an answer.
pub fn message(message: &DynamicMessage, format: Format) -> Result<String> {
    match format {
        Format::Json => Ok(serde_json::to_string_pretty(&json::of(message)?)?),
        Format::Yaml => Ok(json::yaml(&json::of(message)?)?.trim_end().to_owned()),
        Format::Table => Ok(block(message).trim_end().to_owned()),
    }
}

/// The text of a list of resources.
pub fn list(resource: &Resource, response: &DynamicMessage, items: &[Value], format: Format) -> Result<String> {
    if format != Format::Table {
        return message(response, format);
    }
    if items.is_empty() {
        return Ok(format!("no {}", resource.collection));
    }
    let mut table = new_table();
    let heading = |column: &String| column.replace(['_', '.'], " ").to_uppercase();
    let headings = std::iter::once("ID".to_owned()).chain(resource.columns.iter().map(heading));
    table.set_header(headings.collect::<Vec<_>>());
    for item in items.iter().filter_map(Value::as_message) {
        let name = item
            .get_field_by_name("name")
            .and_then(|name| name.as_str().map(short).map(str::to_owned))
            .unwrap_or_default();
        let deleted =
            item.get_field_by_name("delete_time").is_some_and(|t| t.as_message().is_some()) && has(item, "delete_time");
        let name = if deleted { format!("{name} (deleted)") } else { name };
        table.add_row(
            std::iter::once(name)
                .chain(resource.columns.iter().map(|column| cell_at(column, item)))
                .map(Cell::new)
                .collect::<Vec<_>>(),
        );
    }
    Ok(text_of(&table))
}

/// A table of texts.
pub fn table<const COLUMNS: usize>(
    headings: [String; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = new_table();
    table.set_header(headings).add_rows(rows);
    text_of(&table)
}

fn has(message: &DynamicMessage, field: &str) -> bool {
    message.descriptor().get_field_by_name(field).is_some_and(|field| message.has_field(&field))
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        // Programs that read the table want one row a line.
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table
}

fn text_of(table: &Table) -> String {
    table.trim_fmt().lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// A message as a block: its plain fields one a line, messages within it indented, lists of messages as tables.
fn block(message: &DynamicMessage) -> String {
    let mut text = String::new();
    let shown: Vec<FieldDescriptor> = message.descriptor().fields().filter(|field| shows(field, message)).collect();
    let width = shown.iter().filter(|field| !is_block(field)).map(|field| field.name().len()).max().unwrap_or_default();
    for field in &shown {
        let value = message.get_field(field);
        let title = field.name().replace('_', " ");
        if !is_block(field) {
            let _ = writeln!(text, "{title:width$}  {}", plain(field, &value, usize::MAX));
        } else if let Some(items) = value.as_list() {
            let _ = writeln!(text, "{title}:\n{}", indent(&rows(items)));
        } else if let Some(inner) = value.as_message() {
            let _ = writeln!(text, "{title}:\n{}", indent(block(inner).trim_end()));
        }
    }
    text
}

/// Fields that are set; numbers of answers also when they are zero, since a score of 0 is an answer.
fn shows(field: &FieldDescriptor, message: &DynamicMessage) -> bool {
    let is_resource = contract().resource_of(&message.descriptor()).is_some();
    let number = !matches!(field.kind(), Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Enum(_) | Kind::Bool)
        && !field.is_list();
    message.has_field(field) || (number && !is_resource && !field.supports_presence())
}

fn is_block(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(of) if of.package_name() != "google.protobuf" && !field.is_map())
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Messages of a list: a table when all their fields are plain, blocks otherwise.
fn rows(items: &[Value]) -> String {
    let messages: Vec<&DynamicMessage> = items.iter().filter_map(Value::as_message).collect();
    let Some(first) = messages.first() else { return String::new() };
    let fields: Vec<FieldDescriptor> =
        first.descriptor().fields().filter(|field| messages.iter().any(|message| shows(field, message))).collect();
    if let Some(resource) = contract().resource_of(&first.descriptor()) {
        return list_rows(resource, &messages);
    }
    if fields.iter().any(is_block) {
        return messages
            .iter()
            .map(|message| format!("- {}", indent(&block(message)).trim_start()))
            .collect::<Vec<_>>()
            .join("\n");
    }
    let mut table = new_table();
    table.set_header(fields.iter().map(|field| field.name().replace('_', " ").to_uppercase()).collect::<Vec<_>>());
    for message in messages {
        table.add_row(fields.iter().map(|field| cell(field, message)).collect::<Vec<_>>());
    }
    text_of(&table)
}

fn list_rows(resource: &Resource, messages: &[&DynamicMessage]) -> String {
    let items: Vec<Value> = messages.iter().map(|message| Value::Message((*message).clone())).collect();
    // Only the JSON and YAML forms look at the response; a table cannot fail.
    list(resource, messages[0], &items, Format::Table).unwrap_or_default()
}

/// A column's cell: a field, or one of a message within; empty where that is not set.
fn cell_at(column: &str, message: &DynamicMessage) -> String {
    let field = |name: &str| message.descriptor().get_field_by_name(name);
    match column.split_once('.') {
        Some((name, rest)) => {
            let inner = field(name).filter(|field| message.has_field(field)).map(|field| message.get_field(&field));
            inner.as_deref().and_then(Value::as_message).map(|inner| cell_at(rest, inner)).unwrap_or_default()
        }
        None => field(column).map(|field| cell(&field, message)).unwrap_or_default(),
    }
}

fn cell(field: &FieldDescriptor, message: &DynamicMessage) -> String {
    if !message.has_field(field) && field.supports_presence() {
        return String::new();
    }
    let value = message.get_field(field);
    if matches!(field.kind(), Kind::Message(_)) && (field.is_list() || field.is_map()) {
        let count =
            value.as_list().map_or_else(|| value.as_map().map_or(0, std::collections::HashMap::len), <[Value]>::len);
        return if count == 0 { String::new() } else { count.to_string() };
    }
    plain(field, &value, CELL)
}

/// A value on one line.
fn plain(field: &FieldDescriptor, value: &Value, longest: usize) -> String {
    let text = match value {
        Value::List(items) => items.iter().map(|item| one(&field.kind(), item)).collect::<Vec<_>>().join(", "),
        Value::Map(entries) => {
            let mut entries: Vec<String> = match field.kind() {
                Kind::Message(entry) => {
                    let kind = entry.map_entry_value_field().kind();
                    entries
                        .iter()
                        .map(|(key, value)| {
                            format!("{}={}", one(&Kind::String, &Value::from(key.clone())), one(&kind, value))
                        })
                        .collect()
                }
                _ => Vec::new(),
            };
            entries.sort();
            entries.join(", ")
        }
        other => one(&field.kind(), other),
    };
    // Names within one workspace read better without it; full names of other services keep theirs.
    let text = if longest < usize::MAX && text.starts_with("workspaces/") { short(&text).to_owned() } else { text };
    let text = text.replace('\n', " ");
    if text.chars().count() <= longest { text } else { text.chars().take(longest - 1).chain(['…']).collect() }
}

fn one(kind: &Kind, value: &Value) -> String {
    match (kind, value) {
        (_, Value::String(text)) => text.clone(),
        (_, Value::F64(number)) => number.to_string(),
        (_, Value::F32(number)) => number.to_string(),
        (_, Value::I64(number)) => number.to_string(),
        (_, Value::U32(number)) => number.to_string(),
        (_, Value::U64(number)) => number.to_string(),
        (_, Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        (Kind::Enum(of), Value::EnumNumber(number)) => match of.get_value(*number) {
            Some(value) if *number != 0 => short_value(of, value.name()).to_owned(),
            Some(_) => String::new(),
            None => number.to_string(),
        },
        (_, Value::Message(message)) if message.descriptor().full_name() == "google.protobuf.Timestamp" => {
            time(message)
        }
        (_, Value::Message(message)) => match json::of(message) {
            Ok(serde_json::Value::String(text)) => text,
            Ok(value) => value.to_string(),
            Err(_) => String::new(),
        },
        (_, Value::Bytes(bytes)) => format!("{} bytes", bytes.len()),
        (_, Value::I32(number) | Value::EnumNumber(number)) => number.to_string(),
        (_, Value::List(_) | Value::Map(_)) => String::new(),
    }
}

/// A moment to the second, in UTC.
fn time(message: &DynamicMessage) -> String {
    let seconds = message.get_field_by_name("seconds").and_then(|seconds| seconds.as_i64()).unwrap_or_default();
    DateTime::from_timestamp(seconds, 0).map(|time| time.format("%Y-%m-%d %H:%M:%SZ").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::descriptors;

    fn product(json: serde_json::Value) -> DynamicMessage {
        json::message(&descriptors().get_message_by_name("waymark.roadmap.v1.Product").unwrap(), json).unwrap()
    }

    #[test]
    fn a_list_shows_the_columns_of_the_contract() {
        let resource = contract().resources.iter().find(|r| r.collection == "products").unwrap();
        let long = "x".repeat(100);
        let items = [
            product(
                serde_json::json!({"name": "workspaces/w/products/app", "displayName": "App", "lifecycle": "growing", "vision": long}),
            ),
            product(
                serde_json::json!({"name": "workspaces/w/products/old", "displayName": "Old", "deleteTime": "2026-01-01T00:00:00Z"}),
            ),
        ];
        let items: Vec<Value> = items.into_iter().map(Value::Message).collect();
        let text = list(resource, items[0].as_message().unwrap(), &items, Format::Table).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["ID", "DISPLAY", "NAME", "LIFECYCLE", "VISION"]);
        assert!(
            lines[1].starts_with("app ") && lines[1].contains("GROWING") && lines[1].trim_end().ends_with("x…"),
            "{text}"
        );
        assert!(lines[2].starts_with("old (deleted)"), "{text}");
    }

    #[test]
    fn a_column_may_be_of_a_message_within() {
        let resource = contract().resources.iter().find(|r| r.collection == "metrics").unwrap();
        let metric = |json| json::message(&resource.message, json).unwrap();
        let reading = serde_json::json!({"startTime": "2026-03-01T00:00:00Z", "endTime": "2026-03-02T00:00:00Z"});
        let items = [
            metric(serde_json::json!({"name": "workspaces/w/metrics/orders", "latest": reading})),
            metric(serde_json::json!({"name": "workspaces/w/metrics/visits"})),
        ];
        assert_eq!(cell_at("latest.value", &items[0]), "0");
        assert_eq!(cell_at("latest.value", &items[1]), "");
        let items: Vec<Value> = items.into_iter().map(Value::Message).collect();
        let text = list(resource, items[0].as_message().unwrap(), &items, Format::Table).unwrap();
        assert!(text.lines().next().unwrap().contains("LATEST VALUE"), "{text}");
    }

    #[test]
    fn a_block_shows_what_is_set() {
        let text =
            message(&product(serde_json::json!({"displayName": "App", "labels": {"b": "2", "a": "1"}})), Format::Table)
                .unwrap();
        assert_eq!(text, "display name  App\nlabels        a=1, b=2");
    }

    #[test]
    fn yaml_is_canonical() {
        let text =
            message(&product(serde_json::json!({"displayName": "App", "lifecycle": "growing"})), Format::Yaml).unwrap();
        assert_eq!(text, "displayName: App\nlifecycle: PRODUCT_LIFECYCLE_GROWING");
    }
}
