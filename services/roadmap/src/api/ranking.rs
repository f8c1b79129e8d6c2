//! Ranks and scores. Reads only.

use waymark_domain::roadmap::ranking::explain_tie;
use waymark_domain::roadmap::{FactorKind, Ice, Rank, Rice, Wsjf};
use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::roadmap::v1 as pb;
use waymark_request::{PageToken, page};
use waymark_rpc::parse;
use waymark_store::{Error, ListQuery, resource};

use super::Api;
use crate::store::{Initiatives, RANK};

/// A page of an order.
struct Ranked {
    /// Best first; those without a score at its end.
    initiatives: Vec<pb::Initiative>,
    /// How many are better than the first, and how many have its score.
    before: u32,
    first: u32,
    /// How many have the score of the last.
    last: u32,
    /// How many have a score.
    count: u32,
    next_page_token: String,
}

impl Api {
    pub(super) async fn rank(&self, request: pb::RankInitiativesRequest) -> Result<pb::RankInitiativesResponse, Error> {
        match request.framework() {
            pb::ScoringFramework::Unspecified | pb::ScoringFramework::Rice => {}
        }
        let workspace: WorkspaceId = parse("parent", &request.parent)?;
        let page = if request.filter.is_empty() {
            self.open(&workspace, &request).await?
        } else {
            self.selected(&workspace, &request).await?
        };
        Ok(shown(page))
    }

    /// A page of all that is open.
    async fn open(&self, workspace: &WorkspaceId, request: &pb::RankInitiativesRequest) -> Result<Ranked, Error> {
        let query = ListQuery {
            parent: &request.parent,
            page_size: request.page_size,
            page_token: &request.page_token,
            filter: &format!("{RANK} < {:?}", Rank::CLOSED),
            order_by: RANK,
            show_deleted: false,
        };
        let page = self.store.list::<Initiatives>(query).await?;
        let rank =
            |message: &pb::Initiative| resource::<Initiatives>(message.clone()).map(|initiative| initiative.rank());
        let mut scored = page.items.iter().filter(|initiative| score(initiative).is_some());
        let first = scored.next().map(rank).transpose()?;
        let last = scored.next_back().map(rank).transpose()?;
        let between =
            async |low: &str, high: &str| self.store.count_between::<Initiatives>(workspace, RANK, low, high).await;
        let alike = async |rank: Option<&Rank>| match rank.map(Rank::by_score) {
            Some(score) => between(score, &format!("{score}~")).await,
            None => Ok(0),
        };
        let before = match &first {
            Some(first) => between(Rank::FIRST, first.by_score()).await?,
            None => 0,
        };
        Ok(Ranked {
            before,
            first: alike(first.as_ref()).await?,
            last: alike(last.as_ref()).await?,
            count: between(Rank::FIRST, Rank::UNRANKED).await?,
            initiatives: page.items,
            next_page_token: page.next_page_token,
        })
    }

    /// A page of what a filter selects.
    async fn selected(&self, workspace: &WorkspaceId, request: &pb::RankInitiativesRequest) -> Result<Ranked, Error> {
        let parts = ["ranking", &request.parent, &request.filter];
        let size = page::size(request.page_size)?;
        let token = PageToken::decode(&request.page_token, &parts, 2)?;
        let values = self.store.values::<Initiatives>(workspace, &request.filter, RANK).await?;
        let mut rows: Vec<(Rank, String)> =
            values.into_iter().filter_map(|(id, rank)| Some((Rank::parse(&rank?)?, id))).collect();
        rows.sort_by(|a, b| (a.0.order(), &a.1).cmp(&(b.0.order(), &b.1)));
        let after = token.and_then(|token| {
            let mut key = token.key.into_iter().flatten();
            Some((Rank::parse(&key.next()?)?, key.next()?))
        });
        let begin = match &after {
            Some((rank, id)) => rows.partition_point(|row| (row.0.order(), &row.1) <= (rank.order(), id)),
            None => 0,
        };
        let end = rows.len().min(begin + size);
        let next_page_token = match rows.get(end.wrapping_sub(1)).filter(|_| end < rows.len()) {
            Some((rank, id)) => PageToken::after(&parts, vec![Some(rank.to_string()), Some(id.clone())]).encode(),
            None => String::new(),
        };
        let page = rows.get(begin..end).unwrap_or_default();
        let mut messages = self.store.named::<Initiatives>(workspace, page.iter().map(|(_, id)| id.as_str())).await?;
        let initiatives = page.iter().filter_map(|(_, id)| messages.remove(id)).collect();
        let scored = &rows[..rows.partition_point(|(rank, _)| rank.is_scored())];
        let better = |rank: &Rank| scored.partition_point(|row| row.0.score_order() < rank.score_order());
        let alike =
            |rank: &Rank| scored.partition_point(|row| row.0.score_order() <= rank.score_order()) - better(rank);
        let mut on_page = page.iter().map(|(rank, _)| rank).filter(|rank| rank.is_scored());
        let first = on_page.next();
        Ok(Ranked {
            before: first.map_or(0, better) as u32,
            first: first.map_or(0, alike) as u32,
            last: on_page.next_back().map_or(0, alike) as u32,
            count: scored.len() as u32,
            initiatives,
            next_page_token,
        })
    }
}

