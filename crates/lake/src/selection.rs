//! Which rows are of interest to a question that names events and conditions: as bits, one a kind of event. Never counts
//! them.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use waymark_domain::metrics::{Condition, PropertyFilter};

use crate::error::Result;
use crate::file::Span;
use crate::property::{Property, Values, Verdicts};
use crate::scan::Scan;
use crate::schema::{Columns, column};

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
    sought: Vec<Property>,
}

#[derive(Debug)]
struct Kind {
    /// Any when there are none.
    events: Vec<String>,
    filters: Vec<(usize, Condition)>,
}

impl Selection {
    /// Of each kind the names, of which none is any, and what must hold.
    pub(crate) fn new<'a>(
        kinds: impl IntoIterator<Item = (Vec<String>, &'a [PropertyFilter])>,
        columns: &Columns,
    ) -> Self {
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
        let sought = properties.iter().map(|name| Property::new(name, columns)).collect();
        Self { kinds, properties, sought }
    }

    /// What is read.
    pub(crate) fn scan(&self, times: Span) -> Scan {
        let columns = vec![column::USER_HASH, column::TIME, column::EVENT];
        Scan { columns, properties: self.properties.clone(), times: Some(times) }
    }

    /// Tells of each row of a batch that is of interest, and which kinds its names are, conditions aside.
    pub(crate) fn each(&self, batch: &RecordBatch, mut tell: impl FnMut(Selected, u32) -> Result<()>) -> Result<()> {
        let users = batch.column(0).as_primitive::<Int64Type>().values();
        let times = batch.column(1).as_primitive::<TimestampMicrosecondType>().values();
        let events = batch.column(2).as_dictionary::<Int32Type>();
        let values: Vec<Values<'_>> = self.sought.iter().map(|property| property.values(batch)).collect();
        let mut filters: Vec<Vec<Verdicts<'_>>> = Vec::with_capacity(self.kinds.len());
        for kind in &self.kinds {
            filters
                .push(kind.filters.iter().map(|(index, condition)| Verdicts::new(values[*index], condition)).collect());
        }
        // Names are compared once per batch and name, not once per row.
        let of = |name: Option<&str>| name.map_or(0, |name| self.named(name));
        let named: Vec<u32> = events.values().as_string::<i32>().iter().map(of).collect();
        for (row, (user, time)) in users.iter().zip(times).enumerate() {
            let named = named[events.keys().value(row) as usize];
            if named == 0 {
                continue;
            }
            let mut kinds = named;
            for (index, filters) in filters.iter_mut().enumerate() {
                if kinds >> index & 1 == 1 && !filters.iter_mut().all(|filter| filter.holds(row)) {
                    kinds &= !(1 << index);
                }
            }
            tell(Selected { user: *user, time: *time, kinds }, named)?;
        }
        Ok(())
    }

    fn named(&self, name: &str) -> u32 {
        let named = |kind: &Kind| kind.events.is_empty() || kind.events.iter().any(|event| event == name);
        self.kinds.iter().enumerate().filter(|(_, kind)| named(kind)).fold(0, |bits, (index, _)| bits | 1 << index)
    }
}
