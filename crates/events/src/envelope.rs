//! An event's form outside: the contract's `Event`, a CloudEvent on NATS (1.0.2, binary mode), and back.

use async_nats::HeaderMap;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use pbjson_types::Any;
use uuid::Uuid;
use waymark_proto::convert::timestamp;
use waymark_proto::{event, events::v1 as pb};
use waymark_runtime::config::EventFormat;
use waymark_store::{LogRow, Received};

/// Bytes of a message beside what is set here: the relay's own headers, the protocol's framing.
const RESERVE: usize = 1_024;

/// What is wrong with an event that arrived, or that cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The payload does not fit the type.
    #[error(transparent)]
    Event(#[from] event::EventError),
    /// A header is missing or malformed.
    #[error("the header {0} is missing or malformed")]
    Header(&'static str),
    /// The payload was too large for the broker and has to be fetched from the service.
    #[error("the payload was left out as too large; fetch {0} from its service")]
    Omitted(String),
}

/// The JetStream stream of a service's events.
pub fn stream_name(service: &str) -> String {
    format!("WAYMARK_{}", service.to_uppercase())
}

/// `waymark.<service>.<workspace>.<collection>.<id>.<verb>`
pub fn subject(service: &str, row: &LogRow) -> String {
    let LogRow { workspace, collection, resource_id, event_type, .. } = row;
    // A newer replica may have written an event that this one does not know; its type still tells it apart.
    let verb = event::subject(event_type)
        .map_or_else(|| event_type.rsplit('.').next().unwrap_or(event_type), |(_, verb)| verb);
    let workspace = workspace.id();
    format!("waymark.{service}.{workspace}.{collection}.{resource_id}.{verb}")
}

/// The subjects of one event type, in one workspace or in all; `None` when the contract has no such event.
pub(crate) fn subject_filter(service: &str, workspace: Option<&str>, event_type: &str) -> Option<String> {
    let workspace = workspace.unwrap_or("*");
    event::subject(event_type).map(|(collection, verb)| format!("waymark.{service}.{workspace}.{collection}.*.{verb}"))
}

/// The workspace of a subject.
pub(crate) fn workspace_of(subject: &str) -> Option<waymark_domain::WorkspaceId> {
    waymark_domain::WorkspaceId::from_id(subject.split('.').nth(2)?).ok()
}

/// The contract's form of a log row.
pub(crate) fn to_proto(row: &LogRow) -> Result<pb::Event, EnvelopeError> {
    let value = event::to_bytes(&row.event_type, &row.data)?;
    Ok(pb::Event {
        name: format!("{}/events/{}", row.workspace, row.event_id),
        uid: row.event_id.to_string(),
        revision: row.revision,
        ordinal: row.ordinal,
        r#type: row.event_type.clone(),
        subject: row.subject(),
        time: Some(timestamp(row.time)),
        actor: row.actor.clone(),
        request_id: row.request_id.clone().unwrap_or_default(),
        causation_id: row.causation_id.clone().unwrap_or_default(),
        traceparent: row.traceparent.clone().unwrap_or_default(),
        data: Some(Any { type_url: format!("type.googleapis.com/{}", row.event_type), value: value.into() }),
    })
}

/// The contract's form of an event that was received. What a consumer is not told (request id, ordinal) stays empty.
pub(crate) fn received_to_proto(event: &Received) -> pb::Event {
    // Data that was left out, or that this version cannot encode, stays out; the operator still sees which event it is.
    let value = waymark_proto::event::to_bytes(&event.event_type, &event.data).ok();
    pb::Event {
        name: format!("{}/events/{}", event.workspace, event.event_id),
        uid: event.event_id.to_string(),
        revision: event.revision,
        r#type: event.event_type.clone(),
        subject: event.subject.clone(),
        time: Some(timestamp(event.time)),
        actor: event.actor.clone(),
        traceparent: event.traceparent.clone().unwrap_or_default(),
        data: value
            .map(|value| Any { type_url: format!("type.googleapis.com/{}", event.event_type), value: value.into() }),
        ..pb::Event::default()
    }
}

/// What a consumer in this process gets of a log row.
pub(crate) fn to_received(source: &str, row: LogRow) -> Received {
    Received {
        source: source.to_owned(),
        revision: row.revision,
        event_id: row.event_id,
        subject: row.subject(),
        workspace: row.workspace,
        event_type: row.event_type,
        time: row.time,
        actor: row.actor,
        traceparent: row.traceparent,
        data: row.data,
    }
}

fn workspace(id: &str) -> Result<waymark_domain::WorkspaceId, EnvelopeError> {
    waymark_domain::WorkspaceId::from_id(id).map_err(|_| EnvelopeError::Header("ce-source"))
}

/// Headers and payload of a log row on NATS, together at most `limit` bytes. A payload that is too large, or that this
/// version cannot encode, is left out and `ce-dataref` says where to fetch it, so that one event cannot hold up the
/// others.
pub(crate) fn to_nats(service: &str, row: &LogRow, format: EventFormat, limit: usize) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    let mut size = RESERVE;
    let mut set = |name: &'static str, value: &str| {
        let value = escape(value);
        size += name.len() + value.len() + 4;
        headers.insert(name, value.as_str());
    };
    set("ce-specversion", "1.0");
    set("ce-id", &row.event_id.to_string());
    set("ce-source", &format!("//{service}.waymark.dev/{}", row.workspace));
    set("ce-type", &row.event_type);
    set("ce-subject", &row.subject());
    set("ce-time", &row.time.to_rfc3339_opts(SecondsFormat::Micros, true));
    set("ce-sequence", &format!("{:020}", row.revision));
    set("ce-actor", &row.actor);
    if let Some(causation) = &row.causation_id {
        set("ce-causationid", causation);
    }
    if let Some(traceparent) = &row.traceparent {
        set("ce-traceparent", traceparent);
    }
    let (content_type, payload) = match format {
        EventFormat::Protobuf => ("application/protobuf", event::to_bytes(&row.event_type, &row.data).map(Bytes::from)),
        EventFormat::Json => ("application/json", Ok(Bytes::from(event::canonical(&row.event_type, &row.data)))),
    };
    set("ce-datacontenttype", content_type);
    set("Content-Type", content_type);
    let payload =
        payload.inspect_err(|error| tracing::error!(event = %row.event_id, %error, "published without its payload"));
    match payload {
        Ok(payload) if size + payload.len() <= limit => (headers, payload),
        _ => {
            headers.insert("ce-dataref", format!("{}/events/{}", row.workspace, row.event_id).as_str());
            (headers, Bytes::new())
        }
    }
}

