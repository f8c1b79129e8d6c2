//! What callers who have an audience are shown, by the bytes that reach them: every RPC of the contract is called as a customer of a
//! workspace in which whatever customers are not to see holds a planted word.

mod workspace;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MethodDescriptor, Value};
use tonic::Code;
use waymark_proto::common::v1 as common;
use waymark_proto::events::v1 as events;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::{descriptors, rpc_methods};
use waymark_testkit::Engine;

use crate::services::{Services, Wires};
use workspace::{CUSTOMERS, PLANTED, W, filled, initiative, planted};

/// What is shown: names, and the quarter of what is planned for November.
const SHOWN: [&str; 4] = ["Single sign-on", "Dark mode", "Fax export", "2026-Q4"];

/// Whether bytes have the planted word, plain or within base64 at whichever place.
fn leaks(bytes: &[u8]) -> bool {
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    let encoded = |shift: usize| {
        let text = format!("{}{PLANTED}", &"xxx"[..shift]);
        [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)].map(|text| {
            // But for the characters that what is around it has a part in.
            let end = (shift + PLANTED.len()) / 3 * 4;
            text[(shift * 4).div_ceil(3)..end].to_owned()
        })
    };
    has(PLANTED.as_bytes()) || (0..3).flat_map(encoded).any(|text| has(text.as_bytes()))
}

/// A request that asks for much, about `name` where it is about something, in pages of this size.
fn request(method: &MethodDescriptor, name: &str, page_size: i32, revision: i64) -> DynamicMessage {
    let mut request = DynamicMessage::new(method.input());
    for field in method.input().fields() {
        let value = match (field.name(), field.kind()) {
            ("parent", _) => Value::String(W.into()),
            ("page_size", Kind::Int32) => Value::I32(page_size),
            ("name" | "initiative" | "subject", Kind::String) => Value::String(name.into()),
            ("names", Kind::String) => Value::List(vec![Value::String(name.into())]),
            ("after_revision", Kind::Int64) => Value::I64(0),
            ("as_of" | "to", Kind::Message(of)) if revision > 0 => {
                let mut position = DynamicMessage::new(of);
                position.set_field_by_name("revision", Value::I64(revision));
                Value::Message(position)
            }
            ("from", Kind::Message(of)) => {
                let mut position = DynamicMessage::new(of);
                position.set_field_by_name("revision", Value::I64(revision / 2));
                Value::Message(position)
            }
            _ => continue,
        };
        request.set_field(&field, value);
    }
    request
}

fn method(path: &str) -> MethodDescriptor {
    let (service, name) = path.trim_start_matches('/').split_once('/').unwrap();
    descriptors().get_service_by_name(service).unwrap().methods().find(|method| method.name() == name).unwrap()
}

const AS_CUSTOMER: [(&str, &str); 1] = [("waymark-audience", CUSTOMERS)];

