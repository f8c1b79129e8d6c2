//! The store on real databases: SQLite and PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;

use sea_orm::ConnectionTrait;
use uuid::Uuid;
use waymark_clock::Clock;
use waymark_domain::roadmap::{Product, ProductEvent};
use waymark_domain::{Change, Failure, Reason};
use waymark_proto::roadmap::v1 as pb;
use waymark_request::{Call, Written};
use waymark_store::{Error, ListQuery, LogFilter, LogReaders, Position, Store, Write};
use waymark_testkit::sample::{
    Products, as_of, call, create, created, created_in, product, store, updated, workspace as ws,
};
use waymark_testkit::{Engine, TestDatabase, host};

struct Fixture {
    store: Store,
    database: TestDatabase,
}

/// A store under the real clock, since history is also read by time.
async fn fixture(engine: Engine) -> Fixture {
    let (mut host, _) = host(7);
    host.clock = Clock::system();
    let (store, database) = store(engine, &host).await.unwrap();
    Fixture { store, database }
}

#[tokio::test]
async fn state_and_log_commit_together_and_etags_guard() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        let s = &f.store;
        let p = create(s, "alpha", "v").await;
        assert_eq!((p.name.as_str(), p.etag.as_str()), ("workspaces/acme/products/alpha", "1"));
        assert_eq!(s.get::<Products>(&p.name).await.unwrap(), p);
        let patch = pb::Product { name: p.name.clone(), etag: "1".into(), vision: "w".into(), ..Default::default() };
        let w = s.update::<Products, _>(&call(), Some(patch.clone()), None, updated).await.unwrap();
        assert_eq!((w.revision, w.message.vision.as_str(), w.message.display_name.as_str()), (Some(2), "w", "alpha"));
        let stale = s.update::<Products, _>(&call(), Some(patch), None, updated).await.unwrap_err();
        assert!(matches!(&stale, Error::Stale { current, .. } if current == "2"), "{stale}");
        let rows = s.read_log("acme", 0, 10).await.unwrap();
        assert_eq!(
            rows.iter().map(|r| (r.revision, r.event_type.rsplit('.').next().unwrap())).collect::<Vec<_>>(),
            [(1, "ProductCreated"), (2, "ProductUpdated")]
        );
        assert!(rows[1].data.contains("vision"));
        let event: pb::ProductUpdated = serde_json::from_str(&rows[1].data).unwrap();
        assert_eq!(event.change.unwrap().changed_fields, ["vision"]);
        assert_eq!(event.product.unwrap(), s.get::<Products>(&p.name).await.unwrap());
        // A failed write left no revision behind.
        assert_eq!(s.revision(&ws()).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        let s = &f.store;
        create(s, "alpha", "").await;
        let again = s
            .create_blind::<Products, _>(&call(), "workspaces/acme", "alpha", Some(product("x", "")), created)
            .await
            .unwrap_err();
        assert!(matches!(&again, Error::Exists(name) if name == "workspaces/acme/products/alpha"), "{again}");
        let invalid = s
            .create_blind::<Products, _>(
                &call(),
                "workspaces/acme",
                "Bad Id",
                Some(product(" ", &"v".repeat(2_001))),
                created,
            )
            .await
            .unwrap_err();
        let fields: Vec<_> = invalid.violations().into_iter().map(|v| v.field).collect();
        assert_eq!(fields, ["product_id", "product.display_name", "product.vision"]);
        let nul = s
            .create_blind::<Products, _>(&call(), "workspaces/acme", "", Some(product("a\0b", "")), created)
            .await
            .unwrap_err();
        assert_eq!(nul.reason(), Reason::InvalidField);
        // As a row of a batch it is that row's fault.
        let rows = vec![("a\0b".to_owned(), Some(product("x", ""))), ("right".to_owned(), Some(product("x", "")))];
        let call = call();
        let batch = s.batch_create::<Products, _, pb::BatchCreateProductsResponse>(
            &call,
            "workspaces/acme",
            rows,
            true,
            created_in,
            |batch| {
                assert_eq!(batch.failures[&0].reason, "INVALID_FIELD");
                pb::BatchCreateProductsResponse { products: batch.items, failures: batch.failures }
            },
        );
        assert_eq!(batch.await.unwrap().message.products[1].display_name, "x");
        assert!(matches!(s.get::<Products>("workspaces/acme/products/nope").await, Err(Error::NotFound(_))));
        assert!(matches!(s.get::<Products>("workspaces/acme/initiatives/x").await, Err(Error::Invalid(_))));
    }
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        let s = &f.store;
        let repeat = Call { request_id: Some(Uuid::from_u128(7)), digest: [1; 32], ..call() };
        let make = |c: Call| async move {
            s.create_blind::<Products, _>(&c, "workspaces/acme", "", Some(product("A", "")), created).await
        };
        let told = |written: Result<Written<_>, Error>| written.map(|w| (w.message, w.revision)).unwrap();
        assert_eq!(told(make(repeat.clone()).await), told(make(repeat.clone()).await));
        assert_eq!(s.revision(&ws()).await.unwrap(), 1);
        let other = make(Call { digest: [2; 32], ..repeat.clone() }).await.unwrap_err();
        assert_eq!(other.reason(), Reason::RequestIdReused);
        // At the same time, too.
        let both = Call { request_id: Some(Uuid::from_u128(8)), ..repeat.clone() };
        let (a, b) = tokio::join!(make(both.clone()), make(both));
        assert_eq!(told(a), told(b));
        assert_eq!(s.revision(&ws()).await.unwrap(), 2);
        // Also when the second would fail on the effect of the first: the id is taken, the etag old.
        for round in 0..10_u128 {
            let once = Call { request_id: Some(Uuid::from_u128(100 + round)), ..repeat.clone() };
            let id = format!("same{round}");
            let named = |c: Call, id: String| async move {
                s.create_blind::<Products, _>(&c, "workspaces/acme", &id, Some(product("A", "")), created).await
            };
            let (a, b) = tokio::join!(named(once.clone(), id.clone()), named(once.clone(), id.clone()));
            assert_eq!(told(a), told(b));
            let once = Call { request_id: Some(Uuid::from_u128(200 + round)), ..repeat.clone() };
            let patch = pb::Product {
                name: format!("workspaces/acme/products/{id}"),
                etag: "1".into(),
                vision: "v".into(),
                ..Default::default()
            };
            let guarded = |c: Call| {
                let patch = patch.clone();
                async move { s.update::<Products, _>(&c, Some(patch), None, updated).await }
            };
            let (a, b) = tokio::join!(guarded(once.clone()), guarded(once));
            assert_eq!(told(a), told(b));
        }
    }
}

