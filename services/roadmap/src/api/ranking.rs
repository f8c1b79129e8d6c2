//! Ranks and scores, by any framework alike. Reads only.

use std::collections::BTreeMap;

use waymark_domain::roadmap::ranking::explain_tie;
use waymark_domain::roadmap::{Estimate, Framework, Rank};
use waymark_domain::{Name, Violations, WorkspaceId};
use waymark_proto::Choice as _;
use waymark_proto::convert::roadmap::Scored;
use waymark_proto::{common::v1 as common, roadmap::v1 as pb};
use waymark_request::{PageToken, page};
use waymark_rpc::parse;
use waymark_store::{Error, ListQuery, Page, Part, Range, resource};

use super::Api;
use crate::store::{Estimates, Initiatives, RANK, rank_column};

/// Bytes of JSON on a page, about.
const PAGE_BYTES: i64 = 2 << 20;

/// A page of an order.
#[derive(Default)]
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

/// Where a page of all that is open begins.
enum Begin {
    /// Behind a rank and an id.
    Behind(String, String),
    /// Where nothing has a rank any more: in the list of what has none, at its page with this token.
    Unranked(String),
}

impl Api {
    pub(super) async fn rank(&self, request: pb::RankInitiativesRequest) -> Result<pb::RankInitiativesResponse, Error> {
        let framework: Framework = request.framework().stated("framework")?;
        let workspace: WorkspaceId = parse("parent", &request.parent)?;
        let page = if request.filter.is_empty() {
            self.open(&workspace, framework, &request).await?
        } else {
            self.selected(&workspace, framework, &request).await?
        };
        let unscored = page.initiatives.iter().filter(|initiative| score(initiative, framework).is_none());
        let estimates = self.estimates_of(&workspace, unscored).await?;
        Ok(shown(framework, page, &estimates))
    }

    /// A page of all that is open: first what has a score, in the order that is kept, then what has none, by name.
    async fn open(
        &self,
        workspace: &WorkspaceId,
        framework: Framework,
        request: &pb::RankInitiativesRequest,
    ) -> Result<Ranked, Error> {
        let parts = ["ranking", &request.parent, <&str>::from(framework), ""];
        let (column, size) = (rank_column(framework), page::size(request.page_size)?);
        let begin = match PageToken::decode(&request.page_token, &parts, 2)?.map(|token| token.key).as_deref() {
            None => Begin::Behind(Rank::FIRST.to_owned(), String::new()),
            Some([Some(rank), Some(id)]) => Begin::Behind(rank.clone(), id.clone()),
            Some([_, rest]) => Begin::Unranked(rest.clone().unwrap_or_default()),
            Some(_) => return Err(page::PageError::Damaged.into()),
        };
        let next = |key| PageToken::after(&parts, key).encode();
        let between =
            async |low: &str, high: &str| self.store.count_between::<Initiatives>(workspace, column, low, high).await;
        let mut page = Ranked { count: between(Rank::FIRST, Rank::UNRANKED).await?, ..Ranked::default() };
        let rest = match begin {
            Begin::Unranked(rest) => rest,
            Begin::Behind(rank, id) => {
                let view = self.store.view(workspace, None).await?;
                let after = (rank.as_str(), id.as_str());
                let (below, bytes) = (Rank::UNRANKED, PAGE_BYTES);
                let Part { items, next: more } =
                    view.range::<Initiatives>(Range { column, after, below, only: None, size, bytes }).await?;
                drop(view);
                let rank = |message: &pb::Initiative| {
                    resource::<Initiatives>(message.clone()).map(|initiative| initiative.rank_by(framework))
                };
                let alike = async |rank: &Rank| between(rank.by_score(), &rank.behind_score()).await;
                if let Some(first) = items.first().map(rank).transpose()?.flatten() {
                    page.before = between(Rank::FIRST, first.by_score()).await?;
                    page.first = alike(&first).await?;
                }
                if let Some(last) = items.last().map(rank).transpose()?.flatten() {
                    page.last = alike(&last).await?;
                }
                page.initiatives = items;
                if let Some((rank, id)) = more {
                    page.next_page_token = next(vec![Some(rank), Some(id)]);
                    return Ok(page);
                }
                String::new()
            }
        };
        let room = size - page.initiatives.len().min(size);
        let more = if room > 0 {
            let list = self.unranked(framework, &request.parent, room, &rest).await?;
            page.initiatives.extend(list.items);
            list.next_page_token
        } else {
            // Whether there is anything of it.
            let first = self.unranked(framework, &request.parent, 1, "").await?;
            if !first.items.is_empty() || !first.next_page_token.is_empty() {
                page.next_page_token = next(vec![None, None]);
            }
            return Ok(page);
        };
        if !more.is_empty() {
            page.next_page_token = next(vec![None, Some(more)]);
        }
        Ok(page)
    }

