//! Why initiatives differ between two positions: their events, who made them, and what each changed.

use waymark_proto::roadmap::v1 as pb;

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
