//! A look finds what other processes committed, however late it shows, and costs the same with many workspaces as with
//! few.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashMap;

use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use waymark_domain::WorkspaceId;
use waymark_store::{Moved, Store};
use waymark_testkit::sample::{Products, call, created, product, store};
use waymark_testkit::schema::text;
use waymark_testkit::{Engine, TestDatabase, host};

/// Two replicas on a database with `workspaces` idle ones, more than the looks of a test walk by.
async fn replicas(engine: Engine, workspaces: usize) -> ([Store; 2], TestDatabase) {
    let (host, _) = host(7);
    let (first, database) = store(engine, &host).await.unwrap();
    let connection = database.connect().await.unwrap();
    let ids: Vec<String> = (0..workspaces).map(|n| format!("('a{n:06}', 1)")).collect();
    for ids in ids.chunks(10_000) {
        connection
            .execute_unprepared(&format!("INSERT INTO workspaces (id, revision) VALUES {}", ids.join(", ")))
            .await
            .unwrap();
    }
    for statement in [
        "INSERT INTO log (workspace, revision, ordinal, event_id, type, collection, resource_id, time, actor, data)
         SELECT id, 1, 0, id, 't', 'products', id, 1, 'a', '{}' FROM workspaces",
        "ANALYZE",
    ] {
        connection.execute_unprepared(statement).await.unwrap();
    }
    let second = Store::connect(&database.options(), &host.clock, &host.ids).await.unwrap();
    first.look().await.unwrap();
    second.look().await.unwrap();
    ([first, second], database)
}

async fn write(store: &Store, workspace: &str) {
    let parent = format!("workspaces/{workspace}");
    store.create_blind::<Products, _>(&call(), &parent, "", Some(product("A", "")), created).await.unwrap();
}

/// What moved but is no idle workspace that the walk came by.
fn taken(moved: &Moved) -> HashMap<String, i64> {
    let moved = moved.take().into_iter().filter(|(workspace, _)| !workspace.id().starts_with('a'));
    moved.map(|(workspace, revision)| (workspace.id().to_owned(), revision)).collect()
}

#[tokio::test]
async fn a_look_finds_what_another_process_committed() {
    for engine in Engine::each() {
        let ([first, second], _database) = replicas(engine, 1_000).await;
        let moved = second.heads().moved();
        let watched = second.heads().subscribe(&WorkspaceId::from_id("z1").unwrap());
        second.look().await.unwrap();
        assert_eq!(taken(&moved), HashMap::new(), "{engine:?}: nothing was committed");
        write(&first, "z1").await;
        write(&first, "z2").await;
        write(&first, "z1").await;
        second.look().await.unwrap();
        assert_eq!(taken(&moved), HashMap::from([("z1".into(), 2), ("z2".into(), 1)]), "{engine:?}");
        assert_eq!(*watched.borrow(), 2, "{engine:?}");
        second.look().await.unwrap();
        assert_eq!(taken(&moved), HashMap::new(), "{engine:?}: it is told once");
    }
}

#[tokio::test]
async fn what_commits_late_is_found_though_younger_transactions_were_seen() {
    // SQLite has one writer: what begins first commits first.
    let ([first, second], database) = replicas(Engine::Postgres, 1_000).await;
    let moved = second.heads().moved();
    let connection = database.connect().await.unwrap();
    let late = connection.begin().await.unwrap();
    late.execute_unprepared(
        "INSERT INTO log (workspace, revision, ordinal, event_id, type, collection, resource_id, time, actor, data)
         VALUES ('late', 1, 0, 'e', 't', 'products', 'p', 1, 'a', '{}')",
    )
    .await
    .unwrap();
    for _ in 0..3 {
        write(&first, "z1").await;
        second.look().await.unwrap();
    }
    assert_eq!(taken(&moved), HashMap::from([("z1".into(), 3)]));
    late.commit().await.unwrap();
    second.look().await.unwrap();
    assert_eq!(taken(&moved), HashMap::from([("late".into(), 1)]));
}

#[tokio::test]
async fn what_looks_miss_the_walk_finds() {
    for engine in Engine::each() {
        let ([_, second], database) = replicas(engine, 200).await;
        let moved = second.heads().moved();
        // As after a failover: a revision of which no look saw the log.
        let connection = database.connect().await.unwrap();
        connection.execute_unprepared("UPDATE workspaces SET revision = 9 WHERE id = 'a000150'").await.unwrap();
        let mut found = None;
        for _ in 0..8 {
            second.look().await.unwrap();
            found = found.or(moved.take().remove(&WorkspaceId::from_id("a000150").unwrap()).filter(|r| *r == 9));
        }
        assert_eq!(found, Some(9), "{engine:?}");
    }
}

#[tokio::test]
async fn what_a_look_reads_does_not_depend_on_the_number_of_workspaces() {
    const LOOKS: i64 = 20;
    let mut read = Vec::new();
    for workspaces in [1_000, 20_000] {
        let ([first, second], database) = replicas(Engine::Postgres, workspaces).await;
        // The server counts what a connection read when it is closed.
        let count = "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint::text
                     FROM pg_stat_user_tables WHERE relname IN ('workspaces', 'log')";
        second.close().await.unwrap();
        let second = Store::connect(&database.options(), &host(8).0.clock, &host(8).0.ids).await.unwrap();
        let before: i64 = text(database.url(), count).await.unwrap().parse().unwrap();
        for _ in 0..LOOKS {
            second.look().await.unwrap();
        }
        second.close().await.unwrap();
        first.close().await.unwrap();
        let after: i64 = text(database.url(), count).await.unwrap().parse().unwrap();
        read.push(after - before);
    }
    assert!(read.iter().all(|read| (1..=2 * 64 * LOOKS).contains(read)), "{read:?}");
}
