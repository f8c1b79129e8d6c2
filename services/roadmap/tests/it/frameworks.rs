//! Orders by each framework: what estimates say by it, and what they do not.

use tonic::Code;
use tonic_types::StatusExt as _;
use waymark_proto::common::v1 as common;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::ScoringFramework as Framework;

use crate::estimates::create;
use crate::{Fixture, W, initiative_name, named, on_both, refusal};

#[expect(clippy::unnecessary_wraps, reason = "as a message field wants it")]
pub(crate) fn source() -> Option<pb::FactorSource> {
    Some(pb::FactorSource { basis: Some(pb::factor_source::Basis::Guess("gut".into())), ..Default::default() })
}

#[expect(clippy::unnecessary_wraps, reason = "as a message field wants it")]
pub(crate) fn point(value: f64) -> Option<pb::Factor> {
    Some(pb::Factor { value: Some(pb::factor::Value::Point(value)), source: source(), word: String::new() })
}

/// An estimate that says something by every framework: the more of `good`, the better.
pub(crate) fn of_all(of: &str, good: f64) -> pb::Estimate {
    let moscow = if good > 5.0 { pb::MoscowCategory::Must } else { pb::MoscowCategory::Could };
    let kano = if good > 5.0 { pb::KanoCategory::MustBe } else { pb::KanoCategory::Attractive };
    pb::Estimate {
        display_name: format!("Estimate of {of}"),
        initiative: initiative_name(of),
        effort: point(2.0),
        value: point(good),
        ice: Some(Box::new(pb::IceFactors { impact: point(good), confidence: point(5.0), ease: point(4.0) })),
        wsjf: Some(Box::new(pb::WsjfFactors {
            value: point(good),
            time_criticality: point(4.0),
            risk_reduction: point(3.0),
            job_size: point(5.0),
        })),
        delay: Some(Box::new(pb::DelayFactors {
            cost_per_week: point(good * 10.0),
            currency: "EUR".into(),
            duration_weeks: point(2.0),
        })),
        need: Some(Box::new(pb::NeedFactors {
            importance: point(good),
            satisfaction: point(3.0),
            ..Default::default()
        })),
        moscow: Some(pb::MoscowFactor { category: moscow.into(), source: source() }),
        kano: Some(pb::KanoFactor { category: kano.into(), source: source() }),
        ..Default::default()
    }
}

/// All but RICE, with what `of_all` of 8 comes to.
const OTHERS: [(Framework, f64); 8] = [
    (Framework::Ice, 160.0),
    (Framework::IceMean, 17.0 / 3.0),
    (Framework::Wsjf, 3.0),
    (Framework::Cd3, 40.0),
    (Framework::ValueEffort, 4.0),
    (Framework::Opportunity, 13.0),
    (Framework::Moscow, 4.0),
    (Framework::Kano, 5.0),
];

async fn page(f: &Fixture, framework: Framework, filter: &str, size: i32, token: &str) -> pb::RankInitiativesResponse {
    let request = pb::RankInitiativesRequest {
        parent: W.into(),
        framework: framework.into(),
        filter: filter.into(),
        page_size: size,
        page_token: token.into(),
        ..Default::default()
    };
    f.prioritization().rank_initiatives(request).await.unwrap().into_inner()
}

/// All pages: positions with names, and names with what is missing.
async fn all(
    f: &Fixture,
    framework: Framework,
    filter: &str,
    size: i32,
) -> (Vec<(i32, String)>, Vec<(String, String)>) {
    let (mut ranked, mut unranked, mut token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = page(f, framework, filter, size, &token).await;
        assert!(page.ranked.len() + page.unranked.len() <= size as usize);
        assert!(page.ranked.is_empty() || unranked.is_empty(), "those without a position come last");
        ranked.extend(page.ranked.into_iter().map(|row| (row.position, row.display_name)));
        unranked.extend(page.unranked.into_iter().map(|row| (row.display_name, row.missing.join(" "))));
        token = page.next_page_token;
        if token.is_empty() {
            assert_eq!(page.ranked_count as usize, ranked.len());
            return (ranked, unranked);
        }
    }
}

