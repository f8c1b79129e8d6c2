//! How alike the orders of frameworks are, and which factors make the difference. Reads only.

use std::collections::BTreeMap;

use waymark_domain::roadmap::{Estimate, Framework, Rank};
use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_rpc::parse;
use waymark_stats::{MOST_ITEMS, disagreements, kendall_tau_b, ranks, spearman_rho};
use waymark_store::Error;

use super::Api;
use crate::store::{Initiatives, RANK};

/// Disagreements that are shown of two frameworks.
const DISAGREEMENTS: usize = 5;

/// An initiative with what its estimate says.
pub(super) struct Known {
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) estimate: Estimate,
}

impl Api {
    pub(super) async fn compare(
        &self,
        request: pb::CompareFrameworksRequest,
    ) -> Result<pb::CompareFrameworksResponse, Error> {
        let workspace: WorkspaceId = parse("parent", &request.parent)?;
        let frameworks = compared(&request)?;
        let (known, _) = self.known(&workspace, &request.filter).await?;
        let pairs = frameworks.iter().enumerate().flat_map(|(index, first)| {
            frameworks[index + 1..].iter().map(|second| pair(*first, *second, &known)).collect::<Vec<_>>()
        });
        Ok(pb::CompareFrameworksResponse { pairs: pairs.collect() })
    }

    /// The initiatives that a filter selects, or else all that are open, as far as they have an estimate; and how many have
    /// none. Refuses more than can be put to the test together.
    pub(super) async fn known(&self, workspace: &WorkspaceId, filter: &str) -> Result<(Vec<Known>, usize), Error> {
        let open = format!("{RANK} < {:?}", Rank::CLOSED);
        let filter = if filter.is_empty() { &open } else { filter };
        let mut rows = self.store.values::<Initiatives>(workspace, filter, RANK).await?;
        if rows.len() > MOST_ITEMS {
            let problem = format!(
                "selects {} initiatives, more than {MOST_ITEMS}; narrow it, for example by product, horizon or labels",
                rows.len()
            );
            return Err(Violations::one("filter", problem).into());
        }
        rows.sort();
        let ids = rows.iter().map(|(id, _)| id.as_str());
        let mut initiatives: BTreeMap<String, pb::Initiative> = self.store.named::<Initiatives>(workspace, ids).await?;
        initiatives.retain(|_, initiative| initiative.priority.is_some());
        let mut estimates = self.estimates_of(workspace, initiatives.values()).await?;
        let known: Vec<Known> = initiatives
            .into_values()
            .filter_map(|pb::Initiative { name, display_name, priority, .. }| {
                let estimate = estimates.remove(&priority?.estimate)?;
                Some(Known { name, display_name, estimate })
            })
            .collect();
        let without = rows.len().saturating_sub(known.len());
        Ok((known, without))
    }
}

/// The frameworks that are asked for.
fn compared(request: &pb::CompareFrameworksRequest) -> Result<Vec<Framework>, Violations> {
    let mut frameworks: Vec<Framework> = Vec::new();
    for (index, framework) in request.frameworks().enumerate() {
        let framework = framework.stated(&format!("frameworks[{index}]"))?;
        if frameworks.contains(&framework) {
            return Err(Violations::one(format!("frameworks[{index}]"), "is there twice; name each framework once"));
        }
        frameworks.push(framework);
    }
    match frameworks.len() {
        0 => Ok(Framework::ALL.to_vec()),
        1 => Err(Violations::one("frameworks", "must be at least two, or none for all")),
        _ => Ok(frameworks),
    }
}

fn pair(first: Framework, second: Framework, known: &[Known]) -> pb::FrameworkPair {
    let score = |of: &Known, framework| of.estimate.score(framework).map(|score| score.likely());
    let both = known.iter().filter_map(|of| Some((of, score(of, first)?, score(of, second)?)));
    let both: Vec<(&Known, f64, f64)> = both.collect();
    let orders = [1, 2].map(|which| both.iter().map(|of| if which == 1 { of.1 } else { of.2 }).collect::<Vec<f64>>());
    let items: Vec<&Known> = both.into_iter().map(|(of, ..)| of).collect();
    let disagreed = disagreements(&[&orders[0], &orders[1]], DISAGREEMENTS).unwrap_or_default();
    let shown = |item: usize, ranks: &[f64]| pb::FrameworkDisagreement {
        initiative: items[item].name.clone(),
        display_name: items[item].display_name.clone(),
        first_rank: ranks[0],
        second_rank: ranks[1],
        why: why(item, &items, [(first, ranks[0], ranks[1]), (second, ranks[1], ranks[0])]),
    };
    pb::FrameworkPair {
        first: pb::ScoringFramework::of(first),
        second: pb::ScoringFramework::of(second),
        ranked_count: items.len() as i32,
        // There is no order to compare, otherwise.
        kendall_tau_b: kendall_tau_b(&orders[0], &orders[1]).ok(),
        spearman_rho: spearman_rho(&orders[0], &orders[1]).ok(),
        disagreements: disagreed.iter().map(|of| shown(of.item, &of.ranks)).collect(),
    }
}

/// Which factor speaks most for the item where it ranks better, and which most against it where it ranks worse.
fn why(item: usize, items: &[&Known], sides: [(Framework, f64, f64); 2]) -> String {
    let side = |(framework, rank, other): (Framework, f64, f64)| {
        let better = rank < other;
        let found = framework.inputs().iter().filter_map(|input| {
            let likely = |of: &&Known| Some(of.estimate.factors.get(input.key)?.amount.likely());
            let sign = if input.raises { 1.0 } else { -1.0 };
            let values: Option<Vec<f64>> =
                items.iter().map(|of| Some(sign * likely(of)? * of.estimate.unit(input))).collect();
            Some((ranks(&values?)[item], input))
        });
        let most =
            if better { found.min_by(|a, b| a.0.total_cmp(&b.0)) } else { found.max_by(|a, b| a.0.total_cmp(&b.0)) };
        let because = most.and_then(|(place, input)| {
            let amount = items[item].estimate.factors.get(input.key)?.print(input);
            Some(format!(", where {} {amount} is {place} of {}", input.key, items.len()))
        });
        format!("{rank} of {} by {}{}", items.len(), framework.label(), because.unwrap_or_default())
    };
    sides.map(side).join("; ")
}
