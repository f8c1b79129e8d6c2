//! From a row to a product event: which column is what, and the id a row has by what it says.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Result, bail};
use pbjson_types::Struct;
use sha2::{Digest as _, Sha256};
use waymark_proto::Timestamp;
use waymark_proto::metrics::v1::ProductEvent;

use super::options::EventsArgs;
use super::properties::Properties;
use super::record::{Broken, Cells, Given, Record, find, paths};
use super::source::Source as File;
use super::tally::{Place, Tally};
use super::time::TimeReader;
use super::values::{Reading, label};
use crate::Usage;

/// Columns that are listed to somebody who misses one.
const LISTED: usize = 50;

/// How rows become events.
#[derive(Debug)]
pub struct Mapping {
    user: Place,
    event: Source,
    time: Place,
    id: Option<Place>,
    device: Option<Source>,
    session: Option<Source>,
    properties: Properties,
    times: TimeReader,
    /// Columns that are mapped to something.
    used: HashSet<String>,
    /// As what columns were read.
    tally: Tally,
    /// How often a row of this content was seen: the same row twice is two events, in every import of the file.
    seen: HashMap<u128, u32>,
}

#[derive(Debug)]
enum Source {
    Column(Place),
    Constant(String),
}

impl Mapping {
    /// From the options and, where they are known, the columns of the file; refuses what contradicts itself, and
    /// columns that the file does not have.
    pub fn new(args: &EventsArgs, file: &File) -> Result<Self> {
        let times = TimeReader::new(&args.time_format, args.time_zone).map_err(Usage)?;
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        for text in &args.value {
            let Some((name, value)) = text.split_once('=') else {
                bail!(Usage(format!("--value {text:?} is not NAME=TEXT")))
            };
            if values.insert(name.to_owned(), value.to_owned()).is_some() {
                bail!(Usage(format!("--value gives {name:?} twice")));
            }
        }
        let mut tally = Tally::default();
        let mut used = HashSet::new();
        let mut place = |column: &str, name: &str| {
            used.insert(column.to_owned());
            tally.place(column, file.header(), name.to_owned())
        };
        // The command line has them, or knows what they are.
        let (Some(user), Some(time)) = (&args.user, &args.time) else {
            bail!(Usage("name the columns with the user and the time by --user and --time".to_owned()));
        };
        let user = place(user, "user");
        let mut source = |name: &str, column: &Option<String>| match (column, values.remove(name)) {
            (Some(_), Some(_)) => bail!(Usage(format!("--{name} and --value {name}=… contradict each other"))),
            (Some(column), None) => Ok(Some(Source::Column(place(column, name)))),
            (None, constant) => Ok(constant.map(Source::Constant)),
        };
        let Some(event) = source("event", &args.event)? else {
            bail!(Usage("name the column with what was done by --event COLUMN, or give --value event=NAME".to_owned()));
        };
        let (device, session) = (source("device", &args.device)?, source("session", &args.session)?);
        let time = place(time, "time");
        let id = args.id.as_ref().map(|column| place(column, "id"));
        let properties = Properties::new(args, file, values, &mut used, &mut tally)?;
        let seen = HashMap::new();
        let mapping = Self { user, event, time, id, device, session, properties, times, used, tally, seen };
        if let Some(columns) = &file.columns {
            let unknown = mapping.named().into_iter().find(|name| !columns.contains(name));
            unknown.map_or(Ok(()), |name| Err(missing(&name, columns, file.advice.as_deref())))?;
        }
        Ok(mapping)
    }

    /// Refuses columns that no row of the file has: as far as it takes to find them, which mostly is one row.
    pub fn seek(&self, file: File) -> Result<()> {
        let mut sought = self.named();
        let mut there = BTreeSet::new();
        for row in file.rows {
            if let Ok(Record { cells: Cells::Object(members), .. }) = row? {
                sought.retain(|name| find(&members, name).is_none());
                if sought.is_empty() {
                    return Ok(());
                }
                if there.len() < LISTED {
                    there.extend(paths(&members));
                }
            }
        }
        let there: Vec<String> = there.into_iter().collect();
        match sought.first() {
            Some(name) if !there.is_empty() => Err(missing(name, &there, None)),
            // Of a file without any object something else is to be said.
            _ => Ok(()),
        }
    }

