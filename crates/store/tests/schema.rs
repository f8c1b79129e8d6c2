//! A schema that moves, on both databases: fresh and upgraded, killed half-way, beside older programs and others' locks.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::{join_all, try_join_all};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement, TransactionTrait as _};
use waymark_domain::roadmap::Product;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::schema::foundation;
use waymark_store::{
    Backfill, Column, Columns, Declaration, Error, ListQuery, Migration, Ruled, Schema, SchemaError, Script, Store,
    StoreOptions, Table,
};
use waymark_testkit::sample::{self, INITIAL, Products, SCHEMA as FIRST, call, create, created};
use waymark_testkit::schema::{catalogue, empty, missing};
use waymark_testkit::{Engine, TestDatabase, host};

/// The second release has a column more.
struct Wider;

impl Table for Wider {
    type Resource = Product;
    type Message = pb::Product;
    const TABLE: &'static str = "products";
    const COLUMNS: Columns<Product> = &[
        Column::text("vision", |p: &Product| Some(p.vision.clone())).indexed(),
        Column::integer("length", |p| i64::try_from(p.strategy.len()).ok()),
        Column::text("strategy", strategy).indexed(),
    ];
}

impl Ruled for Wider {}

/// The third has the column of the second, and no longer one of the first.
struct Narrower;

impl Table for Narrower {
    type Resource = Product;
    type Message = pb::Product;
    const TABLE: &'static str = "products";
    const COLUMNS: Columns<Product> = &[
        Column::text("vision", |p: &Product| Some(p.vision.clone())).indexed(),
        Column::text("strategy", |p| {
            assert_ne!(ROWS_TO_LIVE.fetch_sub(1, Ordering::Relaxed), 1, "killed");
            strategy(p)
        })
        .indexed(),
    ];
}

impl Ruled for Narrower {}

/// After as many more rows a backfill of [`Narrower`] dies.
static ROWS_TO_LIVE: AtomicI64 = AtomicI64::new(0);

#[expect(clippy::unnecessary_wraps, reason = "the form that a column takes its value in")]
fn strategy(product: &Product) -> Option<String> {
    Some(product.strategy.clone())
}

const fn strategy_added<T: Ruled>() -> Migration {
    Migration {
        number: 2,
        name: "strategy",
        scripts: &[Script {
            postgres: "ALTER TABLE products ADD COLUMN strategy text COLLATE \"C\";
                       CREATE INDEX products_strategy ON products (workspace, strategy, id);",
            sqlite: "ALTER TABLE products ADD COLUMN strategy text;
                     CREATE INDEX products_strategy ON products (workspace, strategy, id);",
        }],
        oldest: 1,
        backfill: Some(Backfill::columns::<T>("strategy of products")),
    }
}

const LENGTH_DROPPED: Migration = Migration {
    number: 3,
    name: "no_length",
    scripts: &[Script {
        postgres: "ALTER TABLE products DROP COLUMN length",
        sqlite: "ALTER TABLE products DROP COLUMN length",
    }],
    oldest: 3,
    backfill: None,
};

static LABELLED: Schema = Schema::new(
    &[INITIAL, foundation::further(2, 1, Backfill::labels::<Products>("labels of products"))],
    &[Declaration::of::<Products>()],
);
static SECOND: Schema = Schema::new(&[INITIAL, strategy_added::<Wider>()], &[Declaration::of::<Wider>()]);
static THIRD: Schema =
    Schema::new(&[INITIAL, strategy_added::<Narrower>(), LENGTH_DROPPED], &[Declaration::of::<Narrower>()]);

/// An empty database, and a store on it.
async fn start(engine: Engine) -> (Store, TestDatabase) {
    let database = empty(engine).await.unwrap();
    (another(&database).await, database)
}

/// A further process's store.
async fn another(database: &TestDatabase) -> Store {
    let (host, _) = host(7);
    Store::connect(&StoreOptions::new(database.url()), &host.clock, &host.ids).await.unwrap()
}

async fn create_many<T: Ruled<Resource = Product, Message = pb::Product>>(store: &Store, count: usize) {
    let creating = (0..count).map(async |n| {
        let (workspace, id) = (format!("workspaces/w{}", n % 3), format!("p{n:03}"));
        let product = pb::Product { strategy: format!("strategy {n}"), ..sample::product(&id, "v") };
        store.create_blind::<T, _>(&call(), &workspace, &id, Some(product), created).await
    });
    try_join_all(creating).await.unwrap();
}

