//! `waymark compare`: how alike the orders of frameworks and models are, and what they disagree on.

use anyhow::Result;
use clap::Args;
use waymark_client::Error;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::prioritization_service_client::PrioritizationServiceClient;

use super::bars::{Width, fit};
use super::plot::{self, LINE, MARGIN, Plot, sheet};
use super::rank::framework;
use super::svg::escaped;
use super::words;
use crate::generic::contract::Area;
use crate::generic::names::short;
use crate::settings::Settings;

/// Options of `waymark compare`.
#[derive(Debug, Default, Args)]
pub struct Compare {
    /// The frameworks to compare, such as rice wsjf; all when neither these nor models are given
    #[arg(value_name = "FRAMEWORK", value_parser = framework)]
    frameworks: Vec<pb::ScoringFramework>,
    /// A scoring model to compare, by id or name; may be given again
    #[arg(long, value_name = "MODEL")]
    model: Vec<String>,
    /// Only initiatives that this filter selects, such as 'horizon = "NOW"'
    #[arg(long, value_name = "FILTER", default_value = "", hide_default_value = true)]
    filter: String,
    #[command(flatten)]
    plot: Plot,
    #[command(flatten)]
    width: Width,
}

/// Draws how alike orders are.
pub async fn run(options: &Compare, settings: &Settings) -> Result<()> {
    let parent = settings.parent()?;
    let request = pb::CompareFrameworksRequest {
        filter: options.filter.clone(),
        frameworks: options.frameworks.iter().map(|framework| i32::from(*framework)).collect(),
        models: options.model.iter().map(|model| format!("{parent}/scoringModels/{}", short(model))).collect(),
        parent,
    };
    let mut client = PrioritizationServiceClient::new(settings.channel(Area::Roadmap)?);
    let answer = client.compare_frameworks(request).await.map_err(Error::from)?.into_inner();
    match options.plot.file() {
        Some(file) => plot::write(file, &svg(&answer.pairs), &format!("{} pairs are", answer.pairs.len()))?,
        None => crate::show(format_args!("{}", draw(&answer.pairs, options.width.columns()))),
    }
    Ok(())
}

fn first(pair: &pb::FrameworkPair) -> String {
    side(pair.first(), &pair.first_model)
}

fn second(pair: &pb::FrameworkPair) -> String {
    side(pair.second(), &pair.second_model)
}

fn side(framework: pb::ScoringFramework, model: &str) -> String {
    if model.is_empty() { words::framework(framework) } else { short(model).to_owned() }
}

/// All that are compared, in their order.
fn sides(pairs: &[pb::FrameworkPair]) -> Vec<String> {
    let mut sides: Vec<String> = Vec::new();
    for side in pairs.iter().flat_map(|pair| [first(pair), second(pair)]) {
        if !sides.contains(&side) {
            sides.push(side);
        }
    }
    sides
}

/// Columns of a number.
const CELL: usize = 7;

