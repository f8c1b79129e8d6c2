//! The roadmap as a whole: dependencies, horizons, the past, differences.

use std::time::Duration;

use tonic::Code;
use tonic_types::StatusExt as _;
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::convert::timestamp;
use waymark_proto::roadmap::v1 as pb;

use crate::estimates::{create, estimate};
use crate::{Fixture, W, initiative_name, named, on_both, refusal};

#[expect(clippy::unnecessary_wraps, reason = "as a message field wants it")]
pub(crate) fn revision(revision: i64) -> Option<AsOf> {
    Some(AsOf { position: Some(as_of::Position::Revision(revision)) })
}

async fn roadmap(f: &Fixture, as_of: Option<AsOf>) -> Result<pb::GetRoadmapResponse, tonic::Status> {
    let request = pb::GetRoadmapRequest { parent: W.into(), as_of, ..Default::default() };
    f.roadmap().get_roadmap(request).await.map(tonic::Response::into_inner)
}

fn lane(roadmap: &pb::GetRoadmapResponse, index: usize) -> Vec<&str> {
    roadmap.lanes[index].initiatives.iter().map(|i| i.name.rsplit('/').next().unwrap()).collect()
}

#[tokio::test]
async fn a_cycle_is_refused_and_named() {
    on_both(async |f| {
        for id in ["a", "b", "c"] {
            f.create(id, named(id)).await.unwrap();
        }
        f.depend("b", "a").await.unwrap();
        f.depend("c", "b").await.unwrap();
        let refused = f.depend("a", "c").await.unwrap_err();
        let error = refused.get_details_error_info().unwrap();
        let cycle = ["c", "a", "b", "c"].map(initiative_name).join(" -> ");
        assert_eq!((error.reason.as_str(), error.metadata["cycle"].as_str()), ("CYCLE", cycle.as_str()));
        assert_eq!(refusal(f.depend("a", "a").await).1, "CYCLE");
        assert_eq!(refusal(f.depend("nope", "a").await), (Code::FailedPrecondition, "REFERENCE_NOT_FOUND".into()));
        let delete = pb::DeleteInitiativeRequest { name: initiative_name("c"), ..Default::default() };
        assert_eq!(refusal(f.roadmap().delete_initiative(delete.clone()).await).1, "RESOURCE_IN_USE");

        let path = pb::GetCriticalPathRequest { parent: W.into(), initiative: initiative_name("a") };
        let path = f.roadmap().get_critical_path(path).await.unwrap().into_inner();
        assert_eq!(path.missing_effort, ["a", "b", "c"].map(initiative_name), "nobody estimated what it waits for");
        assert!(path.effort_is_lower_bound);
        for id in ["done", "loner"] {
            f.create(id, named(id)).await.unwrap();
        }
        f.depend("done", "loner").await.unwrap();
        create(f, "loner", estimate("loner", [100.0, 1.0, 1.0, 0.5])).await.unwrap();
        let path = pb::GetCriticalPathRequest { parent: W.into(), ..Default::default() };
        let path = f.roadmap().get_critical_path(path).await.unwrap().into_inner();
        assert_eq!(path.missing_effort, ["a", "b", "c", "done"].map(initiative_name), "any of them may take longer");
        assert_eq!((path.effort_is_lower_bound, path.effort_person_months), (true, 0.5));

        let remove = pb::RemoveDependencyRequest {
            name: initiative_name("b"),
            dependency: initiative_name("c"),
            ..Default::default()
        };
        f.roadmap().remove_dependency(remove.clone()).await.unwrap();
        assert_eq!(refusal(f.roadmap().remove_dependency(remove).await).1, "RULE_VIOLATED");
        f.roadmap().delete_initiative(delete).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_roadmap_as_it_stood_and_what_changed_since() {
    on_both(async |f| {
        f.create("a", named("A")).await.unwrap();
        f.create("b", pb::Initiative { horizon: pb::Horizon::Now.into(), ..named("B") }).await.unwrap();
        let then = roadmap(f, None).await.unwrap();
        assert_eq!((lane(&then, 0), lane(&then, 1), lane(&then, 2), then.revision), (vec!["b"], vec![], vec!["a"], 2));
        let noon = waymark_testkit::NOW;
        f.clock.advance(Duration::from_hours(1));

        let target = Some(pb::TargetInterval { start: "2026-07".into(), end: String::new() });
        let c = pb::Initiative { horizon: pb::Horizon::Now.into(), target, ..named("C") };
        f.create("c", c).await.unwrap();
        let to_next = pb::MoveInitiativeRequest {
            name: initiative_name("a"),
            horizon: pb::Horizon::Next.into(),
            ..Default::default()
        };
        f.roadmap().move_initiative(to_next).await.unwrap();
        let delete = pb::DeleteInitiativeRequest { name: initiative_name("b"), ..Default::default() };
        f.roadmap().delete_initiative(delete).await.unwrap();
        let d = pb::Initiative { horizon: pb::Horizon::Now.into(), ..named("D") };
        f.create("d", d).await.unwrap();

        let now = roadmap(f, None).await.unwrap();
        assert_eq!(
            (lane(&now, 0), lane(&now, 1), lane(&now, 2)),
            (vec!["c", "d"], vec!["a"], vec![]),
            "those with a target first"
        );
        assert_eq!(roadmap(f, revision(2)).await.unwrap(), then);
        let at_noon = Some(AsOf { position: Some(as_of::Position::Time(timestamp(noon))) });
        assert_eq!(roadmap(f, at_noon).await.unwrap(), then);
        assert_eq!(refusal(roadmap(f, revision(99)).await), (Code::InvalidArgument, "REVISION_IN_FUTURE".into()));
        assert_eq!(refusal(roadmap(f, Some(AsOf { position: None })).await).0, Code::InvalidArgument);

        let request = pb::DiffRoadmapRequest { parent: W.into(), from: revision(2), ..Default::default() };
        let diff = f.roadmap().diff_roadmap(request).await.unwrap().into_inner();
        let ids = |list: &[pb::Initiative]| list.iter().map(|i| i.display_name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (ids(&diff.added), ids(&diff.removed)),
            (vec!["C".to_owned(), "D".to_owned()], vec!["B".to_owned()])
        );
        let changed: Vec<_> = diff.changed.iter().map(|c| (c.display_name.as_str(), c.fields.clone())).collect();
        let moved = pb::FieldDiff {
            field: "horizon".into(),
            before: "\"HORIZON_LATER\"".into(),
            after: "\"HORIZON_NEXT\"".into(),
        };
        assert_eq!(changed, [("A", vec![moved])]);
        assert_eq!((diff.from_revision, diff.to_revision), (2, 6));
    })
    .await;
}
