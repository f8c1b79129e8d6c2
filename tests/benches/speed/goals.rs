//! Objectives as trees, two thousand of them with key results that were checked in and initiatives behind them: now, as
//! they stood, and what the same rows cost without anything around.

use std::time::Duration;

use anyhow::Result;
use tonic::Status;
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;

use crate::report::Report;
use crate::service::Roadmap;
use crate::targets::beside;

const PARENT: &str = "workspaces/goals";
const OBJECTIVES: usize = 2_000;
/// Objectives of a tree, and directly below one.
const TREE: usize = 200;
const CHILDREN: usize = 5;
const BATCH: usize = 500;
const OFTEN: usize = 30;
/// What all objectives may take.
const LIMIT: Duration = Duration::from_millis(100);

/// Plants the trees and reads them.
pub async fn run(roadmap: &Roadmap, report: &mut Report) -> Result<()> {
    plant(roadmap).await?;
    let revision = read(roadmap, None).await?;
    // Each key result says something else since.
    check_in(roadmap, 2).await?;
    let now = async || {
        for table in ["objectives", "key_results", "initiatives"] {
            let of = format!("FROM {table} WHERE workspace = 'goals' AND delete_time IS NULL");
            roadmap.bare.rows(format!("SELECT id, CAST(body AS text) {of}")).await?;
        }
        Ok(())
    };
    let then = async || {
        for (table, collection) in
            [("objectives", "objectives"), ("key_results", "keyResults"), ("initiatives", "initiatives")]
        {
            let last = format!(
                "SELECT CAST(data AS text) FROM log WHERE workspace = 'goals' AND collection = '{collection}'
                 AND resource_id = {table}.id AND revision <= {revision} ORDER BY revision DESC, ordinal DESC LIMIT 1"
            );
            roadmap.bare.rows(format!("SELECT id, ({last}) FROM {table} WHERE workspace = 'goals'")).await?;
        }
        Ok(())
    };
    let tree = async |revision| read(roadmap, revision).await.map(drop);
    beside(roadmap, "GetObjectiveTree, 2,000 objectives", (LIMIT, OFTEN), async || tree(None).await, now, report)
        .await?;
    let what = "GetObjectiveTree, as they stood";
    beside(roadmap, what, (LIMIT, OFTEN), async || tree(Some(revision)).await, then, report).await?;
    let request = pb::GetRoadmapRequest {
        parent: PARENT.to_owned(),
        group_by: pb::RoadmapGrouping::Objective.into(),
        ..Default::default()
    };
    let lanes = async || {
        let client = RoadmapServiceClient::new(roadmap.channel(1)).max_decoding_message_size(usize::MAX);
        { client }.get_roadmap(request.clone()).await.map(drop)
    };
    let count = { RoadmapServiceClient::new(roadmap.channel(1)).max_decoding_message_size(usize::MAX) }
        .get_roadmap(request.clone())
        .await?
        .into_inner()
        .lanes
        .iter()
        .map(|lane| lane.initiatives.len())
        .sum::<usize>();
    let rows = async || {
        let of = format!("FROM initiatives WHERE workspace = 'goals' ORDER BY id LIMIT {count}");
        roadmap.bare.rows(format!("SELECT id, CAST(body AS text) {of}")).await.map(drop)
    };
    beside(
        roadmap,
        "GetRoadmap by objective, with key results",
        (Duration::from_millis(50), OFTEN),
        lanes,
        rows,
        report,
    )
    .await
}

/// Reads all pages; tells the revision.
async fn read(roadmap: &Roadmap, revision: Option<i64>) -> Result<i64, Status> {
    let mut client = StrategyServiceClient::new(roadmap.channel(1));
    let as_of = revision.map(|revision| AsOf { position: Some(as_of::Position::Revision(revision)) });
    let mut request = pb::GetObjectiveTreeRequest { parent: PARENT.to_owned(), as_of, ..Default::default() };
    let mut count = 0;
    loop {
        let page = client.get_objective_tree(request.clone()).await?.into_inner();
        count += page.nodes.len();
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return if count == OBJECTIVES { Ok(page.revision) } else { Err(Status::internal("some are missing")) };
        }
    }
}

