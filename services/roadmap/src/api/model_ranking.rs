//! What is asked of all that is ranked together: orders by models, which nobody keeps, from a look at what is known of each,
//! which the index of one column has; and how much of the effort must-haves are.

use waymark_domain::roadmap::{Framework, Known, KnownFactors, Moscow, MoscowEffort, Rank, Scorer};
use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::roadmap::v1 as pb;
use waymark_request::PageToken;
use waymark_request::page::{self, PageError};
use waymark_stats::MOST_ITEMS;
use waymark_store::Error;

use super::Api;
use super::ranking::Ranked;
use super::score_history::Factors;
use crate::store::{FACTORS, Initiatives, rank_column};

/// Initiatives that are looked at, at most: about 50 MB of what is known of them.
const MOST: usize = 250_000;

/// An initiative in an order: what orders it by its score, which is larger the worse it is and the largest of all without
/// one, and its id.
type Row = (u64, String);

/// What orders those without a score.
const UNSCORED: u64 = u64::MAX;

impl Api {
    /// A page of the order, and the model among what is ranked together.
    pub(super) async fn rank_by_model(
        &self,
        workspace: &WorkspaceId,
        scorer: Scorer,
        request: &pb::RankInitiativesRequest,
    ) -> Result<(Ranked, Scorer), Error> {
        let parts = ["ranking", &request.parent, &request.model, &request.filter];
        let size = page::size(request.page_size)?;
        let after = PageToken::decode(&request.page_token, &parts, 2)?.as_ref().map(place).transpose()?;
        let known = self.known_factors(workspace, &request.filter).await?;
        // A tenth of a second of work for a processor, at most: other requests are not to wait for it.
        let ordered = tokio::task::spawn_blocking(move || ordered(scorer, known));
        let (rows, scorer) = ordered.await.map_err(Error::bug)?;
        let begin = after.map_or(0, |after| rows.partition_point(|row| *row <= after));
        let end = rows.len().min(begin + size);
        let page = &rows[begin..end];
        let scored = &rows[..rows.partition_point(|(order, _)| *order < UNSCORED)];
        let better = |order: u64| scored.partition_point(|row| row.0 < order);
        let alike = |order: u64| scored.partition_point(|row| row.0 <= order) - better(order);
        let mut on_page = page.iter().map(|(order, _)| *order).filter(|order| *order < UNSCORED);
        let first = on_page.next();
        let token = |(order, id): &Row| {
            PageToken::after(&parts, vec![Some(format!("{order:016x}")), Some(id.clone())]).encode()
        };
        let mut messages = self.store.named::<Initiatives>(workspace, page.iter().map(|(_, id)| id.as_str())).await?;
        let ranked = Ranked {
            initiatives: page.iter().filter_map(|(_, id)| messages.remove(id)).collect(),
            before: first.map_or(0, better) as u32,
            first: first.map_or(0, alike) as u32,
            last: on_page.next_back().map_or(0, alike) as u32,
            open: false,
            count: scored.len() as u32,
            next_page_token: page.last().filter(|_| end < rows.len()).map(token).unwrap_or_default(),
        };
        Ok((ranked, scorer))
    }

    /// That must-haves are too much of the effort of all that is ranked together, if they are. `ranked` counts these; of
    /// more than can be put to the test together it is not told.
    pub(super) async fn too_much_must(
        &self,
        workspace: &WorkspaceId,
        filter: &str,
        ranked: u32,
    ) -> Result<Option<String>, Error> {
        if ranked as usize > MOST_ITEMS {
            return Ok(None);
        }
        let share = |known: &dyn Known| Some((Moscow::of(known.likely("moscow")?)?, known.likely("effort")?));
        let effort: Vec<(Moscow, f64)> = if filter.is_empty() {
            // Few have a category, so these alone are looked at.
            let (column, scored) = (rank_column(Framework::Moscow), (Rank::FIRST, Rank::UNRANKED));
            let found = self.store.values_between::<Initiatives>(workspace, column, scored, MOST_ITEMS).await?;
            let found = found.unwrap_or_default();
            let initiatives =
                self.store.named::<Initiatives>(workspace, found.iter().map(|(id, _)| id.as_str())).await?;
            initiatives.values().filter_map(|initiative| share(&Factors(initiative.priority.as_ref()?))).collect()
        } else {
            self.known_factors(workspace, filter).await?.iter().filter_map(|(_, known)| share(known)).collect()
        };
        Ok(MoscowEffort::of(effort).and_then(|effort| effort.warning()))
    }

    /// What is known of the initiatives that a filter selects, or else of all that are open.
    async fn known_factors(&self, workspace: &WorkspaceId, filter: &str) -> Result<Vec<(String, KnownFactors)>, Error> {
        let known = |(id, text): (String, String)| (id, KnownFactors::from(text));
        if !filter.is_empty() {
            let values = self.store.values::<Initiatives>(workspace, filter, FACTORS).await?;
            return Ok(values.into_iter().map(|(id, text)| known((id, text.unwrap_or_default()))).collect());
        }
        let open = (Rank::FIRST, Rank::CLOSED);
        let values = self.store.values_between::<Initiatives>(workspace, FACTORS, open, MOST).await?;
        let too_many = || {
            let problem = format!("must select fewer: more than {MOST} initiatives are open, and a model looks at all");
            Violations::one("filter", problem)
        };
        Ok(values.ok_or_else(too_many)?.into_iter().map(known).collect())
    }
}

/// All in order, and the model that knows them.
fn ordered(scorer: Scorer, known: Vec<(String, KnownFactors)>) -> (Vec<Row>, Scorer) {
    let (ids, known): (Vec<String>, Vec<KnownFactors>) = known.into_iter().unzip();
    let scorer = scorer.among(&known);
    let order = |known| scorer.score_of(known).map_or(UNSCORED, descending);
    let mut rows: Vec<Row> = known.iter().map(order).zip(ids).collect();
    rows.sort_unstable();
    (rows, scorer)
}

/// A number that is the smaller the larger a finite score is.
pub(super) fn descending(score: f64) -> u64 {
    // Bits of positive numbers are in order, those of negative ones the other way round; there is one zero.
    let bits = (score + 0.0).to_bits();
    if bits >> 63 == 0 { !bits & !(1 << 63) } else { bits }
}

/// The row that a page begins behind.
fn place(token: &PageToken) -> Result<Row, PageError> {
    match token.key.as_slice() {
        [Some(order), Some(id)] => Ok((u64::from_str_radix(order, 16).map_err(|_| PageError::Damaged)?, id.clone())),
        _ => Err(PageError::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_ordered_the_largest_first() {
        let mut scores = [0.0, -0.0, 1.5, -1.5, f64::MAX, f64::MIN, 1e-300, -1e-300];
        scores.sort_by_key(|score| descending(*score));
        assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
        assert_eq!(descending(0.0), descending(-0.0));
        assert!(descending(f64::MIN) < UNSCORED);
    }
}
