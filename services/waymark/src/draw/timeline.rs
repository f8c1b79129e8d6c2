//! The roadmap as a timeline for a slide: SVG, a bar from the first month of each target to the last, arrows from what has
//! to ship before. Each bar says its state in words, so that colour is not all that tells.

use std::collections::HashMap;
use std::fmt::Write as _;

use waymark_domain::roadmap::TargetInterval;
use waymark_proto::roadmap::v1 as pb;

use super::bars::fit;
use super::svg::escaped;
use super::timeline_axis::{Axis, month};
use super::words;

/// Measures in pixels: as wide as a slide of 16 to 9.
const WIDTH: f64 = 1280.0;
const MARGIN: f64 = 24.0;
const NAMES: f64 = 280.0;
const WORDS: f64 = 110.0;
const TOP: f64 = 84.0;
const ROW: f64 = 30.0;
const BAR: f64 = 18.0;
/// How far an arrow goes straight before it turns.
const TURN: f64 = 7.0;
/// Characters of a name that there is room for.
const LETTERS: usize = 36;

/// What is drawn of an initiative: its months, and where its bar is.
struct Bar<'a> {
    initiative: &'a pb::Initiative,
    first: i32,
    last: i32,
}

/// The picture.
pub fn draw(roadmap: &pb::GetRoadmapResponse, workspace: &str) -> String {
    let all = || roadmap.lanes.iter().flat_map(|lane| &lane.initiatives);
    let mut bars: Vec<Bar<'_>> = all().filter_map(bar).collect();
    // What begins first is on top; lanes are in the order of time by themselves.
    bars.sort_by_key(|bar| (bar.first, bar.last));
    let without = all().count() - bars.len();
    let more = roadmap.lanes.iter().any(|lane| !lane.next_page_token.is_empty());
    let height = TOP + ROW * bars.len() as f64 + 2.0 * MARGIN;
    let title = format!("Roadmap of {workspace} at revision {}", roadmap.revision);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<title>{0}</title>\n<defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"7\" \
         refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\" fill=\"#424242\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n<text x=\"{MARGIN}\" y=\"36\" font-size=\"20\" \
         font-weight=\"600\">{0}</text>\n",
        escaped(&title),
    );
    if let (Some(first), Some(last)) = (bars.iter().map(|bar| bar.first).min(), bars.iter().map(|bar| bar.last).max()) {
        let axis = Axis::new(first, last);
        grid(&mut svg, axis, height);
        for (row, bar) in bars.iter().enumerate() {
            one(&mut svg, bar, axis, row);
        }
        arrows(&mut svg, &bars, axis);
    }
    let mut notes = Vec::new();
    if without > 0 {
        notes.push(format!("{without} without a target"));
    }
    if more {
        notes.push("there are more; --page-size shows more of each lane".to_owned());
    }
    let y = height - MARGIN;
    // Writing to a text cannot fail.
    let _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"{y}\" fill=\"#616161\">{}</text>", escaped(&notes.join("; ")));
    svg + "</svg>\n"
}

fn bar(initiative: &pb::Initiative) -> Option<Bar<'_>> {
    let target = TargetInterval::try_from(initiative.target.clone()?).ok()?;
    let (first, last) = target.days();
    Some(Bar { initiative, first: month(first), last: month(last) })
}

/// Where a month begins.
fn x(axis: Axis, month: i32) -> f64 {
    let left = MARGIN + NAMES;
    let x = left + axis.share(month) * (WIDTH - left - WORDS - MARGIN);
    // To a tenth of a pixel, so that the file is short.
    (x * 10.0).round() / 10.0
}

fn grid(svg: &mut String, axis: Axis, height: f64) {
    for (month, name) in axis.names() {
        let (x, bottom) = (x(axis, month), height - 2.0 * MARGIN);
        let _ = writeln!(
            svg,
            "<path d=\"M{x} {top} V{bottom}\" stroke=\"#e0e0e0\"/><text x=\"{text}\" y=\"{y}\" fill=\"#616161\">{name}</text>",
            top = TOP - 22.0,
            text = x + 3.0,
            y = TOP - 10.0,
        );
    }
}

fn one(svg: &mut String, bar: &Bar<'_>, axis: Axis, row: usize) {
    let top = TOP + ROW * row as f64;
    let baseline = top + BAR / 2.0 + 5.0;
    let (from, to) = (x(axis, bar.first), x(axis, bar.last + 1));
    let (mark, state) = words::state(bar.initiative.state());
    let (fill, stroke) = colours(bar.initiative.state());
    let name = &bar.initiative.display_name;
    let target = bar.initiative.target.as_ref().map(words::interval).unwrap_or_default();
    let _ = writeln!(
        svg,
        "<g><title>{whole}</title><text x=\"{MARGIN}\" y=\"{baseline}\">{short}</text>\
         <rect x=\"{from}\" y=\"{top}\" width=\"{width}\" height=\"{BAR}\" rx=\"3\" fill=\"{fill}\" {stroke}/>\
         <text x=\"{after}\" y=\"{baseline}\" font-size=\"12\">{mark} {state}</text></g>",
        whole = escaped(&format!("{name}, {target}, {state}")),
        short = escaped(fit(name, LETTERS).trim_end()),
        width = ((to - from) * 10.0).round() / 10.0,
        after = to + 5.0,
    );
}

