//! `waymark events`: the logs of the services, read as they grow, and what operators do about events that did not get
//! through.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use futures::{StreamExt as _, stream};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use waymark_client::{Channel, Error, Start, Update, Watch};
use waymark_proto::events::v1 as pb;
use waymark_proto::events::v1::events_service_client::EventsServiceClient;
use waymark_proto::{descriptors, event};

use crate::generic::contract::Area;
use crate::generic::names::short;
use crate::generic::output::{Format, Style};
use crate::generic::{dates, json, output};
use crate::settings::Settings;
use crate::{Usage, zone};
use waymark_domain::text::nearest;

/// What can be done with events.
#[derive(Debug, Subcommand)]
pub enum Events {
    /// Show events as they happen; goes on through restarts of the services, without gap or repeat
    Tail(Tail),
    /// List events, oldest first
    List(List),
    /// Publish events again from a revision on, as after the loss of the broker's store
    Republish {
        /// The service whose events
        #[arg(long)]
        service: Area,
        /// The first revision to publish again
        #[arg(long, value_name = "REVISION", default_value_t = 1)]
        from_revision: i64,
    },
    /// Look after events that a service received and could not handle
    #[command(subcommand)]
    DeadLetters(DeadLetters),
}

/// Options of `tail`.
#[derive(Debug, Args)]
pub struct Tail {
    /// Only this service's events; may be repeated
    #[arg(long)]
    service: Vec<Area>,
    /// Only this type, such as InitiativeShipped; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only events of this resource, such as initiatives/saved-carts; may be repeated
    #[arg(long, value_name = "NAME")]
    subject: Vec<String>,
    /// Begin after this revision; needs --service, as each service counts its own
    #[arg(long, value_name = "REVISION", requires = "service", conflicts_with_all = ["earliest", "snapshot"])]
    after: Option<i64>,
    /// Begin with the earliest event that is kept
    #[arg(long, conflicts_with = "snapshot")]
    earliest: bool,
    /// Begin with the latest event of every resource
    #[arg(long)]
    snapshot: bool,
}

/// Options of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only this service's events; may be repeated
    #[arg(long)]
    service: Vec<Area>,
    /// AIP-160 filter over type, subject, collection, actor, revision, time, request_id, causation_id
    #[arg(long, default_value = "")]
    filter: String,
    /// Show at most this many of each service; 0 for all
    #[arg(long, value_name = "EVENTS", default_value_t = 100)]
    limit: usize,
}

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// List them, oldest first
    List {
        /// The service that could not handle them; all when not given
        #[arg(long)]
        service: Vec<Area>,
    },
    /// Handle one again; it disappears when that succeeds
    Redrive {
        /// The service that could not handle it
        #[arg(long)]
        service: Area,
        /// Its id or name, as listed
        name: String,
    },
    /// Discard one without handling it
    Delete {
        /// The service that could not handle it
        #[arg(long)]
        service: Area,
        /// Its id or name, as listed
        name: String,
    },
}

type Client = EventsServiceClient<Channel>;

fn client(settings: &Settings, area: Area) -> Result<Client> {
    Ok(EventsServiceClient::new(settings.channel(area)?).max_decoding_message_size(64 << 20))
}

fn areas(chosen: &[Area]) -> Vec<Area> {
    if chosen.is_empty() { Area::ALL.to_vec() } else { chosen.to_vec() }
}

/// Runs a command.
pub async fn run(events: Events, settings: &Settings) -> Result<()> {
    match events {
        Events::Tail(options) => tail(&options, settings).await,
        Events::List(options) => list(&options, settings).await,
        Events::Republish { service, from_revision } => {
            let request = pb::RepublishEventsRequest { parent: settings.parent()?, from_revision };
            let answer = client(settings, service)?.republish_events(request).await.map_err(Error::from)?;
            crate::show(format_args!("{} events of {service} will be published again", answer.get_ref().events));
            Ok(())
        }
        Events::DeadLetters(command) => dead_letters(command, settings).await,
    }
}