fn shown(page: Ranked) -> pb::RankInitiativesResponse {
    let mut response = pb::RankInitiativesResponse {
        next_page_token: page.next_page_token,
        ranked_count: page.count as i32,
        ..Default::default()
    };
    let (scored, unscored): (Vec<_>, Vec<_>) = page.initiatives.into_iter().partition(|i| score(i).is_some());
    let groups: Vec<&[pb::Initiative]> = scored.chunk_by(|a, b| score(a) == score(b)).collect();
    let mut before = page.before;
    for (number, group) in groups.iter().enumerate() {
        // Those at the ends may go on on other pages.
        let size = match number {
            0 => page.first,
            _ if number == groups.len() - 1 => page.last,
            _ => group.len() as u32,
        };
        for pb::Initiative { name, display_name, state, priority, .. } in *group {
            let pb::Priority { estimate, score, confidence, effort, .. } = priority.clone().unwrap_or_default();
            let others =
                group.iter().filter(|other| other.name != *name).filter_map(|other| other.name.rsplit('/').next());
            let tie = || explain_tie(others, size, confidence.unwrap_or_default(), effort.unwrap_or_default());
            response.ranked.push(pb::RankedInitiative {
                position: before as i32 + 1,
                initiative: name.clone(),
                display_name: display_name.clone(),
                state: *state,
                score,
                estimate,
                tie: if size > 1 { tie() } else { String::new() },
            });
        }
        before += size;
    }
    for pb::Initiative { name, display_name, state, priority, .. } in unscored {
        let all = || FactorKind::ALL.iter().map(ToString::to_string).collect();
        let (estimate, missing) = priority.map_or_else(|| (String::new(), all()), |p| (p.estimate, p.missing));
        response.unranked.push(pb::UnrankedInitiative { initiative: name, display_name, state, estimate, missing });
    }
    response
}

/// The score by the likely values, to be compared.
fn score(initiative: &pb::Initiative) -> Option<u64> {
    Some(initiative.priority.as_ref()?.score.as_ref()?.likely.to_bits())
}

/// The score of inputs that nobody keeps.
pub(super) fn evaluate(request: pb::EvaluateScoreRequest) -> Result<pb::EvaluateScoreResponse, Violations> {
    use pb::evaluate_score_request::Inputs;
    let mut violations = Violations::new();
    let score = match request.inputs {
        None => {
            violations.add("inputs", "must be set: rice, ice or wsjf");
            None
        }
        Some(Inputs::Rice(inputs)) => {
            violations.nested("rice", waymark_proto::parse::<Rice, _>(inputs)).map(|rice| rice.score())
        }
        Some(Inputs::Ice(inputs)) => {
            violations.nested("ice", waymark_proto::parse::<Ice, _>(inputs)).map(|ice| ice.score())
        }
        Some(Inputs::Wsjf(inputs)) => {
            violations.nested("wsjf", waymark_proto::parse::<Wsjf, _>(inputs)).map(|wsjf| wsjf.score())
        }
    };
    score.map(|score| pb::EvaluateScoreResponse { score }).ok_or(violations)
}
