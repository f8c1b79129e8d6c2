//! Scenarios: what is tried in one is seen by nobody else, until it is merged by field and by the rules.

use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::initiative_change_request::Change;
use waymark_store::LogReaders;
use waymark_testkit::sample;

use super::{Fixture, W, answered, by_ada, initiative_name, named, on_both, refusal};

pub(crate) fn scenario_name(id: &str) -> String {
    format!("{W}/scenarios/{id}")
}

impl Fixture {
    pub(crate) async fn branch_off(&self, id: &str) -> pb::Scenario {
        let scenario = pb::Scenario { display_name: "Lean".into(), ..Default::default() };
        self.branch_off_as(id, scenario).await.unwrap()
    }

    pub(crate) async fn branch_off_as(&self, id: &str, scenario: pb::Scenario) -> Result<pb::Scenario, Status> {
        let request = pb::CreateScenarioRequest {
            parent: W.into(),
            scenario_id: id.into(),
            scenario: Some(scenario),
            ..Default::default()
        };
        self.scenarios().create_scenario(request).await.map(Response::into_inner)
    }

    pub(crate) async fn try_out(&self, id: &str, changes: Vec<Change>) -> Result<pb::ChangeScenarioResponse, Status> {
        let requests = changes.into_iter().map(|change| pb::InitiativeChangeRequest { change: Some(change) }).collect();
        let request = pb::ChangeScenarioRequest { name: scenario_name(id), requests, ..Default::default() };
        self.scenarios().change_scenario(by_ada(request)).await.map(Response::into_inner)
    }

    pub(crate) async fn compare_with(
        &self,
        request: pb::CompareScenarioRequest,
    ) -> Result<pb::CompareScenarioResponse, Status> {
        self.scenarios().compare_scenario(request).await.map(Response::into_inner)
    }

    /// What a scenario changed: initiative, field, outcome.
    pub(crate) async fn compared(&self, id: &str) -> Vec<String> {
        let request = pb::CompareScenarioRequest { name: scenario_name(id), ..Default::default() };
        let compared = self.compare_with(request).await.unwrap();
        let mut lines: Vec<String> = Vec::new();
        for one in &compared.initiatives {
            let id = one.initiative.rsplit('/').next().unwrap();
            let outcome = |field: &pb::FieldComparison| field.outcome().as_str_name().replace("MERGE_OUTCOME_", "");
            lines.extend(one.fields.iter().map(|field| format!("{id} {} {}", field.field, outcome(field))));
        }
        lines.sort();
        lines
    }

    pub(crate) async fn merge_as(
        &self,
        request: pb::MergeScenarioRequest,
    ) -> Result<pb::MergeScenarioResponse, Status> {
        self.scenarios().merge_scenario(request).await.map(Response::into_inner)
    }

    pub(crate) async fn merge(&self, id: &str) -> Result<pb::MergeScenarioResponse, Status> {
        self.merge_as(pb::MergeScenarioRequest { name: scenario_name(id), ..Default::default() }).await
    }

    /// The events behind the first `count`.
    pub(crate) async fn log_since(&self, count: usize) -> Vec<String> {
        self.log().await.split_off(count)
    }

    pub(crate) async fn update(&self, initiative: pb::Initiative) {
        let request = pb::UpdateInitiativeRequest { initiative: Some(initiative), ..Default::default() };
        self.roadmap().update_initiative(request).await.unwrap();
    }

    pub(crate) async fn relocate(&self, id: &str, horizon: pb::Horizon) {
        let request =
            pb::MoveInitiativeRequest { name: initiative_name(id), horizon: horizon.into(), ..Default::default() };
        self.roadmap().move_initiative(request).await.unwrap();
    }
}

pub(crate) fn create(id: &str, initiative: pb::Initiative) -> Change {
    let initiative = Some(initiative);
    Change::Create(pb::CreateInitiativeRequest { initiative_id: id.into(), initiative, ..Default::default() })
}

