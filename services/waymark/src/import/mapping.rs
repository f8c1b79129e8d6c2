//! From a row to a product event: which column is what, and the id a row has by what it says.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Result, bail};
use pbjson_types::{Struct, Timestamp};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use waymark_proto::metrics::v1::ProductEvent;

use super::options::EventsArgs;
use super::record::{Broken, Cells, Record};
use super::time::TimeReader;
use crate::Usage;

/// How rows become events.
#[derive(Debug)]
pub struct Mapping {
    user: String,
    event: Source,
    time: String,
    times: TimeReader,
    id: Option<String>,
    device: Option<Source>,
    session: Option<Source>,
    /// Property and its column; `None`: every column that is mapped to nothing else.
    properties: Option<Vec<(String, String)>>,
    constants: Map<String, Value>,
    used: HashSet<String>,
    /// How often a row of this content was seen: the same row twice is two events, in every import of the file.
    seen: HashMap<u128, u32>,
}

#[derive(Debug, Clone)]
enum Source {
    Column(String),
    Constant(String),
}

impl Source {
    fn read(&self, cells: &Cells) -> Option<String> {
        match self {
            Self::Column(column) => cells.text(column),
            Self::Constant(value) => Some(value.clone()),
        }
    }
}

impl Mapping {
    /// From the options; refuses what contradicts itself.
    pub fn new(args: &EventsArgs) -> Result<Self> {
        let times = TimeReader::new(&args.time_format, args.time_zone).map_err(Usage)?;
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        for text in &args.value {
            let Some((name, value)) = text.split_once('=') else {
                bail!(Usage(format!("--value {text:?} is not NAME=TEXT")))
            };
            values.insert(name.to_owned(), value.to_owned());
        }
        let mut source = |name: &str, column: &Option<String>| match (column, values.remove(name)) {
            (Some(_), Some(_)) => bail!(Usage(format!("--{name} and --value {name}=… contradict each other"))),
            (Some(column), None) => Ok(Some(Source::Column(column.clone()))),
            (None, constant) => Ok(constant.map(Source::Constant)),
        };
        let Some(event) = source("event", &args.event)? else {
            bail!(Usage("name the column with what was done by --event COLUMN, or give --value event=NAME".to_owned()));
        };
        let (device, session) = (source("device", &args.device)?, source("session", &args.session)?);
        let pair = |text: &String| match text.split_once('=') {
            Some((name, column)) => (name.to_owned(), column.to_owned()),
            None => (text.clone(), text.clone()),
        };
        let properties = (!args.property.is_empty()).then(|| args.property.iter().map(pair).collect());
        let columns = [
            Some(&args.user),
            args.event.as_ref(),
            Some(&args.time),
            args.id.as_ref(),
            args.device.as_ref(),
            args.session.as_ref(),
        ];
        let used = columns.into_iter().flatten().cloned().collect();
        let constants = values.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        let (user, time, id) = (args.user.clone(), args.time.clone(), args.id.clone());
        Ok(Self { user, event, time, times, id, device, session, properties, constants, used, seen: HashMap::new() })
    }

    /// Refuses a mapping that names columns the first row does not have.
    pub fn check(&self, cells: &Cells) -> Result<()> {
        let Cells::Texts(header, _) = cells else { return Ok(()) };
        let named = self.properties.iter().flatten().map(|(_, column)| column).chain(&self.used);
        for column in named {
            if !header.contains(column) {
                bail!(Usage(format!("there is no column {column:?}; the columns are {}", cells.names().join(", "))));
            }
        }
        Ok(())
    }