async fn tail(options: &Tail, settings: &Settings) -> Result<()> {
    let parent = settings.parent()?;
    if options.after.is_some() && options.service.len() != 1 {
        bail!(Usage("--after needs one --service: each service counts its own revisions".to_owned()));
    }
    let start = match options {
        Tail { after: Some(revision), .. } => Start::After(*revision),
        Tail { earliest: true, .. } => Start::Earliest,
        Tail { snapshot: true, .. } => Start::Snapshot,
        _ => Start::Now,
    };
    let subjects: Vec<String> = options.subject.iter().map(|name| full(&parent, name)).collect();
    let mut watches = Vec::new();
    let types = types(&options.types)?;
    for area in areas(&options.service) {
        let own = types.iter().filter(|name| event::of_service(name, area.name()));
        let own: Vec<String> = own.map(|name| (*name).to_owned()).collect();
        if own.is_empty() && !types.is_empty() {
            continue;
        }
        let watch = Watch::new(settings.channel(area)?, &parent, own, subjects.clone(), start);
        watches.push(Box::pin(stream::unfold(watch, move |mut watch| async move {
            Some(((area, watch.next().await), watch))
        })));
    }
    if watches.is_empty() {
        bail!(Usage(format!("none of these services announces {}", types.join(" or "))));
    }
    let mut updates = stream::select_all(watches);
    while let Some((area, update)) = updates.next().await {
        match update? {
            Update::Revision(_, events) | Update::Snapshot(events) => {
                for event in &events {
                    crate::show(format_args!("{}", line(area, event, settings.style()?)?));
                }
            }
            Update::SnapshotRestarted => {
                eprintln!("{area}: the connection was lost within the snapshot; it begins again");
            }
            Update::Checkpoint(_) => {}
        }
    }
    Ok(())
}

async fn list(options: &List, settings: &Settings) -> Result<()> {
    let parent = settings.parent()?;
    let limit = if options.limit == 0 { usize::MAX } else { options.limit };
    let filter = dates::completed(&options.filter, settings.zone());
    for area in areas(&options.service) {
        let mut client = client(settings, area)?;
        let (mut token, mut shown) = (String::new(), 0);
        loop {
            // At most a page, which fits i32.
            let page_size = limit.saturating_sub(shown).min(1_000) as i32;
            let request =
                pb::ListEventsRequest { parent: parent.clone(), page_size, page_token: token, filter: filter.clone() };
            let page = client.list_events(request).await.map_err(Error::from)?.into_inner();
            for event in &page.events {
                crate::show(format_args!("{}", line(area, event, settings.style()?)?));
            }
            shown += page.events.len();
            token = page.next_page_token;
            if token.is_empty() || shown >= limit {
                break;
            }
        }
        if !token.is_empty() {
            eprintln!("{area} has more; --limit 0 shows all");
        }
    }
    Ok(())
}

async fn dead_letters(command: DeadLetters, settings: &Settings) -> Result<()> {
    let parent = settings.parent()?;
    let name = |id: &str| if id.contains('/') { id.to_owned() } else { format!("{parent}/deadLetters/{id}") };
    match command {
        DeadLetters::List { service } => {
            for area in areas(&service) {
                let mut token = String::new();
                loop {
                    let request =
                        pb::ListDeadLettersRequest { parent: parent.clone(), page_size: 1_000, page_token: token };
                    let page =
                        client(settings, area)?.list_dead_letters(request).await.map_err(Error::from)?.into_inner();
                    for letter in &page.dead_letters {
                        crate::show(format_args!("{}", letter_line(area, letter, settings.style()?)?));
                    }
                    token = page.next_page_token;
                    if token.is_empty() {
                        break;
                    }
                }
            }
        }
        DeadLetters::Redrive { service, name: id } => {
            let request = pb::RedriveDeadLetterRequest { name: name(&id) };
            client(settings, service)?.redrive_dead_letter(request).await.map_err(Error::from)?;
            crate::show(format_args!("{id} is handled"));
        }
        DeadLetters::Delete { service, name: id } => {
            let request = pb::DeleteDeadLetterRequest { name: name(&id) };
            client(settings, service)?.delete_dead_letter(request).await.map_err(Error::from)?;
            crate::show(format_args!("{id} is discarded"));
        }
    }
    Ok(())
}

fn full(parent: &str, name: &str) -> String {
    if name.starts_with("workspaces/") { name.to_owned() } else { format!("{parent}/{name}") }
}

/// The full names of event types.
fn types(names: &[String]) -> Result<Vec<&'static str>> {
    let known = || event::types().map(event::short);
    let named = |name: &String| {
        event::named("", name).map_err(|_| {
            let meant = nearest(name, known()).map(|meant| format!("did you mean {meant}? ")).unwrap_or_default();
            let all = known().collect::<Vec<_>>().join(", ");
            Usage(format!("{name:?} is not an event of the contract; {meant}those are {all}")).into()
        })
    };
    names.iter().map(named).collect()
}