pub(crate) fn update(initiative: pb::Initiative) -> Change {
    Change::Update(pb::UpdateInitiativeRequest { initiative: Some(initiative), ..Default::default() })
}

pub(crate) fn with_problem(id: &str, problem: &str) -> pb::Initiative {
    pb::Initiative { name: initiative_name(id), problem: problem.into(), ..Default::default() }
}

pub(crate) fn delete(id: &str) -> Change {
    Change::Delete(pb::DeleteInitiativeRequest { name: initiative_name(id), ..Default::default() })
}

pub(crate) fn relocate(id: &str, horizon: pb::Horizon) -> Change {
    let (name, horizon) = (initiative_name(id), horizon.into());
    Change::Move(pb::MoveInitiativeRequest { name, horizon, ..Default::default() })
}

pub(crate) fn schedule(id: &str, quarter: &str) -> Change {
    let target = Some(pb::TargetInterval { start: quarter.into(), end: String::new() });
    Change::Schedule(pb::ScheduleInitiativeRequest { name: initiative_name(id), target, ..Default::default() })
}

pub(crate) fn commit(id: &str) -> Change {
    Change::Commit(pb::CommitInitiativeRequest { name: initiative_name(id), ..Default::default() })
}

pub(crate) fn start(id: &str) -> Change {
    Change::Start(pb::StartInitiativeRequest { name: initiative_name(id), ..Default::default() })
}

pub(crate) fn ship(id: &str) -> Change {
    Change::Ship(pb::ShipInitiativeRequest { name: initiative_name(id), ..Default::default() })
}

pub(crate) fn declining(id: &str) -> pb::DeclineInitiativeRequest {
    pb::DeclineInitiativeRequest {
        name: initiative_name(id),
        reason: "too few ask for it".into(),
        what_would_change_our_mind: "ten customers ask".into(),
        ..Default::default()
    }
}

pub(crate) fn depend(id: &str, on: &str) -> Change {
    let (name, dependency) = (initiative_name(id), initiative_name(on));
    Change::AddDependency(pb::AddDependencyRequest { name, dependency, ..Default::default() })
}

pub(crate) fn pause(id: &str) -> Change {
    let (name, reason) = (initiative_name(id), "no hands".into());
    Change::Pause(pb::PauseInitiativeRequest { name, reason, ..Default::default() })
}

pub(crate) fn resolution(id: &str, field: &str, side: pb::MergeSide) -> pb::MergeResolution {
    pb::MergeResolution { initiative: initiative_name(id), field: field.into(), side: side.into() }
}

pub(crate) fn ready(display_name: &str) -> pb::Initiative {
    pb::Initiative { risks: answered(), ..named(display_name) }
}

#[tokio::test]
async fn merging_an_untouched_scenario_changes_nothing() {
    on_both(async |f| {
        f.create("a", named("A")).await.unwrap();
        let scenario = f.branch_off("s").await;
        assert_eq!((scenario.revision, scenario.state()), (1, pb::ScenarioState::Open));
        f.relocate("a", pb::Horizon::Now).await;
        // A change that leaves it as it is counts for nothing, either.
        let after = f.try_out("s", vec![relocate("a", pb::Horizon::Later)]).await.unwrap();
        assert_eq!(after.initiatives[0].horizon(), pb::Horizon::Later, "it is as it was at the revision");
        assert_eq!(after.scenario.unwrap().initiative_count, 0);
        let (before, count) = (f.get("a").await, f.log().await.len());
        let merged = f.merge("s").await.unwrap();
        assert_eq!((merged.initiatives.len(), f.get("a").await), (0, before));
        assert_eq!(f.log_since(count).await, ["ScenarioMerged s"]);
        let scenario = merged.scenario.unwrap();
        assert_eq!((scenario.state(), scenario.merge_revision), (pb::ScenarioState::Merged, 4));
        let again = f.merge("s").await;
        assert_eq!(refusal(again), (Code::FailedPrecondition, "STATE_CONFLICT".into()));
        let changed = f.try_out("s", vec![schedule("a", "2026-Q3")]).await;
        assert_eq!(refusal(changed), (Code::FailedPrecondition, "STATE_CONFLICT".into()));
    })
    .await;
}

