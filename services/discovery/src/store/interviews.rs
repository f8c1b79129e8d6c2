//! Interviews: kept only with a study and a participant, and changed only as far as insights do not lose what they
//! cite.

use pbjson_types::FieldMask;
use waymark_domain::discovery::{Interview, InterviewEvent};
use waymark_domain::{Change, Name};
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Error, Table, Write};

use super::{Insights, Participants, Studies, reassess};

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
}

/// Keeps an interview, with what it refers to looked up.
pub async fn keep_interview(
    write: &mut Write,
    interview: Interview,
    event: InterviewEvent,
) -> Result<Change<Interview>, Error> {
    let study = write.find::<Studies>(&interview.study).await?;
    let participant = write.find::<Participants>(&interview.participant).await?;
    interview.keep(study.as_ref(), participant.as_ref(), event).map_err(Error::rule)
}

/// Updates an interview, then the strength of the insights that rest on it.
pub async fn update_interview(
    write: &mut Write,
    name: &Name<Interview>,
    patch: pb::Interview,
    update_mask: Option<&FieldMask>,
) -> Result<pb::Interview, Error> {
    let (old, revised) = write.patched::<Interviews>(name, patch, update_mask).await?;
    let target = name.full();
    let citing = write
        .all::<Insights>()
        .await?
        .into_iter()
        .filter(|insight| insight.evidence.iter().any(|e| e.target == target));
    let citing: Vec<_> = citing.collect();
    revised.keep_cited(citing.iter().flat_map(|insight| insight.citations_of(name))).map_err(Error::rule)?;
    let change = keep_interview(write, revised, InterviewEvent::Updated).await?;
    let revised = change.state().clone();
    let message = write.put::<Interviews>(change).await?;
    if !revised.supports_as(&old) {
        reassess(write, citing, revised).await?;
    }
    Ok(message)
}
