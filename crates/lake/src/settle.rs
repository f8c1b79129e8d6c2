//! Rows in sort order as compaction keeps them: without what does not stand, and of each event no more rows than it
//! takes to know what is seen of it when further imports are undone.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, DynComparator, RecordBatch, StringDictionaryBuilder, make_comparator,
};
use arrow::compute::{SortOptions, concat_batches, filter_record_batch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use futures::{StreamExt, TryStreamExt, stream};

use crate::delivery::{DelivererColumn, Deliverers, Undone, seen};
use crate::error::{LakeError, Result};
use crate::scan::Rows;
use crate::schema::{CONTENT, Columns, column};
use crate::shred::{alike, properties};

/// The rows that are kept of a stream of all columns.
pub(crate) fn settled(rows: Rows, undone: Arc<Undone>, columns: Arc<Columns>) -> Rows {
    let begun = Some((rows, Settling { undone, columns, held: Vec::new() }));
    stream::try_unfold(begun, async |begun| {
        let Some((mut rows, mut settling)) = begun else { return Ok(None) };
        Ok::<_, LakeError>(match rows.try_next().await? {
            Some(batch) => Some((settling.take(&batch)?, Some((rows, settling)))),
            None => Some((settling.release()?, None)),
        })
    })
    .map_ok(|batches| stream::iter(batches).map(Ok))
    .try_flatten()
    .boxed()
}

struct Settling {
    undone: Arc<Undone>,
    columns: Arc<Columns>,
    /// Rows of the last user and moment, of which the next batch may have more.
    held: Vec<RecordBatch>,
}

impl Settling {
    /// What is certain once `batch` is known.
    fn take(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let (moments, rows) = (Moments::of(batch), batch.num_rows());
        let Some(last) = rows.checked_sub(1) else { return Ok(Vec::new()) };
        let mut done = Vec::new();
        let mut from = 0;
        if let Some(held) = self.held.last() {
            if Moments::of(held).at(0) == moments.at(0) {
                from = (0..rows).find(|row| moments.at(*row) != moments.at(0)).unwrap_or(rows);
                self.held.push(batch.slice(0, from));
            }
            if from < rows {
                done.extend(self.release()?);
            }
        }
        if from < rows {
            let end = (from..rows).rfind(|row| moments.at(*row) != moments.at(last)).map_or(from, |row| row + 1);
            done.push(settle(&batch.slice(from, end - from), &self.undone, &self.columns)?);
            self.held.push(batch.slice(end, rows - end));
        }
        Ok(done)
    }

    /// What was held back.
    fn release(&mut self) -> Result<Vec<RecordBatch>> {
        let held = std::mem::take(&mut self.held);
        let Some(first) = held.first() else { return Ok(Vec::new()) };
        let whole = match held.as_slice() {
            [one] => one.clone(),
            several => concat_batches(&first.schema(), several).map_err(LakeError::failed("join rows"))?,
        };
        Ok(vec![settle(&whole, &self.undone, &self.columns)?])
    }
}

/// The users and times of rows.
struct Moments<'a> {
    users: &'a [i64],
    times: &'a [i64],
}

impl<'a> Moments<'a> {
    /// Of rows of all columns, of which these are the first.
    fn of(batch: &'a RecordBatch) -> Self {
        Self {
            users: batch.column(0).as_primitive::<Int64Type>().values(),
            times: batch.column(1).as_primitive::<TimestampMicrosecondType>().values(),
        }
    }

    fn at(&self, row: usize) -> (i64, i64) {
        (self.users[row], self.times[row])
    }
}

/// What becomes of rows.
struct Fates {
    keep: Vec<bool>,
    /// Whom a row names from now on, where that is not whom it named.
    named: HashMap<usize, Deliverers>,
}

