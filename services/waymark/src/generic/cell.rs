//! Texts in cells that spreadsheets open: one that begins as a formula does has an apostrophe in front, so that it is shown
//! and not carried out, and loses it where it is read back.
//!
//! What begins a formula is as OWASP lists it ("CSV Injection"). Numbers need no apostrophe: they are written by this program.

use std::borrow::Cow;

/// What spreadsheets take a cell for a formula by.
const STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

fn begins_as_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(STARTS)
}

/// The text as a cell has it.
pub fn guarded(text: &str) -> Cow<'_, str> {
    if begins_as_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text that a cell has.
pub fn bare(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| begins_as_formula(text)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_texts_and_come_back_as_they_were() {
        assert_eq!(guarded("=HYPERLINK(\"http://x\")"), "'=HYPERLINK(\"http://x\")");
        assert_eq!((guarded("it's"), guarded("'quoted'")), ("it's".into(), "'quoted'".into()));
        for text in ["=1", "+1", "-1", "@x", "\tx", "\r", "'=1", "''-", "'", "", "it's", "'x"] {
            let cell = guarded(text);
            assert!(!cell.starts_with(STARTS) && bare(&cell) == text, "{text:?} {cell:?}");
        }
    }
}
