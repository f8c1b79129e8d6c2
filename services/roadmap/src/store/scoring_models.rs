//! The table of scoring models.

use waymark_domain::roadmap::ScoringModel;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Columns, Ruled, Table};

/// Scoring models.
pub struct ScoringModels;

impl Table for ScoringModels {
    type Resource = ScoringModel;
    type Message = pb::ScoringModel;
    const TABLE: &'static str = "scoring_models";
    const COLUMNS: Columns<ScoringModel> = &[];
}

impl Ruled for ScoringModels {}
