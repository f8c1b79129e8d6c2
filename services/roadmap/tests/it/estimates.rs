//! Estimates, scores and ranks.

use pbjson_types::FieldMask;
use tonic::Code;
use tonic_types::StatusExt as _;
use waymark_proto::common::v1 as common;
use waymark_proto::roadmap::v1 as pb;

use crate::{Fixture, W, by_ada, initiative_name, insight, named, on_both, refusal};

#[expect(clippy::unnecessary_wraps, reason = "as a message field wants it")]
fn guess(value: f64) -> Option<pb::Factor> {
    let source = pb::FactorSource { basis: Some(pb::factor_source::Basis::Guess("gut".into())), ..Default::default() };
    Some(pb::Factor { value: Some(pb::factor::Value::Point(value)), source: Some(source), word: String::new() })
}

pub(crate) fn estimate(of: &str, [reach, impact, confidence, effort]: [f64; 4]) -> pb::Estimate {
    pb::Estimate {
        display_name: format!("Estimate of {of}"),
        initiative: initiative_name(of),
        reach: guess(reach),
        impact: guess(impact),
        confidence: guess(confidence),
        effort: guess(effort),
        ..Default::default()
    }
}

pub(crate) async fn create(f: &Fixture, id: &str, estimate: pb::Estimate) -> Result<pb::Estimate, tonic::Status> {
    let request = pb::CreateEstimateRequest {
        parent: W.into(),
        estimate_id: id.into(),
        estimate: Some(estimate),
        ..Default::default()
    };
    f.prioritization().create_estimate(by_ada(request)).await.map(tonic::Response::into_inner)
}

async fn rank(f: &Fixture, filter: &str) -> pb::RankInitiativesResponse {
    let request = pb::RankInitiativesRequest { parent: W.into(), filter: filter.into(), ..Default::default() };
    f.prioritization().rank_initiatives(request).await.unwrap().into_inner()
}

fn order(ranking: &pb::RankInitiativesResponse) -> Vec<(i32, &str)> {
    ranking.ranked.iter().map(|r| (r.position, r.display_name.as_str())).collect()
}

#[tokio::test]
async fn ranks_follow_estimates_and_moves_are_announced() {
    on_both(async |f| {
        for id in ["a", "b", "c"] {
            f.create(id, named(id)).await.unwrap();
        }
        let a = create(f, "a", estimate("a", [8000.0, 0.5, 1.0, 3.0])).await.unwrap();
        assert_eq!(a.reach.unwrap().source.unwrap().by, "users/ada@example.com", "signed by the caller");
        assert!((a.score.unwrap().likely - 1333.33).abs() < 0.01);
        let mut gap = estimate("b", [500.0, 2.0, 0.8, 2.0]);
        gap.effort = None;
        create(f, "b", gap).await.unwrap();
        let ranking = rank(f, "").await;
        assert_eq!(order(&ranking), [(1, "a")]);
        let missing: Vec<_> = ranking.unranked.iter().map(|u| (u.display_name.as_str(), u.missing.join(" "))).collect();
        assert_eq!(missing, [("b", "effort".to_owned()), ("c", "reach impact confidence effort".to_owned())]);

        let update = |patch: pb::Estimate, path: &str| pb::UpdateEstimateRequest {
            estimate: Some(pb::Estimate { name: format!("{W}/estimates/b"), ..patch }),
            update_mask: Some(FieldMask { paths: vec![path.into()] }),
            ..Default::default()
        };
        let effort = update(pb::Estimate { effort: guess(2.0), ..Default::default() }, "effort");
        f.prioritization().update_estimate(effort).await.unwrap();
        assert_eq!(f.get("b").await.rank_change.unwrap().to_position, 2);
        let reach = update(pb::Estimate { reach: guess(5000.0), ..Default::default() }, "reach");
        f.prioritization().update_estimate(reach).await.unwrap();
        assert_eq!(order(&rank(f, "").await), [(1, "b"), (2, "a")]);
        let change = f.get("b").await.rank_change.unwrap();
        assert_eq!(change.explanation, "rank 2 (RICE 400) -> rank 1 (RICE 4000) of 2: reach 500 -> 5000");
        let last_two = f.log().await.split_off(9);
        assert_eq!(last_two, ["EstimateUpdated b", "InitiativeRankChanged b"], "{:?}", f.log().await);

        let decline = pb::DeclineInitiativeRequest {
            name: initiative_name("b"),
            reason: "no".into(),
            what_would_change_our_mind: "money".into(),
            ..Default::default()
        };
        f.roadmap().decline_initiative(decline).await.unwrap();
        assert_eq!(order(&rank(f, "").await), [(1, "a")]);
        assert_eq!(order(&rank(f, "state = DECLINED").await), [(1, "b")]);
        let unknown =
            pb::RankInitiativesRequest { parent: W.into(), filter: "colour = red".into(), ..Default::default() };
        let refused = f.prioritization().rank_initiatives(unknown).await;
        assert_eq!(refusal(refused), (Code::InvalidArgument, "INVALID_FILTER".into()));
    })
    .await;
}

