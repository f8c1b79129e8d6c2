//! Exports of other products' analytics: from a line of one to a line of ours, whose members are called `user`, `event`,
//! `time`, `id`, `device`, `session` and `properties`. What is what is published in `IMPORTING.md`.

use chrono::{DateTime, SecondsFormat};

use super::mapping::content_hash;
use super::options::{EventsArgs, Form, Vendor};
use super::record::{Cells, Record, find};
use crate::exact::{self, Exact, Members};

/// What a line is.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// An event, under our names.
    Event(Record),
    /// It tells who is who, by a method of this name.
    Identity(String),
}

impl Vendor {
    /// Which column of ours is what, whoever wrote the file, and its form where its name does not say it.
    pub fn options(said: &EventsArgs) -> EventsArgs {
        let column = |name: &str| Some(name.to_owned());
        let mut input = said.input.clone();
        let is_parquet = input.file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
        input.format = input.format.or(Some(if is_parquet { Form::Parquet } else { Form::Jsonl }));
        EventsArgs {
            input,
            user: column("user"),
            event: column("event"),
            time: column("time"),
            id: column("id"),
            device: column("device"),
            session: column("session"),
            property: vec!["properties.*".to_owned()],
            ..said.clone()
        }
    }

    /// What a line says, or why it says nothing that is known.
    pub fn line(self, record: Record) -> Result<Line, String> {
        let Cells::Object(members) = &record.cells else {
            return Err("is no JSON object: exports are JSON lines or Parquet".to_owned());
        };
        let kind = match self {
            Self::Segment => segment(members),
            Self::Mixpanel => mixpanel(members),
            Self::Amplitude => amplitude(members),
            Self::Posthog => posthog(members),
        }?;
        Ok(match kind {
            Kind::Identity(method) => Line::Identity(method),
            Kind::Event(mut ours) => {
                // The same line is the same event, in every export of it.
                ours.entry("id".to_owned())
                    .or_insert_with(|| Exact::Text(format!("{:032x}", content_hash(&record.text))));
                Line::Event(Record { cells: Cells::Object(ours), ..record })
            }
        })
    }
}

enum Kind {
    Event(Members),
    Identity(String),
}

/// An event of ours, part by part.
#[derive(Default)]
struct Event {
    members: Members,
    properties: Members,
}

impl Event {
    /// Sets a part to the first of these values that says something.
    fn set<'a>(mut self, name: &str, values: impl IntoIterator<Item = Option<&'a Exact>>) -> Self {
        if let Some(value) = values.into_iter().flatten().find(|value| says(value)) {
            self.members.insert(name.to_owned(), value.clone());
        }
        self
    }

    fn property(mut self, name: &str, value: Option<&Exact>) -> Self {
        if let Some(value) = value.filter(|value| says(value)) {
            self.properties.entry(name.to_owned()).or_insert_with(|| value.clone());
        }
        self
    }

    /// All members of an object but these.
    fn properties(mut self, of: &Members, but: &[&str]) -> Self {
        let kept = of.iter().filter(|(name, _)| !but.contains(&name.as_str()));
        self.properties.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        self
    }

    fn kind(mut self) -> Kind {
        self.members.insert("properties".to_owned(), Exact::Object(self.properties));
        Kind::Event(self.members)
    }
}

fn says(value: &Exact) -> bool {
    match value {
        Exact::Null => false,
        Exact::Text(text) => !text.trim().is_empty(),
        Exact::Boolean(_) | Exact::Number(_) | Exact::List(_) | Exact::Object(_) => true,
    }
}

fn text<'a>(members: &'a Members, path: &str) -> Option<&'a str> {
    match find(members, path) {
        Some(Exact::Text(text)) => Some(text),
        _ => None,
    }
}

