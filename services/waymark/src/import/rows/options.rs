//! What `waymark import <collection>` can be told.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use super::super::options::Input;
use super::declared::{Declared, Spec};
use crate::Usage;

/// Options of `waymark import <collection>`.
#[derive(Debug, Args)]
pub struct RowsArgs {
    #[command(flatten)]
    pub input: Input,
    /// The tool whose export the file is: which column is what is known
    #[arg(long, value_enum)]
    from: Option<Tool>,
    /// A file that says which column is what, in place of options; these go before it
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    map: Option<PathBuf>,
    /// Column that tells rows apart; `name` when no option says what is what. The same key is the same resource in every
    /// import, and other columns may refer to it by that
    #[arg(long, value_name = "COLUMN")]
    key: Option<String>,
    /// What ids begin with, so that keys of two systems are kept apart. What other columns refer to is then of the same
    /// system, unless it says its collection, as products/app does
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// What goes to a field: its path, such as target.start, labels.team or estimate.reach.point, and the column; may be
    /// repeated. Without any, columns are the fields that they are called like
    #[arg(long, value_name = "FIELD=COLUMN")]
    field: Vec<String>,
    /// What a field is in all rows; within a message only in rows that say something of it
    #[arg(long, value_name = "FIELD=TEXT")]
    value: Vec<String>,
    /// What stands for what a column says, such as `horizon:In progress=now`; `*` is all else
    #[arg(long, value_name = "FIELD:TEXT=TEXT")]
    translate: Vec<String>,
    /// What stands before the decimals of numbers in texts: `.` or `,`
    #[arg(long, value_name = "CHARACTER", default_value = ".")]
    pub decimal: char,
    /// What stands between the thousands of numbers in texts: `.` `,` `'` `_` or a blank
    #[arg(long, value_name = "CHARACTER")]
    pub thousands: Option<char>,
    /// Let the service check every row, import none
    #[arg(long)]
    pub dry_run: bool,
    /// Where it is written as CSV what became of each row; the first that are refused are shown in any case
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// Tools whose exports are known.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Tool {
    Productboard,
    Aha,
    Jira,
}

impl Tool {
    /// Its mapping, with what it is called.
    fn mapping(self) -> (&'static str, &'static str) {
        match self {
            Self::Productboard => ("productboard", include_str!("mappings/productboard.yaml")),
            Self::Aha => ("aha", include_str!("mappings/aha.yaml")),
            Self::Jira => ("jira", include_str!("mappings/jira.yaml")),
        }
    }
}

/// What `--help` says of a collection whose rows may also say something of these parts.
pub fn long_about(collection: &str, parts: &[&str]) -> String {
    let parts = match parts {
        [] => String::new(),
        parts => format!(
            " A row may say something of its {0}, too, by fields such as {0}.display_name: both are written, or neither.",
            parts.join(" or ")
        ),
    };
    format!(
        "Imports {collection} from the rows of a CSV file, JSON objects or a Parquet file.\n\nEach row has a key, of which the id of \
         its resource is made. It is made where it is not there, brought to what the row says where it is, and left alone \
         where it says so already: the same file again changes nothing, and an import that was broken off goes on when it is \
         given again. An empty cell leaves a field as it is. What refers to another resource gives its name, or the key of \
         its row, in this file or in one that was imported.{parts} Rows that are refused are reported with their line, field \
         and reason, and the others are imported. What `waymark {collection} list --output csv` printed can be imported."
    )
}

/// What the options and the files they name say.
pub fn declared(args: &RowsArgs, collection: &str) -> Result<Declared> {
    let mut said = Declared::default();
    if let Some(tool) = args.from {
        let (name, text) = tool.mapping();
        said = Declared::parse(name, text, collection)?;
    }
    if let Some(path) = &args.map {
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        said = Declared::parse(&path.display().to_string(), &text, collection)?;
    }
    said.key = args.key.clone().map_or(said.key, |key| vec![key]);
    said.prefix = args.prefix.clone().unwrap_or(said.prefix);
    for text in &args.field {
        let Some((field, column)) = text.split_once('=') else {
            bail!(Usage(format!("--field {text:?} is not FIELD=COLUMN")))
        };
        said.map(field, Spec::column(column));
    }
    for text in &args.value {
        let Some((field, value)) = text.split_once('=') else {
            bail!(Usage(format!("--value {text:?} is not FIELD=TEXT")))
        };
        said.set(field, value);
    }
    for text in &args.translate {
        let parts = text.split_once(':').and_then(|(field, rest)| Some((field, rest.rsplit_once('=')?)));
        let Some((field, (from, to))) = parts else {
            bail!(Usage(format!("--translate {text:?} is not FIELD:TEXT=TEXT")))
        };
        let Some((_, spec)) = said.fields.iter_mut().find(|(known, _)| known == field) else {
            bail!(Usage(format!(
                "--translate {text:?}: no column goes to {field}; say which by --field {field}=COLUMN"
            )))
        };
        spec.translate.retain(|(known, _)| known != from);
        spec.translate.push((from.to_owned(), to.to_owned()));
    }
    Ok(said)
}
