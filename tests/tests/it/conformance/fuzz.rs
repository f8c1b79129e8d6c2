//! Random and broken messages to every RPC of the three services: each gets an answer that is the caller's to mend,
//! never INTERNAL, never a panic, and the services live on.

use bytes::Bytes;
use prost::Message as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tonic::Code;
use waymark_proto::rpc_methods;
use waymark_testkit::Engine;

use super::messages::Messages;
use crate::services::{Services, Wires};
use crate::support::raw::frame;
use crate::support::{Answer, Wire};

/// Rounds over all RPCs, each with one random message per RPC.
const ROUNDS: u64 = 12;
/// More to read than the whole of what is found would take.
const SHOWN: usize = 1_500;

/// Whether an answer is one that no input may bring about.
fn is_wrong(answer: &Answer) -> bool {
    match answer.code() {
        Code::Internal | Code::Unknown | Code::DataLoss | Code::Unimplemented | Code::Unavailable => true,
        Code::Ok => false,
        // Every refusal says why in a way that programs can read.
        _ => answer.reason().is_empty(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_messages_are_answered_or_refused_on_sqlite() {
    Box::pin(random_messages(Engine::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_messages_are_answered_or_refused_on_postgres() {
    Box::pin(random_messages(Engine::Postgres)).await;
}

async fn random_messages(engine: Engine) {
    let services = Services::start(engine, Wires::Bus).await.unwrap();
    let mut messages = Messages::new(StdRng::seed_from_u64(20_260_302));
    let mut wrong = Vec::new();
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        for (path, _) in rpc_methods() {
            let method = method(path);
            let message = messages.request(&method);
            let mut bytes = message.encode_to_vec();
            if messages.chance(10) && !bytes.is_empty() {
                // One wrong byte, anywhere: lengths, tags and UTF-8 alike.
                let place = messages.place(bytes.len());
                bytes[place] = bytes[place].wrapping_add(0x95);
            }
            for wire in services.serving(path) {
                let answer = wire.call(path, None, &bytes).await;
                if answer.code() == Code::Ok {
                    accepted += 1;
                } else {
                    refused += 1;
                }
                if is_wrong(&answer) {
                    let shown: String = format!("{message:?}").chars().take(SHOWN).collect();
                    wrong.push(format!(
                        "round {round}, {path}: {:?} {}\n  {shown}",
                        answer.code(),
                        answer.status.message()
                    ));
                }
            }
        }
    }
    alive(&services).await;
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
    // Messages that are all refused, or none, would test little.
    assert!(accepted > 100 && refused > 100, "{accepted} accepted, {refused} refused");
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_bytes_and_frames_are_refused() {
    let services = Services::start(Engine::Sqlite, Wires::Bus).await.unwrap();
    let mut messages = Messages::new(StdRng::seed_from_u64(4));
    let mut wrong = Vec::new();
    for (path, _) in rpc_methods() {
        let mut bodies: Vec<(&str, Bytes)> = vec![
            ("no body", Bytes::new()),
            ("half a frame's head", Bytes::from_static(&[0, 0, 0])),
            ("a frame longer than what comes", Bytes::from_static(&[0, 0, 0, 1, 0, 10, 1])),
            ("a frame said to be compressed", Bytes::from_static(&[1, 0, 0, 0, 2, 10, 0])),
            ("a frame of an unknown kind", Bytes::from_static(&[9, 0, 0, 0, 0])),
            ("a frame of four gigabytes", Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff, 10])),
            ("text that is not UTF-8", frame(&[0x0a, 2, 0xff, 0xfe])),
            ("a field number of zero", frame(&[0x02, 0])),
            ("a group that never ends", frame(&[0x0b])),
            ("a length beyond the message", frame(&[0x0a, 0x7f, b'a'])),
            ("nested too deep", frame(&nested(400))),
        ];
        bodies.push(("noise", frame(&messages.noise(300))));
        bodies.push(("noise without a frame", messages.noise(300).into()));
        for (what, body) in bodies {
            for wire in services.serving(path) {
                let answer = wire.send(path, None, body.clone()).await;
                if is_wrong(&answer) {
                    wrong.push(format!("{path}, {what}: {:?} {}", answer.code(), answer.status.message()));
                }
            }
        }
    }
    alive(&services).await;
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
    services.stop().await;
}

/// Messages in the first six fields of each other.
fn nested(levels: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for level in 0..levels {
        let tag = (level % 6 + 1) as u8;
        let mut outer = vec![tag << 3 | 2];
        prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
        outer.append(&mut bytes);
        bytes = outer;
    }
    bytes
}

fn method(path: &str) -> prost_reflect::MethodDescriptor {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap();
    let service = waymark_proto::descriptors().get_service_by_name(service).unwrap();
    service.methods().find(|m| m.name() == method).unwrap()
}

/// Each service still serves what it should.
async fn alive(services: &Services) {
    for (service, address) in services.addresses() {
        let answer = Wire::new(address).call("/grpc.health.v1.Health/Check", None, &[]).await;
        assert_eq!((answer.code(), &answer.message[..]), (Code::Ok, &[8, 1][..]), "{service} is not serving");
    }
}
