//! What a test run writes: each process into a file of its own, in the folder that the run names, where `tools/secrets.py`
//! looks for secrets when all tests are over. Without such a folder nothing is kept.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use tracing_subscriber::filter::LevelFilter;

/// Stands in each secret that a test plants, so that it is known wherever it comes out.
pub const PLANTED: &str = "planted-secret";

/// A file for the log of a program that a test starts.
///
/// # Errors
/// When it cannot be made.
pub fn file(program: &str) -> Result<Option<File>> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let Some(folder) = folder() else { return Ok(None) };
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let name = format!("{program}-{}-{}.log", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = folder.join(name);
    File::create(&path).map(Some).with_context(|| path.display().to_string())
}

/// Keeps what a program has said.
///
/// # Errors
/// When it cannot be written.
pub fn keep(program: &str, said: &[&[u8]]) -> Result<()> {
    let Some(mut file) = file(program)? else { return Ok(()) };
    for said in said {
        file.write_all(said)?;
    }
    Ok(())
}

/// Keeps what stands in the log of a program, if that is there.
///
/// # Errors
/// When it cannot be read or written.
pub fn keep_file(program: &str, path: &Path) -> Result<()> {
    if path.exists() { keep(program, &[&std::fs::read(path)?]) } else { Ok(()) }
}

/// Has this process write its own log, as services do that run within a test.
pub fn of_this_process() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        if let Ok(Some(file)) = file("test") {
            let lines = tracing_subscriber::fmt().json().with_max_level(LevelFilter::INFO).with_writer(file);
            // A test may have installed its own, which tells it what it looks for.
            let _ = lines.try_init();
        }
    });
}

fn folder() -> Option<PathBuf> {
    std::env::var_os("WAYMARK_TEST_LOGS").map(PathBuf::from)
}
