//! Objectives as a picture for a slide: SVG text, a line an objective or key result, with a bar in the colour of its band.

use std::fmt::Write as _;

use waymark_proto::roadmap::v1 as pb;

use super::svg::escaped;

/// Measures in pixels.
const WIDTH: usize = 960;
const LINE: usize = 28;
const INDENT: usize = 20;
const MARGIN: usize = 24;
const BAR: usize = 240;

/// The picture. What a band is is written beside its bar, so that colour is not all that tells.
pub fn draw(nodes: &[pb::ObjectiveNode]) -> String {
    let mut lines = String::new();
    let mut number = 0;
    for node in nodes {
        let depth = node.depth.unsigned_abs() as usize;
        let of = node.objective.clone().unwrap_or_default();
        line(&mut lines, &mut number, (depth * 2, "600"), &of.display_name, node.score, node.band());
        for of in node.key_results.iter().filter_map(|of| of.key_result.as_ref()) {
            line(&mut lines, &mut number, (depth * 2 + 1, "400"), &of.display_name, of.score, of.band());
        }
    }
    let height = MARGIN * 2 + number * LINE;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{lines}</svg>\n"
    )
}

fn line(
    lines: &mut String,
    number: &mut usize,
    (indent, weight): (usize, &str),
    text: &str,
    score: Option<f64>,
    band: pb::ScoreBand,
) {
    let top = MARGIN + *number * LINE;
    *number += 1;
    let (colour, word) = match band {
        pb::ScoreBand::Unspecified => ("#9e9e9e", "unknown"),
        pb::ScoreBand::Red => ("#c62828", "red"),
        pb::ScoreBand::Yellow => ("#f9a825", "yellow"),
        pb::ScoreBand::Green => ("#2e7d32", "green"),
    };
    let (x, bar, baseline) = (MARGIN + indent * INDENT, WIDTH - MARGIN - BAR - 96, top + 18);
    // About as many characters as there is room for.
    let text = escaped(super::bars::fit(text, (bar.saturating_sub(x + 16) / 8).max(8)).trim_end());
    let filled = (score.unwrap_or_default() * BAR as f64).round();
    let score = score.map_or("–".to_owned(), |score| format!("{score:.2}"));
    // Writing to a text cannot fail.
    let _ = writeln!(
        lines,
        "<text x=\"{x}\" y=\"{baseline}\" font-weight=\"{weight}\">{text}</text>\
         <rect x=\"{bar}\" y=\"{y}\" width=\"{BAR}\" height=\"16\" fill=\"#eeeeee\"/>\
         <rect x=\"{bar}\" y=\"{y}\" width=\"{filled}\" height=\"16\" fill=\"{colour}\"/>\
         <text x=\"{after}\" y=\"{baseline}\">{score} {word}</text>",
        y = top + 5,
        after = bar + BAR + 8,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_wide_as_its_score_and_says_its_band() {
        let mut nodes = crate::draw::okr::tests::nodes();
        nodes[0].objective.as_mut().unwrap().display_name = "R&D <first>\u{7}".into();
        let svg = draw(&nodes);
        assert_eq!((svg.matches("<text").count(), svg.matches("</svg>").count()), (2 * 6, 1));
        assert!(svg.contains(">R&amp;D &lt;first&gt;</text>"), "{svg}");
        assert!(svg.contains("width=\"180\" height=\"16\" fill=\"#2e7d32\"") && svg.contains(">0.75 green<"), "{svg}");
        assert!(svg.contains("width=\"0\" height=\"16\" fill=\"#9e9e9e\"") && svg.contains(">– unknown<"), "{svg}");
    }
}