fn segment(line: &Members) -> Result<Kind, String> {
    let Some(kind) = text(line, "type") else { return Err("has no type, as every message of Segment does".to_owned()) };
    let event = match kind {
        "track" => find(line, "event").cloned(),
        "page" | "screen" => Some(Exact::Text(kind.to_owned())),
        "identify" | "alias" | "group" => return Ok(Kind::Identity(kind.to_owned())),
        other => {
            return Err(format!("is of type {other:?}: known are track, page, screen, identify, alias and group"));
        }
    };
    let anonymous = find(line, "anonymousId");
    let mut ours = Event::default()
        .set("event", [event.as_ref()])
        .set("user", [find(line, "userId"), anonymous])
        .set("device", [anonymous])
        .set("id", [find(line, "messageId")])
        .set("time", ["timestamp", "originalTimestamp", "receivedAt"].map(|name| find(line, name)));
    if let Some(Exact::Object(properties)) = line.get("properties") {
        ours = ours.properties(properties, &[]);
    }
    if kind != "track" {
        ours = ours.property("name", line.get("name")).property("category", line.get("category"));
    }
    Ok(ours
        .property("$user_agent", find(line, "context.userAgent"))
        .property("$lib", find(line, "context.library.name"))
        .kind())
}

fn mixpanel(line: &Members) -> Result<Kind, String> {
    const MAPPED: [&str; 5] = ["distinct_id", "time", "$insert_id", "$user_id", "$device_id"];
    let Some(Exact::Object(properties)) = line.get("properties") else {
        return Err("has no properties, as every event of Mixpanel does".to_owned());
    };
    if let Some(method @ ("$identify" | "$create_alias" | "$merge")) = text(line, "event") {
        return Ok(Kind::Identity(method.to_owned()));
    }
    let of = |name: &str| properties.get(name);
    let time = of("time").map(on_the_clock).transpose()?;
    Ok(Event::default()
        .set("event", [line.get("event")])
        .set("user", [of("$user_id"), of("distinct_id"), of("$device_id")])
        .set("device", [of("$device_id")])
        .set("id", [of("$insert_id")])
        .set("time", [time.as_ref()])
        .properties(properties, &MAPPED)
        .kind())
}

/// What the clock of the project shows at a time that Mixpanel tells, in seconds or, where asked for so, milliseconds.
/// Projects made before 2023 have another zone than UTC.
fn on_the_clock(time: &Exact) -> Result<Exact, String> {
    /// Seconds beyond are of the year 5138.
    const SECONDS: f64 = 1e11;
    let Exact::Number(digits) = time else { return Err(format!("properties.time: {time} is not a Unix time")) };
    let number: f64 = digits.parse().map_err(|_| format!("properties.time: {digits} is not a Unix time"))?;
    let per_second = if number.abs() < SECONDS { 1e6 } else { 1e3 };
    let moment = DateTime::from_timestamp_micros((number * per_second).round() as i64);
    let moment = moment.ok_or_else(|| format!("properties.time: {digits} is beyond all calendars"))?;
    Ok(Exact::Text(moment.to_rfc3339_opts(SecondsFormat::Micros, true).trim_end_matches('Z').to_owned()))
}

fn amplitude(line: &Members) -> Result<Kind, String> {
    let Some(event) = text(line, "event_type") else {
        return Err("has no event_type, as every event of Amplitude does".to_owned());
    };
    if matches!(event, "$identify" | "$groupidentify") {
        return Ok(Kind::Identity(event.to_owned()));
    }
    let device = find(line, "device_id");
    // -1 is an event out of any session.
    let session = find(line, "session_id").filter(|session| **session != Exact::Number("-1".to_owned()));
    let time = text(line, "event_time").map(in_utc);
    let mut ours = Event::default()
        .set("event", [find(line, "event_type")])
        .set("user", [find(line, "user_id"), device, find(line, "amplitude_id")])
        .set("device", [device])
        .set("session", [session])
        .set("id", [find(line, "$insert_id"), find(line, "uuid")])
        .set("time", [time.as_ref()]);
    if let Some(Exact::Object(properties)) = line.get("event_properties") {
        ours = ours.properties(properties, &[]);
    }
    for (name, from) in [
        ("$platform", "platform"),
        ("$os", "os_name"),
        ("$device_type", "device_type"),
        ("$version", "version_name"),
        ("$country", "country"),
        ("$language", "language"),
        ("$lib", "library"),
    ] {
        ours = ours.property(name, line.get(from));
    }
    Ok(ours.kind())
}

