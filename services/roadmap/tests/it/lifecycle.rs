//! An initiative from idea to shipped, its refusals, and the standard methods.

use pbjson_types::FieldMask;
use tonic::Code;
use tonic_types::StatusExt as _;
use waymark_proto::common::v1 as common;
use waymark_proto::roadmap::v1 as pb;

use crate::{W, answered, by_ada, initiative_name, named, on_both, refusal};

#[tokio::test]
async fn from_idea_to_shipped() {
    on_both(async |f| {
        let mut roadmap = f.roadmap();
        let expected = pb::ExpectedOutcome {
            metric: format!("//metrics.waymark.dev/{W}/metrics/activation"),
            change: Some(common::Range { low: 0.05, likely: 0.1, high: 0.2 }),
            window_days: 0,
        };
        let proposal =
            pb::Initiative { risks: answered(), expected_outcome: Some(expected), ..named("Single sign-on") };
        let created = f.create("sso", proposal).await.unwrap();
        assert_eq!(created.state(), pb::InitiativeState::Proposed);
        assert_eq!(created.horizon(), pb::Horizon::Later);
        assert_eq!(created.expected_outcome.as_ref().unwrap().window_days, 28, "the default is told");
        let name = created.name.clone();

        let target = Some(pb::TargetInterval { start: "2026-Q3".into(), end: String::new() });
        let schedule = pb::ScheduleInitiativeRequest { name: name.clone(), target, ..Default::default() };
        assert_eq!(roadmap.schedule_initiative(schedule).await.unwrap().into_inner().target.unwrap().end, "2026-Q3");
        let to_now =
            pb::MoveInitiativeRequest { name: name.clone(), horizon: pb::Horizon::Now.into(), ..Default::default() };
        roadmap.move_initiative(to_now).await.unwrap();
        let early =
            roadmap.ship_initiative(pb::ShipInitiativeRequest { name: name.clone(), ..Default::default() }).await;
        assert_eq!(refusal(early), (Code::FailedPrecondition, "STATE_CONFLICT".into()));

        let commit = pb::CommitInitiativeRequest { name: name.clone(), ..Default::default() };
        let committed = roadmap.commit_initiative(by_ada(commit)).await.unwrap().into_inner();
        assert_eq!(
            (committed.state(), committed.committed_by.as_str()),
            (pb::InitiativeState::Committed, "users/ada@example.com")
        );
        roadmap
            .start_initiative(pb::StartInitiativeRequest { name: name.clone(), ..Default::default() })
            .await
            .unwrap();
        let pause =
            pb::PauseInitiativeRequest { name: name.clone(), reason: "outage first".into(), ..Default::default() };
        let paused = roadmap.pause_initiative(pause).await.unwrap().into_inner();
        assert_eq!(paused.pause.unwrap().resume_state(), pb::InitiativeState::InProgress);
        let resumed =
            roadmap.resume_initiative(pb::ResumeInitiativeRequest { name: name.clone(), ..Default::default() }).await;
        assert_eq!(resumed.unwrap().into_inner().state(), pb::InitiativeState::InProgress);
        let shipped =
            roadmap.ship_initiative(pb::ShipInitiativeRequest { name: name.clone(), ..Default::default() }).await;
        let shipped = shipped.unwrap().into_inner();
        assert_eq!(shipped.state(), pb::InitiativeState::Shipped);
        assert_eq!(shipped.ship_time, shipped.update_time);
        assert_eq!(f.get("sso").await, shipped, "a read sees the write");
        let verbs = ["Created", "Scheduled", "Moved", "Committed", "Started", "Paused", "Resumed", "Shipped"];
        assert_eq!(
            f.log().await,
            verbs.map(|verb| format!("Initiative{verb} sso")),
            "each step is in the log, the refused one is not"
        );
    })
    .await;
}

