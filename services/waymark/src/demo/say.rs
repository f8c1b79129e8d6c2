//! How the story is told.

/// Begins a chapter.
pub fn chapter(number: u8, title: &str) {
    crate::show(format_args!("\n{number}. {title}\n"));
}

/// A step that was taken.
pub fn step(text: impl AsRef<str>) {
    crate::show(format_args!("  • {}", text.as_ref()));
}

/// What somebody says.
pub fn quote(who: &str, text: &str) {
    crate::show(format_args!("      “{text}” — {who}"));
}