    /// The columns that the options name.
    fn named(&self) -> Vec<String> {
        let mut named: Vec<String> = self.used.iter().chain(self.properties.objects()).cloned().collect();
        named.sort();
        named
    }

    /// As what columns were read so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How many rows so far have a time that the calendar had twice, of which nothing tells which one is meant.
    pub fn untold_times(&self) -> u64 {
        self.times.untold()
    }

    /// The event of a row. Every row must pass through here once and in order, for ids and times to come out the same.
    pub fn event(&mut self, record: &Record) -> Result<ProductEvent, Broken> {
        let generated = if self.id.is_none() { self.row_id(&record.text) } else { String::new() };
        self.read(&record.cells, generated).map_err(|reason| Broken { line: record.line, reason })
    }

    fn read(&mut self, cells: &Cells, generated: String) -> Result<ProductEvent, String> {
        let tally = &mut self.tally;
        let name = &self.time.column.name;
        let written = self.time.column.of(cells).map(Given::text);
        let written = written.ok_or_else(|| format!("{name} (the time) is empty"))?;
        let time = self.times.read(&written).map_err(|reason| format!("{name}: {reason}"))?;
        tally.count(self.time.slot, Reading::Time, &written);
        let user = required(&self.user, cells, tally, "user")?;
        let event = self.event.read(cells, tally)?.ok_or_else(|| "the event is empty".to_owned())?;
        let event_id = match &self.id {
            Some(id) => required(id, cells, tally, "id")?,
            None => generated,
        };
        let mut optional = |source: &Option<Source>| match source {
            Some(source) => source.read(cells, tally).map(Option::unwrap_or_default),
            None => Ok(String::new()),
        };
        let (device, session) = (optional(&self.device)?, optional(&self.session)?);
        let fields = self.properties.read(cells, &self.used, tally)?;
        Ok(ProductEvent {
            event_id,
            user,
            event,
            time: Some(Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() as i32 }),
            device,
            session,
            properties: (!fields.is_empty()).then_some(Struct { fields }),
        })
    }

    fn row_id(&mut self, text: &str) -> String {
        let hash = content_hash(text);
        let times = self.seen.entry(hash).and_modify(|times| *times += 1).or_insert(1);
        if *times == 1 { format!("{hash:032x}") } else { format!("{hash:032x}-{times}") }
    }
}

impl Source {
    fn read(&self, cells: &Cells, tally: &mut Tally) -> Result<Option<String>, String> {
        match self {
            Self::Column(place) => optional(place, cells, tally),
            Self::Constant(value) => Ok(Some(value.clone())),
        }
    }
}

/// The label in a column, if there is one.
fn optional(place: &Place, cells: &Cells, tally: &mut Tally) -> Result<Option<String>, String> {
    let read = place.column.of(cells).map_or(Ok(None), label);
    let Some((text, reading)) = read.map_err(|reason| format!("{}: {reason}", place.column.name))? else {
        tally.count(place.slot, Reading::Empty, "");
        return Ok(None);
    };
    tally.count(place.slot, reading, &text);
    Ok(Some(text.into_owned()))
}

fn required(place: &Place, cells: &Cells, tally: &mut Tally, what: &str) -> Result<String, String> {
    optional(place, cells, tally)?.ok_or_else(|| format!("{} (the {what}) is empty", place.column.name))
}

fn missing(name: &str, columns: &[String], advice: Option<&str>) -> anyhow::Error {
    let more = if columns.len() > LISTED { " …" } else { "" };
    let listed = columns.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
    Usage(format!("there is no column {name:?}; the columns are {listed}{more}{advice}")).into()
}