#[tokio::test]
async fn the_order_of_dependencies_is_kept_or_signed_for() {
    on_both(async |f| {
        let mut roadmap = f.roadmap();
        for id in ["a", "b"] {
            f.create(id, pb::Initiative { risks: answered(), ..named(id) }).await.unwrap();
            let commit = pb::CommitInitiativeRequest { name: initiative_name(id), ..Default::default() };
            roadmap.commit_initiative(commit).await.unwrap();
        }
        f.depend("b", "a").await.unwrap();
        let start = |id: &str, why: &str| {
            by_ada(pb::StartInitiativeRequest {
                name: initiative_name(id),
                waive_dependencies: why.into(),
                ..Default::default()
            })
        };
        let early = roadmap.start_initiative(start("a", "")).await.unwrap_err();
        let violations = early.get_details_precondition_failure().unwrap().violations;
        assert_eq!(violations[0].description, format!("{} is COMMITTED", initiative_name("b")));
        assert_eq!(refusal::<()>(Err(early)), (Code::FailedPrecondition, "RULE_VIOLATED".into()));

        let started = roadmap.start_initiative(start("a", "b is nearly there")).await.unwrap().into_inner();
        let [signed] = &started.dependency_waivers[..] else { panic!("one step: {started:?}") };
        assert_eq!((signed.step(), &signed.initiatives[..]), (pb::InitiativeStep::Start, &[initiative_name("b")][..]));
        let waiver = signed.waiver.clone().unwrap();
        assert_eq!((waiver.reason.as_str(), waiver.signed_by.as_str()), ("b is nearly there", "users/ada@example.com"));
        assert_eq!(f.get("a").await, started, "it stays on record");
        let logged = f.served.store().read_log("acme", 0, 1_000).await.unwrap().pop().unwrap();
        assert!(logged.event_type.ends_with("InitiativeStarted") && logged.data.contains("b is nearly there"));

        let decline = |why: &str| pb::DeclineInitiativeRequest {
            name: initiative_name("b"),
            reason: "no".into(),
            what_would_change_our_mind: "money".into(),
            waive_dependencies: why.into(),
            ..Default::default()
        };
        let waited_for = roadmap.decline_initiative(decline("")).await;
        assert_eq!(refusal(waited_for), (Code::FailedPrecondition, "RULE_VIOLATED".into()));
        let ship = |id: &str| pb::ShipInitiativeRequest { name: initiative_name(id), ..Default::default() };
        assert_eq!(refusal(roadmap.ship_initiative(ship("a")).await).1, "RULE_VIOLATED");
        roadmap.start_initiative(start("b", "")).await.unwrap();
        roadmap.ship_initiative(ship("b")).await.unwrap();
        let shipped = roadmap.ship_initiative(ship("a")).await.unwrap().into_inner();
        assert_eq!(shipped.dependency_waivers.len(), 1, "shipping needed no signature");

        f.create("c", named("c")).await.unwrap();
        f.create("d", named("d")).await.unwrap();
        f.depend("d", "c").await.unwrap();
        let declined = pb::DeclineInitiativeRequest { name: initiative_name("d"), ..decline("c does without") };
        let declined = roadmap.decline_initiative(declined).await.unwrap().into_inner();
        assert_eq!(declined.dependency_waivers[0].initiatives, [initiative_name("c")]);
    })
    .await;
}

