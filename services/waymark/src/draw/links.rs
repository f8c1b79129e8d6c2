//! `waymark links`: what a resource refers to and what refers to it, in all three services.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Result, bail};
use clap::Args;
use tonic::Code;
use waymark_client::Error;
use waymark_proto::graph::v1 as pb;
use waymark_proto::graph::v1::graph_service_client::GraphServiceClient;

use super::branches::Branch;
use super::words;
use crate::Usage;
use crate::generic::contract::{Area, contract};
use crate::generic::json;
use crate::generic::names::kebab;
use crate::generic::output::Format;
use crate::settings::Settings;

/// Options of `waymark links`.
#[derive(Debug, Args)]
pub struct Links {
    /// The resource, such as initiatives/saved-carts, metrics/outcomes/saved-carts or its name
    name: String,
    /// Show links of this way alone
    #[arg(long, value_enum)]
    direction: Option<Direction>,
    /// How many links to go along, at most 100
    #[arg(long, value_name = "STEPS", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=100))]
    depth: i32,
    /// Show at most this many of each service and direction; 0 for all
    #[arg(long, value_name = "LINKS", default_value_t = 100)]
    limit: usize,
}

/// Which way links are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Direction {
    /// What the resource refers to
    Outgoing,
    /// What refers to the resource
    Incoming,
}

/// What the services answered.
#[derive(Debug, Default)]
struct Found {
    outgoing: Vec<pb::Link>,
    incoming: Vec<pb::Link>,
    /// Services that did not answer.
    unanswered: BTreeSet<Area>,
    /// Whether there are more than were asked for.
    more: bool,
}

/// Draws the links of a resource.
pub async fn run(options: &Links, settings: &Settings) -> Result<()> {
    let (area, name) = full_name(&options.name, &settings.parent()?)?;
    let mut found = Found::default();
    if options.direction != Some(Direction::Incoming) {
        found.ask(area, &name, pb::LinkDirection::Outgoing, options, settings).await?;
    }
    if options.direction != Some(Direction::Outgoing) {
        for area in Area::ALL {
            found.ask(area, &name, pb::LinkDirection::Incoming, options, settings).await?;
        }
    }
    match settings.format()? {
        Format::Json => crate::show(format_args!("{}", serde_json::to_string_pretty(&found.json()?)?)),
        Format::Yaml => crate::show(format_args!("{}", json::yaml(&found.json()?)?.trim_end())),
        Format::Table => crate::show(format_args!("{}", found.draw(&name))),
    }
    for area in &found.unanswered {
        eprintln!("{area} does not answer: its links are missing");
    }
    if found.more {
        eprintln!("there are more; --limit 0 shows all");
    }
    Ok(())
}

