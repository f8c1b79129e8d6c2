//! `waymark funnel`: how far users get through steps, as bars, and over time.

use anyhow::Result;
use chrono_tz::Tz;
use clap::Args;
use waymark_client::Error;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::analysis_service_client::AnalysisServiceClient;

use super::asked::{Range, length, value};
use super::bars::{Width, bar, fit};
use super::plot::{self, LINE, MARGIN, Plot, WIDTH, sheet};
use super::svg::escaped;
use super::words;
use crate::generic::contract::Area;
use crate::settings::Settings;
use crate::zone;

/// Options of `waymark funnel`.
#[derive(Debug, Default, Args)]
pub struct Funnel {
    /// The steps by their events, in order, such as signed_up invited paid
    #[arg(value_name = "EVENT", required = true, num_args = 2..)]
    steps: Vec<String>,
    #[command(flatten)]
    range: Range,
    /// Whose way of counting: waymark, clickhouse, clickhouse-strict-order, clickhouse-strict-increase, posthog, mixpanel or amplitude
    #[arg(long, value_name = "PRESET", value_parser = value::<pb::FunnelPreset>)]
    preset: Option<pb::FunnelPreset>,
    /// Which ways count: latest-start, first-entry, every-entry or session
    #[arg(long, value_name = "ENTRY", value_parser = value::<pb::FunnelEntry>)]
    entry: Option<pb::FunnelEntry>,
    /// What may come between steps: ordered, strict, unordered or unordered-after-first
    #[arg(long, value_name = "ORDER", value_parser = value::<pb::FunnelOrder>)]
    order: Option<pb::FunnelOrder>,
    /// How long there is, such as 7d, 90min or 1h; session for all of a session
    #[arg(long, value_name = "WINDOW", value_parser = window)]
    window: Option<Window>,
    /// Count the window for each step, from the one before
    #[arg(long)]
    per_step: bool,
    /// An event that must not come between the first step and the last; may be given again
    #[arg(long, value_name = "EVENT")]
    without: Vec<String>,
    /// A property that all steps must have alike, such as order_id; may be given again
    #[arg(long, value_name = "PROPERTY")]
    hold: Vec<String>,
    /// A property whose values are told apart
    #[arg(long, value_name = "PROPERTY", default_value = "", hide_default_value = true)]
    by: String,
    /// Tell those who entered in each day, week or month, too
    #[arg(long, value_name = "INTERVAL", value_parser = value::<pb::TrendInterval>)]
    trend: Option<pb::TrendInterval>,
    #[command(flatten)]
    plot: Plot,
    #[command(flatten)]
    width: Width,
}

/// How long there is; none for all of a session.
type Window = Option<(i32, pb::FunnelWindowUnit)>;

/// A window as people write it.
fn window(text: &str) -> Result<Window, String> {
    use pb::FunnelWindowUnit as Unit;
    if text == "session" {
        return Ok(None);
    }
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit.trim() {
        "s" => Unit::Second,
        "min" => Unit::Minute,
        "h" => Unit::Hour,
        "d" => Unit::Day,
        "w" => Unit::Week,
        _ => return Err("must be a number with s, min, h, d or w, such as 7d, or session".to_owned()),
    };
    Ok(Some((digits.parse().map_err(|_| format!("{digits:?} is not a number that a window may have"))?, unit)))
}

impl Funnel {
    fn request(&self, settings: &Settings) -> Result<pb::QueryFunnelRequest> {
        let [start_time, end_time] = self.range.times(settings.zone())?;
        let step = |event: &String| pb::FunnelStep { event: event.clone(), ..Default::default() };
        let last = self.steps.len() as i32 - 1;
        let exclusion =
            |event: &String| pb::FunnelExclusion { event: event.clone(), before_step: last, ..Default::default() };
        let scope = match (&self.window, self.per_step) {
            (Some(None), _) => pb::FunnelWindowScope::Session,
            (_, true) => pb::FunnelWindowScope::PerStep,
            (_, false) => pb::FunnelWindowScope::Unspecified,
        };
        let window = self.window.flatten();
        let asked = pb::FunnelSettings {
            start_time,
            end_time,
            preset: self.preset.unwrap_or_default().into(),
            entry: self.entry.unwrap_or_default().into(),
            order: self.order.unwrap_or_default().into(),
            window_scope: scope.into(),
            window_length: window.map(|(length, _)| length),
            window_unit: window.map(|(_, unit)| unit).unwrap_or_default().into(),
            exclusions: self.without.iter().map(exclusion).collect(),
            held_properties: self.hold.clone(),
            breakdown: self.by.clone(),
            time_zone: settings.zone().name().to_owned(),
            trend: self.trend.is_some(),
            interval: self.trend.unwrap_or_default().into(),
            ..Default::default()
        };
        let steps = self.steps.iter().map(step).collect();
        Ok(pb::QueryFunnelRequest { parent: settings.parent()?, steps, settings: Some(asked) })
    }
}

