//! The properties of an event: of which columns, under which names, read as what.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Result, bail};
use clap::ValueEnum as _;
use pbjson_types::Value;

use super::notation::Notation;
use super::options::EventsArgs;
use super::record::{Cells, Given, find};
use super::source::Source as File;
use super::tally::{Place, Tally};
use super::time::TimeReader;
use super::values::{Reading, Type, Values};
use crate::Usage;
use crate::exact::{Exact, Members};

/// How properties are made.
#[derive(Debug)]
pub struct Properties {
    named: Vec<Property>,
    rest: Vec<Rest>,
    constants: Vec<(String, Value)>,
    values: Values,
}

/// A column that becomes a property.
#[derive(Debug)]
struct Property {
    name: String,
    from: Place,
    said: Option<Type>,
}

/// Members of an object that are mapped to nothing else, each of which becomes a property.
#[derive(Debug, Default)]
struct Rest {
    /// Where the object is; the row itself when empty.
    within: String,
    /// Where a member is counted; nowhere when it is mapped to something else.
    slots: HashMap<String, Option<usize>>,
}

impl Properties {
    /// From the options; `used` are the columns that are mapped to something, to which those are added that are named.
    pub fn new(
        args: &EventsArgs,
        file: &File,
        constants: BTreeMap<String, String>,
        used: &mut HashSet<String>,
        tally: &mut Tally,
    ) -> Result<Self> {
        let header = file.header();
        let (mut named, mut rest) = (Vec::new(), Vec::new());
        for Said { name, column, of } in args.property.iter().map(|text| Said::new(text)) {
            if let Some(within) = column.strip_suffix(".*").filter(|_| name == column) {
                rest.push(Rest { within: within.to_owned(), ..Rest::default() });
                continue;
            }
            used.insert(column.to_owned());
            let from = tally.place(column, header, format!("property {name}"));
            named.push(Property { name: name.to_owned(), from, said: of });
        }
        if args.property.is_empty() {
            for name in header.iter().filter(|name| !used.contains(*name)) {
                let from = tally.place(name, header, format!("property {name}"));
                named.push(Property { name: name.clone(), from, said: None });
            }
            if !file.separated {
                rest.push(Rest::default());
            }
        }
        let constants: Vec<_> = constants.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        let mut seen = HashSet::new();
        let mut names = named.iter().map(|property| &property.name).chain(constants.iter().map(|(name, _)| name));
        if let Some(twice) = names.find(|name| !seen.insert(name.as_str())) {
            bail!(Usage(format!(
                "the property {twice:?} is given twice: call one otherwise by --property NAME=COLUMN"
            )));
        }
        let notation = Notation::new(args.decimal, args.thousands).map_err(Usage)?;
        let times = TimeReader::new(&args.time_format, args.time_zone).map_err(Usage)?;
        Ok(Self { named, rest, constants, values: Values { notation, times } })
    }

    /// Where the objects are of which all members become properties.
    pub fn objects(&self) -> impl Iterator<Item = &String> {
        self.rest.iter().map(|rest| &rest.within).filter(|within| !within.is_empty())
    }

    /// The properties of a row.
    pub fn read(
        &mut self,
        cells: &Cells,
        used: &HashSet<String>,
        tally: &mut Tally,
    ) -> Result<HashMap<String, Value>, String> {
        let mut fields: HashMap<String, Value> = self.constants.iter().cloned().collect();
        for Property { name, from, said } in &self.named {
            let Some(given) = from.column.of(cells) else {
                tally.count(from.slot, Reading::Empty, "");
                continue;
            };
            let read = self.values.property(given, *said);
            let (value, reading) = read.map_err(|reason| format!("{}: {reason}", from.column.name))?;
            tally.count(from.slot, reading, &example(given));
            fields.insert(name.clone(), value);
        }
        if let Cells::Object(row) = cells {
            for rest in &mut self.rest {
                for (slot, name, value) in rest.members(row, used, tally) {
                    match Given::json(value) {
                        Some(given) if !fields.contains_key(name) => {
                            let (value, reading) = self.values.property(given, None)?;
                            tally.count(slot, reading, &example(given));
                            fields.insert(name.clone(), value);
                        }
                        Some(_) => {}
                        None => tally.count(slot, Reading::Empty, ""),
                    }
                }
            }
        }
        Ok(fields)
    }
}

impl Rest {
    /// The members of a row's object that become properties, and where each is counted.
    fn members<'a>(
        &mut self,
        row: &'a Members,
        used: &HashSet<String>,
        tally: &mut Tally,
    ) -> Vec<(usize, &'a String, &'a Exact)> {
        let members = match self.within.as_str() {
            "" => Some(row),
            within => match find(row, within) {
                Some(Exact::Object(members)) => Some(members),
                _ => None,
            },
        };
        let mut slot = |name: &String| {
            if let Some(slot) = self.slots.get(name) {
                return *slot;
            }
            let path = if self.within.is_empty() { name.clone() } else { format!("{}.{name}", self.within) };
            let slot = (!used.contains(&path)).then(|| tally.slot(&path, format!("property {name}")));
            self.slots.insert(name.clone(), slot);
            slot
        };
        members.into_iter().flatten().filter_map(|(name, value)| Some((slot(name)?, name, value))).collect()
    }
}

/// What `--property` says: `[NAME=]COLUMN[:TYPE]`.
struct Said<'a> {
    name: &'a str,
    column: &'a str,
    of: Option<Type>,
}

impl<'a> Said<'a> {
    fn new(text: &'a str) -> Self {
        let typed = text.rsplit_once(':').and_then(|(rest, of)| Some((rest, Type::from_str(of, false).ok()?)));
        let (rest, of) = typed.map_or((text, None), |(rest, of)| (rest, Some(of)));
        let (name, column) = rest.split_once('=').unwrap_or((rest, rest));
        Self { name, column, of }
    }
}

/// What is shown of a value; lists and objects are too long to show, and to write down for every row.
fn example(given: Given<'_>) -> Cow<'_, str> {
    match given {
        Given::Json(Exact::List(_) | Exact::Object(_)) => Cow::Borrowed(""),
        other => other.text(),
    }
}
