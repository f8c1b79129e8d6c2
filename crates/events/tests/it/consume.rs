//! Effects at consumers happen once, whatever the transport and however often an event comes; what keeps failing is set
//! aside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tonic::Request;
use waymark_domain::{Failure, FailureKind, Reason};
use waymark_events::{EventsApi, Subscription, Topic, bus, consumer};
use waymark_proto::events::v1 as pb;
use waymark_proto::events::v1::events_service_server::EventsService as _;
use waymark_proto::roadmap::v1::ProductCreated;
use waymark_runtime::Host;
use waymark_store::{Error, Store};
use waymark_testkit::sample::{Products, create, created, product, store, workspace};
use waymark_testkit::{Engine, NatsServer, host, wait_until};

use crate::{no_mirrors, relay};

const LIMIT: Duration = Duration::from_mins(1);

#[derive(Debug, thiserror::Error)]
#[error("poison")]
pub struct Poison;
impl Failure for Poison {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> Reason {
        Reason::RuleViolated
    }
}

/// Copies every product under the same id; refuses the one called `bad` while `poisoned`; counts deliveries.
fn copier(target: &Store, poisoned: Arc<AtomicBool>, deliveries: Arc<AtomicU32>) -> Subscription {
    let target = target.clone();
    Subscription {
        consumer: "copier",
        topics: vec![Topic::new("roadmap", &["waymark.roadmap.v1.ProductCreated"])],
        mirror: no_mirrors(),
        handler: Arc::new(move |event, reaction| {
            let (target, poisoned, deliveries) = (target.clone(), Arc::clone(&poisoned), Arc::clone(&deliveries));
            Box::pin(async move {
                let attempt = deliveries.fetch_add(1, Ordering::SeqCst);
                let created_product: ProductCreated =
                    serde_json::from_str(&event.data).map_err(|_| Error::rule(Poison))?;
                let name = created_product.product.unwrap_or_default().display_name;
                if name == "bad" && poisoned.load(Ordering::SeqCst) {
                    return Err(Error::rule(Poison));
                }
                target
                    .react(&reaction, async move |write| {
                        write.create::<Products, _>("", product(&name, ""), created).map(|_| ())
                    })
                    .await?;
                // Every third delivery has its effect, then looks as if it had failed.
                if attempt % 3 == 0 { Err(Error::Busy(Duration::ZERO)) } else { Ok(()) }
            })
        }),
    }
}

async fn copies(target: &Store) -> usize {
    target.all::<Products>(&workspace()).await.unwrap().len()
}

/// How the copier hears of the roadmap service.
enum Way {
    Nats(NatsServer),
    Bus,
}

async fn exercise(source_host: &Host, source: &Store, target_host: &Host, target: &Store, way: Way) {
    let poisoned = Arc::new(AtomicBool::new(true));
    let deliveries = Arc::new(AtomicU32::new(0));
    let subscription = copier(target, Arc::clone(&poisoned), Arc::clone(&deliveries));
    let (host, store, topic) = (target_host.clone(), target.clone(), subscription.topics[0]);
    match &way {
        Way::Nats(nats) => {
            relay(source_host, source, nats).await;
            let client = async_nats::connect(nats.url()).await.unwrap();
            let run = consumer::run(host, store, client, subscription.clone(), topic);
            target_host.tasks.spawn("copier: consumer", run);
        }
        Way::Bus => {
            target_host.tasks.spawn("copier: bus", bus::run(host, store, source.clone(), subscription.clone(), topic));
        }
    }
    wait_until("the count of dead letters begins at 0, so that the first is an increase", LIMIT, async || {
        let metrics = target_host.telemetry.prometheus().unwrap();
        metrics
            .lines()
            .any(|line| line.starts_with("waymark_dead_letters_total{consumer=\"copier\"") && line.ends_with(" 0"))
    })
    .await;
    for i in 0..12 {
        create(source, &format!("p{i}"), "").await;
    }
    create(source, "bad", "").await;
    create(source, "last", "").await;
    let api = EventsApi::new(target_host, target, subscription);
    wait_until("all but the bad one are copied", LIMIT, async || copies(target).await == 13).await;
    let list = pb::ListDeadLettersRequest { parent: workspace().to_string(), ..Default::default() };
    let letters = api.list_dead_letters(Request::new(list.clone())).await.unwrap().into_inner().dead_letters;
    let [letter] = &letters[..] else { panic!("one dead letter, not {letters:?}") };
    assert_eq!((letter.source.as_str(), letter.error.as_str()), ("roadmap", "poison"));
    assert!(letter.attempts >= 6);
    assert_eq!(letter.event.as_ref().unwrap().subject, "workspaces/acme/products/bad");
    // Still bad: it stays. Mended: it is handled and gone.
    let redrive = || Request::new(pb::RedriveDeadLetterRequest { name: letter.name.clone() });
    assert_eq!(api.redrive_dead_letter(redrive()).await.unwrap_err().code(), tonic::Code::FailedPrecondition);
    poisoned.store(false, Ordering::SeqCst);
    // A delivery that looks failed after its effect leaves the letter; the inbox makes the repeat harmless.
    while api.redrive_dead_letter(redrive()).await.is_err() {}
    assert_eq!(copies(target).await, 14);
    assert!(api.list_dead_letters(Request::new(list)).await.unwrap().into_inner().dead_letters.is_empty());
    assert!(deliveries.load(Ordering::SeqCst) > 14, "there were redeliveries");
    let rows = target.read_log("acme", 0, 1_000).await.unwrap();
    let causes: std::collections::BTreeSet<_> = rows.iter().map(|r| r.causation_id.clone().unwrap()).collect();
    assert_eq!(causes.len(), 14, "each effect names its cause");
    target_host.stop(Vec::new()).await;
    source_host.stop(Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_jetstream() {
    for engine in Engine::each() {
        let (source_host, _) = host(1);
        let (target_host, _) = host(2);
        let (source, _a) = store(engine, &source_host).await.unwrap();
        let (target, _b) = store(engine, &target_host).await.unwrap();
        let nats = NatsServer::start().await.unwrap();
        exercise(&source_host, &source, &target_host, &target, Way::Nats(nats)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_bus() {
    for engine in Engine::each() {
        let (source_host, _) = host(1);
        let (target_host, _) = host(2);
        let (source, _a) = store(engine, &source_host).await.unwrap();
        let (target, _b) = store(engine, &target_host).await.unwrap();
        exercise(&source_host, &source, &target_host, &target, Way::Bus).await;
    }
}
