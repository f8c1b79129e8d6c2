//! The table of key results.

use waymark_domain::roadmap::{KeyResult, Score};
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Table};

/// Key results.
pub struct KeyResults;

impl Table for KeyResults {
    type Resource = KeyResult;
    type Message = pb::KeyResult;
    const TABLE: &'static str = "key_results";
    const COLUMNS: Columns<KeyResult> = &[
        Column::text("objective", |k: &KeyResult| Some(k.objective.to_string())).indexed().always_set().traced(),
        Column::text("owner", |k| Some(k.owner.clone())),
        Column::text("metric", |k| k.metric.as_ref().map(ToString::to_string)),
        Column::number("score", |k| k.score().map(Score::value)),
        Column::choice("band", pb::ScoreBand::NAMES, |k| k.score().map(|score| score.band().into())),
    ];
}
