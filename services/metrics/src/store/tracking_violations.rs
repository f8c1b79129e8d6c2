//! The table of tracking violations.

use waymark_domain::metrics::TrackingViolation;
use waymark_proto::Choice as _;
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Ruled, Table};

/// Tracking violations.
pub struct TrackingViolations;

impl Table for TrackingViolations {
    type Resource = TrackingViolation;
    type Message = pb::TrackingViolation;
    const TABLE: &'static str = "tracking_violations";
    const COLUMNS: Columns<TrackingViolation> = &[
        Column::choice("kind", pb::TrackingViolationKind::NAMES, |v: &TrackingViolation| Some(v.key.kind.into())),
        Column::text("event", |v| Some(v.key.event.clone())),
        Column::text("property", |v| Some(v.key.property.clone())),
        Column::integer("count", |v| Some(v.seen.count.cast_signed())),
    ];
}

impl Ruled for TrackingViolations {}
