//! `waymark roadmap`: what is planned, now or as it stood, with what was expected and what came of it.

use std::collections::BTreeSet;

use anyhow::Result;
use chrono_tz::Tz;
use clap::Args;
use waymark_client::Error;
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;

use super::lanes::Lanes;
use super::plot::{self, Plot};
use super::words::{self, When};
use super::{roadmap_markdown, timeline};
use crate::generic::contract::Area;
use crate::generic::names::short;
use crate::settings::Settings;

/// Options of `waymark roadmap`.
#[derive(Debug, Default, Args)]
pub struct Roadmap {
    #[command(flatten)]
    when: When,
    /// Show how it stood in this snapshot
    #[arg(long, value_name = "SNAPSHOT", conflicts_with_all = ["as_of_revision", "as_of_time"])]
    as_of_snapshot: Option<String>,
    #[command(flatten)]
    lanes: Lanes,
    /// Only initiatives of this product
    #[arg(long, value_name = "PRODUCT")]
    product: Option<String>,
    /// Initiatives that are shown of each lane, at most 1,000
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    page_size: i32,
    /// Print it as Markdown, to be pasted into a document
    #[arg(long, conflicts_with = "plot")]
    markdown: bool,
    #[command(flatten)]
    plot: Plot,
}

/// Draws the roadmap.
pub async fn run(options: &Roadmap, settings: &Settings) -> Result<()> {
    let parent = settings.parent()?;
    let product =
        options.product.as_deref().map(|product| format!("{parent}/products/{}", short(product))).unwrap_or_default();
    let (as_of, page_size) = (options.when.position(settings.zone())?, options.page_size);
    let mut request = pb::GetRoadmapRequest { parent, as_of, product, page_size, ..Default::default() };
    if let Some(snapshot) = &options.as_of_snapshot {
        let name = format!("{}/snapshots/{}", request.parent, short(snapshot));
        request.as_of = Some(AsOf { position: Some(as_of::Position::Snapshot(name)) });
    }
    options.lanes.ask(&mut request, settings.zone())?;
    let mut client = RoadmapServiceClient::new(settings.channel(Area::Roadmap)?).max_decoding_message_size(64 << 20);
    let answer = client.get_roadmap(request).await.map_err(Error::from)?.into_inner();
    let (workspace, lanes) = (&*settings.title()?, &options.lanes);
    match options.plot.file() {
        Some(file) => return plot::write(file, &timeline::draw(&answer, workspace), "the roadmap is"),
        None if options.markdown => crate::show(format_args!("{}", roadmap_markdown::draw(&answer, lanes, workspace))),
        None => crate::show(format_args!("{}", draw(&answer, lanes, workspace, settings.zone()))),
    }
    Ok(())
}

fn draw(roadmap: &pb::GetRoadmapResponse, of: &Lanes, workspace: &str, zone: Tz) -> String {
    let mut lines = vec![format!("Roadmap of {workspace} at revision {}", roadmap.revision)];
    let shown = roadmap.lanes.iter().flat_map(|lane| &lane.initiatives);
    let shipped: BTreeSet<&str> =
        shown.filter(|initiative| initiative.ship_time.is_some()).map(|initiative| initiative.name.as_str()).collect();
    for lane in &roadmap.lanes {
        lines.push(format!("\n{}", of.heading(lane)));
        if lane.initiatives.is_empty() {
            lines.push("  –".to_owned());
        }
        for initiative in &lane.initiatives {
            let expected = initiative.expected_outcome.as_ref().map(|expected| &expected.metric);
            let metric = roadmap.metrics.iter().find(|known| Some(&known.metric) == expected);
            lines.extend(initiative_lines(initiative, metric, &shipped, zone));
        }
        lines.extend(more(&lane.next_page_token));
    }
    if !roadmap.next_lanes_token.is_empty() {
        lines.push("\n… and more lanes; --lanes shows more".to_owned());
    }
    if !roadmap.declined.is_empty() || !roadmap.next_declined_page_token.is_empty() {
        lines.push("\nNOT DOING".to_owned());
    }
    for initiative in &roadmap.declined {
        let why = initiative.decline.as_ref().map(|decline| decline.reason.as_str()).unwrap_or_default();
        let line = format!("  ⊘ {}  [{}]  {why}", initiative.display_name, short(&initiative.name));
        lines.push(line.trim_end().to_owned());
        lines.extend(signed_lines(initiative));
    }
    lines.extend(more(&roadmap.next_declined_page_token));
    lines.push(String::new());
    lines.join("\n")
}

/// That a lane goes on.
fn more(next_page_token: &str) -> Option<String> {
    (!next_page_token.is_empty()).then(|| "  … and more; --page-size shows more of each lane".to_owned())
}

