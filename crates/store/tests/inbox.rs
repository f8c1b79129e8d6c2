//! The inbox: an event has its effect once, also when its note grows old; what was handled counts for ever, and nothing
//! else does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use chrono::TimeDelta;
use uuid::Uuid;
use waymark_clock::ManualClock;
use waymark_domain::WorkspaceId;
use waymark_request::{Call, Causation};
use waymark_store::{Received, Store, Write};
use waymark_testkit::sample::{Products, call, created, product, store, workspace};
use waymark_testkit::schema::{execute, text};
use waymark_testkit::{Engine, TestDatabase, host};

const VALIDATED: &str = "waymark.discovery.v1.SolutionValidated";
const CONCLUDED: &str = "waymark.discovery.v1.AssumptionTestConcluded";
/// Notes are folded when they are older.
const KEPT: TimeDelta = TimeDelta::days(30);

/// A service that consumes events of discovery; each has a product for its effect.
struct Consumer {
    store: Store,
    clock: ManualClock,
    database: TestDatabase,
}

async fn consumer(engine: Engine) -> Consumer {
    let (host, clock) = host(7);
    let (store, database) = store(engine, &host).await.unwrap();
    Consumer { store, clock, database }
}

/// The event `id` of discovery's `workspaces/acme`.
fn event(id: u128, event_type: &str, revision: i64) -> Received {
    Received {
        source: "discovery".into(),
        workspace: workspace(),
        revision,
        event_id: Uuid::from_u128(id),
        event_type: event_type.into(),
        subject: "workspaces/acme/solutions/s".into(),
        time: waymark_testkit::NOW,
        actor: "users/ada".into(),
        traceparent: None,
        data: "{}".into(),
    }
}

impl Consumer {
    /// Whether the event has an effect now.
    async fn takes(&self, event: &Received) -> bool {
        self.takes_as("roadmap", event).await
    }

    async fn takes_as(&self, consumer: &str, event: &Received) -> bool {
        let mut done = false;
        let work = async |write: &mut Write| {
            done = true;
            write.create::<Products, _>("", product("A", ""), created).map(|_| ())
        };
        self.store.react(&event.reaction(consumer), work).await.unwrap();
        done
    }

    /// Lets the notes grow old and folds them; tells how many there were.
    async fn fold(&self) -> u64 {
        self.clock.advance(Duration::from_hours(31 * 24));
        let mut folded = 0;
        loop {
            match self.store.fold_inbox(self.store.now() - KEPT, 2).await.unwrap() {
                0 => return folded,
                part => folded += part,
            }
        }
    }

    async fn text(&self, query: &str) -> String {
        text(self.database.url(), query).await.unwrap()
    }

    async fn notes(&self) -> String {
        self.text("SELECT CAST(count(*) AS text) FROM inbox").await
    }

    async fn set_aside(&self, event: &Received) {
        self.store.set_aside("roadmap", event, "cannot be read", 6).await.unwrap();
    }

    async fn discard(&self, event: &Received) {
        assert!(self.store.forget_dead_letter(&event.workspace, event.event_id).await.unwrap());
    }
}

#[tokio::test]
async fn an_event_is_reacted_to_once() {
    for engine in Engine::each() {
        let c = consumer(engine).await;
        let s = &c.store;
        let causation = Causation {
            consumer: "roadmap".into(),
            source: "discovery".into(),
            workspace: workspace(),
            revision: 7,
            event_type: VALIDATED.into(),
            event_id: Uuid::from_u128(9),
        };
        let call = Call { causation: Some(causation), ..call() };
        for _ in 0..3 {
            s.write(&call, &workspace(), async |write| write.create::<Products, _>("", product("A", ""), created))
                .await
                .unwrap();
        }
        assert_eq!(s.all::<Products>(&workspace()).await.unwrap().len(), 1);
        let rows = s.read_log("acme", 0, 10).await.unwrap();
        assert_eq!(rows[0].causation_id, Some(Uuid::from_u128(9).to_string()));
    }
}

