//! The database of a service: connections, their settings, and where the clock comes from.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::sqlx::Connection as _;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbBackend, DbErr, QueryResult, Statement};
use tokio_util::task::TaskTracker;
use waymark_clock::{Clock, Ids};

use crate::connections::Connections;
use crate::holding::Holding;
use crate::lookups::Lookups;
use crate::place::Looks;
use crate::postgres::{Login, PostgresFiles, give_password, secured};
use crate::table::Collection;
use crate::turn::Turns;
use crate::{Error, Heads};

/// Bounds of the times that are counted.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
/// Pages of its log that SQLite brings to their places at once, 16 MiB: many writes touch the same pages, so the more it
/// waits the fewer there are to bring. Reads look them up in an index of the log, which is small beside them.
const WAL_PAGES: &str = "4000";
/// Pages that the connection which writes keeps, 16 MiB (a negative number is of KiB): a batch that changes more than it
/// keeps writes some of them twice.
const WRITER_CACHE: &str = "-16384";
/// Rows that a list looks at for a page at most, beside those on it. A row is found and read in some microseconds.
pub(crate) const LOOKED_AT: u64 = 5_000;
/// What a write may take beyond the longest statement.
const SPARE: Duration = Duration::from_secs(5);

/// How to connect.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `sqlite://path/to/file.db` or `postgres://user:password@host:port/database`.
    pub url: String,
    /// Files that connections to PostgreSQL are made by.
    pub files: PostgresFiles,
    /// The password for PostgreSQL, instead of one in the address.
    pub password: Option<String>,
    /// Who reaches the rows of all workspaces on PostgreSQL, where `url` names a role that reaches those of the
    /// workspace which it tells, and no others.
    pub keeper: Option<Login>,
    /// Connections at most: half for writes, half for reads; on SQLite the readers beside the one writer. The keeper
    /// has half as many besides.
    pub max_connections: u32,
    /// A pooler stands between that hands a connection to PostgreSQL on after each transaction.
    pub transaction_pooling: bool,
    /// How long a request waits for a free connection.
    pub acquire_timeout: Duration,
    /// How long the database may work on one statement (PostgreSQL).
    pub statement_timeout: Duration,
}

/// Who a password is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginOf {
    /// Whose connections calls are answered by.
    Calls,
    /// The keeper.
    Keeper,
}

impl StoreOptions {
    /// The defaults for a database.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            files: PostgresFiles::default(),
            password: None,
            keeper: None,
            max_connections: 16,
            transaction_pooling: false,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
        }
    }
}

/// A service's database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    /// Where writes begin: on SQLite a single connection, since there can be one writer.
    pub(crate) writer: Connections,
    pub(crate) reader: Connections,
    /// What reaches all workspaces, where the other two reach the one that is told.
    pub(crate) keeper: Option<Connections>,
    clock: Clock,
    pub(crate) ids: Ids,
    heads: Heads,
    pub(crate) looks: Looks,
    pub(crate) lookups: Lookups,
    pub(crate) turns: Turns,
    /// What serves turns, and what must be finished though nobody waits for it.
    pub(crate) tasks: TaskTracker,
    pub(crate) acquire_timeout: Duration,
    /// How long a write may take, and its commit: longer than any single statement may.
    pub(crate) patience: Duration,
    /// Rows that a list looks at for a page at most.
    pub(crate) looked_at: u64,
    /// How long writes waited for their turn, a connection and BEGIN, or took as one statement, with the label that
    /// tells the services of a process apart.
    wait: Option<(Histogram<f64>, KeyValue)>,
    /// The tables of resources, where they are known.
    pub(crate) collections: Arc<[Collection]>,
    /// The table whose resources hold revisions, if there is one.
    pub(crate) holding: Option<Holding>,
}

fn sqlite_options(options: SqliteConnectOptions) -> SqliteConnectOptions {
    // WAL lets readers go on beside the writer; FULL makes a commit survive a power cut.
    options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", WAL_PAGES)
        .busy_timeout(Duration::from_secs(10))
        .foreign_keys(true)
}

fn connecting(options: &StoreOptions, url: &str) -> ConnectOptions {
    let mut connect = ConnectOptions::new(url);
    // `connect_timeout` is what sea-orm hands to the pool as the time to wait for a connection.
    connect
        .connect_timeout(options.acquire_timeout)
        .acquire_timeout(options.acquire_timeout)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .test_before_acquire(false);
    connect
}

async fn postgres(options: &StoreOptions, login: &Login, connections: u32) -> Result<Connections, DbErr> {
    let mut connect = connecting(options, &login.url);
    // A connection that the server closed is found out by a ping, but only after it lay idle.
    connect.max_connections(connections).min_connections(1).test_before_acquire_if_idle_for(Duration::from_secs(1));
    // A stopped replica must not keep a workspace locked, nor a locked workspace all connections of the others. A
    // statement that looks costly, as recursions do, is not worth the second that compiling it takes.
    let (files, password) = (options.files.clone(), login.password.clone());
    let (transaction_pooling, longest) =
        (options.transaction_pooling, format!("{}ms", options.statement_timeout.as_millis()));
    connect.map_sqlx_postgres_opts(move |o| {
        let settings = [
            ("statement_timeout", longest.as_str()),
            ("idle_in_transaction_session_timeout", "30s"),
            ("lock_timeout", "4s"),
            ("jit", "off"),
        ];
        // A pooler refuses them; its roles have them then.
        let o = if transaction_pooling {
            o.statement_cache_capacity(0).extra_float_digits(None)
        } else {
            o.options(settings)
        };
        let o = secured(o, &files);
        if let Some(password) = &password { o.password(password) } else { o }
    });
    Ok(Connections::new(Database::connect(connect).await?, options.transaction_pooling))
}

