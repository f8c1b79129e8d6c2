//! Scales of a workspace's own: which words estimates are written with, what they are worth, and what stays.

use pbjson_types::FieldMask;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use waymark_proto::roadmap::v1 as pb;

use crate::estimates::{create, estimate};
use crate::frameworks::{point, source};
use crate::{Fixture, W, by_ada, initiative_name, named, on_both, refusal};

fn scale(factor: &str, steps: &[(&str, f64)]) -> pb::FactorScale {
    let steps = steps.iter().map(|(word, value)| pb::ScaleStep { word: (*word).into(), value: *value });
    pb::FactorScale {
        display_name: format!("Our {factor}"),
        factor: factor.into(),
        steps: steps.collect(),
        ..Default::default()
    }
}

async fn keep(f: &Fixture, id: &str, scale: pb::FactorScale) -> Result<pb::FactorScale, Status> {
    let request = pb::CreateFactorScaleRequest {
        parent: W.into(),
        factor_scale_id: id.into(),
        factor_scale: Some(scale),
        ..Default::default()
    };
    f.prioritization().create_factor_scale(by_ada(request)).await.map(tonic::Response::into_inner)
}

async fn change(f: &Fixture, scale: pb::FactorScale) {
    let request = pb::UpdateFactorScaleRequest { factor_scale: Some(scale), ..Default::default() };
    f.prioritization().update_factor_scale(request).await.unwrap();
}

#[expect(clippy::unnecessary_wraps, reason = "as a message field wants it")]
fn word(word: &str) -> Option<pb::Factor> {
    Some(pb::Factor { value: None, source: source(), word: word.into() })
}

/// An estimate whose impact and confidence are words.
fn in_words(of: &str, impact: &str, confidence: &str) -> pb::Estimate {
    pb::Estimate { impact: word(impact), confidence: word(confidence), ..estimate(of, [100.0, 1.0, 1.0, 1.0]) }
}

/// The value and the word of a factor.
fn told(factor: Option<&pb::Factor>) -> (f64, &str) {
    let Some(pb::Factor { value: Some(pb::factor::Value::Point(value)), word, .. }) = factor else {
        panic!("a point, not {factor:?}")
    };
    (*value, word)
}

async fn update(f: &Fixture, patch: pb::Estimate, path: &str) -> Result<pb::Estimate, Status> {
    let request = pb::UpdateEstimateRequest {
        estimate: Some(patch),
        update_mask: Some(FieldMask { paths: vec![path.into()] }),
        ..Default::default()
    };
    f.prioritization().update_estimate(request).await.map(tonic::Response::into_inner)
}

fn violations(refused: &Status) -> Vec<(String, String)> {
    let details = refused.get_details_bad_request().unwrap();
    details.field_violations.into_iter().map(|wrong| (wrong.field, wrong.description)).collect()
}

const IMPACT: [(&str, f64); 3] = [("small", 1.0), ("large", 4.0), ("huge", 16.0)];

#[tokio::test]
async fn a_word_is_worth_what_the_workspace_says_when_it_is_written() {
    on_both(async |f| {
        f.create("a", named("a")).await.unwrap();
        let published = create(f, "published", in_words("a", "High", " MEDIUM ")).await.unwrap();
        assert_eq!(
            (told(published.impact.as_ref()), told(published.confidence.as_ref())),
            ((2.0, "high"), (0.8, "medium"))
        );
        assert_eq!(published.score.map(|score| score.likely), Some(160.0));

        let kept = keep(f, "", scale("impact", &IMPACT)).await.unwrap();
        assert_eq!(kept.name, format!("{W}/factorScales/impact"));
        f.create("rival", named("rival")).await.unwrap();
        create(f, "rival", estimate("rival", [300.0, 1.0, 1.0, 1.0])).await.unwrap();
        f.clock.advance(std::time::Duration::from_secs(1));
        let own = create(f, "own", in_words("a", "HUGE", "low")).await.unwrap();
        assert_eq!((told(own.impact.as_ref()), told(own.confidence.as_ref())), ((16.0, "huge"), (0.5, "low")));
        let gone = create(f, "gone", in_words("a", "massive", "low")).await.unwrap_err();
        let expected = "\"massive\" is no word of the scale of impact: use small, large or huge";
        assert_eq!(violations(&gone), [("estimate.impact.word".to_owned(), expected.to_owned())]);

        // A change of the scale changes no estimate, which can still be sent back as it was read.
        change(f, scale_of(&kept, &[("small", 2.0), ("large", 3.0)])).await;
        let as_read = pb::Estimate { display_name: "Renamed".into(), ..own.clone() };
        let same = update(f, as_read, "*").await.unwrap();
        assert_eq!((told(same.impact.as_ref()), same.score), ((16.0, "huge"), own.score));
        assert_eq!(same.impact.unwrap().source, own.impact.clone().unwrap().source, "signed as it was");
        let own = pb::Estimate { etag: String::new(), ..own };
        let small = pb::Estimate { impact: word("small"), ..own.clone() };
        assert_eq!(told(update(f, small, "impact").await.unwrap().impact.as_ref()), (2.0, "small"));
        let moved = "rank 1 (RICE 800) -> rank 2 (RICE 100) of 2: impact 16 (huge) -> 2 (small)";
        assert_eq!(f.get("a").await.rank_change.unwrap().explanation, moved);
        let large = pb::Estimate { impact: word("large"), ..own.clone() };
        assert_eq!(
            told(update(f, large, "impact.word").await.unwrap().impact.as_ref()),
            (3.0, "large"),
            "the word alone"
        );

        let delete = pb::DeleteFactorScaleRequest { name: kept.name, ..Default::default() };
        f.prioritization().delete_factor_scale(delete).await.unwrap();
        let back = create(f, "back", in_words("a", "massive", "high")).await.unwrap();
        assert_eq!(told(back.impact.as_ref()), (3.0, "massive"), "the published scale holds again");
    })
    .await;
}

