//! Brings the rows to the service as products do: in batches, several under way, each acknowledged when it is durable.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use chrono::DateTime;
use pbjson_types::{Struct, Value};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tonic::Code;
use uuid::Builder;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::ingestion_service_client::IngestionServiceClient;

use crate::questions::PARENT;
use crate::rows::{COUNTRIES, EVENTS, PLATFORMS, Row};
use crate::service::Metrics;

const BATCH: usize = 20_000;
const IN_FLIGHT: usize = 4;
/// Before trying again what was refused because too much waits.
const PAUSE: Duration = Duration::from_millis(200);
/// Of a service that is not up yet.
const ATTEMPTS: usize = 300;

/// Loads all rows; how long it took.
pub async fn load(metrics: &Metrics, rows: &[Row]) -> Result<Duration> {
    let next = Arc::new(AtomicUsize::new(0));
    let count = rows.len();
    send(metrics, rows, 0).await?;
    next.store(BATCH, Ordering::Relaxed);
    let start = Instant::now();
    let workers = (0..IN_FLIGHT).map(|_| async {
        loop {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            if first >= count {
                return anyhow::Ok(());
            }
            send(metrics, rows, first).await?;
        }
    });
    futures::future::try_join_all(workers).await?;
    Ok(start.elapsed())
}

async fn send(metrics: &Metrics, rows: &[Row], first: usize) -> Result<()> {
    let batch = &rows[first..rows.len().min(first + BATCH)];
    let events: Vec<_> = batch.iter().enumerate().map(|(at, row)| event(first + at, row)).collect();
    let request = pb::IngestEventsRequest { parent: PARENT.to_owned(), events, ..Default::default() };
    let mut client = IngestionServiceClient::new(metrics.channel.clone());
    for attempt in 0.. {
        match client.ingest_events(request.clone()).await {
            Ok(answer) => {
                let rejected = answer.into_inner().rejected;
                ensure!(rejected.is_empty(), "rejected: {:?}", rejected.first());
                return Ok(());
            }
            Err(status)
                if matches!(status.code(), Code::ResourceExhausted | Code::Unavailable) && attempt < ATTEMPTS =>
            {
                tokio::time::sleep(PAUSE).await;
            }
            Err(status) => return Err(status.into()),
        }
    }
    Ok(())
}

fn event(place: usize, row: &Row) -> pb::ProductEvent {
    let mut properties: HashMap<String, Value> = [
        ("country".to_owned(), Value::from(COUNTRIES[usize::from(row.country)])),
        ("platform".to_owned(), Value::from(PLATFORMS[usize::from(row.platform)])),
    ]
    .into();
    if let Some(revenue) = row.revenue(place) {
        properties.insert("revenue".to_owned(), revenue.into());
    }
    pb::ProductEvent {
        event_id: Builder::from_random_bytes(StdRng::seed_from_u64(place as u64).random()).into_uuid().to_string(),
        user: row.user(),
        event: EVENTS[usize::from(row.event)].0.to_owned(),
        time: DateTime::from_timestamp_micros(row.time).map(timestamp),
        properties: Some(Struct { fields: properties }),
        ..Default::default()
    }
}
