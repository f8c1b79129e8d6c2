//! Whether the files of released migrations are as they were released: a folder lists their checksums, in the form that
//! `sha256sum --check` reads too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// The file with the checksums of its folder.
pub const CHECKSUMS: &str = "CHECKSUMS";

/// What is wrong with the migrations in `folder`, and what to do about it.
///
/// # Errors
/// When the folder or a file in it cannot be read.
pub fn frozen(folder: &Path) -> Result<Vec<String>> {
    let listed = folder.join(CHECKSUMS);
    let listed = std::fs::read_to_string(&listed).with_context(|| format!("reading {}", listed.display()))?;
    let mut listed: BTreeMap<&str, &str> =
        listed.lines().filter_map(|line| line.split_once("  ")).map(|(checksum, name)| (name, checksum)).collect();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == CHECKSUMS {
            continue;
        }
        let mut checksum = String::new();
        for byte in Sha256::digest(std::fs::read(&path)?) {
            write!(checksum, "{byte:02x}")?;
        }
        match listed.remove(name.as_str()) {
            Some(released) if released == checksum => {}
            Some(_) => wrong.push(format!(
                "{} has changed, but databases were made with it as it was: put it back, and write what you want as \
                 the next migration (`make schema` prints its statements)",
                path.display()
            )),
            None => wrong.push(format!(
                "{} is not frozen: add this line to {CHECKSUMS} beside it:\n{checksum}  {name}",
                path.display()
            )),
        }
    }
    wrong.extend(listed.into_keys().map(|name| {
        format!("{} is gone, but new databases are made with it: put it back", folder.join(name).display())
    }));
    Ok(wrong)
}
