//! Finds friction. Reads the lake outside of transactions; the answer is committed under the question's id, for the first time or anew.

use std::convert::Infallible;

use chrono::{DateTime, Utc};
use waymark_domain::metrics::{Answer, Correlate, Friction, Question};
use waymark_domain::{Name, Range, ResourceId, Violations, WorkspaceId};
use waymark_lake as lake;
use waymark_proto::convert::metrics::asked;
use waymark_proto::metrics::v1 as pb;
use waymark_rpc::{Call, Written};
use waymark_stats::{Level, StatsError, proportion_difference, wilson};
use waymark_store::{Error, Store, Write};

use crate::analysis::{LakeFailure, filters};
use crate::store::Frictions;

/// Answers the question and keeps the answer.
pub async fn find(store: &Store, lake: &lake::Lake, call: &Call, request: pb::FindFrictionRequest) -> Result<Written<pb::Friction>, Error> {
    let etag = request.friction.as_ref().map(|friction| friction.etag.clone()).unwrap_or_default();
    let question = parse(&request.parent, &request.friction_id, request.friction)?;
    let answer = answer(lake, question.meta.name.workspace(), &question.question, store.now()).await?;
    let name = &question.meta.name.clone();
    store
        .write(call, name.workspace(), async move |write: &mut Write| {
            if write.is_free::<Frictions>(name).await? {
                let found = |friction: Friction| Ok::<_, Infallible>(friction.find(answer));
                return write.create::<Frictions, _>(name.id().as_str(), (&question).into(), found).await;
            }
            match write.load::<Frictions>(name, &etag).await {
                Ok(known) => write.put::<Frictions>(known.ask(question).map_err(Error::rule)?.find(answer)).await,
                Err(Error::Deleted(_)) => {
                    let found = |known: Friction| known.ask(question).map(|friction| friction.find(answer));
                    write.undelete::<Frictions, _>(name, &etag, found).await
                }
                Err(error) => Err(error),
            }
        })
        .await
}

/// The question under its name, or all that is wrong with the request.
fn parse(parent: &str, id: &str, message: Option<pb::Friction>) -> Result<Friction, Violations> {
    let mut violations = Violations::new();
    let workspace: Option<WorkspaceId> = violations.check("parent", parent.parse());
    let given: Option<ResourceId> = if id.is_empty() { None } else { violations.check("friction_id", id.parse()) };
    let mut question = None;
    match message {
        None => violations.add("friction", "must be set"),
        Some(message) => question = violations.nested("friction", asked(message)),
    }
    let (Some(workspace), Some(mut question), true) = (workspace, question, violations.is_empty()) else { return Err(violations) };
    let id = match given {
        Some(id) => id,
        None => question.question.path.id().map_err(|error| Violations::one("friction_id", error.to_string()))?,
    };
    question.meta.name = Name::new(workspace, id);
    Ok(question)
}

/// What the lake says.
async fn answer(lake: &lake::Lake, workspace: &WorkspaceId, question: &Question, now: DateTime<Utc>) -> Result<Answer, Error> {
    let answered = match lake.path(workspace.id(), &query(question, now)).await {
        Ok(answered) => answered,
        // All else about the question was checked before.
        Err(lake::LakeError::InvalidQuery(problem)) => return Err(Violations::one("friction.properties", problem).into()),
        Err(error) => return Err(LakeFailure(error).into()),
    };
    let mut answer = Answer {
        lost_share: None,
        correlates: Vec::new(),
        left_out: answered.entries_left_out,
        watermark: answered.watermark.received,
        users: answered.users,
    };
    if let Some(worst) = answer.worst() {
        let (lost, users) = (worst.lost, worst.users);
        answer.lost_share = share(lost, users);
        let comparable = answered.values.into_iter().filter(|value| question.min_users.compare(value.users, users));
        answer.correlates = Correlate::surest(comparable.filter_map(|value| correlate(value, lost, users)).collect());
    }
    Ok(answer)
}

fn query(question: &Question, now: DateTime<Utc>) -> lake::PathQuery {
    let step = |step: &waymark_domain::metrics::Step| lake::PathStep { event: step.event().to_owned(), filters: filters(step.filters()) };
    lake::PathQuery {
        steps: question.path.steps().iter().map(step).collect(),
        entries: lake::TimeRange::new(question.entries.start(), question.entries.end()),
        window: question.path.window().length(),
        now,
        properties: question.properties.names().to_vec(),
    }
}

/// A share with its 95 % interval.
fn share(lost: u64, users: u64) -> Option<Range> {
    let interval = wilson(lost, users, Level::P95).ok()?;
    Range::new(interval.low, lost as f64 / users as f64, interval.high).ok()
}

/// A value compared with all other users of the step.
fn correlate(value: lake::PathValue, lost: u64, users: u64) -> Option<Correlate> {
    let lake::PathValue { property, value, users: with, lost: lost_with } = value;
    let (others, lost_others) = (users.checked_sub(with)?, lost.checked_sub(lost_with)?);
    let interval: Result<_, StatsError> = proportion_difference((lost_others, others), (lost_with, with), Level::P95);
    let interval = interval.ok()?;
    let likely = lost_with as f64 / with as f64 - lost_others as f64 / others as f64;
    let difference = Range::new(interval.low, likely, interval.high).ok()?;
    Some(Correlate { property, value, users: with, lost: lost_with, difference })
}
