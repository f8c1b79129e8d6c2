//! `waymark scenarios SCENARIO`: what a scenario changed, beside the roadmap as it is, and what a merge would make of it.

use std::fmt::Write as _;

use anyhow::Result;
use clap::Args;
use prost_reflect::Kind;
use serde_json::Value;
use waymark_client::Error;
use waymark_proto::descriptors;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::scenario_service_client::ScenarioServiceClient;

use super::bars::{Width, fit};
use super::plot::{self, LINE, MARGIN, Plot, WIDTH, sheet};
use super::svg::escaped;
use super::words;
use crate::generic::contract::Area;
use crate::generic::names::{short, short_value};
use crate::settings::Settings;

/// Options of `waymark scenarios SCENARIO`.
#[derive(Debug, Default, Args)]
pub struct Scenario {
    /// The scenario, by id or name
    #[arg(value_name = "SCENARIO")]
    name: String,
    /// Only what is in conflict
    #[arg(long)]
    conflicts: bool,
    #[command(flatten)]
    plot: Plot,
    #[command(flatten)]
    width: Width,
}

/// What is drawn.
#[derive(Debug, Default)]
struct Picture {
    scenario: pb::Scenario,
    initiatives: Vec<pb::InitiativeComparison>,
    /// The revision of the roadmap.
    revision: i64,
}

/// Draws a scenario.
pub async fn run(options: &Scenario, settings: &Settings) -> Result<()> {
    let name = format!("{}/scenarios/{}", settings.parent()?, short(&options.name));
    let mut client = ScenarioServiceClient::new(settings.channel(Area::Roadmap)?).max_decoding_message_size(64 << 20);
    let asked = pb::GetScenarioRequest { name: name.clone() };
    let scenario = client.get_scenario(asked).await.map_err(Error::from)?.into_inner();
    let mut picture = Picture { scenario, ..Picture::default() };
    let mut request =
        pb::CompareScenarioRequest { name, conflicts_only: options.conflicts, ..pb::CompareScenarioRequest::default() };
    loop {
        let page = client.compare_scenario(request.clone()).await.map_err(Error::from)?.into_inner();
        picture.initiatives.extend(page.initiatives);
        picture.revision = page.revision;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    match options.plot.file() {
        Some(file) => {
            let what = format!("{} initiatives that differ are", picture.initiatives.len());
            plot::write(file, &svg(&picture), &what)?;
        }
        None => crate::show(format_args!("{}", draw(&picture, options.width.columns()))),
    }
    Ok(())
}

/// What is said of the scenario as a whole.
fn heading(Picture { scenario, revision, .. }: &Picture) -> [String; 2] {
    let state = words::value(scenario.state().as_str_name(), "SCENARIO_STATE_").to_lowercase();
    [
        format!("{}  [{}]  {state}", scenario.display_name, short(&scenario.name)),
        format!("revision {}, beside the roadmap at {revision}", scenario.revision),
    ]
}

fn draw(picture: &Picture, columns: usize) -> String {
    let Picture { initiatives, .. } = picture;
    let mut lines = heading(picture).to_vec();
    for of in initiatives {
        lines.extend([String::new(), format!("{}  [{}]", of.display_name, short(&of.initiative))]);
        let widest = of.fields.iter().map(|field| field.field.len()).max().unwrap_or_default();
        lines.extend(of.fields.iter().map(|field| line(field, widest)));
    }
    let conflicts = initiatives.iter().flat_map(|of| &of.fields).filter(|field| is_conflict(field)).count();
    lines.push(String::new());
    lines.push(match (initiatives.len(), conflicts) {
        (0, _) => "nothing differs from the roadmap".to_owned(),
        (_, 0) => "no conflicts: `waymark scenarios merge` takes what is marked + and ±".to_owned(),
        (_, many) => format!("{many} in conflict: `waymark scenarios merge --help` says how to resolve"),
    });
    // What people wrote may go over several lines.
    let flat = |line: String| fit(&line.lines().collect::<Vec<_>>().join(" "), columns).trim_end().to_owned();
    lines.into_iter().map(flat).collect::<Vec<_>>().join("\n")
}

fn is_conflict(field: &pb::FieldComparison) -> bool {
    field.outcome() == pb::MergeOutcome::Conflict
}

/// The same as a picture: a line a field, with its mark in front and in the colour of what a merge makes of it.
fn svg(picture: &Picture) -> String {
    let mut drawn = String::new();
    let mut rows = 0;
    let mut text = |x: usize, look: &str, text: &str, row: usize| {
        // About as many characters as there is room for.
        let text = text.lines().collect::<Vec<_>>().join(" ");
        let text = escaped(fit(&text, (WIDTH - MARGIN - x) / 8).trim_end());
        let y = MARGIN + row * LINE + 18;
        // Writing to a text cannot fail.
        let _ = writeln!(drawn, "<text x=\"{x}\" y=\"{y}\" {look}>{text}</text>");
    };
    for line in heading(picture) {
        text(MARGIN, "font-weight=\"600\"", &line, rows);
        rows += 1;
    }
    for of in &picture.initiatives {
        text(MARGIN, "font-weight=\"600\"", &format!("{}  [{}]", of.display_name, short(&of.initiative)), rows);
        rows += 1;
        for field in &of.fields {
            let (mark, told) = told(field);
            text(MARGIN + 16, &format!("fill=\"{}\"", colour(field)), &mark.to_string(), rows);
            text(MARGIN + 36, "fill=\"#555555\"", &field.field, rows);
            text(MARGIN + 216, "", &told, rows);
            rows += 1;
        }
    }
    if picture.initiatives.is_empty() {
        text(MARGIN, "", "nothing differs from the roadmap", rows);
        rows += 1;
    }
    sheet(MARGIN * 2 + rows * LINE, &drawn)
}

fn colour(field: &pb::FieldComparison) -> &'static str {
    match field.outcome() {
        pb::MergeOutcome::Taken | pb::MergeOutcome::Combined => "#2e7d32",
        pb::MergeOutcome::Alike | pb::MergeOutcome::Unspecified => "#757575",
        pb::MergeOutcome::Conflict => "#c62828",
    }
}

