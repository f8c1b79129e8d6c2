//! A stream that lost messages is noticed, and filled again from the log: none is missing in the end.

use std::collections::{BTreeMap, BTreeSet};

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context};
use waymark_events::stream_name;
use waymark_runtime::Host;
use waymark_store::{Checkpoint, Store};
use waymark_testkit::sample::store;
use waymark_testkit::{Engine, NatsBackup, NatsServer, host, wait_until};

use crate::relay;
use crate::relay::{LIMIT, published, relayed, write};

const WORKSPACES: [&str; 2] = ["alpha", "beta"];

/// The value of a counter of the relay.
fn counted(host: &Host, name: &str) -> u64 {
    let metrics = host.telemetry.prometheus().unwrap();
    let line = metrics.lines().find(|line| line.starts_with(&format!("waymark_relay_{name}_total{{")));
    line.and_then(|line| line.rsplit_once(' ')).map_or(0, |(_, value)| value.parse().unwrap())
}

/// Waits until no event of the log is missing in the stream.
async fn filled(store: &Store, nats: &NatsServer) {
    let mut logged = BTreeSet::new();
    for workspace in WORKSPACES {
        let rows = store.read_log(workspace, 0, 100_000).await.unwrap();
        logged.extend(rows.iter().map(|row| row.event_id.to_string()));
    }
    wait_until("no event is missing in the stream", LIMIT, async || {
        let there: BTreeSet<String> = published(nats, "roadmap").await.into_iter().map(|(.., id)| id).collect();
        logged.is_subset(&there)
    })
    .await;
}

async fn revisions(nats: &NatsServer, of: &str) -> Vec<i64> {
    let events = published(nats, "roadmap").await.into_iter();
    events.filter(|(workspace, ..)| workspace == of).map(|(_, revision, _)| revision).collect()
}

async fn context(nats: &NatsServer) -> Context {
    jetstream::new(async_nats::connect(nats.url()).await.unwrap())
}

