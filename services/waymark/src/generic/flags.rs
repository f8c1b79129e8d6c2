//! Flags from the fields of a message, and the message from the flags given.
//!
//! A field is one flag in kebab case; a field of a nested message is also a dotted flag, such as
//! `--expected-outcome.metric`. Repeated fields and maps are given by repeating the flag.

use anyhow::{Result, anyhow, bail};
use chrono_tz::Tz;
use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use waymark_proto::options;

use super::contract::is_plain;
use super::names::{self, kebab, short_value};
use super::{comments, literal, read};
use crate::place::Place;
use crate::zone;

/// How deep dotted flags go; deeper values are given as JSON.
const DEPTH: usize = 3;
/// Flags every command has; a field of the same name gets a prefix.
const TAKEN: [&str; 14] = [
    "workspace",
    "output",
    "time-zone",
    "help",
    "file",
    "timeout",
    "actor",
    "role",
    "limit",
    "clear",
    "replace",
    "discovery-address",
    "roadmap-address",
    "metrics-address",
];

/// The field whose zone the times beside it are of.
const TIME_ZONE: &str = "time_zone";

/// A field, or a field within it, that a flag sets.
#[derive(Debug, Clone)]
pub struct Leaf {
    path: Vec<FieldDescriptor>,
    id: String,
}

impl Leaf {
    fn field(&self) -> &FieldDescriptor {
        // Made by `collect` with at least one field.
        &self.path[self.path.len() - 1]
    }

    /// Whether both are fields of one message.
    fn is_beside(&self, other: &Self) -> bool {
        self.path.split_last().map(|(_, parents)| parents) == other.path.split_last().map(|(_, parents)| parents)
    }

    /// The path in field masks, such as `expected_outcome.metric`.
    pub fn mask(&self) -> String {
        self.path.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".")
    }

    fn long(&self) -> String {
        let long = self.path.iter().map(|field| kebab(field.name())).collect::<Vec<_>>().join(".");
        if TAKEN.contains(&long.as_str()) { format!("field-{long}") } else { long }
    }
}

/// The flags of a message. `wanted` says which top-level fields get one; `scope` keeps ids of several messages in one
/// command apart.
pub fn leaves(of: &MessageDescriptor, scope: &str, wanted: impl Fn(&FieldDescriptor) -> bool) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    for field in of.fields().filter(|field| wanted(field)) {
        collect(&[field], scope, &mut leaves);
    }
    leaves
}

fn collect(path: &[FieldDescriptor], scope: &str, leaves: &mut Vec<Leaf>) {
    let names: Vec<&str> = path.iter().map(FieldDescriptor::name).collect();
    let id = format!("{scope}:{}", names.join("."));
    let last = path[path.len() - 1].clone();
    leaves.push(Leaf { path: path.to_vec(), id });
    let Kind::Message(inner) = last.kind() else { return };
    let seen = path.iter().any(|field| *field.parent_message() == inner);
    if is_plain(&last.kind()) || last.is_list() || last.is_map() || path.len() >= DEPTH || seen {
        return;
    }
    for field in inner.fields() {
        collect(&[path, &[field]].concat(), scope, leaves);
    }
}

/// The arguments of some flags.
pub fn args(leaves: &[Leaf], heading: &str) -> Vec<Arg> {
    leaves.iter().map(|leaf| arg(leaf).help_heading(heading.to_owned())).collect()
}

fn arg(leaf: &Leaf) -> Arg {
    let field = leaf.field();
    let comment = comments::of_field(field);
    let arg = Arg::new(leaf.id.clone()).long(leaf.long()).help(comment.clone()).action(ArgAction::Set);
    let arg = if field.is_list() || field.is_map() { arg.action(ArgAction::Append) } else { arg };
    if field.is_map() {
        return arg.value_name("KEY=VALUE");
    }
    match field.kind() {
        Kind::Enum(of) => {
            let values = of.values().filter(|value| value.number() != 0).map(|value| {
                let short = short_value(&of, value.name()).to_ascii_lowercase().replace('_', "-");
                clap::builder::PossibleValue::new(short.clone())
                    .help(comments::of_value(&value))
                    .aliases([short.replace('-', "_"), value.name().to_owned()])
            });
            arg.value_parser(PossibleValuesParser::new(values.collect::<Vec<_>>()))
                .ignore_case(true)
                .value_name("VALUE")
        }
        Kind::Bool => arg
            .value_parser(["true", "false"])
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("BOOL"),
        Kind::String if options().reference(field).is_some() => arg.value_name("NAME"),
        Kind::String => arg.value_name("TEXT"),
        Kind::Message(of) => arg.value_name(match of.full_name() {
            "google.protobuf.Timestamp" => "TIME",
            "google.protobuf.Duration" => "SECONDS",
            "google.protobuf.FieldMask" => "FIELDS",
            _ => "JSON",
        }),
        _ => arg.value_name("NUMBER").allow_negative_numbers(true),
    }
}

