//! Why initiatives differ between two positions: their events, who made them, and what each changed.

use std::collections::BTreeMap;

use pbjson_types::FieldMask;
use proptest::prelude::*;
use serde_json::Value;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::{ResourceMessage as _, descriptors};

use crate::estimates::estimate;
use crate::plan::revision;
use crate::{Fixture, W, by_ada, initiative_name, named, on_both};

/// The events of an initiative, as type, actor and what changed.
fn told(diff: &pb::DiffRoadmapResponse, id: &str) -> Vec<(String, String, Vec<String>)> {
    let of = diff.reasons.iter().find(|of| of.initiative == initiative_name(id)).unwrap();
    let one = |event: &pb::DiffEvent| {
        let kind = event.r#type.trim_start_matches("waymark.roadmap.v1.Initiative").to_owned();
        (kind, event.actor.clone(), event.changed_fields.clone())
    };
    of.events.iter().map(one).collect()
}

async fn change(f: &Fixture, id: &str, horizon: pb::Horizon) {
    let request =
        pb::MoveInitiativeRequest { name: initiative_name(id), horizon: horizon.into(), ..Default::default() };
    f.roadmap().move_initiative(request).await.unwrap();
}

#[tokio::test]
async fn a_difference_tells_who_changed_what_when() {
    on_both(async |f| {
        for id in ["a", "b", "back", "much"] {
            f.create(id, named(id)).await.unwrap();
        }
        let from = f.served.store().revision(&W.parse().unwrap()).await.unwrap();
        change(f, "a", pb::Horizon::Next).await;
        let target = Some(pb::TargetInterval { start: "2026-Q3".into(), end: String::new() });
        let schedule = pb::ScheduleInitiativeRequest { name: initiative_name("a"), target, ..Default::default() };
        f.roadmap().schedule_initiative(by_ada(schedule)).await.unwrap();
        let delete = pb::DeleteInitiativeRequest { name: initiative_name("b"), ..Default::default() };
        f.roadmap().delete_initiative(by_ada(delete)).await.unwrap();
        f.create("new", named("New")).await.unwrap();
        // These come and go, there and back, between the two: no difference.
        f.create("gone", named("Gone")).await.unwrap();
        let delete = pb::DeleteInitiativeRequest { name: initiative_name("gone"), ..Default::default() };
        f.roadmap().delete_initiative(delete).await.unwrap();
        for horizon in [pb::Horizon::Next, pb::Horizon::Later] {
            change(f, "back", horizon).await;
        }
        for round in 0..6 {
            change(f, "much", pb::Horizon::Next).await;
            change(f, "much", if round == 5 { pb::Horizon::Now } else { pb::Horizon::Later }).await;
        }
        let diff = async |from, to, page_size| {
            let request = pb::DiffRoadmapRequest { parent: W.into(), from, to, page_size, ..Default::default() };
            f.roadmap().diff_roadmap(request).await.unwrap().into_inner()
        };
        let whole = diff(revision(from), None, 0).await;
        let event = |kind: &str, actor: &str, changed: &[&str]| {
            (kind.to_owned(), actor.to_owned(), changed.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let (ada, somebody) = ("users/ada@example.com", "users/developer");
        let of_a = [event("Scheduled", ada, &["target"]), event("Moved", somebody, &["horizon"])];
        assert_eq!(told(&whole, "a"), of_a, "the last first");
        assert_eq!(told(&whole, "b"), [event("Deleted", ada, &["delete_time"])]);
        assert_eq!(told(&whole, "new"), [event("Created", ada, &[])]);
        let names: Vec<_> = whole.reasons.iter().map(|of| of.initiative.clone()).collect();
        assert_eq!(names, ["a", "b", "much", "new"].map(initiative_name));
        let scheduled = &whole.reasons[0].events[0];
        assert_eq!(scheduled.revision, from + 2);
        let found = waymark_proto::events::v1::GetEventRequest { name: scheduled.event.clone() };
        let found = f.events().get_event(found).await.unwrap().into_inner();
        assert_eq!((found.r#type, found.time), (scheduled.r#type.clone(), scheduled.time));

        let much = &whole.reasons[2];
        assert!(much.more_events && much.events.len() == pb::DiffReasons::EVENTS_MOST);
        assert!(much.events.iter().map(|event| -event.revision).is_sorted(), "the last ones");
        let back = diff(revision(whole.to_revision), revision(from), 0).await;
        assert_eq!(back.reasons, whole.reasons, "whichever comes first");
        let page = diff(revision(from), None, 1).await;
        assert_eq!((page.reasons.len(), &page.reasons[0]), (1, &whole.reasons[0]), "of what is on the page");
    })
    .await;
}

/// An initiative as JSON, without what a difference does not tell.
fn json(initiative: &pb::Initiative) -> serde_json::Map<String, Value> {
    let Value::Object(mut json) = serde_json::to_value(initiative).unwrap() else { panic!("an object") };
    json.retain(|field, _| !["etag", "updateTime"].contains(&field.as_str()));
    json
}

type Roadmap = BTreeMap<String, serde_json::Map<String, Value>>;

/// The roadmap as it stood at a revision, by name.
async fn stood(f: &Fixture, at: i64) -> Roadmap {
    let request =
        pb::GetRoadmapRequest { parent: W.into(), as_of: revision(at), page_size: 1_000, ..Default::default() };
    let answer = f.roadmap().get_roadmap(request).await.unwrap().into_inner();
    let lanes = answer.lanes.into_iter().flat_map(|lane| lane.initiatives);
    lanes.chain(answer.declined).map(|initiative| (initiative.name.clone(), json(&initiative))).collect()
}

/// What a difference makes of a roadmap.
fn apply(diff: &pb::DiffRoadmapResponse, to: &mut Roadmap) {
    for removed in &diff.removed {
        assert_eq!(to.remove(&removed.name), Some(json(removed)), "as it stood before");
    }
    for added in &diff.added {
        assert_eq!(to.insert(added.name.clone(), json(added)), None, "it was not there before");
    }
    let message = descriptors().get_message_by_name(pb::Initiative::FULL_NAME).unwrap();
    for changed in &diff.changed {
        let initiative = to.get_mut(&changed.initiative).unwrap();
        for pb::FieldDiff { field, before, after } in &changed.fields {
            let parsed = |text: &str| (!text.is_empty()).then(|| serde_json::from_str::<Value>(text).unwrap());
            let known = message.get_field_by_name(field).unwrap();
            let was = match parsed(after) {
                Some(value) => initiative.insert(known.json_name().to_owned(), value),
                None => initiative.remove(known.json_name()),
            };
            assert_eq!(was, parsed(before), "{field} of {}", changed.initiative);
        }
    }
}

/// One change of one of a few initiatives; refused where it cannot be, which changes nothing.
async fn step(f: &Fixture, (kind, which): (u8, u8)) {
    let id = format!("i{}", which % 4);
    let name = initiative_name(&id);
    let named_only = pb::UndeleteInitiativeRequest { name: name.clone(), ..Default::default() };
    match kind % 8 {
        0 | 1 => drop(f.create(&id, named(&id)).await),
        2 => {
            let horizon = 1 + i32::from(which) % 3;
            let request = pb::MoveInitiativeRequest { name, horizon, ..Default::default() };
            drop(f.roadmap().move_initiative(request).await);
        }
        3 => {
            let labels = [("team".to_owned(), which.to_string())].into_iter().take(usize::from(which % 2));
            let initiative =
                pb::Initiative { name, labels: labels.collect(), problem: format!("{which}"), ..named("R") };
            let update_mask =
                Some(FieldMask { paths: ["labels", "problem", "display_name"].map(str::to_owned).to_vec() });
            let request =
                pb::UpdateInitiativeRequest { initiative: Some(initiative), update_mask, ..Default::default() };
            drop(f.roadmap().update_initiative(request).await);
        }
        4 => drop(f.roadmap().delete_initiative(pb::DeleteInitiativeRequest { name, ..Default::default() }).await),
        5 => drop(f.roadmap().undelete_initiative(named_only).await),
        6 => {
            let (reason, what_would_change_our_mind) = ("no".to_owned(), "demand".to_owned());
            let request =
                pb::DeclineInitiativeRequest { name, reason, what_would_change_our_mind, ..Default::default() };
            drop(f.roadmap().decline_initiative(request).await);
        }
        _ => drop(crate::estimates::create(f, "", estimate(&id, [f64::from(which), 1.0, 1.0, 1.0])).await),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// Whatever happened, forwards and backwards.
    #[test]
    fn a_difference_applied_to_what_was_gives_what_is(
        steps in prop::collection::vec(any::<(u8, u8)>(), 1..40),
        ends in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let f = Fixture::start(waymark_testkit::Engine::Sqlite).await;
            f.create("first", named("first")).await.unwrap();
            for of in steps {
                step(&f, of).await;
            }
            let now = pb::DiffRoadmapRequest { parent: W.into(), from: revision(0), ..Default::default() };
            let revisions = f.roadmap().diff_roadmap(now).await.unwrap().into_inner().to_revision as usize + 1;
            for (from, to) in ends {
                let [from, to] = [from, to].map(|end| end.index(revisions) as i64);
                let request = pb::DiffRoadmapRequest {
                    parent: W.into(),
                    from: revision(from),
                    to: revision(to),
                    ..Default::default()
                };
                let diff = f.roadmap().diff_roadmap(request).await.unwrap().into_inner();
                let mut roadmap = stood(&f, from).await;
                apply(&diff, &mut roadmap);
                assert_eq!(roadmap, stood(&f, to).await, "from {from} to {to}");
            }
            f.stop().await;
        });
    }
}
