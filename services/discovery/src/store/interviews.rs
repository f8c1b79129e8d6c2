//! Interviews.

use waymark_domain::discovery::{Interview, InterviewEvent};
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Rule, Rules, Table};

use super::research::{REQUEST_BYTES, reassess_insights, record_interview, revise_interview};

/// The table of interviews.
pub struct Interviews;

impl Table for Interviews {
    type Resource = Interview;
    type Message = pb::Interview;
    const TABLE: &'static str = "interviews";
    const COLUMNS: Columns<Interview> = &[
        Column::text("study", |i: &Interview| Some(i.study.to_string())).indexed(),
        Column::text("participant", |i: &Interview| Some(i.participant.to_string())).indexed(),
        Column::time("conduct_time", |i| Some(i.conduct_time)),
    ];
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, new| Box::pin(record_interview(write, new, InterviewEvent::Created))),
        update: Rule::Reading(|write, (old, new)| Box::pin(revise_interview(write, old, new))),
        undelete: Rule::Reading(|write, back| Box::pin(record_interview(write, back, InterviewEvent::Undeleted))),
        after: Some(|write, taken| Box::pin(reassess_insights(write, taken))),
        listed: |interview| interview.transcript.clear(),
        ..Rules::PLAIN
    };
    const REQUEST_BYTES: Option<usize> = Some(REQUEST_BYTES);
}