/// An event that arrived from NATS; without its data, and why, when only the payload is at fault.
pub(crate) fn from_nats(
    headers: &HeaderMap,
    payload: &[u8],
) -> Result<(Received, Option<EnvelopeError>), EnvelopeError> {
    let find = |name: &'static str| headers.get(name).map(|v| unescape(v.as_str()));
    let get = |name: &'static str| find(name).ok_or(EnvelopeError::Header(name));
    let source = get("ce-source")?;
    let (host, workspace_id) = source
        .strip_prefix("//")
        .and_then(|rest| rest.split_once(".waymark.dev/workspaces/"))
        .ok_or(EnvelopeError::Header("ce-source"))?;
    let event_type = get("ce-type")?;
    let data = match (find("ce-dataref"), get("ce-datacontenttype")?.as_str()) {
        (Some(reference), _) => Err(EnvelopeError::Omitted(reference)),
        (None, "application/json") => {
            String::from_utf8(payload.to_vec()).map_err(|_| EnvelopeError::Header("ce-datacontenttype"))
        }
        (None, _) => event::to_json(&event_type, payload).map_err(Into::into),
    };
    let (data, fault) = match data {
        Ok(data) => (data, None),
        Err(fault) => (String::new(), Some(fault)),
    };
    let received = Received {
        source: host.to_owned(),
        workspace: workspace(workspace_id)?,
        revision: get("ce-sequence")?.parse().map_err(|_| EnvelopeError::Header("ce-sequence"))?,
        event_id: Uuid::parse_str(&get("ce-id")?).map_err(|_| EnvelopeError::Header("ce-id"))?,
        event_type,
        subject: get("ce-subject")?,
        time: DateTime::parse_from_rfc3339(&get("ce-time")?).map_err(|_| EnvelopeError::Header("ce-time"))?.to_utc(),
        actor: get("ce-actor")?,
        traceparent: find("ce-traceparent"),
        data,
    };
    Ok((received, fault))
}