impl Found {
    async fn ask(
        &mut self,
        area: Area,
        name: &str,
        direction: pb::LinkDirection,
        options: &Links,
        settings: &Settings,
    ) -> Result<()> {
        if self.unanswered.contains(&area) {
            return Ok(());
        }
        let mut client = GraphServiceClient::new(settings.channel(area)?);
        let limit = if options.limit == 0 { usize::MAX } else { options.limit };
        let (mut links, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListLinksRequest {
                name: name.to_owned(),
                direction: direction.into(),
                field: String::new(),
                depth: options.depth,
                // At most a page, which fits i32.
                page_size: (limit - links.len()).min(1_000) as i32,
                page_token,
            };
            let page = match client.list_links(request).await {
                Ok(page) => page.into_inner(),
                Err(status) if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) => {
                    self.unanswered.insert(area);
                    break;
                }
                Err(status) => return Err(Error::from(status).into()),
            };
            links.extend(page.links);
            page_token = page.next_page_token;
            if page_token.is_empty() || links.len() >= limit {
                self.more |= !page_token.is_empty();
                break;
            }
        }
        join(if direction == pb::LinkDirection::Outgoing { &mut self.outgoing } else { &mut self.incoming }, links);
        Ok(())
    }

    fn json(&self) -> Result<serde_json::Value> {
        let unanswered: Vec<&str> = self.unanswered.iter().map(|area| area.name()).collect();
        Ok(serde_json::json!({
            "outgoing": serde_json::to_value(&self.outgoing)?,
            "incoming": serde_json::to_value(&self.incoming)?,
            "unanswered": unanswered,
        }))
    }

    fn draw(&self, name: &str) -> String {
        let mut display_names = BTreeMap::new();
        for link in self.outgoing.iter().chain(&self.incoming) {
            for (end, display_name) in [(&link.from, &link.from_display_name), (&link.to, &link.to_display_name)] {
                if !display_name.is_empty() {
                    display_names.insert(end.as_str(), display_name.as_str());
                }
            }
        }
        let mut children = Vec::new();
        for (links, arrow) in [(&self.outgoing, '→'), (&self.incoming, '←')] {
            let mut below: BTreeMap<&str, Vec<&pb::Link>> = BTreeMap::new();
            for link in links {
                below.entry(if arrow == '→' { &link.from } else { &link.to }).or_default().push(link);
            }
            let walk = Walk { arrow, below, display_names: &display_names };
            children.extend(walk.branches(name, &mut BTreeSet::new()));
        }
        if children.is_empty() {
            children.push(Branch::leaf("no links"));
        }
        Branch { text: titled(name, &display_names), children }.draw()
    }
}

/// Adds links, each once: what refers to a resource is known where it is kept and where it is mirrored.
fn join(known: &mut Vec<pb::Link>, links: Vec<pb::Link>) {
    let key = |link: &pb::Link| (link.from.clone(), link.field.clone(), link.to.clone());
    let mut places: HashMap<_, _> = known.iter().enumerate().map(|(place, link)| (key(link), place)).collect();
    for link in links {
        let Some(same) = places.get(&key(&link)).and_then(|place| known.get_mut(*place)) else {
            places.insert(key(&link), known.len());
            known.push(link);
            continue;
        };
        same.holds |= link.holds;
        for (name, other) in
            [(&mut same.from_display_name, link.from_display_name), (&mut same.to_display_name, link.to_display_name)]
        {
            if name.is_empty() {
                *name = other;
            }
        }
    }
}

/// Links of one direction, by the end that is nearer.
struct Walk<'a> {
    arrow: char,
    below: BTreeMap<&'a str, Vec<&'a pb::Link>>,
    display_names: &'a BTreeMap<&'a str, &'a str>,
}

impl<'a> Walk<'a> {
    /// The links of a resource, by field. What was shown before is not gone into again.
    fn branches(&self, name: &'a str, shown: &mut BTreeSet<&'a str>) -> Vec<Branch> {
        if !shown.insert(name) {
            return Vec::new();
        }
        let mut links = self.below.get(name).cloned().unwrap_or_default();
        links.sort_by_key(|link| &link.field);
        let branch = |link: &'a pb::Link| {
            let far = if self.arrow == '→' { &link.to } else { &link.from };
            let holds = if link.holds { ", holds" } else { "" };
            let text = format!("{} {}{holds}  {}", self.arrow, link.field, titled(far, self.display_names));
            Branch { text, children: self.branches(far, shown) }
        };
        links.into_iter().map(branch).collect()
    }
}

/// A resource by its display name, where it is known, and in a form that the command takes.
fn titled(full_name: &str, display_names: &BTreeMap<&str, &str>) -> String {
    let short = match words::parts(full_name) {
        Some((service, collection, id)) => format!("[{service}/{collection}/{id}]"),
        None => full_name.to_owned(),
    };
    display_names.get(full_name).map(|name| format!("{name}  {short}")).unwrap_or(short)
}

