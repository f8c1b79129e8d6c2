//! What row-level security costs, and the whole of a deployment: a token, policies and row-level security. By turns with
//! the same without, as both change with the machine.

use anyhow::Result;
use tonic::Request;
use waymark_testkit::Engine;

use crate::known::Known;
use crate::reads::{bare, create_workspace, fill, reading};
use crate::report::Report;
use crate::service::Roadmap;
use crate::writes::writes;

/// Measures it on PostgreSQL.
pub async fn run(report: &mut Report) -> Result<()> {
    let (plain, separated) = (Roadmap::start(Engine::Postgres).await?, Roadmap::start_separated(None).await?);
    report.engine(Engine::Postgres, &plain.version().await?);
    for roadmap in [&plain, &separated] {
        fill(roadmap, Request::new).await?;
    }
    let (open, bound) = (reading(&plain, None).await?, reading(&separated, None).await?);
    report.load("GetInitiative with row-level security", &bound, None);
    report.beside("the same beside without", &bound, &open, 0.8);
    let many = |worker| format!("writes{worker}");
    let (open, bound) = (writes(&plain, many).await?, writes(&separated, many).await?);
    report.load("CreateInitiative with row-level security, 16 workspaces", &bound, None);
    report.beside("the same beside without", &bound, &open, 0.9);
    separated.stop().await;

    let known = Known::new()?;
    let whole = Roadmap::start_separated(Some(&known)).await?;
    let credentials = known.credentials(&whole.host)?;
    let asking = credentials.clone();
    create_workspace(&whole, &credentials).await?;
    fill(&whole, move |batch| asking.of(batch)).await?;
    let (bare, read) = (bare(&plain).await?, reading(&whole, Some(&credentials)).await?);
    report.load("GetInitiative with a token, policies and row-level security", &read, None);
    report.beside("the same beside the bare handler", &read, &bare, 0.65);
    whole.stop().await;
    plain.stop().await;
    Ok(())
}
