//! An entry as a line: an event on a target of its own, which the process writes as JSON whatever form its logs have.

use chrono::{DateTime, SecondsFormat, Utc};
use waymark_proto::access::v1::AuditEntry;

/// The tracing target of the lines.
pub const TARGET: &str = "audit";

/// Tells of an entry, with what is known.
pub(crate) fn tell(service: &str, entry: &AuditEntry) {
    let time = entry.time.and_then(|time| DateTime::<Utc>::try_from(time).ok());
    let latency = entry.latency.as_ref().map(|latency| latency.seconds as f64 + f64::from(latency.nanos) / 1e9);
    tracing::info!(
        target: TARGET,
        service,
        id = entry.id,
        time = time.map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true)),
        workspace = some(&entry.workspace),
        principal = some(&entry.principal),
        issuer = some(&entry.issuer),
        token_id = some(&entry.token_id),
        peer = some(&entry.peer),
        user_agent = some(&entry.user_agent),
        action = some(&entry.action),
        decision = entry.decision().as_str_name().trim_start_matches("AUDIT_DECISION_"),
        policies = some(&entry.policies.join(",")),
        reason = some(&entry.reason),
        request_id = some(&entry.request_id),
        trace_id = some(&entry.trace_id),
        latency,
        count = entry.count,
    );
}

/// What is known; the line says nothing of the rest.
fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
