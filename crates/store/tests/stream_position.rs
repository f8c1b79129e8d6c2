//! How far a stream was read is saved by the one that reads it, and by nobody who did before.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use waymark_domain::WorkspaceId;
use waymark_store::{ParkedWorkspace, StreamPosition};
use waymark_testkit::sample::store;
use waymark_testkit::{Engine, NOW, host};

fn workspace(id: &str) -> WorkspaceId {
    WorkspaceId::from_id(id).unwrap()
}

fn at(sequence: u64) -> StreamPosition {
    StreamPosition { sequence, time: NOW }
}

fn parked(id: &str, sequence: u64) -> ParkedWorkspace {
    ParkedWorkspace { workspace: workspace(id), sequence }
}

#[tokio::test]
async fn what_is_saved_is_found_by_the_next_and_each_source_is_apart() {
    for engine in Engine::each() {
        let (host, _) = host(1);
        let (store, _database) = store(engine, &host).await.unwrap();
        let reader = store.take_over("metrics", "roadmap", "one").await.unwrap();
        assert_eq!(reader.load().await.unwrap(), (StreamPosition::START, Vec::new()));
        assert!(reader.advance(at(7)).await.unwrap());
        assert!(reader.park(&workspace("a"), 3).await.unwrap());
        assert!(reader.park(&workspace("a"), 5).await.unwrap());
        assert!(reader.park(&workspace("b"), 6).await.unwrap());
        assert!(reader.unpark(&workspace("b")).await.unwrap());
        let next = store.take_over("metrics", "roadmap", "two").await.unwrap();
        assert_eq!(next.load().await.unwrap(), (at(7), vec![parked("a", 5)]));
        assert!(next.rewind(at(2)).await.unwrap());
        assert_eq!(next.load().await.unwrap(), (at(2), vec![parked("a", 3)]), "it is read again from there");
        assert!(next.rewind(at(4)).await.unwrap());
        assert_eq!(next.load().await.unwrap(), (at(4), vec![parked("a", 3)]), "it had not come so far");
        let other = store.take_over("metrics", "discovery", "one").await.unwrap();
        assert_eq!(other.load().await.unwrap(), (StreamPosition::START, Vec::new()));
    }
}

#[tokio::test]
async fn one_that_was_taken_over_saves_nothing_any_more() {
    for engine in Engine::each() {
        let (host, _) = host(1);
        let (store, _database) = store(engine, &host).await.unwrap();
        let before = store.take_over("metrics", "roadmap", "one").await.unwrap();
        let now = store.take_over("metrics", "roadmap", "two").await.unwrap();
        assert!(now.advance(at(9)).await.unwrap());
        assert!(now.park(&workspace("a"), 5).await.unwrap());
        assert!(!before.advance(at(20)).await.unwrap());
        assert!(!before.park(&workspace("a"), 8).await.unwrap());
        assert!(!before.park(&workspace("b"), 8).await.unwrap());
        assert!(!before.unpark(&workspace("a")).await.unwrap());
        assert!(!before.rewind(at(1)).await.unwrap());
        assert_eq!(now.load().await.unwrap(), (at(9), vec![parked("a", 5)]));
    }
}