    /// The event of a row. Every row must pass through here once and in order, for ids to come out the same.
    pub fn event(&mut self, record: &Record) -> Result<ProductEvent, Broken> {
        let generated = self.id.is_none().then(|| self.row_id(&record.text));
        let broken = |reason: String| Broken { line: record.line, reason };
        let cells = &record.cells;
        let time = cells.text(&self.time).ok_or_else(|| broken(format!("{} (the time) is empty", self.time)))?;
        let time = self.times.read(&time).map_err(|reason| broken(format!("{}: {reason}", self.time)))?;
        let user = cells.text(&self.user).ok_or_else(|| broken(format!("{} (the user) is empty", self.user)))?;
        let event = self.event.read(cells).ok_or_else(|| broken("the event is empty".to_owned()))?;
        let event_id = match (&self.id, generated) {
            (Some(column), _) => cells.text(column).ok_or_else(|| broken(format!("{column} (the id) is empty")))?,
            (None, generated) => generated.unwrap_or_default(),
        };
        let optional =
            |source: &Option<Source>| source.as_ref().and_then(|source| source.read(cells)).unwrap_or_default();
        let properties: Struct =
            serde_json::from_value(Value::Object(self.properties(cells))).map_err(|e| broken(e.to_string()))?;
        Ok(ProductEvent {
            event_id,
            user,
            event,
            time: Some(Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() as i32 }),
            device: optional(&self.device),
            session: optional(&self.session),
            properties: (!properties.fields.is_empty()).then_some(properties),
        })
    }

    fn properties(&self, cells: &Cells) -> Map<String, Value> {
        let mut properties = self.constants.clone();
        if let Some(pairs) = &self.properties {
            properties.extend(pairs.iter().filter_map(|(name, column)| Some((name.clone(), cells.get(column)?))));
        } else {
            let rest = cells.names().into_iter().filter(|name| !self.used.contains(*name));
            properties.extend(rest.filter_map(|name| Some((name.to_owned(), cells.get(name)?))));
        }
        properties
    }

    fn row_id(&mut self, text: &str) -> String {
        let hash = content_hash(text);
        let times = self.seen.entry(hash).and_modify(|times| *times += 1).or_insert(1);
        if *times == 1 { format!("{hash:032x}") } else { format!("{hash:032x}-{times}") }
    }
}

/// The first half of a SHA-256.
pub(super) fn content_hash(text: &str) -> u128 {
    Sha256::digest(text.as_bytes()).iter().take(16).fold(0, |hash, byte| hash << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::sync::Arc;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        events: EventsArgs,
    }

    fn mapping(line: &str) -> Result<Mapping> {
        Mapping::new(&Line::try_parse_from(["t", "f.csv"].into_iter().chain(line.split(' ')))?.events)
    }

    fn record(text: &str) -> Record {
        let header: Vec<String> = ["who", "what", "when", "amount", "plan"].map(str::to_owned).to_vec();
        let cells = text.split(',').map(str::to_owned).collect();
        Record { line: 7, text: text.to_owned(), cells: Cells::Texts(Arc::new(header), cells) }
    }

    const COLUMNS: &str = "--user who --event what --time when";

    #[test]
    fn what_is_not_mapped_is_a_property() {
        let event = mapping(COLUMNS).unwrap().event(&record("ada,buy,2024-01-02,12.5,team")).unwrap();
        assert_eq!((event.user.as_str(), event.event.as_str()), ("ada", "buy"));
        assert_eq!(event.time.unwrap().seconds, 1_704_153_600);
        let properties = serde_json::to_value(event.properties.unwrap()).unwrap();
        assert_eq!(properties, serde_json::json!({"amount": 12.5, "plan": "team"}));
    }

    #[test]
    fn named_properties_and_constants() {
        let line = "--user who --time when --value event=purchase --value source=file --property revenue=amount";
        let event = mapping(line).unwrap().event(&record("ada,buy,2024-01-02,12.5,team")).unwrap();
        assert_eq!(event.event, "purchase");
        let properties = serde_json::to_value(event.properties.unwrap()).unwrap();
        assert_eq!(properties, serde_json::json!({"revenue": 12.5, "source": "file"}));
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
            ("ada,,2024-01-02,1,x", "the event is empty"),
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
        assert!(mapping("--user who --time when").unwrap_err().to_string().contains("--event"));
        assert!(mapping(&format!("{COLUMNS} --value event=x")).unwrap_err().to_string().contains("contradict"));
        let missing = mapping("--user nobody --event what --time when").unwrap();
        let error = missing.check(&record("a,b,c,d,e").cells).unwrap_err().to_string();
        assert!(error.contains("nobody") && error.contains("who, what"), "{error}");
    }
}
