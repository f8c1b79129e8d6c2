//! `waymark decisions`: what is to be looked at again, what is to be decided, and what is not built.

use anyhow::Result;
use chrono_tz::Tz;
use clap::Args;
use waymark_client::Error;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::decision_service_client::DecisionServiceClient;

use super::bars::{Width, fit};
use super::plot::{self, LINE, MARGIN, Plot, sheet};
use super::svg::escaped;
use super::words;
use crate::generic::contract::Area;
use crate::generic::names::short;
use crate::settings::Settings;

/// Options of `waymark decisions`.
#[derive(Debug, Default, Args)]
pub struct Decisions {
    /// Those to be looked at again up to this day, such as 2027-01-31; up to today when not given
    #[arg(long, value_name = "DATE", default_value = "", hide_default_value = true)]
    until: String,
    /// How many of each kind are shown, at most 1,000
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    count: i32,
    #[command(flatten)]
    plot: Plot,
    #[command(flatten)]
    width: Width,
}

/// What is drawn.
#[derive(Debug, Default)]
struct Picture {
    due: pb::ListDueReviewsResponse,
    open: pb::ListDecisionsResponse,
    not_building: pb::ListNotBuildingResponse,
}

/// Draws the decisions.
pub async fn run(options: &Decisions, settings: &Settings) -> Result<()> {
    let (parent, page_size) = (settings.parent()?, options.count);
    let mut client = DecisionServiceClient::new(settings.channel(Area::Roadmap)?).max_decoding_message_size(64 << 20);
    let until_date = options.until.clone();
    let due = pb::ListDueReviewsRequest { parent: parent.clone(), until_date, page_size, ..Default::default() };
    let filter = "state = OPEN".to_owned();
    let open = pb::ListDecisionsRequest { parent: parent.clone(), filter, page_size, ..Default::default() };
    let not_building = pb::ListNotBuildingRequest { parent, page_size, ..Default::default() };
    let picture = Picture {
        due: client.list_due_reviews(due).await.map_err(Error::from)?.into_inner(),
        open: client.list_decisions(open).await.map_err(Error::from)?.into_inner(),
        not_building: client.list_not_building(not_building).await.map_err(Error::from)?.into_inner(),
    };
    let zone = settings.zone();
    match options.plot.file() {
        Some(file) => plot::write(file, &svg(&picture, zone), "decisions are")?,
        None => crate::show(format_args!("{}", draw(&picture, options.width.columns(), zone))),
    }
    Ok(())
}

/// A heading, or a line below one and how far in it stands.
enum Told {
    Heading(String),
    Line(usize, String),
}

/// What is told, line by line.
fn told(picture: &Picture, zone: Tz) -> Vec<Told> {
    let mut lines = Vec::new();
    let line = |indent: usize, text: String| Told::Line(indent, text);
    let more = |token: &str| (!token.is_empty()).then(|| line(1, "… and more; --count shows more".to_owned()));
    let section = |lines: &mut Vec<Told>, heading: &str, nothing: bool| {
        lines.push(Told::Heading(heading.to_owned()));
        if nothing {
            lines.push(line(1, "–".to_owned()));
        }
    };
    section(&mut lines, "TO LOOK AT AGAIN", picture.due.decisions.is_empty());
    for of in &picture.due.decisions {
        lines.push(line(1, format!("{}  {}  [{}]", of.due_date, of.display_name, short(&of.name))));
        let choice = of.choice.clone().unwrap_or_default();
        lines.push(line(3, format!("chosen: {}: {}", choice.option, choice.reason)));
        lines.extend(of.kill_criteria.iter().filter_map(|criterion| met(criterion, zone)).map(|text| line(3, text)));
    }
    lines.extend(more(&picture.due.next_page_token));
    section(&mut lines, "TO DECIDE", picture.open.decisions.is_empty());
    for of in &picture.open.decisions {
        lines.push(line(1, format!("{}  [{}]  {}", of.display_name, short(&of.name), short(&of.owner))));
        lines.push(line(3, of.question.clone()));
        let option = |of: &pb::DecisionOption| {
            let (pro, con) = (of.evidence_for.len(), of.evidence_against.len());
            line(3, format!("○ {}  {pro} for, {con} against", of.title))
        };
        lines.extend(of.options.iter().map(option));
    }
    lines.extend(more(&picture.open.next_page_token));
    section(&mut lines, "NOT BUILDING", picture.not_building.not_building.is_empty());
    for of in &picture.not_building.not_building {
        let decides: Vec<&str> = of.decides.iter().map(|name| short(name)).collect();
        lines.push(line(1, format!("⊘ {}  [{}]  {}", of.display_name, short(&of.decision), decides.join(", "))));
        let (day, who) = (words::day(of.decide_time.as_ref(), zone), short(&of.decided_by));
        lines.push(line(3, format!("{day} {who}: {}", of.reason)));
        for criterion in &of.kill_criteria {
            let statement = format!("unless {}", criterion.statement);
            lines.push(line(3, met(criterion, zone).unwrap_or(statement)));
        }
        if !of.due_date.is_empty() {
            lines.push(line(3, format!("to be looked at again from {}", of.due_date)));
        }
    }
    lines.extend(more(&picture.not_building.next_page_token));
    lines
}

