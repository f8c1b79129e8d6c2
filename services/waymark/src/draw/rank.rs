//! `waymark rank`: the order by a framework or a model, how sure it is, and what would be worth finding out.

use anyhow::{Result, bail};
use clap::Args;
use waymark_client::{Channel, Error};
use waymark_proto::Choice as _;
use waymark_proto::common::v1::{AsOf, Range, as_of};
use waymark_proto::discovery::v1::StudyMethod;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::prioritization_service_client::PrioritizationServiceClient;

use super::bars::{Width, cut, fit};
use super::plot::{self, Plot};
use super::ranked::{Picture, by_name, ends, heading};
use super::words::When;
use super::{rank_plot, study, words};
use crate::generic::contract::Area;
use crate::generic::names::short;
use crate::settings::Settings;

/// What says which moment is shown: how sure an order was is not told.
const AS_OF: [&str; 3] = ["as_of_revision", "as_of_time", "as_of_snapshot"];

/// Options of `waymark rank`.
#[derive(Debug, Default, Args)]
pub struct Rank {
    /// The framework to rank by, such as wsjf; RICE when not given
    #[arg(long, value_name = "FRAMEWORK", conflicts_with = "model", value_parser = framework)]
    framework: Option<pb::ScoringFramework>,
    /// The scoring model to rank by, by id or name
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Only initiatives that this filter selects, such as 'horizon = "NOW"'
    #[arg(long, value_name = "FILTER", default_value = "", hide_default_value = true)]
    filter: String,
    /// How many are shown, at most 1,000
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    count: i32,
    /// How many of the best are chosen
    #[arg(long, value_name = "NUMBER", default_value_t = 5, conflicts_with_all = AS_OF)]
    top_k: i32,
    /// Draws of the ranges that tell how sure the order is; 0 draws none
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, conflicts_with_all = AS_OF)]
    draws: i32,
    /// Determines the draws
    #[arg(long, value_name = "NUMBER", default_value_t = 0, conflicts_with_all = AS_OF)]
    seed: u64,
    /// Make a study in discovery of what is worth most to find out, by this method, such as interview
    #[arg(long, value_name = "METHOD", value_parser = study::method, conflicts_with = "plot", conflicts_with_all = AS_OF)]
    study: Option<StudyMethod>,
    #[command(flatten)]
    when: When,
    /// Show how it stood in this snapshot
    #[arg(long, value_name = "SNAPSHOT", conflicts_with_all = ["as_of_revision", "as_of_time"])]
    as_of_snapshot: Option<String>,
    #[command(flatten)]
    plot: Plot,
    #[command(flatten)]
    width: Width,
}

/// A framework by its name, as people write it.
pub fn framework(text: &str) -> Result<pb::ScoringFramework, String> {
    let names = pb::ScoringFramework::NAMES;
    let number = names.iter().position(|name| waymark_proto::choice::reads_alike(name, text));
    let framework = number.and_then(|index| pb::ScoringFramework::try_from(index as i32 + 1).ok());
    framework.ok_or_else(|| format!("must be one of {}", names.join(", ").to_lowercase().replace('_', "-")))
}

impl Rank {
    /// The moment that is shown.
    fn position(&self, parent: &str, settings: &Settings) -> Result<Option<AsOf>> {
        let snapshot = self.as_of_snapshot.as_deref().map(|id| format!("{parent}/snapshots/{}", short(id)));
        match snapshot {
            Some(name) => Ok(Some(AsOf { position: Some(as_of::Position::Snapshot(name)) })),
            None => self.when.position(settings.zone()),
        }
    }
}

/// Reads an order as far as is asked for: a page of the past may be short, and others follow it.
async fn order(
    client: &mut PrioritizationServiceClient<Channel>,
    request: pb::RankInitiativesRequest,
) -> Result<pb::RankInitiativesResponse> {
    let mut all = client.rank_initiatives(request.clone()).await.map_err(Error::from)?.into_inner();
    let room = |all: &pb::RankInitiativesResponse| request.page_size - (all.ranked.len() + all.unranked.len()) as i32;
    while request.as_of.is_some() && room(&all) > 0 && !all.next_page_token.is_empty() {
        let page_token = std::mem::take(&mut all.next_page_token);
        let rest = pb::RankInitiativesRequest { page_token, page_size: room(&all), ..request.clone() };
        let next = client.rank_initiatives(rest).await.map_err(Error::from)?.into_inner();
        all.ranked.extend(next.ranked);
        all.unranked.extend(next.unranked);
        all.next_page_token = next.next_page_token;
    }
    Ok(all)
}

