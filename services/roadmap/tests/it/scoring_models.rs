//! Models of a team's own: kept, ranked by, compared, tried, and told of in history.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use waymark_proto::common::v1 as common;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::ScoringFramework as Framework;

use crate::estimates::create;
use crate::frameworks::{point, source};
use crate::{Fixture, W, by_ada, initiative_name, named, on_both, refusal};

fn criterion(key: &str) -> pb::ScoringCriterion {
    let scale = pb::ScoringScale { least: Some(0.0), most: Some(10.0), steps: Vec::new() };
    pb::ScoringCriterion { key: key.into(), scale: Some(scale), ..Default::default() }
}

/// What a published framework takes, too.
fn factor(key: &str) -> pb::ScoringCriterion {
    pb::ScoringCriterion { key: key.into(), ..Default::default() }
}

fn by_formula(formula: &str) -> pb::ScoringModel {
    let criteria = vec![criterion("fit"), factor("effort")];
    pb::ScoringModel { display_name: "Fit".into(), criteria, formula: formula.into(), ..Default::default() }
}

async fn keep(f: &Fixture, id: &str, model: pb::ScoringModel) -> Result<String, Status> {
    let request = pb::CreateScoringModelRequest {
        parent: W.into(),
        scoring_model_id: id.into(),
        scoring_model: Some(model),
        ..Default::default()
    };
    f.prioritization().create_scoring_model(by_ada(request)).await.map(|kept| kept.into_inner().name)
}

/// An initiative with an estimate of how well it fits, and of its effort.
async fn estimate(f: &Fixture, id: &str, fit: Option<pb::Factor>, effort: f64) {
    f.create(id, named(id)).await.unwrap();
    let criteria = fit.into_iter().map(|fit| pb::CriterionFactor { criterion: "fit".into(), factor: Some(fit) });
    let estimate = pb::Estimate {
        display_name: id.into(),
        initiative: initiative_name(id),
        effort: point(effort),
        criteria: criteria.collect(),
        ..Default::default()
    };
    create(f, id, estimate).await.unwrap();
}

#[expect(clippy::unnecessary_wraps, reason = "as a message field wants it")]
fn range(low: f64, likely: f64, high: f64) -> Option<pb::Factor> {
    let value = pb::factor::Value::Range(common::Range { low, likely, high });
    Some(pb::Factor { value: Some(value), source: source(), word: String::new() })
}

async fn begin(f: &Fixture) {
    estimate(f, "a", point(4.0), 2.0).await;
    estimate(f, "b", range(3.0, 9.0, 10.0), 3.0).await;
    estimate(f, "c", point(6.0), 3.0).await;
    estimate(f, "d", None, 1.0).await;
    estimate(f, "e", point(12.0), 1.0).await;
    f.create("f", named("f")).await.unwrap();
}