#[tokio::test]
async fn every_change_works_in_it_and_is_decided_when_it_is_merged() {
    on_both(async |f| {
        for id in ["a", "b", "c", "d", "e"] {
            f.create(id, ready(id)).await.unwrap();
        }
        f.depend("e", "d").await.unwrap();
        f.branch_off("s").await;
        let before = [f.get("a").await, f.get("b").await, f.get("c").await, f.get("d").await];
        let count = f.log().await.len();
        let waive = pb::WaiveRiskRequest { name: initiative_name("new"), ..Default::default() };
        let wrong = f.try_out("s", vec![create("new", named("New")), Change::WaiveRisk(waive.clone())]).await;
        let status = wrong.unwrap_err();
        let fields = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(fields[0].field, "requests[1].waive_risk.risk", "{status}");
        let risks = [1, 2, 3, 4]
            .map(|risk| Change::WaiveRisk(pb::WaiveRiskRequest { risk, reason: "small".into(), ..waive.clone() }));
        let mut changes = vec![
            create("new", named("New")),
            update(with_problem("a", "slow")),
            relocate("a", pb::Horizon::Now),
            schedule("a", "2026-Q3"),
            commit("a"),
            start("a"),
            ship("a"),
            depend("b", "a"),
            commit("b"),
            start("b"),
            pause("b"),
            Change::Decline(declining("c")),
            delete("e"),
            depend("d", "new"),
            Change::RemoveDependency(pb::RemoveDependencyRequest {
                name: initiative_name("d"),
                dependency: initiative_name("e"),
                ..Default::default()
            }),
        ];
        changes.extend(risks);
        changes.extend([
            commit("new"),
            pause("new"),
            Change::Resume(pb::ResumeInitiativeRequest { name: initiative_name("new"), ..Default::default() }),
        ]);
        let count_of = changes.len();
        let answer = f.try_out("s", changes).await.unwrap();
        assert_eq!((answer.initiatives.len(), answer.scenario.unwrap().initiative_count), (count_of, 6));
        assert_eq!(answer.initiatives[6].state(), pb::InitiativeState::Shipped);
        assert_eq!(answer.initiatives[6].etag, "7", "six changes in the scenario");

        // Nobody notices.
        let now = [f.get("a").await, f.get("b").await, f.get("c").await, f.get("d").await];
        assert_eq!(now, before);
        assert!(
            f.log_since(count).await.iter().all(|line| line.starts_with("Variant") || line.starts_with("Scenario"))
        );

        f.clock.advance(std::time::Duration::from_hours(1));
        let count = f.log().await.len();
        let request = pb::MergeScenarioRequest { name: scenario_name("s"), ..Default::default() };
        let mut by_ben = tonic::Request::new(request);
        by_ben.metadata_mut().insert("waymark-actor", "users/ben@example.com".parse().unwrap());
        let merged = f.scenarios().merge_scenario(by_ben).await.unwrap().into_inner();
        assert_eq!(merged.initiatives, ["a", "b", "c", "d", "e", "new"].map(initiative_name));
        let log = f.log_since(count).await;
        let of = |id: &str| -> Vec<&str> {
            let mine = log.iter().filter_map(|line| line.strip_suffix(&format!(" {id}")));
            mine.filter_map(|event| event.strip_prefix("Initiative")).collect()
        };
        assert_eq!(of("a"), ["Updated", "Moved", "Scheduled", "Committed", "Started", "Shipped"]);
        assert_eq!(of("b"), ["DependencyAdded", "Committed", "Started", "Paused"]);
        assert_eq!(
            (of("c"), of("d"), of("e")),
            (vec!["Declined"], vec!["DependencyRemoved", "DependencyAdded"], vec!["Deleted"])
        );
        assert_eq!(of("new"), ["Created", "RiskWaived", "RiskWaived", "RiskWaived", "RiskWaived", "Committed"]);
        assert_eq!(log.iter().filter(|line| line.starts_with("Decision")).count(), 2, "created and made: {log:?}");

        let a = f.get("a").await;
        assert_eq!((a.state(), a.committed_by.as_str()), (pb::InitiativeState::Shipped, "users/ben@example.com"));
        assert_eq!(a.ship_time, merged.scenario.unwrap().merge_time, "what is merged is decided then");
        assert_eq!((a.problem.as_str(), a.horizon(), a.etag.as_str()), ("slow", pb::Horizon::Now, "2"));
        let new = f.get("new").await;
        assert_eq!((new.state(), new.etag.as_str()), (pb::InitiativeState::Committed, "1"));
        assert_eq!(f.get("d").await.dependencies, [initiative_name("new")]);
        assert!(f.get("e").await.delete_time.is_some());
        let decision = f.get("c").await.decline.unwrap().decision;
        let request = pb::GetDecisionRequest { name: decision };
        let decision = f.deciding().get_decision(request).await.unwrap().into_inner();
        assert_eq!(decision.choice.unwrap().decided_by, "users/ben@example.com");
    })
    .await;
}

