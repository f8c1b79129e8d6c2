//! `waymark retention`: who comes back when, as a map of shares.

use anyhow::Result;
use chrono_tz::Tz;
use clap::Args;
use waymark_client::Error;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::analysis_service_client::AnalysisServiceClient;

use super::asked::{Range, value};
use super::bars::{Width, fit};
use super::plot::{self, LINE, MARGIN, Plot, WIDTH, sheet};
use super::svg::escaped;
use super::words;
use crate::generic::contract::Area;
use crate::settings::Settings;

/// Options of `waymark retention`.
#[derive(Debug, Default, Args)]
pub struct Retention {
    /// The event that users begin with
    #[arg(value_name = "EVENT")]
    start: String,
    /// The event that they come back for; the same when not given
    #[arg(value_name = "RETURNING")]
    returning: Option<String>,
    #[command(flatten)]
    range: Range,
    /// Which starts count: first-ever, first-matching or every
    #[arg(long, value_name = "START", value_parser = value::<pb::RetentionStart>)]
    count: Option<pb::RetentionStart>,
    /// How long a period is: day, week or month; a week when not given
    #[arg(long, value_name = "INTERVAL", value_parser = value::<pb::RetentionInterval>)]
    interval: Option<pb::RetentionInterval>,
    /// Count periods from the start itself, not by the calendar
    #[arg(long)]
    rolling: bool,
    /// How many periods after the first; 8 when not given
    #[arg(long, value_name = "COUNT")]
    periods: Option<i32>,
    /// What coming back in a period is: on, on-or-after or on-or-before
    #[arg(long, value_name = "MODE", value_parser = value::<pb::RetentionMode>)]
    mode: Option<pb::RetentionMode>,
    /// Periods in which brackets begin, and the one in which the last ends, such as 1,3,7
    #[arg(long, value_name = "PERIODS", value_delimiter = ',', conflicts_with = "mode")]
    brackets: Vec<i32>,
    /// Only count users for whom the period is over
    #[arg(long)]
    matured: bool,
    #[command(flatten)]
    plot: Plot,
    #[command(flatten)]
    width: Width,
}

/// Draws who comes back.
pub async fn run(options: &Retention, settings: &Settings) -> Result<()> {
    let [start_time, end_time] = options.range.times(settings.zone())?;
    let event = |event: &String| pb::RetentionEvent { event: event.clone(), ..Default::default() };
    let brackets = !options.brackets.is_empty();
    let mode = if brackets { pb::RetentionMode::Brackets } else { options.mode.unwrap_or_default() };
    let asked = pb::RetentionSettings {
        start_time,
        end_time,
        start: options.count.unwrap_or_default().into(),
        interval: options.interval.unwrap_or_default().into(),
        periods_from: if options.rolling { pb::RetentionPeriods::Rolling } else { pb::RetentionPeriods::Calendar }
            .into(),
        periods: options.periods.unwrap_or_default(),
        mode: mode.into(),
        brackets: options.brackets.clone(),
        denominator: if options.matured { pb::RetentionDenominator::Matured } else { pb::RetentionDenominator::All }
            .into(),
        time_zone: settings.zone().name().to_owned(),
        ..Default::default()
    };
    let request = pb::QueryRetentionRequest {
        parent: settings.parent()?,
        start: Some(event(&options.start)),
        returning: options.returning.as_ref().map(event),
        settings: Some(asked),
    };
    let mut client = AnalysisServiceClient::new(settings.channel(Area::Metrics)?).max_decoding_message_size(64 << 20);
    let answer = client.query_retention(request).await.map_err(Error::from)?.into_inner();
    match options.plot.file() {
        Some(file) => {
            plot::write(file, &svg(&answer, settings.zone()), &format!("{} cohorts are", answer.cohorts.len()))?;
        }
        None => crate::show(format_args!("{}", draw(&answer, options.width.columns(), settings.zone()))),
    }
    Ok(())
}

fn column(of: pb::RetentionColumn) -> String {
    if of.from_period == of.to_period {
        of.from_period.to_string()
    } else {
        format!("{}-{}", of.from_period, of.to_period)
    }
}

/// All lines: what each is called, and its cohort.
fn rows(answer: &pb::QueryRetentionResponse, zone: Tz) -> Vec<(String, &pb::RetentionCohort)> {
    let total = answer.total.iter().map(|total| ("all".to_owned(), total));
    total.chain(answer.cohorts.iter().map(|of| (words::day(of.start_time.as_ref(), zone), of))).collect()
}

/// Columns of a share, with a mark where it is not final.
const CELL: usize = 8;
/// Columns of a cohort's date and its users.
const LEFT: usize = 20;