#[tokio::test]
async fn each_framework_ranks_by_its_own_factors() {
    on_both(async |f| {
        for (id, good) in [("a", 2.0), ("b", 8.0), ("c", 4.0), ("d", 8.0)] {
            f.create(id, named(id)).await.unwrap();
            create(f, id, of_all(id, good)).await.unwrap();
        }
        // One without an estimate, and one whose estimate says nothing by any of these.
        f.create("e", named("e")).await.unwrap();
        f.create("f", named("f")).await.unwrap();
        create(f, "f", crate::estimates::estimate("f", [1.0, 1.0, 1.0, 1.0])).await.unwrap();
        for (framework, best) in OTHERS {
            let first = page(f, framework, "", 50, "").await;
            let score = first.ranked[0].score.unwrap();
            assert!((score.likely - best).abs() < 1e-9, "{framework:?}: {score:?}");
            assert!(first.ranked[0].tie.starts_with("same score as d; shown by name"), "{}", first.ranked[0].tie);
            let coarse = matches!(framework, Framework::Moscow | Framework::Kano);
            let expected = if coarse {
                [(1, "b"), (1, "d"), (3, "a"), (3, "c")]
            } else {
                [(1, "b"), (1, "d"), (3, "c"), (4, "a")]
            };
            for filter in ["", "create_time:*"] {
                for size in [1, 2, 4, 50] {
                    let (ranked, unranked) = all(f, framework, filter, size).await;
                    assert_eq!(
                        ranked,
                        expected.map(|(position, id)| (position, id.to_owned())),
                        "{framework:?} {size}"
                    );
                    let names: Vec<&str> = unranked.iter().map(|(id, _)| id.as_str()).collect();
                    assert_eq!(names, ["e", "f"], "{framework:?} {filter} {size}");
                }
            }
        }
        let (_, unranked) = all(f, Framework::ValueEffort, "", 50).await;
        let missing = |id: &str, keys: &str| (id.to_owned(), keys.to_owned());
        assert_eq!(unranked, [missing("e", "value effort"), missing("f", "value")]);
        let (_, unranked) = all(f, Framework::Ice, "", 50).await;
        assert_eq!(unranked[1], missing("f", "ice.impact ice.confidence ice.ease"));
        let (ranked, unranked) = all(f, Framework::Rice, "", 50).await;
        assert_eq!((ranked, unranked.len()), (vec![(1, "f".to_owned())], 5), "RICE is as it was");
    })
    .await;
}

#[tokio::test]
async fn must_haves_that_leave_no_room_are_warned_of() {
    on_both(async |f| {
        let add = async |id: &str, category: pb::MoscowCategory, effort: f64| {
            f.create(id, named(id)).await.unwrap();
            let moscow = Some(pb::MoscowFactor { category: category.into(), source: source() });
            let estimate = pb::Estimate {
                display_name: id.into(),
                initiative: initiative_name(id),
                effort: point(effort),
                moscow,
                ..Default::default()
            };
            create(f, id, estimate).await.unwrap();
        };
        add("must", pb::MoscowCategory::Must, 60.0).await;
        add("should", pb::MoscowCategory::Should, 20.0).await;
        add("could", pb::MoscowCategory::Could, 20.0).await;
        add("wont", pb::MoscowCategory::Wont, 500.0).await;
        assert_eq!(page(f, Framework::Moscow, "", 50, "").await.warning, "");
        add("more", pb::MoscowCategory::Must, 2.6).await;
        let first = page(f, Framework::Moscow, "", 1, "").await;
        assert!(first.warning.starts_with("must-haves are 61.0 % of the effort"), "{}", first.warning);
        assert_eq!(page(f, Framework::Moscow, "", 1, &first.next_page_token).await.warning, "");
        assert_eq!(page(f, Framework::Moscow, "id != more", 50, "").await.warning, "");
        assert_eq!(page(f, Framework::Wsjf, "", 50, "").await.warning, "");
    })
    .await;
}