impl Store {
    /// Connects. A SQLite file is made when there is none.
    pub async fn connect(options: &StoreOptions, clock: &Clock, ids: &Ids) -> Result<Self, Error> {
        let (writer, reader) = if options.url.starts_with("sqlite:") {
            let sqlite = |connections: u32| {
                let mut connect = connecting(options, &options.url);
                connect.max_connections(connections).min_connections(1).idle_timeout(None).max_lifetime(None);
                connect.map_sqlx_sqlite_opts(sqlite_options);
                connect
            };
            let mut writer = sqlite(1);
            // What savepoints may have to put back is kept in memory, instead of a file that is made anew for each commit.
            writer.map_sqlx_sqlite_opts(|o| {
                sqlite_options(o).pragma("temp_store", "memory").pragma("cache_size", WRITER_CACHE)
            });
            // After a full disk or an input-output error SQLite has ended the transaction by itself and the driver has
            // not noticed: later "commits" would only release savepoints. A connection that believes itself in a
            // transaction is not used again. The ping waits for a rollback that is under way.
            writer.map_sqlx_sqlite_pool_opts(|o| {
                o.after_release(|connection, _| {
                    Box::pin(async move {
                        connection.ping().await?;
                        Ok(!connection.is_in_transaction())
                    })
                })
            });
            let writer = Database::connect(writer).await?;
            let reader = Database::connect(sqlite(options.max_connections)).await?;
            (Connections::new(writer, false), Connections::new(reader, false))
        } else {
            // Reads have connections of their own, so that writers that wait for one workspace do not stop them.
            let (writes, reads) = ((options.max_connections / 2).max(1), options.max_connections.div_ceil(2).max(1));
            let calls = Login { url: options.url.clone(), password: options.password.clone() };
            (postgres(options, &calls, writes).await?, postgres(options, &calls, reads).await?)
        };
        let keeper = match &options.keeper {
            Some(keeper) => Some(postgres(options, keeper, (options.max_connections / 2).max(1)).await?),
            None => None,
        };
        Ok(Self {
            writer,
            reader,
            keeper,
            clock: clock.clone(),
            ids: ids.clone(),
            heads: Heads::default(),
            looks: Looks::default(),
            lookups: Lookups::default(),
            turns: Turns::default(),
            tasks: TaskTracker::new(),
            patience: options.statement_timeout + SPARE,
            acquire_timeout: options.acquire_timeout,
            looked_at: LOOKED_AT,
            wait: None,
            collections: Arc::from([]),
            holding: None,
        })
    }

    /// The same, measuring how long the writes of `service` wait for a connection.
    #[must_use]
    pub fn measured(mut self, meter: &Meter, service: &'static str) -> Self {
        let wait = meter
            .f64_histogram("waymark.db.wait")
            .with_unit("s")
            .with_boundaries(SECONDS.to_vec())
            .with_description("Time a write waits for its turn, a connection and BEGIN; of a write that is one statement all its time");
        self.wait = Some((wait.build(), KeyValue::new("service", service)));
        self
    }

    pub(crate) fn waited(&self, time: Duration) {
        if let Some((wait, service)) = &self.wait {
            wait.record(time.as_secs_f64(), std::slice::from_ref(service));
        }
    }

    /// Which database it is.
    pub(crate) fn backend(&self) -> DbBackend {
        self.reader.get_database_backend()
    }

    /// The newest known revisions.
    pub fn heads(&self) -> &Heads {
        &self.heads
    }

    /// The time, in microseconds.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The connections that writes begin on, for tests that disturb them. On SQLite it is the one all writes use.
    #[cfg(feature = "testing")]
    pub fn writer(&self) -> &sea_orm::DatabaseConnection {
        &self.writer.pool
    }

    /// The same with lists that look at fewer rows for a page, for tests of what they do where there are more.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn looking_at(mut self, rows: u64) -> Self {
        self.looked_at = rows;
        self
    }

    /// Whether the database answers those by whom calls are.
    pub async fn ping(&self) -> Result<(), Error> {
        let ping = Query::select().expr(Expr::val(1)).take();
        self.reader.query_one(&ping).await.map(|_| ()).map_err(|error| self.error(error))
    }

    /// Whether the database separates workspaces, and has to be told which one a statement is of.
    pub(crate) fn separates(&self) -> bool {
        self.keeper.is_some()
    }

    /// Makes connections to PostgreSQL from now on with another password; those there are stay.
    pub fn give_password(&self, of: LoginOf, password: &str) {
        if self.backend() == DbBackend::Postgres {
            let pools = match of {
                LoginOf::Calls => vec![&self.writer, &self.reader],
                LoginOf::Keeper => self.keeper.iter().collect(),
            };
            for pool in pools {
                give_password(&pool.pool, password);
            }
        }
    }

    /// Closes the connections; later calls fail.
    pub async fn close(&self) -> Result<(), Error> {
        for pool in [&self.writer, &self.reader].into_iter().chain(&self.keeper) {
            pool.pool.clone().close().await?;
        }
        Ok(())
    }

    /// The first row that a statement answers which is a write by itself.
    pub(crate) async fn query_one_on_writer(&self, statement: Statement) -> Result<Option<QueryResult>, Error> {
        self.writer.query_one_raw(statement).await.map_err(|e| self.error(e))
    }

    pub(crate) fn error(&self, error: sea_orm::DbErr) -> Error {
        match error {
            sea_orm::DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout) => Error::Busy(self.acquire_timeout),
            other => Error::Database(other),
        }
    }
}
