//! `waymark plan`: what is best done in which period, what that takes of each team, and what is left out and why.

use anyhow::Result;
use clap::Args;
use waymark_client::Error;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::scenario_service_client::ScenarioServiceClient;

use super::bars::{Width, bar, fit};
use super::plan_words::{bought, headline, who, why};
use super::plot::{self, Plot};
use super::{plan_plot, rank, words};
use crate::Usage;
use crate::generic::contract::Area;
use crate::generic::names::short;
use crate::settings::Settings;

/// Options of `waymark plan`. All else that can be asked is asked by `waymark roadmap optimize-plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The first period: a month, quarter, half or year, such as 2027-Q1
    #[arg(long, value_name = "PERIOD")]
    from: String,
    /// How many periods there are
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=24))]
    periods: u16,
    /// What a team can do, or a team with a skill, in person-months: of each period, or separated by commas period by period,
    /// such as web=10 or web/design=0,2,2,2; may be given several times
    #[arg(long, value_name = "TEAM[/SKILL]=MONTHS", required = true)]
    capacity: Vec<String>,
    /// The framework that says what initiatives are worth, such as wsjf; RICE when not given
    #[arg(long, value_name = "FRAMEWORK", conflicts_with = "model", value_parser = rank::framework)]
    framework: Option<pb::ScoringFramework>,
    /// The scoring model that says so, by id or name
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Which initiatives are planned, as in `waymark initiatives list --filter`; all that are open when not given
    #[arg(long, value_name = "FILTER", default_value = "", hide_default_value = true)]
    filter: String,
    /// An initiative that must be done; may be given several times
    #[arg(long, value_name = "INITIATIVE")]
    must: Vec<String>,
    /// An initiative that must not be done; may be given several times
    #[arg(long, value_name = "INITIATIVE")]
    must_not: Vec<String>,
    /// The label that names the team of an initiative
    #[arg(long, value_name = "LABEL", default_value = "team")]
    team_label: String,
    /// Keep to the targets of initiatives
    #[arg(long)]
    keep_targets: bool,
    /// Take it that what initiatives depend on and is not planned here is done in time
    #[arg(long)]
    trust_others: bool,
    /// Set the targets of what is planned in this scenario, too, all or none
    #[arg(long, value_name = "SCENARIO")]
    scenario: Option<String>,
    #[command(flatten)]
    plot: Plot,
    #[command(flatten)]
    width: Width,
}

/// Draws the plan.
pub async fn run(options: &Plan, settings: &Settings) -> Result<()> {
    let request = request(options, &settings.parent()?)?;
    let mut client = RoadmapServiceClient::new(settings.channel(Area::Roadmap)?).max_decoding_message_size(64 << 20);
    let answer = client.optimize_plan(request.clone()).await.map_err(Error::from)?.into_inner();
    match options.plot.file() {
        Some(file) => {
            let what = format!("{} initiatives are", answer.planned.len());
            plot::write(file, &plan_plot::draw(&request.periods, &answer), &what)?;
        }
        None => crate::show(format_args!("{}", draw(&request.periods, &answer, options.width.columns()))),
    }
    if let Some(scenario) = options.scenario.as_ref().filter(|_| !answer.planned.is_empty()) {
        let mut client =
            ScenarioServiceClient::new(settings.channel(Area::Roadmap)?).max_decoding_message_size(64 << 20);
        let request = in_scenario(&format!("{}/scenarios/{}", request.parent, short(scenario)), &answer.planned);
        let count = request.requests.len();
        client.change_scenario(request).await.map_err(Error::from)?;
        crate::show(format_args!("{scenario} has the targets of {count} planned"));
    }
    Ok(())
}

/// The plan as changes of a scenario.
fn in_scenario(scenario: &str, planned: &[pb::PlannedInitiative]) -> pb::ChangeScenarioRequest {
    let change = |of: &pb::PlannedInitiative| {
        let target = Some(pb::TargetInterval { start: of.start.clone(), end: of.end.clone() });
        let schedule = pb::ScheduleInitiativeRequest { name: of.initiative.clone(), target, ..Default::default() };
        let change = Some(pb::initiative_change_request::Change::Schedule(schedule));
        pb::InitiativeChangeRequest { change }
    };
    let requests = planned.iter().map(change).collect();
    pb::ChangeScenarioRequest { name: scenario.to_owned(), requests, ..Default::default() }
}

