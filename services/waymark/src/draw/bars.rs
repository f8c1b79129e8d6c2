//! Bars and columns that fit a terminal, in characters alone: nothing is said by colour.

use comfy_table::Table;

/// Columns where output goes to no terminal and nobody said how many.
const COLUMNS: usize = 80;

/// How wide to draw.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Width {
    /// Columns to draw in; those of the terminal when not given, 80 where there is none
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000))]
    width: Option<u16>,
}

impl Width {
    /// The columns there are.
    pub fn columns(&self) -> usize {
        self.width.or_else(|| Table::new().width()).map_or(COLUMNS, |width| usize::from(width).max(40))
    }
}

/// A share, 0 to 1, as a bar of so many columns; one of dots where nobody knows it.
pub fn bar(share: Option<f64>, columns: usize) -> String {
    let Some(share) = share else { return "·".repeat(columns) };
    // Something is never shown as nothing, nor less than all as all.
    let full = (share.clamp(0.0, 1.0) * columns as f64).round() as usize;
    let full = match share {
        share if share >= 1.0 => columns,
        share if share > 0.0 => full.clamp(1, columns.saturating_sub(1).max(1)),
        _ => 0,
    };
    "█".repeat(full) + &"░".repeat(columns - full)
}

/// A text in so many columns: cut, which an ellipsis says, or filled with blanks.
pub fn fit(text: &str, columns: usize) -> String {
    let length = text.chars().count();
    if length <= columns {
        return text.to_owned() + &" ".repeat(columns - length);
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    kept + "…"
}

/// A name and what must be read whole, in at most so many columns.
pub fn cut(name: &str, rest: &str, columns: usize) -> String {
    let room = columns.saturating_sub(rest.chars().count());
    fit(name, name.chars().count().min(room)) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_what_they_show() {
        let drawn = |share| bar(share, 10);
        assert_eq!([drawn(Some(0.0)), drawn(Some(0.5)), drawn(Some(1.0))], ["░░░░░░░░░░", "█████░░░░░", "██████████"]);
        assert_eq!([drawn(Some(0.001)), drawn(Some(0.999)), drawn(None)], ["█░░░░░░░░░", "█████████░", "··········"]);
    }

    #[test]
    fn texts_are_cut_by_characters() {
        assert_eq!([fit("Größe", 7), fit("Größe", 5), fit("Größe", 4)], ["Größe  ", "Größe", "Grö…"]);
    }
}
