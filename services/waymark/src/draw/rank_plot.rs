//! An order as a picture for a slide: a line an initiative, with the range of its score and the chance of the top.

use std::fmt::Write as _;

use super::bars::fit;
use super::plot::{LINE, MARGIN, sheet};
use super::ranked::{Picture, by_name, ends, heading};
use super::svg::escaped;
use super::words;

/// Where ranges are drawn.
const LEFT: usize = 360;
const RANGE: usize = 380;
/// Characters that a name has room for.
const NAME: usize = 40;

/// The picture. The chance of the top is written and is how dark a range is, so that colour is not all that tells.
pub fn draw(picture: &Picture) -> String {
    let ranked = &picture.answer.ranked;
    let ((low, high), sure) = (ends(ranked), by_name(picture));
    let at = |value: f64| LEFT as f64 + (value - low) / (high - low) * RANGE as f64;
    let mut drawn = String::new();
    let title = escaped(&heading(picture));
    // Writing to a text cannot fail.
    let _ = writeln!(drawn, "<text x=\"{MARGIN}\" y=\"{}\" font-weight=\"600\">{title}</text>", MARGIN + 14);
    if !sure.is_empty() {
        let head = escaped(&format!("top {}", picture.top_k));
        let _ = writeln!(drawn, "<text x=\"{}\" y=\"{}\">{head}</text>", LEFT + RANGE + 120, MARGIN + 14);
    }
    for (index, row) in ranked.iter().enumerate() {
        let top = MARGIN + (index + 1) * LINE;
        let (baseline, middle) = (top + 18, top + 13);
        let range = row.score.unwrap_or_default();
        let chance = sure.get(row.initiative.as_str()).map(|rank| rank.top_probability);
        let opacity = 0.35 + 0.65 * chance.unwrap_or(1.0);
        let name = escaped(fit(&format!("{}. {}", row.position, row.display_name), NAME).trim_end());
        let chance = chance.map(words::percent).unwrap_or_default();
        let _ = writeln!(
            drawn,
            "<text x=\"{MARGIN}\" y=\"{baseline}\">{name}</text>\
             <line x1=\"{:.1}\" y1=\"{middle}\" x2=\"{:.1}\" y2=\"{middle}\" stroke=\"#1565c0\" stroke-width=\"6\" stroke-opacity=\"{opacity:.2}\"/>\
             <circle cx=\"{:.1}\" cy=\"{middle}\" r=\"6\" fill=\"#0d47a1\"/>\
             <text x=\"{}\" y=\"{baseline}\">{}</text><text x=\"{}\" y=\"{baseline}\">{}</text>",
            at(range.low),
            at(range.high),
            at(range.likely),
            LEFT + RANGE + 24,
            escaped(&words::figure(range.likely)),
            LEFT + RANGE + 120,
            escaped(&chance),
        );
    }
    sheet(MARGIN * 2 + (ranked.len() + 1) * LINE, &drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_range_is_drawn_from_its_low_to_its_high_end() {
        let mut picture = crate::draw::ranked::tests::picture();
        picture.answer.ranked[2].display_name = "R&D".into();
        let svg = draw(&picture);
        assert_eq!((svg.matches("<circle").count(), svg.matches("</svg>").count()), (3, 1));
        assert!(svg.contains("x1=\"398.0\"") && svg.contains("x2=\"740.0\""), "800 and 8000 of 0 to 8000: {svg}");
        assert!(svg.contains(">2. R&amp;D<") && svg.contains(">87 %<") && svg.contains(">&lt;1 %<"), "{svg}");
    }
}