fn request(options: &Plan, parent: &str) -> Result<pb::OptimizePlanRequest> {
    let periods = following(&options.from, options.periods);
    let periods = periods.ok_or_else(|| Usage(format!("--from: {:?} is no period such as 2027-Q1", options.from)))?;
    let model = options.model.as_deref().map(|model| format!("{parent}/scoringModels/{}", short(model)));
    let particular = |ids: &[String], wish: pb::PlanWish| {
        let of = |id: &String| pb::PlanInitiative {
            initiative: format!("{parent}/initiatives/{}", short(id)),
            wish: wish.into(),
            ..Default::default()
        };
        ids.iter().map(of).collect::<Vec<_>>()
    };
    Ok(pb::OptimizePlanRequest {
        parent: parent.to_owned(),
        framework: options.framework.unwrap_or_default().into(),
        model: model.unwrap_or_default(),
        filter: options.filter.clone(),
        periods,
        capacities: options.capacity.iter().map(|text| capacity(text)).collect::<Result<_>>()?,
        initiatives: [
            particular(&options.must, pb::PlanWish::Must),
            particular(&options.must_not, pb::PlanWish::MustNot),
        ]
        .concat(),
        team_label: options.team_label.clone(),
        keep_targets: options.keep_targets,
        trust_others: options.trust_others,
        ..Default::default()
    })
}

/// A period and those that follow it, so many in all.
fn following(first: &str, count: u16) -> Option<Vec<String>> {
    let (year, part) = first.split_once('-').map_or((first, None), |(year, part)| (year, Some(part)));
    let year: u32 = year.parse().ok()?;
    let (letter, number, parts) = match part {
        None => ("", 1, 1),
        Some(part) => match part.strip_prefix('Q').map(|n| ("Q", n, 4)).or(part.strip_prefix('H').map(|n| ("H", n, 2)))
        {
            Some((letter, number, parts)) => (letter, number.parse().ok()?, parts),
            None => ("", part.parse().ok()?, 12),
        },
    };
    let number: u32 = Some(number).filter(|number| (1..=parts).contains(number))?;
    let period = |after: u16| {
        let at = number - 1 + u32::from(after);
        let (year, number) = (year + at / parts, at % parts + 1);
        match (letter, parts) {
            (_, 1) => format!("{year:04}"),
            (_, 12) => format!("{year:04}-{number:02}"),
            (letter, _) => format!("{year:04}-{letter}{number}"),
        }
    };
    Some((0..count).map(period).collect())
}

/// `web/design=0,2,2,2`.
fn capacity(text: &str) -> Result<pb::PlanCapacity> {
    let wrong = || Usage(format!("--capacity: {text:?} is not like web=10 or web/design=0,2,2,2"));
    let (who, months) = text.rsplit_once('=').ok_or_else(wrong)?;
    let (team, skill) = who.split_once('/').unwrap_or((who, ""));
    let person_months = months.split(',').map(|number| number.trim().parse::<f64>().map_err(|_| wrong()));
    let person_months = person_months.collect::<Result<_, _>>()?;
    Ok(pb::PlanCapacity { team: team.to_owned(), skill: skill.to_owned(), person_months })
}

/// Columns of a period, at least and at most; what is left is for names.
const PERIOD: (usize, usize) = (9, 17);
/// Columns of names, at least, and from which on there is room for ids.
const NAME: usize = 26;
const WIDE: usize = 44;

/// The plan in so many columns: periods side by side, as many as there is room for, the others below.
fn draw(periods: &[String], plan: &pb::OptimizePlanResponse, columns: usize) -> String {
    let room = columns.saturating_sub(NAME);
    let side_by_side = (room / PERIOD.0).clamp(1, periods.len().max(1));
    let period = (room / side_by_side).clamp(PERIOD.0, PERIOD.1);
    let left = columns.saturating_sub(side_by_side * period);
    let mut lines: Vec<String> = headline(plan).iter().flat_map(|line| wrapped("", 0, line, columns)).collect();
    for (number, part) in periods.chunks(side_by_side).enumerate() {
        let first = number * side_by_side;
        lines.push(String::new());
        lines.push(fit("", left) + &part.iter().map(|text| fit(text, period)).collect::<String>());
        lines.extend(plan.loads.iter().flat_map(|load| load_lines(load, first, part.len(), left, period)));
        let place = |text: &str| periods.iter().position(|period| period == text).unwrap_or_default();
        for of in &plan.planned {
            let (start, end) = (place(&of.start), place(&of.end));
            if start < first + part.len() && end >= first {
                let cells = (first..first + part.len()).map(|at| match at {
                    at if at < start || at > end => " ".repeat(period),
                    at if at == end => "■".repeat(period - 1) + " ",
                    _ => "■".repeat(period),
                });
                lines.push(format!("{}{}", fit(&planned(of, left - 1), left), cells.collect::<String>()));
            }
        }
    }
    lines.extend(left_out_lines(plan, columns));
    lines.extend(one_more_lines(plan, columns));
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n") + "\n"
}

