//! Ranks and scores, by any framework or model alike. Reads only.

use std::collections::BTreeMap;

use waymark_domain::roadmap::ranking::{Sharing, explain_tie};
use waymark_domain::roadmap::{Estimate, Framework, Rank, Scorer, Unknown, Unscored};
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
pub(super) struct Ranked {
    /// Best first; those without a score at its end.
    pub(super) initiatives: Vec<pb::Initiative>,
    /// How many are better than the first, and how many have its score.
    pub(super) before: u32,
    pub(super) first: u32,
    /// How many have the score of the last, and whether further pages may have more of them, which nobody counted.
    pub(super) last: u32,
    pub(super) open: bool,
    /// How many have a score.
    pub(super) count: u32,
    pub(super) next_page_token: String,
}

/// One of an order, or one that lacks a score and why.
pub(super) type Item = (pb::Initiative, Result<common::Range, Unscored>);

/// Where a page of all that is open begins.
enum Begin {
    /// Behind a rank and an id.
    Behind(String, String),
    /// Where nothing has a rank any more: in the list of what has none, at its page with this token.
    Unranked(String),
}

impl Api {
    pub(super) async fn rank(&self, request: pb::RankInitiativesRequest) -> Result<pb::RankInitiativesResponse, Error> {
        let workspace: WorkspaceId = parse("parent", &request.parent)?;
        if let Some(as_of) = request.as_of.clone() {
            return self.rank_then(&workspace, as_of, &request).await;
        }
        match self.scorer(&workspace, request.framework(), &request.model).await? {
            Scorer::Framework(framework) => {
                let mut page = if request.filter.is_empty() {
                    self.open(&workspace, framework, &request).await?
                } else {
                    self.selected(&workspace, framework, &request).await?
                };
                let unscored = page.initiatives.iter().filter(|initiative| score(initiative, framework).is_none());
                let estimates = self.estimates_of(&workspace, unscored).await?;
                let scorer = Scorer::Framework(framework);
                let item = |initiative| item(initiative, &scorer, &estimates);
                let items = std::mem::take(&mut page.initiatives).into_iter().map(item).collect();
                let tie_break = |priority: &pb::Priority| framework.tie_break(priority.confidence, priority.effort);
                let warning = match framework {
                    Framework::Moscow if request.page_token.is_empty() => {
                        self.too_much_must(&workspace, &request.filter, page.count).await?
                    }
                    _ => None,
                };
                let warning = warning.unwrap_or_default();
                Ok(pb::RankInitiativesResponse { warning, ..shown(page, items, tie_break) })
            }
            scorer @ Scorer::Model { .. } => {
                let (mut page, scorer) = self.rank_by_model(&workspace, scorer, &request).await?;
                let estimates = self.estimates_of(&workspace, page.initiatives.iter()).await?;
                let item = |initiative| item(initiative, &scorer, &estimates);
                let items = std::mem::take(&mut page.initiatives).into_iter().map(item).collect();
                Ok(shown(page, items, |_| String::new()))
            }
        }
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
        let names = estimates(initiatives);
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
            open: false,
            count: scored.len() as u32,
            initiatives,
            next_page_token,
        })
    }
}

/// The names of the estimates that count for initiatives.
pub(super) fn estimates<'a>(initiatives: impl Iterator<Item = &'a pb::Initiative>) -> Vec<Name<Estimate>> {
    initiatives.filter_map(|initiative| initiative.priority.as_ref()?.estimate.parse().ok()).collect()
}

/// What is told of an initiative: the score it keeps or its estimate has, which is among these by name, or what it lacks.
pub(super) fn item(initiative: pb::Initiative, scorer: &Scorer, estimates: &BTreeMap<String, Estimate>) -> Item {
    let estimate = initiative.priority.as_ref().and_then(|priority| estimates.get(&priority.estimate));
    let missing =
        || Unscored::Missing(estimate.map_or_else(|| scorer.missing(&Unknown), |known| scorer.missing(known)));
    let score = match (scorer, estimate) {
        (Scorer::Framework(framework), _) => score(&initiative, *framework).ok_or_else(missing),
        (Scorer::Model { .. }, Some(estimate)) => {
            scorer.score_of_estimate(estimate).as_ref().map(Into::into).map_err(Clone::clone)
        }
        (Scorer::Model { .. }, None) => Err(missing()),
    };
    (initiative, score)
}

