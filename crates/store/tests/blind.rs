//! Blind writes: those that read nothing and take no lock before they decide. What is promised of writes holds for
//! them, too.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::cell::Cell;
use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use prost::Message;
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use uuid::Uuid;
use waymark_clock::Clock;
use waymark_domain::roadmap::{Product, ProductEvent};
use waymark_domain::{Change, Failure as _, FailureKind};
use waymark_proto::roadmap::v1 as pb;
use waymark_request::{Call, Origin, Written};
use waymark_store::{Asked, Columns, Declaration, Draft, Error, Rule, Ruled, Rules, Store, Table, resource};
use waymark_testkit::sample::{Products, call, create, created, product, store, workspace as ws};
use waymark_testkit::{Engine, TestDatabase, host, wait_for};

/// Two replicas on one database; the second's clock is behind by some milliseconds.
async fn replicas(engine: Engine) -> ([Store; 2], TestDatabase) {
    let (mut first, _) = host(7);
    first.clock = Clock::system();
    let (second, _) = host(8);
    let (store, database) = store(engine, &first).await.unwrap();
    let late = Clock::skewed(TimeDelta::milliseconds(-20));
    let behind = Store::connect(&database.options(), &late, &second.ids).await.unwrap();
    ([store, behind], database)
}

async fn make(store: &Store, call: Call, id: String) -> Result<Written<pb::Product>, Error> {
    store.create_blind::<Products, _>(&call, "workspaces/acme", &id, Some(product("A", "")), created).await
}

#[tokio::test]
async fn replicas_whose_clocks_differ_leave_no_gap_and_no_time_runs_back() {
    for engine in Engine::each() {
        let (replicas, _database) = replicas(engine).await;
        let mut answered = Vec::new();
        for round in 0..30 {
            // Now one at a time, now all at once.
            let writes = replicas.iter().enumerate().map(|(n, s)| make(s, call(), format!("p{round}-{n}")));
            if round % 2 == 0 {
                answered.extend(join_all(writes).await);
            } else {
                for write in writes {
                    answered.push(write.await);
                }
            }
        }
        let mut answered: Vec<_> =
            answered.into_iter().map(|w| w.unwrap()).map(|w| (w.revision.unwrap(), w.message)).collect();
        answered.sort_by_key(|(revision, _)| *revision);
        let log = replicas[0].read_log("acme", 0, 1_000).await.unwrap();
        assert_eq!(log.iter().map(|row| row.revision).collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>(), "{engine:?}");
        assert!(log.is_sorted_by_key(|row| row.time), "{engine:?}: times run back");
        for (row, (revision, message)) in log.iter().zip(answered) {
            assert_eq!(
                (row.revision, &row.resource_id),
                (revision, &message.name.rsplit('/').next().unwrap().to_owned())
            );
            let event: pb::ProductCreated = serde_json::from_str(&row.data).unwrap();
            let updated = event.product.as_ref().and_then(|p| p.update_time.as_ref()).unwrap();
            let micros = updated.seconds * 1_000_000 + i64::from(updated.nanos / 1_000);
            assert_eq!(micros, row.time.timestamp_micros(), "the resource and its event tell one time");
            assert_eq!(event.product.unwrap(), message);
        }
    }
}

#[tokio::test]
async fn a_request_that_reaches_two_replicas_is_done_once() {
    for engine in Engine::each() {
        let (replicas, _database) = replicas(engine).await;
        for round in 0..20_i64 {
            let once = Call { request_id: Some(Uuid::from_u128(round as u128 + 1)), digest: [1; 32], ..call() };
            // With an id of the service's making nothing but the request id can tell that it is the same.
            let id = if round % 2 == 0 { String::new() } else { format!("p{round}") };
            let answers = join_all(replicas.iter().map(|s| make(s, once.clone(), id.clone()))).await;
            let told = |written: Written<_>| (written.message, written.revision);
            let changed = answers.iter().flatten().filter(|written| written.changed).count();
            let answers: Vec<_> = answers.into_iter().map(|w| told(w.unwrap())).collect();
            assert_eq!((&answers[0], changed), (&answers[1], 1), "{engine:?}");
            assert_eq!(told(make(&replicas[1], once, id).await.unwrap()), answers[0], "{engine:?}: later");
            assert_eq!(replicas[0].revision(&ws()).await.unwrap(), round + 1, "{engine:?}");
        }
    }
}