/// A message of this crate's types as the generic output takes it; the pool knows the types in `Any`, so that JSON
/// shows them whole.
fn dynamic(name: &str, bytes: &[u8]) -> Result<DynamicMessage> {
    let Some(of) = descriptors().get_message_by_name(name) else { bail!("{name} is not in the contract") };
    Ok(DynamicMessage::decode(of, bytes)?)
}

fn line(area: Area, event: &pb::Event, style: Style) -> Result<String> {
    match style.format {
        Format::Table => Ok(row(area, event, style)),
        Format::Json | Format::Yaml => document(&dynamic("waymark.events.v1.Event", &event.encode_to_vec())?, style),
    }
}

/// One of many documents: a line of JSON, or YAML behind its mark.
fn document(message: &DynamicMessage, style: Style) -> Result<String> {
    match style.format {
        Format::Json => Ok(json::of(message)?.to_string()),
        Format::Yaml | Format::Table => Ok(format!("---\n{}", output::message(message, style)?)),
    }
}

fn row(area: Area, event: &pb::Event, style: Style) -> String {
    let time = zone::of(event.time.as_ref()).map(|time| zone::show(style.zone, time)).unwrap_or_default();
    let kind = event::short(&event.r#type);
    let subject = event.subject.splitn(3, '/').nth(2).unwrap_or(&event.subject);
    format!("{time}  {area:<9} {:>6}  {kind:<26} {subject:<40} {}", event.revision, event.actor)
}

fn letter_line(area: Area, letter: &pb::DeadLetter, style: Style) -> Result<String> {
    if style.format != Format::Table {
        return document(&dynamic("waymark.events.v1.DeadLetter", &letter.encode_to_vec())?, style);
    }
    let event = letter.event.as_ref().map(|event| format!("{} of {}", event.r#type, event.subject)).unwrap_or_default();
    let id = short(&letter.name);
    Ok(format!(
        "{area:<9} {id}  from {}: {event}\n          {} attempts, the last failed: {}",
        letter.source, letter.attempts, letter.error
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pbjson_types::Any;
    use waymark_proto::roadmap::v1 as roadmap;

    #[test]
    fn an_event_is_shown_with_its_data() {
        let data = roadmap::ProductCreated {
            product: Some(roadmap::Product { display_name: "App".into(), ..Default::default() }),
            change: None,
        };
        let data = Any {
            type_url: "type.googleapis.com/waymark.roadmap.v1.ProductCreated".into(),
            value: data.encode_to_vec().into(),
        };
        let event = pb::Event {
            revision: 7,
            r#type: "waymark.roadmap.v1.ProductCreated".into(),
            subject: "workspaces/acme/products/app".into(),
            actor: "users/ada".into(),
            time: Some(waymark_proto::Timestamp { seconds: 1_772_319_600, nanos: 0 }),
            data: Some(data),
            ..Default::default()
        };
        let text = line(Area::Roadmap, &event, style(Format::Json)).unwrap();
        assert!(text.contains(r#""displayName":"App""#), "{text}");
        let row = line(Area::Roadmap, &event, style(Format::Table)).unwrap();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>(),
            ["2026-03-01", "00:00:00+01:00", "roadmap", "7", "ProductCreated", "products/app", "users/ada"]
        );
        let columns = |area| line(area, &event, style(Format::Table)).unwrap().find("ProductCreated");
        assert_eq!(columns(Area::Roadmap), columns(Area::Discovery), "rows of all services stand in columns");
    }

    fn style(format: Format) -> Style {
        Style { format, zone: chrono_tz::Tz::Europe__Berlin }
    }

    #[test]
    fn names_and_types_are_completed() {
        assert_eq!(full("workspaces/w", "products/app"), "workspaces/w/products/app");
        let given = ["initiative-shipped", "waymark.metrics.v1.MetricBreached"].map(str::to_owned);
        assert_eq!(
            types(&given).unwrap(),
            ["waymark.roadmap.v1.InitiativeShipped", "waymark.metrics.v1.MetricBreached"]
        );
        let unknown = types(&["InitiativeShippd".to_owned()]).unwrap_err().to_string();
        assert!(
            unknown.contains("did you mean InitiativeShipped? those are ") && unknown.contains("MetricBreached"),
            "{unknown}"
        );
    }
}
