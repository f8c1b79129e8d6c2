//! Opportunity solution trees in a workspace of many nodes, beside one of a tenth: what is read, added and moved is a
//! branch.

use std::cell::Cell;
use std::time::Instant;

use anyhow::Result;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use waymark_clock::{Clock, Ids};
use waymark_discovery::SERVICE;
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::discovery::v1 as pb;
use waymark_proto::discovery::v1::opportunity_service_client::OpportunityServiceClient;
use waymark_runtime::Host;
use waymark_testkit::{Engine, Served};

use crate::load::Load;
use crate::report::Report;
use crate::scale::{WORKSPACES, time};

/// Opportunities of a batch, and of a tree.
const BATCH: usize = 500;
const TREE: usize = 1_000;
/// Children of a node.
const CHILDREN: usize = 10;
/// Nearly as many as a write takes.
const LARGE: usize = 9_500;

type Client = OpportunityServiceClient<Channel>;

/// Fills workspaces with so many opportunities and a tenth of them, and times calls in both.
pub async fn run(engine: Engine, size: usize, report: &mut Report) -> Result<()> {
    let host = Host::local(Clock::system(), Ids::system())?;
    let served = Served::start(engine, &host, &SERVICE, &()).await?;
    let channel = Endpoint::from_shared(format!("http://{}", served.address()))?.tcp_nodelay(true).connect_lazy();
    let client = || OpportunityServiceClient::new(channel.clone()).max_decoding_message_size(usize::MAX);
    let sizes = [(size / 10).max(TREE), size.max(TREE)];
    for (workspace, size) in WORKSPACES.into_iter().zip(sizes) {
        grow(client(), workspace, size, TREE).await?;
    }
    if engine == Engine::Postgres {
        // Its autovacuum does that within minutes of so many rows.
        served.database().execute(&["ANALYZE"]).await?;
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
    prune(client(), client(), report).await?;
    served.stop().await
}

/// A branch of about as many nodes as a write takes is given up; and how long creates in another workspace take meanwhile.
async fn prune(mut client: Client, mut other: Client, report: &mut Report) -> Result<()> {
    grow(client.clone(), "pruned", LARGE, LARGE).await?;
    // All but the first stand below it.
    let name = "workspaces/pruned/opportunities/o0".to_owned();
    let request = pb::PruneNodeRequest { name, reason: "nobody needs it".to_owned(), ..Default::default() };
    let (began, pruned) = (Instant::now(), Cell::new(None));
    let prune = async {
        let answer = client.prune_node(request).await.map(|_| ());
        pruned.set(Some(began.elapsed()));
        answer
    };
    let create = async {
        let mut times = Vec::new();
        while pruned.get().is_none() {
            let (start, opportunity) = (Instant::now(), Some(opportunity("workspaces/tenth/outcomes/t0")));
            let parent = "workspaces/tenth".to_owned();
            let request = pb::CreateOpportunityRequest { parent, opportunity, ..Default::default() };
            other.create_opportunity(request).await?;
            times.push(start.elapsed());
        }
        Ok::<_, Status>(times)
    };
    let (answer, times) = tokio::join!(prune, create);
    answer?;
    report.latency("PruneNode, 9,500 nodes", &Load::of(vec![pruned.take().unwrap_or_default()], began.elapsed()));
    let longest = times?.into_iter().max().unwrap_or_default();
    report.latency("the longest create in another workspace meanwhile", &Load::of(vec![longest], began.elapsed()));
    Ok(())
}

/// Fills a workspace with trees of so many opportunities each.
async fn grow(mut client: Client, workspace: &str, size: usize, tree: usize) -> Result<(), Status> {
    let parent = format!("workspaces/{workspace}");
    for number in 0..size / tree {
        let outcome = pb::Outcome {
            display_name: format!("Outcome {number}"),
            measure: "accounts that are not empty after a week".to_owned(),
            ..Default::default()
        };
        let request = pb::CreateOutcomeRequest {
            parent: parent.clone(),
            outcome_id: format!("t{number}"),
            outcome: Some(outcome),
            ..Default::default()
        };
        client.create_outcome(request).await?;
    }
    for begin in (0..size / tree * tree).step_by(BATCH) {
        let row = |number| pb::CreateOpportunityRequest {
            opportunity_id: format!("o{number}"),
            opportunity: Some(opportunity(&above(workspace, number, tree))),
            ..Default::default()
        };
        let requests = (begin..begin + BATCH).map(row).collect();
        let batch = pb::BatchCreateOpportunitiesRequest { parent: parent.clone(), requests, ..Default::default() };
        client.batch_create_opportunities(batch).await?;
    }
    Ok(())
}

/// What an opportunity stands below, in trees of so many.
fn above(workspace: &str, number: usize, size: usize) -> String {
    let (tree, within) = (number / size, number % size);
    // In one large tree all stand below the first.
    let below_root = if size == LARGE { 1 } else { CHILDREN };
    if within < below_root {
        format!("workspaces/{workspace}/outcomes/t{tree}")
    } else {
        format!("workspaces/{workspace}/opportunities/o{}", tree * size + within / CHILDREN)
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
