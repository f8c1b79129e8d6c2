//! What is forgotten, on both databases: no more than may be, in parts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait as _, Statement};
use uuid::Uuid;
use waymark_request::Call;
use waymark_store::{Error, LogReaders, Position, Store};
use waymark_testkit::sample::{Products, as_of, call, create, created, product, store, update, workspace};
use waymark_testkit::schema::execute;
use waymark_testkit::{Engine, TestDatabase, host};

/// Nobody else reads the log.
fn nobody() -> LogReaders {
    LogReaders::default()
}

/// Trims until there is nothing to do; tells how many events that was.
async fn trim(store: &Store, revision: i64, readers: &LogReaders) -> u64 {
    let mut forgotten = 0;
    while let Some(step) = store.trim_log(&workspace(), revision, readers).await.unwrap() {
        forgotten += step;
    }
    forgotten
}

async fn earliest(store: &Store) -> i64 {
    store.bounds("acme").await.unwrap().0
}

#[tokio::test]
async fn answers_are_forgotten_after_their_time_in_parts() {
    for engine in Engine::each() {
        let (host, clock) = host(7);
        let (s, _database) = store(engine, &host).await.unwrap();
        let ask = async |id: u128| {
            let call = Call { request_id: Some(Uuid::from_u128(id)), ..call() };
            let message = Some(product("A", ""));
            s.create_blind::<Products, _>(&call, "workspaces/acme", "", message, created)
                .await
                .unwrap()
                .revision
                .unwrap()
        };
        for id in 1..=5 {
            ask(id).await;
        }
        clock.advance(Duration::from_hours(25));
        assert_eq!((ask(3).await, ask(6).await), (3, 6), "until they are purged, answers are known");
        let before = s.now() - TimeDelta::hours(24);
        let mut purged = Vec::new();
        while purged.last() != Some(&0) {
            purged.push(s.purge_requests(before, 2).await.unwrap());
        }
        assert_eq!(purged, [2, 2, 1, 0], "{engine:?}");
        assert_eq!((ask(6).await, ask(3).await), (6, 7), "{engine:?}: the young is known, the old is new");

        // Two at once do no harm: each forgets what the other did not.
        clock.advance(Duration::from_hours(25));
        let before = s.now() - TimeDelta::hours(24);
        let purge = async || s.purge_requests(before, 9).await.unwrap();
        let (one, other) = tokio::join!(purge(), purge());
        assert_eq!((one + other, purge().await), (2, 0), "{engine:?}");
    }
}

/// Fills the log of `workspaces/acme`: one to four events a revision, of nine resources; the fourth is of the first's.
async fn fill(database: &TestDatabase, revisions: i64) {
    let rows = format!(
        "INSERT INTO log (workspace, revision, ordinal, event_id, type, collection, resource_id, time, actor, data)
         WITH RECURSIVE
             n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {revisions}),
             o(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM o WHERE j < 3)
         SELECT 'acme', i, j, 'e' || i || '-' || j, 't', 'products', 'p' || ((i * 7 + j % 3 * 5) % 9), i, 'a', '{{}}'
         FROM n, o WHERE j <= i % 4;
         INSERT INTO workspaces (id, revision) VALUES ('acme', {revisions})"
    );
    execute(database.url(), &rows).await.unwrap();
}

type Rows = BTreeMap<(i64, i32), String>;

/// Place and resource of each event that there is.
async fn rows(database: &TestDatabase) -> Rows {
    let connection = database.connect().await.unwrap();
    let query = "SELECT revision, ordinal, resource_id FROM log";
    let query = Statement::from_string(connection.get_database_backend(), query);
    let rows = connection.query_all_raw(query).await.unwrap();
    let row = |row: &sea_orm::QueryResult| {
        let place = (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
        (place, row.try_get_by_index(2).unwrap())
    };
    rows.iter().map(row).collect()
}

#[tokio::test]
async fn a_log_is_trimmed_step_by_step_and_keeps_the_last_event_of_each_resource() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (s, database) = store(engine, &host).await.unwrap();
        fill(&database, 1_200).await;
        let all = rows(&database).await;
        let mut steps = 0;
        // To one revision and then to another, as time goes on.
        for to in [3, 700, 1_100] {
            while s.trim_log(&workspace(), to, &nobody()).await.unwrap().is_some() {
                steps += 1;
                let earliest = earliest(&s).await;
                let mut last: BTreeMap<&str, (i64, i32)> = BTreeMap::new();
                for (place, resource) in all.range(..(earliest + 1, 0)) {
                    last.insert(resource, *place);
                }
                let last: BTreeSet<_> = last.into_values().collect();
                let kept = all.iter().filter(|(place, _)| place.0 >= earliest || last.contains(place));
                let kept: Rows = kept.map(|(place, resource)| (*place, resource.clone())).collect();
                assert_eq!(rows(&database).await, kept, "{engine:?}: trimmed to {earliest}");
            }
            assert_eq!(earliest(&s).await, to, "{engine:?}");
        }
        assert!((6..=9).contains(&steps), "{engine:?}: about 500 events a step, not {steps} steps for 2,750");
        assert_eq!(s.trim_log(&workspace(), 9_999, &nobody()).await.unwrap().map(|_| ()), Some(()));
    }
}