fn posthog(line: &Members) -> Result<Kind, String> {
    const MAPPED: [&str; 7] =
        ["distinct_id", "$device_id", "$session_id", "$set", "$set_once", "token", "$raw_user_agent"];
    let Some(event) = text(line, "event") else { return Err("has no event, as every line of PostHog does".to_owned()) };
    if matches!(event, "$identify" | "$create_alias" | "$merge_dangerously" | "$set" | "$groupidentify") {
        return Ok(Kind::Identity(event.to_owned()));
    }
    let empty = Members::new();
    let read;
    let properties = match line.get("properties") {
        Some(Exact::Object(properties)) => properties,
        // As its Parquet and its tables have them.
        Some(Exact::Text(json)) => {
            read = exact::object(json).map_err(|error| format!("properties: is not JSON: {error}"))?;
            &read
        }
        _ => &empty,
    };
    let of = |name: &str| properties.get(name);
    let time = text(line, "timestamp").map(in_utc);
    Ok(Event::default()
        .set("event", [line.get("event")])
        .set("user", [line.get("distinct_id"), of("distinct_id"), of("$device_id")])
        .set("device", [of("$device_id")])
        .set("session", [of("$session_id")])
        .set("id", [line.get("uuid")])
        .set("time", [time.as_ref()])
        .properties(properties, &MAPPED)
        .property("$user_agent", of("$raw_user_agent"))
        .kind())
}