/// Draws the order.
pub async fn run(options: &Rank, settings: &Settings) -> Result<()> {
    let parent = settings.parent()?;
    let model = options.model.as_deref();
    let model = model.map(|model| format!("{parent}/scoringModels/{}", short(model))).unwrap_or_default();
    let framework = options.framework.unwrap_or_default();
    let mut client =
        PrioritizationServiceClient::new(settings.channel(Area::Roadmap)?).max_decoding_message_size(64 << 20);
    let request = pb::RankInitiativesRequest {
        parent: parent.clone(),
        framework: framework.into(),
        model: model.clone(),
        filter: options.filter.clone(),
        page_size: options.count,
        as_of: options.position(&parent, settings)?,
        ..Default::default()
    };
    let is_past = request.as_of.is_some();
    let answer = order(&mut client, request).await?;
    let mut sureness = None;
    if options.draws > 0 && !is_past && !answer.ranked.is_empty() {
        let request = pb::AnalyzeSensitivityRequest {
            parent,
            framework: framework.into(),
            model: model.clone(),
            filter: options.filter.clone(),
            top_k: options.top_k,
            draws: options.draws,
            seed: options.seed,
            ..Default::default()
        };
        let tried = client.analyze_sensitivity(request).await.map_err(Error::from);
        match tried {
            Ok(tried) => sureness = Some(tried.into_inner()),
            Err(error) => bail!("{error}\n--draws 0 shows the order without how sure it is"),
        }
    }
    let title = if model.is_empty() { words::framework(framework) } else { short(&model).to_owned() };
    if let Some(method) = options.study {
        let proposals = sureness.iter().flat_map(|sureness| &sureness.proposals);
        let Some(proposal) = proposals.max_by(|a, b| a.worth.total_cmp(&b.worth)) else {
            bail!("nothing is worth finding out: no factor has a range that could change the top {}", options.top_k);
        };
        return study::make(proposal, &format!("top {} by {title}", options.top_k), method, settings).await;
    }
    let picture = Picture { title, answer, sureness, top_k: options.top_k };
    match options.plot.file() {
        Some(file) => {
            let what = format!("{} initiatives are", picture.answer.ranked.len());
            plot::write(file, &rank_plot::draw(&picture), &what)?;
        }
        None => crate::show(format_args!("{}", draw(&picture, options.width.columns()))),
    }
    Ok(())
}

/// A range with its likely value on a line of so many columns: `  ├──●────┤  `.
fn interval(range: Range, (low, high): (f64, f64), columns: usize) -> String {
    let at = |value: f64| ((value - low) / (high - low) * (columns - 1) as f64).round() as usize;
    let (from, likely, to) = (at(range.low), at(range.likely), at(range.high));
    let character = |column: usize| match column {
        _ if column == likely => '●',
        _ if column == from => '├',
        _ if column == to => '┤',
        _ if from < column && column < to => '─',
        _ => ' ',
    };
    (0..columns).map(character).collect()
}

fn draw(picture: &Picture, columns: usize) -> String {
    let pb::RankInitiativesResponse { ranked, unranked, .. } = &picture.answer;
    let mut lines = vec![heading(picture)];
    let (ends, sure) = (ends(ranked), by_name(picture));
    // Position, score, chance and ranks of most draws take so much; the rest is for names and lines.
    let figures = if sure.is_empty() { 4 + 11 } else { 4 + 11 + 7 + 10 };
    let interval_columns = if columns >= 120 { 50 } else { 20 };
    let name_columns = columns.saturating_sub(figures + interval_columns + 2).max(12);
    if !sure.is_empty() {
        let head = format!("{:>11}{:>7}{:>10}", "score", format!("top {}", picture.top_k), "ranks");
        lines.push(format!("{}{head}", " ".repeat(4 + name_columns + 2 + interval_columns)));
    }
    for row in ranked {
        let range = row.score.unwrap_or_default();
        let name = cut(&row.display_name, &format!("  [{}]", short(&row.initiative)), name_columns);
        let name = fit(&name, name_columns);
        let figures = sure
            .get(row.initiative.as_str())
            .map_or(String::new(), |rank| format!("{:>7}{:>10}", words::percent(rank.top_probability), ranks(rank)));
        let score = words::figure(range.likely);
        let line =
            format!("{:>3} {name}  {}{score:>11}{figures}", row.position, interval(range, ends, interval_columns));
        lines.push(line.trim_end().to_owned());
    }
    if !picture.answer.warning.is_empty() {
        lines.push(format!("\n! {}", picture.answer.warning));
    }
    if !unranked.is_empty() {
        lines.push("\nWithout a score".to_owned());
    }
    for row in unranked {
        let why = if row.missing.is_empty() { row.why.clone() } else { format!("lacks {}", row.missing.join(", ")) };
        lines.push(
            fit(&format!("    {}  [{}]  {why}", row.display_name, short(&row.initiative)), columns)
                .trim_end()
                .to_owned(),
        );
    }
    lines.extend(picture.sureness.iter().flat_map(|sureness| found(sureness, picture.top_k, columns)));
    lines.join("\n") + "\n"
}