/// The load of a capacity as bars, and in numbers below them: `7 of 10`, with a mark where that keeps something out.
fn load_lines(load: &pb::PlanLoad, first: usize, count: usize, left: usize, period: usize) -> [String; 2] {
    let part = load.periods.iter().skip(first).take(count);
    let share = |of: &pb::PeriodLoad| if of.capacity > 0.0 { Some(of.person_months / of.capacity) } else { None };
    let bars = part.clone().map(|of| bar(share(of), period - 1) + " ");
    let numbers = part.map(|of| {
        let mark = if of.binding { "!" } else { "" };
        fit(&format!("{}/{}{mark}", months(of.person_months), months(of.capacity)), period)
    });
    let name = fit(&who(&load.team, &load.skill), left - 1) + " ";
    [name + &bars.collect::<String>(), fit("  person-months", left) + &numbers.collect::<String>()]
}

/// Person-months as they are said: to a tenth.
fn months(number: f64) -> String {
    words::number((number * 10.0).round() / 10.0)
}

/// `  Chat  [chat] 600 must`, the id where there is room for it, and the name cut where there is none for that.
fn planned(of: &pb::PlannedInitiative, columns: usize) -> String {
    let value = of.value.map_or("–".to_owned(), words::number);
    let must = if of.must { " must" } else { "" };
    let id = if columns >= WIDE { format!("[{}] ", short(&of.initiative)) } else { String::new() };
    titled(&of.display_name, &format!("{id}{value}{must}"), columns)
}

fn titled(name: &str, rest: &str, columns: usize) -> String {
    let room = columns.saturating_sub(4 + rest.chars().count());
    format!("  {}  {rest}", fit(name, name.chars().count().min(room)))
}

fn left_out_lines(plan: &pb::OptimizePlanResponse, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if !plan.left_out.is_empty() {
        lines.extend([String::new(), "Left out".to_owned()]);
    }
    for of in &plan.left_out {
        let value = of.value.map(|value| format!(" {}", words::number(value))).unwrap_or_default();
        let title = titled(&of.display_name, &format!("[{}]{value}", short(&of.initiative)), columns);
        lines.push(fit(&title, columns));
        lines.extend(wrapped("      ", 6, &why(of), columns));
    }
    lines
}

/// A text behind how it begins, its other lines as far to the right.
fn wrapped(begin: &str, indent: usize, text: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), begin.to_owned());
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > columns {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
    lines.iter().map(|line| fit(line, columns)).collect()
}

