//! Pictures for a slide, as SVG: the sheet they are drawn on, and where they go.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

/// Width of a picture in pixels.
pub const WIDTH: usize = 960;
/// White space around what is drawn.
pub const MARGIN: usize = 24;
/// Height of a line of text.
pub const LINE: usize = 28;

/// Where a picture goes.
#[derive(Debug, Clone, Default, Args)]
pub struct Plot {
    /// Write the picture as SVG to this file instead
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

impl Plot {
    /// The file, if one is named.
    pub fn file(&self) -> Option<&Path> {
        self.plot.as_deref()
    }
}

/// A sheet with what is drawn on it.
pub fn sheet(height: usize, drawn: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{drawn}</svg>\n"
    )
}

/// Writes a picture of `what` and says so.
pub fn write(file: &Path, svg: &str, what: &str) -> Result<()> {
    std::fs::write(file, svg).with_context(|| format!("{} cannot be written", file.display()))?;
    crate::show(format_args!("{what} drawn in {}", file.display()));
    Ok(())
}