#[tokio::test]
async fn what_somebody_has_yet_to_read_is_kept() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (s, database) = store(engine, &host).await.unwrap();
        let (reader, _readers) = store(Engine::Sqlite, &host).await.unwrap();
        fill(&database, 100).await;
        let relay = LogReaders { relay: true, ..nobody() };
        let bus = LogReaders { bus: vec![reader.clone()], source: "roadmap", ..nobody() };
        assert_eq!((trim(&s, 90, &relay).await, trim(&s, 90, &bus).await), (0, 0), "nothing was ever read");
        assert_eq!(earliest(&s).await, 0, "{engine:?}");

        reader.mark_consumed("discovery", &workspace(), 80).await.unwrap();
        reader.mark_consumed("roadmap", &workspace(), 20).await.unwrap();
        trim(&s, 90, &bus).await;
        assert_eq!(earliest(&s).await, 21, "{engine:?}: what the bus has read");

        let cursor = "INSERT INTO relay_cursors (workspace, revision) VALUES ('acme', 40)";
        execute(database.url(), cursor).await.unwrap();
        for readers in [&relay, &nobody()] {
            trim(&s, 90, readers).await;
            assert_eq!(earliest(&s).await, 41, "{engine:?}: what the relay has begun to publish it must finish");
        }
        execute(database.url(), "UPDATE relay_cursors SET revision = 95").await.unwrap();
        reader.mark_consumed("roadmap", &workspace(), 95).await.unwrap();
        trim(&s, 90, &LogReaders { relay: true, ..bus }).await;
        assert_eq!(earliest(&s).await, 90, "{engine:?}");
    }
}

#[tokio::test]
async fn a_log_is_trimmed_by_age() {
    for engine in Engine::each() {
        let (host, clock) = host(7);
        let (s, _database) = store(engine, &host).await.unwrap();
        let mut times = Vec::new();
        create(&s, "a", "0").await;
        for vision in ["1", "2", "3"] {
            clock.advance(Duration::from_hours(24));
            times.push(s.now());
            update(&s, "a", vision).await;
        }
        let visions = |position| {
            let s = &s;
            async move { as_of(s, position).await.map(|all| all[0].vision.clone()) }
        };
        let trim = async |time| s.trim_log_before(&workspace(), time, &nobody()).await.unwrap();
        assert_eq!(trim(times[0] - TimeDelta::hours(48)).await, None, "{engine:?}: nothing is that old");
        // What was a moment before the third event is how it stood since the second.
        let moment = times[1] - TimeDelta::microseconds(1);
        assert_eq!(trim(times[1]).await, Some(1), "{engine:?}");
        assert_eq!(trim(times[1]).await, None, "{engine:?}");
        assert_eq!(visions(Position::Time(moment)).await.unwrap(), "1", "{engine:?}");
        assert!(matches!(visions(Position::Revision(1)).await, Err(Error::Expired { earliest: 2, .. })), "{engine:?}");
        assert_eq!(visions(Position::Revision(4)).await.unwrap(), "3", "{engine:?}");
    }
}

#[tokio::test]
async fn workspaces_are_walked_through_in_order() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (s, database) = store(engine, &host).await.unwrap();
        let all = "INSERT INTO workspaces (id, revision) VALUES ('b', 1), ('a-1', 1), ('a', 1), ('c', 1)";
        execute(database.url(), all).await.unwrap();
        let ids = async |after: &str, limit| {
            let page = s.workspaces_after(after, limit).await.unwrap();
            page.iter().map(|workspace| workspace.id().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            (ids("", 2).await, ids("a-1", 9).await),
            (vec!["a".into(), "a-1".into()], vec!["b".into(), "c".into()])
        );
        assert!(ids("c", 9).await.is_empty(), "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_is_read_while_its_log_is_trimmed_is_whole_or_gone() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (s, _database) = store(engine, &host).await.unwrap();
        create(&s, "a", "1").await;
        for vision in 2..=150 {
            update(&s, "a", &vision.to_string()).await;
        }
        let trimming = async {
            for revision in 2..=150 {
                trim(&s, revision, &nobody()).await;
            }
        };
        let reading = async {
            let mut revision = 1;
            while revision < 150 {
                match as_of(&s, Position::Revision(revision)).await {
                    Ok(products) => {
                        let visions: Vec<_> = products.iter().map(|product| product.vision.as_str()).collect();
                        assert_eq!(visions, [revision.to_string()], "{engine:?}");
                    }
                    Err(Error::Expired { earliest, .. }) => revision = earliest,
                    Err(error) => panic!("{error:?}"),
                }
            }
        };
        tokio::join!(trimming, reading);
    }
}