/// A time that is in UTC where it states no offset.
fn in_utc(time: &str) -> Exact {
    let time = time.trim().replacen(' ', "T", 1);
    let states = time.get(10..).is_none_or(|clock| clock.contains(['Z', 'z', '+', '-']));
    Exact::Text(if states { time } else { time + "Z" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(vendor: Vendor, text: &str) -> Result<Line, String> {
        let cells = Cells::Object(exact::object(text).unwrap());
        vendor.line(Record { line: 1, text: text.to_owned(), cells })
    }

    fn event(vendor: Vendor, text: &str) -> String {
        match line(vendor, text).unwrap() {
            Line::Event(Record { cells: Cells::Object(members), .. }) => Exact::Object(members).to_string(),
            other => panic!("{other:?}"),
        }
    }

    fn identity(vendor: Vendor, text: &str) -> String {
        match line(vendor, text).unwrap() {
            Line::Identity(method) => method,
            other @ Line::Event(_) => panic!("{other:?}"),
        }
    }

    #[test]
    fn segments_messages() {
        let text = r#"{"type":"track","event":"Order Completed","userId":"u1","anonymousId":"a1","messageId":"m1",
            "timestamp":"2026-03-01T10:00:00.123Z","receivedAt":"2026-03-01T10:00:02Z","properties":{"total":49.5},
            "context":{"userAgent":"Mozilla","ip":"203.0.113.9","library":{"name":"analytics.js"}}}"#;
        assert_eq!(
            event(Vendor::Segment, text),
            r#"{"device":"a1","event":"Order Completed","id":"m1","properties":{"$lib":"analytics.js","$user_agent":"Mozilla","total":49.5},"time":"2026-03-01T10:00:00.123Z","user":"u1"}"#
        );
        let page = r#"{"type":"page","name":"Home","userId":"","anonymousId":"a1","receivedAt":"2026-03-01T10:00:02Z","messageId":"m2"}"#;
        assert_eq!(
            event(Vendor::Segment, page),
            r#"{"device":"a1","event":"page","id":"m2","properties":{"name":"Home"},"time":"2026-03-01T10:00:02Z","user":"a1"}"#
        );
        assert_eq!(identity(Vendor::Segment, r#"{"type":"identify","userId":"u1"}"#), "identify");
        assert!(line(Vendor::Segment, r#"{"type":"purchase"}"#).unwrap_err().contains("track, page"));
        assert!(line(Vendor::Segment, "{}").unwrap_err().contains("no type"));
    }

    #[test]
    fn mixpanels_events() {
        let text = r#"{"event":"Signup","properties":{"time":1618716477,"distinct_id":"u1","$insert_id":"i1","$device_id":"d1","plan":"team"}}"#;
        assert_eq!(
            event(Vendor::Mixpanel, text),
            r#"{"device":"d1","event":"Signup","id":"i1","properties":{"plan":"team"},"time":"2021-04-18T03:27:57.000000","user":"u1"}"#
        );
        let milliseconds =
            r#"{"event":"Signup","properties":{"time":1618716477250,"distinct_id":"u1","$insert_id":"i1"}}"#;
        assert!(event(Vendor::Mixpanel, milliseconds).contains(r#""time":"2021-04-18T03:27:57.250000""#));
        assert_eq!(identity(Vendor::Mixpanel, r#"{"event":"$identify","properties":{}}"#), "$identify");
        for (text, reason) in [
            (r#"{"event":"x"}"#, "no properties"),
            (r#"{"event":"x","properties":{"time":"soon"}}"#, "not a Unix time"),
            (r#"{"event":"x","properties":{"time":1e300}}"#, "beyond all calendars"),
        ] {
            assert!(line(Vendor::Mixpanel, text).unwrap_err().contains(reason), "{text}");
        }
    }

    #[test]
    fn amplitudes_events() {
        let text = r#"{"event_type":"play","user_id":null,"device_id":"d1","amplitude_id":7,"session_id":1772359200000,"$insert_id":"i1",
            "event_time":"2026-03-01 10:00:00.123000","event_properties":{"song":"x"},"platform":"iOS","ip_address":"203.0.113.9"}"#;
        assert_eq!(
            event(Vendor::Amplitude, text),
            r#"{"device":"d1","event":"play","id":"i1","properties":{"$platform":"iOS","song":"x"},"session":1772359200000,"time":"2026-03-01T10:00:00.123000Z","user":"d1"}"#
        );
        let out =
            r#"{"event_type":"play","user_id":"u","session_id":-1,"uuid":"x","event_time":"2026-03-01 10:00:00"}"#;
        assert_eq!(
            event(Vendor::Amplitude, out),
            r#"{"event":"play","id":"x","properties":{},"time":"2026-03-01T10:00:00Z","user":"u"}"#
        );
        assert_eq!(identity(Vendor::Amplitude, r#"{"event_type":"$identify"}"#), "$identify");
        assert!(line(Vendor::Amplitude, "{}").unwrap_err().contains("no event_type"));
    }

    #[test]
    fn posthogs_events() {
        let expected = r#"{"device":"d1","event":"$pageview","id":"0190","properties":{"$user_agent":"Mozilla","plan":"team"},"session":"s1","time":"2026-03-01T10:00:00.5+00:00","user":"u1"}"#;
        let properties =
            r#"{"$device_id":"d1","$session_id":"s1","$set":{"email":"x"},"$raw_user_agent":"Mozilla","plan":"team"}"#;
        let with = |properties: &str| {
            format!(
                r#"{{"uuid":"0190","event":"$pageview","distinct_id":"u1","timestamp":"2026-03-01 10:00:00.5+00:00","properties":{properties}}}"#
            )
        };
        assert_eq!(event(Vendor::Posthog, &with(properties)), expected);
        let quoted = serde_json::to_string(properties).unwrap();
        assert_eq!(event(Vendor::Posthog, &with(&quoted)), expected);
        assert!(line(Vendor::Posthog, &with(r#""{""#)).unwrap_err().contains("is not JSON"));
        assert_eq!(identity(Vendor::Posthog, r#"{"event":"$create_alias"}"#), "$create_alias");
        assert!(line(Vendor::Posthog, "{}").unwrap_err().contains("no event"));
    }

    #[test]
    fn a_line_without_an_id_has_the_same_one_every_time() {
        let text = r#"{"event":"x","properties":{"time":1618716477,"distinct_id":"u1"}}"#;
        assert_eq!(event(Vendor::Mixpanel, text), event(Vendor::Mixpanel, text));
        assert!(event(Vendor::Mixpanel, text).contains(r#""id":""#));
    }
}
