//! How sure an order is: the domain's scores put to the test of draws, what would change them, and what is worth finding
//! out. Reads only.

use std::num::NonZeroUsize;

use waymark_domain::number::rounded;
use waymark_domain::roadmap::{Axis, Course, Scales, Scorer};
use waymark_domain::{Range, Violations, WorkspaceId};
use waymark_proto::roadmap::v1 as pb;
use waymark_rpc::parse;
use waymark_stats::{
    Dependence, Ends, Interval, Neighbours, Shape, Spread, StatsError, Trial, try_order, worth_finding_out,
};
use waymark_store::Error;

use super::Api;
use super::comparing::Known;
use crate::store::scales_now;

/// Factors that are shown as those that tip the order, and those worth finding out.
const TIPPING: usize = 100;
const PROPOSALS: usize = 20;
/// Initiatives times draws, at most.
const DRAWN: u64 = 40_000_000;

/// What is asked.
struct Question {
    scorer: Scorer,
    scales: Scales,
    shape: Shape,
    ends: Ends,
    trial: Trial,
}

/// An initiative with a score.
struct Item {
    of: Known,
    /// What a score takes.
    ranges: Vec<Range>,
    score: f64,
}

impl Api {
    pub(super) async fn sensitivity(
        &self,
        request: pb::AnalyzeSensitivityRequest,
    ) -> Result<pb::AnalyzeSensitivityResponse, Error> {
        let workspace: WorkspaceId = parse("parent", &request.parent)?;
        let mut question = Question {
            scorer: self.scorer(&workspace, request.framework(), &request.model).await?,
            scales: scales_now(&self.store, &workspace).await?,
            shape: match request.shape() {
                pb::RangeShape::Unspecified | pb::RangeShape::Triangular => Shape::Triangular,
                pb::RangeShape::Pert => Shape::Pert,
            },
            ends: match request.ends() {
                pb::RangeEnds::Unspecified | pb::RangeEnds::Tenths => Ends::Tenths,
                pb::RangeEnds::Bounds => Ends::Bounds,
            },
            trial: Trial {
                seed: request.seed,
                draws: request.draws_or_default().unsigned_abs(),
                top: request.top_k_or_default().unsigned_abs() as usize,
                threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            },
        };
        let (known, without) = self.known(&workspace, &request.filter).await?;
        if (known.len() as u64) * u64::from(question.trial.draws) > DRAWN {
            let most = DRAWN / known.len().max(1) as u64;
            let told = format!("must be at most {most} for {} initiatives, got {}", known.len(), question.trial.draws);
            return Err(Violations::one("draws", told).into());
        }
        question.scorer = question.scorer.among(&known);
        // Seconds of work for a processor, at most: other requests are not to wait for it.
        let answer = tokio::task::spawn_blocking(move || answer(&question, known)).await.map_err(Error::bug)?;
        let mut answer = answer.map_err(Error::bug)?;
        answer.unranked_count += without as i32;
        Ok(answer)
    }
}

