//! What is seen of messages, and what the contract must say for that.

use std::collections::{BTreeSet, HashSet};

use prost::Message as _;
use prost_reflect::{Kind, MessageDescriptor};
use waymark_domain::roadmap::{Audience, DatePrecision, FieldGroup};

use super::*;
use crate::events::v1::{Event, ListEventsResponse};
use crate::roadmap::v1 as pb;
use crate::{Timestamp, rpc_methods};

const CUSTOMERS: &str = "workspaces/w/audiences/customers";

fn sight(groups: &[FieldGroup], dates: DatePrecision) -> Sight {
    let message = pb::Audience {
        name: CUSTOMERS.into(),
        display_name: "Customers".into(),
        uid: "0192f0c1-2b7e-7c41-9f43-3b6d5d0a7e11".into(),
        etag: "1".into(),
        create_time: Some(Timestamp::default()),
        update_time: Some(Timestamp::default()),
        ..Default::default()
    };
    let audience = Audience::try_from(message).unwrap();
    Sight::from(&Audience { groups: groups.iter().copied().collect(), dates, ..audience })
}

fn initiative() -> pb::Initiative {
    let waiver = pb::Waiver { reason: "because".into(), signed_by: "users/ada".into(), time: None };
    pb::Initiative {
        name: "workspaces/w/initiatives/sso".into(),
        etag: "7".into(),
        display_name: "Single sign-on".into(),
        hypothesis: "fewer calls".into(),
        owner: "users/ada".into(),
        target: Some(pb::TargetInterval { start: "2026-07".into(), end: "2026-11".into() }),
        ship_time: Some(Timestamp { seconds: 1_795_000_000, nanos: 5 }),
        dependencies: vec!["workspaces/w/initiatives/secret".into()],
        risks: vec![pb::RiskAssessment { waiver: Some(waiver), ..Default::default() }],
        priority: Some(pb::Priority {
            estimate: "workspaces/w/estimates/e".into(),
            effort: Some(3.0),
            ..Default::default()
        }),
        audiences: vec!["workspaces/w/audiences/partners".into(), CUSTOMERS.into()],
        ..Default::default()
    }
}

#[test]
fn a_group_is_seen_wherever_it_stands() {
    let of = |groups: &[FieldGroup]| sight(groups, DatePrecision::Kept).of(&initiative()).unwrap();
    let plain = of(&[]);
    let plan = pb::Initiative {
        name: initiative().name,
        display_name: "Single sign-on".into(),
        target: initiative().target,
        ship_time: initiative().ship_time,
        audiences: vec![CUSTOMERS.into()],
        ..Default::default()
    };
    assert_eq!(plain, plan);
    let why = of(&[FieldGroup::Reasoning]);
    let signed = |initiative: &pb::Initiative| initiative.risks[0].waiver.clone().unwrap();
    assert_eq!(
        (&*why.hypothesis, &*why.owner, &*signed(&why).reason, &*signed(&why).signed_by),
        ("fewer calls", "", "because", "")
    );
    let all = of(&[FieldGroup::Reasoning, FieldGroup::People, FieldGroup::Money]);
    assert_eq!(
        (&*all.owner, &*signed(&all).signed_by, all.priority.clone().unwrap().effort),
        ("users/ada", "users/ada", Some(3.0))
    );
    assert_eq!((all.dependencies.len(), &*all.priority.unwrap().estimate, &*all.etag), (0, "", ""), "internal");
}

#[test]
fn what_is_seen_is_seen_the_same_again() {
    for dates in [DatePrecision::Kept, DatePrecision::Quarter] {
        let sight = sight(&[FieldGroup::Money], dates);
        let once = sight.of(&initiative()).unwrap();
        assert_eq!(sight.of(&once), Some(once));
    }
}

#[test]
fn dates_are_as_exact_as_is_said() {
    let shown = sight(&[], DatePrecision::Quarter).of(&initiative()).unwrap();
    let target = shown.target.unwrap();
    assert_eq!((&*target.start, &*target.end), ("2026-Q3", "2026-Q4"));
    // 2026-11-18 is in the quarter that begins on 2026-10-01.
    assert_eq!(shown.ship_time.unwrap(), Timestamp { seconds: 1_790_812_800, nanos: 0 });
}

#[test]
fn what_names_another_audience_or_is_deleted_is_not_shown() {
    let sight = sight(&[], DatePrecision::Kept);
    let others = pb::Initiative { audiences: vec!["workspaces/w/audiences/partners".into()], ..initiative() };
    let deleted = pb::Initiative { delete_time: initiative().ship_time, ..initiative() };
    let none = pb::Initiative { audiences: Vec::new(), ..initiative() };
    for hidden in [others, deleted, none] {
        assert_eq!(sight.of(&hidden), None);
    }
    assert_eq!(sight.of(&pb::Product { display_name: "App".into(), ..Default::default() }), None, "it names none");
}

