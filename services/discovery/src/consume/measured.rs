//! An outcome was measured: a learning of the opportunities it came from, and an opportunity of its own when it missed
//! and came from none.

use std::collections::BTreeSet;
use std::convert::Infallible;

use waymark_domain::discovery::{AssumptionTest, Learning, Opportunity, Solution};
use waymark_domain::{FullName, Name, Resource, Verdict, Violations};
use waymark_proto::convert::timestamp;
use waymark_proto::discovery::v1 as pb;
use waymark_proto::metrics::v1 as metrics;
use waymark_store::{Error, Received, Write};

use super::roots::{cut, link, root};
use crate::name::NAME;
use crate::store::{AssumptionTests, Opportunities, Solutions};

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
    let mut opportunities = opportunities(write, outcome).await?;
    if opportunities.is_empty() {
        // An earlier measurement of the same outcome may have opened one.
        let told = write.referrers::<Opportunities>(&learning.outcome, &["learnings.outcome"]).await?;
        opportunities.extend(told.into_iter().map(|opportunity| opportunity.meta.name));
    }
    if opportunities.is_empty() && learning.verdict == Verdict::Missed {
        return open(write, outcome, learning).await;
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

/// The live opportunities among the outcome's evidence, and those that the solutions and tests among it serve.
async fn opportunities(write: &mut Write, outcome: &metrics::Outcome) -> Result<BTreeSet<Name<Opportunity>>, Error> {
    let mut found = BTreeSet::new();
    for evidence in &outcome.evidence {
        // Evidence of a form this version does not know leads nowhere here.
        let Ok(target) = evidence.target.parse::<FullName>() else { continue };
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
async fn open(write: &mut Write, outcome: &metrics::Outcome, learning: Learning) -> Result<(), Error> {
    let metric = outcome.metric.rsplit('/').next().unwrap_or_default();
    let parent_node = root(write, &outcome.metric, metric).await?;
    let mut evidence = vec![link(&learning.outcome.to_string(), "the measurement that missed the prediction")];
    if learning.initiative.is_some() {
        evidence.push(link(&outcome.initiative, "what was shipped"));
    }
    let mut message = pb::Opportunity {
        display_name: cut(&format!("Find out why {:?} did not do what was expected", outcome.display_name)),
        parent_node,
        description: learning.summary.clone(),
        evidence,
        ..Default::default()
    };
    message.set_kind(pb::OpportunityKind::Need);
    let opened = |opportunity: Opportunity| Ok::<_, Infallible>(opportunity.open_with(learning));
    write.create::<Opportunities, _>("", message, opened).map(|_| ())
}