/// Percent-encodes what may not stand in a header, as the CloudEvents protocol bindings ask.
fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b' ' | b'"' | b'%' | 0..=0x1f | 0x7f.. => text.extend(['%', hex(byte >> 4), hex(byte & 0xf)]),
            plain => text.push(char::from(plain)),
        }
    }
    text
}

fn hex(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase()
}

fn unescape(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(&byte) = bytes.get(i) {
        let hex = bytes
            .get(i + 1..i + 3)
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        if let (b'%', Some(value)) = (byte, hex) {
            decoded.push(value);
            i += 3;
        } else {
            decoded.push(byte);
            i += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(actor: &str) -> LogRow {
        LogRow {
            workspace: waymark_domain::WorkspaceId::from_id("acme").unwrap(),
            revision: 7,
            ordinal: 0,
            event_id: Uuid::from_u128(1),
            event_type: "waymark.roadmap.v1.ProductCreated".into(),
            collection: "products".into(),
            resource_id: "p".into(),
            time: DateTime::from_timestamp_micros(1_767_225_600_000_001).unwrap(),
            actor: actor.into(),
            request_id: None,
            causation_id: None,
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            data: r#"{"product":{"name":"workspaces/acme/products/p","displayName":"P"},"change":{"actor":"x"}}"#
                .into(),
        }
    }

    #[test]
    fn an_event_survives_the_journey_in_both_formats() {
        let sent = row("users/é 100% \"x\"\r\n");
        for format in [EventFormat::Protobuf, EventFormat::Json] {
            let (headers, payload) = to_nats("roadmap", &sent, format, 4_000);
            let (received, fault) = from_nats(&headers, &payload).unwrap();
            assert!(fault.is_none());
            assert_eq!(received, to_received("roadmap", sent.clone()));
        }
        assert_eq!(subject("roadmap", &sent), "waymark.roadmap.acme.products.p.created");
        assert_eq!(workspace_of(&subject("roadmap", &sent)), Some(sent.workspace.clone()));
        let filter = |workspace| subject_filter("roadmap", workspace, &sent.event_type).unwrap();
        assert_eq!(filter(None), "waymark.roadmap.*.products.*.created");
        assert_eq!(filter(Some("acme")), "waymark.roadmap.acme.products.*.created");
    }

    #[test]
    fn a_payload_above_the_limit_is_left_out_and_named() {
        for (row, limit) in [(row("a"), 10), (LogRow { data: "{".into(), ..row("a") }, 4_000)] {
            let (headers, payload) = to_nats("roadmap", &row, EventFormat::Protobuf, limit);
            assert!(payload.is_empty());
            let (received, fault) = from_nats(&headers, &payload).unwrap();
            assert_eq!((received.event_id, received.data.as_str()), (row.event_id, ""));
            assert!(fault.unwrap().to_string().contains("workspaces/acme/events/"));
        }
    }

    #[test]
    fn headers_of_others_do_not_panic() {
        for text in ["%", "%4", "%zz", "é%é", "%FF"] {
            let _ = unescape(text);
        }
        assert!(from_nats(&HeaderMap::new(), b"").is_err());
    }
}
