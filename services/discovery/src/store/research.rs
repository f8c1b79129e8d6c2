//! Interviews and insights before they are saved: what they refer to is looked up for the rules, and insights gain or
//! lose strength with the interviews they cite.

use std::collections::BTreeMap;

use waymark_domain::discovery::{Insight, InsightEvent, Interview, InterviewEvent};
use waymark_domain::{Change, Name};
use waymark_proto::convert::discovery::refresh_strength;
use waymark_store::{Error, Rule, Ruled, Rules, Step, Write};

use super::{Insights, Interviews, Participants, Studies};

/// Bytes of a request at most: a transcript alone may have 1 MiB.
pub const REQUEST_BYTES: usize = 2 << 20;

impl Ruled for Studies {
    const REQUEST_BYTES: Option<usize> = Some(REQUEST_BYTES);
}

impl Ruled for Participants {
    const REQUEST_BYTES: Option<usize> = Some(REQUEST_BYTES);
}

impl Ruled for Interviews {
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

impl Ruled for Insights {
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, new| Box::pin(assess_insight(write, new, InsightEvent::Created))),
        update: Rule::Reading(|write, (_, new)| Box::pin(assess_insight(write, new, InsightEvent::Updated))),
        undelete: Rule::Reading(|write, back| Box::pin(assess_insight(write, back, InsightEvent::Undeleted))),
        shown: refresh_strength,
        ..Rules::PLAIN
    };
    const REQUEST_BYTES: Option<usize> = Some(REQUEST_BYTES);
}

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

/// Revises an interview, whose highlights must stay that insights cite.
pub async fn revise_interview(
    write: &mut Write,
    old: Interview,
    revised: Interview,
) -> Result<Change<Interview>, Error> {
    let citing = citing(write, &old.meta.name).await?;
    revised.check_cited(citing.iter().flat_map(|insight| insight.citations_of(&old.meta.name))).map_err(Error::rule)?;
    record_interview(write, revised, InterviewEvent::Updated).await
}

/// Works the strength of insights out again when interviews they cite do not support them as before.
pub async fn reassess_insights(write: &mut Write, taken: &[Step<Interview>]) -> Result<(), Error> {
    let mut interviews = BTreeMap::new();
    let mut insights = BTreeMap::new();
    for step in taken {
        if let Step::Updated { old, new } = step
            && !new.supports_as(old)
        {
            interviews.insert(new.meta.name.clone(), new.clone());
            insights.extend(citing(write, &new.meta.name).await?.into_iter().map(|i| (i.meta.name.clone(), i)));
        }
    }
    for insight in insights.values() {
        read_cited(write, insight, &mut interviews).await?;
    }
    for insight in insights.into_values() {
        if let Some(change) = insight.reassess(&interviews, write.now()) {
            write.put::<Insights>(change)?;
        }
    }
    Ok(())
}

/// The insights that cite an interview.
async fn citing(write: &mut Write, interview: &Name<Interview>) -> Result<Vec<Insight>, Error> {
    write.referrers::<Insights>(&interview.full(), &["evidence.target"]).await
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
