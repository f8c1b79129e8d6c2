//! Reads a file of settings, and tells where it is wrong.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::{Settings, SettingsError, check, fields};

impl Settings {
    /// Reads what stands in the file at `path`; paths within are beside it.
    pub(crate) fn parse(path: &Path, content: &[u8]) -> Result<Self, SettingsError> {
        let file: fields::File = yaml(path, content)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        check::file(file, folder).map_err(|wrong| wrong.of(path))
    }
}

/// The fields of a file at `path` in which `content` stands.
pub(crate) fn yaml<T: DeserializeOwned>(path: &Path, content: &[u8]) -> Result<T, SettingsError> {
    let wrong = |line: u64, what: String| SettingsError::Wrong { path: path.to_owned(), line, what };
    let text = std::str::from_utf8(content).map_err(|error| {
        let before = &content[..error.valid_up_to()];
        wrong(String::from_utf8_lossy(before).split('\n').count() as u64, "it must be UTF-8".to_owned())
    })?;
    serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        // The place is told once, by us, and what stands there names the field.
        let said = error.without_snippet().to_string();
        let said = said.split_once(" at line ").map_or(said.as_str(), |(said, _)| said);
        let said = said
            .replace("invalid u64", "a whole number is wanted")
            .replace(", set DuplicateKeyPolicy in Options if acceptable", ": say it once");
        let there = text.lines().nth(line as usize - 1).unwrap_or_default().trim();
        wrong(
            line,
            if there.is_empty() || said.starts_with("missing") { said } else { format!("{said}, in `{there}`") },
        )
    })
}