#[tokio::test]
async fn work_is_done_again_only_where_the_workspace_has_a_later_time() {
    for engine in Engine::each() {
        let (replicas, database) = replicas(engine).await;
        let s = &replicas[0];
        let runs = Cell::new(0);
        let make = |id: &'static str| {
            |draft: &mut Draft| {
                runs.set(runs.get() + 1);
                draft.create::<Products, _>(id, product("A", ""), created)
            }
        };
        s.write_blind(&call(), &ws(), make("there")).await.unwrap();
        assert_eq!(runs.take(), 1, "{engine:?}: nothing stood against it");
        assert!(matches!(s.write_blind(&call(), &ws(), make("there")).await, Err(Error::Exists(_))), "{engine:?}");
        assert_eq!(runs.take(), 1, "{engine:?}: the name is taken");

        let ahead = Clock::skewed(TimeDelta::hours(1));
        let (other, _) = host(9);
        let other = Store::connect(&database.options(), &ahead, &other.ids).await.unwrap();
        let early = other.write_blind(&call(), &ws(), make("early")).await.unwrap().message;
        runs.set(0);
        let late = s.write_blind(&call(), &ws(), make("late")).await.unwrap().message;
        assert_eq!(runs.take(), if engine == Engine::Postgres { 2 } else { 1 }, "{engine:?}");
        let time = |product: &pb::Product| product.create_time.map(|time| (time.seconds, time.nanos));
        assert!(time(&late) >= time(&early), "{engine:?}: {late:?} ran back behind {early:?}");
        assert_eq!(s.all::<Products>(&ws()).await.unwrap().len(), 3, "{engine:?}");
    }
}

#[tokio::test]
async fn what_exists_is_not_created_again() {
    for engine in Engine::each() {
        let (replicas, _database) = replicas(engine).await;
        let s = &replicas[0];
        create(s, "there", "").await;
        let there = resource::<Products>(s.get::<Products>("workspaces/acme/products/there").await.unwrap()).unwrap();
        let again = |draft: &mut Draft| {
            let decide = |_| Ok::<_, Infallible>(Change::new(there.clone(), ProductEvent::Updated));
            draft.create::<Products, _>("new", product("A", ""), decide)
        };
        let refused = s.write_blind(&call(), &ws(), again).await.unwrap_err();
        assert_eq!(refused.kind(), FailureKind::Bug, "{engine:?}: what is not read must not be overwritten");
        assert_eq!(s.revision(&ws()).await.unwrap(), 1, "{engine:?}");
    }
}

/// Products, on account of which something else is written.
struct Followed;

impl Table for Followed {
    type Resource = Product;
    type Message = pb::Product;
    const TABLE: &'static str = Products::TABLE;
    const COLUMNS: Columns<Product> = Products::COLUMNS;
}

impl Ruled for Followed {
    const RULES: Rules<Self> = Rules { after: Some(|_, _| Box::pin(ready(Ok(())))), ..Rules::PLAIN };
}

/// Products whose rules may read.
struct Placed;

impl Table for Placed {
    type Resource = Product;
    type Message = pb::Product;
    const TABLE: &'static str = Products::TABLE;
    const COLUMNS: Columns<Product> = Products::COLUMNS;
}

impl Ruled for Placed {
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|_, new| Box::pin(ready(Ok(Change::new(new, ProductEvent::Created))))),
        update: Rule::Reading(|_, (_, new)| Box::pin(ready(Ok(Change::new(new, ProductEvent::Updated))))),
        ..Rules::PLAIN
    };
}

#[tokio::test]
async fn standard_creates_and_updates_are_blind_unless_their_table_reads() {
    let (replicas, database) = replicas(Engine::Postgres).await;
    let s = &replicas[0];
    create(s, "before", "").await;
    let new = pb::CreateProductRequest {
        parent: "workspaces/acme".into(),
        product: Some(product("A", "")),
        ..Default::default()
    };
    for (declaration, blind) in [
        (Declaration::of::<Products>(), true),
        (Declaration::of::<Followed>(), false),
        (Declaration::of::<Placed>(), false),
    ] {
        let holder = database.hold(&[]).await.unwrap();
        let look = async {
            let seen = holder.sees_a_blind_write().await;
            holder.commit().await.unwrap();
            seen
        };
        let (created, seen) = tokio::join!(serve(s, &declaration, "CreateProduct", &new), look);
        assert!(created.unwrap().revision.is_some());
        assert_eq!(seen, blind, "create");

        let holder = database.hold(&[]).await.unwrap();
        let look = async {
            let seen = holder.sees_a_blind_write().await;
            holder.commit().await.unwrap();
            seen
        };
        let patch = pb::Product { name: "workspaces/acme/products/before".into(), ..product("A", &format!("{blind}")) };
        let change = pb::UpdateProductRequest { product: Some(patch), ..Default::default() };
        let (updated, seen) = tokio::join!(serve(s, &declaration, "UpdateProduct", &change), look);
        assert!(updated.unwrap().revision.is_some());
        assert_eq!(seen, blind, "update");
    }
}

