//! How the story is told.

/// Begins a chapter.
pub fn chapter(number: u8, title: &str) {
    println!("\n{number}. {title}\n");
}

/// A step that was taken.
pub fn step(text: impl AsRef<str>) {
    println!("  • {}", text.as_ref());
}

/// What somebody says.
pub fn quote(who: &str, text: &str) {
    println!("      “{text}” — {who}");
}
