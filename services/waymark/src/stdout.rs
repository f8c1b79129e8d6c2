//! Standard output, where the answers of commands go.

use std::io::Write as _;

/// Prints a line on standard output. When its reader has gone, as `head` does, there is nobody left to work for: the
/// program ends.
pub(crate) fn show(text: std::fmt::Arguments<'_>) {
    if writeln!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}
