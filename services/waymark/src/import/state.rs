//! How far an import is, kept in a small file so that it can go on after it was broken off.
//!
//! Without the file, or with a wrong one, nothing is lost or counted twice: the import starts over, and ids make that
//! harmless.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::mapping::content_hash;
use super::options::EventsArgs;

/// The state file of one import.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    /// What the state is of: file, workspace, server and mapping. A state of anything else does not count.
    of: String,
}

/// How far an import is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The import at the service; empty until it is begun there.
    pub import: String,
    /// Rows that are dealt with, from the start of the file.
    pub rows: u64,
    /// Events that the service stored.
    pub stored: u64,
    /// Rows that are no events.
    pub rejected: u64,
}

impl State {
    /// The state of the import that the options describe.
    pub fn new(args: &EventsArgs, workspace: &str, address: &str) -> Result<Self> {
        let path = args.state.clone().unwrap_or_else(|| {
            let mut name = args.input.file.clone().into_os_string();
            name.push(".waymark-import");
            name.into()
        });
        let metadata = std::fs::metadata(&args.input.file)
            .with_context(|| format!("{} cannot be read", args.input.file.display()))?;
        let changed = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .map(|age| age.as_nanos());
        // The batch size and where reports go do not change which rows come when.
        let mapping = EventsArgs { batch: 0, rejects: None, state: None, ..args.clone() };
        let text = format!("{workspace} {address} {} {changed:?} {mapping:?}", metadata.len());
        Ok(Self { path, of: format!("{:032x}", content_hash(&text)) })
    }

    /// How far an earlier run came; the start when there is no state of this import.
    pub fn read(&self) -> Progress {
        let value: Value =
            std::fs::read(&self.path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        if value["of"] != self.of.as_str() {
            return Progress::default();
        }
        let count = |field: &str| value[field].as_u64().unwrap_or_default();
        let import = value["import"].as_str().unwrap_or_default().to_owned();
        Progress { import, rows: count("rows"), stored: count("stored"), rejected: count("rejected") }
    }

    /// Keeps how far the import is; replaced as a whole, so that a crash leaves the old state or the new.
    pub fn write(&self, progress: &Progress) -> Result<()> {
        let Progress { import, rows, stored, rejected } = progress;
        let value = json!({"of": self.of, "import": import, "rows": rows, "stored": stored, "rejected": rejected});
        let draft = self.path.with_extension("waymark-import-new");
        std::fs::write(&draft, value.to_string())
            .and_then(|()| std::fs::rename(&draft, &self.path))
            .context("the state cannot be kept")
    }

    /// Forgets the state: the import is done.
    pub fn remove(&self) {
        // A state that stays behind says that all rows are done, which is so.
        let _ = std::fs::remove_file(&self.path);
    }

    /// Where it is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