/// Positions, names and scores of all pages; and what has no score, with what is missing and why.
async fn ranks(
    f: &Fixture,
    model: &str,
    filter: &str,
    size: i32,
) -> (Vec<(i32, String, common::Range)>, Vec<(String, String)>) {
    let (mut ranked, mut unranked, mut page_token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let request = pb::RankInitiativesRequest {
            parent: W.into(),
            model: model.into(),
            filter: filter.into(),
            page_size: size,
            page_token,
            ..Default::default()
        };
        let page = f.prioritization().rank_initiatives(request).await.unwrap().into_inner();
        ranked.extend(page.ranked.into_iter().map(|row| (row.position, row.display_name, row.score.unwrap())));
        unranked.extend(page.unranked.into_iter().map(|row| (row.display_name, row.missing.join(" ") + &row.why)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            assert_eq!(page.ranked_count as usize, ranked.len());
            return (ranked, unranked);
        }
    }
}

fn at(position: i32, id: &str, low: f64, likely: f64, high: f64) -> (i32, String, common::Range) {
    (position, id.to_owned(), common::Range { low, likely, high })
}

fn lacks(id: &str, what: &str) -> (String, String) {
    (id.to_owned(), what.to_owned())
}

#[tokio::test]
async fn initiatives_are_ranked_by_a_formula_and_what_it_cannot_score_is_told() {
    on_both(async |f| {
        begin(f).await;
        let model = keep(f, "fit", by_formula("Score = fit ÷ effort")).await.unwrap();
        for filter in ["", "create_time:*"] {
            for size in [1, 2, 3, 50] {
                let (ranked, unranked) = ranks(f, &model, filter, size).await;
                let expected =
                    [at(1, "b", 1.0, 3.0, 3.333_333_333_33), at(2, "a", 2.0, 2.0, 2.0), at(2, "c", 2.0, 2.0, 2.0)];
                assert_eq!(ranked, expected, "{filter} {size}");
                let expected =
                    [lacks("d", "fit"), lacks("e", "fit must be from 0 to 10, got 12"), lacks("f", "fit effort")];
                assert_eq!(unranked, expected, "{filter} {size}");
            }
        }
        let tie = pb::RankInitiativesRequest { parent: W.into(), model, ..Default::default() };
        let tie = f.prioritization().rank_initiatives(tie).await.unwrap().into_inner();
        assert_eq!(tie.ranked[1].tie, "same score as c; shown by name");
    })
    .await;
}

#[tokio::test]
async fn a_division_by_zero_is_of_one_item() {
    on_both(async |f| {
        begin(f).await;
        let model = keep(f, "odd", by_formula("1 / (fit - 4)")).await.unwrap();
        let (ranked, unranked) = ranks(f, &model, "", 50).await;
        let names: Vec<&str> = ranked.iter().map(|(_, id, _)| id.as_str()).collect();
        assert_eq!(names, ["c", "b"]);
        assert_eq!(unranked[0], lacks("a", "at character 3: division by zero"));
    })
    .await;
}

#[tokio::test]
async fn what_is_compared_is_what_is_ranked_together() {
    on_both(async |f| {
        begin(f).await;
        let of = |key: &str, weight| pb::ScoringCriterion {
            weight: Some(weight),
            normalisation: pb::ScoringNormalisation::MinMax.into(),
            ..criterion(key)
        };
        let criteria = vec![of("fit", 2.0), of("effort", -1.0)];
        let model = pb::ScoringModel { display_name: "Relative".into(), criteria, ..Default::default() };
        let model = keep(f, "relative", model).await.unwrap();
        let likely = async |filter: &str| {
            let (ranked, _) = ranks(f, &model, filter, 50).await;
            ranked.into_iter().map(|(_, id, score)| (id, score.likely)).collect::<Vec<_>>()
        };
        // fit from 4 to 12, effort from 1 to 3: what has no score is compared with, too.
        let all = [("b".to_owned(), 0.25), ("c".to_owned(), -0.5), ("a".to_owned(), -0.5)];
        let mut found = likely("").await;
        found[1..].sort_by(|a, b| b.0.cmp(&a.0));
        assert_eq!(found, all);
        assert_eq!(likely("id = b OR id = c").await, [("b".to_owned(), 1.5), ("c".to_owned(), -0.5)]);
        let history = pb::GetScoreHistoryRequest { initiative: initiative_name("a"), model, ..Default::default() };
        let refused = f.prioritization().get_score_history(history).await.unwrap_err();
        assert!(refused.message().contains("compares an initiative with others"), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_model_is_checked_when_it_is_kept() {
    on_both(async |f| {
        let wrong = async |model: pb::ScoringModel| {
            let refused = keep(f, "wrong", model).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
            let violations = refused.get_details_bad_request().unwrap().field_violations;
            violations.into_iter().map(|v| format!("{}: {}", v.field, v.description)).collect::<Vec<_>>().join("; ")
        };
        let deep = format!("{}fit{}", "(".repeat(1_000), ")".repeat(1_000));
        for (formula, expected) in [
            ("fit / ", "at character 7: expected a number, a criterion, a function or \"(\", got the end"),
            ("fit / size", "at character 7: \"size\" is no criterion: expected one of fit, effort"),
            (deep.as_str(), "has 2003 characters, at most 2000 are allowed"),
            (&deep[900..1_103], "is nested more than 64 deep"),
        ] {
            let told = wrong(by_formula(formula)).await;
            assert!(told.starts_with("scoring_model.formula: ") && told.contains(expected), "{told}");
        }
        let weighed = |weights: [f64; 2]| {
            let [fit, effort] = weights.map(Some);
            let criteria = vec![
                pb::ScoringCriterion { weight: fit, ..criterion("fit") },
                pb::ScoringCriterion { weight: effort, ..factor("effort") },
            ];
            let weighing = pb::ScoringWeighing::Mean.into();
            pb::ScoringModel { display_name: "Mean".into(), criteria, weighing, ..Default::default() }
        };
        let told = wrong(weighed([1.0, -1.0])).await;
        assert!(told.contains("their sum is 0"), "{told}");
        let told = wrong(pb::ScoringModel { formula: "fit".into(), ..weighed([1.0, 1.0]) }).await;
        assert!(told.contains("scoring_model.criteria[0].weight: must not be set beside a formula"), "{told}");
        let told = wrong(pb::ScoringModel { criteria: vec![factor("fit")], ..by_formula("fit") }).await;
        assert!(told.starts_with("scoring_model.criteria[0].scale: must be set"), "{told}");
        let off = pb::ScoringCriterion { factor: "ice.eas".into(), ..criterion("fit") };
        let told = wrong(pb::ScoringModel { criteria: vec![off], ..by_formula("fit") }).await;
        assert!(told.starts_with("scoring_model.criteria[0].factor: is no factor"), "{told}");
        assert!(wrong(pb::ScoringModel { criteria: Vec::new(), ..by_formula("1") }).await.contains("criteria"));

        let kept = keep(f, "kept", by_formula("((fit)) ^ 2")).await.unwrap();
        let request = pb::GetScoringModelRequest { name: kept };
        let kept = f.prioritization().get_scoring_model(request).await.unwrap().into_inner();
        assert_eq!(kept.formula, "fit^2", "as it is read");
        assert_eq!(kept.criteria[1].factor, "effort");
    })
    .await;
}

#[tokio::test]
async fn criteria_of_an_estimate_are_checked_and_told() {
    on_both(async |f| {
        f.create("a", named("a")).await.unwrap();
        let fields = async |keys: &[&str]| {
            let criteria = keys.iter().map(|key| pb::CriterionFactor { criterion: (*key).into(), factor: point(1.0) });
            let initiative = initiative_name("a");
            let criteria = criteria.collect();
            let estimate = pb::Estimate { display_name: "a".into(), initiative, criteria, ..Default::default() };
            let refused = create(f, "a", estimate).await.unwrap_err();
            let violations = refused.get_details_bad_request().unwrap().field_violations;
            violations.into_iter().map(|v| v.field).collect::<Vec<_>>()
        };
        assert_eq!(fields(&["effort"]).await, ["estimate.criteria[0].criterion"]);
        assert_eq!(fields(&["fit", "2nd"]).await, ["estimate.criteria[1].criterion"]);
        assert_eq!(fields(&["fit", "fit"]).await, ["estimate.criteria[1].criterion"]);
        estimate(f, "b", point(4.0), 2.0).await;
        let initiative = f.get("b").await;
        let factors = initiative.priority.unwrap().factors;
        assert_eq!(factors.into_iter().collect::<Vec<_>>(), [("effort".to_owned(), 2.0), ("fit".to_owned(), 4.0)]);
    })
    .await;
}

#[tokio::test]
async fn as_much_as_an_estimate_may_say_is_kept_and_ranked_by() {
    on_both(async |f| {
        f.create("a", named("a")).await.unwrap();
        let key = |number: usize| format!("{}{number:02}", "k".repeat(38));
        let number = -1.234_567_890_123_45e-300;
        let criteria = (0..24).map(|of| pb::CriterionFactor { criterion: key(of), factor: point(number) }).collect();
        let everything = pb::Estimate {
            reach: point(0.1 + 0.2),
            confidence: point(1.0 / 3.0),
            impact: point(0.25),
            criteria,
            ..crate::frameworks::of_all("a", 10.0 / 3.0)
        };
        create(f, "a", everything).await.unwrap();
        let scale = pb::ScoringScale { least: Some(-1.0), most: Some(1.0), steps: Vec::new() };
        let criterion =
            |number| pb::ScoringCriterion { key: key(number), scale: Some(scale.clone()), ..Default::default() };
        let criteria = (0..24).map(criterion).collect();
        let model = pb::ScoringModel { display_name: "All".into(), criteria, ..Default::default() };
        let model = keep(f, "all", model).await.unwrap();
        let (ranked, _) = ranks(f, &model, "", 50).await;
        assert!((ranked[0].2.likely / (24.0 * number) - 1.0).abs() < 1e-9, "{ranked:?}");
    })
    .await;
}

#[tokio::test]
async fn models_are_compared_with_frameworks_and_tried() {
    on_both(async |f| {
        begin(f).await;
        let model = keep(f, "fit", by_formula("fit / effort")).await.unwrap();
        let other = keep(f, "size", by_formula("effort")).await.unwrap();
        let compare = async |frameworks: &[Framework], models: &[&String]| {
            let request = pb::CompareFrameworksRequest {
                parent: W.into(),
                frameworks: frameworks.iter().map(|framework| i32::from(*framework)).collect(),
                models: models.iter().map(ToString::to_string).collect(),
                ..Default::default()
            };
            f.prioritization().compare_frameworks(request).await.map(tonic::Response::into_inner)
        };
        let answer = compare(&[Framework::Rice], &[&model, &other]).await.unwrap();
        let names: Vec<(i32, &str, &str)> =
            answer.pairs.iter().map(|pair| (pair.first, &*pair.first_model, &*pair.second_model)).collect();
        assert_eq!(names, [(1, "", &*model), (1, "", &*other), (0, &*model, &*other)]);
        let between = &answer.pairs[2];
        // b, c and a have scores by both; by effort b and c are equal, by fit a and c.
        assert_eq!(between.ranked_count, 3);
        assert!((between.kendall_tau_b.unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(refusal(compare(&[], &[&model]).await).0, Code::InvalidArgument);
        assert_eq!(refusal(compare(&[], &[&model, &model]).await).0, Code::InvalidArgument);
        let gone = format!("{W}/scoringModels/gone");
        assert_eq!(refusal(compare(&[], &[&model, &gone]).await).0, Code::NotFound);

        let request = pb::AnalyzeSensitivityRequest {
            parent: W.into(),
            model: model.clone(),
            top_k: 1,
            draws: 2_000,
            seed: 7,
            ..Default::default()
        };
        let answer = f.prioritization().analyze_sensitivity(request.clone()).await.unwrap().into_inner();
        assert_eq!((answer.ranks.len(), answer.unranked_count), (3, 3));
        assert!(answer.ranks[0].initiative.ends_with("/b") && answer.ranks[0].top_probability > 0.5);
        assert_eq!(answer.proposals[0].factor, "fit");
        assert!(answer.proposals[0].initiative.ends_with("/b"), "of the others everything is known");
        let tipping = answer.tipping_factors.iter().find(|of| of.factor == "fit" && of.initiative.ends_with("/b"));
        assert!((tipping.unwrap().changed_value - 6.0).abs() < 1e-9, "below which a and c are ahead");
        let both = pb::AnalyzeSensitivityRequest { framework: Framework::Ice.into(), ..request };
        assert_eq!(refusal(f.prioritization().analyze_sensitivity(both).await).0, Code::InvalidArgument);
    })
    .await;
}

#[tokio::test]
async fn scores_of_before_are_told_with_who_and_why() {
    on_both(async |f| {
        begin(f).await;
        let model = keep(f, "fit", by_formula("fit / effort")).await.unwrap();
        let update = async |estimate: pb::Estimate| {
            let estimate = Some(pb::Estimate { name: format!("{W}/estimates/a"), ..estimate });
            let request = pb::UpdateEstimateRequest { estimate, ..Default::default() };
            f.prioritization().update_estimate(by_ada(request)).await.unwrap();
        };
        let (reach, impact, confidence) = (point(100.0), point(2.0), point(0.5));
        update(pb::Estimate { reach, impact, confidence, ..Default::default() }).await;
        update(pb::Estimate { effort: point(4.0), ..Default::default() }).await;
        let history = async |model: &str, page_size| {
            let (mut versions, mut page_token) = (Vec::new(), String::new());
            loop {
                let request = pb::GetScoreHistoryRequest {
                    initiative: initiative_name("a"),
                    model: model.into(),
                    page_size,
                    page_token,
                    ..Default::default()
                };
                let page = f.prioritization().get_score_history(request).await.unwrap().into_inner();
                versions.extend(page.versions);
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    return versions;
                }
            }
        };
        for page_size in [1, 2, 50] {
            let rice = history("", page_size).await;
            let scores: Vec<Option<f64>> = rice.iter().map(|of| of.score.map(|score| score.likely)).collect();
            assert_eq!(scores, [Some(25.0), Some(50.0), None, None], "{page_size}");
            assert_eq!(rice[2].missing, ["reach", "impact", "confidence"]);
            assert_eq!((rice[3].estimate.as_str(), rice[3].missing.len()), ("", 4), "before there was an estimate");
            let change = rice[1].rank_change.clone().unwrap();
            assert!(change.explanation.contains("reach unknown -> 100"), "{}", change.explanation);
            assert_eq!(rice[1].actor, "users/ada@example.com");
            let by_model = history(&model, page_size).await;
            let scores: Vec<Option<f64>> = by_model.iter().map(|of| of.score.map(|score| score.likely)).collect();
            assert_eq!(scores, [Some(1.0), Some(2.0), None], "{page_size}");
        }
        let gone = pb::GetScoreHistoryRequest { initiative: initiative_name("gone"), ..Default::default() };
        assert_eq!(refusal(f.prioritization().get_score_history(gone).await).0, Code::NotFound);
    })
    .await;
}

#[tokio::test]
async fn a_model_that_is_not_kept_scores_numbers() {
    let f = Fixture::start(waymark_testkit::Engine::Sqlite).await;
    let evaluate = async |formula: &str, values: &[(&str, f64)]| {
        let scale = || Some(pb::ScoringScale { least: Some(0.0), most: Some(1.0), steps: Vec::new() });
        let keys = ["nY1", "nY2", "nX1", "nX2"];
        let criteria = keys.map(|key| pb::ScoringCriterion { key: key.into(), scale: scale(), ..Default::default() });
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        let inputs = pb::ModelInputs { criteria: criteria.into(), formula: formula.into(), values, weighing: 0 };
        let inputs = Some(pb::evaluate_score_request::Inputs::Model(inputs));
        let request = pb::EvaluateScoreRequest { inputs };
        f.prioritization().evaluate_score(request).await.map(|response| response.into_inner().score)
    };
    // The example of airfocus, "Custom priority formula".
    let formula = "Score=(nY1·.7+nY2·.3)·.6+(1−(nX1·.8+nX2·.2))·.4";
    let values = [("nY1", 0.5), ("nY2", 1.0), ("nX1", 0.5), ("nX2", 0.0)];
    assert!((evaluate(formula, &values).await.unwrap() - 0.63).abs() < 1e-12);
    assert_eq!(refusal(evaluate(formula, &values[..3]).await).0, Code::InvalidArgument);
    assert_eq!(refusal(evaluate(formula, &[("nY1", 1.5)]).await).0, Code::InvalidArgument);
    assert_eq!(refusal(evaluate(formula, &[("other", 1.0)]).await).0, Code::InvalidArgument);
    f.stop().await;
}
