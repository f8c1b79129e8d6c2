//! Scenarios that are merged: by field, with conflicts that the caller resolves, and by the rules as of now.

use tonic::Code;
use tonic_types::StatusExt as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_testkit::sample;

use super::scenarios::{
    commit, delete, depend, ready, relocate, resolution, scenario_name, schedule, start, update, with_problem,
};
use super::{W, initiative_name, insight, named, on_both, refusal};

#[tokio::test]
async fn conflicts_are_named_and_resolved() {
    on_both(async |f| {
        for id in ["a", "b", "c"] {
            f.create(id, pb::Initiative { problem: "old".into(), ..ready(id) }).await.unwrap();
        }
        f.branch_off("s").await;
        let mut evidence = with_problem("a", "slow");
        evidence.evidence = vec![insight("i2")];
        let changes = vec![
            update(evidence),
            relocate("a", pb::Horizon::Now),
            schedule("a", "2026-Q3"),
            commit("b"),
            delete("c"),
            relocate("b", pb::Horizon::Next),
        ];
        f.try_out("s", changes).await.unwrap();
        let mut on_roadmap = with_problem("a", "dear");
        on_roadmap.evidence = vec![insight("i3")];
        f.update(on_roadmap).await;
        f.relocate("a", pb::Horizon::Next).await;
        f.relocate("b", pb::Horizon::Next).await;
        f.update(with_problem("c", "new")).await;
        let request = pb::CommitInitiativeRequest { name: initiative_name("b"), ..Default::default() };
        f.roadmap().commit_initiative(request).await.unwrap();
        let expected = [
            "a evidence COMBINED",
            "a horizon CONFLICT",
            "a problem CONFLICT",
            "a target TAKEN",
            "b horizon ALIKE",
            "b state ALIKE",
            "c delete_time CONFLICT",
        ];
        assert_eq!(f.compared("s").await, expected);

        let status = f.merge("s").await.unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!((status.code(), info.reason.as_str()), (Code::FailedPrecondition, "MERGE_CONFLICT"));
        assert_eq!(info.metadata["conflicts"], "3");
        let told = status.get_details_precondition_failure().unwrap().violations;
        let told: Vec<_> = told.iter().map(|one| format!("{}: {}", one.r#type, one.description)).collect();
        let horizon = r#"initiatives/a.horizon: "HORIZON_LATER" became "HORIZON_NOW" in the scenario and "HORIZON_NEXT" on the roadmap"#;
        assert!(told.iter().any(|one| one == horizon), "{told:?}");
        assert_eq!(f.get("a").await.target, None, "nothing half done");

        let mut request = pb::MergeScenarioRequest { name: scenario_name("s"), ..Default::default() };
        request.resolutions = vec![
            resolution("a", "horizon", pb::MergeSide::Scenario),
            resolution("a", "target", pb::MergeSide::Roadmap),
            resolution("c", "", pb::MergeSide::Scenario),
        ];
        let half = f.merge_as(request.clone()).await.unwrap_err();
        assert_eq!(half.get_details_error_info().unwrap().metadata["conflicts"], "1");
        let stray = pb::MergeScenarioRequest {
            resolutions: vec![resolution("a", "owner", pb::MergeSide::Scenario)],
            otherwise: pb::MergeSide::Roadmap.into(),
            ..request.clone()
        };
        assert_eq!(refusal(f.merge_as(stray).await), (Code::InvalidArgument, "INVALID_FIELD".into()));
        request.otherwise = pb::MergeSide::Roadmap.into();
        let checked = pb::MergeScenarioRequest { validate_only: true, ..request.clone() };
        f.merge_as(checked).await.unwrap();
        assert_eq!(f.get("a").await.horizon(), pb::Horizon::Next, "checking changes nothing");
        let merged = f.merge_as(request).await.unwrap();
        assert_eq!(merged.initiatives, ["a", "c"].map(initiative_name), "b was as in the scenario");
        let a = f.get("a").await;
        assert_eq!((a.horizon(), a.problem.as_str(), a.target), (pb::Horizon::Now, "dear", None));
        assert_eq!(a.evidence, [insight("i3"), insight("i2")]);
        assert!(f.get("c").await.delete_time.is_some());
    })
    .await;
}

#[tokio::test]
async fn the_rules_judge_the_result_by_the_present() {
    on_both(async |f| {
        for id in ["a", "b", "c", "p"] {
            f.create(id, ready(id)).await.unwrap();
        }
        f.branch_off("s").await;
        f.try_out("s", vec![commit("a"), start("a"), depend("b", "c"), commit("c")]).await.unwrap();
        // Within the scenario, over what it did not change, too.
        let circle = f.try_out("s", vec![depend("c", "b")]).await.unwrap_err();
        assert_eq!(
            circle.get_details_error_info().unwrap().metadata["cycle"],
            ["c", "b", "c"].map(initiative_name).join(" -> ")
        );

        // Meanwhile a waits for p, the risks of c are open again, and c waits for b.
        f.depend("p", "a").await.unwrap();
        let clear = pb::UpdateInitiativeRequest {
            initiative: Some(pb::Initiative { name: initiative_name("c"), ..Default::default() }),
            update_mask: Some(pbjson_types::FieldMask { paths: vec!["risks".into()] }),
            ..Default::default()
        };
        f.roadmap().update_initiative(clear).await.unwrap();
        let status = f.merge("s").await.unwrap_err();
        assert_eq!(status.get_details_error_info().unwrap().reason, "RULE_VIOLATED");
        let told = status.get_details_precondition_failure().unwrap().violations;
        let told: Vec<_> = told.iter().map(|one| (one.r#type.as_str(), one.description.as_str())).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told.iter().any(|(at, why)| *at == "initiatives/a" && why.contains("initiatives/p (PROPOSED)")),
            "{told:?}"
        );
        assert!(told.iter().any(|(at, why)| *at == "initiatives/c" && why.contains("open risks")), "{told:?}");

        f.depend("b", "c").await.unwrap();
        let left_out = pb::MergeScenarioRequest {
            name: scenario_name("s"),
            resolutions: vec![
                resolution("a", "", pb::MergeSide::Roadmap),
                resolution("c", "state", pb::MergeSide::Roadmap),
            ],
            ..Default::default()
        };
        assert_eq!(refusal(f.merge_as(left_out).await), (Code::FailedPrecondition, "CYCLE".into()));
        // What is deleted in between is not referred to.
        f.branch_off("t").await;
        f.try_out("t", vec![depend("a", "b")]).await.unwrap();
        let undo = pb::RemoveDependencyRequest {
            name: initiative_name("c"),
            dependency: initiative_name("b"),
            ..Default::default()
        };
        f.roadmap().remove_dependency(undo).await.unwrap();
        let request = pb::DeleteInitiativeRequest { name: initiative_name("b"), ..Default::default() };
        f.roadmap().delete_initiative(request).await.unwrap();
        assert_eq!(refusal(f.merge("t").await), (Code::FailedPrecondition, "REFERENCE_NOT_FOUND".into()));
    })
    .await;
}

#[tokio::test]
async fn a_merge_is_of_what_was_compared_if_the_caller_says_so() {
    on_both(async |f| {
        f.create("a", named("A")).await.unwrap();
        f.create("b", named("B")).await.unwrap();
        f.branch_off("s").await;
        f.try_out("s", vec![schedule("a", "2026-Q3")]).await.unwrap();
        let request = pb::CompareScenarioRequest { name: scenario_name("s"), ..Default::default() };
        let revision = f.compare_with(request).await.unwrap().revision;
        // What the scenario has nothing to do with may move.
        f.relocate("b", pb::Horizon::Now).await;
        f.relocate("a", pb::Horizon::Now).await;
        let merge = |compared_revision| pb::MergeScenarioRequest {
            name: scenario_name("s"),
            compared_revision,
            ..Default::default()
        };
        let status = f.merge_as(merge(revision)).await.unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!((status.code(), info.reason.as_str()), (Code::Aborted, "ETAG_MISMATCH"));
        assert_eq!(
            (info.metadata["resource"].as_str(), info.metadata["etag"].as_str()),
            (initiative_name("a").as_str(), "2")
        );
        assert_eq!(refusal(f.merge_as(merge(99)).await), (Code::InvalidArgument, "REVISION_IN_FUTURE".into()));
        f.relocate("b", pb::Horizon::Next).await;
        f.merge_as(merge(revision + 2)).await.unwrap();
        assert_eq!(f.get("a").await.horizon(), pb::Horizon::Now);
    })
    .await;
}

#[tokio::test]
async fn five_hundred_changes_are_compared_by_pages_and_merged_in_one_write() {
    on_both(async |f| {
        let requests = (0..500).map(|at| pb::CreateInitiativeRequest {
            initiative_id: format!("i{at}"),
            initiative: Some(named("Initiative")),
            ..Default::default()
        });
        let request =
            pb::BatchCreateInitiativesRequest { parent: W.into(), requests: requests.collect(), ..Default::default() };
        f.roadmap().batch_create_initiatives(request).await.unwrap();
        f.branch_off("s").await;
        f.try_out("s", (0..500).map(|at| schedule(&format!("i{at}"), "2026-Q3")).collect()).await.unwrap();
        f.relocate("i7", pb::Horizon::Now).await;
        f.try_out("s", vec![relocate("i7", pb::Horizon::Next)]).await.unwrap();
        let mut request = pb::CompareScenarioRequest { name: scenario_name("s"), page_size: 200, ..Default::default() };
        let mut sizes = Vec::new();
        loop {
            let page = f.compare_with(request.clone()).await.unwrap();
            sizes.push(page.initiatives.len());
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(sizes, [200, 200, 100]);
        let request = pb::CompareScenarioRequest {
            name: scenario_name("s"),
            page_size: 1_000,
            conflicts_only: true,
            ..Default::default()
        };
        let conflicts = f.compare_with(request).await.unwrap().initiatives;
        assert_eq!(conflicts.iter().map(|one| one.initiative.clone()).collect::<Vec<_>>(), [initiative_name("i7")]);
        let request = pb::MergeScenarioRequest {
            name: scenario_name("s"),
            otherwise: pb::MergeSide::Scenario.into(),
            ..Default::default()
        };
        let revision = f.served.store().revision(&sample::workspace()).await.unwrap();
        assert_eq!(f.merge_as(request).await.unwrap().initiatives.len(), 500);
        assert_eq!(f.served.store().revision(&sample::workspace()).await.unwrap(), revision + 1);
        assert_eq!(f.get("i7").await.horizon(), pb::Horizon::Next);
    })
    .await;
}
