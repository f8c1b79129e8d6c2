//! Insights: kept only on evidence that exists, their strength worked out from the interviews they cite.

use std::collections::BTreeMap;

use waymark_domain::discovery::{Insight, InsightEvent, Interview};
use waymark_domain::{Change, Name};
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Error, Table, Write};

use super::Interviews;
use super::references::existing;

/// The table of insights.
pub struct Insights;

impl Table for Insights {
    type Resource = Insight;
    type Message = pb::Insight;
    const TABLE: &'static str = "insights";
    const COLUMNS: Columns<Insight> = &[Column::text("kind", |i| Some(<&str>::from(i.kind).to_owned()))];
}

/// Keeps an insight, with its evidence looked up.
pub async fn keep_insight(write: &mut Write, insight: Insight, event: InsightEvent) -> Result<Change<Insight>, Error> {
    let mut interviews = BTreeMap::new();
    read_cited(write, &insight, &mut interviews).await?;
    let others = insight.evidence.iter().filter(|e| e.interview().is_none());
    let existing = existing(write, others.map(|e| &e.target)).await?;
    insight.keep(&interviews, &existing, event, write.now()).map_err(Error::rule)
}

/// Works the strength of insights out again after an interview that they cite was revised.
pub async fn reassess(write: &mut Write, insights: Vec<Insight>, revised: Interview) -> Result<(), Error> {
    let mut interviews = BTreeMap::from([(revised.meta.name.clone(), revised)]);
    for insight in &insights {
        read_cited(write, insight, &mut interviews).await?;
    }
    for insight in insights {
        if let Some(change) = insight.reassess(&interviews, write.now()) {
            write.put::<Insights>(change).await?;
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
