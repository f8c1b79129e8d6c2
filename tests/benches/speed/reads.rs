//! GetInitiative through everything: edge, authorisation, telemetry, store, decoding; beside a handler that is one
//! select.

use anyhow::Result;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;

use crate::load::closed;
use crate::report::Report;
use crate::service::{Roadmap, channels, create};

const INITIATIVES: usize = 2_000;
/// At most this many fit into one batch.
const BATCH: usize = 500;
const IN_FLIGHT: usize = 64;

/// Measures both.
pub async fn run(roadmap: &Roadmap, report: &mut Report) -> Result<()> {
    for first in (0..INITIATIVES).step_by(BATCH) {
        let requests = (first..first + BATCH).map(|n| create("reads", format!("i{n}"))).collect();
        let batch =
            pb::BatchCreateInitiativesRequest { parent: "workspaces/reads".to_owned(), requests, ..Default::default() };
        roadmap.client(0).batch_create_initiatives(batch).await?;
    }
    let get = |worker: usize, number: u64| pb::GetInitiativeRequest {
        name: format!("workspaces/reads/initiatives/i{}", (worker * 31 + number as usize * 7) % INITIATIVES),
    };

    let clients: Vec<_> = (0..IN_FLIGHT).map(|worker| roadmap.client(worker)).collect();
    let whole = closed(IN_FLIGHT, roadmap.server(), move |worker, number| {
        let mut client = clients[worker].clone();
        async move { Ok(client.get_initiative(get(worker, number)).await.map(|_| ())?) }
    });
    let whole = whole.await?;

    let channels = channels(roadmap.bare.serve()?)?;
    let clients: Vec<_> =
        (0..IN_FLIGHT).map(|worker| RoadmapServiceClient::new(channels[worker % channels.len()].clone())).collect();
    let bare = closed(IN_FLIGHT, roadmap.server(), move |worker, number| {
        let mut client = clients[worker].clone();
        async move { Ok(client.get_initiative(get(worker, number)).await.map(|_| ())?) }
    });
    let bare = bare.await?;

    report.load("GetInitiative through everything", &whole, None);
    report.load("bare tonic handler with one select by key", &bare, None);
    report.beside("GetInitiative beside the bare handler", &whole, &bare, 0.6);
    Ok(())
}