/// What a metric says against what was chosen, if it does.
fn met(criterion: &pb::KillCriterion, zone: Tz) -> Option<String> {
    let reading = words::reading(criterion.met.as_ref()?, "", zone);
    Some(format!("! {}: {reading}", criterion.statement))
}

fn draw(picture: &Picture, columns: usize, zone: Tz) -> String {
    let mut text = String::new();
    for told in told(picture, zone) {
        match told {
            Told::Heading(heading) => {
                text += if text.is_empty() { "" } else { "\n" };
                text += &heading;
            }
            Told::Line(indent, line) => {
                // What people wrote may go over several lines.
                let line = line.lines().collect::<Vec<_>>().join(" ");
                text += fit(&format!("{}{line}", "  ".repeat(indent)), columns).trim_end();
            }
        }
        text.push('\n');
    }
    text
}

/// Characters of a line, about.
const CHARACTERS: usize = 110;

fn svg(picture: &Picture, zone: Tz) -> String {
    let told = told(picture, zone);
    let line = |(index, told): (usize, &Told)| {
        let (indent, weight, text) = match told {
            Told::Heading(heading) => (0, 600, heading),
            Told::Line(indent, line) => (*indent, 400, line),
        };
        let (x, y) = (MARGIN + indent * 16, MARGIN + index * LINE + 18);
        let text = escaped(fit(text, CHARACTERS).trim_end());
        format!("<text x=\"{x}\" y=\"{y}\" font-weight=\"{weight}\">{text}</text>\n")
    };
    sheet(MARGIN * 2 + told.len() * LINE, &told.iter().enumerate().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::Timestamp;
    use waymark_proto::common::v1::{Evidence, Reading};

    fn picture() -> Picture {
        let day = |day: i64| Some(Timestamp { seconds: 1_772_323_200 + day * 86_400, nanos: 0 });
        let met = Some(Reading { start_time: day(0), end_time: day(1), value: 12.0 });
        let criterion =
            pb::KillCriterion { statement: "fewer than 20 sign-ups a day".into(), met, ..Default::default() };
        let decision = |id: &str, display_name: &str| pb::Decision {
            name: format!("workspaces/w/decisions/{id}"),
            display_name: display_name.into(),
            ..Default::default()
        };
        let due = pb::Decision {
            due_date: "2026-03-02".into(),
            choice: Some(pb::DecisionChoice {
                option: "Build".into(),
                reason: "Customers ask\nfor it".into(),
                ..Default::default()
            }),
            kill_criteria: vec![criterion.clone()],
            ..decision("sso", "Single sign-on")
        };
        let option =
            pb::DecisionOption { title: "Buy".into(), evidence_for: vec![Evidence::default()], ..Default::default() };
        let open = pb::Decision {
            owner: "users/ada@example.com".into(),
            question: "Do we build payments ourselves?".into(),
            options: vec![option],
            ..decision("pay", "Payments")
        };
        let not_building = pb::NotBuilding {
            decision: "workspaces/w/decisions/dark".into(),
            display_name: "Dark mode".into(),
            decides: vec!["//roadmap.waymark.dev/workspaces/w/initiatives/dark".into()],
            reason: "Nobody stays for it, whatever they say in interviews, and it would take two months".into(),
            kill_criteria: vec![pb::KillCriterion { met: None, ..criterion }],
            due_date: "2027-01-31".into(),
            decided_by: "users/bob@example.com".into(),
            decide_time: day(0),
        };
        Picture {
            due: pb::ListDueReviewsResponse { decisions: vec![due], ..Default::default() },
            open: pb::ListDecisionsResponse { decisions: vec![open], ..Default::default() },
            not_building: pb::ListNotBuildingResponse {
                not_building: vec![not_building],
                next_page_token: "next".into(),
            },
        }
    }

    #[test]
    fn it_reads_well_in_80_columns() {
        let expected = "\
TO LOOK AT AGAIN
  2026-03-02  Single sign-on  [sso]
      chosen: Build: Customers ask for it
      ! fewer than 20 sign-ups a day: 12 (2026-03-01 to 2026-03-02)

TO DECIDE
  Payments  [pay]  ada@example.com
      Do we build payments ourselves?
      ○ Buy  1 for, 0 against

NOT BUILDING
  ⊘ Dark mode  [dark]  dark
      2026-03-01 bob@example.com: Nobody stays for it, whatever they say in int…
      unless fewer than 20 sign-ups a day
      to be looked at again from 2027-01-31
  … and more; --count shows more
";
        assert_eq!(draw(&picture(), 80, Tz::UTC), expected);
        let wide = draw(&picture(), 160, Tz::UTC);
        assert!(wide.contains("and it would take two months\n"), "{wide}");
        let nothing = draw(&Picture::default(), 80, Tz::UTC);
        assert_eq!(nothing, "TO LOOK AT AGAIN\n  –\n\nTO DECIDE\n  –\n\nNOT BUILDING\n  –\n");
    }

    #[test]
    fn a_slide_has_a_line_for_each() {
        let svg = svg(&picture(), Tz::UTC);
        assert_eq!((svg.matches("<text").count(), svg.matches("font-weight=\"600\"").count()), (14, 3), "{svg}");
    }
}
