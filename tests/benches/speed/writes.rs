//! CreateInitiative through gRPC: revision, state, log and all; beside a transaction of two inserts without a server
//! around it.

use crate::bare::Pool;
use crate::load::{Load, closed};
use crate::report::Report;
use crate::service::{Roadmap, create};
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use uuid::Uuid;
use waymark_proto::roadmap::v1 as pb;

const IN_FLIGHT: usize = 16;

/// Measures sixteen workspaces, one workspace, and the transaction.
pub async fn run(roadmap: &Roadmap, report: &mut Report) -> Result<()> {
    // Writes of one workspace, and all of SQLite's, wait for one sync each, one after another.
    report.rate("syncs of the disk, one after another", syncs()?);
    let many = writes(roadmap, |worker| format!("writes{worker}")).await?;
    let one = writes(roadmap, |_| "writes".to_owned()).await?;
    let body = serde_json::to_string(&create("writes", "body".to_owned()).initiative.unwrap_or_default())?;
    let pool = roadmap.bare.clone();
    pool.prepare().await?;
    let bare = closed(IN_FLIGHT, roadmap.server(), move |worker, number| {
        let (pool, body) = (pool.clone(), body.clone());
        async move { Ok(pool.insert_twice(&format!("w{worker}"), &format!("i{number}"), &body).await?) }
    });
    let bare = bare.await?;

    report.load("CreateInitiative, 16 workspaces", &many, None);
    report.load("bare transaction with two inserts", &bare, None);
    report.beside("CreateInitiative beside the bare transaction", &many, &bare, 0.4);
    // SQLite has one writer for all workspaces: what counts there is the ratio above.
    let least = matches!(roadmap.bare, Pool::Postgres(_)).then_some(800.0);
    report.load("CreateInitiative, one workspace", &one, least);
    Ok(())
}

/// How often a second the disk makes 8 KiB durable that are written over others, as in a log that is there already.
fn syncs() -> Result<f64> {
    let file = tempfile::tempfile()?;
    file.write_all_at(&vec![0; 1 << 20], 0)?;
    file.sync_all()?;
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < Duration::from_secs(1) {
        file.write_all_at(&[1; 8192], u64::from(count % 128) * 8192)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

/// With a request id each, as clients that repeat calls send them.
pub async fn writes(roadmap: &Roadmap, workspace: fn(usize) -> String) -> Result<Load> {
    let clients: Vec<_> = (0..IN_FLIGHT).map(|worker| roadmap.client(worker)).collect();
    let ids = roadmap.host.ids.clone();
    closed(IN_FLIGHT, roadmap.server(), move |worker, number| {
        let mut client = clients[worker].clone();
        let request_id: Uuid = ids.opaque();
        let request = pb::CreateInitiativeRequest {
            request_id: request_id.to_string(),
            ..create(&workspace(worker), format!("w{worker}-{number}"))
        };
        async move { Ok(client.create_initiative(request).await.map(|_| ())?) }
    })
    .await
}
