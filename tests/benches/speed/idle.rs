//! What a replica costs while nothing happens, with few workspaces and with many: the processor time of its process and
//! of the database server's. Whatever grows with the number of workspaces shows here.

use std::time::Duration;

use anyhow::Result;
use waymark_runtime::EventArgs;
use waymark_service::{Transport, connect};
use waymark_testkit::{Engine, NatsServer, wait_until};

use crate::bare::Pool;
use crate::processor;
use crate::report::Report;
use crate::service::{PATIENCE, Roadmap};

const FEW: u64 = 100;
const MANY: u64 = 100_000;
/// What follows on the last event is over by then.
const SETTLED: Duration = Duration::from_secs(10);
const OBSERVED: Duration = Duration::from_secs(30);

/// Measures one engine, with a relay to a real broker.
pub async fn run(engine: Engine, report: &mut Report) -> Result<()> {
    report.section(match engine {
        Engine::Sqlite => "SQLite, idle",
        Engine::Postgres => "PostgreSQL, idle",
    });
    let few = cost(engine, FEW).await?;
    let many = cost(engine, MANY).await?;
    report.share("processor, idle with 100 workspaces", few);
    report.share("processor, idle with 100,000 workspaces", many);
    report.at_most("the second beside the first", many / few, 1.5);
    Ok(())
}

/// The share of one core that an idle replica takes.
async fn cost(engine: Engine, workspaces: u64) -> Result<f64> {
    let roadmap = Roadmap::open(engine).await?;
    fill(&roadmap.bare, workspaces).await?;
    let broker = NatsServer::start().await?;
    let events = EventArgs::default();
    let transport = Transport::Nats(connect(&broker.url(), &events, roadmap.host.name).await?);
    roadmap.service.start(&roadmap.host, &events, transport);
    let published = "SELECT count(*) FROM relay_cursors WHERE revision = 1";
    wait_until("all is published", PATIENCE, async || {
        roadmap.bare.count(published).await.is_ok_and(|count| count.unsigned_abs() == workspaces)
    })
    .await;
    if engine == Engine::Postgres {
        // Else the server writes what was filled in while it is watched.
        roadmap.bare.execute("CHECKPOINT").await?;
    }
    tokio::time::sleep(SETTLED).await;
    let before = processor::spent(roadmap.server())?;
    tokio::time::sleep(OBSERVED).await;
    let spent = processor::since(before, roadmap.server())?;
    roadmap.stop().await;
    Ok(spent.as_secs_f64() / OBSERVED.as_secs_f64())
}

/// Workspaces of one event each.
async fn fill(pool: &Pool, workspaces: u64) -> Result<()> {
    let numbers = format!(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {workspaces}), \
         workspace (id, event) AS (SELECT 'w' || n, \
         '00000000-0000-7000-8000-' || substr(CAST(1000000000000 + n AS text), 2) FROM number)"
    );
    for insert in [
        "INSERT INTO workspaces (id, revision) {} SELECT id, 1 FROM workspace",
        "INSERT INTO log (workspace, revision, ordinal, event_id, type, collection, resource_id, time, actor, data)
         {} SELECT id, 1, 0, event, 'waymark.roadmap.v1.ProductCreated', 'products', 'p', 1, 'users/ada', '{\"product\":null}'
         FROM workspace",
        "ANALYZE",
    ] {
        pool.execute(&insert.replace("{}", &numbers)).await?;
    }
    if matches!(pool, Pool::Postgres(_)) {
        // Tidying up after the filling is not what an idle replica costs.
        for table in ["workspaces", "log", "relay_cursors"] {
            pool.execute(&format!("ALTER TABLE {table} SET (autovacuum_enabled = false)")).await?;
        }
    }
    Ok(())
}
