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
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;

const IN_FLIGHT: usize = 16;
/// Rows that an initiative has beside itself and its event.
const LINKS: i32 = 7;

/// Measures sixteen workspaces, one workspace, and the transaction.
pub async fn run(roadmap: &Roadmap, report: &mut Report) -> Result<()> {
    // Writes of one workspace, and all of SQLite's, wait for one sync each, one after another.
    report.rate("syncs of the disk, one after another", syncs()?);
    let many = writes(roadmap, |worker| format!("writes{worker}")).await?;
    let one = writes(roadmap, |_| "writes".to_owned()).await?;
    let products = products(roadmap).await?;
    let body = serde_json::to_string(&create("writes", "body".to_owned()).initiative.unwrap_or_default())?;
    roadmap.bare.prepare().await?;
    let bare = bare_rows(roadmap, &body, "w", 0).await?;
    let linked = bare_rows(roadmap, &body, "l", LINKS).await?;

    report.load("CreateInitiative, 16 workspaces", &many, None);
    report.load("CreateProduct, 16 workspaces", &products, None);
    report.load("bare transaction with two inserts", &bare, None);
    report.load("bare transaction with as many rows as an initiative", &linked, None);
    report.beside("CreateInitiative beside the bare transaction", &many, &bare, 0.4);
    report.beside("CreateInitiative beside that of as many rows", &many, &linked, 0.6);
    report.beside("CreateProduct beside the bare transaction", &products, &bare, 0.6);
    // SQLite has one writer for all workspaces: what counts there is the ratio above.
    let least = matches!(roadmap.bare, Pool::Postgres(_)).then_some(800.0);
    report.load("CreateInitiative, one workspace", &one, least);
    Ok(())
}

/// The transaction without a server around it.
async fn bare_rows(roadmap: &Roadmap, body: &str, prefix: &'static str, links: i32) -> Result<Load> {
    let (pool, body) = (roadmap.bare.clone(), body.to_owned());
    closed(IN_FLIGHT, roadmap.server(), move |worker, number| {
        let (pool, body) = (pool.clone(), body.clone());
        async move { Ok(pool.insert_twice(&format!("{prefix}{worker}"), &format!("i{number}"), &body, links).await?) }
    })
    .await
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

/// A resource of two rows, itself and its event, as the bare transaction writes.
async fn products(roadmap: &Roadmap) -> Result<Load> {
    let clients: Vec<_> = (0..IN_FLIGHT).map(|worker| StrategyServiceClient::new(roadmap.channel(worker))).collect();
    let ids = roadmap.host.ids.clone();
    closed(IN_FLIGHT, roadmap.server(), move |worker, number| {
        let mut client = clients[worker].clone();
        let request_id: Uuid = ids.opaque();
        let request = pb::CreateProductRequest {
            parent: format!("workspaces/writes{worker}"),
            product_id: format!("p{worker}-{number}"),
            product: Some(pb::Product {
                display_name: format!("Product {number}"),
                vision: "Whoever signs up has something to show after the first day. ".repeat(6),
                ..Default::default()
            }),
            request_id: request_id.to_string(),
            ..Default::default()
        };
        async move { Ok(client.create_product(request).await.map(|_| ())?) }
    })
    .await
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