/// A field under one another with those beside it.
fn line(field: &pb::FieldComparison, widest: usize) -> String {
    let (mark, told) = told(field);
    format!("  {mark} {}  {told}", fit(&field.field, widest))
}

/// Of a field a mark of what a merge makes of it, from what to what, and what the roadmap has where that is something else.
fn told(field: &pb::FieldComparison) -> (char, String) {
    let shown = |json: &str| value(&field.field, json);
    let (mark, roadmap) = match field.outcome() {
        pb::MergeOutcome::Unspecified => ('?', String::new()),
        pb::MergeOutcome::Taken => ('+', String::new()),
        pb::MergeOutcome::Alike => ('=', ", as on the roadmap".to_owned()),
        pb::MergeOutcome::Combined => ('±', format!(", together with {} on the roadmap", shown(&field.roadmap))),
        pb::MergeOutcome::Conflict => ('!', format!(", on the roadmap {}", shown(&field.roadmap))),
    };
    (mark, format!("{} → {}{roadmap}", shown(&field.base), shown(&field.scenario)))
}

/// A value of a field of initiatives in a few words.
fn value(field: &str, json: &str) -> String {
    match serde_json::from_str(json).unwrap_or_default() {
        Value::Null => "–".to_owned(),
        Value::String(text) => named(field, &text),
        Value::Array(entries) => match entries.len() {
            1 => "1 entry".to_owned(),
            many => format!("{many} entries"),
        },
        // A state with what belongs to it, or a target.
        Value::Object(parts) => match (parts.get("state"), parts.get("start"), parts.get("end")) {
            (Some(Value::String(state)), ..) => named(field, state),
            (_, Some(Value::String(start)), end) => {
                let end = end.and_then(Value::as_str).unwrap_or_default().to_owned();
                words::interval(&pb::TargetInterval { start: start.clone(), end })
            }
            _ => json.to_owned(),
        },
        Value::Bool(_) | Value::Number(_) => json.to_owned(),
    }
}

