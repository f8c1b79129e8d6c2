//! Interviews and insights before they are saved: what they refer to is looked up for the rules, and insights gain or
//! lose strength with the interviews they cite.

use std::collections::BTreeMap;

use pbjson_types::FieldMask;
use waymark_domain::discovery::{Insight, InsightEvent, Interview, InterviewEvent};
use waymark_domain::{Change, Name};
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Error, Write};

use super::{Insights, Interviews, Participants, Studies};

/// Records an interview, with what it refers to looked up.
pub async fn record_interview(
    write: &mut Write,
    interview: Interview,
    event: InterviewEvent,
) -> Result<Change<Interview>, Error> {
    let study = write.find::<Studies>(&interview.study).await?;
    let participant = write.find::<Participants>(&interview.participant).await?;
    interview.record(study.as_ref(), participant.as_ref(), event).map_err(Error::rule)
}

/// Updates an interview, then the strength of the insights that rest on it.
pub async fn update_interview(
    write: &mut Write,
    name: &Name<Interview>,
    patch: pb::Interview,
    update_mask: Option<&FieldMask>,
) -> Result<pb::Interview, Error> {
    let mut weighed = None;
    let revise = async |write: &mut Write, old: Interview, revised: Interview| {
        let citing = write.referrers::<Insights>(&name.full(), &["evidence.target"]).await?;
        revised.check_cited(citing.iter().flat_map(|insight| insight.citations_of(name))).map_err(Error::rule)?;
        let change = record_interview(write, revised, InterviewEvent::Updated).await?;
        let revised = change.state();
        weighed = (!revised.supports_as(&old)).then(|| (citing, revised.clone()));
        Ok(change)
    };
    let message = write.update::<Interviews, _>(name, patch, update_mask, revise).await?;
    if let Some((citing, revised)) = weighed {
        reassess(write, citing, revised).await?;
    }
    Ok(message)
}

/// Assesses an insight, with the interviews it cites looked up.
pub async fn assess_insight(
    write: &mut Write,
    insight: Insight,
    event: InsightEvent,
) -> Result<Change<Insight>, Error> {
    let mut interviews = BTreeMap::new();
    read_cited(write, &insight, &mut interviews).await?;
    insight.assess(&interviews, event, write.now()).map_err(Error::rule)
}

/// Works the strength of insights out again after an interview that they cite was revised.
async fn reassess(write: &mut Write, insights: Vec<Insight>, revised: Interview) -> Result<(), Error> {
    let mut interviews = BTreeMap::from([(revised.meta.name.clone(), revised)]);
    for insight in &insights {
        read_cited(write, insight, &mut interviews).await?;
    }
    for insight in insights {
        if let Some(change) = insight.reassess(&interviews, write.now()) {
            write.put::<Insights>(change)?;
        }
    }
    Ok(())
}

/// Adds the interviews that an insight cites to those `known`. They come with their transcripts, so none is read twice.
async fn read_cited(
    write: &mut Write,
    insight: &Insight,
    known: &mut BTreeMap<Name<Interview>, Interview>,
) -> Result<(), Error> {
    for name in insight.interviews() {
        if !known.contains_key(&name) {
            known.extend(write.find::<Interviews>(&name).await?.map(|interview| (name, interview)));
        }
    }
    Ok(())
}