#[tokio::test]
async fn estimates_say_where_their_numbers_come_from() {
    on_both(async |f| {
        f.create("a", named("a")).await.unwrap();
        let mut wrong = estimate("a", [-5.0, 0.0, 0.8, 2.0]);
        wrong.effort.as_mut().unwrap().source = None;
        let refused = create(f, "a", wrong).await.unwrap_err();
        let fields: Vec<String> =
            refused.get_details_bad_request().unwrap().field_violations.into_iter().map(|v| v.field).collect();
        assert_eq!(fields, ["estimate.effort.source", "estimate.reach", "estimate.impact"]);
        // Which steps there are is a matter of the workspace: looked up for what is right otherwise.
        let between = create(f, "a", estimate("a", [5.0, 1.5, 0.8, 2.0])).await.unwrap_err();
        assert_eq!(between.get_details_bad_request().unwrap().field_violations[0].field, "estimate.impact");
        let orphan = create(f, "a", estimate("nope", [1.0, 1.0, 1.0, 1.0])).await;
        assert_eq!(refusal(orphan), (Code::FailedPrecondition, "REFERENCE_NOT_FOUND".into()));

        let mut ranged = estimate("a", [100.0, 1.0, 1.0, 1.0]);
        ranged.reach = Some(pb::Factor {
            value: Some(pb::factor::Value::Range(common::Range { low: 50.0, likely: 100.0, high: 200.0 })),
            source: Some(pb::FactorSource {
                basis: Some(pb::factor_source::Basis::Evidence(insight("i1"))),
                ..Default::default()
            }),
            word: String::new(),
        });
        let created = create(f, "a", ranged).await.unwrap();
        let score = created.score.unwrap();
        assert_eq!((score.low, score.likely, score.high), (50.0, 100.0, 200.0));

        let row = |of: &str| pb::CreateEstimateRequest {
            estimate: Some(estimate(of, [1.0, 1.0, 1.0, 1.0])),
            ..Default::default()
        };
        let batch = pb::BatchCreateEstimatesRequest {
            parent: W.into(),
            requests: vec![row("a"), row("nope")],
            partial: true,
            ..Default::default()
        };
        let answer = f.prioritization().batch_create_estimates(batch).await.unwrap().into_inner();
        assert_eq!(answer.failures[&1].reason, "REFERENCE_NOT_FOUND");
        assert!(!answer.estimates[0].name.is_empty());

        let delete = pb::DeleteEstimateRequest { name: created.name.clone(), ..Default::default() };
        f.prioritization().delete_estimate(delete).await.unwrap();
        let undelete = pb::UndeleteEstimateRequest { name: created.name, ..Default::default() };
        f.prioritization().undelete_estimate(undelete).await.unwrap();
    })
    .await;
}

fn rename(id: &str, display_name: &str) -> pb::UpdateEstimateRequest {
    let (name, display_name) = (format!("{W}/estimates/{id}"), display_name.to_owned());
    let estimate = Some(pb::Estimate { name, display_name, ..Default::default() });
    pb::UpdateEstimateRequest { estimate, ..Default::default() }
}