/// The answer that a page makes, whose initiatives are the items.
pub(super) fn shown(
    page: Ranked,
    items: Vec<Item>,
    tie_break: impl Fn(&pb::Priority) -> String,
) -> pb::RankInitiativesResponse {
    let mut response = pb::RankInitiativesResponse {
        next_page_token: page.next_page_token,
        ranked_count: page.count as i32,
        ..Default::default()
    };
    let (mut scored, mut unscored) = (Vec::new(), Vec::new());
    for (initiative, score) in items {
        match score {
            Ok(score) => scored.push((initiative, score)),
            Err(why) => unscored.push((initiative, why)),
        }
    }
    let alike = |a: &(_, common::Range), b: &(_, common::Range)| a.1.likely.to_bits() == b.1.likely.to_bits();
    let groups: Vec<&[(pb::Initiative, common::Range)]> = scored.chunk_by(alike).collect();
    let mut before = page.before;
    for (number, group) in groups.iter().enumerate() {
        let is_last = number == groups.len() - 1;
        // Those at the ends may go on on other pages.
        let size = match number {
            0 => page.first,
            _ if is_last => page.last,
            _ => group.len() as u32,
        };
        let sharing = if is_last && page.open { Sharing::AtLeast(size) } else { Sharing::All(size) };
        for (initiative, score) in *group {
            let pb::Initiative { name, display_name, state, priority, .. } = initiative;
            let priority = priority.clone().unwrap_or_default();
            let others = group.iter().filter(|(other, _)| other.name != *name);
            let others = others.filter_map(|(other, _)| other.name.rsplit('/').next());
            let tie = || explain_tie(others, sharing, &tie_break(&priority));
            response.ranked.push(pb::RankedInitiative {
                position: before as i32 + 1,
                initiative: name.clone(),
                display_name: display_name.clone(),
                state: *state,
                score: Some(*score),
                tie: if size > 1 { tie() } else { String::new() },
                estimate: priority.estimate,
            });
        }
        before += size;
    }
    for (pb::Initiative { name, display_name, state, priority, .. }, unscored) in unscored {
        let estimate = priority.map(|priority| priority.estimate).unwrap_or_default();
        let (missing, why) = match unscored {
            Unscored::Missing(factors) => (factors, String::new()),
            Unscored::Without(why) => (Vec::new(), why),
        };
        response.unranked.push(pb::UnrankedInitiative {
            initiative: name,
            display_name,
            state,
            estimate,
            missing,
            why,
        });
    }
    response
}

/// The score by a framework that an initiative keeps.
pub(super) fn score(initiative: &pb::Initiative, framework: Framework) -> Option<common::Range> {
    let priority = initiative.priority.as_ref()?;
    match framework {
        Framework::Rice => priority.score,
        _ => priority.scores.iter().find(|of| of.framework().domain() == Some(framework))?.score,
    }
}

/// The score of inputs that nobody keeps.
pub(super) fn evaluate(request: pb::EvaluateScoreRequest) -> Result<pb::EvaluateScoreResponse, Violations> {
    let score = match waymark_proto::parse(request)? {
        Scored::Framework { framework, values } => {
            framework.score(&values).ok_or_else(|| Violations::one("inputs", "must have a number for each input"))?
        }
        Scored::Model { scoring, values } => {
            let values: Vec<Option<f64>> =
                scoring.criteria().iter().map(|criterion| values.get(&criterion.key).copied()).collect();
            let extents = scoring.extents([values.as_slice()]);
            scoring.score(&values, &extents).map_err(|error| Violations::one("model.values", error.to_string()))?
        }
    };
    Ok(pb::EvaluateScoreResponse { score })
}