#[tokio::test]
async fn a_trimmed_base_says_what_can_be_done() {
    on_both(async |f| {
        f.create("a", named("A")).await.unwrap();
        f.create("b", named("B")).await.unwrap();
        f.branch_off("s").await;
        f.try_out("s", vec![schedule("a", "2026-Q3")]).await.unwrap();
        f.relocate("a", pb::Horizon::Next).await;
        f.relocate("b", pb::Horizon::Next).await;
        while f.served.store().trim_log(&sample::workspace(), 6, &LogReaders::default()).await.unwrap().is_some() {}
        let status = f.try_out("s", vec![schedule("b", "2026-Q3")]).await.unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!((status.code(), info.reason.as_str()), (Code::OutOfRange, "REVISION_EXPIRED"), "{status}");
        assert_eq!(info.metadata["earliest_revision"], "6");
        assert!(status.message().contains("create a scenario anew"), "{status}");
        // What it has is whole.
        f.try_out("s", vec![schedule("a", "2026-Q4"), create("c", named("C"))]).await.unwrap();
        assert_eq!(f.compared("s").await[0], "a target TAKEN");
        let old = pb::Scenario { display_name: "Old".into(), revision: 2, ..Default::default() };
        assert_eq!(refusal(f.branch_off_as("o", old).await), (Code::OutOfRange, "REVISION_EXPIRED".into()));
        let future = pb::Scenario { display_name: "Next".into(), revision: 99, ..Default::default() };
        assert_eq!(refusal(f.branch_off_as("o", future).await), (Code::InvalidArgument, "REVISION_IN_FUTURE".into()));
        assert_eq!(f.merge("s").await.unwrap().initiatives, ["a", "c"].map(initiative_name));
    })
    .await;
}

