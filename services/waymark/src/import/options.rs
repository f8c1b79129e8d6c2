//! What an import can be told: the file and its form; and of `waymark import events` which column is what, and how the
//! import is done.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::delimiter::Delimiter;

/// The file that is imported.
#[derive(Debug, Clone, Args)]
pub struct Input {
    /// The file; what gzip packed, and the files in a ZIP archive, are unpacked while reading
    pub file: PathBuf,
    /// Form of the file; by the ending of its name when not given
    #[arg(long, value_enum)]
    pub format: Option<Form>,
    /// What separates the columns of a CSV file: a character, `tab`, or `whitespace` for any run of spaces and tabs; when
    /// not given, the one of `,` `;` `tab` `|` that makes the most columns of the first line
    #[arg(long, value_name = "CHARACTER", value_parser = Delimiter::parse)]
    pub delimiter: Option<Delimiter>,
    /// The first line of the CSV file is a row: columns are named 1, 2, 3 …
    #[arg(long)]
    pub no_header: bool,
}

/// Options of `waymark import events`.
#[derive(Debug, Clone, Args)]
pub struct EventsArgs {
    /// The file.
    #[command(flatten)]
    pub input: Input,
    /// The file is an export of this product: which column is what is known then. Lines that tell who is who are counted and
    /// passed over, as identities are not taken yet
    #[arg(long, value_enum, value_name = "PRODUCT", conflicts_with_all = ["user", "event", "time", "time_format", "id", "device", "session", "property"])]
    pub from: Option<Vendor>,
    /// Column with the user. Here and below, `a.b` is the field b in an object that stands in the column a
    #[arg(long, value_name = "COLUMN", required_unless_present = "from")]
    pub user: Option<String>,
    /// Column with what was done; or give --value event=NAME
    #[arg(long, value_name = "COLUMN")]
    pub event: Option<String>,
    /// Column with when it was done
    #[arg(long, value_name = "COLUMN", required_unless_present = "from")]
    pub time: Option<String>,
    /// How times are written: auto (RFC 3339, or date and time), unix, unix-ms, unix-us, or a pattern such as %d.%m.%Y
    /// %H:%M
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub time_format: String,
    /// Time zone of times that state none, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = crate::zone::named)]
    pub time_zone: chrono_tz::Tz,
    /// Column with an id that is unique among the user's events; made of the row when not given
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,
    /// Column with the device
    #[arg(long, value_name = "COLUMN")]
    pub device: Option<String>,
    /// Column with the session
    #[arg(long, value_name = "COLUMN")]
    pub session: Option<String>,
    /// Column that becomes a property, with another name as NAME=COLUMN; may be repeated. COLUMN:text, :number, :boolean
    /// or :time says what it is, and rows where it is no such thing are rejected; otherwise numbers and true or false are
    /// recognised. COLUMN.* are all fields of an object
    #[arg(long, value_name = "[NAME=]COLUMN[:TYPE]")]
    pub property: Vec<String>,
    /// What stands before the decimals of numbers in texts: `.` or `,`
    #[arg(long, value_name = "CHARACTER", default_value = ".")]
    pub decimal: char,
    /// What stands between the thousands of numbers in texts: `.` `,` `'` `_` or a blank
    #[arg(long, value_name = "CHARACTER")]
    pub thousands: Option<char>,
    /// The same value for all rows: `event=order` and `device=…`, `session=…` stand for a column, any other name is a
    /// property
    #[arg(long, value_name = "NAME=TEXT")]
    pub value: Vec<String>,
    /// Check every row and report as what columns were read, import none
    #[arg(long)]
    pub dry_run: bool,
    /// Events sent at once
    #[arg(long, value_name = "EVENTS", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub batch: u32,
    /// Where all rejected rows are written as CSV; the first of them are shown in any case
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Where the import keeps how far it is; beside the file when not given, removed when the import is done
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// The forms of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Rows of columns with a header; also TSV and the like.
    Csv,
    /// JSON objects: one a line, one after the other, or in a list.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

/// Whose export a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Vendor {
    /// Raw messages as Segment stores them in S3 and other storage, one a line.
    Segment,
    /// Mixpanel's raw export, one event a line.
    Mixpanel,
    /// Amplitude's export, one event a line: the archive as it is handed out, or files of it.
    Amplitude,
    /// PostHog's export of events as JSON lines or Parquet.
    Posthog,
}

/// What becomes of a column whose name another has, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twice {
    /// The file is refused: which one is meant is unknown.
    Refused,
    /// All are taken, as tools write a column for each entry of a list.
    Taken,
}
