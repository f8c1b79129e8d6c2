//! Events of one workspace that wait are reacted to in few transactions; one of them that fails costs the others nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use waymark_domain::WorkspaceId;
use waymark_events::Handler;
use waymark_store::Error;
use waymark_testkit::{Engine, NatsServer};

use crate::consume::Poison;
use crate::world::{World, copier, names};

const EVENTS: usize = 150;

/// Counts deliveries that find the effect of the one before not committed yet.
fn spying(world: &World, ahead: &Arc<AtomicUsize>) -> Handler {
    let (target, ahead, delivered) = (world.target.clone(), Arc::clone(ahead), Arc::new(Mutex::new(0)));
    let fails = |_: &_, name: &str| if name == "p70" { Err(Error::rule(Poison)) } else { Ok(()) };
    let copier = copier(&world.target, fails);
    Arc::new(move |event, reaction| {
        let (target, ahead, delivered) = (target.clone(), Arc::clone(&ahead), Arc::clone(&delivered));
        let copied = copier(event, reaction);
        Box::pin(async move {
            let before = *delivered.lock().unwrap();
            let committed = target.revision(&WorkspaceId::from_id("acme").unwrap()).await.unwrap();
            if committed < before {
                ahead.fetch_add(1, Ordering::SeqCst);
            }
            copied.await?;
            *delivered.lock().unwrap() = committed + 1;
            Ok(())
        })
    })
}

async fn backlog(world: World) {
    for name in names("p", 0..EVENTS) {
        world.write("acme", &name).await;
    }
    let ahead = Arc::new(AtomicUsize::new(0));
    let tasks = world.listen(spying(&world, &ahead)).await;
    let mut expected = names("p", 0..EVENTS);
    expected.remove(70);
    world.wait_for("acme", &expected).await;
    assert!(ahead.load(Ordering::SeqCst) > 0, "each was committed by itself");
    drop(tasks);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_bus() {
    for engine in Engine::each() {
        backlog(World::new(engine, None).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_jetstream() {
    for engine in Engine::each() {
        backlog(World::new(engine, Some(NatsServer::start().await.unwrap())).await).await;
    }
}
