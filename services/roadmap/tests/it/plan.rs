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
async fn what_is_beside_the_critical_path_has_slack() {
    on_both(async |f| {
        // d waits for b and c, which wait for a; e is on no way to d.
        for (id, effort) in [("a", 1.0), ("b", 5.0), ("c", 2.0), ("d", 1.0), ("e", 9.0)] {
            f.create(id, named(id)).await.unwrap();
            create(f, id, estimate(id, [100.0, 1.0, 1.0, effort])).await.unwrap();
        }
        for (on, id) in [("b", "d"), ("c", "d"), ("a", "b"), ("a", "c"), ("a", "e")] {
            f.depend(on, id).await.unwrap();
        }
        let path = async |initiative: String| {
            let request = pb::GetCriticalPathRequest { parent: W.into(), initiative };
            f.roadmap().get_critical_path(request).await.unwrap().into_inner()
        };
        let slack = |path: &pb::GetCriticalPathResponse| -> Vec<(String, f64)> {
            path.slack.iter().map(|beside| (beside.display_name.clone(), beside.slack_person_months)).collect()
        };
        let to_d = path(initiative_name("d")).await;
        assert_eq!((to_d.effort_person_months, slack(&to_d)), (7.0, vec![("c".into(), 3.0)]));
        let all = path(String::new()).await;
        assert_eq!(
            (all.effort_person_months, slack(&all)),
            (10.0, vec![("b".into(), 3.0), ("d".into(), 3.0), ("c".into(), 6.0)])
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_planned_against_what_it_depends_on_is_told_in_pages() {
    on_both(async |f| {
        let planned = |id: &str, start: &str, horizon: pb::Horizon| {
            let target = Some(pb::TargetInterval { start: start.into(), end: String::new() });
            pb::Initiative { target: target.filter(|_| !start.is_empty()), horizon: horizon.into(), ..named(id) }
        };
        f.create("a", planned("a", "2026-Q4", pb::Horizon::Later)).await.unwrap();
        f.create("b", planned("b", "2026-H1", pb::Horizon::Now)).await.unwrap();
        f.create("c", planned("c", "", pb::Horizon::Now)).await.unwrap();
        f.create("d", planned("d", "2026-H2", pb::Horizon::Later)).await.unwrap();
        for (on, id) in [("a", "b"), ("c", "b"), ("a", "d")] {
            f.depend(on, id).await.unwrap();
        }
        let lint = async |page_token: String, page_size| {
            let request = pb::LintRoadmapRequest { parent: W.into(), page_size, page_token };
            f.roadmap().lint_roadmap(request).await.unwrap().into_inner()
        };
        let told = |page: &pb::LintRoadmapResponse| -> Vec<String> {
            let id = |name: &str| name.rsplit('/').next().unwrap().to_owned();
            let line = |found: &pb::RoadmapFinding| {
                format!("{} {} {:?}", id(&found.initiative), id(&found.dependency), found.rule())
            };
            page.findings.iter().map(line).collect()
        };
        let all = lint(String::new(), 0).await;
        let expected = ["b a TargetBeforeDependency", "b a HorizonBeforeDependency", "b c DependencyWithoutTarget"];
        assert_eq!(told(&all), expected);
        assert_eq!(
            all.findings[0].message,
            "is planned for 2026-H1, before \"a\" for 2026-Q4, which must ship first; move one of them"
        );
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = lint(token, 2).await;
            seen.extend(told(&page));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, expected);
        let decline = pb::DeclineInitiativeRequest {
            name: initiative_name("c"),
            reason: "no".into(),
            what_would_change_our_mind: "money".into(),
            waive_dependencies: "b goes without".into(),
            ..Default::default()
        };
        f.roadmap().decline_initiative(decline).await.unwrap();
        assert_eq!(told(&lint(String::new(), 0).await)[2], "b c DependencyDeclined");
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
