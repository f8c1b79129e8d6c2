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

/// Predictions of all workspaces whose window is over at the store's time, in order of workspace and id: the first
/// `limit` of them, or of those after `after`.
pub async fn due(store: &Store, after: Option<&Name<Prediction>>, limit: u32) -> Result<Vec<Name<Prediction>>, Error> {
    // Before the first there is the empty text, which no workspace is called.
    let (workspace, id) = after.map_or(("", ""), |name| (name.workspace().id(), name.id().as_str()));
    let sql =
        "SELECT workspace, id FROM predictions WHERE state = 'MEASURING' AND due_time <= $1 AND delete_time IS NULL
                 AND (workspace, id) > ($2, $3)
               ORDER BY workspace, id LIMIT $4";
    let values = vec![store.now().timestamp_micros().into(), workspace.into(), id.into(), i64::from(limit).into()];
    names::<Predictions>(store, sql, values).await
}
