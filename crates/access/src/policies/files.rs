//! The files that say what callers may do, as they are read: all of them, or an error of the first that cannot be.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::fetch;
use crate::settings::SettingsError;

/// The policies that hold where no folder of others is named.
pub const DEFAULT_POLICIES: &str = include_str!("roles.cedar");

/// Policies are in files of this ending; others in the folder are let lie.
const ENDING: &str = "cedar";

/// What stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
}

/// What stands in all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    /// In order of their names.
    pub(super) policies: Vec<File>,
    pub(super) bindings: File,
}

impl Files {
    /// Reads the policies of `folder`, or takes the default ones where there is none, and the bindings.
    pub(super) async fn read(folder: Option<&Path>, bindings: &Path) -> Result<Self, SettingsError> {
        let policies = match folder {
            Some(folder) => policies(folder).await?,
            None => vec![File { path: "roles.cedar".into(), content: DEFAULT_POLICIES.into() }],
        };
        Ok(Self { policies, bindings: read(bindings.to_owned()).await? })
    }
}

async fn policies(folder: &Path) -> Result<Vec<File>, SettingsError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotADirectory => wrong(folder, "it is not a folder: name the one that the policies are in"),
        _ => wrong(folder, error.to_string()),
    };
    let mut entries = tokio::fs::read_dir(folder).await.map_err(unreadable)?;
    let mut paths = Vec::new();
    while let Some(entry) = entries.next_entry().await.map_err(unreadable)? {
        let path = entry.path();
        // What is mounted from a ConfigMap lies there once more, in folders whose names begin with dots.
        if path.extension() == Some(OsStr::new(ENDING)) && !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(wrong(folder, "nobody could do anything: no file in it ends in .cedar"));
    }
    paths.sort_unstable();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        files.push(read(path).await?);
    }
    Ok(files)
}

async fn read(path: PathBuf) -> Result<File, SettingsError> {
    match fetch::read(&path).await {
        Ok(content) => Ok(File { path, content }),
        Err(error) => Err(wrong(&path, error.to_string())),
    }
}

fn wrong(path: &Path, why: impl Into<String>) -> SettingsError {
    SettingsError::Unreadable { path: path.to_owned(), why: why.into() }
}