/// The rows that are kept of a batch that no moment of a user leaves.
fn settle(batch: &RecordBatch, undone: &Undone, columns: &Columns) -> Result<RecordBatch> {
    let (moments, rows) = (Moments::of(batch), batch.num_rows());
    let column = DelivererColumn::of(batch)?;
    let mut fates = Fates { keep: vec![true; rows], named: HashMap::new() };
    let same = comparison(batch, columns)?;
    let standing = column.each(|deliverers| (deliverers.standing(undone), deliverers))?;
    if standing.iter().any(|(standing, deliverers)| standing.as_ref() != Some(deliverers)) {
        for (row, value) in (0..rows).filter_map(|row| Some((row, column.value(row)?))) {
            match &standing[value] {
                (None, _) => fates.keep[row] = false,
                (Some(left), all) if left != all => {
                    fates.named.insert(row, left.clone());
                }
                (Some(_), _) => {}
            }
        }
    }
    let mut row = 0;
    while row < rows {
        let end = (row + 1..rows).find(|next| moments.at(*next) != moments.at(row)).unwrap_or(rows);
        // Nearly every event is alone at its moment.
        if end - row > 1 {
            fates.decide(batch, &column, row..end, &same)?;
        }
        row = end;
    }
    fates.apply(batch, &column)
}

impl Fates {
    /// Decides on the rows of one user and moment.
    fn decide(
        &mut self,
        batch: &RecordBatch,
        column: &DelivererColumn<'_>,
        rows: Range<usize>,
        same: impl Fn(usize, usize) -> bool,
    ) -> Result<()> {
        let ids = batch.column_by_name(column::EVENT_ID).map(AsArray::as_string::<i32>);
        let ids = ids.ok_or_else(|| LakeError::told("compare events", "the rows have no ids"))?;
        let mut events: HashMap<&str, Vec<usize>> = HashMap::new();
        for row in rows.filter(|row| self.keep[*row]) {
            events.entry(ids.value(row)).or_default().push(row);
        }
        for rows in events.into_values().filter(|rows| rows.len() > 1) {
            let mut delivered = Vec::with_capacity(rows.len());
            for row in rows {
                delivered.push((row, self.deliverers(column, row)?));
                self.keep[row] = false;
            }
            for (row, deliverers) in seen(delivered, |a, b| same(*a, *b)) {
                self.keep[row] = true;
                if deliverers != self.deliverers(column, row)? {
                    self.named.insert(row, deliverers);
                }
            }
        }
        Ok(())
    }

    fn deliverers(&self, column: &DelivererColumn<'_>, row: usize) -> Result<Deliverers> {
        self.named.get(&row).cloned().map_or_else(|| column.deliverers(row), Ok)
    }

    fn apply(self, batch: &RecordBatch, column: &DelivererColumn<'_>) -> Result<RecordBatch> {
        let mut columns = batch.columns().to_vec();
        if !self.named.is_empty() {
            let mut imports = StringDictionaryBuilder::<Int32Type>::new();
            for row in 0..batch.num_rows() {
                match self.named.get(&row) {
                    Some(deliverers) => imports.append_option(deliverers.text()),
                    None => imports.append_option(column.text(row)),
                }
            }
            if let Ok(place) = batch.schema().index_of(column::IMPORTS) {
                columns[place] = Arc::new(imports.finish());
            }
        }
        let renamed = RecordBatch::try_new(batch.schema(), columns).map_err(LakeError::failed("assemble rows"))?;
        if self.keep.iter().all(|keep| *keep) {
            return Ok(renamed);
        }
        filter_record_batch(&renamed, &BooleanArray::from(self.keep)).map_err(LakeError::failed("drop rows"))
    }
}

/// Tells whether two rows of the same event say the same, wherever their properties stand.
fn comparison<'a>(batch: &'a RecordBatch, columns: &'a Columns) -> Result<impl Fn(usize, usize) -> bool + use<'a>> {
    let comparator = |name: &str| -> Result<DynComparator> {
        let values: ArrayRef = batch
            .column_by_name(name)
            .cloned()
            .ok_or_else(|| LakeError::told("compare events", "the rows lack columns"))?;
        make_comparator(&values, &values, SortOptions::default()).map_err(LakeError::failed("compare events"))
    };
    let comparators = CONTENT.into_iter().map(comparator).collect::<Result<Vec<_>>>()?;
    let text = comparator(column::PROPERTIES)?;
    Ok(move |a, b| {
        let alike = || match (properties(batch, columns, a), properties(batch, columns, b)) {
            (Some(a), Some(b)) => alike(&a, &b),
            // What only others write and nobody can read.
            _ => text(a, b).is_eq(),
        };
        comparators.iter().all(|compare| compare(a, b).is_eq()) && alike()
    })
}
