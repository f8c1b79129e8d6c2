//! Workspaces in PostgreSQL: what policies let through, whoever asks and however the planner goes about it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use tokio_util::task::TaskTracker;
use waymark_domain::roadmap::ProductEvent;
use waymark_domain::{Change, WorkspaceId};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::standard::Create;
use waymark_store::schema::{SchemaError, Separation, WITHOUT_POLICY};
use waymark_store::{Error, ListQuery, LogFilter, Login, Position, Read as _, Store, StoreOptions, Table as _, Write};
use waymark_testkit::addresses::{CALLS, KEEPER};
use waymark_testkit::sample::{self, Products, call, product};
use waymark_testkit::{Engine, PgBouncer, Postgres, TestDatabase, host};

/// What else the planner does when it is kept from what it would rather do.
const PLANS: [&str; 6] = [
    "enable_nestloop = on",
    "enable_nestloop = off",
    "enable_hashjoin = off; SET enable_mergejoin = off",
    "enable_seqscan = off",
    "enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off",
    "plan_cache_mode = force_generic_plan",
];

async fn as_calls(database: &TestDatabase) -> DatabaseConnection {
    // One, as settings are of a connection.
    Database::connect(ConnectOptions::new(database.options().url).max_connections(1).to_owned()).await.unwrap()
}