/// The first half of a SHA-256.
pub(super) fn content_hash(text: &str) -> u128 {
    Sha256::digest(text.as_bytes()).iter().take(16).fold(0, |hash, byte| hash << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        events: EventsArgs,
    }

    fn mapping(line: &str) -> Result<Mapping> {
        let file = File {
            columns: Some(["who", "what", "when", "amount", "plan"].map(str::to_owned).to_vec()),
            separated: true,
            advice: None,
            rows: Box::new(std::iter::empty()),
        };
        Mapping::new(&Line::try_parse_from(["t", "f.csv"].into_iter().chain(line.split(' ')))?.events, &file)
    }

    fn record(text: &str) -> Record {
        let cells = text.split(',').map(str::to_owned).collect();
        Record { line: 7, text: text.to_owned(), cells: Cells::Texts(cells) }
    }

    fn properties(event: ProductEvent) -> serde_json::Value {
        serde_json::to_value(event.properties.unwrap()).unwrap()
    }

    const COLUMNS: &str = "--user who --event what --time when";

    #[test]
    fn what_is_not_mapped_is_a_property() {
        let event = mapping(COLUMNS).unwrap().event(&record("ada,buy,2024-01-02,12.5,team")).unwrap();
        assert_eq!((event.user.as_str(), event.event.as_str()), ("ada", "buy"));
        assert_eq!(event.time.unwrap().seconds, 1_704_153_600);
        assert_eq!(properties(event), json!({"amount": 12.5, "plan": "team"}));
    }

    #[test]
    fn named_properties_types_and_constants() {
        let line = "--user who --time when --value event=purchase --value source=file --property revenue=amount:number";
        let mut mapping = mapping(line).unwrap();
        let event = mapping.event(&record("ada,buy,2024-01-02,12e1,team")).unwrap();
        assert_eq!(event.event, "purchase");
        assert_eq!(properties(event), json!({"revenue": 120.0, "source": "file"}));
        let broken = mapping.event(&record("ada,buy,2024-01-02,free,team")).unwrap_err();
        assert_eq!(broken.reason, "amount: \"free\" is not a number");
    }

    #[test]
    fn ids_repeat_with_the_file_and_tell_equal_rows_apart() {
        let ids = || {
            let mut mapping = mapping(COLUMNS).unwrap();
            ["ada,buy,2024-01-02,1,x", "ada,buy,2024-01-02,1,x", "bob,buy,2024-01-02,1,x"]
                .map(|text| mapping.event(&record(text)).unwrap().event_id)
        };
        let first = ids();
        assert_eq!(first, ids());
        assert_eq!(first.iter().collect::<HashSet<_>>().len(), 3);
    }

    #[test]
    fn rows_that_are_no_events_say_why() {
        let mut mapping = mapping(COLUMNS).unwrap();
        for (text, reason) in [
            (",buy,2024-01-02,1,x", "who (the user) is empty"),
            ("ada, ,2024-01-02,1,x", "the event is empty"),
            ("ada,buy,soon,1,x", "when: \"soon\" is not a time"),
            ("ada,buy,,1,x", "when (the time) is empty"),
        ] {
            let broken = mapping.event(&record(text)).unwrap_err();
            assert_eq!(broken.line, 7);
            assert!(broken.reason.contains(reason), "{broken:?}");
        }
    }

    #[test]
    fn contradictions_and_missing_columns_are_refused() {
        let refused = |line: &str| mapping(line).unwrap_err().to_string();
        assert!(refused("--user who --time when").contains("--event"));
        assert!(refused(&format!("{COLUMNS} --value event=x")).contains("contradict"));
        assert!(refused(&format!("{COLUMNS} --value plan=x --property plan")).contains("\"plan\" is given twice"));
        let error = refused("--user nobody --event what --time when");
        assert!(error.contains("nobody") && error.contains("who, what"), "{error}");
        assert!(refused(&format!("{COLUMNS} --property plan:text --property colour:number")).contains("\"colour\""));
        assert!(refused(&format!("{COLUMNS} --property plan:word")).contains("\"plan:word\""), "no type, so a column");
    }
}