#[test]
fn answers_hold_what_is_shown_then_and_now() {
    let method = |name: &str| rpc_methods().find(|(path, _)| path.ends_with(name)).unwrap().1;
    let packed = |type_name: &str, bytes: Vec<u8>| Event {
        actor: "users/ada".into(),
        data: Some(pbjson_types::Any { type_url: format!("type.googleapis.com/{type_name}"), value: bytes.into() }),
        ..Default::default()
    };
    let change = Some(crate::common::v1::Change { actor: "users/ada".into(), ..Default::default() });
    let moved = pb::InitiativeMoved { initiative: Some(initiative()), change: change.clone() };
    let ranked = pb::InitiativeRankChanged { initiative: Some(initiative()), change };
    let events = vec![
        packed("waymark.roadmap.v1.InitiativeMoved", moved.encode_to_vec()),
        packed("waymark.roadmap.v1.InitiativeRankChanged", ranked.encode_to_vec()),
        packed("waymark.roadmap.v1.Unheard", Vec::new()),
    ];
    let bytes = ListEventsResponse { events, next_page_token: "t".into() }.encode_to_vec();
    let answer = Opened::answer(method("/ListEvents"), &bytes).unwrap();
    assert_eq!(answer.names(), BTreeSet::from([initiative().name]));
    let of = |now: &BTreeSet<String>| {
        let seen = sight(&[], DatePrecision::Kept).of_answer(&answer, now).unwrap();
        (ListEventsResponse::decode(&*seen).unwrap(), String::from_utf8_lossy(&seen).into_owned())
    };
    let (seen, raw) = of(&answer.names());
    assert_eq!((seen.events.len(), &*seen.next_page_token), (1, "t"));
    assert!(raw.contains("Single sign-on") && !raw.contains("fewer calls") && !raw.contains("ada"), "{raw}");
    assert_eq!(of(&BTreeSet::new()).0.events, [], "it is not shown any more");
    let get = Opened::answer(method("/GetInitiative"), &initiative().encode_to_vec()).unwrap();
    assert_eq!(sight(&[], DatePrecision::Kept).of_answer(&get, &BTreeSet::new()), None);
}

#[test]
fn what_is_hidden_cannot_be_asked_for() {
    let may = |dates, path| sight(&[FieldGroup::Reasoning], dates).may_ask(pb::Initiative::FULL_NAME, path);
    for path in ["id", "display_name", "state", "product", "hypothesis", "ship_time"] {
        assert!(may(DatePrecision::Kept, path), "{path}");
    }
    for path in [
        "owner",
        "labels",
        "labels.team",
        "dependencies",
        "evidence.target",
        "audiences",
        "score",
        "rank",
        "target_start",
        "etag",
    ] {
        assert!(!may(DatePrecision::Kept, path), "{path}");
    }
    assert!(!may(DatePrecision::Month, "ship_time") && may(DatePrecision::Month, "state"));
    assert!(!sight(&[], DatePrecision::Kept).may_ask(EVENT, "actor"));
}

/// Messages that answers of RPCs for audiences are made of, as far as any audience sees them.
fn reachable() -> Vec<MessageDescriptor> {
    let everything = sight(&[FieldGroup::Reasoning, FieldGroup::People, FieldGroup::Money], DatePrecision::Kept);
    let answer = |method: &RpcMethod| {
        let service = descriptors().get_service_by_name(&method.service).unwrap();
        service.methods().find(|known| known.name() == method.method).unwrap().output()
    };
    let mut found: Vec<_> = rpc_methods().filter(|(_, m)| m.shown_to_audiences).map(|(_, m)| answer(m)).collect();
    found.extend(everything.events().filter_map(|name| descriptors().get_message_by_name(name)));
    let (mut known, mut at) = (HashSet::new(), 0);
    while let Some(message) = found.get(at).cloned() {
        at += 1;
        if !known.insert(message.full_name().to_owned()) {
            continue;
        }
        for field in message.fields().filter(|field| everything.sees(field)) {
            if let Kind::Message(inner) = field.kind()
                && inner.full_name().starts_with("waymark.")
                && !inner.is_map_entry()
            {
                found.push(inner);
            }
        }
    }
    found
}

#[test]
fn every_message_that_is_shown_says_of_what_groups_it_is() {
    for message in reachable() {
        assert!(
            message.fields().any(|field| group(&field).is_some()),
            "{}: nobody sees any of it",
            message.full_name()
        );
    }
}

/// A name says that there is something. What is shown may be named by what is shown with it; anything else is not.
#[test]
fn no_field_that_is_shown_may_name_an_initiative() {
    let everything = sight(&[FieldGroup::Reasoning, FieldGroup::People, FieldGroup::Money], DatePrecision::Kept);
    for field in reachable().iter().flat_map(|message| message.fields().collect::<Vec<_>>()) {
        let Some(reference) = options().reference(&field).filter(|_| everything.sees(&field)) else { continue };
        let may = reference.collections.is_empty() || reference.collections.iter().any(|of| of == "initiatives");
        assert!(!may, "{} may name what is hidden", field.full_name());
    }
}
