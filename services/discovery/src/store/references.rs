//! What refers to what: looked up before a deletion and before evidence is kept.

use std::collections::BTreeSet;

use waymark_domain::discovery::reference::{self, is_ours};
use waymark_domain::discovery::{
    AssumptionTest, Insight, Interview, Opportunity, Outcome, Participant, Solution, Study,
};
use waymark_domain::{AnyName, Change, FullName, Name, Resource};
use waymark_store::{Error, Table, Write};

use super::{AssumptionTests, Insights, Interviews, Opportunities, Outcomes, Participants, Solutions, Studies};

/// Deletes a resource unless something of this service refers to it.
pub async fn delete<R: Resource>(write: &mut Write, resource: R, deleted: R::Event) -> Result<Change<R>, Error> {
    let name = resource.meta().name.any();
    let referrer = match belonging(write, &name).await? {
        Some(referrer) => Some(referrer),
        None => citing(write, &resource.meta().name.full()).await?,
    };
    reference::delete(resource, deleted, referrer).map_err(Error::rule)
}

/// Those of the targets that this service holds.
pub async fn existing<'a>(
    write: &mut Write,
    targets: impl Iterator<Item = &'a FullName>,
) -> Result<BTreeSet<AnyName>, Error> {
    let ours: BTreeSet<&AnyName> = targets.filter(|t| is_ours(t)).map(|t| &t.name).collect();
    let mut existing = BTreeSet::new();
    for name in ours {
        let exists = match name.collection.as_str() {
            Study::COLLECTION => exists::<Studies>(write, name).await?,
            Participant::COLLECTION => exists::<Participants>(write, name).await?,
            Interview::COLLECTION => exists::<Interviews>(write, name).await?,
            Insight::COLLECTION => exists::<Insights>(write, name).await?,
            Outcome::COLLECTION => exists::<Outcomes>(write, name).await?,
            Opportunity::COLLECTION => exists::<Opportunities>(write, name).await?,
            Solution::COLLECTION => exists::<Solutions>(write, name).await?,
            AssumptionTest::COLLECTION => exists::<AssumptionTests>(write, name).await?,
            _ => false,
        };
        if exists {
            existing.insert(name.clone());
        }
    }
    Ok(existing)
}

async fn exists<T: Table>(write: &mut Write, name: &AnyName) -> Result<bool, Error> {
    write.exists::<T>(&Name::new(name.workspace.clone(), name.id.clone())).await
}

/// A resource that belongs to the one named: an interview to its study, a node to the node above it.
async fn belonging(write: &mut Write, name: &AnyName) -> Result<Option<AnyName>, Error> {
    let text = name.to_string();
    match name.collection.as_str() {
        Study::COLLECTION => first::<Interviews>(write, "study", &text).await,
        Participant::COLLECTION => first::<Interviews>(write, "participant", &text).await,
        Outcome::COLLECTION => first::<Opportunities>(write, "parent_node", &text).await,
        Opportunity::COLLECTION => match first::<Opportunities>(write, "parent_node", &text).await? {
            Some(below) => Ok(Some(below)),
            None => first::<Solutions>(write, "opportunity", &text).await,
        },
        Solution::COLLECTION => first::<AssumptionTests>(write, "solution", &text).await,
        _ => Ok(None),
    }
}

async fn first<T: Table>(write: &mut Write, column: &str, value: &str) -> Result<Option<AnyName>, Error> {
    let found = write.all_where::<T>(column, value, 1).await?;
    Ok(found.first().map(|resource| resource.meta().name.any()))
}

/// A resource whose evidence cites `target`; evidence of a resource for itself does not count.
async fn citing(write: &mut Write, target: &FullName) -> Result<Option<AnyName>, Error> {
    let insights = write.all::<Insights>().await?;
    let insights =
        insights.iter().filter(|i| i.evidence.iter().any(|e| e.target == *target)).map(|i| i.meta.name.any());
    let opportunities = write.all::<Opportunities>().await?;
    let opportunities =
        opportunities.iter().filter(|o| o.evidence.iter().any(|e| e.target == *target)).map(|o| o.meta.name.any());
    let solutions = write.all::<Solutions>().await?;
    let cites = |s: &&Solution| s.risk_evidence.iter().flat_map(|r| &r.evidence).any(|e| e.target == *target);
    let solutions = solutions.iter().filter(cites).map(|s| s.meta.name.any());
    Ok(insights.chain(opportunities).chain(solutions).find(|name| *name != target.name))
}
