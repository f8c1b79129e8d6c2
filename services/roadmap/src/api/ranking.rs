//! Ranks and scores. Reads only.

use std::collections::BTreeMap;

use waymark_domain::roadmap::{Ice, Initiative, Ranking, Rice, Wsjf};
use waymark_domain::{Name, Violations, WorkspaceId};
use waymark_proto::roadmap::v1 as pb;
use waymark_rpc::parse;
use waymark_store::{Error, ListQuery, resource};

use super::Api;
use crate::store::{Estimates, Initiatives, open_initiatives};

/// Rows asked for at once; the most a page gives.
const PAGE: i32 = 1_000;

impl Api {
    pub(super) async fn rank(&self, request: pb::RankInitiativesRequest) -> Result<pb::RankInitiativesResponse, Error> {
        match request.framework() {
            pb::ScoringFramework::Unspecified | pb::ScoringFramework::Rice => {}
        }
        let workspace: WorkspaceId = parse("parent", &request.parent)?;
        let initiatives = if request.filter.is_empty() {
            open_initiatives(&self.store, &workspace).await?
        } else {
            self.filtered(&request.parent, &request.filter).await?
        };
        let estimates: Result<Vec<_>, Error> =
            self.store.all::<Estimates>(&workspace).await?.into_iter().map(resource::<Estimates>).collect();
        let ranking = Ranking::new(&initiatives, &estimates?);
        let messages: BTreeMap<Name<Initiative>, pb::Initiative> =
            initiatives.iter().map(|i| (i.meta.name.clone(), i.into())).collect();
        let shown =
            |name: &Name<Initiative>| messages.get(name).map(|m| (m.display_name.clone(), m.state)).unwrap_or_default();
        let ranked = ranking.ranked.into_iter().map(|r| {
            let (display_name, state) = shown(&r.initiative);
            pb::RankedInitiative {
                position: r.position as i32,
                initiative: r.initiative.to_string(),
                display_name,
                state,
                score: Some((&r.score).into()),
                estimate: r.estimate.to_string(),
                tie: r.tie.unwrap_or_default(),
            }
        });
        let unranked = ranking.unranked.into_iter().map(|u| {
            let (display_name, state) = shown(&u.initiative);
            pb::UnrankedInitiative {
                initiative: u.initiative.to_string(),
                display_name,
                state,
                estimate: u.estimate.map(|name| name.to_string()).unwrap_or_default(),
                missing: u.missing.iter().map(ToString::to_string).collect(),
            }
        });
        Ok(pb::RankInitiativesResponse { ranked: ranked.collect(), unranked: unranked.collect() })
    }

    /// All initiatives that a filter selects.
    async fn filtered(&self, parent: &str, filter: &str) -> Result<Vec<Initiative>, Error> {
        let mut initiatives = Vec::new();
        let mut page_token = String::new();
        loop {
            let query = ListQuery { parent, page_size: PAGE, page_token: &page_token, filter, ..Default::default() };
            let page = self.store.list::<Initiatives>(query).await?;
            for message in page.items {
                initiatives.push(resource::<Initiatives>(message)?);
            }
            if page.next_page_token.is_empty() {
                return Ok(initiatives);
            }
            page_token = page.next_page_token;
        }
    }
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
