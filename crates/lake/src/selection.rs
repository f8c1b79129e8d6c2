//! Which rows are of interest to a question that names events and conditions: as bits, one a kind of event. Never counts
//! them.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use waymark_domain::metrics::{Condition, PropertyFilter, Scalar};

use crate::error::Result;
use crate::property::extract;
use crate::schema::column;

/// A row of interest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selected {
    pub user: i64,
    /// Microseconds.
    pub time: i64,
    /// Of which kinds it is.
    pub kinds: u32,
}

/// Kinds of events.
#[derive(Debug)]
pub(crate) struct Selection {
    kinds: Vec<Kind>,
    /// The properties that are read.
    properties: Vec<String>,
}

#[derive(Debug)]
struct Kind {
    /// Any when there are none.
    events: Vec<String>,
    filters: Vec<(usize, Condition)>,
}

impl Selection {
    /// Of each kind the names, of which none is any, and what must hold.
    pub(crate) fn new<'a>(kinds: impl IntoIterator<Item = (Vec<String>, &'a [PropertyFilter])>) -> Self {
        let mut properties: Vec<String> = Vec::new();
        let mut property = |name: &str| {
            properties.iter().position(|known| known == name).unwrap_or_else(|| {
                properties.push(name.to_owned());
                properties.len() - 1
            })
        };
        let mut kind = |(events, filters): (Vec<String>, &'a [PropertyFilter])| {
            let filters = filters.iter();
            let filters = filters.map(|filter| (property(filter.property()), filter.condition().clone())).collect();
            Kind { events, filters }
        };
        let kinds = kinds.into_iter().map(&mut kind).collect();
        Self { kinds, properties }
    }

    /// The columns that are read.
    pub(crate) fn columns(&self) -> Vec<&'static str> {
        let mut columns = vec![column::USER_HASH, column::TIME, column::EVENT];
        if !self.properties.is_empty() {
            columns.push(column::PROPERTIES);
        }
        columns
    }

    /// Tells of each row of a batch that is of interest, and which kinds its names are, conditions aside.
    pub(crate) fn each(&self, batch: &RecordBatch, mut tell: impl FnMut(Selected, u32) -> Result<()>) -> Result<()> {
        let users = batch.column(0).as_primitive::<Int64Type>().values();
        let times = batch.column(1).as_primitive::<TimestampMicrosecondType>().values();
        let events = batch.column(2).as_dictionary::<Int32Type>();
        let json = batch.columns().get(3).map(AsArray::as_string::<i32>);
        // Names are compared once per batch and name, not once per row.
        let of = |name: Option<&str>| name.map_or(0, |name| self.named(name));
        let named: Vec<u32> = events.values().as_string::<i32>().iter().map(of).collect();
        let mut values: Vec<Option<Scalar>> = Vec::new();
        for (row, (user, time)) in users.iter().zip(times).enumerate() {
            let named = named[events.keys().value(row) as usize];
            if named == 0 {
                continue;
            }
            let mut kinds = named;
            if let Some(json) = json {
                extract(json.is_valid(row).then(|| json.value(row)), &self.properties, &mut values);
                kinds = self.met(kinds, &values);
            }
            tell(Selected { user: *user, time: *time, kinds }, named)?;
        }
        Ok(())
    }

    fn named(&self, name: &str) -> u32 {
        let named = |kind: &Kind| kind.events.is_empty() || kind.events.iter().any(|event| event == name);
        self.kinds.iter().enumerate().filter(|(_, kind)| named(kind)).fold(0, |bits, (index, _)| bits | 1 << index)
    }

    fn met(&self, kinds: u32, values: &[Option<Scalar>]) -> u32 {
        let holds = |(index, condition): &(usize, Condition)| condition.holds(values[*index].as_ref());
        let fails = self.kinds.iter().enumerate().filter(|(_, kind)| !kind.filters.iter().all(holds));
        fails.fold(kinds, |bits, (index, _)| bits & !(1 << index))
    }
}
