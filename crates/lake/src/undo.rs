//! Undoing an import: what it delivered is counted, and the table says from then on that it is undone. Removes no row;
//! that is up to compaction.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::DateTime;
use futures::StreamExt;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::delivery::{Delivered, DelivererColumn, Undone};
use crate::error::{LakeError, Result};
use crate::file::Span;
use crate::scan::{in_range, overlapping};
use crate::schema::{SORT_ORDER, column};
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::table::EventTable;

/// What comes of an import while it is undone is counted anew this often. Who undoes one stops its batches before, so
/// few are under way.
const RECOUNTS: usize = 5;

/// Undoes an import and tells what that took away; of one that is undone already, what it took away then.
pub(crate) async fn undo(shared: &Shared, table: &Arc<EventTable>, import: Uuid) -> Result<Delivered> {
    let mut recounts = 0;
    loop {
        let snapshot = table.refresh().await?;
        if let Some(known) = snapshot.undone.get(&import) {
            return Ok(*known);
        }
        let delivered = delivered(shared, table, &snapshot, import).await?;
        let counted = (recounts < RECOUNTS).then_some(&*snapshot);
        match table.undo(import, delivered, counted).await {
            Ok(undone) => {
                shared.committed.notify_one();
                return Ok(undone);
            }
            Err(LakeError::Conflict) => recounts += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Counts what an import delivered. Reads the identities of all events among whose users and times those of the import
/// lie.
pub(crate) async fn delivered(
    shared: &Shared,
    table: &Arc<EventTable>,
    snapshot: &Snapshot,
    import: Uuid,
) -> Result<Delivered> {
    let Some(times) = snapshot.naming(import).map(|file| file.times).reduce(Span::join) else {
        return Ok(Delivered::default());
    };
    let among = snapshot.files.iter().filter(|file| in_range(file, Some(times))).cloned().collect();
    let columns = [&SORT_ORDER[..], &[column::EVENT_ID, column::IMPORTS]].concat();
    let mut tasks = JoinSet::new();
    for group in overlapping(among).into_iter().filter(|group| group.iter().any(|file| file.names(import))) {
        let mut rows = shared.engine.merged((table, &snapshot.columns), &group, &columns, Some(times))?;
        let undone = snapshot.undone.clone();
        tasks.spawn(async move {
            let mut count = Count::default();
            while let Some(batch) = rows.next().await {
                count.add(&batch?, import, &undone)?;
            }
            count.close();
            Ok::<_, LakeError>(count.delivered)
        });
    }
    let mut all = Delivered::default();
    while let Some(part) = tasks.join_next().await {
        let part = part.map_err(LakeError::failed("count what an import delivered"))??;
        all.alone += part.alone;
        all.shared += part.shared;
        all.note(part.times);
    }
    Ok(all)
}

/// Counts along the order of rows.
#[derive(Default)]
struct Count {
    delivered: Delivered,
    /// The user and moment of the last rows.
    at: Option<(i64, i64)>,
    /// Of each event there: whether the import delivered it, and whether something else did that stands.
    events: HashMap<String, (bool, bool)>,
}

impl Count {
    fn add(&mut self, batch: &RecordBatch, import: Uuid, undone: &Undone) -> Result<()> {
        let users = batch.column(0).as_primitive::<Int64Type>().values();
        let times = batch.column(1).as_primitive::<TimestampMicrosecondType>().values();
        let ids = batch.column(3).as_string::<i32>();
        let column = DelivererColumn::of(batch)?;
        let of = column.each(|deliverers| deliverers.split(import, undone))?;
        let by = |row: usize| column.value(row).map_or((false, true), |value| of[value]);
        let rows = batch.num_rows();
        let mut row = 0;
        while row < rows {
            let at = (users[row], times[row]);
            let end = (row + 1..rows).find(|next| (users[*next], times[*next]) != at).unwrap_or(rows);
            let continues = self.at == Some(at);
            if !continues {
                self.close();
                self.at = Some(at);
            }
            // Nearly every event is alone at its moment, for certain where the batch goes on to another.
            if end - row == 1 && end < rows && !continues {
                self.count(by(row));
            } else {
                for row in row..end {
                    let (own, others) = by(row);
                    let known = self.events.entry(ids.value(row).to_owned()).or_default();
                    *known = (known.0 || own, known.1 || others);
                }
            }
            row = end;
        }
        Ok(())
    }

    /// Counts the events of the last moment, of which there are no more.
    fn close(&mut self) {
        for by in std::mem::take(&mut self.events).into_values() {
            self.count(by);
        }
    }

    fn count(&mut self, (own, others): (bool, bool)) {
        if own {
            let time = self.at.and_then(|(_, time)| DateTime::from_timestamp_micros(time));
            self.delivered.note(time.zip(time));
            self.delivered.shared += u64::from(others);
            self.delivered.alone += u64::from(!others);
        }
    }
}