fn scale_of(kept: &pb::FactorScale, steps: &[(&str, f64)]) -> pb::FactorScale {
    pb::FactorScale { steps: scale("impact", steps).steps, ..kept.clone() }
}

#[tokio::test]
async fn numbers_are_those_of_the_published_scale_or_of_the_workspace() {
    on_both(async |f| {
        f.create("a", named("a")).await.unwrap();
        let impact = |value: f64| estimate("a", [1.0, value, 1.0, 1.0]);
        let refused = create(f, "x", impact(16.0)).await.unwrap_err();
        let expected = "must be 0.25 (minimal), 0.5 (low), 1 (medium), 2 (high) or 3 (massive), got 16";
        assert_eq!(violations(&refused), [("estimate.impact".to_owned(), expected.to_owned())]);
        keep(f, "impact", scale("impact", &IMPACT)).await.unwrap();
        assert_eq!(told(create(f, "own", impact(16.0)).await.unwrap().impact.as_ref()), (16.0, ""));
        assert_eq!(told(create(f, "published", impact(3.0)).await.unwrap().impact.as_ref()), (3.0, ""));
        let refused = create(f, "x", impact(7.0)).await.unwrap_err();
        assert_eq!(violations(&refused)[0].1, "must be 1 (small), 4 (large) or 16 (huge), got 7");

        let both = |value: f64| pb::Factor { word: "large".into(), ..point(value).unwrap() };
        let wrong = pb::Estimate { impact: Some(both(16.0)), ..impact(1.0) };
        let refused = create(f, "x", wrong).await.unwrap_err();
        assert_eq!(violations(&refused)[0].1, "large is 4, not 16: leave out the word or the value");
        let right = pb::Estimate { impact: Some(both(4.0)), ..impact(1.0) };
        assert_eq!(told(create(f, "both", right).await.unwrap().impact.as_ref()), (4.0, "large"));
        let size = pb::Estimate { effort: word("M"), ..impact(1.0) };
        let refused = create(f, "x", size.clone()).await.unwrap_err();
        assert!(violations(&refused)[0].1.contains("effort has no words here"), "{refused:?}");
        keep(f, "effort", scale("effort", &[("S", 0.5), ("M", 2.0), ("L", 6.0)])).await.unwrap();
        assert_eq!(told(create(f, "size", size).await.unwrap().effort.as_ref()), (2.0, "M"));
    })
    .await;
}