#[tokio::test]
async fn validate_only_changes_nothing() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        let s = &f.store;
        let dry = Call { validate_only: true, ..call() };
        let w =
            s.create_blind::<Products, _>(&dry, "workspaces/acme", "a", Some(product("A", "")), created).await.unwrap();
        assert_eq!((w.revision, w.message.display_name.as_str()), (None, "A"));
        assert!(s.get::<Products>("workspaces/acme/products/a").await.is_err());
        create(s, "a", "").await;
        let taken = s
            .create_blind::<Products, _>(&dry, "workspaces/acme", "a", Some(product("A", "")), created)
            .await
            .unwrap_err();
        assert!(matches!(taken, Error::Exists(_)));
    }
}

#[tokio::test]
async fn deletion_is_soft_and_can_be_taken_back() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        let s = &f.store;
        let p = create(s, "a", "").await;
        let delete = async |_: &mut Write, p: Product| Ok(Change::new(p, ProductEvent::Deleted));
        let undelete = async |_: &mut Write, p: Product| Ok(Change::new(p, ProductEvent::Undeleted));
        let gone = s.delete::<Products, _>(&call(), &p.name, &p.etag, delete).await.unwrap().message;
        assert!(gone.delete_time.is_some());
        assert!(s.get::<Products>(&p.name).await.unwrap().delete_time.is_some());
        assert!(matches!(s.delete::<Products, _>(&call(), &p.name, "", delete).await, Err(Error::Deleted(_))));
        let query = ListQuery { parent: "workspaces/acme", ..Default::default() };
        assert!(s.list::<Products>(query).await.unwrap().items.is_empty());
        assert_eq!(s.list::<Products>(ListQuery { show_deleted: true, ..query }).await.unwrap().items.len(), 1);
        let back = s.undelete::<Products, _>(&call(), &p.name, "", undelete).await.unwrap().message;
        assert!(back.delete_time.is_none());
        assert!(matches!(s.undelete::<Products, _>(&call(), &p.name, "", undelete).await, Err(Error::NotDeleted(_))));
    }
}

