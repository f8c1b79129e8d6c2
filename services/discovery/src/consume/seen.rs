//! Something that hurts was seen, with numbers, and may be seen again: the opportunities that rest on it hear of it,
//! and when there is none, one is opened.

use std::convert::Infallible;

use waymark_domain::discovery::{Opportunity, OpportunityEvent};
use waymark_domain::{Change, Evidence};
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Error, Write};

use super::roots::{cut, link};
use crate::store::Opportunities;

/// What was seen, in discovery's terms.
pub(super) struct Sighting {
    /// What is to be found out.
    pub title: String,
    /// All there is to say at first.
    pub description: String,
    /// What was seen, with the numbers.
    pub seen: Evidence,
}

/// Adds the numbers to the live opportunities that have what was seen among their evidence, whether it opened them
/// earlier or a person cited it there; opens one below `root` when there is none. One that was given up does not count:
/// that it happens again is worth a new one.
pub(super) async fn cite_or_open(
    write: &mut Write,
    sighting: Sighting,
    root: impl AsyncFnOnce(&mut Write) -> Result<String, Error>,
) -> Result<(), Error> {
    if !cite(write, sighting.seen.clone()).await? {
        let parent_node = root(write).await?;
        open(write, &sighting, parent_node)?;
    }
    Ok(())
}

/// Adds it to the live opportunities that have what was seen among their evidence; tells whether any has.
pub(super) async fn cite(write: &mut Write, seen: Evidence) -> Result<bool, Error> {
    let mut resting = write.referrers::<Opportunities>(&seen.target, &["evidence.target"]).await?;
    resting.retain(|opportunity| opportunity.pruning.is_none());
    let any = !resting.is_empty();
    for opportunity in resting {
        if let Some(change) = opportunity.cite(seen.clone()) {
            write.put::<Opportunities>(change)?;
        }
    }
    Ok(any)
}

fn open(write: &mut Write, Sighting { title, description, seen }: &Sighting, parent_node: String) -> Result<(), Error> {
    let mut message = pb::Opportunity {
        display_name: cut(title),
        parent_node,
        description: description.clone(),
        evidence: vec![link(&seen.target.to_string(), &seen.note)],
        ..Default::default()
    };
    message.set_kind(pb::OpportunityKind::Pain);
    let opened = |opportunity: Opportunity| Ok::<_, Infallible>(Change::new(opportunity, OpportunityEvent::Created));
    write.create::<Opportunities, _>("", message, opened).map(|_| ())
}