/// Sets what the flags say and returns the paths they named, in the order of the fields. A time without an offset is of
/// the zone that stands beside it, as `settings.time_zone` does beside `settings.start_time`, else of the place's.
pub fn read(
    matches: &ArgMatches,
    leaves: &[Leaf],
    place: &Place<'_>,
    into: &mut DynamicMessage,
) -> Result<Vec<String>> {
    let mut set = Vec::new();
    for leaf in leaves {
        let Some(texts) = given(matches, leaf) else { continue };
        let zone = zones(matches, leaves).find(|(beside, _)| leaf.is_beside(beside)).map(|(_, zone)| zone);
        let place = Place { zone: zone.unwrap_or(place.zone), ..*place };
        let value = value(leaf.field(), &texts, &place).map_err(|e| anyhow!("--{}: {e}", leaf.long()))?;
        let mut message = &mut *into;
        let (last, parents) = leaf.path.split_last().ok_or_else(|| anyhow!("a flag without a field"))?;
        for parent in parents {
            message = message
                .get_field_mut(parent)
                .as_message_mut()
                .ok_or_else(|| anyhow!("{} is no message", parent.name()))?;
        }
        let rivals = last.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        let rival = rivals.and_then(|oneof| oneof.fields().find(|field| field != last && message.has_field(field)));
        if let Some(other) = rival {
            bail!("--{}: only one of {} and {} can be given", leaf.long(), kebab(other.name()), kebab(last.name()));
        }
        message.set_field(last, value);
        set.push(leaf.mask());
    }
    Ok(set)
}

/// What the command line gives for a flag.
fn given<'a>(matches: &'a ArgMatches, leaf: &Leaf) -> Option<Vec<&'a String>> {
    let given = matches.value_source(&leaf.id) == Some(ValueSource::CommandLine);
    given.then(|| matches.get_many::<String>(&leaf.id).into_iter().flatten().collect())
}

/// The flags that give a time zone.
fn zones<'a>(matches: &'a ArgMatches, leaves: &'a [Leaf]) -> impl Iterator<Item = (&'a Leaf, Tz)> {
    let zones = leaves.iter().filter(|leaf| leaf.field().name() == TIME_ZONE);
    zones.filter_map(|leaf| Some((leaf, zone::named(given(matches, leaf)?.last()?).ok()?)))
}

/// The time zone that a question is asked in, where its flags give one.
pub fn zone(matches: &ArgMatches, leaves: &[Leaf]) -> Option<Tz> {
    zones(matches, leaves).next().map(|(_, zone)| zone)
}

/// Asks in a time zone where a question has one and its flags give none.
pub fn ask_in(zone: Tz, leaves: &[Leaf], request: &mut DynamicMessage) {
    for leaf in leaves.iter().filter(|leaf| leaf.field().name() == TIME_ZONE) {
        if let [settings, field] = leaf.path.as_slice()
            && request.has_field(settings)
            && let Some(settings) = request.get_field_mut(settings).as_message_mut()
            && !settings.has_field(field)
        {
            settings.set_field(field, Value::String(zone.name().to_owned()));
        }
    }
}

