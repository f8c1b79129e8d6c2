//! An outcome was measured: a learning of the opportunities it came from, and an opportunity of its own when it missed
//! and came from none.

use std::collections::BTreeSet;
use std::convert::Infallible;

use waymark_domain::discovery::{AssumptionTest, Learning, Opportunity, Solution};
use waymark_domain::roadmap::Initiative;
use waymark_domain::{FullName, Name, Resource, Verdict, Violations};
use waymark_proto::convert::timestamp;
use waymark_proto::discovery::v1 as pb;
use waymark_proto::metrics::v1 as metrics;
use waymark_store::{Error, Received, Write};

use super::roots::{cut, link, root};
use crate::name::NAME;
use crate::store::{AssumptionTests, Initiatives, Opportunities, Solutions};

/// What the measurement says, in discovery's terms.
pub(super) fn learned(outcome: &metrics::Outcome, event: &Received) -> Result<Learning, Violations> {
    let mut message = pb::Learning {
        outcome: format!("//metrics.waymark.dev/{}", outcome.name),
        initiative: outcome.initiative.clone(),
        summary: outcome.summary.clone(),
        measured: outcome.measured,
        time: outcome.create_time.or_else(|| Some(timestamp(event.time))),
        ..Default::default()
    };
    message.set_verdict(outcome.verdict());
    waymark_proto::parse(message)
}

/// Adds the learning to the opportunities behind the outcome; when there is none and the prediction failed, opens one.
pub(super) async fn measured(write: &mut Write, outcome: &metrics::Outcome, learning: Learning) -> Result<(), Error> {
    let initiative = initiative(write, outcome).await?;
    let mut opportunities = opportunities(write, outcome, initiative.as_ref()).await?;
    if opportunities.is_empty() {
        // An earlier measurement of the same outcome may have opened one.
        let told = write.referrers::<Opportunities>(&learning.outcome, &["learnings.outcome"]).await?;
        opportunities.extend(told.into_iter().map(|opportunity| opportunity.meta.name));
    }
    if opportunities.is_empty() && learning.verdict == Verdict::Missed {
        // People know it by the name it has by now.
        let called = initiative.map_or_else(|| outcome.display_name.clone(), |known| known.meta.display_name);
        return open(write, outcome, &called, learning).await;
    }
    for opportunity in opportunities {
        learn(write, &opportunity, learning.clone()).await?;
    }
    Ok(())
}

async fn learn(write: &mut Write, name: &Name<Opportunity>, learning: Learning) -> Result<(), Error> {
    if let Some(change) = write.find::<Opportunities>(name).await?.and_then(|opportunity| opportunity.learn(learning)) {
        write.put::<Opportunities>(change)?;
    }
    Ok(())
}

/// The initiative whose outcome was measured, as far as it is known here.
async fn initiative(write: &mut Write, outcome: &metrics::Outcome) -> Result<Option<Initiative>, Error> {
    // A name of a form this version does not know leads nowhere here.
    match outcome.initiative.parse::<FullName>() {
        Ok(name) => write.find::<Initiatives>(&typed(&name)).await,
        Err(_) => Ok(None),
    }
}

/// The live opportunities among the evidence, and those that the solutions and tests among it serve: the evidence there
/// was when the outcome was predicted, and what the initiative has got since.
async fn opportunities(
    write: &mut Write,
    outcome: &metrics::Outcome,
    initiative: Option<&Initiative>,
) -> Result<BTreeSet<Name<Opportunity>>, Error> {
    let predicted = outcome.evidence.iter().filter_map(|evidence| evidence.target.parse::<FullName>().ok());
    let since = initiative.iter().flat_map(|initiative| &initiative.evidence).map(|evidence| evidence.target.clone());
    let mut found = BTreeSet::new();
    for target in predicted.chain(since) {
        if target.service != NAME || target.name.workspace != *write.workspace() {
            continue;
        }
        let opportunity = match target.name.collection.as_str() {
            Opportunity::COLLECTION => Some(typed(&target)),
            Solution::COLLECTION => {
                write.find::<Solutions>(&typed(&target)).await?.map(|solution| solution.opportunity)
            }
            AssumptionTest::COLLECTION => match write.find::<AssumptionTests>(&typed(&target)).await? {
                Some(test) => write.find::<Solutions>(&test.solution).await?.map(|solution| solution.opportunity),
                None => None,
            },
            _ => None,
        };
        if let Some(name) = opportunity
            && write.exists::<Opportunities>(&name).await?
        {
            found.insert(name);
        }
    }
    Ok(found)
}

fn typed<R: Resource>(target: &FullName) -> Name<R> {
    Name::new(target.name.workspace.clone(), target.name.id.clone())
}

/// Opens an opportunity for a prediction that failed and came from none.
async fn open(write: &mut Write, outcome: &metrics::Outcome, called: &str, learning: Learning) -> Result<(), Error> {
    let metric = outcome.metric.rsplit('/').next().unwrap_or_default();
    let parent_node = root(write, &outcome.metric, metric).await?;
    let mut evidence = vec![link(&learning.outcome.to_string(), "the measurement that missed the prediction")];
    if learning.initiative.is_some() {
        evidence.push(link(&outcome.initiative, "what was shipped"));
    }
    let mut message = pb::Opportunity {
        display_name: cut(&format!("Find out why {called:?} did not do what was expected")),
        parent_node,
        description: learning.summary.clone(),
        evidence,
        ..Default::default()
    };
    message.set_kind(pb::OpportunityKind::Need);
    let opened = |opportunity: Opportunity| Ok::<_, Infallible>(opportunity.open_with(learning));
    write.create::<Opportunities, _>("", message, opened).map(|_| ())
}