fn draw(answer: &pb::QueryRetentionResponse, columns: usize, zone: Tz) -> String {
    let shown = (columns.saturating_sub(LEFT) / CELL).max(1);
    let head = answer.columns.iter().take(shown).map(|of| format!("{:>width$} ", column(*of), width = CELL - 1));
    let mut lines = vec![format!("{:LEFT$}{}", "", head.collect::<String>())];
    for (name, cohort) in rows(answer, zone) {
        let cell = |cell: &pb::RetentionCell| {
            let share = cell.share.map_or("–".to_owned(), words::percent);
            let mark = if cell.immature > 0 { '*' } else { ' ' };
            format!("{} {share:>width$}{mark}", shade(cell.share.unwrap_or_default()), width = CELL - 3)
        };
        let cells = cohort.cells.iter().take(shown).map(cell).collect::<String>();
        lines.push(format!("{name:10}{:>9} {cells}", cohort.users));
    }
    if answer.columns.len() > shown {
        lines.push(format!("{} more periods; --width shows them", answer.columns.len() - shown));
    }
    if answer.total.iter().flat_map(|total| &total.cells).take(shown).any(|cell| cell.immature > 0) {
        lines.push("* not over for all".to_owned());
    }
    lines.iter().map(|line| fit(line, columns).trim_end().to_owned() + "\n").collect()
}

/// The darker the more.
fn shade(share: f64) -> char {
    match share {
        share if share <= 0.0 => ' ',
        share if share < 0.25 => '░',
        share if share < 0.5 => '▒',
        share if share < 0.75 => '▓',
        _ => '█',
    }
}

/// Pixels of a cohort's date and users.
const LABEL: usize = 180;

fn svg(answer: &pb::QueryRetentionResponse, zone: Tz) -> String {
    let wide = ((WIDTH - 2 * MARGIN - LABEL) / answer.columns.len().max(1)).max(1);
    let mut drawn = String::new();
    let text = |x: usize, line: usize, fill: &str, text: &str| {
        let y = MARGIN + line * LINE + 18;
        format!("<text x=\"{x}\" y=\"{y}\" fill=\"{fill}\">{}</text>\n", escaped(text))
    };
    for (index, of) in answer.columns.iter().enumerate() {
        drawn += &text(MARGIN + LABEL + index * wide + 4, 0, "#000000", &column(*of));
    }
    let rows = rows(answer, zone);
    for (line, (name, cohort)) in (1..).zip(&rows) {
        drawn += &text(MARGIN, line, "#000000", &format!("{name}  {}", cohort.users));
        for (index, cell) in cohort.cells.iter().enumerate() {
            let (x, y) = (MARGIN + LABEL + index * wide, MARGIN + line * LINE);
            let share = cell.share.unwrap_or_default();
            let (size, height) = (wide.saturating_sub(2).max(1), LINE - 2);
            drawn.extend([format!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{size}\" height=\"{height}\" fill=\"#1565c0\" fill-opacity=\"{share:.2}\"/>\n"
            )]);
            // A number stands where there is room for it.
            if wide >= 48 {
                let ink = if share > 0.6 { "#ffffff" } else { "#000000" };
                drawn += &text(x + 4, line, ink, &cell.share.map_or("–".to_owned(), words::percent));
            }
        }
    }
    sheet(MARGIN * 2 + (rows.len() + 1) * LINE, &drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::Timestamp;

    fn answer() -> pb::QueryRetentionResponse {
        let cell = |returned: i64, users: i64, immature| pb::RetentionCell {
            returned,
            users,
            share: (users > 0).then(|| returned as f64 / users as f64),
            immature,
        };
        let cohort = |day: i64, cells: Vec<pb::RetentionCell>| pb::RetentionCohort {
            start_time: Some(Timestamp { seconds: 1_769_904_000 + day * 86_400, nanos: 0 }),
            users: 40,
            cells,
            ..Default::default()
        };
        let column = |from_period, to_period| pb::RetentionColumn { from_period, to_period };
        let cohorts = vec![
            cohort(1, vec![cell(40, 40, 0), cell(20, 40, 0), cell(4, 40, 0)]),
            cohort(8, vec![cell(30, 40, 0), cell(10, 40, 0), cell(0, 0, 40)]),
        ];
        let total = cohort(0, vec![cell(70, 80, 0), cell(30, 80, 0), cell(4, 40, 40)]);
        pb::QueryRetentionResponse {
            cohorts,
            total: Some(pb::RetentionCohort { users: 80, ..total }),
            columns: vec![column(0, 0), column(1, 1), column(2, 6)],
            ..Default::default()
        }
    }

    #[test]
    fn it_reads_well_in_80_columns() {
        let expected = "
                          0       1     2-6
all              80 █  88 % ▒  38 % ░  10 %*
2026-02-02       40 █ 100 % ▓  50 % ░  10 %
2026-02-09       40 █  75 % ▒  25 %       –*
* not over for all
";
        assert_eq!(draw(&answer(), 80, Tz::UTC), expected.trim_start_matches('\n'));
        let narrow = draw(&answer(), 40, Tz::UTC);
        assert!(narrow.contains("1 more periods") && narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
    }

    #[test]
    fn a_square_is_as_strong_as_its_share() {
        let svg = svg(&answer(), Tz::UTC);
        assert_eq!(svg.matches("<rect").count(), 1 + 9);
        assert!(svg.contains("fill-opacity=\"0.38\"") && svg.contains(">38 %</text>"), "{svg}");
    }
}