fn value(field: &FieldDescriptor, texts: &[&String], place: &Place<'_>) -> Result<Value, String> {
    let reference = options().reference(field);
    let one = |text: &str| match &reference {
        Some(reference) => Ok(Value::String(names::expand(text, reference, place.workspace))),
        None => read::flag(&field.kind(), text, place),
    };
    if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
        let entries = texts.iter().map(|text| literal::entry(&entry, text, place.zone));
        return entries.collect::<Result<_, _>>().map(Value::Map);
    }
    if field.is_list() {
        return texts.iter().map(|text| one(text)).collect::<Result<_, _>>().map(Value::List);
    }
    texts.last().map_or_else(|| Err("needs a value".to_owned()), |text| one(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Command;
    use serde_json::json;
    use waymark_proto::descriptors;

    fn read_line(message: &str, line: &[&str]) -> Result<(serde_json::Value, Vec<String>)> {
        let of = descriptors().get_message_by_name(message).unwrap();
        let leaves = leaves(&of, "t", |field| field.name() != "name");
        let command = Command::new("t").args(args(&leaves, "Fields"));
        let matches = command.try_get_matches_from([&["t"], line].concat())?;
        let mut message = DynamicMessage::new(of);
        let place = Place { workspace: "acme", zone: Tz::UTC };
        let set = read(&matches, &leaves, &place, &mut message)?;
        Ok((super::super::json::of(&message)?, set))
    }

    const PRODUCT: &str = "waymark.roadmap.v1.Product";

    #[test]
    fn fields_become_flags() {
        let line = [
            "--display-name",
            "App",
            "--lifecycle",
            "growing",
            "--labels",
            "team=core",
            "--labels",
            "tier=1",
            "--vision",
            "",
        ];
        let (json, set) = read_line(PRODUCT, &line).unwrap();
        assert_eq!(
            json,
            json!({"displayName": "App", "lifecycle": "PRODUCT_LIFECYCLE_GROWING", "labels": {"team": "core", "tier": "1"}})
        );
        assert_eq!(
            set,
            ["display_name", "labels", "vision", "lifecycle"],
            "an empty text is a value: it clears the field"
        );
    }

    #[test]
    fn enums_are_checked_with_their_values_named() {
        let error = read_line(PRODUCT, &["--lifecycle", "dead"]).unwrap_err().to_string();
        assert!(error.contains("exploring") && error.contains("retiring"), "{error}");
        assert!(!error.contains("unspecified"), "{error}");
    }

    #[test]
    fn only_one_of_a_oneof() {
        let as_of = "waymark.common.v1.AsOf";
        let (json, set) = read_line(as_of, &["--time", "2026-01-31"]).unwrap();
        assert_eq!((json, set), (json!({"time": "2026-01-31T00:00:00Z"}), vec!["time".to_owned()]));
        let error = read_line(as_of, &["--time", "2026-01-31", "--revision", "4"]).unwrap_err().to_string();
        assert!(error.contains("only one of"), "{error}");
    }

    #[test]
    fn a_time_is_of_the_zone_beside_it() {
        let request = "waymark.metrics.v1.QueryTrendRequest";
        let day = ["--settings.start-time", "2026-01-31"];
        let (json, _) = read_line(request, &[&day[..], &["--settings.time-zone", "Europe/Berlin"]].concat()).unwrap();
        assert_eq!(json["settings"]["startTime"], "2026-01-30T23:00:00Z");
        let (json, _) = read_line(request, &day).unwrap();
        assert_eq!(json["settings"]["startTime"], "2026-01-31T00:00:00Z");
    }

    #[test]
    fn a_zero_that_is_said_is_not_left_out() {
        let request = "waymark.discovery.v1.ConcludeAssumptionTestRequest";
        let (json, set) = read_line(request, &["--result.value", "0"]).unwrap();
        assert_eq!((&json["result"]["value"], set), (&json!(0.0), vec!["result.value".to_owned()]));
        let metric = "waymark.metrics.v1.Metric";
        let (json, set) = read_line(metric, &["--alert.threshold", "5", "--alert.condition", "below"]).unwrap();
        assert_eq!(
            (&json["alert"]["threshold"], &json["alert"]["condition"]),
            (&json!(5.0), &json!("ALERT_CONDITION_BELOW"))
        );
        assert_eq!(set, ["alert.threshold", "alert.condition"]);
    }

    #[test]
    fn nested_messages_have_dotted_flags() {
        let request = "waymark.roadmap.v1.CreateProductRequest";
        let (json, set) = read_line(
            request,
            &["--product", r#"{"vision": "a"}"#, "--product.display-name", "App", "--validate-only"],
        )
        .unwrap();
        assert_eq!(json, json!({"product": {"vision": "a", "displayName": "App"}, "validateOnly": true}));
        assert_eq!(set, ["product", "product.display_name", "validate_only"]);
    }

    #[test]
    fn repeated_messages_repeat_their_flag() {
        let request = "waymark.roadmap.v1.BatchCreateProductsRequest";
        let (json, _) =
            read_line(request, &["--requests", "product_id=a", "--requests", r#"{"productId": "b"}"#]).unwrap();
        assert_eq!(json["requests"], json!([{"productId": "a"}, {"productId": "b"}]));
    }
}