/// Draws how far users get.
pub async fn run(options: &Funnel, settings: &Settings) -> Result<()> {
    let mut client = AnalysisServiceClient::new(settings.channel(Area::Metrics)?).max_decoding_message_size(64 << 20);
    let request = options.request(settings)?;
    let answer = client.query_funnel(request).await.map_err(Error::from)?.into_inner();
    match options.plot.file() {
        Some(file) => plot::write(file, &svg(&answer, settings.zone()), &format!("{} steps are", options.steps.len()))?,
        None => crate::show(format_args!("{}", draw(&answer, options.width.columns(), settings.zone()))),
    }
    Ok(())
}

/// What was counted, in a line.
fn title(answer: &pb::QueryFunnelResponse, zone: Tz) -> String {
    let of = answer.settings.clone().unwrap_or_default();
    let counted = match of.entry() {
        pb::FunnelEntry::Unspecified | pb::FunnelEntry::LatestStart => "users, by all their ways",
        pb::FunnelEntry::FirstEntry => "users, from their first entry",
        pb::FunnelEntry::EveryEntry => "entries",
        pb::FunnelEntry::Session => "sessions",
    };
    let (length, unit) = (of.window_length.unwrap_or_default(), of.window_unit().as_str_name());
    let unit = words::value(unit, "FUNNEL_WINDOW_UNIT_").to_lowercase();
    let plural = if length == 1 { "" } else { "s" };
    let within = match of.window_scope() {
        pb::FunnelWindowScope::Session => "within a session".to_owned(),
        pb::FunnelWindowScope::PerStep => format!("each within {length} {unit}{plural}"),
        pb::FunnelWindowScope::Unspecified | pb::FunnelWindowScope::Total => format!("within {length} {unit}{plural}"),
    };
    let ends = zone::of(of.start_time.as_ref()).zip(zone::of(of.end_time.as_ref()));
    let span = ends.map(|(start, end)| zone::span(zone, start, end)).unwrap_or_default();
    format!("{counted}, {within}, {span}")
}

/// What a series is called; nothing where there is one alone.
fn name(series: &pb::FunnelSeries) -> String {
    if series.absent { "(without)".to_owned() } else { series.value.clone() }
}

/// What a step is called.
fn step(index: usize, step: &pb::FunnelStepResult) -> String {
    if step.event.is_empty() { format!("{} of the steps", index + 1) } else { step.event.clone() }
}

fn draw(answer: &pb::QueryFunnelResponse, columns: usize, zone: Tz) -> String {
    let mut lines = vec![title(answer, zone)];
    for series in &answer.series {
        if !name(series).is_empty() {
            lines.push(format!("\n{}", name(series)));
        }
        let named: Vec<String> = series.steps.iter().enumerate().map(|(index, of)| step(index, of)).collect();
        let label = named.iter().map(|name| name.chars().count()).max().unwrap_or_default().min(columns / 3);
        let bar_columns = columns.saturating_sub(label + 55).clamp(10, 60);
        for (index, (of, name)) in series.steps.iter().zip(&named).enumerate() {
            let took = of.time_to_convert.map(|took| format!(", half in {}", length(took.median_seconds)));
            let from = if index == 0 { String::new() } else { format!("{} of before", words::percent(of.step_share)) };
            let (name, bar) = (fit(name, label), bar(Some(of.share), bar_columns));
            let share = words::percent(of.share);
            lines.push(format!("{name} {bar} {share:>5} {:>9}  {from}{}", of.reached, took.unwrap_or_default()));
        }
        if let Some(took) = &series.time_to_convert {
            let [p10, half, p90] = [took.p10_seconds, took.median_seconds, took.p90_seconds].map(length);
            lines.push(format!("to the end: a tenth in {p10}, half in {half}, nine tenths in {p90}"));
        }
        if series.immature > 0 {
            lines.push(format!("{} still have time", series.immature));
        }
        for point in &series.points {
            let (entered, through) = ends(point);
            let share = (entered > 0).then(|| through as f64 / entered as f64);
            let told = share.map_or("–".to_owned(), words::percent);
            let mark = if point.partial || point.immature > 0 { " *" } else { "" };
            let day = words::day(point.start_time.as_ref(), zone);
            lines.push(format!("{day} {} {told:>5} {through:>9} of {entered}{mark}", bar(share, bar_columns)));
        }
        if series.points.iter().any(|point| point.partial || point.immature > 0) {
            lines.push("* not over, or with time left".to_owned());
        }
    }
    if answer.series_left_out > 0 {
        lines.push(format!("\n{} more values", answer.series_left_out));
    }
    lines.iter().map(|line| fit(line, columns).trim_end().to_owned() + "\n").collect()
}

/// How many entered, and how many got through.
fn ends(point: &pb::FunnelPoint) -> (i64, i64) {
    (point.reached.first().copied().unwrap_or_default(), point.reached.last().copied().unwrap_or_default())
}

/// Pixels of a step's name, and of what is written after its bar.
const LABEL: usize = 220;
const TOLD: usize = 220;

