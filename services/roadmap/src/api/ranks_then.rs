//! Ranks as they stood. By RICE they are read off the log, which has an index of what events say of ranks: in the order of then,
//! as far as is shown, with the positions carried from page to page, as nobody counted. Orders that it has no index of are made
//! of all initiatives, in `ranks_of_all`. Reads only.

use waymark_domain::WorkspaceId;
use waymark_domain::roadmap::{Framework, Rank, Scorer};
use waymark_proto::Choice as _;
use waymark_proto::common::v1::AsOf;
use waymark_proto::roadmap::v1 as pb;
use waymark_request::PageToken;
use waymark_request::page::{self, PageError};
use waymark_store::{Error, Position, Selection, Stood, Stretch, View};

use super::Api;
use super::ranking::{Ranked, shown};
use crate::store::{Initiatives, RANK};

/// Events that a page looks at, about, and those that are at least looked at at once.
const EVENTS: u64 = 20_000;
const FEW: u64 = 16;
/// Initiatives that a page looks at, about, and those that are put to a filter at once.
const LOOKED_AT: usize = 2_000;
const AT_ONCE: usize = 500;

/// More than positions that can be.
const MOST: u32 = 1 << 30;

/// Where a walk through an order goes on.
#[derive(Debug, Clone, Default)]
struct Place {
    /// Among what has no score, which comes behind all that has one.
    unscored: bool,
    /// Behind this: what orders it among these, and its id.
    behind: Stood,
}

/// The positions that were given so far.
#[derive(Debug, Clone, Default)]
struct Count {
    /// How many.
    placed: u32,
    /// The score of the last as it is ordered, its position, and how many have shared that.
    score: String,
    position: u32,
    sharing: u32,
}

/// Some of an order.
struct Walked {
    /// In order, one more than there is room for where there are more.
    found: Vec<(Rank, pb::Initiative)>,
    /// Where the walk goes on, unless it came to the end or to more than there is room for.
    next: Option<Place>,
}

impl Api {
    pub(super) async fn rank_then(
        &self,
        workspace: &WorkspaceId,
        as_of: AsOf,
        request: &pb::RankInitiativesRequest,
    ) -> Result<pb::RankInitiativesResponse, Error> {
        let pb::RankInitiativesRequest { parent, model, filter, page_size, page_token, .. } = request;
        if !model.is_empty() || request.framework().stated::<Framework>("framework")? != Framework::Rice {
            return self.rank_all_then(workspace, as_of, request).await;
        }
        let (size, asked) = (page::size(*page_size)?, format!("{as_of:?}"));
        let parts = ["ranking then", parent, filter, &asked];
        let token = PageToken::decode(page_token, &parts, 8)?;
        let selection = (!filter.is_empty()).then(|| Selection::of::<Initiatives>(workspace, filter)).transpose()?;
        let view = self.then(workspace, as_of, token.as_ref()).await?;
        let (place, mut count) = token.map(begin).transpose()?.unwrap_or_default();
        let Walked { mut found, next } = walk(&view, place, selection.as_ref(), size).await?;
        let page = count.page(&found, size, next.as_ref());
        let next = if found.len() > size {
            found.truncate(size);
            found.last().map(|(rank, initiative)| Place::behind(rank, &initiative.name))
        } else {
            next
        };
        let key = next.map(|place| key(view.revision(), place, count));
        let next_page_token = key.map(|key| PageToken::after(&parts, key).encode()).unwrap_or_default();
        let initiatives = found.into_iter().map(|(_, initiative)| initiative).collect();
        let items = Self::items_then(&view, &Scorer::Framework(Framework::Rice), initiatives).await?;
        let tie_break = |priority: &pb::Priority| Framework::Rice.tie_break(priority.confidence, priority.effort);
        let shown = shown(Ranked { next_page_token, ..page }, items, tie_break);
        Ok(pb::RankInitiativesResponse { revision: view.revision(), ..shown })
    }

    /// A view of the position that is asked for, or that the page before was of, which its token tells first.
    pub(super) async fn then(
        &self,
        workspace: &WorkspaceId,
        as_of: AsOf,
        token: Option<&PageToken>,
    ) -> Result<View, Error> {
        let position = match token {
            Some(token) => {
                let revision = token.key.first().and_then(|revision| revision.as_deref()?.parse().ok());
                Position::Revision(revision.ok_or(PageError::Damaged)?)
            }
            None => Position::asked("as_of", as_of)?,
        };
        self.store.view(workspace, Some(position)).await
    }
}

/// Reads an order as far as there is room, or as far as a page looks.
async fn walk(view: &View, mut place: Place, selection: Option<&Selection<'_>>, size: usize) -> Result<Walked, Error> {
    let (mut found, mut events, mut looked_at) = (Vec::new(), 0, 0);
    // Events of the list at hand that were looked at, and initiatives that were found by them.
    let (mut seen, mut kept) = (0, 0);
    let most = if selection.is_some() { 2 * LOOKED_AT as u64 } else { EVENTS };
    loop {
        // At first as if one in two were found, then as many as were.
        let (wanted, before) = ((size + 1 - found.len()) as u64 * 2, found.len());
        let at_once = (wanted * seen.max(1) / kept.max(1)).clamp(FEW.max(wanted), most);
        let (stood, next) = stretch(view, &place, selection.is_some(), at_once).await?;
        (events, seen) = (events + at_once, seen + at_once);
        let mut rest = stood.as_slice();
        while !rest.is_empty() {
            let wanted = if selection.is_some() { AT_ONCE } else { size + 1 - found.len() };
            let (some, later) = rest.split_at(wanted.min(rest.len()));
            let mut states = view.named::<Initiatives>(some.iter().map(|(_, id)| id.as_str())).await?;
            for (rank, id) in some {
                let Some(initiative) = states.remove(id) else { continue };
                if selection.map_or(Ok(true), |selection| selection.has::<Initiatives>(&initiative))? {
                    found.push((rank.clone(), initiative));
                }
                if found.len() > size {
                    return Ok(Walked { found, next: None });
                }
            }
            looked_at += some.len();
            if let Some((rank, id)) = some.last().filter(|_| !later.is_empty() && looked_at >= LOOKED_AT) {
                return Ok(Walked { next: Some(Place::behind(rank, id)), found });
            }
            rest = later;
        }
        kept += (found.len() - before) as u64;
        let Some(next) = next else { return Ok(Walked { found, next: None }) };
        if events >= EVENTS || looked_at >= LOOKED_AT {
            return Ok(Walked { found, next: Some(next) });
        }
        if next.unscored != place.unscored {
            (seen, kept) = (0, 0);
        }
        place = next;
    }
}

