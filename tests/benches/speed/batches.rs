//! BatchCreate through gRPC, by two callers in one workspace; beside transactions of as many rows without a server
//! around them.

use std::time::{Duration, Instant};

use anyhow::Result;
use tonic::Status;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;

use crate::load::Load;
use crate::processor;
use crate::report::Report;
use crate::service::{Roadmap, create};

const ROWS: usize = 20_000;
/// At most this many fit into one batch.
const BATCH: usize = 500;
const CALLERS: usize = 2;

/// Measures products, of which two rows are kept, initiatives, of which there are nine, and plain rows.
pub async fn run(roadmap: &Roadmap, report: &mut Report) -> Result<()> {
    let products = measured(roadmap, async |caller, first| {
        let row = |number: usize| pb::CreateProductRequest {
            product_id: format!("p{number}"),
            product: Some(pb::Product {
                display_name: format!("Product {number}"),
                vision: "Whoever signs up has something to show after the first day. ".repeat(3),
                ..Default::default()
            }),
            ..Default::default()
        };
        let requests = (first..first + BATCH).map(row).collect();
        let parent = "workspaces/batches".to_owned();
        let batch = pb::BatchCreateProductsRequest { parent, requests, ..Default::default() };
        StrategyServiceClient::new(roadmap.channel(caller)).batch_create_products(batch).await.map(|_| ())
    });
    let products = products.await?;
    let initiatives = measured(roadmap, async |caller, first| {
        let requests = (first..first + BATCH).map(|number| create("batches", format!("i{number}"))).collect();
        let parent = "workspaces/batches".to_owned();
        let batch = pb::BatchCreateInitiativesRequest { parent, requests, ..Default::default() };
        roadmap.client(caller).batch_create_initiatives(batch).await.map(|_| ())
    });
    let initiatives = initiatives.await?;
    let body =
        format!(r#"{{"vision":"{}"}}"#, "Whoever signs up has something to show after the first day. ".repeat(6));
    roadmap.bare.prepare().await?;
    let bare = measured(roadmap, async |_, first| {
        let ids: Vec<String> = (first..first + BATCH).map(|number| format!("b{number}")).collect();
        let inserted = roadmap.bare.insert_all_twice("batches", &ids, &body).await;
        inserted.map_err(|error| Status::internal(error.to_string()))
    });
    let bare = bare.await?;
    report.load("products by BatchCreate", &products, None);
    report.load("initiatives by BatchCreate", &initiatives, None);
    report.load("transactions of as many rows, two inserts each", &bare, None);
    report.beside("products beside the bare transactions", &products, &bare, 0.2);
    Ok(())
}

/// Rows a second, and the processor time of one.
async fn measured<C>(roadmap: &Roadmap, call: C) -> Result<Load>
where
    C: AsyncFn(usize, usize) -> Result<(), Status>,
{
    let (start, before) = (Instant::now(), processor::spent(roadmap.server())?);
    let caller = async |caller: usize| {
        let mut times = Vec::new();
        for first in (ROWS / CALLERS * caller..ROWS / CALLERS * (caller + 1)).step_by(BATCH) {
            let began = Instant::now();
            call(caller, first).await?;
            times.push(began.elapsed());
        }
        Ok::<Vec<Duration>, Status>(times)
    };
    let (one, other) = tokio::try_join!(caller(0), caller(1))?;
    let during = start.elapsed();
    let spent = processor::since(before, roadmap.server())?;
    let load = Load::of([one, other].concat(), during)?;
    Ok(Load { rate: ROWS as f64 / during.as_secs_f64(), processor: Some(spent / ROWS as u32), ..load })
}
