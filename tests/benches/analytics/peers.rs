//! What others answer to the same questions of the same rows, and how long they take: `peers.py` beside this file.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// An answer of one of them.
#[derive(Debug, Deserialize)]
pub struct Answer {
    /// Who.
    pub system: String,
    /// Which question.
    pub question: String,
    /// Best of three; of `ingest` the seconds that a row takes.
    pub seconds: f64,
    #[serde(rename = "answer")]
    rows: Option<Vec<Vec<Value>>>,
}

impl Answer {
    /// Its rows as numbers by what they are of, such as `2026-01-01 DE`.
    pub fn numbers(&self) -> Result<BTreeMap<String, f64>> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let rows = self.rows.iter().flatten();
        rows.map(|row| {
            let (number, of) = row.split_last().context("a row has columns")?;
            Ok((of.iter().map(text).collect::<Vec<_>>().join(" "), text(number).parse()?))
        })
        .collect()
    }
}

/// Asks all that are installed.
pub fn ask(rows: &Path) -> Result<Vec<Answer>> {
    let folder = tempfile::tempdir()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/analytics/peers.py");
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin/python");
    ensure!(python.is_file(), "{} is not there: `make bench-analytics` brings it", python.display());
    let run = Command::new(python).arg(script).arg(rows).arg(folder.path()).stderr(Stdio::inherit()).output()?;
    ensure!(run.status.success(), "peers.py failed");
    let lines = String::from_utf8(run.stdout)?;
    lines.lines().map(|line| serde_json::from_str(line).with_context(|| format!("peers.py said {line}"))).collect()
}
