//! The table of predictions, and which of them are due.

use sea_orm::{ConnectionTrait, Statement};
use waymark_domain::metrics::Prediction;
use waymark_domain::{Name, ResourceId, WorkspaceId};
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Error, Store, Table};

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
    let now = store.now().timestamp_micros();
    let sql = format!(
        "SELECT workspace, id FROM predictions WHERE state = 'MEASURING' AND due_time <= {now} AND delete_time IS NULL
         ORDER BY due_time, workspace, id LIMIT 100"
    );
    let rows = store.reader().query_all_raw(Statement::from_string(store.backend(), sql)).await?;
    let mut names = Vec::with_capacity(rows.len());
    for row in rows {
        let (workspace, id): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let damaged = |problem: String| Error::Damaged {
            table: Predictions::TABLE,
            column: "id",
            workspace: workspace.clone(),
            id: id.clone(),
            problem,
        };
        let name_of = WorkspaceId::from_id(&workspace).map_err(|e| damaged(e.to_string()))?;
        let id_of: ResourceId = id.parse().map_err(|e: waymark_domain::name::NameError| damaged(e.to_string()))?;
        names.push(Name::new(name_of, id_of));
    }
    Ok(names)
}
