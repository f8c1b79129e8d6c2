//! How answers are printed: tables for people, JSON and YAML for programs and files, lists as rows.

mod columns;
pub mod rows;
mod value;

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use anyhow::Result;
use chrono_tz::Tz;
use comfy_table::{Cell, ContentArrangement, Table, presets};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};

use super::contract::{Resource, contract, tells_zero};
use super::json;
use super::names::short;
use crate::Usage;

/// What can be asked for. Rows are for lists: each field is a column by its path, such as `target.start`, and a list within
/// is JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Columns and blocks, for people
    Table,
    /// Canonical JSON
    Json,
    /// The same as YAML; `create -f` and `update -f` take it back
    Yaml,
    /// All of a list, of several the first, as CSV, which `waymark import` takes back: each field is a column by its path,
    /// such as target.start, and lists within are JSON. A text that begins with = + - @ has an apostrophe in front, so that no spreadsheet takes
    /// it for a formula
    Csv,
    /// All of a list as JSON, one a line
    Jsonl,
    /// All of a list as Apache Parquet, in the columns of csv
    Parquet,
}

impl Output {
    /// The form of an answer that is printed as a whole.
    pub fn format(self) -> Result<Format, Usage> {
        match self {
            Self::Table => Ok(Format::Table),
            Self::Json => Ok(Format::Json),
            Self::Yaml => Ok(Format::Yaml),
            Self::Csv | Self::Jsonl | Self::Parquet => {
                Err(Usage("this answer is no list: --output is table, json or yaml here".to_owned()))
            }
        }
    }

    /// The form of rows, if these are asked for.
    pub fn rows(self) -> Option<rows::Form> {
        match self {
            Self::Table | Self::Json | Self::Yaml => None,
            Self::Csv => Some(rows::Form::Csv),
            Self::Jsonl => Some(rows::Form::Lines),
            Self::Parquet => Some(rows::Form::Parquet),
        }
    }
}

/// The forms of an answer as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Columns and blocks, for people.
    Table,
    /// Canonical JSON.
    Json,
    /// The same as YAML; `create -f` and `update -f` take it back.
    Yaml,
}

/// How answers are shown.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// The form.
    pub format: Format,
    /// The time zone of times that people read.
    pub zone: Tz,
}

/// Longest text in a cell of a list; `-o yaml` shows all.
const CELL: usize = 60;

/// The text of an answer.
pub fn message(message: &DynamicMessage, style: Style) -> Result<String> {
    match style.format {
        Format::Json => Ok(serde_json::to_string_pretty(&json::of(message)?)?),
        Format::Yaml => Ok(json::yaml(&json::of(message)?)?.trim_end().to_owned()),
        Format::Table => Ok(block(message, style.zone).trim_end().to_owned()),
    }
}

