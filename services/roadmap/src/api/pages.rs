//! What a request for the roadmap asks, down to its tokens, and the answer that its lanes and their pages make.

use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::Sight;
use waymark_proto::roadmap::v1 as pb;
use waymark_request::PageToken;
use waymark_request::page::{self, PageError};
use waymark_rpc::parse;
use waymark_store::{Error, Part, Position, View};

use super::grouping::{Grouping, Lane, Members};
use super::lanes::{Key, Page, Reading};

/// A request for the roadmap.
pub(super) struct Asked<'a> {
    pub workspace: WorkspaceId,
    pub position: Option<Position>,
    grouping: Grouping,
    /// Lanes with a key at most.
    lanes: usize,
    product: String,
    size: usize,
    /// What tokens are bound to.
    bound: [String; 4],
    /// The lane that is asked for alone, and where its page before ended.
    page: Option<(String, Key)>,
    /// The key behind which lanes begin.
    behind: Option<String>,
    /// What is seen by who asks, where that is not all.
    sight: Option<&'a Sight>,
}

/// A lane, and its page if that is asked for.
pub(super) type Shown = (Lane, Option<Page>);

impl<'a> Asked<'a> {
    pub(super) fn of(request: pb::GetRoadmapRequest, sight: Option<&'a Sight>) -> Result<Self, Error> {
        let workspace = parse("parent", &request.parent)?;
        let (grouping, lanes) = (Grouping::asked(&request)?, request.lanes_or_default() as usize);
        let pb::GetRoadmapRequest { parent, as_of, product, page_size, page_token, lanes_token, .. } = request;
        let mut by = format!("{} {:?} {}", request.group_by, request.interval, request.label);
        if let Some(sight) = sight {
            grouping.must_be_for_audiences()?;
            by = format!("{by} {}", sight.audience());
        }
        let bound = [parent, product.clone(), format!("{as_of:?}"), by];
        let page = PageToken::decode(&page_token, &parts("roadmap", &bound), 3)?.map(place).transpose()?;
        let behind = PageToken::decode(&lanes_token, &parts("roadmap lanes", &bound), 1)?.map(key).transpose()?;
        let position = as_of.map(|as_of| Position::asked("as_of", as_of)).transpose()?;
        if sight.is_some() {
            must_be_of_no_snapshot("as_of", position.as_ref())?;
        }
        let size = page::size(page_size)?;
        Ok(Self { workspace, position, grouping, lanes, product, size, bound, page, behind, sight })
    }

    /// The lanes, with the pages that are asked for, and the key that the next lanes begin behind.
    pub(super) async fn read(&self, view: &mut View) -> Result<(Vec<Shown>, Option<String>), Error> {
        let (mut lanes, next) = match &self.page {
            Some((id, _)) => (self.grouping.around(view, id).await?, None),
            None => self.grouping.lanes(view, self.behind.as_deref(), self.lanes).await?,
        };
        if self.behind.is_none() {
            lanes.push(Lane::declined());
        }
        let wanted: Vec<bool> =
            lanes.iter().map(|lane| self.page.as_ref().is_none_or(|(id, _)| lane.id == *id)).collect();
        let of: Vec<&Lane> = lanes.iter().zip(&wanted).filter(|(_, wanted)| **wanted).map(|(lane, _)| lane).collect();
        let after = self.page.clone().map(|(_, key)| key);
        let reading = Reading::of(of.len(), &self.product, self.size, after);
        // By what is asked for, not by whether it is past by now: pages of one roadmap are in one order.
        let pages = match (self.sight, &self.position) {
            (Some(sight), _) => reading.seen(view, &of, sight).await?,
            (None, Some(_)) => reading.then(view, &of).await?,
            (None, None) => reading.now(view, &of).await?,
        };
        let mut pages = pages.into_iter();
        let shown = lanes.into_iter().zip(wanted);
        Ok((shown.map(|(lane, wanted)| (lane, if wanted { pages.next() } else { None })).collect(), next))
    }

    /// The answer, but for what is not of lanes.
    pub(super) fn answer(&self, shown: Vec<Shown>, next: Option<String>) -> pb::GetRoadmapResponse {
        let mut answer = pb::GetRoadmapResponse::default();
        if let Some(key) = next {
            answer.next_lanes_token = PageToken::after(&parts("roadmap lanes", &self.bound), vec![Some(key)]).encode();
        }
        for (Lane { id, shown, members }, page) in shown {
            let Part { items, next } = page.unwrap_or(Part { items: Vec::new(), next: None });
            let token = |(value, id_in_lane)| {
                let key = [id, value, id_in_lane].map(Some).into();
                PageToken::after(&parts("roadmap", &self.bound), key).encode()
            };
            let next_page_token = next.map(token).unwrap_or_default();
            // Of a value that no initiative has any more there is no lane.
            let is_there = !items.is_empty() || !next_page_token.is_empty() || !self.grouping.is_of_values();
            if matches!(members, Members::Declined) {
                (answer.declined, answer.next_declined_page_token) = (items, next_page_token);
            } else if is_there || self.page.is_some() {
                answer.lanes.push(pb::RoadmapLane { initiatives: items, next_page_token, ..shown });
            }
        }
        answer
    }
}

/// What a token is bound to, of lanes or of the pages of one.
fn parts<'a>(of: &'a str, bound: &'a [String; 4]) -> [&'a str; 5] {
    let [parent, product, as_of, by] = bound;
    [of, parent, product, as_of, by]
}

/// The lane that a page is of, and where the one before ended.
fn place(token: PageToken) -> Result<(String, Key), PageError> {
    match <[_; 3]>::try_from(token.key) {
        Ok([Some(lane), Some(value), Some(id)]) => Ok((lane, (value, id))),
        _ => Err(PageError::Damaged),
    }
}

/// The key behind which lanes begin.
fn key(token: PageToken) -> Result<String, PageError> {
    token.key.into_iter().next().flatten().ok_or(PageError::Damaged)
}

/// Refuses the position of a snapshot, which would tell that there is one of the name.
pub(super) fn must_be_of_no_snapshot(field: &str, position: Option<&Position>) -> Result<(), Error> {
    match position {
        Some(Position::Held(_)) => {
            let problem = "must not be a snapshot for who has an audience: give a revision or a time";
            Err(Violations::one(field, problem).into())
        }
        Some(Position::Revision(_) | Position::Time(_)) | None => Ok(()),
    }
}