fn answer(question: &Question, known: Vec<Known>) -> Result<pb::AnalyzeSensitivityResponse, StatsError> {
    let Question { scorer, scales, trial, .. } = question;
    let (count, axes) = (known.len(), scorer.axes(scales));
    let item = |of: Known| {
        let ranges = scorer.ranges(&of.estimate).ok()?;
        let score = scorer.score_of(&of).ok()?;
        Some(Item { of, ranges, score })
    };
    let mut items: Vec<Item> = known.into_iter().filter_map(item).collect();
    // Those with equal scores stay in the order of names.
    items.sort_by(|a, b| b.score.total_cmp(&a.score));
    let spreads: Vec<Vec<Spread>> = items.iter().map(|item| question.spreads(item, &axes)).collect::<Result<_, _>>()?;
    let score = |_: usize, columns: &[&[f64]], scores: &mut [f64]| scorer.score_columns(columns, scores);
    let sureness = try_order(&spreads, score, trial)?;
    let dependences: Vec<Dependence> = axes.iter().map(dependence).collect();
    let worths = worth_finding_out(&spreads, &dependences, score, trial.top, trial.seed)?;
    let ranks = items.iter().zip(&sureness.items).map(|(item, standing)| pb::RankSureness {
        initiative: item.of.name.clone(),
        display_name: item.of.display_name.clone(),
        score: item.score,
        top_probability: standing.in_top,
        expected_rank: standing.expected_rank,
        low_rank: standing.ranks.low,
        high_rank: standing.ranks.high,
    });
    let proposals = worths.iter().take(PROPOSALS).map(|worth| {
        let (of, key) = (&items[worth.item].of, axes[worth.input].key);
        let amount = of.estimate.factors.get(key).map(|factor| factor.print(key)).unwrap_or_default();
        pb::ResearchProposal {
            initiative: of.name.clone(),
            factor: key.to_owned(),
            worth: worth.worth,
            question: format!("What is {key} of {:?}, held to be {amount}?", of.display_name),
        }
    });
    Ok(pb::AnalyzeSensitivityResponse {
        ranks: ranks.collect(),
        expected_regret: sureness.regret,
        regret_error: sureness.regret_error,
        proposals: proposals.collect(),
        tipping_factors: tipping(scorer, &axes, &items, trial.top),
        unranked_count: (count - items.len()) as i32,
    })
}

impl Question {
    /// What the factors of an item may be, as a score takes them.
    fn spreads(&self, item: &Item, axes: &[Axis<'_>]) -> Result<Vec<Spread>, StatsError> {
        let spread = |(range, axis): (&Range, &Axis<'_>)| {
            let (least, most) = axis.scale.bounds();
            let unit = self.scorer.unit(&item.of.estimate, axis.key);
            let spread = Spread::range(range.low(), range.likely(), range.high(), self.shape, self.ends)?;
            // What was estimated by another scale stays what it is.
            Ok(spread.within((least * unit).min(range.low()), (most * unit).max(range.high())))
        };
        item.ranges.iter().zip(axes).map(spread).collect()
    }
}

fn dependence(axis: &Axis<'_>) -> Dependence {
    match axis.course {
        Course::Line => Dependence::Linear,
        Course::Inverse => Dependence::Inverse,
        Course::Other => Dependence::Other,
    }
}

/// The factors of which the smallest relative change changes the order of the top.
fn tipping(scorer: &Scorer, axes: &[Axis<'_>], items: &[Item], top: usize) -> Vec<pb::TippingFactor> {
    let scores: Vec<f64> = items.iter().map(|item| item.score).collect();
    let mut found: Vec<(f64, pb::TippingFactor)> = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let neighbours = Neighbours::of(place, &scores, top);
        let likely: Vec<f64> = item.ranges.iter().map(Range::likely).collect();
        for (index, Axis { key, scale, .. }) in axes.iter().enumerate() {
            let unit = scorer.unit(&item.of.estimate, key);
            let score = |given: f64| {
                let mut values = likely.clone();
                values[index] = given * unit;
                scorer.score(&values).unwrap_or(f64::NAN)
            };
            let value = likely[index] / unit;
            let (least, most) = scale.bounds();
            let (low, high) = (least.min(value), most.max(value));
            let Some(nearest) = neighbours.nearest(value, Interval { low, high }, score) else { continue };
            let up = nearest > value;
            // On a scale of steps only these can be.
            let on_scale = std::iter::successors(Some(value), |at| scale.next(*at, up))
                .skip(1)
                .find(|at| neighbours.passed(score(*at)));
            let changed = if scale.check(nearest).is_ok() { Some(nearest) } else { on_scale };
            // A search comes near it; nobody asks for more digits than are shown.
            let Some(changed_value) = changed.map(rounded) else { continue };
            let one_step = scale.next(value, up).is_some_and(|next| neighbours.passed(score(next)));
            let (initiative, factor) = (item.of.name.clone(), (*key).to_owned());
            let tipping = pb::TippingFactor { initiative, factor, value, changed_value, one_step };
            found.push(((changed_value - value).abs() / value.abs().max(f64::MIN_POSITIVE), tipping));
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.into_iter().take(TIPPING).map(|(_, tipping)| tipping).collect()
}