/// The text of a list of resources.
pub fn list(resource: &Resource, response: &DynamicMessage, items: &[Value], style: Style) -> Result<String> {
    if style.format != Format::Table {
        return message(response, style);
    }
    let items: Vec<&DynamicMessage> = items.iter().filter_map(Value::as_message).collect();
    Ok(resources(resource, &items, style.zone))
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

/// A table of resources, by the columns of the contract.
fn resources(resource: &Resource, items: &[&DynamicMessage], zone: Tz) -> String {
    if items.is_empty() {
        return format!("no {}", resource.collection);
    }
    let mut table = new_table();
    let headings = std::iter::once("ID".to_owned()).chain(resource.columns.iter().map(|column| heading(column)));
    table.set_header(headings.collect::<Vec<_>>());
    for item in items {
        let name = item.get_field_by_name("name");
        let id = name.as_ref().and_then(|name| name.as_str()).map(short).unwrap_or_default();
        let deleted = if item.has_field_by_name("delete_time") { " (deleted)" } else { "" };
        let cells = resource.columns.iter().map(|column| cell_at(column, item, zone));
        table.add_row(std::iter::once(format!("{id}{deleted}")).chain(cells).map(Cell::new).collect::<Vec<_>>());
    }
    text_of(&table)
}

fn heading(field: &str) -> String {
    field.replace(['_', '.'], " ").to_uppercase()
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
fn block(message: &DynamicMessage, zone: Tz) -> String {
    let mut text = String::new();
    let shown: Vec<FieldDescriptor> = message.descriptor().fields().filter(|field| shows(field, message)).collect();
    let width = shown.iter().filter(|field| !is_block(field)).map(|field| field.name().len()).max().unwrap_or_default();
    for field in &shown {
        let value = message.get_field(field);
        let title = field.name().replace('_', " ");
        if !is_block(field) {
            let _ = writeln!(text, "{title:width$}  {}", value::line(field, &value, zone));
        } else if let Some(items) = value.as_list() {
            let _ = writeln!(text, "{title}:\n{}", indent(&rows(items, zone)));
        } else if let Some(inner) = value.as_message() {
            let _ = writeln!(text, "{title}:\n{}", indent(block(inner, zone).trim_end()));
        }
    }
    text
}

/// Fields that are set, and numbers that are answers also when they are zero.
fn shows(field: &FieldDescriptor, message: &DynamicMessage) -> bool {
    message.has_field(field) || tells_zero(field)
}

fn is_block(field: &FieldDescriptor) -> bool {
    value::parts(field).is_some() && !field.is_map()
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Messages of a list: a table when each of their fields fits into a cell, blocks otherwise.
fn rows(items: &[Value], zone: Tz) -> String {
    let messages: Vec<&DynamicMessage> = items.iter().filter_map(Value::as_message).collect();
    let Some(first) = messages.first() else { return String::new() };
    if let Some(resource) = contract().resource_of(&first.descriptor()) {
        return resources(resource, &messages, zone);
    }
    let fields: Vec<FieldDescriptor> =
        first.descriptor().fields().filter(|field| messages.iter().any(|message| shows(field, message))).collect();
    if !fields.iter().all(fits_cell) {
        let block = |message: &&DynamicMessage| format!("- {}", indent(&block(message, zone)).trim_start());
        return messages.iter().map(block).collect::<Vec<_>>().join("\n");
    }
    let mut table = new_table();
    table.set_header(fields.iter().map(|field| heading(field.name())).collect::<Vec<_>>());
    for message in messages {
        table.add_row(fields.iter().map(|field| cell(field, message, zone)).collect::<Vec<_>>());
    }
    text_of(&table)
}

/// Whether a value of a field can be said in a few words: one that has no more than plain parts.
fn fits_cell(field: &FieldDescriptor) -> bool {
    let plain = |part: FieldDescriptor| value::parts(&part).is_none() && !part.is_list() && !part.is_map();
    value::parts(field).is_none_or(|mut parts| !field.is_list() && parts.all(plain))
}

/// A column's cell: a field, or one of a message within; empty where that is not set. A long text is cut.
fn cell_at(column: &str, message: &DynamicMessage, zone: Tz) -> String {
    let field = |name: &str| message.descriptor().get_field_by_name(name);
    match column.split_once('.') {
        Some((name, rest)) => {
            let inner = field(name).filter(|field| message.has_field(field)).map(|field| message.get_field(&field));
            inner.as_deref().and_then(Value::as_message).map(|inner| cell_at(rest, inner, zone)).unwrap_or_default()
        }
        None => field(column).map(|field| cut(&field, cell(&field, message, zone))).unwrap_or_default(),
    }
}

/// A text that is not too long for a cell. Only what people wrote is cut: the rest says nothing without its end.
fn cut(field: &FieldDescriptor, text: String) -> String {
    if field.is_list() || !matches!(field.kind(), Kind::String) || text.chars().count() <= CELL {
        return text;
    }
    text.chars().take(CELL - 1).chain(['…']).collect()
}

fn cell(field: &FieldDescriptor, message: &DynamicMessage, zone: Tz) -> String {
    if !shows(field, message) {
        return String::new();
    }
    let value = message.get_field(field);
    match value.as_list() {
        Some(items) if is_block(field) => items.len().to_string(),
        _ => value::cell(field, &value, zone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use waymark_proto::descriptors;

    const TABLE: Style = Style { format: Format::Table, zone: Tz::UTC };

    fn of(name: &str, json: serde_json::Value) -> DynamicMessage {
        DynamicMessage::deserialize(descriptors().get_message_by_name(name).unwrap(), json).unwrap()
    }

    fn product(json: serde_json::Value) -> DynamicMessage {
        of("waymark.roadmap.v1.Product", json)
    }

    #[test]
    fn a_list_shows_the_columns_of_the_contract() {
        let resource = contract().resources.iter().find(|r| r.collection == "products").unwrap();
        let long = "x".repeat(100);
        let items = [
            product(
                json!({"name": "workspaces/w/products/app", "displayName": "App", "lifecycle": "PRODUCT_LIFECYCLE_GROWING", "vision": long}),
            ),
            product(
                json!({"name": "workspaces/w/products/old", "displayName": "Old", "deleteTime": "2026-01-01T00:00:00Z"}),
            ),
        ];
        let items: Vec<Value> = items.into_iter().map(Value::Message).collect();
        let text = list(resource, items[0].as_message().unwrap(), &items, TABLE).unwrap();
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
        let metric = |json| of(resource.message.full_name(), json);
        let reading = json!({"startTime": "2026-03-01T00:00:00Z", "endTime": "2026-03-02T00:00:00Z"});
        let items = [
            metric(json!({"name": "workspaces/w/metrics/orders", "latest": reading})),
            metric(json!({"name": "workspaces/w/metrics/visits"})),
        ];
        assert_eq!(cell_at("latest.value", &items[0], Tz::UTC), "0");
        assert_eq!(cell_at("latest.value", &items[1], Tz::UTC), "");
        let items: Vec<Value> = items.into_iter().map(Value::Message).collect();
        let text = list(resource, items[0].as_message().unwrap(), &items, TABLE).unwrap();
        assert!(text.lines().next().unwrap().contains("LATEST VALUE"), "{text}");
    }

    fn listed(collection: &str, zone: Tz, item: serde_json::Value) -> Vec<Vec<String>> {
        let resource = contract().resources.iter().find(|r| r.collection == collection).unwrap();
        let item = of(resource.message.full_name(), item);
        let text = list(resource, &item, &[Value::Message(item.clone())], Style { zone, ..TABLE }).unwrap();
        text.lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn messages_in_cells_are_said_as_people_would() {
        let year = |start: &str, end: &str| {
            let period = json!({"start": start, "end": end});
            listed("objectives", Tz::UTC, json!({"name": "o/stay", "displayName": "Stay", "period": period}))[1].clone()
        };
        assert_eq!(year("2026", "2026"), ["stay", "Stay", "2026"]);
        assert_eq!(year("2026-01", "2026-03"), ["stay", "Stay", "2026-01 to 2026-03"]);
        let score = |low: f64| {
            let score = json!({"low": low, "likely": 4000.0, "high": 4000.0});
            listed("estimates", Tz::UTC, json!({"name": "e/sso", "score": score}))[1].clone()
        };
        assert_eq!(score(4000.0), ["sso", "4000"]);
        assert_eq!(score(0.5), ["sso", "4000 (0.5 to 4000)"]);
    }

    #[test]
    fn a_breach_says_when_it_was_by_the_days_of_the_zone() {
        let breach = json!({"startTime": "2026-02-28T23:00:00Z", "endTime": "2026-03-01T23:00:00Z", "value": 3.0});
        let metric = json!({"name": "m/orders", "displayName": "Orders", "breach": breach});
        let shown = |zone| listed("metrics", zone, metric.clone())[1].last().cloned().unwrap();
        assert_eq!(shown(Tz::Europe__Berlin), "3 (2026-03-01 to 2026-03-02)");
        assert_eq!(shown(Tz::UTC), "3 (2026-02-28 23:00:00Z to 2026-03-01 23:00:00Z)");
    }

    #[test]
    fn ranks_are_a_table() {
        let ranked = |position: i32, name: &str, likely: f64| {
            json!({
                "position": position, "initiative": format!("workspaces/w/initiatives/{name}"), "displayName": name,
                "state": "INITIATIVE_STATE_PROPOSED", "score": {"low": 1.0, "likely": likely, "high": 9.0}
            })
        };
        let answer = json!({"ranked": [ranked(1, "sso", 4.0), ranked(2, "pay", 3.0)], "rankedCount": 2});
        let text = message(&of("waymark.roadmap.v1.RankInitiativesResponse", answer), TABLE).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["POSITION", "INITIATIVE", "DISPLAY", "NAME", "STATE", "SCORE"], "{text}");
        assert_eq!(lines[2], ["1", "sso", "sso", "PROPOSED", "4", "(1", "to", "9)"], "{text}");
        assert_eq!(lines[3][0], "2", "{text}");
    }

    #[test]
    fn no_answer_has_json_in_its_cells() {
        for resource in &contract().resources {
            for column in &resource.columns {
                let (above, name) =
                    column.rsplit_once('.').map_or(("", column.as_str()), |(above, name)| (above, name));
                let mut message = resource.message.clone();
                for name in above.split_terminator('.') {
                    message = message.get_field_by_name(name).unwrap().kind().as_message().cloned().unwrap();
                }
                let field = message.get_field_by_name(name).unwrap();
                assert!(field.is_list() || fits_cell(&field), "{}: {column}", resource.collection);
            }
        }
    }

    #[test]
    fn a_block_shows_what_is_set() {
        let text = message(&product(json!({"displayName": "App", "labels": {"b": "2", "a": "1"}})), TABLE).unwrap();
        assert_eq!(text, "display name  App\nlabels        a=1, b=2");
    }

    #[test]
    fn yaml_is_canonical() {
        let text = message(
            &product(json!({"displayName": "App", "lifecycle": "PRODUCT_LIFECYCLE_GROWING"})),
            Style { format: Format::Yaml, ..TABLE },
        )
        .unwrap();
        assert_eq!(text, "displayName: App\nlifecycle: PRODUCT_LIFECYCLE_GROWING");
    }
}
