//! The peers: what the same work costs with nothing around it. A tonic handler that is one select, a transaction that
//! is two inserts.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr as _;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Result;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use waymark_proto::roadmap::v1 as pb;

/// Connections to the service's database.
#[derive(Debug, Clone)]
pub enum Pool {
    /// One writer and many readers, set up as the service sets them up.
    Sqlite {
        /// Reads.
        reader: SqlitePool,
        /// Writes.
        writer: SqlitePool,
    },
    /// A pool.
    Postgres(PgPool),
}

impl Pool {
    /// Connects to an existing database.
    pub async fn connect(url: &str, connections: u32) -> Result<Self> {
        if !url.starts_with("sqlite:") {
            return Ok(Self::Postgres(
                PgPoolOptions::new().max_connections(connections).test_before_acquire(false).connect(url).await?,
            ));
        }
        let options = SqliteConnectOptions::from_str(url)?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", "4000")
            .busy_timeout(Duration::from_secs(10));
        let pool = |connections| SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
        let writer = pool(1).connect_with(options.clone()).await?;
        Ok(Self::Sqlite { reader: pool(connections).connect_with(options).await?, writer })
    }

    /// Runs a statement that writes.
    pub async fn execute(&self, statement: &str) -> Result<(), sqlx::Error> {
        let statement = sqlx::AssertSqlSafe(statement);
        match self {
            Self::Sqlite { writer, .. } => sqlx::raw_sql(statement).execute(writer).await.map(|_| ()),
            Self::Postgres(pool) => sqlx::raw_sql(statement).execute(pool).await.map(|_| ()),
        }
    }

    /// The number that a statement answers.
    pub async fn count(&self, statement: &'static str) -> Result<i64, sqlx::Error> {
        match self {
            Self::Sqlite { reader, .. } => sqlx::query_scalar(statement).fetch_one(reader).await,
            Self::Postgres(pool) => sqlx::query_scalar(statement).fetch_one(pool).await,
        }
    }

    /// How many rows a statement answers, once all are read.
    pub async fn rows(&self, statement: String) -> Result<usize, sqlx::Error> {
        let statement = sqlx::AssertSqlSafe(statement);
        match self {
            Self::Sqlite { reader, .. } => Ok(sqlx::query(statement).fetch_all(reader).await?.len()),
            Self::Postgres(pool) => Ok(sqlx::query(statement).fetch_all(pool).await?.len()),
        }
    }

    /// The body of one initiative, by key.
    pub async fn select(&self, workspace: &str, id: &str) -> Result<String, sqlx::Error> {
        match self {
            Self::Sqlite { reader, .. } => {
                let query = sqlx::query_scalar("SELECT body FROM initiatives WHERE workspace = $1 AND id = $2");
                query.bind(workspace).bind(id).fetch_one(reader).await
            }
            Self::Postgres(pool) => {
                let query = sqlx::query_scalar("SELECT body::text FROM initiatives WHERE workspace = $1 AND id = $2");
                query.bind(workspace).bind(id).fetch_one(pool).await
            }
        }
    }