/// The ranks that nine of ten draws are between.
fn ranks(rank: &pb::RankSureness) -> String {
    let (low, high) = (words::number(rank.low_rank), words::number(rank.high_rank));
    if low == high { low } else { format!("{low} to {high}") }
}

/// Findings of each kind that are told.
const FOUND: usize = 5;

/// What would change the order, and what is worth finding out.
fn found(sureness: &pb::AnalyzeSensitivityResponse, top_k: i32, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let one_step: Vec<_> = sureness.tipping_factors.iter().filter(|of| of.one_step).take(FOUND).collect();
    if !one_step.is_empty() {
        lines.push(format!("\nOne step of these changes the top {top_k}"));
    }
    for of in one_step {
        let (value, changed) = (words::figure(of.value), words::figure(of.changed_value));
        lines.push(format!("    {} of [{}]: {value} → {changed}", of.factor, short(&of.initiative)));
    }
    let worth: Vec<_> = sureness.proposals.iter().filter(|of| of.worth > 0.0).take(FOUND).collect();
    if !worth.is_empty() {
        lines.push(format!("\nWorth finding out, by how much the top {top_k} would gain"));
    }
    for of in worth {
        let line = format!("    {:>9}  {}", words::figure(of.worth), of.question);
        lines.push(fit(&line, columns).trim_end().to_owned());
    }
    lines.push(format!("\nKept as it is, the order is expected to lose {}", words::figure(sureness.expected_regret)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::ranked::tests::picture;

    #[test]
    fn it_reads_well_in_80_columns() {
        let expected = "\
RICE, 3 of 57 that have a score
                                                          score  top 1     ranks
  1 Carts that are s…  [carts]         ├──●─┤              4000   87 %    1 to 2
  2 Pay by app  [pay]             ├──────●─────────┤       3900   50 %    1 to 3
  2 Dark mode  [dark]                    ●                 3900   <1 %         3

Without a score
    Single sign-on  [sso]  lacks reach, effort

One step of these changes the top 1
    effort of [carts]: 2 → 2.2

Worth finding out, by how much the top 1 would gain
        120.5  What is reach of \"Pay by app\", held to be 5000 (1000 to 9000)?

Kept as it is, the order is expected to lose 301.2
";
        let drawn = draw(&picture(), 80);
        assert_eq!(drawn, expected);
        assert!(drawn.lines().all(|line| line.chars().count() <= 80), "{drawn}");
    }

    #[test]
    fn it_reads_well_in_160_columns() {
        let drawn = draw(&picture(), 160);
        assert!(drawn.contains("Carts that are saved until the customer is back  [carts]"), "{drawn}");
        assert!(drawn.lines().all(|line| line.chars().count() <= 160), "{drawn}");
        let unsure = draw(&Picture { sureness: None, ..picture() }, 80);
        assert!(!unsure.contains('%') && unsure.lines().count() == 7, "{unsure}");
    }

    #[test]
    fn what_stood_is_told_with_its_revision() {
        let picture = |ranked_count| {
            let answer = pb::RankInitiativesResponse { ranked_count, revision: 812, ..picture().answer };
            draw(&Picture { sureness: None, answer, ..picture() }, 80)
        };
        assert!(picture(0).starts_with("RICE after revision 812, the first 3\n"), "{}", picture(0));
        assert!(picture(57).starts_with("RICE after revision 812, 3 of 57 that have a score\n"), "{}", picture(57));
    }

    #[test]
    fn frameworks_are_named_as_people_write_them() {
        assert_eq!(framework("ice-mean"), Ok(pb::ScoringFramework::IceMean));
        assert_eq!(framework("WSJF"), Ok(pb::ScoringFramework::Wsjf));
        assert!(framework("rise").unwrap_err().starts_with("must be one of rice, ice, ice-mean"));
    }
}
