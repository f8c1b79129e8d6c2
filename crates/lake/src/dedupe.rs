//! Dropping repeated events from rows in sort order, in one pass and without a table of keys. Never reorders rows.

use std::collections::HashSet;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use crate::error::{LakeError, Result};
use crate::schema::column;

/// Remembers the ids of the current user and instant across batches; of equal events the first is kept.
#[derive(Debug, Default)]
pub(crate) struct Distinct {
    at: Option<(i64, i64)>,
    ids: HashSet<String>,
}

impl Distinct {
    /// The rows of `batch` that are not repetitions. Across files the 64-bit hash stands for the user.
    pub(crate) fn first_of_each(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let missing = || LakeError::told("compare events", "the rows lack the columns of an event's identity");
        let users = batch.column_by_name(column::USER_HASH).ok_or_else(missing)?.as_primitive::<Int64Type>().values();
        let times =
            batch.column_by_name(column::TIME).ok_or_else(missing)?.as_primitive::<TimestampMicrosecondType>().values();
        let ids = batch.column_by_name(column::EVENT_ID).ok_or_else(missing)?.as_string::<i32>();
        let rows = batch.num_rows();
        let mut repeated = Vec::new();
        let mut row = 0;
        while row < rows {
            let at = (users[row], times[row]);
            let mut end = row + 1;
            while end < rows && (users[end], times[end]) == at {
                end += 1;
            }
            let continues = self.at == Some(at);
            // Nearly every event is alone at its instant; only company, here or in the batch before or after, needs the
            // set.
            if continues || end - row > 1 || end == rows {
                if !continues {
                    self.ids.clear();
                }
                for index in row..end {
                    if !self.ids.insert(ids.value(index).to_owned()) {
                        repeated.push(index);
                    }
                }
                self.at = Some(at);
            }
            row = end;
        }
        if repeated.is_empty() {
            return Ok(batch.clone());
        }
        let mut keep = vec![true; rows];
        for index in repeated {
            keep[index] = false;
        }
        filter_record_batch(batch, &BooleanArray::from(keep)).map_err(LakeError::failed("drop repeated events"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn batch(rows: &[(i64, i64, &str)]) -> RecordBatch {
        RecordBatch::try_from_iter([
            (column::USER_HASH, Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))) as _),
            (column::TIME, Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.1))) as _),
            (column::EVENT_ID, Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.2))) as _),
        ])
        .unwrap()
    }

    #[test]
    fn repetitions_are_dropped_within_and_across_batches() {
        let mut distinct = Distinct::default();
        let kept: Vec<usize> = [
            batch(&[(1, 1, "a"), (1, 1, "a"), (1, 1, "b"), (1, 2, "a"), (2, 5, "x")]),
            batch(&[(2, 5, "y"), (2, 5, "x")]),
            batch(&[(2, 5, "x"), (2, 5, "z"), (3, 5, "x")]),
            batch(&[(3, 5, "x"), (4, 5, "x")]),
        ]
        .iter()
        .map(|batch| distinct.first_of_each(batch).unwrap().num_rows())
        .collect();
        assert_eq!(kept, [4, 1, 2, 1]);
    }
}
