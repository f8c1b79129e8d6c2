//! Workspaces are worked through side by side, each in order: one that fails, or is busy, holds up itself alone; whoever
//! dies meanwhile, nothing is lost and no effect comes twice.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream;
use tokio::sync::Semaphore;
use uuid::Uuid;
use waymark_domain::WorkspaceId;
use waymark_events::{Handler, stream_name};
use waymark_store::{Error, Store};
use waymark_testkit::{Engine, FaultProxy, NatsServer, host, wait_until};

use crate::consume::Poison;
use crate::world::{World, copier, names};

const LIMIT: Duration = Duration::from_mins(1);

async fn nats() -> Option<NatsServer> {
    Some(NatsServer::start().await.unwrap())
}

async fn one_fails(mut world: World) {
    let poisoned = Arc::new(AtomicBool::new(true));
    let gate = Arc::clone(&poisoned);
    let delivered = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&delivered);
    // It fails for ever, but never becomes a dead letter, as it looks like an outage.
    let handler = copier(&world.target, move |event, name| {
        if event.workspace.id() == "w1" {
            seen.lock().unwrap().push(name.to_owned());
        }
        let poison = (event.workspace.id() == "w0" || event.workspace.id().starts_with('x')) && name == "p0";
        if poison && gate.load(Ordering::SeqCst) { Err(Error::Busy(Duration::ZERO)) } else { Ok(()) }
    });
    // More of them fail than are worked on at once.
    let failing = names("x", 0..40);
    for workspace in &failing {
        world.write(workspace, "p0").await;
    }
    let spread = async |world: &World, range: std::ops::Range<usize>| {
        for name in names("p", range) {
            for workspace in names("w", 0..6) {
                world.write(&workspace, &name).await;
            }
        }
    };
    let tasks = world.listen(Arc::clone(&handler)).await;
    spread(&world, 0..4).await;
    for workspace in names("w", 1..6) {
        world.wait_for(&workspace, &names("p", 0..4)).await;
    }
    assert!(world.effects("w0").await.is_empty(), "nothing passes the event that fails");
    // More wait behind it than a consumer has in hand, and its position is saved behind them all.
    for _ in 0..5 {
        world.fill("w0").await;
    }
    spread(&world, 4..5).await;
    for workspace in names("w", 1..6) {
        world.wait_for(&workspace, &names("p", 0..5)).await;
    }
    world.end(tasks).await;
    delivered.lock().unwrap().clear();
    spread(&world, 5..6).await;
    let tasks = world.listen(Arc::clone(&handler)).await;
    for workspace in names("w", 1..6) {
        world.wait_for(&workspace, &names("p", 0..6)).await;
    }
    world.kill(tasks).await;
    spread(&world, 6..8).await;
    let tasks = world.listen(Arc::clone(&handler)).await;
    for workspace in names("w", 1..6) {
        world.wait_for(&workspace, &names("p", 0..8)).await;
    }
    assert!(world.effects("w0").await.is_empty(), "nothing passes the event that fails, after a restart either");
    poisoned.store(false, Ordering::SeqCst);
    world.wait_for("w0", &names("p", 0..8)).await;
    for workspace in &failing {
        world.wait_for(workspace, &names("p", 0..1)).await;
    }
    let again = names("p", 0..5);
    assert!(!delivered.lock().unwrap().iter().any(|name| again.contains(name)), "the others were not read again");
    // It flows with the others again.
    spread(&world, 8..10).await;
    for workspace in names("w", 0..6) {
        world.wait_for(&workspace, &names("p", 0..10)).await;
    }
    world.kill(tasks).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_jetstream_a_workspace_that_fails_holds_up_itself_alone_also_over_a_restart() {
    for engine in Engine::each() {
        one_fails(World::new(engine, nats().await).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_bus_a_workspace_that_fails_holds_up_itself_alone_also_over_a_restart() {
    for engine in Engine::each() {
        one_fails(World::new(engine, None).await).await;
    }
}

/// Fails each event up to three times, by itself or like an outage, before or after its effect.
fn stormy(target: &Store, failures: &Arc<Mutex<HashMap<Uuid, u8>>>) -> Handler {
    let copier = copier(target, |_, _| Ok(()));
    let failures = Arc::clone(failures);
    Arc::new(move |event, reaction| {
        let (copier, failures) = (Arc::clone(&copier), Arc::clone(&failures));
        Box::pin(async move {
            let (id, seed) = (event.event_id, event.event_id.as_bytes()[15]);
            let failed = failures.lock().unwrap().get(&id).copied().unwrap_or(0);
            let fails = failed < seed % 4;
            let error = || if seed & 16 == 0 { Error::Busy(Duration::ZERO) } else { Error::rule(Poison) };
            if fails {
                failures.lock().unwrap().insert(id, failed + 1);
            }
            if fails && seed & 32 == 0 {
                return Err(error());
            }
            copier(event, reaction).await?;
            if fails { Err(error()) } else { Ok(()) }
        })
    })
}

async fn storm(world: World) {
    let handler = stormy(&world.target, &Arc::default());
    let workspaces = names("w", 0..40);
    let mut tasks = world.listen(Arc::clone(&handler)).await;
    for round in 0..3 {
        for name in names("p", round * 3..round * 3 + 3) {
            for workspace in &workspaces {
                world.write(workspace, &name).await;
            }
        }
        // Some are done, others fail, others have not begun.
        wait_until("the round is under way", LIMIT, async || {
            let mut done = 0;
            for workspace in &workspaces {
                done += world.effects(workspace).await.len();
            }
            done >= round * 3 * 40 + 20
        })
        .await;
        world.kill(tasks).await;
        tasks = world.listen(Arc::clone(&handler)).await;
    }
    for workspace in &workspaces {
        world.wait_for(workspace, &names("p", 0..9)).await;
        let letters = world.target.list_dead_letters(&WorkspaceId::from_id(workspace).unwrap(), 0, "").await;
        assert!(letters.unwrap().items.is_empty(), "nothing fails so often that it is set aside");
    }
    world.kill(tasks).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_jetstream_each_workspace_is_in_order_whatever_fails_and_whoever_dies() {
    for engine in Engine::each() {
        storm(World::new(engine, nats().await).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_bus_each_workspace_is_in_order_whatever_fails_and_whoever_dies() {
    for engine in Engine::each() {
        storm(World::new(engine, None).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_both_believe_to_be_the_one_lose_nothing_and_repeat_no_effect() {
    for engine in Engine::each() {
        let world = World::new(engine, nats().await).await;
        let failures = Arc::default();
        // To each the lease of the other is one that a wrong clock has taken.
        let (other_host, clock) = host(3);
        clock.advance(Duration::from_hours(1));
        let options = world.database.options();
        let other = Store::connect(&options, &other_host.clock, &other_host.ids).await.unwrap();
        let handler = stormy(&world.target, &failures);
        let first = world.listen(handler).await;
        let second = world.listen_as(other_host.clone(), other.clone(), stormy(&other, &failures)).await;
        let workspaces = names("w", 0..20);
        for name in names("p", 0..10) {
            for workspace in &workspaces {
                world.write(workspace, &name).await;
            }
        }
        for workspace in &workspaces {
            world.wait_for(workspace, &names("p", 0..10)).await;
        }
        world.kill(first).await;
        world.kill(second).await;
        // Nor does what is left of their positions: another goes on from it.
        let third = world.listen(stormy(&world.target, &failures)).await;
        for workspace in &workspaces {
            world.write(workspace, "p10").await;
        }
        for workspace in &workspaces {
            world.wait_for(workspace, &names("p", 0..11)).await;
        }
        world.kill(third).await;
        other_host.stop(Vec::new()).await;
        world.stop().await;
    }
}

async fn one_is_busy(world: World) {
    let (gate, handled) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (open, seen) = (Arc::clone(&gate), Arc::clone(&handled));
    let handler: Handler = Arc::new(move |event, _| {
        let (open, seen) = (Arc::clone(&open), Arc::clone(&seen));
        Box::pin(async move {
            if event.workspace.id() == "busy" {
                open.acquire().await.unwrap().forget();
            }
            seen.lock().unwrap().push((event.workspace.id().to_owned(), event.revision, event.subject));
            Ok(())
        })
    });
    // More than a consumer has in hand.
    for _ in 0..5 {
        world.fill("busy").await;
    }
    let tasks = world.listen(handler).await;
    let count = |workspace: &str| handled.lock().unwrap().iter().filter(|(w, ..)| w == workspace).count();
    gate.add_permits(1);
    wait_until("the first of the busy one is handled", LIMIT, async || count("busy") == 1).await;
    world.write("idle", "p").await;
    wait_until("the other one is handled", LIMIT, async || count("idle") == 1).await;
    assert_eq!(count("busy"), 1);
    gate.add_permits(2_500);
    wait_until("the busy one is done", LIMIT, async || count("busy") == 2_500).await;
    let logged = world.source.read_log("busy", 0, 10_000).await.unwrap();
    let logged: Vec<_> = logged.into_iter().map(|row| ("busy".to_owned(), row.revision, row.subject())).collect();
    handled.lock().unwrap().retain(|(workspace, ..)| workspace == "busy");
    assert_eq!(*handled.lock().unwrap(), logged, "in order");
    world.kill(tasks).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_jetstream_a_busy_workspace_leaves_room_for_the_others() {
    one_is_busy(World::new(Engine::Sqlite, nats().await).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_bus_a_busy_workspace_leaves_room_for_the_others() {
    one_is_busy(World::new(Engine::Sqlite, None).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_was_discarded_does_not_come_back_after_a_restart() {
    for engine in Engine::each() {
        for way in [nats().await, None] {
            let world = World::new(engine, way).await;
            let stuck = Arc::new(AtomicUsize::new(0));
            let tried = Arc::clone(&stuck);
            let handler = copier(&world.target, move |_, name| match name {
                "bad" => Err(Error::rule(Poison)),
                "stuck" => {
                    tried.fetch_add(1, Ordering::SeqCst);
                    Err(Error::Busy(Duration::ZERO))
                }
                _ => Ok(()),
            });
            for name in ["bad", "stuck"] {
                world.write("w", name).await;
            }
            let tasks = world.listen(Arc::clone(&handler)).await;
            let workspace = WorkspaceId::from_id("w").unwrap();
            let letters = async || world.target.list_dead_letters(&workspace, 0, "").await.unwrap().items;
            let tries = |more: usize| {
                let (stuck, before) = (Arc::clone(&stuck), stuck.load(Ordering::SeqCst));
                wait_until("the event behind it is tried", LIMIT, async move || {
                    stuck.load(Ordering::SeqCst) >= before + more
                })
            };
            tries(2).await;
            let [letter] = &letters().await[..] else { panic!("one dead letter") };
            assert!(world.target.forget_dead_letter(&workspace, letter.event.event_id).await.unwrap());
            world.kill(tasks).await;
            let tasks = world.listen(handler).await;
            tries(1).await;
            assert!(letters().await.is_empty());
            world.kill(tasks).await;
            world.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broken_connection_swallows_is_read_again() {
    let world = World::new(Engine::Sqlite, nats().await).await;
    let broker = world.nats.as_ref().unwrap().url().strip_prefix("nats://").unwrap().parse().unwrap();
    let proxy = FaultProxy::start(broker).await.unwrap();
    let handled = Arc::new(Mutex::new(HashSet::new()));
    let seen = Arc::clone(&handled);
    let handler: Handler = Arc::new(move |event, _| {
        seen.lock().unwrap().insert(event.event_id);
        Box::pin(async { Ok(()) })
    });
    let client = async_nats::connect(format!("nats://{}", proxy.address())).await.unwrap();
    let (host, store) = (world.target_host.clone(), world.target.clone());
    let tasks = world.listen_by(Some(client.clone()), host, store, handler);
    let direct = jetstream::new(async_nats::connect(world.nats.as_ref().unwrap().url()).await.unwrap());
    for round in 0..3 {
        // What the broker sends now is on its way when the connection breaks.
        if round > 0 {
            proxy.stall();
        }
        for workspace in names("w", 0..2) {
            world.fill(&workspace).await;
        }
        let all = (round + 1) * 1_000;
        wait_until("the events are published", LIMIT, async || match direct.get_stream(stream_name("roadmap")).await {
            Ok(stream) => stream.cached_info().state.messages == all,
            Err(_) => false,
        })
        .await;
        proxy.cut();
        wait_until("it is cut", LIMIT, async || client.connection_state() != State::Connected).await;
        proxy.pass();
        wait_until("all of them are handled", LIMIT, async || handled.lock().unwrap().len() as u64 == all).await;
    }
    world.kill(tasks).await;
    world.stop().await;
}
