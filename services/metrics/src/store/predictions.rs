//! The table of predictions, and which of them are due.

use chrono::SecondsFormat;
use waymark_domain::Name;
use waymark_domain::metrics::Prediction;
use waymark_proto::Choice as _;
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Error, Ruled, Store, Table};

/// Marks the table of predictions.
pub struct Predictions;

impl Table for Predictions {
    type Resource = Prediction;
    type Message = pb::Prediction;
    const TABLE: &'static str = "predictions";
    const COLUMNS: Columns<Prediction> = &[
        Column::choice("state", pb::PredictionState::NAMES, |prediction: &Prediction| Some((&prediction.state).into()))
            .indexed(),
        Column::text("metric", |prediction| Some(prediction.promise.metric.to_string())),
        Column::text("initiative", |prediction| Some(prediction.promise.initiative.to_string())),
        Column::time("due_time", Prediction::due_time),
    ];
}

impl Ruled for Predictions {}

/// Predictions of all workspaces whose window is over at the store's time, in order of workspace and id: the first
/// `limit` of them, or of those after `after`.
pub async fn due(store: &Store, after: Option<&Name<Prediction>>, limit: u32) -> Result<Vec<Name<Prediction>>, Error> {
    let now = store.now().to_rfc3339_opts(SecondsFormat::Micros, true);
    store.sweep::<Predictions>(&format!("state = MEASURING AND due_time <= \"{now}\""), after, limit).await
}
