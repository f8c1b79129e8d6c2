//! What the score of an initiative was, from the log. Reads only.

use waymark_domain::roadmap::{Framework, Initiative, Known, Scorer, Unknown};
use waymark_domain::{Name, Violations};
use waymark_proto::convert::timestamp;
use waymark_proto::{common::v1 as common, roadmap::v1 as pb};
use waymark_rpc::parse;
use waymark_store::{Error, LogRow};

use super::Api;
use super::ranking::score;
use super::versions::Asked;
use crate::store::Initiatives;

/// The likely values that an initiative keeps of its estimate.
pub(super) struct Factors<'a>(pub(super) &'a pb::Priority);

impl Known for Factors<'_> {
    fn likely(&self, key: &str) -> Option<f64> {
        self.0.factors.get(key).copied()
    }
}

impl Api {
    pub(super) async fn score_history(
        &self,
        request: pb::GetScoreHistoryRequest,
    ) -> Result<pb::GetScoreHistoryResponse, Error> {
        let name: Name<Initiative> = parse("initiative", &request.initiative)?;
        let scorer = self.scorer(name.workspace(), request.framework(), &request.model).await?;
        if let Scorer::Model { scoring, .. } = &scorer
            && scoring.is_relative()
        {
            let problem = "compares an initiative with others, and who they were is not kept: rank by it instead";
            return Err(Violations::one("model", problem).into());
        }
        let pb::GetScoreHistoryRequest { initiative, framework, model, page_size, page_token } = &request;
        let parts = ["score history", initiative, &framework.to_string(), model];
        let asked = Asked { parts: &parts, page_size: *page_size, page_token };
        let told = |row: &LogRow| version(row, &scorer);
        let same = |older: &pb::ScoreVersion, version: &pb::ScoreVersion| {
            (older.score, &older.missing, &older.estimate) == (version.score, &version.missing, &version.estimate)
        };
        let (versions, next_page_token) = self.versions::<Initiatives, _>(&name, asked, told, same).await?;
        Ok(pb::GetScoreHistoryResponse { versions, next_page_token })
    }
}

/// What an event of an initiative says of its score.
fn version(row: &LogRow, scorer: &Scorer) -> Result<pb::ScoreVersion, Error> {
    // All events of an initiative have it in the same place.
    let event: pb::InitiativeRankChanged = serde_json::from_str(&row.data).map_err(Error::bug)?;
    let mut initiative = event.initiative.unwrap_or_default();
    let rank_change = initiative.rank_change.take().filter(|_| row.event_type.ends_with("RankChanged"));
    let Some(priority) = &initiative.priority else {
        return Ok(pb::ScoreVersion { missing: scorer.missing(&Unknown), ..of(row, rank_change) });
    };
    let known = match scorer {
        Scorer::Framework(framework) => score(&initiative, *framework),
        Scorer::Model { .. } => scorer.score_of(&Factors(priority)).map(point).ok(),
    };
    let missing = match (known, scorer) {
        (Some(_), _) => Vec::new(),
        (None, Scorer::Framework(Framework::Rice)) => priority.missing.clone(),
        (None, _) => scorer.missing(&Factors(priority)),
    };
    Ok(pb::ScoreVersion { score: known, missing, estimate: priority.estimate.clone(), ..of(row, rank_change) })
}

fn of(row: &LogRow, rank_change: Option<pb::RankChange>) -> pb::ScoreVersion {
    let (revision, time, actor) = (row.revision, Some(timestamp(row.time)), row.actor.clone());
    pb::ScoreVersion { rank_change, revision, time, actor, ..Default::default() }
}

fn point(score: f64) -> common::Range {
    common::Range { low: score, likely: score, high: score }
}