/// Trees of objectives with two key results each, which are checked in, and an initiative for each objective.
async fn plant(roadmap: &Roadmap) -> Result<(), Status> {
    let mut client = StrategyServiceClient::new(roadmap.channel(0));
    for begin in (0..OBJECTIVES).step_by(BATCH) {
        let row = |number: usize| {
            let (root, within) = (number / TREE * TREE, number % TREE);
            let parent = match within {
                0 => String::new(),
                _ => format!("{PARENT}/objectives/o{}", root + (within - 1) / CHILDREN),
            };
            let objective = pb::Objective {
                display_name: format!("Teams get their work done together, {number}"),
                description: "New accounts stay empty for a week because nobody finds the first step. ".repeat(3),
                period: Some(pb::TargetInterval { start: "2026-Q3".to_owned(), end: String::new() }),
                parent_objective: parent,
                ..Default::default()
            };
            let objective_id = format!("o{number}");
            pb::CreateObjectiveRequest { objective_id, objective: Some(objective), ..Default::default() }
        };
        let requests = (begin..begin + BATCH).map(row).collect();
        let batch = pb::BatchCreateObjectivesRequest { parent: PARENT.to_owned(), requests, ..Default::default() };
        client.batch_create_objectives(batch).await?;
    }
    for begin in (0..OBJECTIVES * 2).step_by(BATCH) {
        let row = |number: usize| {
            let key_result = pb::KeyResult {
                display_name: format!("Accounts that invite somebody in their first week, {number}"),
                objective: format!("{PARENT}/objectives/o{}", number / 2),
                start: Some(0.0),
                target: Some(100.0),
                unit: "accounts".to_owned(),
                ..Default::default()
            };
            let key_result_id = format!("k{number}");
            pb::CreateKeyResultRequest { key_result_id, key_result: Some(key_result), ..Default::default() }
        };
        let requests = (begin..begin + BATCH).map(row).collect();
        let batch = pb::BatchCreateKeyResultsRequest { parent: PARENT.to_owned(), requests, ..Default::default() };
        client.batch_create_key_results(batch).await?;
    }
    let mut initiatives = RoadmapServiceClient::new(roadmap.channel(0));
    for begin in (0..OBJECTIVES).step_by(BATCH) {
        let row = |number: usize| {
            let mut row = crate::service::create("goals", format!("g{number}"));
            if let Some(initiative) = &mut row.initiative {
                initiative.key_results = vec![format!("{PARENT}/keyResults/k{}", number * 2)];
            }
            row
        };
        let requests = (begin..begin + BATCH).map(row).collect();
        let batch = pb::BatchCreateInitiativesRequest { parent: PARENT.to_owned(), requests, ..Default::default() };
        initiatives.batch_create_initiatives(batch).await?;
    }
    check_in(roadmap, 1).await
}

/// Says of each key result what it is.
async fn check_in(roadmap: &Roadmap, times: usize) -> Result<(), Status> {
    let mut client = StrategyServiceClient::new(roadmap.channel(0));
    for begin in (0..OBJECTIVES * 2).step_by(BATCH) {
        let row = |number: usize| {
            let key_result = format!("{PARENT}/keyResults/k{number}");
            let value = Some((number * times % 100) as f64);
            let check_in = pb::CheckIn { key_result, value, confidence: Some(0.5), ..Default::default() };
            pb::CreateCheckInRequest { check_in: Some(check_in), ..Default::default() }
        };
        let requests = (begin..begin + BATCH).map(row).collect();
        let batch = pb::BatchCreateCheckInsRequest { parent: PARENT.to_owned(), requests, ..Default::default() };
        client.batch_create_check_ins(batch).await?;
    }
    Ok(())
}