#[tokio::test]
async fn open_risks_are_listed_and_can_be_signed_for() {
    on_both(async |f| {
        let mut roadmap = f.roadmap();
        let mut risks = answered();
        risks.truncate(2);
        let waiver = Some(pb::Waiver { reason: "forged".into(), signed_by: "users/eve".into(), time: None });
        risks.push(pb::RiskAssessment { risk: common::Risk::Viability.into(), evidence: Vec::new(), waiver });
        // A waiver without a time is refused as a stored one would be; with one it is ignored.
        risks[2].waiver.as_mut().unwrap().time = Some(waymark_proto::Timestamp { seconds: 1, nanos: 0 });
        let created = f.create("sso", pb::Initiative { risks, ..named("Single sign-on") }).await.unwrap();
        assert!(created.risks.iter().all(|r| r.waiver.is_none()) && created.risks.len() == 4);

        let commit = pb::CommitInitiativeRequest { name: created.name.clone(), ..Default::default() };
        let refused = roadmap.commit_initiative(commit.clone()).await.unwrap_err();
        assert_eq!(refused.get_details_error_info().unwrap().reason, "RISKS_OPEN");
        let open: Vec<String> =
            refused.get_details_precondition_failure().unwrap().violations.into_iter().map(|v| v.subject).collect();
        assert_eq!(open.len(), 2, "feasibility and viability: {open:?}");

        for risk in [common::Risk::Feasibility, common::Risk::Viability] {
            let waive = pb::WaiveRiskRequest {
                name: created.name.clone(),
                risk: risk.into(),
                reason: "small".into(),
                ..Default::default()
            };
            roadmap.waive_risk(by_ada(waive)).await.unwrap();
        }
        let signed = f.get("sso").await.risks[2].waiver.clone().unwrap();
        assert_eq!((signed.signed_by.as_str(), signed.reason.as_str()), ("users/ada@example.com", "small"));
        roadmap.commit_initiative(commit).await.unwrap();

        let no_reason = pb::WaiveRiskRequest { name: created.name, ..Default::default() };
        let refused = roadmap.waive_risk(no_reason).await.unwrap_err();
        let fields: Vec<String> =
            refused.get_details_bad_request().unwrap().field_violations.into_iter().map(|v| v.field).collect();
        assert_eq!(fields, ["risk", "reason"], "all that is wrong is told at once");
    })
    .await;
}

#[tokio::test]
async fn declining_keeps_the_reasons_and_can_be_taken_back() {
    on_both(async |f| {
        let mut roadmap = f.roadmap();
        let name = f.create("sso", named("Single sign-on")).await.unwrap().name;
        let decline = pb::DeclineInitiativeRequest {
            name: name.clone(),
            reason: "too few ask for it".into(),
            what_would_change_our_mind: "five customers ask".into(),
            review_date: "2026-09-01".into(),
            ..Default::default()
        };
        let past = pb::DeclineInitiativeRequest { review_date: "2026-03-01".into(), ..decline.clone() };
        assert_eq!(refusal(roadmap.decline_initiative(past).await), (Code::InvalidArgument, "INVALID_FIELD".into()));
        let declined = roadmap.decline_initiative(by_ada(decline)).await.unwrap().into_inner();
        let reasons = declined.decline.unwrap();
        assert_eq!(
            (reasons.declined_by.as_str(), reasons.review_date.as_str()),
            ("users/ada@example.com", "2026-09-01")
        );
        let resume = pb::ResumeInitiativeRequest { name, ..Default::default() };
        let resumed = roadmap.resume_initiative(resume).await.unwrap().into_inner();
        assert_eq!((resumed.state(), resumed.decline), (pb::InitiativeState::Proposed, None));
    })
    .await;
}

