//! The table of predictions, and which of them are due.

use waymark_domain::Name;
use waymark_domain::metrics::Prediction;
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Error, Store, Table};

use super::names;

/// Marks the table of predictions.
pub struct Predictions;

impl Table for Predictions {
    type Resource = Prediction;
    type Message = pb::Prediction;
    const TABLE: &'static str = "predictions";
    const COLUMNS: Columns<Prediction> = &[
        Column::text("state", |prediction: &Prediction| Some(prediction.state.to_string())).indexed(),
        Column::text("metric", |prediction| Some(prediction.promise.metric.to_string())),
        Column::text("initiative", |prediction| Some(prediction.promise.initiative.to_string())),
        Column::time("due_time", Prediction::due_time),
    ];
}

/// Predictions of all workspaces whose window is over at the store's time, longest overdue first; at most 100.
pub async fn due(store: &Store) -> Result<Vec<Name<Prediction>>, Error> {
    let sql = "SELECT workspace, id FROM predictions WHERE state = 'MEASURING' AND due_time <= $1 AND delete_time IS NULL
               ORDER BY due_time, workspace, id LIMIT 100";
    names::<Predictions>(store, sql, vec![store.now().timestamp_micros().into()]).await
}