    /// Some of what is open and has no score, in the order of ids. By RICE all that is open is in one order, whose end they
    /// are; other frameworks score few, so they are looked for among all that is open.
    async fn unranked(
        &self,
        framework: Framework,
        parent: &str,
        room: usize,
        page_token: &str,
    ) -> Result<Page<pb::Initiative>, Error> {
        let filter = match framework {
            Framework::Rice => format!("{RANK} = {:?}", Rank::UNRANKED),
            _ => format!("{RANK} < {:?}", Rank::CLOSED),
        };
        let query = ListQuery { parent, page_size: room as i32, page_token, filter: &filter, ..ListQuery::default() };
        let mut list = self.store.list::<Initiatives>(query).await?;
        list.items.retain(|initiative| score(initiative, framework).is_none());
        Ok(list)
    }

    /// The estimates that count for these initiatives, by their names.
    pub(super) async fn estimates_of(
        &self,
        workspace: &WorkspaceId,
        initiatives: impl Iterator<Item = &pb::Initiative>,
    ) -> Result<BTreeMap<String, Estimate>, Error> {
        let names = initiatives.filter_map(|initiative| initiative.priority.as_ref()?.estimate.parse().ok());
        let names: Vec<Name<Estimate>> = names.collect();
        let found = self.store.named::<Estimates>(workspace, names.iter().map(|name| name.id().as_str())).await?;
        found.into_values().map(|message| Ok((message.name.clone(), resource::<Estimates>(message)?))).collect()
    }

    /// A page of what a filter selects.
    async fn selected(
        &self,
        workspace: &WorkspaceId,
        framework: Framework,
        request: &pb::RankInitiativesRequest,
    ) -> Result<Ranked, Error> {
        let parts = ["ranking", &request.parent, <&str>::from(framework), &request.filter];
        let size = page::size(request.page_size)?;
        let token = PageToken::decode(&request.page_token, &parts, 2)?;
        let values = self.store.values::<Initiatives>(workspace, &request.filter, rank_column(framework)).await?;
        let ranked =
            |(id, rank): (String, Option<String>)| Some((Rank::parse(rank.as_deref().unwrap_or(Rank::UNRANKED))?, id));
        let mut rows: Vec<(Rank, String)> = values.into_iter().filter_map(ranked).collect();
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

fn shown(framework: Framework, page: Ranked, estimates: &BTreeMap<String, Estimate>) -> pb::RankInitiativesResponse {
    let mut response = pb::RankInitiativesResponse {
        next_page_token: page.next_page_token,
        ranked_count: page.count as i32,
        ..Default::default()
    };
    let (scored, unscored): (Vec<_>, Vec<_>) =
        page.initiatives.into_iter().partition(|i| score(i, framework).is_some());
    let groups: Vec<&[pb::Initiative]> =
        scored.chunk_by(|a, b| bits(score(a, framework)) == bits(score(b, framework))).collect();
    let mut before = page.before;
    for (number, group) in groups.iter().enumerate() {
        // Those at the ends may go on on other pages.
        let size = match number {
            0 => page.first,
            _ if number == groups.len() - 1 => page.last,
            _ => group.len() as u32,
        };
        for initiative in *group {
            let pb::Initiative { name, display_name, state, priority, .. } = initiative;
            let pb::Priority { estimate, confidence, effort, .. } = priority.clone().unwrap_or_default();
            let others =
                group.iter().filter(|other| other.name != *name).filter_map(|other| other.name.rsplit('/').next());
            let tie = || explain_tie(others, size, &framework.tie_break(confidence, effort));
            response.ranked.push(pb::RankedInitiative {
                position: before as i32 + 1,
                initiative: name.clone(),
                display_name: display_name.clone(),
                state: *state,
                score: score(initiative, framework),
                estimate,
                tie: if size > 1 { tie() } else { String::new() },
            });
        }
        before += size;
    }
    for pb::Initiative { name, display_name, state, priority, .. } in unscored {
        let estimate = priority.map(|priority| priority.estimate).unwrap_or_default();
        let missing = match estimates.get(&estimate) {
            Some(estimate) => estimate.missing(framework),
            None => framework.inputs().iter().map(|input| input.key).collect(),
        };
        let missing = missing.into_iter().map(str::to_owned).collect();
        response.unranked.push(pb::UnrankedInitiative { initiative: name, display_name, state, estimate, missing });
    }
    response
}

/// The score by a framework.
fn score(initiative: &pb::Initiative, framework: Framework) -> Option<common::Range> {
    let priority = initiative.priority.as_ref()?;
    match framework {
        Framework::Rice => priority.score,
        _ => priority.scores.iter().find(|of| of.framework().domain() == Some(framework))?.score,
    }
}

/// The score by the likely values, to be compared.
fn bits(score: Option<common::Range>) -> Option<u64> {
    score.map(|score| score.likely.to_bits())
}

/// The score of inputs that nobody keeps.
pub(super) fn evaluate(request: pb::EvaluateScoreRequest) -> Result<pb::EvaluateScoreResponse, Violations> {
    let Scored { framework, values } = waymark_proto::parse(request)?;
    let score =
        framework.score(&values).ok_or_else(|| Violations::one("inputs", "must have a number for each input"))?;
    Ok(pb::EvaluateScoreResponse { score })
}