#[tokio::test]
async fn standard_methods() {
    on_both(async |f| {
        let mut roadmap = f.roadmap();
        let mut strategy = f.strategy();
        let orphan = pb::Initiative { product: format!("{W}/products/app"), ..named("A") };
        assert_eq!(
            refusal(f.create("a", orphan.clone()).await),
            (Code::FailedPrecondition, "REFERENCE_NOT_FOUND".into())
        );
        let product = pb::CreateProductRequest {
            parent: W.into(),
            product_id: "app".into(),
            product: Some(pb::Product { display_name: "App".into(), ..Default::default() }),
            ..Default::default()
        };
        strategy.create_product(product).await.unwrap();
        let created = f.create("a", orphan).await.unwrap();
        let delete = pb::DeleteProductRequest { name: created.product.clone(), ..Default::default() };
        assert_eq!(
            refusal(strategy.delete_product(delete).await),
            (Code::FailedPrecondition, "RESOURCE_IN_USE".into())
        );

        let update = |initiative: pb::Initiative, mask: &str| pb::UpdateInitiativeRequest {
            initiative: Some(initiative),
            update_mask: Some(FieldMask { paths: vec![mask.into()] }),
            ..Default::default()
        };
        let patch = pb::Initiative {
            name: created.name.clone(),
            etag: created.etag.clone(),
            problem: "logins".into(),
            ..Default::default()
        };
        let updated = roadmap.update_initiative(update(patch.clone(), "problem")).await.unwrap().into_inner();
        assert_eq!((updated.problem.as_str(), updated.display_name.as_str()), ("logins", "A"));
        assert_eq!(
            refusal(roadmap.update_initiative(update(patch, "problem")).await),
            (Code::Aborted, "ETAG_MISMATCH".into())
        );
        let moved =
            pb::Initiative { name: created.name.clone(), horizon: pb::Horizon::Now.into(), ..Default::default() };
        let refused = roadmap.update_initiative(update(moved, "horizon")).await.unwrap_err();
        assert!(refused.message().contains("MoveInitiative"), "{refused}");

        let row = |id: &str, initiative: pb::Initiative| pb::CreateInitiativeRequest {
            initiative_id: id.into(),
            initiative: Some(initiative),
            ..Default::default()
        };
        let missing = pb::Initiative { product: format!("{W}/products/none"), ..named("C") };
        let batch = pb::BatchCreateInitiativesRequest {
            parent: W.into(),
            requests: vec![row("b", named("B")), row("c", missing), row("a", named("again"))],
            partial: true,
            ..Default::default()
        };
        let answer = roadmap.batch_create_initiatives(batch.clone()).await.unwrap().into_inner();
        let reasons: Vec<_> = answer.failures.iter().map(|(i, failure)| (*i, failure.reason.as_str())).collect();
        assert_eq!(reasons, [(1, "REFERENCE_NOT_FOUND"), (2, "RESOURCE_EXISTS")]);
        assert_eq!(answer.initiatives[0].display_name, "B");
        let whole = pb::BatchCreateInitiativesRequest { partial: false, ..batch };
        assert_eq!(refusal(roadmap.batch_create_initiatives(whole).await).0, Code::AlreadyExists);

        let list = pb::ListInitiativesRequest {
            parent: W.into(),
            filter: "state = PROPOSED AND product:app".into(),
            ..Default::default()
        };
        let listed = roadmap.list_initiatives(list).await.unwrap().into_inner();
        assert_eq!(listed.initiatives.iter().map(|i| i.display_name.as_str()).collect::<Vec<_>>(), ["A"]);

        let list = pb::ListInitiativesRequest { parent: W.into(), filter: "NOT owner:*".into(), ..Default::default() };
        assert_eq!(roadmap.list_initiatives(list).await.unwrap().into_inner().initiatives.len(), 2, "nobody owns them");

        let delete = pb::DeleteInitiativeRequest { name: initiative_name("b"), ..Default::default() };
        roadmap.delete_initiative(delete).await.unwrap();
        assert!(f.get("b").await.delete_time.is_some());
        let undelete = pb::UndeleteInitiativeRequest { name: initiative_name("b"), ..Default::default() };
        assert!(roadmap.undelete_initiative(undelete).await.unwrap().into_inner().delete_time.is_none());
        // What a live initiative refers to is live, too.
        roadmap
            .delete_initiative(pb::DeleteInitiativeRequest { name: initiative_name("a"), ..Default::default() })
            .await
            .unwrap();
        let product = pb::DeleteProductRequest { name: format!("{W}/products/app"), ..Default::default() };
        strategy.delete_product(product).await.unwrap();
        let undelete = pb::UndeleteInitiativeRequest { name: initiative_name("a"), ..Default::default() };
        assert_eq!(refusal(roadmap.undelete_initiative(undelete).await).1, "REFERENCE_NOT_FOUND");
        assert!(f.get("a").await.delete_time.is_some());
        let unknown = roadmap.get_initiative(pb::GetInitiativeRequest { name: initiative_name("nope") }).await;
        assert_eq!(refusal(unknown), (Code::NotFound, "RESOURCE_NOT_FOUND".into()));
    })
    .await;
}