async fn counts(f: &Fixture, id: &str) -> Option<String> {
    let priority = f.get(id).await.priority?;
    priority.estimate.rsplit('/').next().map(str::to_owned)
}

#[tokio::test]
async fn an_older_estimate_is_changed_without_counting_and_the_same_said_again_changes_nothing() {
    on_both(async |f| {
        f.create("a", named("a")).await.unwrap();
        create(f, "z-old", estimate("a", [100.0, 1.0, 1.0, 1.0])).await.unwrap();
        f.clock.advance(std::time::Duration::from_secs(1));
        let new = create(f, "new", estimate("a", [200.0, 1.0, 1.0, 1.0])).await.unwrap();
        f.clock.advance(std::time::Duration::from_secs(1));
        f.prioritization().update_estimate(rename("z-old", "Renamed")).await.unwrap();
        assert_eq!(counts(f, "a").await.as_deref(), Some("new"));
        let log = f.log().await;
        assert_eq!(log.last().unwrap(), "EstimateUpdated z-old", "{log:?}");

        // By another caller, who says nothing else.
        let same = pb::Estimate { name: new.name.clone(), ..estimate("a", [200.0, 1.0, 1.0, 1.0]) };
        let request = pb::UpdateEstimateRequest { estimate: Some(same), ..Default::default() };
        assert_eq!(f.prioritization().update_estimate(request).await.unwrap().into_inner(), new);
        assert_eq!(f.log().await, log);

        // Also while nobody sees it.
        let name = initiative_name("a");
        let delete = pb::DeleteInitiativeRequest { name: name.clone(), ..Default::default() };
        f.roadmap().delete_initiative(delete).await.unwrap();
        let delete = pb::DeleteEstimateRequest { name: new.name, ..Default::default() };
        f.prioritization().delete_estimate(delete).await.unwrap();
        let undelete = pb::UndeleteInitiativeRequest { name, ..Default::default() };
        f.roadmap().undelete_initiative(undelete).await.unwrap();
        assert_eq!(counts(f, "a").await.as_deref(), Some("z-old"));
    })
    .await;
}

#[tokio::test]
async fn of_an_initiative_with_thousands_of_estimates_none_is_read_that_does_not_count() {
    on_both(async |f| {
        f.create("a", named("a")).await.unwrap();
        for id in ["first", "second"] {
            create(f, id, estimate("a", [100.0, 1.0, 1.0, 1.0])).await.unwrap();
            f.clock.advance(std::time::Duration::from_secs(1));
        }
        // What these say is no estimate.
        let database = f.served.database();
        let json = if database.url().starts_with("sqlite") { "text" } else { "json" };
        let older = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
             INSERT INTO estimates (workspace, id, uid, version, display_name, create_time, update_time, body, initiative)
             SELECT workspace, 'x' || i, uid, version, display_name, create_time - i, update_time,
                 CAST('{{}}' AS {json}), initiative FROM estimates, n WHERE id = 'first'"
        );
        database.execute(&[&older]).await.unwrap();
        let delete = async |id: &str| {
            let name = format!("{W}/estimates/{id}");
            f.prioritization().delete_estimate(pb::DeleteEstimateRequest { name, ..Default::default() }).await.unwrap();
        };
        create(f, "third", estimate("a", [300.0, 1.0, 1.0, 1.0])).await.unwrap();
        assert_eq!(counts(f, "a").await.as_deref(), Some("third"));
        f.prioritization().update_estimate(rename("first", "Renamed")).await.unwrap();
        f.prioritization().update_estimate(rename("third", "Renamed")).await.unwrap();
        delete("first").await;
        assert_eq!(counts(f, "a").await.as_deref(), Some("third"));
        delete("third").await;
        assert_eq!(counts(f, "a").await.as_deref(), Some("second"));
    })
    .await;
}