/// An arrow from the end of each bar to the beginning of those that wait for it.
fn arrows(svg: &mut String, bars: &[Bar<'_>], axis: Axis) {
    let rows: HashMap<&str, usize> =
        bars.iter().enumerate().map(|(row, bar)| (bar.initiative.name.as_str(), row)).collect();
    let middle = |row: usize| TOP + ROW * row as f64 + BAR / 2.0;
    for (row, bar) in bars.iter().enumerate() {
        for before in bar.initiative.dependencies.iter().filter_map(|name| rows.get(name.as_str())) {
            let (from, to) = (x(axis, bars[*before].last + 1), x(axis, bar.first));
            // Between the rows, where there are no bars.
            let between = if *before < row { middle(row) - ROW / 2.0 } else { middle(row) + ROW / 2.0 };
            let _ = writeln!(
                svg,
                "<path d=\"M{from} {} H{} V{between} H{} V{} H{to}\" fill=\"none\" stroke=\"#424242\" marker-end=\"url(#end)\"/>",
                middle(*before),
                from + TURN,
                to - TURN,
                middle(row),
            );
        }
    }
}

/// How a bar of a state is filled and framed: told apart by the colour-blind (Okabe and Ito, 2008), and what is not promised
/// by its frame.
fn colours(state: pb::InitiativeState) -> (&'static str, &'static str) {
    use pb::InitiativeState as State;
    match state {
        State::Unspecified | State::Proposed => ("#ffffff", "stroke=\"#616161\" stroke-dasharray=\"4 3\""),
        State::Committed => ("#56b4e9", "stroke=\"#1b6d99\""),
        State::InProgress => ("#0072b2", "stroke=\"#00466e\""),
        State::Shipped => ("#009e73", "stroke=\"#00614a\""),
        State::Measured => ("#cc79a7", "stroke=\"#8a4169\""),
        State::Declined => ("#eeeeee", "stroke=\"#9e9e9e\""),
        State::Paused => ("#f0e442", "stroke=\"#616161\" stroke-dasharray=\"2 2\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn initiative(id: &str, start: &str, end: &str, state: pb::InitiativeState, after: &[&str]) -> pb::Initiative {
        let name = |id: &str| format!("workspaces/w/initiatives/{id}");
        pb::Initiative {
            name: name(id),
            display_name: format!("The {id} & <more>"),
            state: state.into(),
            target: (!start.is_empty()).then(|| pb::TargetInterval { start: start.into(), end: end.into() }),
            dependencies: after.iter().map(|id| name(id)).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn bars_span_their_months_and_arrows_join_what_waits() {
        use pb::InitiativeState as State;
        let initiatives = vec![
            initiative("sso", "2026-07", "2026-08", State::InProgress, &["login", "elsewhere"]),
            initiative("login", "2026-05", "2026-06", State::Shipped, &[]),
            initiative("someday", "", "", State::Proposed, &["sso"]),
        ];
        let lane = pb::RoadmapLane { initiatives, ..Default::default() };
        let roadmap = pb::GetRoadmapResponse { lanes: vec![lane], revision: 3, ..Default::default() };
        let svg = draw(&roadmap, "w");
        let (login, sso) = (svg.find("The login &amp; &lt;more&gt;").unwrap(), svg.find("The sso").unwrap());
        assert!(login < sso, "what begins first is on top");
        assert!(
            svg.contains("◑ in progress") && svg.contains("● shipped") && svg.contains("1 without a target"),
            "{svg}"
        );
        assert!(svg.contains(">2026-05<") && svg.contains(">2026-08<") && !svg.contains(">2026-09<"), "{svg}");
        assert_eq!(svg.matches("marker-end").count(), 1, "an arrow to what is shown alone");
        // Four months in 842 pixels: two of them are half.
        assert!(svg.contains("x=\"304\" y=\"84\" width=\"421\""), "{svg}");
        assert!(svg.contains("M725 93 H732 V108 H718 V123 H725"), "{svg}");
        let empty = draw(&pb::GetRoadmapResponse::default(), "w");
        assert!(empty.ends_with("</svg>\n") && !empty.contains("<g>"), "{empty}");
    }
}
