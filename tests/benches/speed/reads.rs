//! GetInitiative through everything: edge, authorisation, telemetry, store, decoding; beside a handler that is one
//! select.

use anyhow::Result;
use tonic::Request;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::workspace_service_client::WorkspaceServiceClient;
use waymark_testkit::Engine;

use crate::known::{Credentials, Known};
use crate::load::{Load, closed};
use crate::report::Report;
use crate::service::{Roadmap, channels, create};

const INITIATIVES: usize = 2_000;
/// At most this many fit into one batch.
const BATCH: usize = 500;
const IN_FLIGHT: usize = 64;

/// Measures both.
pub async fn run(roadmap: &Roadmap, report: &mut Report) -> Result<()> {
    fill(roadmap, Request::new).await?;
    let (whole, bare) = (reading(roadmap, None).await?, bare(roadmap).await?);

    report.load("GetInitiative through everything", &whole, None);
    report.load("bare tonic handler with one select by key", &bare, None);
    report.beside("GetInitiative beside the bare handler", &whole, &bare, 0.9);
    Ok(())
}

/// Measures the same with a token and policies, beside the one for development: by turns, as both change with the machine.
pub async fn known(roadmap: &Roadmap, engine: Engine, report: &mut Report) -> Result<()> {
    let known = Known::new()?;
    let other = Roadmap::start_known(engine, &known).await?;
    let credentials = known.credentials(&other.host)?;
    let asking = credentials.clone();
    create_workspace(&other, &credentials).await?;
    fill(&other, move |batch| asking.of(batch)).await?;
    let plain = reading(roadmap, None).await?;
    let decided = reading(&other, Some(&credentials)).await?;
    other.stop().await;
    report.load("GetInitiative with a token and policies", &decided, None);
    report.beside("the same beside the development authenticator", &decided, &plain, 0.9);
    Ok(())
}

/// Reads through everything, by who has these credentials.
pub async fn reading(roadmap: &Roadmap, credentials: Option<&Credentials>) -> Result<Load> {
    let clients: Vec<_> = (0..IN_FLIGHT).map(|worker| roadmap.client(worker)).collect();
    let credentials = credentials.cloned();
    let load = closed(IN_FLIGHT, roadmap.server(), move |worker, number| {
        let mut client = clients[worker].clone();
        let message = get(worker, number);
        let request = match &credentials {
            Some(credentials) => credentials.of(message),
            None => Request::new(message),
        };
        async move { Ok(client.get_initiative(request).await.map(|_| ())?) }
    });
    load.await
}

/// Reads by a handler that is one select.
pub async fn bare(roadmap: &Roadmap) -> Result<Load> {
    let channels = channels(roadmap.bare.serve()?)?;
    let clients: Vec<_> =
        (0..IN_FLIGHT).map(|worker| RoadmapServiceClient::new(channels[worker % channels.len()].clone())).collect();
    let bare = closed(IN_FLIGHT, roadmap.server(), move |worker, number| {
        let mut client = clients[worker].clone();
        async move { Ok(client.get_initiative(get(worker, number)).await.map(|_| ())?) }
    });
    bare.await
}

/// Creates the workspace that is read, where callers are known.
pub async fn create_workspace(roadmap: &Roadmap, credentials: &Credentials) -> Result<()> {
    let reads = pb::CreateWorkspaceRequest {
        parent: "workspaces/installation".to_owned(),
        workspace_id: "reads".to_owned(),
        workspace: Some(pb::Workspace { display_name: "Reads".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    WorkspaceServiceClient::new(roadmap.channel(0)).create_workspace(credentials.of(reads)).await?;
    Ok(())
}

/// Makes what is read.
pub async fn fill<F>(roadmap: &Roadmap, asking: F) -> Result<()>
where
    F: Fn(pb::BatchCreateInitiativesRequest) -> Request<pb::BatchCreateInitiativesRequest>,
{
    for first in (0..INITIATIVES).step_by(BATCH) {
        let requests = (first..first + BATCH).map(|n| create("reads", format!("i{n}"))).collect();
        let batch =
            pb::BatchCreateInitiativesRequest { parent: "workspaces/reads".to_owned(), requests, ..Default::default() };
        roadmap.client(0).batch_create_initiatives(asking(batch)).await?;
    }
    Ok(())
}

fn get(worker: usize, number: u64) -> pb::GetInitiativeRequest {
    pb::GetInitiativeRequest {
        name: format!("workspaces/reads/initiatives/i{}", (worker * 31 + number as usize * 7) % INITIATIVES),
    }
}
