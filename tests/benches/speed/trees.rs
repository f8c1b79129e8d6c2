//! Opportunity solution trees in a workspace of many nodes, beside one of a tenth: what is read, added and moved is a
//! branch.

use anyhow::Result;
use tonic::transport::Endpoint;
use waymark_clock::{Clock, Ids};
use waymark_discovery::SERVICE;
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::discovery::v1 as pb;
use waymark_proto::discovery::v1::opportunity_service_client::OpportunityServiceClient;
use waymark_runtime::Host;
use waymark_testkit::{Engine, Served};

use crate::report::Report;
use crate::scale::{WORKSPACES, time};

/// Opportunities of a batch, and of a tree.
const BATCH: usize = 500;
const TREE: usize = 1_000;
/// Children of a node.
const CHILDREN: usize = 10;

/// Fills workspaces with so many opportunities and a tenth of them, and times calls in both.
pub async fn run(engine: Engine, size: usize, report: &mut Report) -> Result<()> {
    let host = Host::local(Clock::system(), Ids::system())?;
    let served = Served::start(engine, &host, &SERVICE, &()).await?;
    let channel = Endpoint::from_shared(format!("http://{}", served.address()))?.tcp_nodelay(true).connect_lazy();
    let client = || OpportunityServiceClient::new(channel.clone()).max_decoding_message_size(usize::MAX);
    let sizes = [(size / 10).max(TREE), size.max(TREE)];
    for (workspace, size) in WORKSPACES.into_iter().zip(sizes) {
        let parent = format!("workspaces/{workspace}");
        for tree in 0..size / TREE {
            let outcome = pb::Outcome {
                display_name: format!("Outcome {tree}"),
                measure: "accounts that are not empty after a week".to_owned(),
                ..Default::default()
            };
            let request = pb::CreateOutcomeRequest {
                parent: parent.clone(),
                outcome_id: format!("t{tree}"),
                outcome: Some(outcome),
                ..Default::default()
            };
            client().create_outcome(request).await?;
        }
        for begin in (0..size / TREE * TREE).step_by(BATCH) {
            let row = |number| pb::CreateOpportunityRequest {
                opportunity_id: format!("o{number}"),
                opportunity: Some(opportunity(&above(workspace, number))),
                ..Default::default()
            };
            let requests = (begin..begin + BATCH).map(row).collect();
            let batch = pb::BatchCreateOpportunitiesRequest { parent: parent.clone(), requests, ..Default::default() };
            client().batch_create_opportunities(batch).await?;
        }
    }
    let at_most = Some(1.3);
    let tree = async |workspace: &str, size, number| {
        let name = format!("workspaces/{workspace}/outcomes/t{}", number % (size / TREE));
        client().get_tree(pb::GetTreeRequest { name, ..Default::default() }).await.map(|_| ())
    };
    time("GetTree, 1,000 nodes", sizes, at_most, tree, report).await?;
    // A node of the second level.
    let inner = |workspace: &str, size: usize, number: usize| {
        let tree = number % (size / TREE) * TREE;
        format!("workspaces/{workspace}/opportunities/o{}", tree + 1 + number % (CHILDREN - 1))
    };
    let branch = async |workspace: &str, size, number| {
        let name = inner(workspace, size, number);
        client().get_tree(pb::GetTreeRequest { name, ..Default::default() }).await.map(|_| ())
    };
    time("GetTree, a branch of 111 nodes", sizes, at_most, branch, report).await?;
    let then = async |workspace: &str, size: usize, number| {
        let revision = (size / TREE + size / BATCH) as i64;
        let as_of = Some(AsOf { position: Some(as_of::Position::Revision(revision)) });
        let request = pb::GetTreeRequest { name: inner(workspace, size, number), as_of, ..Default::default() };
        client().get_tree(request).await.map(|_| ())
    };
    time("GetTree, a branch as it stood", sizes, at_most, then, report).await?;
    let add = async |workspace: &str, size, number| {
        let request = pb::CreateOpportunityRequest {
            parent: format!("workspaces/{workspace}"),
            opportunity: Some(opportunity(&inner(workspace, size, number))),
            ..Default::default()
        };
        client().create_opportunity(request).await.map(|_| ())
    };
    time("CreateOpportunity below a node", sizes, at_most, add, report).await?;
    let shift = async |workspace: &str, size: usize, number: usize| {
        // A leaf, to another branch of its tree.
        let name =
            format!("workspaces/{workspace}/opportunities/o{}", number % (size / TREE) * TREE + TREE - 1 - number);
        let request = pb::MoveNodeRequest { name, destination: inner(workspace, size, number), ..Default::default() };
        client().move_node(request).await.map(|_| ())
    };
    time("MoveNode", sizes, at_most, shift, report).await?;
    served.stop().await
}

/// What an opportunity stands below.
fn above(workspace: &str, number: usize) -> String {
    let (tree, within) = (number / TREE, number % TREE);
    if within < CHILDREN {
        format!("workspaces/{workspace}/outcomes/t{tree}")
    } else {
        format!("workspaces/{workspace}/opportunities/o{}", tree * TREE + within / CHILDREN)
    }
}

fn opportunity(parent_node: &str) -> pb::Opportunity {
    pb::Opportunity {
        display_name: "I cannot find the first step".to_owned(),
        kind: pb::OpportunityKind::Need.into(),
        parent_node: parent_node.to_owned(),
        description: "New accounts stay empty for a week because nobody finds it. ".repeat(5),
        ..Default::default()
    }
}