/// An initiative, the metric that it is to move, and what it waits for but for what is known to have `shipped`.
fn initiative_lines(
    initiative: &pb::Initiative,
    metric: Option<&pb::ExpectedMetric>,
    shipped: &BTreeSet<&str>,
    zone: Tz,
) -> Vec<String> {
    let (mark, state) = words::state(initiative.state());
    let target = initiative.target.as_ref().map(words::interval);
    let owner = (!initiative.owner.is_empty()).then(|| short(&initiative.owner).to_owned());
    let facts: Vec<String> = [Some(state), target, owner].into_iter().flatten().collect();
    let mut lines =
        vec![format!("  {mark} {}  [{}]  {}", initiative.display_name, short(&initiative.name), facts.join(", "))];
    if initiative.ship_time.is_none() {
        let waits = ids(initiative.dependencies.iter().filter(|name| !shipped.contains(name.as_str())));
        lines.extend((!waits.is_empty()).then(|| format!("      waits for {waits}")));
    }
    lines.extend(signed_lines(initiative));
    if let Some((expected, range)) = initiative.expected_outcome.as_ref().and_then(|e| Some((e, e.change.as_ref()?))) {
        let title = metric.map(|metric| format!("{}  ", metric.display_name)).unwrap_or_default();
        lines.push(format!("      expected  {title}[{}]  {}", short(&expected.metric), words::change(range)));
    }
    if let Some((metric, reading)) = metric.and_then(|metric| Some((metric, metric.latest.as_ref()?))) {
        lines.push(format!("      latest    {}", words::reading(reading, &metric.unit, zone)));
    }
    if let Some(actual) = &initiative.actual {
        let measured = actual.measured.as_ref().map(words::change).unwrap_or_default();
        lines.push(format!("      actual    {}  {measured}", words::verdict(actual.verdict())));
    }
    lines
}

/// The steps that were taken although dependencies spoke against them, and why.
fn signed_lines(initiative: &pb::Initiative) -> impl Iterator<Item = String> {
    initiative.dependency_waivers.iter().map(|signed| {
        let step = match signed.step() {
            pb::InitiativeStep::Unspecified => "went before",
            pb::InitiativeStep::Start => "started before",
            pb::InitiativeStep::Ship => "shipped before",
            pb::InitiativeStep::Decline => "declined though waited for by",
        };
        let reason = signed.waiver.as_ref().map(|waiver| waiver.reason.as_str()).unwrap_or_default();
        format!("      {step} {}: {reason}", ids(signed.initiatives.iter()))
    })
}

fn ids<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| short(name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::common::v1::{Range, Reading, Verdict};

    #[test]
    fn what_it_waits_for_what_was_expected_and_what_came_of_it_stand_below() {
        let range = |likely| Some(Range { low: likely - 0.05, likely, high: likely + 0.05 });
        let initiative = pb::Initiative {
            name: "workspaces/w/initiatives/carts".into(),
            display_name: "Saved carts".into(),
            ship_time: Some(waymark_proto::Timestamp::default()),
            state: pb::InitiativeState::Measured.into(),
            expected_outcome: Some(pb::ExpectedOutcome {
                metric: "//m/workspaces/w/metrics/orders".into(),
                change: range(0.1),
                window_days: 28,
            }),
            actual: Some(pb::ActualOutcome {
                verdict: Verdict::Met.into(),
                measured: range(0.12),
                ..Default::default()
            }),
            ..Default::default()
        };
        let now = pb::RoadmapLane {
            horizon: pb::Horizon::Now.into(),
            initiatives: vec![initiative],
            next_page_token: "next".into(),
            ..Default::default()
        };
        let name = |id: &str| format!("workspaces/w/initiatives/{id}");
        let waiting = pb::Initiative {
            name: name("pay"),
            display_name: "Pay by app".into(),
            state: pb::InitiativeState::InProgress.into(),
            dependencies: vec![name("carts"), name("login"), name("wallet")],
            dependency_waivers: vec![pb::DependencyWaiver {
                step: pb::InitiativeStep::Start.into(),
                initiatives: vec![name("login")],
                waiver: Some(pb::Waiver { reason: "a customer waits".into(), ..Default::default() }),
            }],
            ..Default::default()
        };
        let later =
            pb::RoadmapLane { horizon: pb::Horizon::Later.into(), initiatives: vec![waiting], ..Default::default() };
        let day = |day: i64| Some(waymark_proto::Timestamp { seconds: 1_772_323_200 + day * 86_400, nanos: 0 });
        let metric = pb::ExpectedMetric {
            metric: "//m/workspaces/w/metrics/orders".into(),
            display_name: "Orders".into(),
            unit: "EUR".into(),
            latest: Some(Reading { start_time: day(0), end_time: day(1), value: 0.1 + 0.2 }),
        };
        let metrics = vec![metric];
        let roadmap = pb::GetRoadmapResponse { lanes: vec![now, later], revision: 4, metrics, ..Default::default() };
        let text = draw(&roadmap, &Lanes::default(), "w", Tz::UTC);
        let expected = "Roadmap of w at revision 4

NOW
  ★ Saved carts  [carts]  measured
      expected  Orders  [orders]  +10.0 % (+5.0 % to +15.0 %)
      latest    0.3 EUR (2026-03-01 to 2026-03-02)
      actual    ✓ MET  +12.0 % (+7.0 % to +17.0 %)
  … and more; --page-size shows more of each lane

LATER
  ◑ Pay by app  [pay]  in progress
      waits for login, wallet
      started before login: a customer waits
";
        assert_eq!(text, expected);
        let unknown = draw(&pb::GetRoadmapResponse { metrics: Vec::new(), ..roadmap }, &Lanes::default(), "w", Tz::UTC);
        assert!(unknown.contains("expected  [orders]  +10.0 %") && !unknown.contains("latest"), "{unknown}");
    }
}