/// A stream of five events of alpha, its backup, and after that four more of it and two of beta.
async fn nine_of_alpha(host: &Host, store: &Store, nats: &mut NatsServer) -> NatsBackup {
    relay(host, store, nats).await;
    write(store, "alpha", 5).await;
    relayed(store, nats, &WORKSPACES, "the first events are published").await;
    let backup = nats.back_up().await.unwrap();
    write(store, "alpha", 4).await;
    write(store, "beta", 2).await;
    relayed(store, nats, &WORKSPACES, "all events are published").await;
    backup
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_tail_is_noticed_by_the_relay_that_runs() {
    for engine in Engine::each() {
        let (host, _) = host(11);
        let (store, _database) = store(engine, &host).await.unwrap();
        let mut nats = NatsServer::start().await.unwrap();
        let backup = nine_of_alpha(&host, &store, &mut nats).await;
        nats.restore(&backup).await.unwrap();
        filled(&store, &nats).await;
        assert_eq!(revisions(&nats, "alpha").await, (1..=9).collect::<Vec<_>>(), "ordered, no gap, no duplicate");
        assert_eq!(revisions(&nats, "beta").await, [1, 2]);
        assert_eq!(counted(&host, "losses"), 1);
        wait_until("what was lost is counted", LIMIT, async || counted(&host, "republished") >= 6).await;
        // The stream is what it should be from here on.
        write(&store, "beta", 3).await;
        filled(&store, &nats).await;
        assert_eq!(counted(&host, "losses"), 1);
        host.stop(Vec::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_tail_is_noticed_by_a_relay_that_starts() {
    for engine in Engine::each() {
        let (before, _) = host(12);
        let (store, _database) = store(engine, &before).await.unwrap();
        let mut nats = NatsServer::start().await.unwrap();
        let backup = nine_of_alpha(&before, &store, &mut nats).await;
        before.stop(Vec::new()).await;
        nats.restore(&backup).await.unwrap();
        let (after, _) = host(13);
        relay(&after, &store, &nats).await;
        filled(&store, &nats).await;
        assert_eq!(revisions(&nats, "alpha").await, (1..=9).collect::<Vec<_>>());
        assert_eq!(counted(&after, "losses"), 1);
        wait_until("what was lost is counted", LIMIT, async || counted(&after, "republished") >= 6).await;
        after.stop(Vec::new()).await;
    }
}

/// The tail is lost, and a program that keeps no checkpoints goes on before one that does.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_behind_a_lost_tail_is_published_again() {
    for engine in Engine::each() {
        let (before, _) = host(14);
        let (store, database) = store(engine, &before).await.unwrap();
        let mut nats = NatsServer::start().await.unwrap();
        let backup = nine_of_alpha(&before, &store, &mut nats).await;
        before.stop(Vec::new()).await;
        nats.restore(&backup).await.unwrap();

        database
            .execute(&["CREATE TABLE kept AS SELECT * FROM relay_checkpoints", "DELETE FROM relay_checkpoints"])
            .await
            .unwrap();
        let (other, _) = host(15);
        relay(&other, &store, &nats).await;
        write(&store, "alpha", 2).await;
        write(&store, "beta", 1).await;
        wait_until("another has gone on", LIMIT, async || published(&nats, "roadmap").await.len() == 8).await;
        other.stop(Vec::new()).await;
        assert_eq!(counted(&other, "losses"), 0, "there was nothing to compare with");
        database
            .execute(&[
                "DELETE FROM relay_checkpoints",
                "INSERT INTO relay_checkpoints SELECT * FROM kept",
                // It moved what it knows of the cursors, the revision.
                "UPDATE relay_cursors SET sequence = 1, reached = 1 WHERE workspace = 'alpha'",
                "UPDATE relay_cursors SET sequence = NULL, reached = NULL WHERE workspace = 'beta'",
            ])
            .await
            .unwrap();

        let (after, _) = host(16);
        relay(&after, &store, &nats).await;
        filled(&store, &nats).await;
        assert_eq!(counted(&after, "losses"), 1);
        assert_eq!(revisions(&nats, "alpha").await, [1, 2, 3, 4, 5, 10, 11, 6, 7, 8, 9], "late, but each there once");
        assert_eq!(revisions(&nats, "beta").await, [3, 1, 2]);
        wait_until("what was there is counted too", LIMIT, async || counted(&after, "republished") >= 9).await;
        after.stop(Vec::new()).await;
    }
}

/// A message that stands where the relay once came back to says nothing of those before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_loss_after_a_late_notice_finds_what_is_missing_before_it() {
    let (before, _) = host(17);
    let (store, database) = store(Engine::Sqlite, &before).await.unwrap();
    let nats = NatsServer::start().await.unwrap();
    relay(&before, &store, &nats).await;
    write(&store, "beta", 5).await;
    relayed(&store, &nats, &WORKSPACES, "the first events are published").await;
    before.stop(Vec::new()).await;
    // As if 6 to 8 had been lost, 9 published before that was noticed, 6 to 9 again behind, and they lost again.
    write(&store, "beta", 4).await;
    write(&store, "alpha", 1).await;
    let mut ids = Vec::new();
    for (workspace, revision) in [("beta", 9), ("alpha", 1)] {
        let row = store.read_log(workspace, revision - 1, 1).await.unwrap().remove(0);
        let id = row.event_id.to_string();
        let mut headers = HeaderMap::new();
        headers.insert("ce-id", id.as_str());
        headers.insert("ce-sequence", format!("{revision:020}").as_str());
        headers.insert("ce-source", format!("//roadmap.waymark.dev/workspaces/{workspace}").as_str());
        let subject = format!("waymark.roadmap.{workspace}.products.p.created");
        let message = PublishMessage::build().headers(headers).message_id(&id);
        context(&nats).await.send_publish(subject, message).await.unwrap().await.unwrap();
        ids.push(id);
    }
    database
        .execute(&[
            "UPDATE relay_checkpoints SET resumed = 6 WHERE sequence = 5",
            &format!("INSERT INTO relay_checkpoints VALUES (7, '{}', 0), (12, 'lost', 0)", ids[1]),
            "UPDATE relay_cursors SET revision = 9, reached = 9, sequence = 12",
            "INSERT INTO relay_cursors (workspace, revision, reached, sequence) VALUES ('alpha', 1, 1, 7)",
        ])
        .await
        .unwrap();
    let (after, _) = host(18);
    relay(&after, &store, &nats).await;
    filled(&store, &nats).await;
    assert_eq!(counted(&after, "losses"), 1);
    assert_eq!(revisions(&nats, "beta").await, [1, 2, 3, 4, 5, 9, 6, 7, 8]);
    assert_eq!(revisions(&nats, "alpha").await, [1]);
    after.stop(Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_made_anew_is_filled_again() {
    for engine in Engine::each() {
        let (host, _) = host(19);
        let (store, _database) = store(engine, &host).await.unwrap();
        let mut nats = NatsServer::start().await.unwrap();
        relay(&host, &store, &nats).await;
        write(&store, "alpha", 10).await;
        relayed(&store, &nats, &WORKSPACES, "the events are published").await;
        assert_eq!(counted(&host, "losses"), 0, "a stream that is new is not lost");
        let before = published(&nats, "roadmap").await;
        for losses in 1..=2 {
            nats.wipe().await.unwrap();
            filled(&store, &nats).await;
            assert_eq!(published(&nats, "roadmap").await, before, "the same events, with the same ids");
            assert_eq!(counted(&host, "losses"), losses);
        }
        host.stop(Vec::new()).await;
    }
}

/// A database that a program without checkpoints leaves, and a stream that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_lost_before_it_was_known_is_filled_again() {
    let (before, _) = host(20);
    let (store, database) = store(Engine::Sqlite, &before).await.unwrap();
    let mut nats = NatsServer::start().await.unwrap();
    nine_of_alpha(&before, &store, &mut nats).await;
    before.stop(Vec::new()).await;
    nats.wipe().await.unwrap();
    database
        .execute(&[
            "DELETE FROM relay_stream",
            "DELETE FROM relay_checkpoints",
            "UPDATE relay_cursors SET sequence = NULL, reached = NULL",
        ])
        .await
        .unwrap();
    let (after, _) = host(21);
    relay(&after, &store, &nats).await;
    filled(&store, &nats).await;
    assert_eq!(counted(&after, "losses"), 1);
    after.stop(Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewind_that_was_interrupted_is_finished() {
    for engine in Engine::each() {
        let (before, _) = host(22);
        let (store, _database) = store(engine, &before).await.unwrap();
        let mut nats = NatsServer::start().await.unwrap();
        let backup = nine_of_alpha(&before, &store, &mut nats).await;
        before.stop(Vec::new()).await;
        nats.restore(&backup).await.unwrap();
        // A relay finds the loss, moves one cursor back, and dies.
        let mut known = store.checkpoints(&stream_name("roadmap")).await.unwrap().unwrap();
        let (mut late, made) = (known.clone(), known.create_time);
        assert!(store.begin_rewind(&mut known, made, 5, 5).await.unwrap());
        let ahead = store.ahead(5, None, 1).await.unwrap().remove(0);
        assert_eq!(ahead.workspace.id(), "alpha");
        assert!(store.rewind(&mut known, 5, &[(ahead, 5)]).await.unwrap());
        // One that was stopped before all this marks nothing.
        let newest = Checkpoint::new(12, "late".into());
        assert!(!store.mark_published(&mut late, Some(newest), &BTreeMap::new()).await.unwrap());

        let (after, _) = host(23);
        relay(&after, &store, &nats).await;
        filled(&store, &nats).await;
        assert_eq!(revisions(&nats, "alpha").await, (1..=9).collect::<Vec<_>>());
        assert_eq!(counted(&after, "losses"), 0, "it was counted by the one that found it");
        after.stop(Vec::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_limits_and_purges_remove_is_not_lost() {
    let (before, _) = host(24);
    let (store, _database) = store(Engine::Sqlite, &before).await.unwrap();
    let nats = NatsServer::start().await.unwrap();
    relay(&before, &store, &nats).await;
    write(&store, "alpha", 5).await;
    relayed(&store, &nats, &WORKSPACES, "the events are published").await;
    before.stop(Vec::new()).await;
    let stream = context(&nats).await.get_stream(stream_name("roadmap")).await.unwrap();
    for step in 1..=3 {
        match step {
            1 => {
                stream.purge().await.unwrap();
            }
            2 => {
                stream.delete_message(7).await.unwrap();
            }
            _ => {
                let config = stream.cached_info().config.clone();
                let config = jetstream::stream::Config { max_messages: 1, ..config };
                context(&nats).await.update_stream(config).await.unwrap();
            }
        }
        let (after, _) = host(24 + step);
        relay(&after, &store, &nats).await;
        write(&store, "alpha", 2).await;
        wait_until("the relay goes on", LIMIT, async || {
            revisions(&nats, "alpha").await.last() == Some(&(5 + 2 * step as i64))
        })
        .await;
        assert_eq!(counted(&after, "losses"), 0);
        after.stop(Vec::new()).await;
    }
}
