//! Insights: kept only on evidence that exists, their strength worked out from the interviews they cite.

use waymark_domain::Change;
use waymark_domain::discovery::{Insight, InsightEvent, Interview};
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
    let interviews = interviews(write, &insight).await?;
    let existing = existing(write, insight.evidence.iter().map(|e| &e.target)).await?;
    insight.keep(&interviews, &existing, event, write.now()).map_err(Error::rule)
}

/// Works the strength of an insight out again after an interview it cites changed.
pub async fn reassess(write: &mut Write, insight: Insight) -> Result<(), Error> {
    let interviews = interviews(write, &insight).await?;
    if let Some(change) = insight.reassess(&interviews, write.now()) {
        write.put::<Insights>(change).await?;
    }
    Ok(())
}

async fn interviews(write: &mut Write, insight: &Insight) -> Result<Vec<Interview>, Error> {
    let mut interviews = Vec::new();
    for name in insight.interviews() {
        interviews.extend(write.find::<Interviews>(&name).await?);
    }
    Ok(interviews)
}
