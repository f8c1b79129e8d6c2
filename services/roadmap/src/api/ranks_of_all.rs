//! Ranks as they stood in an order that nothing keeps of then: made of all initiatives, as many as can be looked at together,
//! and what is told of those on a page. Reads only.

use std::cmp::min;

use waymark_domain::roadmap::{Moscow, MoscowEffort, Scorer};
use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::common::v1::AsOf;
use waymark_proto::roadmap::v1 as pb;
use waymark_request::PageToken;
use waymark_request::page::{self, PageError};
use waymark_stats::MOST_ITEMS;
use waymark_store::{Error, Selection, View, resource};

use super::Api;
use super::model_ranking::descending;
use super::ranking::{Item, Ranked, estimates, item, score, shown};
use super::score_history::Factors;
use super::scorers::scorer_of;
use crate::store::{Estimates, Initiatives};

impl Api {
    pub(super) async fn rank_all_then(
        &self,
        workspace: &WorkspaceId,
        as_of: AsOf,
        request: &pb::RankInitiativesRequest,
    ) -> Result<pb::RankInitiativesResponse, Error> {
        let pb::RankInitiativesRequest { parent, framework, model, filter, page_size, page_token, .. } = request;
        let (size, asked, framework) = (page::size(*page_size)?, format!("{as_of:?}"), framework.to_string());
        let parts = ["ranking of all then", parent, &framework, model, filter, &asked];
        let token = PageToken::decode(page_token, &parts, 2)?;
        let selection = (!filter.is_empty()).then(|| Selection::of::<Initiatives>(workspace, filter)).transpose()?;
        let mut view = self.then(workspace, as_of, token.as_ref()).await?;
        let scorer = scorer_of(&mut view, request.framework(), model).await?;
        // What stood does not change, so how many come before a page is where it begins.
        let begin = token.map(|token| place(&token)).transpose()?.unwrap_or_default();
        let all = view.all::<Initiatives>(MOST_ITEMS).await?.ok_or_else(|| too_many(&scorer))?;
        let mut selected = Vec::with_capacity(all.len());
        for initiative in all.into_values() {
            let is_selected = match &selection {
                Some(selection) => selection.has::<Initiatives>(&initiative)?,
                None => resource::<Initiatives>(initiative.clone())?.is_open(),
            };
            selected.extend(is_selected.then_some(initiative));
        }
        let none = pb::Priority::default();
        let known = |initiative: &pb::Initiative| initiative.priority.clone().unwrap_or_else(|| none.clone());
        let priorities: Vec<pb::Priority> = selected.iter().map(known).collect();
        let scorer = scorer.among(&priorities.iter().map(Factors).collect::<Vec<_>>());
        // Without a score behind all that have one; of those that are alike the ids decide, by which they were read.
        let order = |(initiative, priority): (pb::Initiative, &pb::Priority)| {
            let score = match &scorer {
                Scorer::Framework(framework) => score(&initiative, *framework).map(|score| score.likely),
                Scorer::Model { .. } => scorer.score_of(&Factors(priority)).ok(),
            };
            (score.map_or(u64::MAX, descending), initiative)
        };
        let mut rows: Vec<(u64, pb::Initiative)> = selected.into_iter().zip(&priorities).map(order).collect();
        rows.sort_by_key(|(order, _)| *order);
        let (begin, end) = (min(begin, rows.len()), min(begin + size, rows.len()));
        let scored = &rows[..rows.partition_point(|(order, _)| *order < u64::MAX)];
        let better = |order: u64| scored.partition_point(|row| row.0 < order);
        let alike = |order: u64| scored.partition_point(|row| row.0 <= order) - better(order);
        let on_page = &rows[begin..end];
        let orders: Vec<u64> = on_page.iter().map(|(order, _)| *order).filter(|order| *order < u64::MAX).collect();
        let key = || vec![Some(view.revision().to_string()), Some(end.to_string())];
        let page = Ranked {
            before: orders.first().map_or(0, |first| better(*first)) as u32,
            first: orders.first().map_or(0, |first| alike(*first)) as u32,
            last: orders.last().map_or(0, |last| alike(*last)) as u32,
            count: scored.len() as u32,
            next_page_token: if end < rows.len() { PageToken::after(&parts, key()).encode() } else { String::new() },
            ..Ranked::default()
        };
        let warning = match begin {
            0 if request.framework() == pb::ScoringFramework::Moscow => too_much_must(&priorities),
            _ => None,
        };
        let initiatives = on_page.iter().map(|(_, initiative)| initiative.clone()).collect();
        let items = Self::items_then(&view, &scorer, initiatives).await?;
        let answer = shown(page, items, |_| String::new());
        let (warning, revision) = (warning.unwrap_or_default(), view.revision());
        Ok(pb::RankInitiativesResponse { warning, revision, ..answer })
    }

    /// What is told of initiatives by their estimates of then.
    pub(super) async fn items_then(
        view: &View,
        scorer: &Scorer,
        initiatives: Vec<pb::Initiative>,
    ) -> Result<Vec<Item>, Error> {
        let names = estimates(initiatives.iter());
        let found = view.named::<Estimates>(names.iter().map(|name| name.id().as_str())).await?;
        let found = found.into_values().map(|message| Ok((message.name.clone(), resource::<Estimates>(message)?)));
        let known = found.collect::<Result<_, Error>>()?;
        Ok(initiatives.into_iter().map(|initiative| item(initiative, scorer, &known)).collect())
    }
}

fn too_much_must(priorities: &[pb::Priority]) -> Option<String> {
    let likely = |priority: &pb::Priority, key: &str| priority.factors.get(key).copied();
    let share = |of: &pb::Priority| Some((Moscow::of(likely(of, "moscow")?)?, likely(of, "effort")?));
    MoscowEffort::of(priorities.iter().filter_map(share))?.warning()
}

fn too_many(scorer: &Scorer) -> Error {
    let problem = format!(
        "shows no order by {} where more than {MOST_ITEMS} initiatives were ever created, as by RICE alone it is kept how they stood: \
         leave out framework and model, or ask GetScoreHistory for what single ones scored",
        scorer.label()
    );
    Violations::one("as_of", problem).into()
}

/// How many come before a page.
fn place(token: &PageToken) -> Result<usize, PageError> {
    let place = token.key.last().and_then(|number| number.as_deref()?.parse().ok());
    place.ok_or(PageError::Damaged)
}