fn svg(answer: &pb::QueryFunnelResponse, zone: Tz) -> String {
    let mut drawn = String::new();
    let mut line = 0;
    let text = |drawn: &mut String, x: usize, line: usize, weight: &str, text: &str| {
        let y = MARGIN + line * LINE + 18;
        drawn.extend([format!("<text x=\"{x}\" y=\"{y}\" font-weight=\"{weight}\">{}</text>\n", escaped(text))]);
    };
    text(&mut drawn, MARGIN, line, "600", &title(answer, zone));
    for series in &answer.series {
        line += 1;
        if !name(series).is_empty() {
            text(&mut drawn, MARGIN, line, "600", fit(&name(series), 100).trim_end());
            line += 1;
        }
        let all = WIDTH - 2 * MARGIN - LABEL - TOLD;
        let mut one = |drawn: &mut String, label: &str, share: f64, told: &str| {
            let (y, wide) = (MARGIN + line * LINE + 5, (share * all as f64).round());
            text(drawn, MARGIN, line, "400", fit(label, 26).trim_end());
            drawn.extend([format!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{all}\" height=\"16\" fill=\"#eeeeee\"/>\
                 <rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"16\" fill=\"#1565c0\"/>\n",
                x = MARGIN + LABEL
            )]);
            text(drawn, MARGIN + LABEL + all + 8, line, "400", told);
            line += 1;
        };
        for (index, of) in series.steps.iter().enumerate() {
            one(&mut drawn, &step(index, of), of.share, &format!("{} {}", words::percent(of.share), of.reached));
        }
        for point in &series.points {
            let (entered, through) = ends(point);
            let share = if entered > 0 { through as f64 / entered as f64 } else { 0.0 };
            one(&mut drawn, &words::day(point.start_time.as_ref(), zone), share, &format!("{through} of {entered}"));
        }
    }
    sheet(MARGIN * 2 + (line + 1) * LINE, &drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::Timestamp;

    fn answer() -> pb::QueryFunnelResponse {
        let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let took = |median| {
            let (p10_seconds, p90_seconds) = (median / 2.0, median * 2.0);
            Some(pb::TimeToConvert { median_seconds: median, p10_seconds, p90_seconds, ..Default::default() })
        };
        let step = |event: &str, reached: i64, step_share, time_to_convert| pb::FunnelStepResult {
            event: event.into(),
            reached,
            share: reached as f64 / 1000.0,
            step_share,
            time_to_convert,
        };
        let steps = vec![
            step("signed_up", 1000, 1.0, None),
            step("invited <b>", 400, 0.4, took(12_000.0)),
            step("paid", 3, 0.0075, took(45.0)),
        ];
        let settings = pb::FunnelSettings {
            start_time: at(1_769_904_000),
            end_time: at(1_772_323_200),
            window_length: Some(7),
            window_unit: pb::FunnelWindowUnit::Day.into(),
            window_scope: pb::FunnelWindowScope::Total.into(),
            entry: pb::FunnelEntry::FirstEntry.into(),
            ..Default::default()
        };
        let point = pb::FunnelPoint {
            start_time: at(1_769_904_000),
            reached: vec![8, 4, 2],
            immature: 1,
            ..Default::default()
        };
        let series = pb::FunnelSeries {
            steps,
            immature: 12,
            time_to_convert: took(86_400.0),
            points: vec![point],
            ..Default::default()
        };
        pb::QueryFunnelResponse { series: vec![series], settings: Some(settings), ..Default::default() }
    }

    #[test]
    fn it_reads_well_in_80_columns() {
        let expected = "\
users, from their first entry, within 7 days, 2026-02-01 to 2026-03-01
signed_up   ██████████████ 100 %      1000
invited <b> ██████░░░░░░░░  40 %       400  40 % of before, half in 3 h 20 min
paid        █░░░░░░░░░░░░░  <1 %         3  <1 % of before, half in 45 s
to the end: a tenth in 12 h, half in 1 d, nine tenths in 2 d
12 still have time
2026-02-01 ████░░░░░░░░░░  25 %         2 of 8 *
* not over, or with time left
";
        assert_eq!(draw(&answer(), 80, Tz::UTC), expected);
        assert!(draw(&answer(), 160, Tz::UTC).contains("40 % of before, half in 3 h 20 min\n"));
    }

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        let svg = svg(&answer(), Tz::UTC);
        assert!(svg.contains("invited &lt;b&gt;") && svg.contains(">40 % 400</text>"), "{svg}");
        let all = WIDTH - 2 * MARGIN - LABEL - TOLD;
        assert!(
            svg.contains(&format!("width=\"{}\" height=\"16\" fill=\"#1565c0\"", (all as f64 * 0.4).round())),
            "{svg}"
        );
    }

    #[test]
    fn windows_are_written_as_people_do() {
        use pb::FunnelWindowUnit as Unit;
        assert_eq!(window("7d"), Ok(Some((7, Unit::Day))));
        assert_eq!(window("90 min"), Ok(Some((90, Unit::Minute))));
        assert_eq!(window("session"), Ok(None));
        for wrong in ["", "d", "7", "7 years", "99999999999d"] {
            assert!(window(wrong).is_err(), "{wrong}");
        }
    }
}
