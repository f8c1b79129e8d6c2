//! What the lake says of funnels, in the contract's terms, and what is wrong with a question that only the events tell.

use chrono::{DateTime, Utc};
use waymark_domain::WorkspaceId;
use waymark_domain::metrics::Funnel;
use waymark_lake as lake;
use waymark_proto::check;
use waymark_proto::convert::metrics::{funnel, typed_value};
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_request::page::{self, PageToken};
use waymark_store::Error;

use crate::analysis::LakeFailure;
use crate::names::unknown;

/// How far users get.
pub async fn answer(
    lake: &lake::Lake,
    workspace: &WorkspaceId,
    funnel: &Funnel,
    now: DateTime<Utc>,
) -> Result<pb::QueryFunnelResponse, Error> {
    let answer = lake.funnel(workspace.id(), funnel, now).await.map_err(LakeFailure::from)?;
    let unseen = answer.unseen.iter().map(|step| (format!("steps[{step}].event"), funnel.steps()[*step].step.event()));
    unknown(lake, workspace, unseen.collect()).await?;
    let series = answer.series.iter().map(|series| told(funnel, &answer.buckets, series, now));
    Ok(pb::QueryFunnelResponse {
        series: series.collect(),
        settings: Some(funnel.settings().into()),
        watermark: answer.watermark.received.map(timestamp),
        // The lake refuses breakdowns by tens of thousands of values.
        series_left_out: answer.series_left_out as i32,
    })
}

fn told(
    funnel: &Funnel,
    buckets: &[lake::Bucket],
    series: &lake::FunnelSeries,
    now: DateTime<Utc>,
) -> pb::FunnelSeries {
    let reached = |step: usize| series.steps.get(step).map_or(0, |step| step.reached);
    let share = |part: u64, all: u64| if all == 0 { 0.0 } else { part as f64 / all as f64 };
    let step = |(index, of): (usize, &lake::StepAnswer)| {
        let before = (0..index).rev().find(|before| !funnel.steps()[*before].optional);
        let unordered = funnel.settings().is_unordered();
        pb::FunnelStepResult {
            event: if unordered { String::new() } else { funnel.steps()[index].step.event().to_owned() },
            reached: of.reached.cast_signed(),
            share: share(of.reached, reached(0)),
            step_share: before.map_or(1.0, |before| share(of.reached, reached(before))),
            time_to_convert: of.took.as_ref().map(took),
        }
    };
    let point = |(bucket, point): (&lake::Bucket, &lake::FunnelPoint)| pb::FunnelPoint {
        start_time: Some(timestamp(bucket.start)),
        end_time: Some(timestamp(bucket.end)),
        partial: bucket.partial || bucket.end > now,
        reached: point.reached.iter().map(|reached| reached.cast_signed()).collect(),
        immature: point.open.cast_signed(),
    };
    pb::FunnelSeries {
        value: series.key.as_ref().map(ToString::to_string).unwrap_or_default(),
        typed_value: series.key.as_ref().map(typed_value),
        absent: funnel.settings().breakdown.is_some() && series.key.is_none(),
        steps: series.steps.iter().enumerate().map(step).collect(),
        immature: series.open.cast_signed(),
        time_to_convert: series.took.as_ref().map(took),
        points: buckets.iter().zip(&series.points).map(point).collect(),
    }
}

fn took(took: &lake::TimeToConvert) -> pb::TimeToConvert {
    let [p10_seconds, p25_seconds, median_seconds, p75_seconds, p90_seconds] = took.quantiles;
    let average_seconds = took.average;
    pb::TimeToConvert { average_seconds, p10_seconds, p25_seconds, median_seconds, p75_seconds, p90_seconds }
}

/// A page of the users of a step.
pub async fn users(
    lake: &lake::Lake,
    request: pb::QueryFunnelUsersRequest,
    now: DateTime<Utc>,
) -> Result<pb::QueryFunnelUsersResponse, Error> {
    let mut violations = check(&request);
    let workspace: Option<WorkspaceId> = violations.check("parent", request.parent.parse());
    let (step, outcome) = (request.step.unsigned_abs() as usize, request.outcome());
    if step >= request.steps.len() {
        violations.add("step", "must be the index of a step");
    }
    // All of the question but where the page begins.
    let query = pb::QueryFunnelUsersRequest { page_token: String::new(), page_size: 0, ..request.clone() };
    let query = format!("{query:?}");
    let size = page::size(request.page_size).map_err(Error::rule)?;
    let after = PageToken::decode(&request.page_token, &[&query], 1).map_err(Error::rule)?;
    let after = after.and_then(|token| token.key.into_iter().next().flatten()).map(|hash| hash.parse());
    let after = violations.check("page_token", after.transpose()).flatten();
    let funnel = funnel(&mut violations, request.steps, request.settings);
    let (Some(workspace), Some(funnel), true) = (workspace, funnel, violations.is_empty()) else {
        return Err(violations.into());
    };
    let reached = outcome == pb::FunnelOutcome::Reached;
    let page = lake::FunnelPage { step, reached, after, size };
    let answer = lake.funnel_users(workspace.id(), &funnel, page, now).await.map_err(LakeFailure::from)?;
    let last = answer.users.last().filter(|_| answer.more).map(|last| last.hash.to_string());
    let user = |user: lake::FunnelUser| pb::FunnelUser {
        user: user.user,
        entry_time: Some(timestamp(user.entry)),
        last_time: Some(timestamp(user.last)),
        last_step: user.last_step as i32,
        immature: user.open,
    };
    Ok(pb::QueryFunnelUsersResponse {
        next_page_token: last.map(|last| PageToken::after(&[&query], vec![Some(last)]).encode()).unwrap_or_default(),
        users: answer.users.into_iter().map(user).collect(),
        watermark: answer.watermark.received.map(timestamp),
    })
}
