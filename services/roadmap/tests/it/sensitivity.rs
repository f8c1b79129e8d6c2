//! How alike orders are, how sure one is, and what is worth finding out: as the pure functions say.

use tonic::Code;
use waymark_domain::roadmap::Framework as Rule;
use waymark_proto::common::v1 as common;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::ScoringFramework as Framework;
use waymark_stats::{kendall_tau_b, spearman_rho};

use crate::estimates::create;
use crate::frameworks::{point, source};
use crate::{Fixture, W, initiative_name, named, on_both, refusal};

#[expect(clippy::unnecessary_wraps, reason = "as a message field wants it")]
fn range(low: f64, likely: f64, high: f64) -> Option<pb::Factor> {
    let range = common::Range { low, likely, high };
    Some(pb::Factor { value: Some(pb::factor::Value::Range(range)), source: source(), word: String::new() })
}

/// Value, effort and the four of WSJF, of five initiatives.
const ROWS: [(&str, [f64; 6]); 5] = [
    ("a", [10.0, 1.0, 8.0, 4.0, 3.0, 5.0]),
    ("b", [9.0, 2.0, 13.0, 8.0, 1.0, 2.0]),
    ("c", [8.0, 2.0, 1.0, 1.0, 1.0, 20.0]),
    ("d", [7.0, 7.0, 5.0, 5.0, 5.0, 5.0]),
    ("e", [6.0, 2.0, 8.0, 4.0, 3.0, 5.0]),
];

async fn begin(f: &Fixture) {
    for (id, [value, effort, worth, time, risk, size]) in ROWS {
        f.create(id, named(id)).await.unwrap();
        let estimate = pb::Estimate {
            display_name: id.into(),
            initiative: initiative_name(id),
            value: range(value / 2.0, value, value * 2.0),
            effort: point(effort),
            wsjf: Some(Box::new(pb::WsjfFactors {
                value: point(worth),
                time_criticality: point(time),
                risk_reduction: point(risk),
                job_size: point(size),
            })),
            ..Default::default()
        };
        create(f, id, estimate).await.unwrap();
    }
    f.create("unknown", named("unknown")).await.unwrap();
}

fn compare(frameworks: &[Framework], filter: &str) -> pb::CompareFrameworksRequest {
    let frameworks = frameworks.iter().map(|framework| i32::from(*framework)).collect();
    pb::CompareFrameworksRequest { parent: W.into(), filter: filter.into(), frameworks, ..Default::default() }
}

#[tokio::test]
async fn orders_are_compared_as_the_pure_functions_do() {
    on_both(async |f| {
        begin(f).await;
        let request = compare(&[Framework::ValueEffort, Framework::Wsjf], "");
        let answer = f.prioritization().compare_frameworks(request).await.unwrap().into_inner();
        let [pair] = answer.pairs.as_slice() else { panic!("one pair, not {:?}", answer.pairs) };
        let by = |rule: Rule, from: usize, to: usize| ROWS.map(|row| rule.score(&row.1[from..to]).unwrap());
        let (value, wsjf) = (by(Rule::ValueEffort, 0, 2), by(Rule::Wsjf, 2, 6));
        assert_eq!(pair.ranked_count, 5);
        assert_eq!(pair.kendall_tau_b, Some(kendall_tau_b(&value, &wsjf).unwrap()));
        assert_eq!(pair.spearman_rho, Some(spearman_rho(&value, &wsjf).unwrap()));
        let most = &pair.disagreements[0];
        assert_eq!((most.display_name.as_str(), most.first_rank, most.second_rank), ("a", 1.0, 3.0));
        let why = "1 of 5 by value / effort, where value 10 (5 to 20) is 1 of 5; \
                   3 of 5 by WSJF, where wsjf.time_criticality 4 is 3.5 of 5";
        assert_eq!(most.why, why);

        let all = f.prioritization().compare_frameworks(compare(&[], "")).await.unwrap().into_inner();
        assert_eq!(all.pairs.len(), 9 * 8 / 2);
        let nothing = all.pairs.iter().find(|pair| pair.first() == Framework::Rice).unwrap();
        assert_eq!((nothing.ranked_count, nothing.kendall_tau_b), (0, None), "nothing is ranked by both");
        for wrong in [compare(&[Framework::Wsjf], ""), compare(&[Framework::Wsjf; 2], "")] {
            assert_eq!(refusal(f.prioritization().compare_frameworks(wrong).await).0, Code::InvalidArgument);
        }
        let unknown = f.prioritization().compare_frameworks(compare(&[], "colour = red")).await;
        assert_eq!(refusal(unknown).1, "INVALID_FILTER");
    })
    .await;
}

