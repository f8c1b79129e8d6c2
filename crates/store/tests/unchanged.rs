//! Writes that change nothing: no version, no event, no revision, whatever the method; but an answer that is kept.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use pbjson_types::FieldMask;
use uuid::Uuid;
use waymark_domain::Change;
use waymark_domain::roadmap::{Product, ProductEvent};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::standard::{Create, Rows, Update};
use waymark_request::{Call, Written};
use waymark_store::{Error, LogFilter, Store, Write};
use waymark_testkit::sample::{self, Products, call, product, workspace};
use waymark_testkit::{Engine, host};

const W: &str = "workspaces/acme";

fn named(id: &str) -> String {
    format!("{W}/products/{id}")
}

fn repeated(id: u128) -> Call {
    Call { request_id: Some(Uuid::from_u128(id)), ..call() }
}

async fn update(store: &Store, call: &Call, id: &str, vision: &str) -> Result<Written<pb::Product>, Error> {
    let patch = pb::Product { name: named(id), vision: vision.into(), ..Default::default() };
    let mask = FieldMask { paths: vec!["vision".into()] };
    let revise = async |_: &mut Write, _, new| Ok(Change::new(new, ProductEvent::Updated));
    store.update::<Products, _>(call, Some(patch), Some(mask), revise).await
}

async fn events(store: &Store) -> usize {
    let all = LogFilter { service: "roadmap", ..Default::default() };
    store.list_log(&workspace(), all).await.unwrap().items.len()
}

#[tokio::test]
async fn an_update_without_a_difference_is_none_and_its_answer_is_kept() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (store, database) = sample::store(engine, &host).await.unwrap();
        for id in ["a", "b"] {
            let create = Create { parent: W.into(), id: id.into(), resource: Some(product(id, "One")) };
            store.create::<Products>(&call(), create).await.unwrap();
        }
        let first = store.get::<Products>(&named("a")).await.unwrap();

        let same = update(&store, &call(), "a", "One").await.unwrap();
        assert_eq!((&same.message, same.revision, same.changed), (&first, Some(2), false), "{engine:?}");
        let custom = async |_: &mut Write, old: Product| Ok(Change::new(old, ProductEvent::Updated));
        let custom = store.change::<Products, _>(&call(), &named("a"), "", custom).await.unwrap();
        assert_eq!((&custom.message, custom.revision, custom.changed), (&first, Some(2), false));
        assert_eq!((events(&store).await, store.revision(&workspace()).await.unwrap()), (2, 2));

        // Under a request id it is answered the same again, though there would be a difference by now.
        let kept = update(&store, &repeated(1), "a", "One").await.unwrap();
        assert_eq!((&kept.message, kept.revision), (&first, Some(2)));
        let other = update(&store, &repeated(2), "a", "Two").await.unwrap();
        assert_eq!((other.revision, other.changed), (Some(3), true), "{engine:?}: no revision was left out");
        let again = update(&store, &repeated(1), "a", "One").await.unwrap();
        assert_eq!((again.message, again.revision), (first, Some(2)));
        assert_eq!(store.get::<Products>(&named("a")).await.unwrap().vision, "Two");
        let reused = update(&store, &Call { digest: [9; 32], ..repeated(1) }, "a", "Three").await;
        assert!(matches!(reused, Err(Error::RequestIdReused(_))), "{reused:?}");
        assert_eq!(database.number("SELECT revision FROM workspaces").await.unwrap(), 3);
    }
}

#[tokio::test]
async fn how_a_time_was_written_makes_no_difference() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (store, database) = sample::store(engine, &host).await.unwrap();
        let create = Create { parent: W.into(), id: "a".into(), resource: Some(product("a", "One")) };
        store.create::<Products>(&call(), create).await.unwrap();
        let first = store.get::<Products>(&named("a")).await.unwrap();
        let kind = if engine == Engine::Postgres { "json" } else { "text" };
        let offset =
            format!("UPDATE products SET body = CAST(replace(CAST(body AS text), 'Z\"', '+00:00\"') AS {kind})");
        database.execute(&[&offset]).await.unwrap();
        assert_eq!(store.get::<Products>(&named("a")).await.unwrap(), first, "{engine:?}");
        let same = update(&store, &call(), "a", "One").await.unwrap();
        assert_eq!((same.message, same.changed), (first, false), "{engine:?}");
        update(&store, &call(), "a", "Two").await.unwrap();
        let all = LogFilter { service: "roadmap", filter: "revision = 2", ..Default::default() };
        let data = store.list_log(&workspace(), all).await.unwrap().items[0].data.clone();
        assert!(data.contains(r#""changedFields":["vision"]"#) && data.contains("Z\""), "{engine:?}: {data}");
        assert!(!data.contains("+00:00"), "{engine:?}: {data}");
    }
}

#[tokio::test]
async fn of_a_batch_only_the_rows_with_a_difference_are_written() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (store, _database) = sample::store(engine, &host).await.unwrap();
        for id in ["a", "b"] {
            let create = Create { parent: W.into(), id: id.into(), resource: Some(product(id, "One")) };
            store.create::<Products>(&call(), create).await.unwrap();
        }
        let batch = async |visions: [&str; 2]| {
            let row = |(id, vision): (&str, &str)| Update {
                resource: Some(pb::Product { name: named(id), vision: vision.into(), ..Default::default() }),
                update_mask: None,
            };
            let requests = ["a", "b"].into_iter().zip(visions).map(row).collect();
            let rows = Rows { parent: W.into(), requests, partial: false };
            let written: Written<pb::BatchUpdateProductsResponse> =
                store.batch_update::<Products, _>(&call(), rows).await.unwrap();
            let etags: Vec<_> = written.message.products.into_iter().map(|product| product.etag).collect();
            (etags, written.revision.unwrap(), written.changed)
        };
        let etags = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(batch(["One", "One"]).await, (etags("1", "1"), 2, false), "{engine:?}");
        assert_eq!(batch(["One", "Two"]).await, (etags("1", "2"), 3, true), "{engine:?}");
        assert_eq!(events(&store).await, 3);
    }
}
