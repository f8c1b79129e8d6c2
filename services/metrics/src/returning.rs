//! What the lake says of users who come back, come and go, in the contract's terms.

use chrono::{DateTime, Utc};
use waymark_domain::WorkspaceId;
use waymark_domain::metrics::{Activity, Retention, Stickiness, TrendSettings};
use waymark_lake as lake;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_store::Error;

use crate::analysis::LakeFailure;
use crate::names::unknown;

/// How many came back when.
pub async fn retention(
    lake: &lake::Lake,
    workspace: &WorkspaceId,
    retention: &Retention,
    now: DateTime<Utc>,
) -> Result<pb::QueryRetentionResponse, Error> {
    let answer = lake.retention(workspace.id(), retention, now).await.map_err(LakeFailure::from)?;
    let asked = [("start.event", retention.start()), ("returning.event", retention.returns())];
    let unseen = asked.iter().zip(answer.seen).filter(|(_, seen)| !seen);
    // What they come back for is the same unless it was said.
    let unseen = unseen.filter(|((field, step), _)| *field == "start.event" || *step != retention.start());
    unknown(lake, workspace, unseen.map(|((field, step), _)| ((*field).to_owned(), step.event())).collect()).await?;
    let columns = retention.columns();
    let mut total = vec![lake::Cell::default(); columns.len()];
    for cohort in &answer.cohorts {
        for (sum, cell) in total.iter_mut().zip(&cohort.cells) {
            sum.returned += cell.returned;
            sum.of += cell.of;
            sum.matured += cell.matured;
        }
    }
    let users: u64 = answer.cohorts.iter().map(|cohort| cohort.users).sum();
    let cells = |users: u64, cells: &[lake::Cell]| cells.iter().map(|cell| told(users, cell)).collect();
    let cohort = |cohort: &lake::Cohort| pb::RetentionCohort {
        start_time: Some(timestamp(cohort.bucket.start)),
        end_time: Some(timestamp(cohort.bucket.end)),
        partial: cohort.bucket.partial || cohort.bucket.end > now,
        users: cohort.users.cast_signed(),
        cells: cells(cohort.users, &cohort.cells),
    };
    // No period is beyond what fits an i32.
    let column = |(from, until): (u32, u32)| pb::RetentionColumn {
        from_period: from.cast_signed(),
        to_period: until.cast_signed() - 1,
    };
    Ok(pb::QueryRetentionResponse {
        cohorts: answer.cohorts.iter().map(cohort).collect(),
        total: Some(pb::RetentionCohort {
            users: users.cast_signed(),
            cells: cells(users, &total),
            ..Default::default()
        }),
        columns: columns.into_iter().map(column).collect(),
        settings: Some(retention.settings().into()),
        watermark: answer.watermark.received.map(timestamp),
    })
}

fn told(users: u64, cell: &lake::Cell) -> pb::RetentionCell {
    pb::RetentionCell {
        returned: cell.returned.cast_signed(),
        users: cell.of.cast_signed(),
        share: (cell.of > 0).then(|| cell.returned as f64 / cell.of as f64),
        immature: (users - cell.matured).cast_signed(),
    }
}

/// How users came, stayed and went.
pub async fn lifecycle(
    lake: &lake::Lake,
    workspace: &WorkspaceId,
    (activity, settings): (&Activity, &TrendSettings),
    now: DateTime<Utc>,
) -> Result<pb::QueryLifecycleResponse, Error> {
    let answer = lake.lifecycle(workspace.id(), activity, settings).await.map_err(LakeFailure::from)?;
    let idle = |(_, point): &(lake::Bucket, lake::Lifecycle)| *point == lake::Lifecycle::default();
    known(lake, workspace, activity, answer.points.iter().all(idle)).await?;
    let point = |(bucket, point): &(lake::Bucket, lake::Lifecycle)| pb::LifecyclePoint {
        start_time: Some(timestamp(bucket.start)),
        end_time: Some(timestamp(bucket.end)),
        partial: bucket.partial || bucket.end > now,
        new_users: point.new.cast_signed(),
        returning_users: point.returning.cast_signed(),
        resurrecting_users: point.resurrecting.cast_signed(),
        dormant_users: point.dormant.cast_signed(),
    };
    Ok(pb::QueryLifecycleResponse {
        points: answer.points.iter().map(point).collect(),
        settings: Some(settings.into()),
        watermark: answer.watermark.received.map(timestamp),
    })
}

/// In how many intervals users were active.
pub async fn stickiness(
    lake: &lake::Lake,
    workspace: &WorkspaceId,
    question: &Stickiness,
) -> Result<pb::QueryStickinessResponse, Error> {
    let answer = lake.stickiness(workspace.id(), question).await.map_err(LakeFailure::from)?;
    let users: u64 = answer.users.iter().sum();
    known(lake, workspace, &question.activity, users == 0).await?;
    let mut more = users;
    let points = (1..).zip(&answer.users).map(|(intervals, exactly)| {
        let share_or_more = if users == 0 { 0.0 } else { more as f64 / users as f64 };
        more -= exactly;
        pb::StickinessPoint { intervals, users: exactly.cast_signed(), share_or_more }
    });
    Ok(pb::QueryStickinessResponse {
        points: points.collect(),
        users: users.cast_signed(),
        settings: Some((&question.settings).into()),
        min_occurrences: question.occurrences.cast_signed(),
        watermark: answer.watermark.received.map(timestamp),
    })
}

/// Refuses events that the workspace has none of, where nobody was found to be active: they may be misspelt.
async fn known(lake: &lake::Lake, workspace: &WorkspaceId, activity: &Activity, nobody: bool) -> Result<(), Error> {
    let asked = activity.events.iter().enumerate().filter(|_| nobody);
    unknown(lake, workspace, asked.map(|(index, event)| (format!("events[{index}]"), event.as_str())).collect()).await
}