fn one_more_lines(plan: &pb::OptimizePlanResponse, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if !plan.one_more.is_empty() {
        lines.extend([String::new(), "One more person-month of".to_owned()]);
    }
    for of in &plan.one_more {
        let begin = format!("  {}  ", fit(&who(&of.team, &of.skill), 16));
        lines.extend(wrapped(&begin, 20, &bought(of), columns));
    }
    lines
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two teams in two quarters: one initiative in each, one over both, and two that are left out.
    pub(crate) fn plan() -> (Vec<String>, pb::OptimizePlanResponse) {
        let name = |id: &str| format!("workspaces/w/initiatives/{id}");
        let periods = following("2027-Q1", 2).unwrap();
        let done = |id: &str, display_name: &str, start: usize, end: usize, value: Option<f64>| pb::PlannedInitiative {
            initiative: name(id),
            display_name: display_name.into(),
            start: periods[start].clone(),
            end: periods[end].clone(),
            value,
            ..Default::default()
        };
        let load = |team: &str, skill: &str, loads: [(f64, f64, bool); 2]| pb::PlanLoad {
            team: team.into(),
            skill: skill.into(),
            periods: (periods.iter().zip(loads))
                .map(|(period, (person_months, capacity, binding))| pb::PeriodLoad {
                    period: period.clone(),
                    person_months,
                    capacity,
                    binding,
                })
                .collect(),
        };
        let plan = pb::OptimizePlanResponse {
            planned: vec![
                pb::PlannedInitiative { must: true, ..done("sso", "Single sign-on for all who work here", 0, 0, None) },
                done("chat", "Chat", 0, 1, Some(1200.0)),
                done("docs", "Docs", 1, 1, Some(600.0)),
            ],
            left_out: vec![
                pb::LeftOutInitiative {
                    initiative: name("mail"),
                    display_name: "Mail".into(),
                    value: Some(500.0),
                    explanation: format!(
                        "web is used by what is worth more together; it could be in the place of {}",
                        name("docs")
                    ),
                    initiatives: vec![name("docs")],
                    ..Default::default()
                },
                pb::LeftOutInitiative {
                    initiative: name("whale"),
                    display_name: "Whale".into(),
                    explanation: "how much work it is is not known: effort to be found out".into(),
                    ..Default::default()
                },
            ],
            value: 1800.0,
            bound: 2000.0,
            gap: 0.1,
            end: pb::PlanEnd::Time.into(),
            loads: vec![
                load("web", "", [(10.0, 10.0, true), (7.5, 10.0, false)]),
                load("web", "design", [(0.0, 1.0, false), (0.25, 1.0, false)]),
                load("app", "", [(0.0, 0.0, false); 2]),
            ],
            one_more: vec![
                pb::PlanOneMore {
                    team: "web".into(),
                    solved: true,
                    gain: 400.0,
                    gain_at_most: 450.0,
                    added: vec![name("mail")],
                    dropped: vec![name("docs")],
                    ..Default::default()
                },
                pb::PlanOneMore { team: "web".into(), skill: "design".into(), solved: true, ..Default::default() },
                pb::PlanOneMore { team: "app".into(), ..Default::default() },
            ],
        };
        (periods, plan)
    }

    #[test]
    fn it_reads_well_in_80_columns() {
        let (periods, plan) = plan();
        let expected = "\
3 initiatives, worth 1800
At most 2000 is possible: 10.0 % may be missing, as the time was over

                                              2027-Q1          2027-Q2
web                                           ████████████████ ████████████░░░░
  person-months                               10/10!           7.5/10
web/design                                    ░░░░░░░░░░░░░░░░ ████░░░░░░░░░░░░
  person-months                               0/1              0.3/1
app                                           ················ ················
  person-months                               0/0              0/0
  Single sign-on for all who w…  [sso] – must ■■■■■■■■■■■■■■■■
  Chat  [chat] 1200                           ■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
  Docs  [docs] 600                                             ■■■■■■■■■■■■■■■■

Left out
  Mail  [mail] 500
      web is used by what is worth more together; it could be in the place of
      docs
  Whale  [whale]
      how much work it is is not known: effort to be found out

One more person-month of
  web               +400, at most +450, mail instead of docs
  web/design        +0
  app               not found out in the time there was
";
        assert_eq!(draw(&periods, &plan, 80), expected);
    }

    #[test]
    fn periods_that_find_no_room_stand_below() {
        let (_, mut plan) = plan();
        let periods = following("2026-11", 24).unwrap();
        plan.planned.iter_mut().for_each(|of| (of.start, of.end) = ("2026-12".into(), "2027-08".into()));
        let load = |period: &String| pb::PeriodLoad { period: period.clone(), capacity: 10.0, ..Default::default() };
        plan.loads.iter_mut().for_each(|of| of.periods = periods.iter().map(load).collect());
        let long = "Everybody is invited, ".repeat(8);
        plan.planned[0].display_name.clone_from(&long);
        plan.left_out[0].display_name = long;
        for (columns, parts) in [(80, 4), (160, 2)] {
            let drawn = draw(&periods, &plan, columns);
            assert!(drawn.lines().all(|line| line.chars().count() <= columns), "{drawn}");
            assert_eq!(drawn.matches("\nweb ").count(), parts, "{drawn}");
            assert!(drawn.contains("2028-10"), "{drawn}");
        }
    }

    #[test]
    fn options_become_a_request() {
        assert_eq!(following("2026-11", 3).unwrap(), ["2026-11", "2026-12", "2027-01"]);
        assert_eq!(following("2026-Q4", 2).unwrap(), ["2026-Q4", "2027-Q1"]);
        assert_eq!(following("2026-H2", 2).unwrap(), ["2026-H2", "2027-H1"]);
        assert_eq!(following("2026", 2).unwrap(), ["2026", "2027"]);
        assert!(["", "soon", "2026-Q5", "2026-0", "2026-13", "2026-Q"].iter().all(|text| following(text, 1).is_none()));
        let of = capacity("web/design=0, 2.5").unwrap();
        assert_eq!((of.team.as_str(), of.skill.as_str(), of.person_months), ("web", "design", vec![0.0, 2.5]));
        assert!(["web", "web=", "web=x"].iter().all(|text| capacity(text).is_err()));
    }

    #[test]
    fn a_scenario_gets_what_is_planned_as_targets() {
        let (_, plan) = plan();
        let asked = in_scenario("workspaces/w/scenarios/lean", &plan.planned);
        let scheduled: Vec<(String, pb::TargetInterval)> = asked
            .requests
            .into_iter()
            .filter_map(|request| match request.change {
                Some(pb::initiative_change_request::Change::Schedule(of)) => Some((of.name, of.target?)),
                _ => None,
            })
            .collect();
        let expected = plan
            .planned
            .iter()
            .map(|of| (of.initiative.clone(), pb::TargetInterval { start: of.start.clone(), end: of.end.clone() }));
        assert_eq!(scheduled, expected.collect::<Vec<_>>());
    }
}