/// A text, which of an enum is a value.
fn named(field: &str, text: &str) -> String {
    let initiative = descriptors().get_message_by_name("waymark.roadmap.v1.Initiative");
    match initiative.and_then(|message| message.get_field_by_name(field)).map(|field| field.kind()) {
        Some(Kind::Enum(of)) => short_value(&of, text).to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        use pb::MergeOutcome as Outcome;
        let field = |field: &str, [base, scenario, roadmap]: [&str; 3], outcome: Outcome| pb::FieldComparison {
            field: field.into(),
            base: base.into(),
            scenario: scenario.into(),
            roadmap: roadmap.into(),
            outcome: outcome.into(),
        };
        let (later, now, next) = (r#""HORIZON_LATER""#, r#""HORIZON_NOW""#, r#""HORIZON_NEXT""#);
        let proposed = r#"{"state":"INITIATIVE_STATE_PROPOSED"}"#;
        let committed = r#"{"commitTime":"2026-03-01T00:00:00Z","state":"INITIATIVE_STATE_COMMITTED"}"#;
        let quarter = r#"{"end":"2026-Q3","start":"2026-Q3"}"#;
        Picture {
            scenario: pb::Scenario {
                name: "workspaces/w/scenarios/lean".into(),
                display_name: "Lean".into(),
                revision: 12,
                state: pb::ScenarioState::Open.into(),
                ..Default::default()
            },
            initiatives: vec![pb::InitiativeComparison {
                initiative: "workspaces/w/initiatives/sso".into(),
                display_name: "Single sign-on".into(),
                fields: vec![
                    field("problem", ["", r#""Users\nleave""#, ""], Outcome::Taken),
                    field("horizon", [later, now, next], Outcome::Conflict),
                    field("target", ["", quarter, ""], Outcome::Taken),
                    field("dependencies", ["[1]", "[1,2]", "[1,3,4]"], Outcome::Combined),
                    field("state", [proposed, committed, committed], Outcome::Alike),
                ],
                ..Default::default()
            }],
            revision: 15,
        }
    }

    #[test]
    fn it_reads_well_in_80_columns() {
        let expected = "\
Lean  [lean]  open
revision 12, beside the roadmap at 15

Single sign-on  [sso]
  + problem       – → Users leave
  ! horizon       LATER → NOW, on the roadmap NEXT
  + target        – → 2026-Q3
  ± dependencies  1 entry → 2 entries, together with 3 entries on the roadmap
  = state         PROPOSED → COMMITTED, as on the roadmap

1 in conflict: `waymark scenarios merge --help` says how to resolve";
        assert_eq!(draw(&picture(), 80), expected);
        let narrow = draw(&picture(), 40);
        assert!(narrow.contains("  ± dependencies  1 entry → 2 entries, …\n"), "{narrow}");
        let nothing = Picture { initiatives: Vec::new(), ..picture() };
        assert!(draw(&nothing, 80).ends_with("\n\nnothing differs from the roadmap"));
    }

    #[test]
    fn the_picture_has_a_line_a_field_with_its_mark() {
        let mut picture = picture();
        picture.initiatives[0].display_name = "R&D <first>".into();
        let svg = svg(&picture);
        // Two lines of heading, one of the initiative, and of each field a mark, its name and what is told.
        assert_eq!((svg.matches("<text").count(), svg.matches("</svg>").count()), (2 + 1 + 3 * 5, 1));
        assert!(svg.contains(">R&amp;D &lt;first&gt;  [sso]</text>"), "{svg}");
        assert!(svg.contains("fill=\"#c62828\">!</text>") && svg.contains(">LATER → NOW, on the roadmap NEXT</text>"));
        let nothing = Picture { initiatives: Vec::new(), ..picture };
        assert!(super::svg(&nothing).contains(">nothing differs from the roadmap</text>"));
    }
}