#[tokio::test]
async fn equal_scores_share_a_position_and_what_changed_is_the_reason() {
    on_both(async |f| {
        for id in ["a", "b", "c"] {
            f.create(id, named(id)).await.unwrap();
        }
        create(f, "a", estimate("a", [100.0, 0.5, 0.7, 0.5])).await.unwrap();
        create(f, "b", estimate("b", [700.0, 0.5, 0.7, 3.5])).await.unwrap();
        let ranking = rank(f, "").await;
        assert_eq!(order(&ranking), [(1, "a"), (1, "b")]);
        let tie = "same score as a; shown by confidence (0.7), then effort (3.5 person-months), then name";
        assert_eq!(ranking.ranked[1].tie, tie);
        let second = f.get("b").await.rank_change.unwrap();
        assert_eq!(second.explanation, "no rank -> rank 1 (RICE 70) of 2: new estimate b");
        assert_eq!(order(&rank(f, "state = PROPOSED").await), [(1, "a"), (1, "b")]);

        create(f, "c", estimate("c", [175.0, 0.5, 0.801, 1.0])).await.unwrap();
        // Between what 0.801 and 0.804 make of the other one.
        create(f, "d", estimate("a", [100.0, 0.5, 0.703, 0.5])).await.unwrap();
        let update = async |id: &str, patch: pb::Estimate, path: &str| {
            let request = pb::UpdateEstimateRequest {
                estimate: Some(pb::Estimate { name: format!("{W}/estimates/{id}"), ..patch }),
                update_mask: Some(FieldMask { paths: vec![path.into()] }),
                ..Default::default()
            };
            f.prioritization().update_estimate(request).await.unwrap();
        };
        update("c", pb::Estimate { confidence: guess(0.804), ..Default::default() }, "confidence").await;
        let change = f.get("c").await.rank_change.unwrap();
        let moved = "rank 2 (RICE 70.0875) -> rank 1 (RICE 70.35) of 3: confidence 0.801 -> 0.804";
        assert_eq!(change.explanation, moved);
        update("c", pb::Estimate { confidence: guess(0.801), ..Default::default() }, "confidence").await;
        let delete = pb::DeleteEstimateRequest { name: format!("{W}/estimates/d"), ..Default::default() };
        f.prioritization().delete_estimate(delete).await.unwrap();
        let change = f.get("a").await.rank_change.unwrap();
        let moved = "rank 1 (RICE 70.3) -> rank 2 (RICE 70) of 3: estimate deleted, a counts instead of d";
        assert_eq!(change.explanation, moved);
    })
    .await;
}

#[tokio::test]
async fn scores_of_inputs_nobody_keeps() {
    use pb::evaluate_score_request::Inputs;
    let f = Fixture::start(waymark_testkit::Engine::Sqlite).await;
    let mut prioritization = f.prioritization();
    let rice = |effort| pb::RiceInputs { reach: Some(5000.0), impact: Some(2.0), confidence: Some(0.8), effort };
    for (inputs, expected) in [
        (Inputs::Rice(rice(Some(2.0))), 4000.0),
        (Inputs::Ice(pb::IceInputs { impact: Some(8.0), confidence: Some(5.0), ease: Some(4.0), variant: 0 }), 160.0),
        (
            Inputs::Wsjf(pb::WsjfInputs {
                value: Some(8.0),
                time_criticality: Some(4.0),
                risk_reduction: Some(3.0),
                job_size: Some(5.0),
            }),
            3.0,
        ),
    ] {
        let request = pb::EvaluateScoreRequest { inputs: Some(inputs) };
        let score = prioritization.evaluate_score(request).await.unwrap().into_inner().score;
        assert!((score - expected).abs() < 1e-9, "{score}");
    }
    let missing =
        prioritization.evaluate_score(pb::EvaluateScoreRequest { inputs: Some(Inputs::Rice(rice(None))) }).await;
    let violations = missing.unwrap_err().get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations.iter().map(|v| v.field.as_str()).collect::<Vec<_>>(), ["rice.effort"], "missing, not zero");
    let nothing = prioritization.evaluate_score(pb::EvaluateScoreRequest { inputs: None }).await;
    assert_eq!(refusal(nothing).0, Code::InvalidArgument);
    f.stop().await;
}