#[tokio::test]
async fn how_sure_an_order_is_depends_on_the_seed_alone() {
    on_both(async |f| {
        begin(f).await;
        let ask = async |request: pb::AnalyzeSensitivityRequest| {
            f.prioritization().analyze_sensitivity(request).await.map(tonic::Response::into_inner)
        };
        let request = pb::AnalyzeSensitivityRequest {
            parent: W.into(),
            framework: Framework::ValueEffort.into(),
            top_k: 2,
            draws: 2_000,
            seed: 7,
            ..Default::default()
        };
        let answer = ask(request.clone()).await.unwrap();
        assert_eq!(ask(request.clone()).await.unwrap(), answer);
        assert_ne!(ask(pb::AnalyzeSensitivityRequest { seed: 8, ..request.clone() }).await.unwrap(), answer);
        let names: Vec<&str> = answer.ranks.iter().map(|rank| rank.display_name.as_str()).collect();
        assert_eq!((names, answer.unranked_count), (vec!["a", "b", "c", "e", "d"], 1));
        let in_top: f64 = answer.ranks.iter().map(|rank| rank.top_probability).sum();
        assert!((in_top - 2.0).abs() < 1e-9, "two are chosen of each draw: {in_top}");
        let ranks: f64 = answer.ranks.iter().map(|rank| rank.expected_rank).sum();
        assert!((ranks - 15.0).abs() < 1e-9, "{ranks}");
        assert!(answer.ranks[0].top_probability > answer.ranks[2].top_probability);
        assert!(answer.expected_regret > 0.0 && answer.ranks.iter().all(|rank| rank.low_rank <= rank.high_rank));

        // The third passes the second when its value rises from 8 to 9, or its effort falls from 2 to 16 / 9.
        let tips = |id: &str, factor: &str| {
            let of = |tip: &&pb::TippingFactor| tip.initiative == initiative_name(id) && tip.factor == factor;
            answer.tipping_factors.iter().find(of).unwrap().clone()
        };
        let (value, effort) = (tips("c", "value"), tips("c", "effort"));
        assert!((value.changed_value - 9.0).abs() < 1e-6 && !value.one_step, "{value:?}");
        assert!((effort.changed_value - 16.0 / 9.0).abs() < 1e-6 && !effort.one_step, "{effort:?}");
        assert_eq!(answer.proposals[0].factor, "value", "of effort all is known");
        assert!(answer.proposals.iter().all(|proposal| proposal.worth > 0.0));
        assert!(answer.proposals.is_sorted_by(|a, b| a.worth >= b.worth));

        for wrong in [
            pb::AnalyzeSensitivityRequest { draws: 100_001, ..request.clone() },
            pb::AnalyzeSensitivityRequest { draws: -1, ..request.clone() },
            pb::AnalyzeSensitivityRequest { top_k: 4_001, ..request },
        ] {
            assert_eq!(refusal(ask(wrong).await).0, Code::InvalidArgument);
        }
    })
    .await;
}

#[tokio::test]
async fn more_than_can_be_put_to_the_test_is_refused_with_what_narrows_it() {
    let f = Fixture::start(waymark_testkit::Engine::Sqlite).await;
    let row = |number: usize| pb::CreateInitiativeRequest {
        initiative_id: format!("i{number}"),
        initiative: Some(pb::Initiative { horizon: 1 + i32::from(number > 0), ..named("I") }),
        ..Default::default()
    };
    let rows: Vec<pb::CreateInitiativeRequest> = (0..=waymark_stats::MOST_ITEMS).map(row).collect();
    for requests in rows.chunks(500) {
        let request =
            pb::BatchCreateInitiativesRequest { parent: W.into(), requests: requests.to_vec(), ..Default::default() };
        f.roadmap().batch_create_initiatives(request).await.unwrap();
    }
    for (filter, refused) in [("", true), ("horizon = NEXT", false)] {
        let asked = pb::AnalyzeSensitivityRequest { parent: W.into(), filter: filter.into(), ..Default::default() };
        let answers = [
            f.prioritization().compare_frameworks(compare(&[], filter)).await.map(|_| ()),
            f.prioritization().analyze_sensitivity(asked).await.map(|_| ()),
        ];
        for answer in answers {
            let told = answer.err().map(|status| status.message().to_owned()).unwrap_or_default();
            assert_eq!(told.contains("4001 initiatives, more than 4000; narrow it"), refused, "{filter}: {told}");
        }
    }
    f.stop().await;
}
