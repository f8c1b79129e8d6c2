//! Group commit: writes that share a transaction succeed and fail each for itself, but are answered only when all of it
//! is committed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::future::join_all;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use waymark_clock::Clock;
use waymark_domain::{Failure, Reason};
use waymark_proto::roadmap::v1 as pb;
use waymark_request::Call;
use waymark_store::{Error, Store, StoreOptions};
use waymark_testkit::sample::{Products, call, create, created, product, store, updated, workspace as ws};
use waymark_testkit::{Engine, TestDatabase, host};

async fn open(engine: Engine) -> (Store, TestDatabase) {
    let (mut host, _) = host(7);
    host.clock = Clock::system();
    store(engine, &host).await.unwrap()
}

/// The ids of the products, and the revisions of the log.
async fn stored(store: &Store) -> (BTreeSet<String>, Vec<i64>) {
    let products = store.all::<Products>(&ws()).await.unwrap();
    let ids = products.into_iter().map(|p| p.name.rsplit('/').next().unwrap().to_owned()).collect();
    (ids, store.read_log("acme", 0, 10_000).await.unwrap().into_iter().map(|row| row.revision).collect())
}

/// Drops a future that is not done in time, to the microsecond: the runtime's timer knows milliseconds.
async fn abandon_after<F: Future>(patience: Duration, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let start = Instant::now();
    while start.elapsed() < patience {
        if let Poll::Ready(output) = futures::poll!(&mut future) {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn writes_that_share_a_transaction_fail_each_for_itself() {
    for engine in Engine::each() {
        let (s, _database) = open(engine).await;
        let make = |call: Call, id: String| {
            let s = s.clone();
            async move {
                s.create_blind::<Products, _>(&call, "workspaces/acme", &id, Some(product("A", "")), created).await
            }
        };
        create(&s, "taken", "").await;
        let mut expected = BTreeSet::from(["taken".to_owned()]);
        for round in 0..10 {
            let plain = call();
            let rehearsal = Call { validate_only: true, ..call() };
            let stale =
                pb::Product { name: "workspaces/acme/products/taken".into(), etag: "9".into(), ..Default::default() };
            let (first, taken, rehearsed, stale, last) = tokio::join!(
                make(call(), format!("first{round}")),
                make(call(), "taken".to_owned()),
                make(rehearsal, format!("rehearsed{round}")),
                s.update::<Products, _>(&plain, Some(stale), None, updated),
                make(call(), format!("last{round}")),
            );
            // The first one may be blind, and overtaken by the transaction of the others.
            let revisions = [first, last].map(|written| written.unwrap().revision.unwrap());
            assert_eq!(taken.unwrap_err().reason(), Reason::ResourceExists);
            assert_eq!(rehearsed.unwrap().revision, None);
            assert_eq!(stale.unwrap_err().reason(), Reason::EtagMismatch);
            assert_eq!(revisions[0].abs_diff(revisions[1]), 1, "{engine:?}");
            expected.extend([format!("first{round}"), format!("last{round}")]);
        }
        assert_eq!(stored(&s).await, (expected, (1..=21).collect()), "{engine:?}");
    }
}

#[tokio::test]
async fn an_abandoned_write_takes_nobody_along() {
    for engine in Engine::each() {
        let (s, _database) = open(engine).await;
        for round in 0..20 {
            let writes = (0..16_u64).map(|n| {
                let s = s.clone();
                async move {
                    let id = format!("p{round}-{n}");
                    let (call, work) = (call(), Some(product("A", "")));
                    let create = s.create_blind::<Products, _>(&call, "workspaces/acme", &id, work, created);
                    // Every other caller goes away, each at another moment.
                    if n % 2 == 0 {
                        create.await.unwrap();
                        return Some(id);
                    }
                    let patience = Duration::from_micros(n * 211 + round * 97);
                    tokio::time::timeout(patience, create).await.ok().map(|written| written.map(|_| id).unwrap())
                }
            });
            let acknowledged = join_all(writes).await;
            let (ids, revisions) = stored(&s).await;
            for id in acknowledged.into_iter().flatten() {
                assert!(ids.contains(&id), "{engine:?}: {id} was acknowledged");
            }
            assert_eq!(revisions, (1..=ids.len() as i64).collect::<Vec<_>>(), "{engine:?}");
        }
    }
}

#[tokio::test]
async fn nobody_is_answered_before_the_commit_they_share() {
    let (s, database) = open(Engine::Postgres).await;
    let other = database.connect().await.unwrap();
    create(&s, "before", "").await;
    let (call, acme) = (call(), ws());
    let make = || s.create_blind::<Products, _>(&call, "workspaces/acme", "", Some(product("A", "")), created);
    let mut shared = 0;
    for _ in 0..10 {
        let killer = s.write(&call, &acme, async |_| {
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'";
            other.execute_unprepared(kill).await.unwrap();
            Err::<pb::Product, _>(Error::NotFound("what is looked for".into()))
        });
        // The first is done, and waits for the commit, when the connection is lost; the last has not begun.
        let (first, killed, last) = tokio::join!(make(), killer, make());
        let existing = stored(&s).await.0.len() as i64;
        assert_eq!(s.revision(&ws()).await.unwrap(), existing, "all that is counted is there");
        shared += i32::from(matches!(&first, Err(Error::Unconfirmed(_))) && first.unwrap_err().is_transient());
        assert!(killed.is_err());
        assert!(last.is_ok() || last.is_err_and(|error| error.is_transient()));
    }
    // Now and then the first has committed before the second takes its place.
    assert!(shared > 0, "no transaction was shared");
}

#[tokio::test]
async fn a_write_that_goes_on_after_a_failed_statement_is_refused() {
    for engine in Engine::each() {
        let (s, _database) = open(engine).await;
        create(&s, "taken", "").await;
        let (call, acme) = (call(), ws());
        let careless = s.write(&call, &acme, async |write| {
            let new = write.create::<Products, _>("new", product("A", ""), created)?;
            assert!(write.exists::<Products>(&"workspaces/acme/products/new".parse().unwrap()).await?);
            // The name is taken, which shows when the next read sends it.
            write.create::<Products, _>("taken", product("A", ""), created)?;
            assert!(write.exists::<Products>(&"workspaces/acme/products/new".parse().unwrap()).await.is_err());
            Ok::<pb::Product, Error>(new)
        });
        assert_eq!(careless.await.unwrap_err().reason(), Reason::Internal);
        assert_eq!(stored(&s).await, (BTreeSet::from(["taken".to_owned()]), vec![1]), "{engine:?}");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_keeps_those_it_confirms_later() {
    let (s, database) = open(Engine::Sqlite).await;
    create(&s, "before", "").await;
    // A limit of this connection stands in for the disk; the one that follows it has none.
    s.writer().execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
    let long = "v".repeat(2_000);
    let mut refused = 0;
    for number in 0..500 {
        let full = s
            .create_blind::<Products, _>(
                &call(),
                "workspaces/acme",
                &format!("p{number}"),
                Some(product("A", &long)),
                created,
            )
            .await;
        if let Err(error) = full {
            assert!(error.is_transient(), "{error:?}");
            refused += 1;
            break;
        }
    }
    assert_eq!(refused, 1, "the disk is full");
    // What fails after it must not leave a transaction open in which later ones are confirmed and never committed.
    let again =
        s.create_blind::<Products, _>(&call(), "workspaces/acme", "before", Some(product("A", "")), created).await;
    assert!(again.is_err());
    create(&s, "after", "").await;
    let (ids, revisions) = stored(&s).await;
    assert!(ids.contains("before") && ids.contains("after"), "{ids:?}");
    assert_eq!(revisions.len(), ids.len());
    // As another process sees the file.
    let (mut host, _) = host(8);
    host.clock = Clock::system();
    let other = Store::connect(&database.options(), &host.clock, &host.ids).await.unwrap();
    assert_eq!(stored(&other).await, (ids, revisions));
}

#[tokio::test]
async fn a_write_abandoned_while_it_begins_leaves_no_transaction_open() {
    let (_, database) = open(Engine::Postgres).await;
    let (mut host, _) = host(8);
    host.clock = Clock::system();
    // One connection for all writes: the one that was abandoned is the next one's.
    let options = StoreOptions { max_connections: 2, ..database.options() };
    let s = Store::connect(&options, &host.clock, &host.ids).await.unwrap();
    for round in 0..100_u64 {
        let (call, acme, patience) = (call(), ws(), Duration::from_micros(10 * round));
        let begin = s.write(&call, &acme, async |write| write.create::<Products, _>("", product("A", ""), created));
        abandon_after(patience, begin).await;
        let blind = s.create_blind::<Products, _>(&call, "workspaces/acme", "", Some(product("A", "")), created);
        abandon_after(patience, blind).await;
        // One statement, committed by itself unless a transaction is open.
        create(&s, &format!("p{round}"), "").await;
        assert!(
            s.get::<Products>(&format!("workspaces/acme/products/p{round}")).await.is_ok(),
            "round {round} was answered, not committed"
        );
    }
    let (ids, revisions) = stored(&s).await;
    assert_eq!(revisions, (1..=ids.len() as i64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_transaction_whose_end_is_not_confirmed_frees_the_turn() {
    let (_, database) = open(Engine::Postgres).await;
    let (mut host, _) = host(8);
    host.clock = Clock::system();
    let options = StoreOptions { statement_timeout: Duration::from_secs(1), ..database.options() };
    let s = Store::connect(&options, &host.clock, &host.ids).await.unwrap();
    let other = database.connect().await.unwrap();
    create(&s, "before", "").await;
    let (call, acme) = (call(), ws());
    // Now and then, on a slow machine, the first has committed before the second takes its place.
    for attempt in 0.. {
        assert!(attempt < 10, "no transaction was shared");
        let id = format!("first{attempt}");
        let first = s.write(&call, &acme, async |write| write.create::<Products, _>(&id, product("A", ""), created));
        // Takes the transaction over when the first is done, and stops its server process: what is sent then gets no
        // answer.
        let stopped = Cell::new(None);
        let second = s.write(&call, &acme, async |_| {
            let find = "SELECT pid FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'";
            let row = other.query_one_raw(Statement::from_string(DbBackend::Postgres, find)).await.unwrap();
            stopped.set(row.map(|row| Pid::from_raw(row.try_get_by_index(0).unwrap())));
            kill(stopped.get().unwrap(), Signal::SIGSTOP).unwrap();
            Ok::<_, Error>(pb::Product::default())
        });
        let both = tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(first, second) }).await;
        kill(stopped.get().unwrap(), Signal::SIGCONT).unwrap();
        let (first, second) = both.expect("the writes wait for ever");
        if first.is_err_and(|error| error.is_transient()) {
            assert!(second.is_err_and(|error| error.is_transient()));
            break;
        }
    }
    // The server undoes it when it finds that nobody is there.
    waymark_testkit::wait_for("the workspace to be writable", Duration::from_secs(20), async || {
        s.create_blind::<Products, _>(&call, "workspaces/acme", "after", Some(product("A", "")), created).await.ok()
    })
    .await;
    let (ids, revisions) = stored(&s).await;
    assert!(ids.contains("before") && ids.contains("after"), "{ids:?}");
    assert_eq!(revisions.len(), ids.len());
}

#[tokio::test]
async fn a_write_abandoned_in_a_statement_that_fails_takes_nobody_along() {
    let (s, _database) = open(Engine::Postgres).await;
    create(&s, "taken", "").await;
    let mut kept = 1;
    for round in 0..30_u64 {
        let made = |id: String| {
            let s = s.clone();
            async move {
                s.create_blind::<Products, _>(&call(), "workspaces/acme", &id, Some(product("A", "")), created).await
            }
        };
        let abandoned = tokio::time::timeout(Duration::from_micros(400 + 40 * round), made("taken".to_owned()));
        let (first, _, last) = tokio::join!(made(format!("first{round}")), abandoned, made(format!("last{round}")));
        assert!(first.is_ok() && last.is_ok(), "round {round}: {first:?} {last:?}");
        kept += 2;
    }
    assert_eq!(s.revision(&ws()).await.unwrap(), kept);
}