fn of_roadmap(method: &str) -> String {
    format!("/waymark.roadmap.v1.RoadmapService/{method}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_hidden_reaches_an_audience_by_any_rpc() {
    for engine in Engine::each() {
        let services = Services::start(engine, Wires::Bus).await.unwrap();
        let revision = filled(&services).await;
        let (mut wrong, mut shown, mut asked) = (Vec::new(), Vec::new(), 0);
        for (path, rpc) in rpc_methods() {
            let method = method(path);
            let of_subject = |id: &str| initiative(id);
            for wire in services.serving(path) {
                for name in ["sso", "merger", "withdrawn", "gone", "early"].map(of_subject) {
                    for (page_size, at) in [(0, 0), (1, 0), (0, revision)] {
                        let bytes = request(&method, &name, page_size, at).encode_to_vec();
                        let (code, answer) = wire.everything(path, &AS_CUSTOMER, &bytes).await;
                        asked += 1;
                        if leaks(&answer) || (!rpc.shown_to_audiences && code != Code::PermissionDenied) {
                            wrong.push(format!("{path} of {name}: {code:?} {}", String::from_utf8_lossy(&answer)));
                        }
                        if code == Code::Ok {
                            shown.push(answer);
                        }
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{} of {asked} tell what is hidden: {}", wrong.len(), wrong[0]);
        assert!(asked > 2_000, "only {asked} calls were made: the contract was not walked");
        let all = shown.concat();
        for text in SHOWN {
            assert!(all.windows(text.len()).any(|part| part == text.as_bytes()), "{text} is shown nowhere");
        }
        // Were it shown to all, the words would be found.
        let wire = &services.serving(&of_roadmap("ListInitiatives"))[0];
        let list = pb::ListInitiativesRequest { parent: W.into(), ..Default::default() }.encode_to_vec();
        assert!(leaks(&wire.everything(&of_roadmap("ListInitiatives"), &[], &list).await.1));
        services.stop().await;
    }
}

/// The same, of what is asked in particular, page by page: lists, lanes, differences, events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audience_is_shown_its_initiatives_page_by_page() {
    for engine in Engine::each() {
        let services = Services::start(engine, Wires::Bus).await.unwrap();
        let revision = filled(&services).await;
        let (roadmap, list) = (of_roadmap("GetRoadmap"), of_roadmap("ListInitiatives"));
        let wire = services.serving(&roadmap)[0].clone();
        let call = async |path: &str, message: Vec<u8>| {
            let (code, bytes) = wire.everything(path, &AS_CUSTOMER, &message).await;
            assert!(!leaks(&bytes), "{path}: {}", String::from_utf8_lossy(&bytes));
            (code, wire.call_as(path, &AS_CUSTOMER, &message).await)
        };

        let (mut names, mut page_token) = (Vec::new(), String::new());
        loop {
            let request =
                pb::ListInitiativesRequest { parent: W.into(), page_size: 1, page_token, ..Default::default() };
            let (code, bytes) = call(&list, request.encode_to_vec()).await;
            let page = pb::ListInitiativesResponse::decode(bytes).unwrap();
            assert_eq!((code, page.initiatives.len()), (Code::Ok, 1), "a page is full");
            names.push(page.initiatives[0].display_name.clone());
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(names, ["Dark mode", "Fax export", "Single sign-on"], "by id: early, fax, sso");

        for (filter, order_by) in [
            ("owner:zq9", ""),
            ("labels:*", ""),
            ("dependencies:*", ""),
            ("audiences:*", ""),
            ("", "rank"),
            ("", "target_start"),
            ("", "ship_time"),
        ] {
            let (parent, filter, order_by) = (W.into(), filter.into(), order_by.into());
            let request = pb::ListInitiativesRequest { parent, filter, order_by, ..Default::default() };
            assert_eq!(call(&list, request.encode_to_vec()).await.0, Code::InvalidArgument, "{request:?}");
        }
        let deleted = pb::ListInitiativesRequest { parent: W.into(), show_deleted: true, ..Default::default() };
        assert_eq!(call(&list, deleted.encode_to_vec()).await.0, Code::InvalidArgument);

        let (mut names, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::GetRoadmapRequest { parent: W.into(), page_size: 1, page_token, ..Default::default() };
            let answer = pb::GetRoadmapResponse::decode(call(&roadmap, request.encode_to_vec()).await.1).unwrap();
            let later = answer.lanes.iter().find(|lane| lane.horizon() == pb::Horizon::Later).unwrap();
            names.extend(later.initiatives.iter().map(|initiative| initiative.display_name.clone()));
            page_token = later.next_page_token.clone();
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(names, ["Dark mode", "Single sign-on"]);

        let interval = Some(pb::TargetInterval { start: "2026-10".into(), end: "2026-12".into() });
        let group_by = pb::RoadmapGrouping::Time.into();
        let request = pb::GetRoadmapRequest { parent: W.into(), group_by, interval, ..Default::default() };
        let answer = pb::GetRoadmapResponse::decode(call(&roadmap, request.encode_to_vec()).await.1).unwrap();
        let of = |lane: &pb::RoadmapLane| lane.initiatives.iter().map(|i| i.display_name.clone()).collect::<Vec<_>>();
        let lanes: Vec<_> = answer.lanes.iter().map(|lane| (lane.key.as_str(), of(lane))).collect();
        let october = ("2026-10", vec!["Dark mode".to_owned(), "Single sign-on".to_owned()]);
        assert!(lanes.contains(&october), "what is shown by quarter stands where its quarter begins: {lanes:?}");
        assert_eq!(answer.declined.iter().map(|i| &*i.display_name).collect::<Vec<_>>(), ["Fax export"]);
        for group_by in [pb::RoadmapGrouping::Product, pb::RoadmapGrouping::Objective, pb::RoadmapGrouping::Owner] {
            let request = pb::GetRoadmapRequest { parent: W.into(), group_by: group_by.into(), ..Default::default() };
            assert_eq!(call(&roadmap, request.encode_to_vec()).await.0, Code::InvalidArgument, "{group_by:?}");
        }
        let at = |position| Some(common::AsOf { position: Some(position) });
        let held = at(common::as_of::Position::Snapshot(format!("{W}/snapshots/board")));
        let request = pb::GetRoadmapRequest { parent: W.into(), as_of: held, ..Default::default() };
        assert_eq!(call(&roadmap, request.encode_to_vec()).await.0, Code::InvalidArgument);

        let mut then = Vec::new();
        for at_revision in 1..=revision {
            let as_of = at(common::as_of::Position::Revision(at_revision));
            let request = pb::GetRoadmapRequest { parent: W.into(), as_of: as_of.clone(), ..Default::default() };
            let answer = pb::GetRoadmapResponse::decode(call(&roadmap, request.encode_to_vec()).await.1).unwrap();
            then.push(answer.lanes.iter().map(|lane| lane.initiatives.len()).sum::<usize>());
            let request = pb::DiffRoadmapRequest { parent: W.into(), from: as_of, ..Default::default() };
            let bytes = call(&of_roadmap("DiffRoadmap"), request.encode_to_vec()).await.1;
            let diff = pb::DiffRoadmapResponse::decode(bytes).unwrap();
            let fields = diff.changed.iter().flat_map(|changed| &changed.fields).map(|field| field.field.as_str());
            let known = ["state", "commit_time"];
            let other: Vec<_> = fields.filter(|field| !known.contains(field)).collect();
            assert!(other.is_empty() && diff.reasons.is_empty(), "at {at_revision}: {other:?}");
        }
        assert_eq!(then.iter().max(), Some(&3), "of what is shown now, all were on the roadmap once: {then:?}");

        let list = "/waymark.events.v1.EventsService/ListEvents";
        let request = events::ListEventsRequest { parent: W.into(), page_size: 1_000, ..Default::default() };
        let page = events::ListEventsResponse::decode(call(list, request.encode_to_vec()).await.1).unwrap();
        let told: Vec<_> = page
            .events
            .iter()
            .map(|event| {
                let (kind, id) = (event.r#type.rsplit('.').next().unwrap(), event.subject.rsplit('/').next().unwrap());
                assert_eq!((&*event.actor, event.data.is_some()), ("", true));
                format!("{kind} {id}")
            })
            .collect();
        let expected = [
            "InitiativeCreated sso",
            "InitiativeCreated fax",
            "InitiativeUpdated early",
            "InitiativeCommitted sso",
            "InitiativePaused sso",
            "InitiativeDeclined fax",
        ];
        assert_eq!(told, expected);
        for filter in
            ["actor = users/ada", "subject = workspaces/acme/initiatives/merger", "type = InitiativeRiskWaived"]
        {
            let request = events::ListEventsRequest {
                parent: W.into(),
                page_size: 1,
                filter: filter.into(),
                ..Default::default()
            };
            let (code, bytes) = call(list, request.encode_to_vec()).await;
            let page = events::ListEventsResponse::decode(bytes).unwrap();
            assert_eq!((page.events.len(), &*page.next_page_token), (0, ""), "{filter} {code:?}");
        }
        services.stop().await;
    }
}

/// What is hidden cannot be told from what never was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_hidden_is_as_if_it_was_not() {
    for engine in Engine::each() {
        let services = Services::start(engine, Wires::Bus).await.unwrap();
        filled(&services).await;
        let all = events::ListEventsRequest { parent: W.into(), page_size: 1_000, ..Default::default() };
        let list = "/waymark.events.v1.EventsService/ListEvents";
        let wire = services.serving(&of_roadmap("GetInitiative"))[0].clone();
        let page = events::ListEventsResponse::decode(wire.call_as(list, &[], &all.encode_to_vec()).await).unwrap();
        let hidden = page.events.iter().find(|event| event.subject.ends_with("/merger")).unwrap().name.clone();
        let never = format!("{W}/events/0192f0c1-2b7e-7c41-9f43-3b6d5d0a7e11");
        let merger = initiative("merger");
        let asked = [
            (of_roadmap("GetInitiative"), merger.clone(), initiative("nobody")),
            (of_roadmap("GetInitiative"), initiative("gone"), initiative("none")),
            (of_roadmap("BatchGetInitiatives"), merger, initiative("nobody")),
            ("/waymark.events.v1.EventsService/GetEvent".to_owned(), hidden, never),
        ];
        for (path, hidden, never) in asked {
            let of = async |name: &str| {
                let bytes = request(&method(&path), name, 0, 0).encode_to_vec();
                let (code, bytes) = wire.everything(&path, &AS_CUSTOMER, &bytes).await;
                assert_eq!(code, Code::NotFound, "{path} {name}");
                // The details once more as they are encoded for the header: what is asked for stands in there.
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let start = text.find("grpc-status-details-bin").unwrap_or_default();
                let end = text[start..].find(name).map_or(text.len(), |at| start + at);
                format!("{}{}", &text[..start], &text[end..]).replace(name, "NAME")
            };
            assert_eq!(of(&hidden).await, of(&never).await, "{path}");
        }
        services.stop().await;
    }
}

/// An audience of the same id in another workspace is another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audience_sees_nothing_of_another_workspace() {
    let services = Services::start(Engine::Sqlite, Wires::Bus).await.unwrap();
    filled(&services).await;
    let (mut client, parent) = (RoadmapServiceClient::new(services.roadmap.clone()), "workspaces/other".to_owned());
    let audience = Some(pb::Audience { display_name: "Customers".into(), ..Default::default() });
    let audience_id = "customers".to_owned();
    let request = pb::CreateAudienceRequest { parent: parent.clone(), audience_id, audience, ..Default::default() };
    client.create_audience(request).await.unwrap();
    for id in ["sso", PLANTED] {
        let audiences = vec![format!("{parent}/audiences/customers")];
        let initiative = Some(pb::Initiative { display_name: planted(id), audiences, ..Default::default() });
        let (parent, initiative_id) = (parent.clone(), id.to_owned());
        let request = pb::CreateInitiativeRequest { parent, initiative_id, initiative, ..Default::default() };
        client.create_initiative(request).await.unwrap();
    }
    let wire = services.serving(&of_roadmap("ListInitiatives"))[0].clone();
    let list = pb::ListInitiativesRequest { parent: parent.clone(), page_size: 1, ..Default::default() };
    let roadmap = pb::GetRoadmapRequest { parent: parent.clone(), page_size: 1, ..Default::default() };
    let log = events::ListEventsRequest { parent: parent.clone(), page_size: 1, ..Default::default() };
    let get = pb::GetInitiativeRequest { name: format!("{parent}/initiatives/sso") };
    for (path, request, expected) in [
        (of_roadmap("ListInitiatives"), list.encode_to_vec(), Code::Ok),
        (of_roadmap("GetRoadmap"), roadmap.encode_to_vec(), Code::Ok),
        ("/waymark.events.v1.EventsService/ListEvents".to_owned(), log.encode_to_vec(), Code::Ok),
        (of_roadmap("GetInitiative"), get.encode_to_vec(), Code::NotFound),
    ] {
        let (code, bytes) = wire.everything(&path, &AS_CUSTOMER, &request).await;
        assert!(code == expected && !leaks(&bytes), "{path}: {code:?} {}", String::from_utf8_lossy(&bytes));
        let message = wire.call_as(&path, &AS_CUSTOMER, &request).await;
        assert!(!String::from_utf8_lossy(&message).contains("eyJ"), "{path} has a token: {message:?}");
    }
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audience_that_is_none_is_refused() {
    let services = Services::start(Engine::Sqlite, Wires::Bus).await.unwrap();
    let path = of_roadmap("GetRoadmap");
    let wire = services.serving(&path)[0].clone();
    let bytes = pb::GetRoadmapRequest { parent: W.into(), ..Default::default() }.encode_to_vec();
    assert_eq!(wire.everything(&path, &AS_CUSTOMER, &bytes).await.0, Code::PermissionDenied);
    filled(&services).await;
    assert_eq!(wire.everything(&path, &AS_CUSTOMER, &bytes).await.0, Code::Ok);
    let mut client = RoadmapServiceClient::new(services.roadmap.clone());
    let delete = pb::DeleteAudienceRequest { name: CUSTOMERS.into(), ..Default::default() };
    assert_eq!(client.delete_audience(delete).await.unwrap_err().code(), Code::FailedPrecondition, "it is in use");
    services.stop().await;
}