/// A triangle of numbers where there is room for it, and what is disagreed on most.
fn draw(pairs: &[pb::FrameworkPair], columns: usize) -> String {
    let sides = sides(pairs);
    let label = sides.iter().map(|side| side.chars().count()).max().unwrap_or_default();
    let tau = |pair: &pb::FrameworkPair| pair.kendall_tau_b.map_or("–".to_owned(), |tau| format!("{tau:+.2}"));
    let mut lines = vec!["Kendall's tau-b: +1 the same order, -1 the other way round".to_owned()];
    if label + 2 + CELL * sides.len().saturating_sub(1) <= columns {
        let head = sides[1..].iter().map(|side| format!("{:>CELL$}", fit(side, CELL - 1).trim_end()));
        let head = head.collect::<Vec<_>>().concat();
        lines.push(format!("{}{head}", " ".repeat(label)));
        for (row, side) in sides.iter().enumerate().take(sides.len() - 1) {
            let cells = sides[1..].iter().enumerate().map(|(column, other)| {
                let pair = pairs.iter().find(|pair| first(pair) == *side && second(pair) == *other);
                format!("{:>CELL$}", if column < row { String::new() } else { pair.map_or("–".to_owned(), tau) })
            });
            lines.push(format!("{side:label$}{}", cells.collect::<Vec<_>>().concat()));
        }
    } else {
        lines.extend(pairs.iter().map(|pair| format!("{:>6}  {} and {}", tau(pair), first(pair), second(pair))));
    }
    for pair in pairs.iter().filter(|pair| !pair.disagreements.is_empty()) {
        lines.push(format!("\n{} and {}, of {} that both rank", first(pair), second(pair), pair.ranked_count));
        for of in &pair.disagreements {
            let ranks = format!("{:>5} {:>5}", words::number(of.first_rank), words::number(of.second_rank));
            lines.push(fit(&format!("{ranks}  {}  [{}]", of.display_name, short(&of.initiative)), columns));
            lines.extend(of.why.split("; ").map(|why| fit(&format!("{:13}{why}", ""), columns)));
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Pixels of a square.
const SQUARE: usize = 72;
const LABEL: usize = 120;

/// Squares, the darker the more alike or the more opposed two orders are; a number in each says which.
fn svg(pairs: &[pb::FrameworkPair]) -> String {
    let sides = sides(pairs);
    let mut drawn = String::new();
    let text = |x: usize, y: usize, anchor: &str, fill: &str, text: &str| {
        format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"{fill}\">{}</text>\n", escaped(text))
    };
    for (index, side) in sides.iter().enumerate() {
        let name = fit(side, 12).trim_end().to_owned();
        let middle = index * SQUARE + SQUARE / 2;
        drawn += &text(MARGIN + LABEL - 8, MARGIN + LINE + middle + 5, "end", "#000000", &name);
        drawn += &text(MARGIN + LABEL + middle, MARGIN + LINE - 8, "middle", "#000000", &fit(side, 8));
    }
    for pair in pairs {
        let place = |of: &str| sides.iter().position(|side| side == of).unwrap_or_default();
        let (row, column) = (place(&first(pair)), place(&second(pair)));
        let (x, y) = (MARGIN + LABEL + column * SQUARE, MARGIN + LINE + row * SQUARE);
        let (fill, strength, told) = match pair.kendall_tau_b {
            None => ("#eeeeee", 1.0, "–".to_owned()),
            Some(tau) if tau < 0.0 => ("#c62828", tau.abs(), format!("{tau:+.2}")),
            Some(tau) => ("#1565c0", tau, format!("{tau:+.2}")),
        };
        let ink = if strength > 0.6 && fill != "#eeeeee" { "#ffffff" } else { "#000000" };
        drawn.extend([format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{size}\" height=\"{size}\" fill=\"{fill}\" fill-opacity=\"{strength:.2}\"/>\n",
            size = SQUARE - 2
        )]);
        drawn += &text(x + SQUARE / 2, y + SQUARE / 2 + 5, "middle", ink, &told);
    }
    sheet(MARGIN * 2 + LINE + sides.len() * SQUARE, &drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pb::ScoringFramework as F;

    fn pairs() -> Vec<pb::FrameworkPair> {
        let of =
            |first: pb::ScoringFramework, second: pb::ScoringFramework, second_model: &str, tau| pb::FrameworkPair {
                first: first.into(),
                second: second.into(),
                second_model: second_model.into(),
                ranked_count: 12,
                kendall_tau_b: tau,
                ..Default::default()
            };
        let mut pairs = vec![
            of(F::Rice, F::Wsjf, "", Some(0.625)),
            of(F::Rice, F::Unspecified, "workspaces/w/scoringModels/company-goals", Some(-0.1)),
            of(F::Wsjf, F::Unspecified, "workspaces/w/scoringModels/company-goals", None),
        ];
        pairs[0].disagreements = vec![pb::FrameworkDisagreement {
            initiative: "workspaces/w/initiatives/carts".into(),
            display_name: "Saved carts".into(),
            first_rank: 1.0,
            second_rank: 8.5,
            why: "1 of 12 by RICE, where reach 5000 is 1 of 12; 8.5 of 12 by WSJF, where wsjf.job_size 20 is 12 of 12"
                .into(),
        }];
        pairs
    }

    #[test]
    fn it_reads_well_in_80_columns() {
        let expected = "\
Kendall's tau-b: +1 the same order, -1 the other way round
                WSJF compa…
RICE           +0.62  -0.10
WSJF                      –

RICE and WSJF, of 12 that both rank
    1   8.5  Saved carts  [carts]
             1 of 12 by RICE, where reach 5000 is 1 of 12
             8.5 of 12 by WSJF, where wsjf.job_size 20 is 12 of 12
";
        assert_eq!(draw(&pairs(), 80), expected);
        let narrow = draw(&pairs(), 25);
        assert!(narrow.contains(" +0.62  RICE and WSJF\n"), "{narrow}");
        assert!(draw(&pairs(), 160).lines().all(|line| line.chars().count() <= 160));
    }

    #[test]
    fn a_square_is_as_strong_as_its_number() {
        let svg = svg(&pairs());
        assert_eq!(svg.matches("<rect").count(), 1 + 3);
        assert!(svg.contains("fill=\"#1565c0\" fill-opacity=\"0.62\"") && svg.contains(">+0.62<"), "{svg}");
        assert!(svg.contains("fill=\"#c62828\" fill-opacity=\"0.10\"") && svg.contains(">-0.10<"), "{svg}");
        assert!(svg.contains("fill=\"#eeeeee\"") && svg.contains(">–<"), "{svg}");
    }
}