/// What rows are found by.
async fn rows(database: &TestDatabase) -> Vec<(String, String, Option<String>, Option<String>)> {
    let sql = "SELECT workspace, id, vision, strategy FROM products ORDER BY workspace, id";
    let rows = query(&database.connect().await.unwrap(), sql).await;
    rows.iter().map(|row| row.try_get_many_by_index().unwrap()).collect()
}

async fn query(connection: &DatabaseConnection, sql: &str) -> Vec<sea_orm::QueryResult> {
    connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await.unwrap()
}

#[tokio::test]
async fn migrations_lead_to_what_is_declared() {
    for engine in Engine::each() {
        for schema in [&FIRST, &SECOND, &THIRD] {
            assert_eq!(missing(engine, schema).await.unwrap(), [""; 0], "{engine:?}, schema {}", schema.number());
        }
    }
}

#[tokio::test]
async fn an_upgrade_killed_half_way_goes_on_and_equals_a_fresh_database() {
    for engine in Engine::each() {
        let (store, database) = start(engine).await;
        store.migrate(&FIRST).await.unwrap();
        create_many::<sample::Products>(&store, 450).await;

        ROWS_TO_LIVE.store(250, Ordering::Relaxed);
        let killed = std::panic::AssertUnwindSafe(store.migrate(&THIRD)).catch_unwind().await;
        assert!(killed.is_err(), "{engine:?}: {killed:?}");
        let filled = rows(&database).await.iter().filter(|row| row.3.is_some()).count();
        assert_eq!(filled, 200, "{engine:?}: the batch that was committed, and no row of the next");
        let error = store.check_schema(&THIRD).await.unwrap_err();
        assert!(matches!(error, Error::Schema(SchemaError::Backfilling("strategy of products"))), "{error}");

        // Two that go on together take turns.
        let (a, b) = (another(&database).await, another(&database).await);
        for done in join_all([a.migrate(&THIRD), b.migrate(&THIRD)]).await {
            done.unwrap();
        }
        a.check_schema(&THIRD).await.unwrap();

        let (store, fresh) = start(engine).await;
        store.migrate(&THIRD).await.unwrap();
        create_many::<Narrower>(&store, 450).await;
        assert_eq!(rows(&database).await, rows(&fresh).await, "{engine:?}");
        assert_eq!(catalogue(database.url()).await.unwrap(), catalogue(fresh.url()).await.unwrap(), "{engine:?}");
    }
}

