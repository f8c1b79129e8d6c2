//! `waymark audit`: what the services decided about calls, and what their processes did to what they decide by.

use anyhow::{Result, bail};
use clap::Args;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use waymark_client::Error;
use waymark_proto::access::v1 as pb;
use waymark_proto::access::v1::access_service_client::AccessServiceClient;
use waymark_proto::descriptors;

use crate::generic::contract::Area;
use crate::generic::output::{Format, Style};
use crate::generic::{dates, json, output};
use crate::settings::Settings;
use crate::zone;

/// Options of `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// Only this service's entries; may be repeated
    #[arg(long)]
    service: Vec<Area>,
    /// AIP-160 filter over time, principal, decision, action, reason, peer, issuer, token_id, user_agent, request_id,
    /// trace_id and count
    #[arg(long, default_value = "")]
    filter: String,
    /// Show at most this many of each service; 0 for all
    #[arg(long, value_name = "ENTRIES", default_value_t = 100)]
    limit: usize,
}

/// Shows entries, newest first.
pub async fn run(options: &Audit, settings: &Settings) -> Result<()> {
    let (parent, style) = (settings.parent()?, settings.style()?);
    let limit = if options.limit == 0 { usize::MAX } else { options.limit };
    let filter = dates::completed(&options.filter, settings.zone());
    let areas = if options.service.is_empty() { Area::ALL.to_vec() } else { options.service.clone() };
    for area in areas {
        let mut client = AccessServiceClient::new(settings.channel(area)?).max_decoding_message_size(64 << 20);
        let (mut page_token, mut shown) = (String::new(), 0);
        loop {
            // At most a page, which fits i32.
            let page_size = limit.saturating_sub(shown).min(1_000) as i32;
            let (parent, filter) = (parent.clone(), filter.clone());
            let request = pb::ListAuditEntriesRequest { parent, page_size, page_token, filter };
            let page = client.list_audit_entries(request).await.map_err(Error::from)?.into_inner();
            for entry in &page.entries {
                crate::show(format_args!("{}", line(area, entry, style)?));
            }
            shown += page.entries.len();
            page_token = page.next_page_token;
            if page_token.is_empty() || shown >= limit {
                break;
            }
        }
        if !page_token.is_empty() {
            eprintln!("{area} has more; --limit 0 shows all");
        }
    }
    Ok(())
}

fn line(area: Area, entry: &pb::AuditEntry, style: Style) -> Result<String> {
    if style.format == Format::Table {
        return Ok(row(area, entry, style));
    }
    let name = "waymark.access.v1.AuditEntry";
    let Some(of) = descriptors().get_message_by_name(name) else { bail!("{name} is not in the contract") };
    let message = DynamicMessage::decode(of, entry.encode_to_vec().as_slice())?;
    match style.format {
        Format::Json => Ok(json::of(&message)?.to_string()),
        Format::Yaml | Format::Table => Ok(format!("---\n{}", output::message(&message, style)?)),
    }
}

fn row(area: Area, entry: &pb::AuditEntry, style: Style) -> String {
    let time = zone::of(entry.time.as_ref()).map(|time| zone::show(style.zone, time)).unwrap_or_default();
    let decision = entry.decision().as_str_name().trim_start_matches("AUDIT_DECISION_");
    let action = entry.action.rsplit('/').next().unwrap_or_default();
    let unknown = |text: &'_ str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let [who, peer] = [&entry.principal, &entry.peer].map(|text| unknown(text));
    let times = if entry.count > 1 { format!("  {} times", entry.count) } else { String::new() };
    let row = format!("{time}  {area:<9} {decision:<7} {action:<28} {who:<32} {peer:<15} {}{times}", entry.reason);
    row.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_row_or_a_document() {
        let entry = pb::AuditEntry {
            time: Some(waymark_proto::Timestamp { seconds: 1_772_319_600, nanos: 0 }),
            action: "waymark.events.v1.EventsService/ListDeadLetters".into(),
            decision: pb::AuditDecision::Refused.into(),
            peer: "192.0.2.1".into(),
            reason: "UNAUTHENTICATED:expired".into(),
            count: 7,
            ..pb::AuditEntry::default()
        };
        let style = |format| Style { format, zone: chrono_tz::Tz::Europe__Berlin };
        let row = line(Area::Roadmap, &entry, style(Format::Table)).unwrap();
        let words: Vec<_> = row.split_whitespace().skip(2).collect();
        let said = ["roadmap", "REFUSED", "ListDeadLetters", "-", "192.0.2.1", "UNAUTHENTICATED:expired", "7", "times"];
        assert_eq!(words, said);
        let json: serde_json::Value =
            serde_json::from_str(&line(Area::Roadmap, &entry, style(Format::Json)).unwrap()).unwrap();
        assert_eq!(
            (json["decision"].as_str(), json["count"].as_str()),
            (Some("AUDIT_DECISION_REFUSED"), Some("7")),
            "{json}"
        );
    }
}
