//! The table of frictions.

use waymark_domain::metrics::Friction;
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Ruled, Table};

/// Marks the table of frictions.
pub struct Frictions;

impl Table for Frictions {
    type Resource = Friction;
    type Message = pb::Friction;
    const TABLE: &'static str = "frictions";
    const COLUMNS: Columns<Friction> = &[
        Column::text("entry", |friction| Some(friction.question.path.entry().to_owned())),
        Column::text("goal", |friction| Some(friction.question.path.goal().to_owned())),
        Column::integer("window_days", |friction| Some(friction.question.path.window().days().into())),
        Column::integer("lost", |friction| Some(friction.answer.worst().map_or(0, |loss| loss.lost.cast_signed()))),
        Column::number("lost_share", |friction| friction.answer.lost_share.map(|share| share.likely())),
    ];
}

impl Ruled for Frictions {}
