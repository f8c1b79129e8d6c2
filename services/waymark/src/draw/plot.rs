//! Pictures for a slide, as SVG: the sheet they are drawn on, and where they go.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::Usage;

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

/// What files are called that programs open as something else than SVG.
const OTHERS: [&str; 7] = ["gif", "jpeg", "jpg", "pdf", "png", "tiff", "webp"];

/// Writes a picture of `what` and says so.
pub fn write(file: &Path, svg: &str, what: &str) -> Result<()> {
    let kind = file.extension().map(|kind| kind.to_string_lossy().to_lowercase()).unwrap_or_default();
    if OTHERS.contains(&kind.as_str()) {
        let (file, right) = (file.display(), file.with_extension("svg"));
        bail!(Usage(format!("{file}: pictures are SVG, which would not open as {kind}; call it {}", right.display())));
    }
    std::fs::write(file, svg).with_context(|| format!("{} cannot be written", file.display()))?;
    crate::show(format_args!("{what} drawn in {}", file.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_not_called_what_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str| write(&folder.path().join(name), "<svg/>", "nothing is");
        let refused = written("roadmap.PNG").unwrap_err().to_string();
        assert!(refused.contains("would not open as png; call it ") && refused.ends_with("roadmap.svg"), "{refused}");
        assert!(!folder.path().join("roadmap.PNG").exists());
        for name in ["roadmap.svg", "roadmap"] {
            written(name).unwrap();
            assert!(folder.path().join(name).exists());
        }
    }
}
