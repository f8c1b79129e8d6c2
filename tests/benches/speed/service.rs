//! The roadmap service in this process, on a database of its own, and how the benches talk to it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use sqlx::{PgPool, SqlitePool};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use waymark_clock::{Clock, Ids};
use waymark_proto::common::v1::{Evidence, Range, Risk};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_roadmap::SERVICE;
use waymark_runtime::{DatabaseArgs, EventArgs, Host, Running, ServerArgs};
use waymark_service::{Open, Transport};
use waymark_testkit::{Engine, Postgres};

use crate::bare::Pool;
use crate::known::Known;

/// Connections to the database, of the service and of its peers.
pub const CONNECTIONS: u32 = 16;
/// Connections that calls are spread over.
const CHANNELS: usize = 4;

/// The service, running.
pub struct Roadmap {
    /// The process.
    pub host: Host,
    /// The service.
    pub service: Open,
    /// The same database, without anything between.
    pub bare: Pool,
    channels: Vec<Channel>,
    running: Running,
    args: DatabaseArgs,
    postgres: Option<Postgres>,
    _data: TempDir,
}

impl Roadmap {
    /// Starts it on an empty database, without a broker.
    pub async fn start(engine: Engine) -> Result<Self> {
        let roadmap = Self::open(engine).await?;
        roadmap.service.start(&roadmap.host, &EventArgs::default(), Transport::None);
        Ok(roadmap)
    }

    /// The same, where a file says how much callers may ask.
    pub async fn start_limited(engine: Engine, limits: &Path) -> Result<Self> {
        let mut host = Host::local(Clock::system(), Ids::system())?;
        host.limits = Some(waymark_runtime::limits::open(limits, &host).await?);
        let roadmap = Self::on(host, engine, false).await?;
        roadmap.service.start(&roadmap.host, &EventArgs::default(), Transport::None);
        Ok(roadmap)
    }

    /// The same on PostgreSQL, where row-level security separates workspaces, and tokens and policies decide if they are known.
    pub async fn start_separated(known: Option<&Known>) -> Result<Self> {
        let mut host = Host::local(Clock::system(), Ids::system())?;
        if let Some(known) = known {
            known.take_hold(&mut host).await?;
        }
        let roadmap = Self::on(host, Engine::Postgres, true).await?;
        roadmap.service.start(&roadmap.host, &EventArgs::default(), Transport::None);
        Ok(roadmap)
    }

    /// The same, where tokens tell who calls and policies what it may.
    pub async fn start_known(engine: Engine, known: &Known) -> Result<Self> {
        let mut host = Host::local(Clock::system(), Ids::system())?;
        known.take_hold(&mut host).await?;
        let roadmap = Self::on(host, engine, false).await?;
        roadmap.service.start(&roadmap.host, &EventArgs::default(), Transport::None);
        Ok(roadmap)
    }

    /// Serves it on an empty database; what it does in the background is not started.
    pub async fn open(engine: Engine) -> Result<Self> {
        Self::on(Host::local(Clock::system(), Ids::system())?, engine, false).await
    }

    async fn on(host: Host, engine: Engine, separated: bool) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Postgres::start_durable()?),
        };
        let database_url = match &postgres {
            Some(postgres) => Some(postgres.empty().await?),
            None => None,
        };
        let args = DatabaseArgs {
            database_url,
            database_connections: CONNECTIONS,
            data_dir: data.path().to_owned(),
            ..DatabaseArgs::default()
        };
        let args = match &postgres {
            Some(postgres) if separated => postgres.separated().await?.owner_args(&args),
            _ => args,
        };
        let service = SERVICE.open(&host, &args, &()).await?;
        let listen = Some((Ipv4Addr::LOCALHOST, 0).into());
        let running = service.serve(&host, &ServerArgs { listen, ..ServerArgs::default() }).await?;
        let bare = Pool::connect(&args.url(waymark_roadmap::NAME), CONNECTIONS).await?;
        let channels = channels(running.address())?;
        Ok(Self { host, service, bare, channels, running, args, postgres, _data: data })
    }

    /// Where a further service may have a database, of its own name.
    pub async fn another_database(&self) -> Result<DatabaseArgs> {
        let database_url = match &self.postgres {
            Some(postgres) => Some(postgres.empty().await?),
            None => None,
        };
        Ok(DatabaseArgs { database_url, ..self.args.clone() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// The connection that worker number `worker` uses.
    pub fn channel(&self, worker: usize) -> Channel {
        self.channels[worker % CHANNELS].clone()
    }

    /// A client for worker number `worker`.
    pub fn client(&self, worker: usize) -> RoadmapServiceClient<Channel> {
        RoadmapServiceClient::new(self.channel(worker))
    }

    /// The process of the database server, if there is one.
    pub fn server(&self) -> Option<i32> {
        self.postgres.as_ref().and_then(Postgres::pid)
    }

    /// What the database calls itself.
    pub async fn version(&self) -> Result<String> {
        Ok(match &self.bare {
            Pool::Sqlite { reader, .. } => version_of_sqlite(reader).await?,
            Pool::Postgres(pool) => version_of_postgres(pool).await?,
        })
    }

    /// Ends it.
    pub async fn stop(self) {
        self.host.stop(vec![self.running]).await;
    }
}

async fn version_of_sqlite(pool: &SqlitePool) -> Result<String> {
    Ok(sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?)
}

async fn version_of_postgres(pool: &PgPool) -> Result<String> {
    Ok(sqlx::query_scalar("SHOW server_version").fetch_one(pool).await?)
}

/// Connections to a server.
pub fn channels(address: SocketAddr) -> Result<Vec<Channel>> {
    (0..CHANNELS)
        .map(|_| Ok(Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect_lazy()))
        .collect()
}

/// Creates an initiative like those that teams write.
pub fn create(workspace: &str, id: String) -> pb::CreateInitiativeRequest {
    let link = |target: &str| Evidence {
        target: format!("//discovery.waymark.dev/workspaces/{workspace}/{target}"),
        note: "seen".to_owned(),
    };
    let risk =
        |risk: Risk| pb::RiskAssessment { risk: risk.into(), evidence: vec![link("interviews/ada")], waiver: None };
    let initiative = pb::Initiative {
        display_name: format!("Guided setup {id}"),
        problem: "New accounts stay empty for a week because nobody finds the first step. ".repeat(3),
        hypothesis: "Five steps that end with something to show make more of them active. ".repeat(3),
        owner: "users/ada@example.com".to_owned(),
        evidence: vec![link("solutions/guided-setup"), link("opportunities/first-step")],
        risks: [Risk::Value, Risk::Usability, Risk::Feasibility, Risk::Viability].map(risk).to_vec(),
        expected_outcome: Some(pb::ExpectedOutcome {
            metric: format!("//metrics.waymark.dev/workspaces/{workspace}/metrics/activation"),
            change: Some(Range { low: 0.1, likely: 0.2, high: 0.3 }),
            window_days: 28,
        }),
        ..Default::default()
    };
    pb::CreateInitiativeRequest {
        parent: format!("workspaces/{workspace}"),
        initiative_id: id,
        initiative: Some(initiative),
        ..Default::default()
    }
}

/// How long something that must happen may take before the bench gives up.
pub const PATIENCE: Duration = Duration::from_mins(1);
