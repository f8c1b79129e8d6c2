//! Reactions that are committed together: all or none, each event once, and nobody sees half of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use uuid::Uuid;
use waymark_domain::Violations;
use waymark_store::{Error, Received, Store, Together, Write};
use waymark_testkit::sample::{Products, create, created, product, store, workspace};
use waymark_testkit::schema::text;
use waymark_testkit::{Engine, TestDatabase, host};

const CONSUMER: &str = "roadmap";

struct World {
    store: Store,
    database: TestDatabase,
}

fn event(id: u128) -> Received {
    Received {
        source: "discovery".into(),
        workspace: workspace(),
        revision: id as i64,
        event_id: Uuid::from_u128(id),
        event_type: "waymark.discovery.v1.SolutionValidated".into(),
        subject: "workspaces/acme/solutions/s".into(),
        time: waymark_testkit::NOW,
        actor: "users/ada".into(),
        traceparent: None,
        data: "{}".into(),
    }
}

impl World {
    async fn new(engine: Engine) -> Self {
        let (host, _) = host(7);
        let (store, database) = store(engine, &host).await.unwrap();
        Self { store, database }
    }

    /// Makes a product of the event, unless that has been done; tells whether the work was asked for.
    async fn take(&self, id: u128, together: &Together) -> Result<bool, Error> {
        let mut asked = false;
        let work = async |write: &mut Write| {
            asked = true;
            write.create::<Products, _>(&format!("p{id}"), product("A", ""), created).map(|_| ())
        };
        self.store.react(&event(id).reaction(CONSUMER).within(together), work).await?;
        Ok(asked)
    }

    /// Reacts to the event by nothing.
    async fn pass(&self, id: u128, together: &Together) {
        self.store.react(&event(id).reaction(CONSUMER).within(together), async |_| Ok(())).await.unwrap();
    }

    async fn fail(&self, id: u128, together: &Together) -> Result<(), Error> {
        let refused = async |_: &mut Write| Err(Violations::one("data", "is none").into());
        self.store.react(&event(id).reaction(CONSUMER).within(together), refused).await
    }

    async fn text(&self, query: &str) -> String {
        text(self.database.url(), query).await.unwrap()
    }

    /// Products, notes, and revisions of workspaces.
    async fn kept(&self) -> (usize, String, String) {
        let products = self.store.all::<Products>(&workspace()).await.unwrap().len();
        let notes = self.text("SELECT CAST(count(*) AS text) FROM inbox").await;
        (products, notes, self.text("SELECT CAST(coalesce(sum(revision), -1) AS text) FROM workspaces").await)
    }
}

fn kept(products: usize, notes: u32, revision: i32) -> (usize, String, String) {
    (products, notes.to_string(), revision.to_string())
}

#[tokio::test]
async fn reactions_are_committed_together_and_each_event_counts_once() {
    for engine in Engine::each() {
        let w = World::new(engine).await;
        let together = w.store.together(&workspace());
        assert!(w.take(1, &together).await.unwrap() && w.take(2, &together).await.unwrap());
        w.pass(3, &together).await;
        assert!(!w.take(2, &together).await.unwrap(), "told twice");
        assert_eq!(w.kept().await, kept(0, 0, -1), "nobody sees what is not committed");
        together.commit().await.unwrap();
        assert_eq!(w.kept().await, kept(2, 3, 2), "one that changes nothing makes no revision, but counts");
        assert_eq!(w.store.heads().subscribe(&workspace()).borrow().to_owned(), 2, "who watches is told");

        let again = w.store.together(&workspace());
        for id in 1..=3 {
            assert!(!w.take(id, &again).await.unwrap(), "event {id} was handled");
        }
        again.commit().await.unwrap();
        assert_eq!(w.kept().await, kept(2, 3, 2));
        let revisions: Vec<i64> =
            w.store.read_log("acme", 0, 10).await.unwrap().iter().map(|row| row.revision).collect();
        assert_eq!(revisions, [1, 2], "without a gap");
    }
}

#[tokio::test]
async fn one_that_fails_undoes_those_before_it_which_can_be_done_then() {
    for engine in Engine::each() {
        let w = World::new(engine).await;
        let together = w.store.together(&workspace());
        w.take(1, &together).await.unwrap();
        assert!(w.fail(2, &together).await.is_err());
        assert!(w.take(3, &together).await.is_err(), "it is over");
        assert!(together.commit().await.is_err());
        assert_eq!(w.kept().await, kept(0, 0, -1));

        let dropped = w.store.together(&workspace());
        w.take(1, &dropped).await.unwrap();
        drop(dropped);
        assert_eq!(w.kept().await, kept(0, 0, -1));

        // The workspace is free: each does its work by itself.
        for id in [1, 3] {
            let work = async |write: &mut Write| {
                write.create::<Products, _>(&format!("p{id}"), product("A", ""), created).map(|_| ())
            };
            w.store.react(&event(id).reaction(CONSUMER), work).await.unwrap();
        }
        assert_eq!(w.kept().await, kept(2, 2, 2));
    }
}

#[tokio::test]
async fn in_a_workspace_without_anything_events_that_change_nothing_count_all_the_same() {
    for engine in Engine::each() {
        let w = World::new(engine).await;
        w.store.react(&event(1).reaction(CONSUMER), async |_| Ok(())).await.unwrap();
        let together = w.store.together(&workspace());
        w.pass(2, &together).await;
        w.pass(3, &together).await;
        together.commit().await.unwrap();
        assert_eq!(w.kept().await, kept(0, 3, -1), "there is no workspace without a revision");
    }
}

#[tokio::test]
async fn others_wait_until_they_are_committed() {
    for engine in Engine::each() {
        let w = World::new(engine).await;
        let together = w.store.together(&workspace());
        w.take(1, &together).await.unwrap();
        let mut other = std::pin::pin!(create(&w.store, "other", ""));
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut other).await.is_err(), "it waits");
        w.take(2, &together).await.unwrap();
        together.commit().await.unwrap();
        other.await;
        let order: Vec<String> =
            w.store.read_log("acme", 0, 10).await.unwrap().into_iter().map(|row| row.resource_id).collect();
        assert_eq!(order[..2], ["p1", "p2"], "nothing came in between: {order:?}");
        assert_eq!(order.len(), 3);
    }
}
