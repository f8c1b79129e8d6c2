//! The roadmap as Markdown, for documents and messages.

use waymark_proto::roadmap::v1 as pb;

use super::lanes::Lanes;
use super::words;
use crate::generic::names::short;

/// What Markdown (CommonMark 0.31) gives a meaning to within a line.
const MARKS: [char; 13] = ['\\', '`', '*', '_', '[', ']', '<', '>', '#', '|', '~', '!', '&'];

/// The document.
pub fn draw(roadmap: &pb::GetRoadmapResponse, of: &Lanes, workspace: &str) -> String {
    let mut lines = vec![format!("# Roadmap of {}", plain(workspace)), String::new()];
    lines.push(format!("As of revision {}.", roadmap.revision));
    for lane in &roadmap.lanes {
        lines.extend([String::new(), format!("## {}", plain(&title(of.heading(lane)))), String::new()]);
        if lane.initiatives.is_empty() && lane.next_page_token.is_empty() {
            lines.push("Nothing.".to_owned());
        }
        for initiative in &lane.initiatives {
            lines.extend(item(initiative, roadmap));
        }
        lines.extend(more(&lane.next_page_token));
    }
    if !roadmap.declined.is_empty() || !roadmap.next_declined_page_token.is_empty() {
        lines.extend([String::new(), "## Not doing".to_owned(), String::new()]);
    }
    for initiative in &roadmap.declined {
        let why =
            initiative.decline.as_ref().map(|decline| format!(": {}", plain(&decline.reason))).unwrap_or_default();
        lines.push(format!("- **{}**{why}", plain(&initiative.display_name)));
        let change = initiative.decline.as_ref().map(|decline| plain(&decline.what_would_change_our_mind));
        lines.extend(
            change
                .filter(|change| !change.is_empty())
                .map(|change| format!("  - What would change our mind: {change}")),
        );
    }
    lines.extend(more(&roadmap.next_declined_page_token));
    lines.join("\n")
}

/// A heading as it stands in a document: what is in capitals begins with one alone.
fn title(heading: String) -> String {
    let mut letters = heading.chars();
    match letters.next() {
        Some(first) if heading.chars().all(|c| c.is_ascii_uppercase() || c == ' ') => {
            first.to_string() + &letters.as_str().to_lowercase()
        }
        _ => heading,
    }
}

fn item(initiative: &pb::Initiative, roadmap: &pb::GetRoadmapResponse) -> Vec<String> {
    let (_, state) = words::state(initiative.state());
    let target = initiative.target.as_ref().map(words::interval);
    let owner = (!initiative.owner.is_empty()).then(|| short(&initiative.owner).to_owned());
    let facts: Vec<String> = [Some(state), target, owner].into_iter().flatten().map(|fact| plain(&fact)).collect();
    let mut lines = vec![format!("- **{}** ({})", plain(&initiative.display_name), facts.join(", "))];
    if !initiative.problem.is_empty() {
        lines.push(format!("  - Problem: {}", plain(&initiative.problem)));
    }
    if let Some((expected, range)) = initiative.expected_outcome.as_ref().and_then(|it| Some((it, it.change.as_ref()?)))
    {
        let metric = roadmap.metrics.iter().find(|known| known.metric == expected.metric);
        let metric = metric.map_or_else(|| short(&expected.metric), |metric| metric.display_name.as_str());
        lines.push(format!("  - Expected: {} {}", plain(metric), plain(&words::change(range))));
    }
    if let Some(actual) = &initiative.actual {
        let measured = actual.measured.as_ref().map(|range| format!(" {}", words::change(range))).unwrap_or_default();
        lines.push(format!("  - Measured: {}{}", words::verdict(actual.verdict()), plain(&measured)));
    }
    let waits: Vec<String> = initiative.dependencies.iter().map(|name| plain(short(name))).collect();
    if !waits.is_empty() && initiative.ship_time.is_none() {
        lines.push(format!("  - After: {}", waits.join(", ")));
    }
    lines
}

/// That a lane goes on.
fn more(next_page_token: &str) -> Option<String> {
    (!next_page_token.is_empty()).then(|| "- … and more".to_owned())
}

/// A text on one line that means nothing but what it says.
fn plain(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut plain = String::with_capacity(words.len());
    for c in words.chars() {
        if MARKS.contains(&c) {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_headings_and_what_people_wrote_is_no_markup() {
        let initiative = pb::Initiative {
            name: "workspaces/w/initiatives/sso".into(),
            display_name: "Single *sign-on*\n# now".into(),
            problem: "Signing in\ntakes too long".into(),
            state: pb::InitiativeState::InProgress.into(),
            target: Some(pb::TargetInterval { start: "2026-Q3".into(), end: String::new() }),
            owner: "users/ada_l".into(),
            dependencies: vec!["workspaces/w/initiatives/login".into()],
            ..Default::default()
        };
        let lane = |horizon: pb::Horizon, initiatives, token: &str| pb::RoadmapLane {
            horizon: horizon.into(),
            initiatives,
            next_page_token: token.into(),
            ..Default::default()
        };
        let declined = pb::Initiative {
            display_name: "Dark mode".into(),
            decline: Some(pb::Decline {
                reason: "nobody left".into(),
                what_would_change_our_mind: "ten ask".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let roadmap = pb::GetRoadmapResponse {
            lanes: vec![lane(pb::Horizon::Now, vec![initiative], "more"), lane(pb::Horizon::Later, Vec::new(), "")],
            declined: vec![declined],
            revision: 4,
            ..Default::default()
        };
        let expected = "# Roadmap of w

As of revision 4.

## Now

- **Single \\*sign-on\\* \\# now** (in progress, 2026-Q3, ada\\_l)
  - Problem: Signing in takes too long
  - After: login
- … and more

## Later

Nothing.

## Not doing

- **Dark mode**: nobody left
  - What would change our mind: ten ask";
        assert_eq!(draw(&roadmap, &Lanes::default(), "w"), expected);
    }
}