    /// Tables for [`Pool::insert_twice`].
    pub async fn prepare(&self) -> Result<()> {
        self.execute(
            "CREATE TABLE IF NOT EXISTS bare_links (workspace text, id text, field text, target text,
             PRIMARY KEY (workspace, id, field, target))",
        )
        .await?;
        self.execute("CREATE INDEX IF NOT EXISTS bare_links_target ON bare_links (workspace, target, field, id)")
            .await?;
        for table in ["bare_state", "bare_log"] {
            match self {
                Self::Sqlite { writer, .. } => {
                    let sql = format!(
                        "CREATE TABLE IF NOT EXISTS {table} (workspace text, id text, body text, PRIMARY KEY (workspace, id))"
                    );
                    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(writer).await?;
                }
                Self::Postgres(pool) => {
                    let sql = format!(
                        "CREATE TABLE IF NOT EXISTS {table} (workspace text, id text, body jsonb, PRIMARY KEY (workspace, id))"
                    );
                    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(pool).await?;
                }
            }
        }
        Ok(())
    }

    /// One transaction of two inserts, and one more for the links, if there are any.
    pub async fn insert_twice(&self, workspace: &str, id: &str, body: &str, links: i32) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite { writer, .. } => {
                let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
                for sql in ["INSERT INTO bare_state VALUES ($1, $2, $3)", "INSERT INTO bare_log VALUES ($1, $2, $3)"] {
                    sqlx::query(sql).bind(workspace).bind(id).bind(body).execute(&mut *transaction).await?;
                }
                for link in 0..links {
                    let sql = "INSERT INTO bare_links VALUES ($1, $2, $3, $4)";
                    let target = format!("target{link}");
                    let query = sqlx::query(sql).bind(workspace).bind(id).bind("links").bind(target);
                    query.execute(&mut *transaction).await?;
                }
                transaction.commit().await
            }
            Self::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                for sql in [
                    "INSERT INTO bare_state VALUES ($1, $2, $3::jsonb)",
                    "INSERT INTO bare_log VALUES ($1, $2, $3::jsonb)",
                ] {
                    sqlx::query(sql).bind(workspace).bind(id).bind(body).execute(&mut *transaction).await?;
                }
                if links > 0 {
                    let sql =
                        "INSERT INTO bare_links SELECT $1, $2, 'links', 'target' || n FROM generate_series(1, $3) n";
                    sqlx::query(sql).bind(workspace).bind(id).bind(links).execute(&mut *transaction).await?;
                }
                transaction.commit().await
            }
        }
    }

    /// One transaction of two inserts for each of `ids`; on PostgreSQL two statements for all.
    pub async fn insert_all_twice(&self, workspace: &str, ids: &[String], body: &str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite { writer, .. } => {
                let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
                for sql in ["INSERT INTO bare_state VALUES ($1, $2, $3)", "INSERT INTO bare_log VALUES ($1, $2, $3)"] {
                    for id in ids {
                        sqlx::query(sql).bind(workspace).bind(id).bind(body).execute(&mut *transaction).await?;
                    }
                }
                transaction.commit().await
            }
            Self::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                let bodies = vec![body; ids.len()];
                for sql in [
                    "INSERT INTO bare_state SELECT $1, * FROM unnest($2::text[], $3::text[]::jsonb[])",
                    "INSERT INTO bare_log SELECT $1, * FROM unnest($2::text[], $3::text[]::jsonb[])",
                ] {
                    let sent = sqlx::query(sql);
                    sent.bind(workspace).bind(ids).bind(&bodies).execute(&mut *transaction).await?;
                }
                transaction.commit().await
            }
        }
    }

    /// Serves GetInitiative as one select whose text is passed on unread. Ends with the process.
    pub fn serve(&self) -> Result<SocketAddr> {
        let incoming = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into())?.with_nodelay(Some(true));
        let address = incoming.local_addr()?;
        let server = Server::builder().add_service(Handler(self.clone())).serve_with_incoming(incoming);
        // A bench that is over takes its servers along.
        #[expect(clippy::disallowed_methods, reason = "the peer is to have nothing around it, also no task tracker")]
        drop(tokio::spawn(server));
        Ok(address)
    }
}

#[derive(Clone)]
struct Handler(Pool);

impl NamedService for Handler {
    const NAME: &'static str = "waymark.roadmap.v1.RoadmapService";
}

impl Service<http::Request<tonic::body::Body>> for Handler {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let handler = self.clone();
        Box::pin(async move { Ok(Grpc::new(tonic_prost::ProstCodec::default()).unary(handler, request).await) })
    }
}

impl UnaryService<pb::GetInitiativeRequest> for Handler {
    type Response = pb::Initiative;
    type Future = BoxFuture<Response<pb::Initiative>, Status>;

    fn call(&mut self, request: Request<pb::GetInitiativeRequest>) -> Self::Future {
        let pool = self.0.clone();
        Box::pin(async move {
            let name = request.into_inner().name;
            let mut parts = name.split('/').skip(1).step_by(2);
            let (workspace, id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let problem = pool.select(workspace, id).await.map_err(|error| Status::internal(error.to_string()))?;
            Ok(Response::new(pb::Initiative { problem, ..Default::default() }))
        })
    }
}