#[tokio::test]
async fn labels_of_before_are_found() {
    for engine in Engine::each() {
        let (store, database) = start(engine).await;
        store.migrate(&FIRST).await.unwrap();
        for (id, key, value) in [("a", "team", "growth"), ("b", "team", "o'core"), ("c", "a.b", "x")] {
            let labels = [(key.to_owned(), value.to_owned())].into();
            let product = pb::Product { labels, ..sample::product(id, "") };
            store.create_blind::<Products, _>(&call(), "workspaces/acme", id, Some(product), created).await.unwrap();
        }
        // A program of before kept none.
        database.execute(&["DELETE FROM labels"]).await.unwrap();
        let found = async |filter| {
            // One row is few, three are not.
            let query = ListQuery { parent: "workspaces/acme", filter, ..ListQuery::default() };
            let page = store.clone().looking_at(2).list::<Products>(query).await.unwrap();
            (page.items.len(), page.next_page_token.is_empty())
        };
        assert_eq!(found("labels.team = growth").await, (0, true), "no label is kept");
        store.migrate(&LABELLED).await.unwrap();
        assert_eq!(found("labels.team = growth").await, (1, true));
        assert_eq!(found(r#"labels.team = "o'core""#).await, (1, true));
        assert_eq!(found(r#"labels."a.b":*"#).await, (1, true));
    }
}

#[tokio::test]
async fn an_older_program_starts_where_the_schema_allows_it() {
    for engine in Engine::each() {
        let (newer, database) = start(engine).await;
        newer.migrate(&SECOND).await.unwrap();
        let older = another(&database).await;
        older.migrate(&FIRST).await.unwrap();
        older.check_schema(&FIRST).await.unwrap();

        // What it writes is found by the newer one, once that has started again.
        create_many::<sample::Products>(&older, 1).await;
        assert_eq!(rows(&database).await[0].3, None, "{engine:?}");
        newer.migrate(&SECOND).await.unwrap();
        assert_eq!(rows(&database).await[0].3.as_deref(), Some("strategy 0"), "{engine:?}");
    }
}

#[tokio::test]
async fn an_older_program_is_refused_where_the_schema_does_not_allow_it() {
    for engine in Engine::each() {
        let (newer, database) = start(engine).await;
        newer.migrate(&THIRD).await.unwrap();
        let older = another(&database).await;
        for refused in [older.migrate(&SECOND).await, older.check_schema(&SECOND).await] {
            let error = refused.unwrap_err();
            assert!(
                matches!(error, Error::Schema(SchemaError::TooNew { database: 3, oldest: 3, program: 2 })),
                "{engine:?}: {error}"
            );
            assert!(error.to_string().contains("start a newer version"), "{error}");
            assert!(!error.is_transient(), "waiting does not help");
        }
    }
}

#[tokio::test]
async fn a_newer_program_is_not_ready_on_an_older_schema() {
    for engine in Engine::each() {
        let (store, _database) = start(engine).await;
        let behind =
            |error, number| matches!(error, Error::Schema(SchemaError::Behind { number: n, .. }) if n == number);
        assert!(behind(store.check_schema(&FIRST).await.unwrap_err(), 1), "{engine:?}: empty");
        store.migrate(&FIRST).await.unwrap();
        assert!(behind(store.check_schema(&SECOND).await.unwrap_err(), 2), "{engine:?}");
    }
}

#[tokio::test]
async fn a_database_made_from_other_statements_is_refused() {
    const OTHER: Migration = Migration { scripts: &[Script { postgres: "SELECT 1", sqlite: "SELECT 1" }], ..INITIAL };
    static CHANGED: Schema = Schema::new(&[OTHER], &[]);
    for engine in Engine::each() {
        let (store, _database) = start(engine).await;
        store.migrate(&FIRST).await.unwrap();
        for refused in [store.migrate(&CHANGED).await, store.check_schema(&CHANGED).await] {
            let error = refused.unwrap_err();
            assert!(matches!(error, Error::Schema(SchemaError::Changed { number: 1, .. })), "{engine:?}: {error}");
        }
    }
}

#[tokio::test]
async fn migrations_that_start_together_do_not_race() {
    for engine in Engine::each() {
        let (a, database) = start(engine).await;
        let b = another(&database).await;
        for done in join_all([a.migrate(&SECOND), b.migrate(&SECOND)]).await {
            done.unwrap();
        }
        b.check_schema(&SECOND).await.unwrap();
    }
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing() {
    const BROKEN: Migration = Migration {
        scripts: &[Script {
            postgres: "CREATE TABLE half (id text); CREATE TABLE products (id text)",
            sqlite: "CREATE TABLE half (id text); CREATE TABLE products (id text)",
        }],
        backfill: None,
        ..strategy_added::<Wider>()
    };
    static SCHEMA: Schema = Schema::new(&[INITIAL, BROKEN], &[]);
    for engine in Engine::each() {
        let (store, database) = start(engine).await;
        store.migrate(&FIRST).await.unwrap();
        let before = catalogue(database.url()).await.unwrap();
        store.migrate(&SCHEMA).await.unwrap_err();
        assert_eq!(catalogue(database.url()).await.unwrap(), before, "{engine:?}");
        store.check_schema(&FIRST).await.unwrap();
        store.migrate(&SECOND).await.unwrap();
    }
}

#[tokio::test]
async fn a_table_in_use_is_waited_for_and_others_go_on() {
    const HOLD: Duration = Duration::from_millis(5_500);
    for engine in Engine::each() {
        let (store, database) = start(engine).await;
        store.migrate(&FIRST).await.unwrap();
        create(&store, "a", "").await;
        let (holder, reader) = (database.connect().await.unwrap(), another(&database).await);
        let held = holder.begin().await.unwrap();
        // A long report on PostgreSQL; on SQLite, where readers hold up nobody, a writer.
        let sql = if engine == Engine::Postgres { "SELECT 1 FROM products" } else { "DELETE FROM leases" };
        held.execute_unprepared(sql).await.unwrap();

        let migrating = async {
            store.migrate(&SECOND).await.unwrap();
            Instant::now()
        };
        let reading = async {
            let (begin, mut reads) = (Instant::now(), Vec::new());
            while begin.elapsed() < HOLD {
                let read = Instant::now();
                reader.get::<sample::Products>("workspaces/acme/products/a").await.unwrap();
                reads.push(read.elapsed());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            held.rollback().await.unwrap();
            (reads, Instant::now())
        };
        let (migrated, (reads, released)) = tokio::join!(migrating, reading);
        assert!(migrated > released, "{engine:?}: it needed the lock");
        let longest = reads.iter().max().unwrap();
        assert!(
            reads.len() > 20 && *longest < Duration::from_millis(3_500),
            "{engine:?}: {} reads, the longest {longest:?}",
            reads.len()
        );
        store.check_schema(&SECOND).await.unwrap();
    }
}