#[tokio::test]
async fn a_factor_has_one_scale_and_what_is_none_is_refused_by_its_step() {
    on_both(async |f| {
        keep(f, "wsjf-job-size", scale("wsjf.job_size", &[("S", 1.0), ("L", 8.0)])).await.unwrap();
        for id in ["", "wsjf-job-size"] {
            let again = keep(f, id, scale("wsjf.job_size", &[("S", 1.0), ("L", 8.0)])).await;
            assert_eq!(refusal(again), (Code::AlreadyExists, "RESOURCE_EXISTS".into()), "{id:?}");
        }
        let fields = async |id: &str, scale: pb::FactorScale| {
            let wrong = violations(&keep(f, id, scale).await.unwrap_err());
            wrong.into_iter().map(|(field, _)| field).collect::<Vec<_>>()
        };
        assert_eq!(fields("mine", scale("impact", &IMPACT)).await, ["factor_scale_id"]);
        assert_eq!(fields("", scale("moscow", &IMPACT)).await, ["factor_scale.factor"]);
        assert_eq!(fields("", scale("joy", &IMPACT)).await, ["factor_scale.factor"]);
        assert_eq!(fields("", scale("impact", &[("small", 1.0)])).await, ["factor_scale.steps"]);
        let falling = scale("impact", &[("small", 1.0), ("large", 4.0), ("huge", 2.0), ("none", 0.0)]);
        assert_eq!(fields("", falling).await, ["factor_scale.steps[2].value", "factor_scale.steps[3].value"]);
        for wrong in [f64::NAN, f64::INFINITY, -1.0] {
            let scale = scale("confidence", &[("low", 0.5), ("high", wrong)]);
            assert_eq!(fields("", scale).await, ["factor_scale.steps[1].value"], "{wrong}");
        }
        assert_eq!(fields("", scale("effort", &[("S", 1.0), (" s", 2.0)])).await, ["factor_scale.steps"]);
    })
    .await;
}

#[tokio::test]
async fn rows_of_a_batch_are_looked_up_by_the_same_scale() {
    on_both(async |f| {
        f.create("a", named("a")).await.unwrap();
        keep(f, "", scale("impact", &IMPACT)).await.unwrap();
        let row = |(index, impact): (usize, &str)| pb::CreateEstimateRequest {
            estimate_id: format!("e{index}"),
            estimate: Some(in_words("a", impact, "high")),
            ..Default::default()
        };
        let rows = ["small", "massive", "huge"].into_iter().enumerate().map(row).collect();
        let request =
            pb::BatchCreateEstimatesRequest { parent: W.into(), requests: rows, partial: true, ..Default::default() };
        let answer = f.prioritization().batch_create_estimates(request).await.unwrap().into_inner();
        let [first, wrong, last] = answer.estimates.as_slice() else { panic!("three, not {answer:?}") };
        assert_eq!((told(first.impact.as_ref()), told(last.impact.as_ref())), ((1.0, "small"), (16.0, "huge")));
        assert_eq!((wrong.name.as_str(), answer.failures.keys().collect::<Vec<_>>()), ("", vec![&1]));
        assert_eq!(answer.failures[&1].violations[0].field, "estimate.impact.word");
    })
    .await;
}

#[tokio::test]
async fn a_step_is_one_of_the_scale_of_the_workspace_and_models_take_its_values() {
    on_both(async |f| {
        keep(f, "", scale("impact", &IMPACT)).await.unwrap();
        for (id, reach, impact) in [("a", 100.0, "large"), ("b", 60.0, "large")] {
            f.create(id, named(id)).await.unwrap();
            let estimate = pb::Estimate { reach: point(reach), ..in_words(id, impact, "high") };
            create(f, id, estimate).await.unwrap();
        }
        let steps = async |f: &Fixture| {
            let request = pb::AnalyzeSensitivityRequest { parent: W.into(), top_k: 1, ..Default::default() };
            let answer = f.prioritization().analyze_sensitivity(request).await.unwrap().into_inner();
            let impact = |of: &&pb::TippingFactor| of.factor == "impact" && of.initiative == initiative_name("b");
            answer.tipping_factors.iter().find(impact).map(|of| (of.changed_value, of.one_step))
        };
        assert_eq!(steps(f).await, Some((16.0, true)), "from large to huge, the next word");
        let name = format!("{W}/factorScales/impact");
        let finer = [("small", 1.0), ("large", 4.0), ("larger", 5.0), ("huge", 16.0)];
        change(f, pb::FactorScale { name, ..scale("impact", &finer) }).await;
        assert_eq!(steps(f).await, Some((16.0, false)), "one step is not enough any more");

        let criterion = pb::ScoringCriterion { key: "impact".into(), ..Default::default() };
        let model = pb::ScoringModel {
            display_name: "M".into(),
            criteria: vec![criterion],
            formula: "impact * 2".into(),
            ..Default::default()
        };
        let request = pb::CreateScoringModelRequest {
            parent: W.into(),
            scoring_model_id: "m".into(),
            scoring_model: Some(model),
            ..Default::default()
        };
        let model = f.prioritization().create_scoring_model(request).await.unwrap().into_inner().name;
        let request = pb::RankInitiativesRequest { parent: W.into(), model, ..Default::default() };
        let ranked = f.prioritization().rank_initiatives(request).await.unwrap().into_inner();
        assert_eq!(ranked.ranked.iter().map(|row| row.score.unwrap().likely).collect::<Vec<_>>(), [8.0, 8.0]);
    })
    .await;
}