/// The service of what was typed, and its full name.
fn full_name(text: &str, parent: &str) -> Result<(Area, String)> {
    let usage = |problem: String| Usage(format!("{text:?} {problem}"));
    if let Some((service, ..)) = words::parts(text) {
        let area = Area::ALL.into_iter().find(|area| area.name() == service);
        return Ok((area.ok_or_else(|| usage("is of none of the three services".to_owned()))?, text.to_owned()));
    }
    let mut rest: Vec<&str> = text.trim_start_matches("workspaces/").split('/').collect();
    let parent = match rest.as_slice() {
        [workspace, _, _] if text.starts_with("workspaces/") => format!("workspaces/{workspace}"),
        _ => parent.to_owned(),
    };
    let id = rest.pop().unwrap_or_default();
    let Some(collection) = rest.pop() else {
        bail!(usage("may be of several collections; write COLLECTION/ID, such as initiatives/saved-carts".to_owned()))
    };
    let named = rest.pop().filter(|_| !text.starts_with("workspaces/"));
    let is_named = |area: Area| named.is_none_or(|named| named == area.name());
    let holders: Vec<_> = contract()
        .resources
        .iter()
        .filter(|of| of.collection == collection || kebab(&of.collection) == collection)
        .filter(|of| is_named(of.area))
        .collect();
    match holders.as_slice() {
        [of] => Ok((of.area, format!("//{}.waymark.dev/{parent}/{}/{id}", of.area, of.collection))),
        [] => bail!(usage("is in no collection of the three services".to_owned())),
        several => {
            let forms: Vec<_> = several.iter().map(|of| format!("{}/{collection}/{id}", of.area)).collect();
            bail!(usage(format!("may be of several services; write {}", forms.join(" or "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(from: &str, field: &str, to: &str, distance: i32) -> pb::Link {
        let full = |name: &str| format!("//{}", name.replacen('/', ".waymark.dev/workspaces/w/", 1));
        let (from_display_name, to_display_name) = (from.to_uppercase(), String::new());
        let (from, to, field) = (full(from), full(to), field.into());
        pb::Link { from, from_display_name, field, to, to_display_name, holds: distance > 1, distance }
    }

    #[test]
    fn links_are_drawn_both_ways_and_cycles_end() {
        let found = Found {
            outgoing: vec![
                link("roadmap/initiatives/a", "product", "roadmap/products/p", 1),
                link("roadmap/initiatives/a", "dependencies", "roadmap/initiatives/b", 1),
                link("roadmap/initiatives/b", "dependencies", "roadmap/initiatives/a", 2),
            ],
            incoming: vec![link("metrics/outcomes/a", "initiative", "roadmap/initiatives/a", 1)],
            ..Found::default()
        };
        let text = found.draw("//roadmap.waymark.dev/workspaces/w/initiatives/a");
        let expected = "ROADMAP/INITIATIVES/A  [roadmap/initiatives/a]
├─ → dependencies  ROADMAP/INITIATIVES/B  [roadmap/initiatives/b]
│  └─ → dependencies, holds  ROADMAP/INITIATIVES/A  [roadmap/initiatives/a]
├─ → product  [roadmap/products/p]
└─ ← initiative  METRICS/OUTCOMES/A  [metrics/outcomes/a]";
        assert_eq!(text, expected);
    }

    #[test]
    fn names_are_found_in_their_service() {
        let name = |text: &str| full_name(text, "workspaces/w").map(|(area, name)| format!("{area} {name}"));
        let carts = "roadmap //roadmap.waymark.dev/workspaces/w/initiatives/carts";
        for text in ["initiatives/carts", "roadmap/initiatives/carts", "workspaces/w/initiatives/carts", &carts[8..]] {
            assert_eq!(name(text).unwrap(), carts, "{text}");
        }
        assert!(name("assumption-tests/x").unwrap().ends_with("/assumptionTests/x"));
        assert!(name("outcomes/x").unwrap_err().to_string().contains("discovery/outcomes/x or metrics/outcomes/x"));
        assert!(name("metrics/outcomes/x").unwrap().starts_with("metrics"));
        assert!(name("carts").is_err() && name("carts/x").is_err() && name("roadmap/insights/x").is_err());
    }
}