#[tokio::test]
async fn a_change_of_an_estimate_moves_its_initiative() {
    on_both(async |f| {
        for (id, good) in [("a", 2.0), ("b", 8.0)] {
            f.create(id, named(id)).await.unwrap();
            create(f, id, of_all(id, good)).await.unwrap();
        }
        let order = async || all(f, Framework::Wsjf, "", 50).await;
        let ranks = |of: &[(i32, &str)]| of.iter().map(|(at, id)| (*at, (*id).to_owned())).collect::<Vec<_>>();
        assert_eq!(order().await.0, ranks(&[(1, "b"), (2, "a")]));
        let update = async |id: &str, wsjf: pb::WsjfFactors| {
            let estimate =
                pb::Estimate { name: format!("{W}/estimates/{id}"), wsjf: Some(Box::new(wsjf)), ..Default::default() };
            let request = pb::UpdateEstimateRequest { estimate: Some(estimate), ..Default::default() };
            f.prioritization().update_estimate(request).await.unwrap();
        };
        let better = pb::WsjfFactors { value: point(20.0), ..*of_all("a", 2.0).wsjf.unwrap() };
        update("a", better.clone()).await;
        assert_eq!(order().await.0, ranks(&[(1, "a"), (2, "b")]));
        let told = async || {
            let change = f.get("a").await.rank_change.unwrap();
            assert_eq!((change.from_position, change.to_position, change.from_score), (0, 0, None), "no score by RICE");
            let moves = change.other_moves.iter().map(|of| (of.framework(), of.from_position, of.to_position));
            (moves.collect::<Vec<_>>(), change.explanation)
        };
        let moved = "rank 2 (WSJF 1.8) -> rank 1 (WSJF 5.4) of 2: wsjf.value 2 -> 20";
        assert_eq!(told().await, (vec![(Framework::Wsjf, 2, 1)], moved.to_owned()));
        update("a", pb::WsjfFactors { value: point(19.0), ..better.clone() }).await;
        assert_eq!(told().await.1, moved, "it kept its place");
        assert_eq!(f.log().await.last().map(String::as_str), Some("InitiativePrioritized a"));
        update("a", pb::WsjfFactors { job_size: None, ..better }).await;
        let out = "rank 1 (WSJF 5.2) -> no rank of 1: wsjf.value 19 -> 20, wsjf.job_size 5 -> unknown";
        assert_eq!(told().await, (vec![(Framework::Wsjf, 1, 0)], out.to_owned()));
        let (ranked, unranked) = order().await;
        assert_eq!((ranked, unranked), (ranks(&[(1, "b")]), vec![("a".into(), "wsjf.job_size".into())]), "never zero");

        let decline = pb::DeclineInitiativeRequest {
            name: initiative_name("b"),
            reason: "no".into(),
            what_would_change_our_mind: "money".into(),
            ..Default::default()
        };
        f.roadmap().decline_initiative(decline).await.unwrap();
        assert!(order().await.0.is_empty());
        assert_eq!(all(f, Framework::Wsjf, "state = DECLINED", 50).await.0, ranks(&[(1, "b")]));
        let delete = pb::DeleteInitiativeRequest { name: initiative_name("a"), ..Default::default() };
        f.roadmap().delete_initiative(delete).await.unwrap();
        assert!(order().await.1.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_is_off_its_scale_is_refused_by_field() {
    on_both(async |f| {
        f.create("a", named("a")).await.unwrap();
        let range = |low, likely, high| {
            let range = common::Range { low, likely, high };
            Some(pb::Factor { value: Some(pb::factor::Value::Range(range)), source: source(), word: String::new() })
        };
        let fields = async |estimate: pb::Estimate| -> Vec<String> {
            let refused = create(f, "a", estimate).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
            refused.get_details_bad_request().unwrap().field_violations.into_iter().map(|v| v.field).collect()
        };
        let ice = |ease| pb::Estimate {
            ice: Some(Box::new(pb::IceFactors { ease, ..Default::default() })),
            ..of_all("a", 8.0)
        };
        for off in [point(0.0), point(11.0), point(-1.0), point(f64::NAN), range(2.0, 5.0, 11.0)] {
            let fields = fields(ice(off.clone())).await;
            assert!(fields.iter().all(|field| field.starts_with("estimate.ice.ease")), "{off:?}: {fields:?}");
        }
        assert_eq!(fields(ice(range(5.0, 4.0, 6.0))).await, ["estimate.ice.ease.range"]);
        let mut unsaid = of_all("a", 8.0);
        unsaid.delay.as_mut().unwrap().currency.clear();
        unsaid.moscow.as_mut().unwrap().category = 0;
        let mut found = fields(unsaid).await;
        found.sort();
        assert_eq!(found, ["estimate.delay.currency", "estimate.moscow.category"]);
        let signed = create(f, "a", of_all("a", 8.0)).await.unwrap();
        assert_eq!(signed.kano.unwrap().source.unwrap().by, "users/ada@example.com", "signed by the caller");
        assert_eq!(signed.need.unwrap().importance.unwrap().source.unwrap().by, "users/ada@example.com");
    })
    .await;
}

#[tokio::test]
async fn published_scores_are_computed_from_inputs_nobody_keeps() {
    use pb::evaluate_score_request::Inputs;
    let f = Fixture::start(waymark_testkit::Engine::Sqlite).await;
    let evaluate = async |inputs| {
        let request = pb::EvaluateScoreRequest { inputs: Some(inputs) };
        f.prioritization().evaluate_score(request).await.map(|response| response.into_inner().score)
    };
    let delay = |cost, weeks| Inputs::Delay(pb::DelayInputs { cost_per_week: Some(cost), duration_weeks: Some(weeks) });
    let mean = pb::IceVariant::Mean.into();
    let need = |satisfaction| Inputs::Need(pb::NeedInputs { importance: Some(9.5), satisfaction });
    for (inputs, expected) in [
        (
            Inputs::Ice(pb::IceInputs { impact: Some(8.0), confidence: Some(5.0), ease: Some(4.0), variant: mean }),
            17.0 / 3.0,
        ),
        (delay(10.0, 2.0), 5.0),
        (delay(30.0, 4.0), 7.5),
        (Inputs::ValueEffort(pb::ValueEffortInputs { value: Some(6.0), effort: Some(4.0) }), 1.5),
        (need(Some(3.2)), 15.8),
        (Inputs::Moscow(pb::MoscowCategory::Should.into()), 3.0),
        (Inputs::Kano(pb::KanoCategory::MustBe.into()), 5.0),
    ] {
        let score = evaluate(inputs).await.unwrap();
        assert!((score - expected).abs() < 1e-9, "{score} is not {expected}");
    }
    for wrong in [need(None), need(Some(10.5)), delay(1.0, 0.0), Inputs::Kano(6), Inputs::Kano(0)] {
        assert_eq!(refusal(evaluate(wrong).await).0, Code::InvalidArgument);
    }
    f.stop().await;
}

#[tokio::test]
async fn rows_of_a_batch_move_one_after_the_other_in_every_order() {
    on_both(async |f| {
        for id in ["a", "b", "c", "d"] {
            f.create(id, named(id)).await.unwrap();
        }
        create(f, "a", of_all("a", 5.0)).await.unwrap();
        let row = |(id, good): (&str, f64)| pb::CreateEstimateRequest {
            estimate_id: id.into(),
            estimate: Some(of_all(id, good)),
            ..Default::default()
        };
        let requests = [("b", 4.0), ("c", 6.0), ("d", 5.0)].map(row).to_vec();
        let request = pb::BatchCreateEstimatesRequest { parent: W.into(), requests, ..Default::default() };
        f.prioritization().batch_create_estimates(request).await.unwrap();
        for (id, position, count) in [("b", 2, 2), ("c", 1, 3), ("d", 2, 4)] {
            let moves = f.get(id).await.rank_change.unwrap().other_moves;
            let by = |framework: Framework| moves.iter().find(|of| of.framework() == framework).unwrap();
            for framework in [Framework::Ice, Framework::Wsjf, Framework::Cd3, Framework::ValueEffort] {
                let of = by(framework);
                let told = (of.from_position, of.to_position, of.ranked_count);
                assert_eq!(told, (0, position, count), "{id} by {framework:?}");
            }
            let expected: Vec<Framework> = OTHERS.iter().map(|(framework, _)| *framework).collect();
            assert_eq!(moves.iter().map(pb::RankMove::framework).collect::<Vec<_>>(), expected, "in their order");
        }
    })
    .await;
}
