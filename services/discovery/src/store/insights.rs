//! Insights.

use waymark_domain::discovery::{Insight, InsightEvent};
use waymark_proto::Choice as _;
use waymark_proto::convert::discovery::refresh_strength;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Rule, Rules, Table};

use super::research::{REQUEST_BYTES, assess_insight};

/// The table of insights.
pub struct Insights;

impl Table for Insights {
    type Resource = Insight;
    type Message = pb::Insight;
    const TABLE: &'static str = "insights";
    const COLUMNS: Columns<Insight> = &[Column::choice("kind", pb::InsightKind::NAMES, |i| Some(i.kind.into()))];
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, new| Box::pin(assess_insight(write, new, InsightEvent::Created))),
        update: Rule::Reading(|write, (_, new)| Box::pin(assess_insight(write, new, InsightEvent::Updated))),
        undelete: Rule::Reading(|write, back| Box::pin(assess_insight(write, back, InsightEvent::Undeleted))),
        shown: refresh_strength,
        ..Rules::PLAIN
    };
    const REQUEST_BYTES: Option<usize> = Some(REQUEST_BYTES);
}