/// What a standard method of a table answers.
async fn serve(
    store: &Store,
    table: &Declaration,
    method: &str,
    request: &impl Message,
) -> Result<Written<Vec<u8>>, Error> {
    let methods = table.methods();
    let method = methods.iter().find(|known| known.rpc.path.ends_with(method)).unwrap();
    let origin = Origin { actor: Some(call().actor), ..Origin::default() };
    method.serve(store, Asked { origin, message: request.encode_to_vec().into() }).await
}

#[tokio::test]
async fn an_update_that_waited_is_made_to_what_the_other_left() {
    let (replicas, database) = replicas(Engine::Postgres).await;
    let s = &replicas[0];
    create(s, "p", "far").await;
    // Another is about to commit a second version, and the revision that it is of.
    let second = "UPDATE products SET version = 2,
                  body = replace(replace(body::text, 'far', 'near'), '\"etag\":\"1\"', '\"etag\":\"2\"')::json";
    for (etag, strategy, refused) in [("", "slow", false), ("1", "slower", true)] {
        let holder = database.hold(&[second, "UPDATE workspaces SET revision = revision + 1"]).await.unwrap();
        let look = async {
            assert!(holder.sees_a_blind_write().await);
            holder.commit().await.unwrap();
        };
        let name = "workspaces/acme/products/p".to_owned();
        let patch = pb::Product { name, etag: etag.into(), strategy: strategy.into(), ..Default::default() };
        let request = pb::UpdateProductRequest { product: Some(patch), ..Default::default() };
        let table = Declaration::of::<Products>();
        let (updated, ()) = tokio::join!(serve(s, &table, "UpdateProduct", &request), look);
        if refused {
            assert!(matches!(updated, Err(Error::Stale { .. })));
        } else {
            assert_eq!(updated.unwrap().revision, Some(3), "nothing is left out, nothing made twice");
            let product = s.get::<Products>("workspaces/acme/products/p").await.unwrap();
            assert_eq!((&*product.vision, &*product.strategy, &*product.etag), ("near", "slow", "3"));
            // Back to how it began.
            database
                .execute(&["UPDATE products SET version = 1, body = replace(replace(body::text, 'near', 'far'),
                                '\"etag\":\"3\"', '\"etag\":\"1\"')::json"])
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_repeated_update_that_finds_nothing_to_do_gets_the_first_answer() {
    for engine in Engine::each() {
        let (replicas, _database) = replicas(engine).await;
        let s = &replicas[0];
        create(s, "p", "far").await;
        let table = Declaration::of::<Products>();
        let asked = |vision: &str, request_id: &str| pb::UpdateProductRequest {
            product: Some(pb::Product {
                name: "workspaces/acme/products/p".into(),
                vision: vision.into(),
                ..Default::default()
            }),
            request_id: request_id.into(),
            ..Default::default()
        };
        let once = asked("near", &Uuid::from_u128(9).to_string());
        let first = serve(s, &table, "UpdateProduct", &once).await.unwrap();
        // Whether it would still do something or not.
        for (revision, between) in [(2, "near"), (3, "far")] {
            if between == "far" {
                serve(s, &table, "UpdateProduct", &asked(between, "")).await.unwrap();
            }
            let again = serve(&replicas[1], &table, "UpdateProduct", &once).await.unwrap();
            assert_eq!((again.revision, &again.message), (Some(2), &first.message), "{engine:?}");
            assert_eq!(s.revision(&ws()).await.unwrap(), revision, "{engine:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_lost_in_the_statement_leaves_nothing_behind() {
    let (replicas, database) = replicas(Engine::Postgres).await;
    let s = &replicas[0];
    create(s, "before", "").await;
    let once = Call { request_id: Some(Uuid::from_u128(7)), digest: [1; 32], ..call() };
    // Another holds the workspace, so that the statement waits.
    let (other, killer) = (database.connect().await.unwrap(), database.connect().await.unwrap());
    let other = other.begin().await.unwrap();
    other.execute_unprepared("SELECT 1 FROM workspaces FOR UPDATE").await.unwrap();
    let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%, _bump_ %'";
    let lost = wait_for("the statement to wait", Duration::from_secs(10), async || {
        let terminate = Statement::from_string(DbBackend::Postgres, terminate);
        let row = killer.query_one_raw(terminate).await.unwrap().unwrap();
        (row.try_get_by_index::<i64>(0).unwrap() == 1).then_some(())
    });
    let (failed, ()) = tokio::join!(make(s, once.clone(), "p".into()), lost);
    assert!(failed.is_err_and(|error| error.is_transient()));
    other.rollback().await.unwrap();
    assert_eq!(s.revision(&ws()).await.unwrap(), 1);
    assert_eq!(make(s, once, "p".into()).await.unwrap().revision, Some(2));
}
