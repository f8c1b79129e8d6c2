//! Decisions: making them, looking at them again, and what is to be looked at.

use tonic::{Request, Response, Status};
use waymark_domain::roadmap::Decision;
use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::convert::date;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::decision_service_server::DecisionService;
use waymark_request::PageToken;
use waymark_request::page::{self, PageError};
use waymark_rpc::{self as rpc, parse};
use waymark_store::{Error, Part, Range, Write};

use super::Api;
use crate::store::{DUE, Decisions, NOT_BUILT_SINCE, supersede};

/// Bytes of JSON of a page, about.
const PAGE_BYTES: i64 = 2 << 20;

#[tonic::async_trait]
impl DecisionService for Api {
    async fn make_decision(&self, request: Request<pb::MakeDecisionRequest>) -> Result<Response<pb::Decision>, Status> {
        let (call, r) = rpc::open(request)?;
        let review_date = rpc::or_status(stated("review_date", &r.review_date))?;
        let by = call.actor.subject.clone();
        let make = async |write: &mut Write, decision: Decision| {
            let review_date = review_date.or(decision.review_date);
            let made = decision.make(&r.option, r.reason, review_date, by, write.now()).map_err(Error::rule)?;
            supersede(write, made.state()).await?;
            Ok(made)
        };
        rpc::written(self.store.change::<Decisions, _>(&call, &r.name, &r.etag, make).await)
    }

    async fn review_decision(
        &self,
        request: Request<pb::ReviewDecisionRequest>,
    ) -> Result<Response<pb::Decision>, Status> {
        let (call, r) = rpc::open(request)?;
        let review_date = rpc::or_status(stated("review_date", &r.review_date))?;
        let by = call.actor.subject.clone();
        let review = async |write: &mut Write, decision: Decision| {
            decision.reviewed(r.note, review_date, by, write.now()).map_err(Error::rule)
        };
        rpc::written(self.store.change::<Decisions, _>(&call, &r.name, &r.etag, review).await)
    }

    async fn list_due_reviews(
        &self,
        request: Request<pb::ListDueReviewsRequest>,
    ) -> Result<Response<pb::ListDueReviewsResponse>, Status> {
        rpc::answer(self.due_reviews(request.into_inner()).await)
    }

    async fn list_not_building(
        &self,
        request: Request<pb::ListNotBuildingRequest>,
    ) -> Result<Response<pb::ListNotBuildingResponse>, Status> {
        rpc::answer(self.not_building(request.into_inner()).await)
    }
}

impl Api {
    async fn due_reviews(&self, request: pb::ListDueReviewsRequest) -> Result<pb::ListDueReviewsResponse, Error> {
        let until = stated("until_date", &request.until_date)?.unwrap_or_else(|| self.store.now().date_naive());
        let asked = Asked {
            parts: ["due reviews", &request.parent, &request.until_date],
            column: DUE,
            // What follows the day.
            below: &format!("{until}!"),
            size: page::size(request.page_size)?,
            token: &request.page_token,
        };
        let (decisions, next_page_token) = self.decisions(asked).await?;
        Ok(pb::ListDueReviewsResponse { decisions, next_page_token })
    }

    async fn not_building(&self, request: pb::ListNotBuildingRequest) -> Result<pb::ListNotBuildingResponse, Error> {
        let asked = Asked {
            parts: ["not building", &request.parent, ""],
            column: NOT_BUILT_SINCE,
            below: "~",
            size: page::size(request.page_size)?,
            token: &request.page_token,
        };
        let (decisions, next_page_token) = self.decisions(asked).await?;
        let not_building = decisions.into_iter().map(|decision| {
            let choice = decision.choice.unwrap_or_default();
            pb::NotBuilding {
                decision: decision.name,
                display_name: decision.display_name,
                decides: decision.decides,
                reason: choice.reason,
                kill_criteria: decision.kill_criteria,
                due_date: decision.due_date,
                decided_by: choice.decided_by,
                decide_time: choice.time,
            }
        });
        Ok(pb::ListNotBuildingResponse { not_building: not_building.collect(), next_page_token })
    }

    /// A page of decisions in the order of a column, and the token of the next.
    async fn decisions(&self, asked: Asked<'_>) -> Result<(Vec<pb::Decision>, String), Error> {
        let Asked { parts, column, below, size, token } = asked;
        let workspace: WorkspaceId = parse("parent", parts[1])?;
        let after = match PageToken::decode(token, &parts, 2)?.map(|token| token.key) {
            Some(key) => match <[_; 2]>::try_from(key) {
                Ok([Some(value), Some(id)]) => (value, id),
                _ => return Err(PageError::Damaged.into()),
            },
            None => Default::default(),
        };
        let view = self.store.view(&workspace, None).await?;
        let range = Range { column, after: (&after.0, &after.1), below, only: None, size, bytes: PAGE_BYTES };
        let Part { items, next } = view.range::<Decisions>(range).await?;
        let token = next.map(|(value, id)| PageToken::after(&parts, vec![Some(value), Some(id)]).encode());
        Ok((items, token.unwrap_or_default()))
    }
}

/// What page of which order is asked for.
struct Asked<'a> {
    /// What the token is for; the second is the workspace.
    parts: [&'a str; 3],
    column: &'static str,
    /// Values before this one.
    below: &'a str,
    size: usize,
    token: &'a str,
}

/// A day, if one is stated.
fn stated(field: &str, text: &str) -> Result<Option<chrono::NaiveDate>, Violations> {
    let mut violations = Violations::new();
    let date = date(&mut violations, field, text);
    violations.into_result().map(|()| date)
}