async fn number(connection: &DatabaseConnection, sql: &str) -> i64 {
    let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// What the server calls it.
fn name_of(database: &TestDatabase) -> String {
    let url = database.url().split('?').next().unwrap_or_default();
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

fn create(workspace: &str, id: &str, vision: &str) -> Create<pb::Product> {
    Create { parent: format!("workspaces/{workspace}"), id: id.into(), resource: Some(product(id, vision)) }
}

/// Tables that have rows of workspaces.
async fn separated(database: &TestDatabase) -> Vec<String> {
    let connection = database.connect().await.unwrap();
    let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relforcerowsecurity";
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

#[tokio::test]
async fn statements_that_forget_their_workspace_find_and_change_nothing() {
    let (host, _) = host(7);
    let (store, database) = sample::store(Engine::Postgres, &host).await.unwrap();
    for workspace in ["acme", "rival"] {
        store.create::<Products>(&call(), create(workspace, "p", "secret")).await.unwrap();
    }
    let connection = as_calls(&database).await;
    let tables = separated(&database).await;
    assert!(tables.len() > 8, "{tables:?}");
    for table in &tables {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(number(&connection, &count).await, 0, "{table}");
    }
    for (told, tell) in [("", "SELECT 1"), ("acme", "SET waymark.workspace = 'acme'")] {
        connection.execute_unprepared(tell).await.unwrap();
        for change in [
            "UPDATE products SET display_name = 'x' WHERE workspace = 'rival'",
            "DELETE FROM products WHERE workspace = 'rival'",
            "UPDATE workspaces SET revision = 7 WHERE id = 'rival'",
            "DELETE FROM links WHERE workspace = 'rival'",
        ] {
            let done = connection.execute_unprepared(change).await.unwrap();
            assert_eq!(done.rows_affected(), 0, "{told:?}: {change}");
        }
        for add in [
            "INSERT INTO workspaces (id, revision) VALUES ('rival2', 1)",
            "INSERT INTO links (workspace, target, field, referrer, holds) VALUES ('rival', 'a', 'b', 'c', false)",
            "UPDATE products SET workspace = 'rival'",
        ] {
            let done = connection.execute_unprepared(add).await;
            let refused = done.as_ref().err().is_some_and(|e| e.to_string().contains("row-level security"));
            assert!(refused || done.is_ok_and(|done| done.rows_affected() == 0), "{told:?}: {add}");
        }
    }
    assert_eq!(number(&connection, "SELECT count(*) FROM products").await, 1, "its own");
    for refused in ["SELECT 1 FROM relay_cursors", "DELETE FROM log", "UPDATE log SET actor = 'x'", "DROP TABLE links"]
    {
        assert!(connection.execute_unprepared(refused).await.is_err(), "{refused}");
    }
    assert!(connection.execute_unprepared("ALTER TABLE log DISABLE ROW LEVEL SECURITY").await.is_err());
}

#[tokio::test]
async fn a_workspace_is_told_before_its_rows_are_looked_at_however_it_is_planned() {
    for plan in PLANS {
        let (host, _) = host(7);
        let (store, database) = sample::store(Engine::Postgres, &host).await.unwrap();
        drop(store);
        for role in [CALLS, KEEPER] {
            for setting in plan.split("; SET ") {
                let set = format!("ALTER ROLE {role} IN DATABASE {} SET {setting}", name_of(&database));
                Postgres::shared().unwrap().run(&set).await.unwrap();
            }
        }
        let store = Store::connect(&database.options(), &host.clock, &host.ids).await.unwrap().keeping(&sample::SCHEMA);
        let (call, acme) = (call(), WorkspaceId::from_id("acme").unwrap());
        store.create::<Products>(&call, create("rival", "p0", "theirs")).await.unwrap();
        // Blind, and then under the lock.
        let made = store.create::<Products>(&call, create("acme", "p0", "one")).await.unwrap();
        assert_eq!(made.revision, Some(1), "{plan}");
        for i in 1..20 {
            store.create::<Products>(&call, create("acme", &format!("p{i}"), "many")).await.unwrap();
        }
        let name = "workspaces/acme/products/p0";
        sample::update(&store, "p0", "two").await;
        let delete = async |_: &mut Write, product| Ok(Change::new(product, ProductEvent::Deleted));
        let gone = store.delete::<Products, _>(&call, "workspaces/acme/products/p1", "", delete).await.unwrap();
        assert_eq!(gone.revision, Some(22), "{plan}");
        assert_eq!(store.get::<Products>(name).await.unwrap().vision, "two", "{plan}");
        let list = ListQuery { parent: "workspaces/acme", page_size: 100, ..ListQuery::default() };
        let listed = store.list::<Products>(list).await.unwrap().items;
        assert_eq!(listed.len(), 19, "{plan}");
        let many = store.list::<Products>(ListQuery { filter: "vision = many", order_by: "vision desc", ..list }).await;
        assert_eq!(many.unwrap().items.len(), 18, "{plan}");
        let log = store
            .list_log(&acme, LogFilter { service: "roadmap", filter: "", page_size: 100, page_token: "", sight: None })
            .await;
        assert_eq!(log.unwrap().items.len(), 22, "{plan}");
        let mut view = store.view(&acme, Some(Position::Revision(20))).await.unwrap();
        let part = view.part::<Products>("", 100).await.unwrap();
        assert_eq!(part.items.len(), 20, "{plan}");
        assert!(part.items.iter().all(|product| product.name.starts_with("workspaces/acme/")), "{plan}");
        let past = view.find::<Products>(&name.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(past.vision, "one", "{plan}");
        drop(view);
        assert_eq!(store.revisions().await.unwrap().len(), 2, "the keeper sees all: {plan}");
    }
}

/// Has many work at once in many workspaces, and each look whether it meets a row of another.
async fn busy(store: &Store, rounds: usize) {
    let tracker = TaskTracker::new();
    let tasks = (0..64).map(|task| {
        let store = store.clone();
        tracker.spawn(async move {
            for round in 0..rounds {
                let id = format!("w{}", (task * 7 + round * 13) % 100);
                let (parent, product) = (format!("workspaces/{id}"), format!("t{task}-{round}"));
                let of_it = |found: &pb::Product| found.vision == id && found.name.starts_with(&format!("{parent}/"));
                let made = store.create::<Products>(&call(), create(&id, &product, &id)).await.unwrap().message;
                assert!(of_it(&made));
                let query = ListQuery { parent: &parent, page_size: 100, ..ListQuery::default() };
                assert!(store.list::<Products>(query).await.unwrap().items.iter().all(of_it));
                assert!(of_it(&store.get::<Products>(&made.name).await.unwrap()));
                let view = store.view(&WorkspaceId::from_id(&id).unwrap(), None).await.unwrap();
                assert!(view.part::<Products>("", 50).await.unwrap().items.iter().all(of_it));
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let kept: BTreeMap<_, _> = store.revisions().await.unwrap().into_iter().collect();
    assert_eq!(kept.values().sum::<i64>(), 64 * rounds as i64);
    assert!(kept.len() > 64, "{}", kept.len());
}

#[tokio::test]
async fn many_at_once_never_meet_a_row_of_another_workspace() {
    let (host, _) = host(7);
    let (_, database) = sample::store(Engine::Postgres, &host).await.unwrap();
    let options = StoreOptions { max_connections: 8, acquire_timeout: Duration::from_mins(1), ..database.options() };
    let store = Store::connect(&options, &host.clock, &host.ids).await.unwrap().keeping(&sample::SCHEMA);
    busy(&store, 25).await;
}

#[tokio::test]
async fn a_pooler_that_hands_connections_on_mixes_nothing_up() {
    let (host, _) = host(7);
    let (_, database) = sample::store(Engine::Postgres, &host).await.unwrap();
    let Some(pooler) = PgBouncer::start(Postgres::shared().unwrap(), 4).await.unwrap() else {
        eprintln!("not run: there is no PgBouncer on this machine; see what `make tools` says");
        return;
    };
    let options = StoreOptions {
        transaction_pooling: true,
        acquire_timeout: Duration::from_mins(1),
        ..pooler.before(database.addresses()).options()
    };
    let store = Store::connect(&options, &host.clock, &host.ids).await.unwrap().keeping(&sample::SCHEMA);
    store.check_schema(&sample::SCHEMA).await.unwrap();
    store.check_separation().await.unwrap();
    busy(&store, 5).await;
}

#[tokio::test]
async fn a_database_that_does_not_separate_as_it_is_used_is_refused() {
    let (host, _) = host(7);
    let (_, database) = sample::store(Engine::Postgres, &host).await.unwrap();
    let refused = async |options: StoreOptions| {
        let store = Store::connect(&options, &host.clock, &host.ids).await.unwrap();
        match store.check_separation().await {
            Err(Error::Schema(error)) => Some(error),
            other => other.map(|()| None).unwrap(),
        }
    };
    let options = || database.options();
    let login = |url: String| Some(Login { url, password: None });
    assert!(refused(options()).await.is_none());
    assert!(refused(StoreOptions::new(database.url())).await.is_none(), "one who owns all sees all");
    let alone = refused(StoreOptions { keeper: None, ..options() }).await;
    assert!(matches!(&alone, Some(SchemaError::Separated { role, .. }) if role == CALLS), "{alone:?}");
    let owns = refused(StoreOptions { url: database.url().to_owned(), ..options() }).await;
    assert!(matches!(owns, Some(SchemaError::NotBound { .. })), "{owns:?}");
    let same = refused(StoreOptions { keeper: login(options().url), ..options() }).await;
    assert!(matches!(&same, Some(SchemaError::NotKept { role, .. }) if role == CALLS), "{same:?}");
    let new = "CREATE TABLE added (workspace text NOT NULL); INSERT INTO added VALUES ('acme')";
    database.execute(&[new]).await.unwrap();
    let lacks = refused(options()).await;
    assert!(matches!(&lacks, Some(SchemaError::NotSeparated { table }) if table == "added"), "{lacks:?}");
    database.addresses().separate().await.unwrap();
    assert!(refused(options()).await.is_none(), "what a migration adds is separated after it");
    // Again changes nothing, and needs no lock.
    let owner = Store::connect(&StoreOptions::new(database.url()), &host.clock, &host.ids).await.unwrap();
    let held = database.connect().await.unwrap();
    held.execute_unprepared("BEGIN; LOCK TABLE added IN ACCESS SHARE MODE").await.unwrap();
    owner.separate(&Separation { calls: CALLS.into(), keeper: KEEPER.into() }).await.unwrap();
}

#[tokio::test]
async fn every_table_has_a_policy_or_a_reason_to_have_none() {
    let (host, _) = host(7);
    let (_, database) = sample::store(Engine::Postgres, &host).await.unwrap();
    let connection = database.connect().await.unwrap();
    let all = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, all)).await.unwrap();
    let tables: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    let separated = separated(&database).await;
    assert!(separated.iter().any(|table| table == Products::TABLE));
    for table in &tables {
        let reason = WITHOUT_POLICY.iter().find(|(without, _)| without == table);
        assert_ne!(separated.contains(table), reason.is_some(), "{table} has a policy, or a reason to have none");
    }
    for (without, _) in WITHOUT_POLICY {
        assert!(tables.iter().any(|table| table == without), "there is no table {without}");
    }
}
