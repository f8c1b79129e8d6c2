//! `waymark okr`: objectives as trees with how far they have come, what tells so, and who is working on it.

use anyhow::Result;
use chrono_tz::Tz;
use clap::Args;
use waymark_client::Error;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;

use super::bars::{Width, bar, cut, fit};
use super::branches::Branch;
use super::okr_plot;
use super::plot::{self, Plot};
use super::words::{self, When};
use crate::generic::contract::Area;
use crate::generic::names::short;
use crate::settings::Settings;

/// Options of `waymark okr`.
#[derive(Debug, Default, Args)]
pub struct Okr {
    /// The objective at the root, by id or name; all that serve no other when not given
    objective: Option<String>,
    #[command(flatten)]
    when: When,
    /// Only objectives that are for this product, and those above them
    #[arg(long, value_name = "PRODUCT")]
    product: Option<String>,
    /// Only objectives of this period, such as 2026-Q3, and those above them
    #[arg(long, value_name = "PERIOD")]
    period: Option<String>,
    #[command(flatten)]
    plot: Plot,
    #[command(flatten)]
    width: Width,
}

/// Draws the objectives.
pub async fn run(options: &Okr, settings: &Settings) -> Result<()> {
    let parent = settings.parent()?;
    let named = |collection: &str, given: Option<&String>| {
        given.map(|given| format!("{parent}/{collection}/{}", short(given))).unwrap_or_default()
    };
    let mut request = pb::GetObjectiveTreeRequest {
        objective: named("objectives", options.objective.as_ref()),
        product: named("products", options.product.as_ref()),
        period: options.period.clone().unwrap_or_default(),
        as_of: options.when.position(settings.zone())?,
        parent,
        ..Default::default()
    };
    let mut client = StrategyServiceClient::new(settings.channel(Area::Roadmap)?).max_decoding_message_size(64 << 20);
    let mut nodes = Vec::new();
    loop {
        let page = client.get_objective_tree(request.clone()).await.map_err(Error::from)?.into_inner();
        nodes.extend(page.nodes);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    match options.plot.file() {
        Some(file) => plot::write(file, &okr_plot::draw(&nodes), &format!("{} objectives are", nodes.len()))?,
        None if nodes.is_empty() => {
            crate::show(format_args!("no objectives; `waymark objectives create --help` says how to set one"));
        }
        None => crate::show(format_args!("{}", draw(&nodes, options.width.columns(), settings.zone()))),
    }
    Ok(())
}

/// Columns of what stands at the left of bars, at least: deep trees grow wider rather than say nothing.
const NARROWEST: usize = 24;

/// Columns of what stands at the right of a line: two blanks, the bar, the score and its band.
fn right(bar: usize) -> usize {
    2 + bar + " 0.00 unknown".len()
}

/// The trees in so many columns.
fn draw(nodes: &[pb::ObjectiveNode], columns: usize, zone: Tz) -> String {
    let bar = if columns >= 120 { 30 } else { 12 };
    // Of what stands below each objective on the way to the next one, the outermost first.
    let mut open: Vec<Branch> = Vec::new();
    let mut drawn = Vec::new();
    let close = |open: &mut Vec<Branch>, drawn: &mut Vec<String>, depth: usize| {
        while open.len() > depth {
            let Some(done) = open.pop() else { break };
            match open.last_mut() {
                Some(above) => above.children.push(done),
                None => drawn.push(done.draw()),
            }
        }
    };
    for node in nodes {
        // What goes on from another page is whole: all pages are drawn together.
        close(&mut open, &mut drawn, node.depth.unsigned_abs() as usize);
        // What is drawn before a text takes three columns for each above it.
        let left = (columns - right(bar)).saturating_sub(3 * open.len());
        open.push(objective(node, left, bar, zone));
    }
    close(&mut open, &mut drawn, 0);
    drawn.join("\n\n")
}

/// A line with its bar at the right: a name, which is cut where there is no room for it, and what must be read whole.
fn line(
    (name, rest): (&str, &str),
    score: Option<f64>,
    band: pb::ScoreBand,
    left: usize,
    bar_columns: usize,
) -> String {
    let number = score.map_or("   –".to_owned(), |score| format!("{score:.2}"));
    let band = words::value(band.as_str_name(), "SCORE_BAND_").to_lowercase();
    let band = if score.is_some() { band } else { "unknown".to_owned() };
    let left = left.max(NARROWEST);
    format!("{}  {} {number} {band}", fit(&cut(name, rest, left), left), bar(score, bar_columns))
}

fn objective(node: &pb::ObjectiveNode, left: usize, bar: usize, zone: Tz) -> Branch {
    let of = node.objective.clone().unwrap_or_default();
    let period = of.period.as_ref().map(words::interval).unwrap_or_default();
    let mark = if node.is_context { "(◎)" } else { "◎" };
    let (name, rest) = (format!("{mark} {}", of.display_name), format!("  [{}]  {period}", short(&of.name)));
    let mut lines = vec![line((&name, &rest), node.score, node.band(), left, bar)];
    if let (Some(own), Some(inherited)) = (node.own_score, node.inherited_score) {
        lines.push(format!("own {own:.2}, from below {inherited:.2}"));
    }
    if !node.missing.is_empty() && node.score.is_some() {
        let missing: Vec<&str> = node.missing.iter().map(|name| short(name)).collect();
        lines.push(fit(&format!("without {}", missing.join(", ")), left.max(NARROWEST)).trim_end().to_owned());
    }
    let children = node.key_results.iter().map(|of| key_result(of, left.saturating_sub(3), bar, zone)).collect();
    Branch { text: lines.join("\n"), children }
}

fn key_result(node: &pb::KeyResultNode, left: usize, bar: usize, zone: Tz) -> Branch {
    let of = node.key_result.clone().unwrap_or_default();
    let (name, rest) = (format!("· {}", of.display_name), format!("  [{}]", short(&of.name)));
    // What stands below begins three columns further to the right.
    let room = (left + right(bar)).saturating_sub(3).max(NARROWEST);
    let way = way(&of, zone);
    let text = format!("{}\n{}", line((&name, &rest), of.score, of.band(), left, bar), fit(&way, room).trim_end());
    let mut children: Vec<Branch> = node.initiatives.iter().map(|of| initiative(of, room)).collect();
    if node.more_initiatives {
        children.push(Branch::leaf("… and more initiatives"));
    }
    Branch { text, children }
}

/// From where to where it goes, where it is and how that is known: `0 → 3 → 6 features, checked in 2026-03-01, 60 % sure`.
fn way(of: &pb::KeyResult, zone: Tz) -> String {
    let number = |number: Option<f64>| number.map(words::number).unwrap_or_default();
    let unit = if of.unit.is_empty() { String::new() } else { format!(" {}", of.unit) };
    let current = of.current.as_ref();
    let now = current.map_or("?".to_owned(), |current| words::number(current.value));
    let day = |time| words::day(time, zone);
    let known = match (current, of.metric.as_str()) {
        (Some(current), "") => format!("checked in {}", day(current.time.as_ref())),
        (Some(current), metric) => format!("[{}] until {}", short(metric), day(current.time.as_ref())),
        (None, "") => "not checked in".to_owned(),
        (None, metric) => format!("[{}] not measured", short(metric)),
    };
    let sure = of.last_check_in.as_ref().and_then(|last| last.confidence);
    let sure = sure.map(|sure| format!(", {:.0} % sure", sure * 100.0)).unwrap_or_default();
    format!("{} → {now} → {}{unit}, {known}{sure}", number(of.start), number(of.target))
}

fn initiative(of: &pb::ServingInitiative, room: usize) -> Branch {
    let (mark, state) = words::state(of.state());
    let rest = format!("  [{}]  {state}", short(&of.initiative));
    Branch::leaf(cut(&format!("{mark} {}", of.display_name), &rest, room))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use waymark_proto::Timestamp;

    /// An objective of two key results, and one that serves it.
    pub(crate) fn nodes() -> Vec<pb::ObjectiveNode> {
        let period = |start: &str| Some(pb::TargetInterval { start: start.into(), end: start.into() });
        let objective = |id: &str, name: &str, start: &str| {
            let (name, display_name) = (format!("workspaces/w/objectives/{id}"), name.to_owned());
            Some(pb::Objective { name, display_name, period: period(start), ..Default::default() })
        };
        let time = Some(Timestamp { seconds: 1_772_323_200, nanos: 0 });
        let features = pb::KeyResult {
            name: "workspaces/w/keyResults/features".into(),
            display_name: "Features that teams use every week of the quarter".into(),
            start: Some(0.0),
            target: Some(6.0),
            unit: "features".into(),
            current: Some(pb::CurrentValue { value: 3.0, time }),
            last_check_in: Some(pb::LastCheckIn { confidence: Some(0.6), ..Default::default() }),
            score: Some(0.5),
            band: pb::ScoreBand::Yellow.into(),
            ..Default::default()
        };
        let churn = pb::KeyResult {
            name: "workspaces/w/keyResults/churn".into(),
            display_name: "Churn".into(),
            metric: "//metrics.waymark.dev/workspaces/w/metrics/churn".into(),
            start: Some(12.5),
            target: Some(4.0),
            unit: "%".into(),
            ..Default::default()
        };
        let invites = pb::ServingInitiative {
            initiative: "workspaces/w/initiatives/invites".into(),
            display_name: "Invites by mail".into(),
            state: pb::InitiativeState::InProgress.into(),
        };
        let below = pb::KeyResult {
            name: "workspaces/w/keyResults/invited".into(),
            display_name: "Invited users".into(),
            start: Some(0.0),
            target: Some(1000.0),
            current: Some(pb::CurrentValue { value: 1200.0, time }),
            score: Some(1.0),
            band: pb::ScoreBand::Green.into(),
            ..Default::default()
        };
        let of = |key_result: pb::KeyResult, initiatives, more_initiatives| pb::KeyResultNode {
            key_result: Some(key_result),
            initiatives,
            more_initiatives,
        };
        vec![
            pb::ObjectiveNode {
                objective: objective("teams", "Teams work together", "2026"),
                key_results: vec![of(churn.clone(), Vec::new(), false), of(features, vec![invites], true)],
                own_score: Some(0.5),
                inherited_score: Some(1.0),
                score: Some(0.75),
                band: pb::ScoreBand::Green.into(),
                missing: vec![churn.name],
                ..Default::default()
            },
            pb::ObjectiveNode {
                objective: objective("invites", "Everybody is invited", "2026-Q1"),
                depth: 1,
                key_results: vec![of(below, Vec::new(), false)],
                own_score: Some(1.0),
                score: Some(1.0),
                band: pb::ScoreBand::Green.into(),
                ..Default::default()
            },
            pb::ObjectiveNode {
                objective: objective("idle", "Nobody waits", "2026-H2"),
                is_context: true,
                ..Default::default()
            },
        ]
    }

    #[test]
    fn it_reads_well_in_80_columns() {
        let drawn = draw(&nodes(), 80, Tz::UTC);
        let expected = "\
◎ Teams work together  [teams]  2026                   █████████░░░ 0.75 green
│  own 0.50, from below 1.00
│  without churn
├─ · Churn  [churn]                                    ············    – unknown
│     12.5 → ? → 4 %, [churn] not measured
├─ · Features that teams use every week …  [features]  ██████░░░░░░ 0.50 yellow
│  │  0 → 3 → 6 features, checked in 2026-03-01, 60 % sure
│  ├─ ◑ Invites by mail  [invites]  in progress
│  └─ … and more initiatives
└─ ◎ Everybody is invited  [invites]  2026-Q1          ████████████ 1.00 green
   └─ · Invited users  [invited]                       ████████████ 1.00 green
         0 → 1200 → 1000, checked in 2026-03-01

(◎) Nobody waits  [idle]  2026-H2                      ············    – unknown";
        assert_eq!(drawn, expected);
        let mut long = nodes();
        long[1].objective.as_mut().unwrap().display_name = "Everybody is invited, ".repeat(8);
        let of = &mut long[1].key_results[0];
        of.key_result.as_mut().unwrap().unit = "users that were invited and came".into();
        let display_name = "Invites by mail and otherwise, ".repeat(6);
        of.initiatives.push(pb::ServingInitiative { display_name, ..Default::default() });
        let drawn = draw(&long, 80, Tz::UTC);
        assert!(drawn.lines().all(|line| line.chars().count() <= 80), "{drawn}");
    }

    #[test]
    fn it_reads_well_in_160_columns() {
        let drawn = draw(&nodes(), 160, Tz::UTC);
        let lines: Vec<&str> = drawn.lines().collect();
        let bar = "███████████████░░░░░░░░░░░░░░░";
        let features = "├─ · Features that teams use every week of the quarter  [features]";
        assert_eq!(lines[5], format!("{features:115}  {bar} 0.50 yellow"), "all of it, and a bar that shows more");
        assert!(lines.iter().all(|line| line.chars().count() <= 160), "{drawn}");
        assert_eq!(lines.len(), draw(&nodes(), 80, Tz::UTC).lines().count());
    }
}
