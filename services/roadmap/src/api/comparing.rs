//! How alike the orders of frameworks and models are, and which factors make the difference. Reads only.

use std::collections::BTreeMap;

use waymark_domain::roadmap::{self, Estimate, Framework, Known as _, Rank, Scales, Scorer};
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

impl roadmap::Known for Known {
    fn likely(&self, key: &str) -> Option<f64> {
        self.estimate.likely(key)
    }
}

impl Api {
    pub(super) async fn compare(
        &self,
        request: pb::CompareFrameworksRequest,
    ) -> Result<pb::CompareFrameworksResponse, Error> {
        let workspace: WorkspaceId = parse("parent", &request.parent)?;
        let mut sides = compared(&request)?;
        for (index, model) in request.models.iter().enumerate() {
            let field = format!("models[{index}]");
            if request.models[..index].contains(model) {
                return Err(Violations::one(field, "is there twice; name each model once").into());
            }
            let scorer = self.model(&workspace, &field, model).await?;
            sides.push(Side { framework: 0, model: model.clone(), scorer });
        }
        if sides.len() < 2 {
            return Err(Violations::one("frameworks", "and models must be at least two, or none for all").into());
        }
        let (known, _) = self.known(&workspace, &request.filter).await?;
        // Seconds of work for a processor, at most: other requests are not to wait for it.
        let pairs = tokio::task::spawn_blocking(move || pairs(sides, &known)).await.map_err(Error::bug)?;
        Ok(pb::CompareFrameworksResponse { pairs })
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
fn compared(request: &pb::CompareFrameworksRequest) -> Result<Vec<Side>, Violations> {
    let mut frameworks: Vec<Framework> = Vec::new();
    for (index, framework) in request.frameworks().enumerate() {
        let framework = framework.stated(&format!("frameworks[{index}]"))?;
        if frameworks.contains(&framework) {
            return Err(Violations::one(format!("frameworks[{index}]"), "is there twice; name each framework once"));
        }
        frameworks.push(framework);
    }
    if frameworks.is_empty() && request.models.is_empty() {
        frameworks = Framework::ALL.to_vec();
    }
    let side = |framework| Side {
        framework: pb::ScoringFramework::of(framework),
        model: String::new(),
        scorer: Scorer::Framework(framework),
    };
    Ok(frameworks.into_iter().map(side).collect())
}

/// One of those that are compared, as it is called in an answer.
struct Side {
    framework: i32,
    model: String,
    scorer: Scorer,
}

/// Each two sides.
fn pairs(mut sides: Vec<Side>, known: &[Known]) -> Vec<pb::FrameworkPair> {
    for side in &mut sides {
        side.scorer = side.scorer.clone().among(known);
    }
    let score = |side: &Side| known.iter().map(|of| side.scorer.score_of(of).ok()).collect::<Vec<_>>();
    let scored: Vec<Scored<'_>> = sides.iter().map(|side| (side, score(side))).collect();
    let following = |(index, first)| scored[index + 1..].iter().map(move |second| pair(first, second, known));
    scored.iter().enumerate().flat_map(following).collect()
}

/// A side with the score of each initiative by it.
type Scored<'a> = (&'a Side, Vec<Option<f64>>);

fn pair((first, by_first): &Scored<'_>, (second, by_second): &Scored<'_>, known: &[Known]) -> pb::FrameworkPair {
    let both = known.iter().zip(by_first).zip(by_second);
    let both: Vec<(&Known, f64, f64)> =
        both.filter_map(|((of, first), second)| Some((of, (*first)?, (*second)?))).collect();
    let orders = [1, 2].map(|which| both.iter().map(|of| if which == 1 { of.1 } else { of.2 }).collect::<Vec<f64>>());
    let items: Vec<&Known> = both.into_iter().map(|(of, ..)| of).collect();
    let disagreed = disagreements(&[&orders[0], &orders[1]], DISAGREEMENTS).unwrap_or_default();
    let shown = |item: usize, ranks: &[f64]| pb::FrameworkDisagreement {
        initiative: items[item].name.clone(),
        display_name: items[item].display_name.clone(),
        first_rank: ranks[0],
        second_rank: ranks[1],
        why: why(item, &items, [(&first.scorer, ranks[0], ranks[1]), (&second.scorer, ranks[1], ranks[0])]),
    };
    pb::FrameworkPair {
        first: first.framework,
        second: second.framework,
        ranked_count: items.len() as i32,
        // There is no order to compare, otherwise.
        kendall_tau_b: kendall_tau_b(&orders[0], &orders[1]).ok(),
        spearman_rho: spearman_rho(&orders[0], &orders[1]).ok(),
        disagreements: disagreed.iter().map(|of| shown(of.item, &of.ranks)).collect(),
        first_model: first.model.clone(),
        second_model: second.model.clone(),
    }
}

/// Which factor speaks most for the item where it ranks better, and which most against it where it ranks worse.
fn why(item: usize, items: &[&Known], sides: [(&Scorer, f64, f64); 2]) -> String {
    let side = |(scorer, rank, other): (&Scorer, f64, f64)| {
        let better = rank < other;
        // Which way each goes does not depend on scales.
        let scales = Scales::default();
        let axes = scorer.axes(&scales);
        let found = axes.iter().filter_map(|axis| {
            let sign = if axis.raises { 1.0 } else { -1.0 };
            let values: Option<Vec<f64>> = items.iter().map(|of| Some(sign * of.likely(axis.key)?)).collect();
            Some((ranks(&values?)[item], axis.key))
        });
        let most =
            if better { found.min_by(|a, b| a.0.total_cmp(&b.0)) } else { found.max_by(|a, b| a.0.total_cmp(&b.0)) };
        let because = most.and_then(|(place, key)| {
            let amount = items[item].estimate.factors.get(key)?.print(key);
            Some(format!(", where {key} {amount} is {place} of {}", items.len()))
        });
        format!("{rank} of {} by {}{}", items.len(), scorer.label(), because.unwrap_or_default())
    };
    sides.map(side).join("; ")
}