#[tokio::test]
async fn pages_are_complete_in_any_order_with_nulls_and_ties() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        let s = &f.store;
        for i in 0..23 {
            create(s, &format!("p{i:02}"), ["", "x", "y", "é"][i % 4]).await;
        }
        for order in ["", "vision", "vision desc", "length desc, vision", "create_time desc", "vision desc, id desc"] {
            let query = ListQuery { parent: "workspaces/acme", order_by: order, ..Default::default() };
            let whole: Vec<_> = s.list::<Products>(query).await.unwrap().items.into_iter().map(|p| p.name).collect();
            assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 23, "{order}");
            let (mut paged, mut token) = (Vec::new(), String::new());
            loop {
                let page = s.list::<Products>(ListQuery { page_size: 4, page_token: &token, ..query }).await.unwrap();
                paged.extend(page.items.into_iter().map(|p| p.name));
                token = page.next_page_token;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(paged, whole, "{order}");
        }
        let names = |filter: &'static str| async move {
            let page = s
                .list::<Products>(ListQuery {
                    parent: "workspaces/acme",
                    filter,
                    page_size: 1_000,
                    ..Default::default()
                })
                .await;
            page.map(|p| p.items.len())
        };
        assert_eq!(names("vision = x").await.unwrap(), 6);
        assert_eq!(names("vision != x").await.unwrap(), 17);
        assert_eq!(names("NOT vision = x").await.unwrap(), 17);
        assert_eq!(names("vision:*").await.unwrap(), 17);
        // Case counts for letters beyond ASCII, on every database.
        assert_eq!(
            (names("vision:'é'").await.unwrap(), names("vision:'É'").await.unwrap(), names("vision:X").await.unwrap()),
            (5, 0, 6)
        );
        assert_eq!(names("id >= p20 OR display_name:'P0'").await.unwrap(), 13);
        assert_eq!(names("create_time > 2020-01-01T00:00:05Z AND length = 0").await.unwrap(), 23);
        assert_eq!(names("colour = red").await.unwrap_err().reason(), Reason::InvalidFilter);
        assert_eq!(names("create_time > soon").await.unwrap_err().reason(), Reason::InvalidFilter);
        let foreign = s
            .list::<Products>(ListQuery { parent: "workspaces/acme", page_size: 1, ..Default::default() })
            .await
            .unwrap()
            .next_page_token;
        let mixed = s
            .list::<Products>(ListQuery {
                parent: "workspaces/acme",
                filter: "id = a",
                page_token: &foreign,
                ..Default::default()
            })
            .await;
        assert_eq!(mixed.unwrap_err().reason(), Reason::InvalidPageToken);
    }
}

#[tokio::test]
async fn a_page_ends_before_it_is_too_large_for_a_message() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        let s = &f.store;
        let rows = (0..300)
            .map(|i| (format!("p{i:03}"), Some(pb::Product { strategy: "s".repeat(10_000), ..product("P", "") })));
        let (call, reply) = (call(), |_| pb::Product::default());
        s.batch_create::<Products, _, _>(&call, "workspaces/acme", rows.collect(), false, created_in, reply)
            .await
            .unwrap();
        let (mut ids, mut token, mut pages) = (Vec::new(), String::new(), 0);
        while pages == 0 || !token.is_empty() {
            let query = ListQuery {
                parent: "workspaces/acme",
                page_size: 1_000,
                page_token: &token,
                order_by: "id desc",
                ..Default::default()
            };
            let page = s.list::<Products>(query).await.unwrap();
            let size: usize = page.items.iter().map(|p| serde_json::to_string(p).unwrap().len()).sum();
            assert!((1..3 << 20).contains(&size), "{size} bytes");
            ids.extend(page.items.into_iter().map(|p| p.name));
            (token, pages) = (page.next_page_token, pages + 1);
        }
        assert_eq!((ids.len(), pages, ids.is_sorted_by(|a, b| a > b)), (300, 2, true));
        let (mut revisions, mut token) = (Vec::new(), String::new());
        while revisions.is_empty() || !token.is_empty() {
            let page = s
                .list_log(
                    &ws(),
                    LogFilter { service: "roadmap", page_size: 1_000, page_token: &token, ..Default::default() },
                )
                .await
                .unwrap();
            assert!(page.items.iter().map(|row| row.data.len()).sum::<usize>() < 3 << 20);
            revisions.extend(page.items.into_iter().map(|row| row.ordinal));
            token = page.next_page_token;
        }
        assert_eq!(revisions, (0..300).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_batch_is_all_or_nothing_unless_partial() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        let s = &f.store;
        create(s, "a", "").await;
        let rows = || {
            vec![
                ("b".to_owned(), Some(product("B", ""))),
                ("a".to_owned(), Some(product("A", ""))),
                (String::new(), Some(product("", ""))),
                ("c".to_owned(), None),
            ]
        };
        let reply = |b: waymark_store::Batch<pb::Product>| pb::BatchCreateProductsResponse {
            products: b.items,
            failures: b.failures,
        };
        let all = s
            .batch_create::<Products, _, _>(&call(), "workspaces/acme", rows(), false, created_in, reply)
            .await
            .unwrap_err();
        assert!(all.to_string().starts_with("requests[1]"), "{all}");
        assert_eq!(s.revision(&ws()).await.unwrap(), 1);
        let some = s
            .batch_create::<Products, _, _>(&call(), "workspaces/acme", rows(), true, created_in, reply)
            .await
            .unwrap()
            .message;
        assert_eq!(
            some.products.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
            ["workspaces/acme/products/b", "", "", ""]
        );
        assert_eq!(
            some.failures.iter().map(|(i, f)| (*i, f.reason.as_str())).collect::<Vec<_>>(),
            [(1, "RESOURCE_EXISTS"), (2, "INVALID_FIELD"), (3, "INVALID_FIELD")]
        );
    }
}