#[tokio::test]
async fn a_stream_that_is_replayed_after_the_fold_changes_nothing() {
    for engine in Engine::each() {
        let c = consumer(engine).await;
        let stream: Vec<_> = (1..=9).map(|n| event(n, [VALIDATED, CONCLUDED][n as usize % 2], n as i64 / 2)).collect();
        for event in &stream {
            assert!(c.takes(event).await);
        }
        assert_eq!(c.store.fold_inbox(c.store.now() - KEPT, 100).await.unwrap(), 0, "they are young");
        assert_eq!((c.fold().await, c.notes().await.as_str()), (9, "0"));
        let rows = c.store.revision(&workspace()).await.unwrap();
        for event in &stream {
            assert!(!c.takes(event).await, "{event:?}");
            // Nor inside of a write, for one who did not look before.
            let mut call = Call::internal("roadmap");
            call.causation = Some(causation(event));
            let work = async |write: &mut Write| write.create::<Products, _>("", product("A", ""), created).map(|_| ());
            assert_eq!(c.store.write(&call, &workspace(), work).await.unwrap().revision, None, "{event:?}");
        }
        assert_eq!((c.store.revision(&workspace()).await.unwrap(), c.notes().await.as_str()), (rows, "0"));
        let floors = "SELECT CAST(count(*) AS text) FROM inbox_floors";
        assert_eq!(c.text(floors).await, "2", "one for each type, however many events");

        // It goes on, and the floors go with it.
        let next = event(10, VALIDATED, 5);
        assert!(c.takes(&next).await && !c.takes(&next).await);
        assert_eq!(c.fold().await, 1);
        assert!(!c.takes(&next).await && !c.takes(&stream[0]).await);
        let named = "SELECT last_events FROM inbox_floors WHERE type LIKE '%SolutionValidated'";
        assert_eq!(c.text(named).await, next.event_id.to_string(), "a floor names no more than the events of its ends");
    }
}

fn causation(event: &Received) -> Causation {
    Causation {
        consumer: "roadmap".into(),
        source: event.source.clone(),
        workspace: event.workspace.clone(),
        revision: event.revision,
        event_type: event.event_type.clone(),
        event_id: event.event_id,
    }
}

#[tokio::test]
async fn a_floor_counts_only_what_was_handled() {
    for engine in Engine::each() {
        let c = consumer(engine).await;
        for (id, revision) in [(10, 10), (15, 15), (20, 20)] {
            assert!(c.takes(&event(id, VALIDATED, revision)).await);
        }
        assert_eq!(c.fold().await, 3);
        for settled in [event(10, VALIDATED, 10), event(15, VALIDATED, 15), event(20, VALIDATED, 20)] {
            assert!(!c.takes(&settled).await, "{settled:?}");
        }
        assert!(!c.takes(&event(12, VALIDATED, 12)).await, "what came between two that were handled was settled");
        let elsewhere = Received { workspace: WorkspaceId::from_id("shop").unwrap(), ..event(31, VALIDATED, 15) };
        let others = Received { source: "metrics".into(), ..event(32, VALIDATED, 15) };
        for (what, unhandled) in [
            ("before the consumer listened", event(5, VALIDATED, 9)),
            ("of the first revision, another", event(11, VALIDATED, 10)),
            ("of the last revision, another", event(21, VALIDATED, 20)),
            ("not come yet", event(22, VALIDATED, 21)),
            ("of a type that is listened to later", event(16, CONCLUDED, 15)),
            ("of another workspace", elsewhere),
            ("of another source", others),
        ] {
            assert!(c.takes(&unhandled).await, "{what}");
            assert!(!c.takes(&unhandled).await, "{what}, again");
        }
        assert!(c.takes_as("metrics", &event(15, VALIDATED, 15)).await, "another consumer");

        // History of a type that is listened to later, heard from its beginning: the floor grows downwards.
        assert!(c.takes(&event(6, CONCLUDED, 6)).await);
        c.fold().await;
        assert!(!c.takes(&event(6, CONCLUDED, 6)).await && !c.takes(&event(16, CONCLUDED, 15)).await);
        assert!(c.takes(&event(7, CONCLUDED, 6)).await);
    }
}