/// Ranks and ids of what stood in a stretch behind a place, in order, and where the next one begins. What is `closed` is among
/// what is open by its score.
async fn stretch(
    view: &View,
    Place { unscored, behind: (order, id) }: &Place,
    closed: bool,
    events: u64,
) -> Result<(Vec<(Rank, String)>, Option<Place>), Error> {
    let lists = if *unscored { Rank::UNSCORED } else { Rank::SCORED };
    let (mut stood, mut until): (Vec<(Rank, String)>, Option<Stood>) = (Vec::new(), None);
    for (list, below) in lists.into_iter().take(if closed { lists.len() } else { 1 }) {
        let after = format!("{list}{order}");
        let stretch = Stretch { column: RANK, after: (&after, id), below, events };
        let part = view.stood_between::<Initiatives>(stretch).await?;
        stood.extend(part.items.into_iter().filter_map(|(rank, id)| Some((Rank::parse(&rank)?, id))));
        let end = part.next.and_then(|(rank, id)| Some((Rank::parse(&rank)?.order().1.to_owned(), id)));
        // What is known of one list, but not yet of the other, is found again.
        until = [until, end].into_iter().flatten().min();
    }
    let place = |(rank, id): &(Rank, String)| (rank.order().1.to_owned(), id.clone());
    if let Some(until) = &until {
        stood.retain(|of| place(of) <= *until);
    }
    stood.sort_by_key(place);
    let next = match until {
        Some(behind) => Some(Place { unscored: *unscored, behind }),
        None => (!unscored).then(|| Place { unscored: true, behind: Stood::default() }),
    };
    Ok((stood, next))
}

impl Place {
    /// Behind an initiative, by its name or id.
    fn behind(rank: &Rank, name: &str) -> Self {
        let id = name.rsplit('/').next().unwrap_or_default().to_owned();
        Self { unscored: !rank.is_scored(), behind: (rank.order().1.to_owned(), id) }
    }
}

impl Count {
    /// Gives the next positions, and says which they are. Of what was found the first `size` are shown; `next` is where there may
    /// be more.
    fn page(&mut self, found: &[(Rank, pb::Initiative)], size: usize, next: Option<&Place>) -> Ranked {
        let scores = |found: &[(Rank, pb::Initiative)]| {
            let scored = found.iter().filter(|(rank, _)| rank.is_scored());
            scored.map(|(rank, _)| rank.score_order().to_owned()).collect::<Vec<_>>()
        };
        let (scored, beside) = (scores(&found[..size.min(found.len())]), scores(&found[size.min(found.len())..]));
        let groups: Vec<&[String]> = scored.chunk_by(|a, b| a == b).collect();
        let mut page = Ranked::default();
        for (number, group) in groups.iter().enumerate() {
            if self.score != group[0] {
                *self = Self { placed: self.placed, score: group[0].clone(), position: self.placed + 1, sharing: 0 };
            }
            self.placed += group.len() as u32;
            self.sharing += group.len() as u32;
            if number == 0 {
                (page.before, page.first) = (self.position.saturating_sub(1), self.sharing);
            }
        }
        page.last = self.sharing;
        if beside.first().is_some_and(|score| *score == self.score) {
            page.last += 1;
            page.first += u32::from(groups.len() == 1);
            page.open = true;
        } else if scored.len() == found.len() {
            page.open = next.is_some_and(|next| !next.unscored);
        }
        page
    }
}

/// What a token carries.
fn key(revision: i64, Place { unscored, behind }: Place, count: Count) -> Vec<Option<String>> {
    let [revision, placed, position, sharing] =
        [revision, count.placed.into(), count.position.into(), count.sharing.into()].map(|number| number.to_string());
    let of = if unscored { "unscored" } else { "scored" }.to_owned();
    [revision, of, behind.0, behind.1, placed, count.score, position, sharing].map(Some).into()
}

/// Where a page begins.
fn begin(token: PageToken) -> Result<(Place, Count), PageError> {
    // Nobody signs tokens: what is counted on from them must not overflow.
    let number = |text: String| text.parse::<u32>().ok().filter(|number| *number < MOST).ok_or(PageError::Damaged);
    match <[_; 8]>::try_from(token.key) {
        Ok([_, Some(of), Some(order), Some(id), Some(placed), Some(score), Some(position), Some(sharing)]) => {
            let place = Place { unscored: of == "unscored", behind: (order, id) };
            let (placed, position, sharing) = (number(placed)?, number(position)?, number(sharing)?);
            Ok((place, Count { placed, score, position, sharing }))
        }
        _ => Err(PageError::Damaged),
    }
}