#[tokio::test]
async fn the_past_can_be_read_until_it_is_trimmed() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        let s = &f.store;
        let p = create(s, "a", "one").await;
        create(s, "b", "").await;
        for vision in ["two", "three"] {
            let patch = pb::Product { name: p.name.clone(), vision: vision.into(), ..Default::default() };
            s.update::<Products, _>(&call(), Some(patch), None, updated).await.unwrap();
        }
        let visions = |position| async move {
            Ok::<_, Error>(as_of(s, position).await?.into_iter().map(|p| p.vision).collect::<Vec<_>>())
        };
        assert_eq!(visions(Position::Revision(1)).await.unwrap(), ["one"]);
        assert_eq!(visions(Position::Revision(3)).await.unwrap(), ["two", ""]);
        let time = s.read_log("acme", 2, 1).await.unwrap()[0].time;
        assert_eq!(visions(Position::Time(time)).await.unwrap(), ["two", ""]);
        assert!(matches!(visions(Position::Revision(5)).await, Err(Error::Future { current: 4, .. })));
        assert_eq!(
            visions(Position::Time(s.now() + chrono::Duration::hours(1))).await.unwrap_err().reason(),
            Reason::InvalidField
        );
        assert_eq!(s.trim_log(&ws(), 3, &LogReaders::default()).await.unwrap(), Some(1));
        assert_eq!(visions(Position::Revision(3)).await.unwrap(), ["two", ""]);
        assert!(matches!(visions(Position::Revision(2)).await, Err(Error::Expired { earliest: 3, .. })));
        let page = s
            .list_log(
                &ws(),
                LogFilter { service: "roadmap", filter: "subject:products/a", page_size: 1, ..Default::default() },
            )
            .await
            .unwrap();
        assert_eq!(page.items[0].revision, 3);
        let rest = s
            .list_log(
                &ws(),
                LogFilter {
                    service: "roadmap",
                    filter: "subject:products/a",
                    page_size: 1,
                    page_token: &page.next_page_token,
                    ..Default::default()
                },
            )
            .await
            .unwrap();
        assert_eq!((rest.items[0].revision, rest.next_page_token.as_str()), (4, ""));
    }
}

#[tokio::test]
async fn concurrent_writers_lose_nothing_and_leave_no_gap() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        let s = f.store.clone();
        let p = create(&s, "a", "0").await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (s, name) = (s.clone(), p.name.clone());
                let work = async move {
                    for _ in 0..10 {
                        loop {
                            let now = s.get::<Products>(&name).await.unwrap();
                            let n: u32 = now.vision.parse().unwrap();
                            let patch = pb::Product {
                                name: name.clone(),
                                etag: now.etag,
                                vision: (n + 1).to_string(),
                                ..Default::default()
                            };
                            match s.update::<Products, _>(&call(), Some(patch), None, updated).await {
                                Ok(_) => break,
                                Err(Error::Stale { .. }) => {}
                                Err(error) => panic!("{error:?}"),
                            }
                        }
                    }
                };
                // Spawning proves that a write's future can be sent to another thread.
                #[expect(clippy::disallowed_methods, reason = "the test waits for each")]
                tokio::spawn(work)
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(s.get::<Products>(&p.name).await.unwrap().vision, "80");
        let revisions: Vec<i64> = s.read_log("acme", 0, 1_000).await.unwrap().into_iter().map(|r| r.revision).collect();
        assert_eq!(revisions, (1..=81).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_damaged_row_is_named() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        let s = &f.store;
        let p = create(s, "a", "").await;
        let damage = "UPDATE products SET body = '{\"name\": \"workspaces/acme/products/a\", \"uid\": \"x\"}'";
        f.database.connect().await.unwrap().execute_unprepared(damage).await.unwrap();
        let patch = pb::Product { name: p.name.clone(), vision: "v".into(), ..Default::default() };
        let error = s.update::<Products, _>(&call(), Some(patch), None, updated).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("table products, column body, row acme/a: ") && text.contains("uid: invalid"), "{text}");
        assert_eq!(error.reason(), Reason::Internal);
    }
}
