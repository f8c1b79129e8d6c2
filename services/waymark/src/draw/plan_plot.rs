//! A plan as a picture for a slide: SVG text, initiatives as bars over their periods, below them how much of each team is
//! used, and beside what is left out.

use std::fmt::Write as _;

use waymark_proto::roadmap::v1 as pb;

use super::bars::fit;
use super::plan_words::{headline, who, why};
use super::plot::{LINE, MARGIN, WIDTH, sheet};
use super::svg::escaped;
use super::words;

/// Width of the column of names in pixels.
const NAMES: usize = 256;
/// About as many characters as there is room for in the column of names, and in the whole width.
const NAME: usize = 30;
const TEXT: usize = 120;

/// The picture. How much is used is written on each bar, so that colour is not all that tells.
pub fn draw(periods: &[String], plan: &pb::OptimizePlanResponse) -> String {
    let period = (WIDTH - 2 * MARGIN - NAMES) / periods.len().max(1);
    let mut page = Page { lines: String::new(), number: 0, period };
    page.text(MARGIN, "600", &fit_to(&headline(plan).join(". "), TEXT));
    page.next();
    for (at, text) in periods.iter().enumerate() {
        page.text(page.x(at), "600", text);
    }
    page.next();
    let place = |text: &str| periods.iter().position(|period| period == text).unwrap_or_default();
    for of in &plan.planned {
        let (start, end) = (place(&of.start), place(&of.end));
        page.text(MARGIN, "400", &fit_to(&of.display_name, NAME));
        page.bar(start, page.period * (end - start + 1) - 4, if of.must { "#4527a0" } else { "#1565c0" });
        let value = of.value.map_or("–".to_owned(), words::number);
        page.on_bar(start, &if of.must { format!("{value} must") } else { value });
        page.next();
    }
    for load in &plan.loads {
        page.text(MARGIN, "600", &fit_to(&who(&load.team, &load.skill), NAME));
        for (at, of) in load.periods.iter().enumerate() {
            let share = if of.capacity > 0.0 { (of.person_months / of.capacity).min(1.0) } else { 0.0 };
            page.bar(at, page.period - 4, "#e0e0e0");
            page.bar(
                at,
                (share * (page.period - 4) as f64).round() as usize,
                if of.binding { "#ef9a9a" } else { "#a5d6a7" },
            );
            let told = format!("{} of {}", words::number(of.person_months), words::number(of.capacity));
            page.text(page.x(at) + 4, "400", &if of.binding { told + " full" } else { told });
        }
        page.next();
    }
    for of in &plan.left_out {
        page.text(MARGIN, "400", &fit_to(&format!("left out: {}: {}", of.display_name, why(of)), TEXT));
        page.next();
    }
    sheet(MARGIN * 2 + page.number * LINE, &page.lines)
}

/// A picture in the making, line by line.
struct Page {
    lines: String,
    number: usize,
    /// The width of a period.
    period: usize,
}

impl Page {
    fn x(&self, period: usize) -> usize {
        MARGIN + NAMES + period * self.period
    }

    fn next(&mut self) {
        self.number += 1;
    }

    fn top(&self) -> usize {
        MARGIN + self.number * LINE
    }

    fn write(&mut self, x: usize, weight: &str, colour: &str, text: &str) {
        let (y, text) = (self.top() + 18, escaped(text));
        // Writing to a text cannot fail.
        let _ =
            writeln!(self.lines, "<text x=\"{x}\" y=\"{y}\" font-weight=\"{weight}\" fill=\"{colour}\">{text}</text>");
    }

    fn text(&mut self, x: usize, weight: &str, text: &str) {
        self.write(x, weight, "#212121", text);
    }

    fn on_bar(&mut self, period: usize, text: &str) {
        self.write(self.x(period) + 6, "400", "#ffffff", text);
    }

    fn bar(&mut self, period: usize, width: usize, colour: &str) {
        let (x, y) = (self.x(period), self.top() + 3);
        // Writing to a text cannot fail.
        let _ = writeln!(self.lines, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"20\" fill=\"{colour}\"/>");
    }
}

fn fit_to(text: &str, columns: usize) -> String {
    fit(text, columns).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_begin_and_end_with_their_periods_and_say_what_they_are() {
        let (periods, mut plan) = crate::draw::plan::tests::plan();
        plan.planned[1].display_name = "R&D <first>".into();
        let svg = draw(&periods, &plan);
        assert_eq!((svg.matches("</svg>").count(), svg.matches("fill=\"#1565c0\"").count()), (1, 2));
        // 656 pixels are two periods.
        assert!(svg.contains("x=\"280\" y=\"83\" width=\"324\" height=\"20\" fill=\"#4527a0\""), "{svg}");
        assert!(svg.contains("x=\"280\" y=\"111\" width=\"652\" height=\"20\" fill=\"#1565c0\""), "{svg}");
        assert!(svg.contains(">R&amp;D &lt;first&gt;</text>") && svg.contains(">10 of 10 full</text>"), "{svg}");
        assert!(svg.contains(">left out: Whale: how much work it is is not known"), "{svg}");
    }
}