#[tokio::test]
async fn what_is_tried_can_be_taken_back_and_deleted() {
    on_both(async |f| {
        f.create("a", named("A")).await.unwrap();
        f.create("b", named("B")).await.unwrap();
        f.branch_off("s").await;
        f.try_out("s", vec![schedule("a", "2026-Q3"), schedule("b", "2026-Q3")]).await.unwrap();
        let list = pb::ListVariantsRequest {
            parent: W.into(),
            filter: format!("scenario = \"{}\" AND initiative = \"{}\"", scenario_name("s"), initiative_name("a")),
            ..Default::default()
        };
        let variants = f.scenarios().list_variants(list).await.unwrap().into_inner().variants;
        let [variant] = variants.as_slice() else { panic!("{variants:?}") };
        assert_eq!(variant.base.as_deref(), Some(&f.get("a").await));
        let request = pb::DeleteVariantRequest { name: variant.name.clone(), ..Default::default() };
        f.scenarios().delete_variant(request).await.unwrap();
        assert_eq!(f.compared("s").await, ["b target TAKEN"]);
        // Anew, from where it began.
        let again = f.try_out("s", vec![relocate("a", pb::Horizon::Now)]).await.unwrap();
        assert_eq!((again.initiatives[0].etag.as_str(), again.scenario.unwrap().initiative_count), ("2", 2));

        let count = f.log().await.len();
        let request = pb::DeleteScenarioRequest { name: scenario_name("s"), ..Default::default() };
        f.scenarios().delete_scenario(request).await.unwrap();
        assert_eq!(f.log_since(count).await, ["ScenarioDeleted s"], "whatever it changed");
        assert_eq!(refusal(f.merge("s").await).0, Code::NotFound);
        assert_eq!(refusal(f.try_out("s", vec![schedule("b", "2026-Q4")]).await).0, Code::NotFound);
        let request = pb::CompareScenarioRequest { name: scenario_name("s"), ..Default::default() };
        assert_eq!(refusal(f.compare_with(request).await).0, Code::NotFound);
        let request = pb::UndeleteScenarioRequest { name: scenario_name("s"), ..Default::default() };
        f.scenarios().undelete_scenario(request).await.unwrap();
        assert_eq!(f.compared("s").await, ["a horizon TAKEN", "b target TAKEN"]);
    })
    .await;
}

#[tokio::test]
async fn changes_in_it_are_refused_as_on_the_roadmap() {
    on_both(async |f| {
        for id in ["a", "b"] {
            f.create(id, named(id)).await.unwrap();
        }
        f.depend("a", "b").await.unwrap();
        f.branch_off("s").await;
        let refused = async |changes| refusal(f.try_out("s", changes).await);
        let is = |code, reason: &str| (code, reason.to_owned());
        assert_eq!(refused(vec![commit("a")]).await, is(Code::FailedPrecondition, "RISKS_OPEN"));
        assert_eq!(refused(vec![schedule("nope", "2026-Q3")]).await, is(Code::NotFound, "RESOURCE_NOT_FOUND"));
        assert_eq!(refused(vec![create("a", named("A"))]).await, is(Code::AlreadyExists, "RESOURCE_EXISTS"));
        assert_eq!(refused(vec![Change::Decline(declining("a"))]).await, is(Code::FailedPrecondition, "RULE_VIOLATED"));
        assert_eq!(refused(vec![depend("a", "b")]).await, is(Code::FailedPrecondition, "CYCLE"));
        assert_eq!(refused(vec![depend("a", "nope")]).await, is(Code::FailedPrecondition, "REFERENCE_NOT_FOUND"));
        assert_eq!(
            refused(vec![delete("a"), schedule("a", "2026-Q3")]).await,
            is(Code::NotFound, "RESOURCE_NOT_FOUND")
        );
        assert_eq!(refused(Vec::new()).await, is(Code::InvalidArgument, "INVALID_FIELD"));
        let mut stale =
            pb::CommitInitiativeRequest { name: initiative_name("a"), etag: "7".into(), ..Default::default() };
        assert_eq!(refused(vec![Change::Commit(stale.clone())]).await, is(Code::Aborted, "ETAG_MISMATCH"));
        (stale.etag, stale.validate_only) = (String::new(), true);
        assert_eq!(refused(vec![Change::Commit(stale)]).await, is(Code::InvalidArgument, "INVALID_FIELD"));
        let status = f.try_out("s", vec![schedule("a", "2026-Q3"), schedule("b", "soon")]).await.unwrap_err();
        let fields = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(fields[0].field, "requests[1].schedule.target.start");
        let request = pb::CompareScenarioRequest { name: scenario_name("s"), ..Default::default() };
        assert_eq!(f.compare_with(request).await.unwrap().initiatives.len(), 0, "nothing half done");
    })
    .await;
}
