//! `waymark lifecycle` and `waymark stickiness`: how users come, stay and go, and in how many intervals they are active.

use anyhow::Result;
use chrono_tz::Tz;
use clap::Args;
use waymark_client::Error;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::analysis_service_client::AnalysisServiceClient;

use super::asked::{Range, value};
use super::bars::{Width, bar, fit};
use super::plot::{self, LINE, MARGIN, Plot, WIDTH, sheet};
use super::svg::escaped;
use super::words;
use crate::generic::contract::Area;
use crate::settings::Settings;

/// Options of both.
#[derive(Debug, Default, Args)]
pub struct Active {
    /// The events that make a user active; any when none is given
    #[arg(value_name = "EVENT")]
    events: Vec<String>,
    #[command(flatten)]
    range: Range,
    /// How the range is cut: day, week or month; by day when not given
    #[arg(long, value_name = "INTERVAL", value_parser = value::<pb::TrendInterval>)]
    interval: Option<pb::TrendInterval>,
    #[command(flatten)]
    plot: Plot,
    #[command(flatten)]
    width: Width,
}

impl Active {
    fn settings(&self, settings: &Settings) -> Result<Option<pb::TrendSettings>> {
        let [start_time, end_time] = self.range.times(settings.zone())?;
        Ok(Some(pb::TrendSettings {
            start_time,
            end_time,
            interval: self.interval.unwrap_or_default().into(),
            time_zone: settings.zone().name().to_owned(),
            ..Default::default()
        }))
    }
}

/// Draws how users come, stay and go.
pub async fn lifecycle(options: &Active, settings: &Settings) -> Result<()> {
    let (events, asked) = (options.events.clone(), options.settings(settings)?);
    let request =
        pb::QueryLifecycleRequest { parent: settings.parent()?, events, settings: asked, ..Default::default() };
    let mut client = AnalysisServiceClient::new(settings.channel(Area::Metrics)?);
    let answer = client.query_lifecycle(request).await.map_err(Error::from)?.into_inner();
    match options.plot.file() {
        Some(file) => {
            plot::write(file, &svg(&answer, settings.zone()), &format!("{} intervals are", answer.points.len()))?;
        }
        None => crate::show(format_args!("{}", draw(&answer, options.width.columns(), settings.zone()))),
    }
    Ok(())
}

/// Draws in how many intervals users are active.
pub async fn stickiness(options: &Active, settings: &Settings) -> Result<()> {
    let (events, asked) = (options.events.clone(), options.settings(settings)?);
    let request =
        pb::QueryStickinessRequest { parent: settings.parent()?, events, settings: asked, ..Default::default() };
    let mut client = AnalysisServiceClient::new(settings.channel(Area::Metrics)?);
    let answer = client.query_stickiness(request).await.map_err(Error::from)?.into_inner();
    match options.plot.file() {
        Some(file) => plot::write(file, &svg_of_sticks(&answer), &format!("{} users are", answer.users))?,
        None => crate::show(format_args!("{}", sticks(&answer, options.width.columns()))),
    }
    Ok(())
}