#[tokio::test]
async fn the_events_of_one_revision_may_be_folded_apart() {
    for engine in Engine::each() {
        let c = consumer(engine).await;
        let events = [1, 2, 3, 4].map(|id| event(id, VALIDATED, 5));
        assert!(c.takes(&events[0]).await);
        assert_eq!(c.fold().await, 1);
        assert!(c.takes(&events[1]).await && c.takes(&events[2]).await);
        assert_eq!(c.fold().await, 2);
        for handled in &events[..3] {
            assert!(!c.takes(handled).await, "{handled:?}");
        }
        assert!(c.takes(&events[3]).await);
    }
}

#[tokio::test]
async fn a_dead_letter_is_handled_when_it_is_retried_after_the_fold() {
    for engine in Engine::each() {
        let c = consumer(engine).await;
        let bad = event(2, VALIDATED, 2);
        assert!(c.takes(&event(1, VALIDATED, 1)).await);
        c.set_aside(&bad).await;
        assert!(c.takes(&event(3, VALIDATED, 3)).await);
        assert_eq!(c.fold().await, 2);
        // Failing once more changes nothing of it.
        c.set_aside(&bad).await;
        assert!(c.takes(&bad).await, "the floor does not count what is among the dead letters");
        assert!(!c.takes(&bad).await, "its note does");
        // The one who retried it died before the letter was forgotten, and it is retried a month later.
        assert_eq!(c.fold().await, 1);
        assert!(!c.takes(&bad).await);
        c.discard(&bad).await;
        assert!(!c.takes(&bad).await);
    }
}

#[tokio::test]
async fn a_dead_letter_that_was_handled_all_the_same_is_not_handled_again() {
    for engine in Engine::each() {
        let c = consumer(engine).await;
        let (noted, folded) = (event(1, VALIDATED, 1), event(2, VALIDATED, 2));
        assert!(c.takes(&folded).await);
        assert_eq!(c.fold().await, 1);
        assert!(c.takes(&noted).await);
        // Both come again, and this time the handler fails before it gets to the inbox.
        c.set_aside(&noted).await;
        c.set_aside(&folded).await;
        assert!(!c.takes(&noted).await && !c.takes(&folded).await);
        assert_eq!(c.fold().await, 1);
        assert!(!c.takes(&noted).await && !c.takes(&folded).await);
    }
}

#[tokio::test]
async fn a_discarded_dead_letter_below_the_floor_is_settled() {
    for engine in Engine::each() {
        let c = consumer(engine).await;
        assert!(c.takes(&event(1, VALIDATED, 1)).await);
        let bad = event(2, VALIDATED, 2);
        c.set_aside(&bad).await;
        assert!(c.takes(&event(3, VALIDATED, 3)).await);
        c.fold().await;
        c.discard(&bad).await;
        assert!(!c.takes(&bad).await);
    }
}

#[tokio::test]
async fn notes_of_before_are_kept() {
    for engine in Engine::each() {
        let c = consumer(engine).await;
        let known = event(1, VALIDATED, 1);
        let note = format!("INSERT INTO inbox (consumer, event_id, time) VALUES ('roadmap', '{}', 1)", known.event_id);
        execute(c.database.url(), &note).await.unwrap();
        assert_eq!((c.fold().await, c.notes().await.as_str()), (0, "1"));
        assert!(!c.takes(&known).await);
    }
}

#[tokio::test]
async fn two_that_fold_at_once_do_no_harm() {
    for engine in Engine::each() {
        let c = consumer(engine).await;
        let stream: Vec<_> = (1..=40).map(|n| event(n, VALIDATED, n as i64)).collect();
        for event in &stream {
            assert!(c.takes(event).await);
        }
        c.clock.advance(Duration::from_hours(31 * 24));
        let before = c.store.now() - KEPT;
        let fold = async || while c.store.fold_inbox(before, 3).await.unwrap() > 0 {};
        tokio::join!(fold(), fold(), fold());
        assert_eq!(c.notes().await, "0");
        for event in &stream {
            assert!(!c.takes(event).await, "{event:?}");
        }
        assert!(c.takes(&event(41, VALIDATED, 40)).await);
    }
}