/// Users of an interval by kind, with how each kind is drawn.
fn kinds(of: &pb::LifecyclePoint) -> [(char, &'static str, i64); 3] {
    [('█', "#2e7d32", of.new_users), ('▓', "#1565c0", of.returning_users), ('▒', "#f9a825", of.resurrecting_users)]
}

/// The most that any interval has on one side.
fn most(answer: &pb::QueryLifecycleResponse) -> i64 {
    let active = |of: &pb::LifecyclePoint| kinds(of).iter().map(|(_, _, users)| users).sum::<i64>();
    answer.points.iter().map(|of| active(of).max(of.dormant_users)).max().unwrap_or_default().max(1)
}

fn draw(answer: &pb::QueryLifecycleResponse, columns: usize, zone: Tz) -> String {
    let numbers = 36;
    // A third of the room is for those who went, at the left.
    let room = columns.saturating_sub(11 + numbers).max(15);
    let (left, right) = (room / 3, room - room / 3);
    let most = most(answer) as f64;
    let length = |users: i64, columns: usize| {
        ((users as f64 / most * columns as f64).round() as usize).max(usize::from(users > 0))
    };
    let head = format!("{:11}{:room$}{:>9}{:>9}{:>9}{:>9}", "", "", "dormant", "new", "return", "resurr");
    let mut lines = vec![head];
    for of in &answer.points {
        let gone = "░".repeat(length(of.dormant_users, left).min(left));
        let came: String =
            kinds(of).iter().flat_map(|(mark, _, users)| vec![*mark; length(*users, right)]).take(right).collect();
        let day = words::day(of.start_time.as_ref(), zone);
        let mark = if of.partial { '*' } else { ' ' };
        let [new, back, again] = [of.new_users, of.returning_users, of.resurrecting_users];
        lines.push(format!("{day}{mark}{gone:>left$}{came:right$}{:>9}{new:>9}{back:>9}{again:>9}", of.dormant_users));
    }
    lines.push("░ dormant  █ new  ▓ returning  ▒ resurrecting  * not over".to_owned());
    lines.iter().map(|line| fit(line, columns).trim_end().to_owned() + "\n").collect()
}

fn svg(answer: &pb::QueryLifecycleResponse, zone: Tz) -> String {
    let most = most(answer) as f64;
    let (label, left) = (110, 220);
    let right = WIDTH - 2 * MARGIN - label - left;
    let mut drawn = String::new();
    for (line, of) in answer.points.iter().enumerate() {
        let (y, middle) = (MARGIN + line * LINE, MARGIN + label + left);
        let day = escaped(&words::day(of.start_time.as_ref(), zone));
        drawn.extend([format!("<text x=\"{MARGIN}\" y=\"{}\">{day}</text>\n", y + 18)]);
        let mut rect = |x: f64, wide: f64, fill: &str, users: i64, kind: &str| {
            drawn.extend([format!(
                "<rect x=\"{x:.0}\" y=\"{}\" width=\"{wide:.0}\" height=\"16\" fill=\"{fill}\"><title>{users} {kind}</title></rect>\n",
                y + 5
            )]);
        };
        let gone = of.dormant_users as f64 / most * left as f64;
        rect(middle as f64 - gone, gone, "#9e9e9e", of.dormant_users, "dormant");
        let mut x = middle as f64;
        for ((_, fill, users), kind) in kinds(of).into_iter().zip(["new", "returning", "resurrecting"]) {
            let wide = users as f64 / most * right as f64;
            rect(x, wide, fill, users, kind);
            x += wide;
        }
    }
    let y = MARGIN + answer.points.len() * LINE + 18;
    let legend = [("#9e9e9e", "dormant"), ("#2e7d32", "new"), ("#1565c0", "returning"), ("#f9a825", "resurrecting")];
    for (index, (fill, kind)) in legend.into_iter().enumerate() {
        let x = MARGIN + label + index * 140;
        drawn.extend([format!(
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{fill}\"/><text x=\"{}\" y=\"{y}\">{kind}</text>\n",
            y - 11,
            x + 18
        )]);
    }
    sheet(MARGIN * 2 + (answer.points.len() + 1) * LINE, &drawn)
}

fn sticks(answer: &pb::QueryStickinessResponse, columns: usize) -> String {
    let bar_columns = columns.saturating_sub(40).max(10);
    let mut lines = vec![format!("{} users; in how many intervals they were active", answer.users)];
    for of in &answer.points {
        let share = if answer.users > 0 { of.users as f64 / answer.users as f64 } else { 0.0 };
        let (told, more) = (words::percent(share), words::percent(of.share_or_more));
        lines.push(format!(
            "{:>5} {} {told:>5} {:>9}  {more:>5} or more",
            of.intervals,
            bar(Some(share), bar_columns),
            of.users
        ));
    }
    lines.iter().map(|line| fit(line, columns).trim_end().to_owned() + "\n").collect()
}

fn svg_of_sticks(answer: &pb::QueryStickinessResponse) -> String {
    let all = WIDTH - 2 * MARGIN - 60 - 160;
    let mut drawn = String::new();
    for (line, of) in answer.points.iter().enumerate() {
        let share = if answer.users > 0 { of.users as f64 / answer.users as f64 } else { 0.0 };
        let (y, wide) = (MARGIN + line * LINE, (share * all as f64).round());
        drawn.extend([format!(
            "<text x=\"{MARGIN}\" y=\"{text}\">{}</text>\
             <rect x=\"{x}\" y=\"{bar}\" width=\"{wide}\" height=\"16\" fill=\"#1565c0\"/>\
             <text x=\"{after}\" y=\"{text}\">{} {}</text>\n",
            of.intervals,
            escaped(&words::percent(share)),
            of.users,
            x = MARGIN + 60,
            bar = y + 5,
            text = y + 18,
            after = MARGIN + 60 + all + 8,
        )]);
    }
    sheet(MARGIN * 2 + answer.points.len() * LINE, &drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::Timestamp;

    fn lives() -> pb::QueryLifecycleResponse {
        let point =
            |day: i64, [new_users, returning_users, resurrecting_users, dormant_users]: [i64; 4]| pb::LifecyclePoint {
                start_time: Some(Timestamp { seconds: 1_769_904_000 + day * 86_400, nanos: 0 }),
                new_users,
                returning_users,
                resurrecting_users,
                dormant_users,
                partial: day > 0,
                ..Default::default()
            };
        let points = vec![point(0, [60, 30, 10, 50]), point(1, [1, 0, 0, 0])];
        pb::QueryLifecycleResponse { points, ..Default::default() }
    }

    #[test]
    fn it_reads_well_in_80_columns() {
        let expected = "
                                              dormant      new   return   resurr
2026-02-01      ░░░░░░█████████████▓▓▓▓▓▓▓▒▒       50       60       30       10
2026-02-02*           █                             0        1        0        0
░ dormant  █ new  ▓ returning  ▒ resurrecting  * not over
";
        assert_eq!(draw(&lives(), 80, Tz::UTC), expected.trim_start_matches('\n'));
    }

    #[test]
    fn pictures_have_all_kinds() {
        let svg = svg(&lives(), Tz::UTC);
        assert_eq!(svg.matches("<rect").count(), 1 + 2 * 4 + 4);
        assert!(svg.contains("<title>30 returning</title>"), "{svg}");
    }

    #[test]
    fn sticks_are_shares_of_all() {
        let point = |intervals, users, share_or_more| pb::StickinessPoint { intervals, users, share_or_more };
        let points = vec![point(1, 75, 1.0), point(2, 25, 0.25)];
        let answer = pb::QueryStickinessResponse { points, users: 100, ..Default::default() };
        let drawn = sticks(&answer, 60);
        let expected = "\
100 users; in how many intervals they were active
    1 ███████████████░░░░░  75 %        75  100 % or more
    2 █████░░░░░░░░░░░░░░░  25 %        25   25 % or more
";
        assert_eq!(drawn, expected);
        assert!(svg_of_sticks(&answer).contains(">75 % 75</text>"));
    }
}
