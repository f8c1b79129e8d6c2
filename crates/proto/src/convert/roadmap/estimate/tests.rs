//! Factors of all frameworks, from messages and back.

use waymark_domain::roadmap::{Estimate, Framework, Input, Priority};

use crate::common::v1 as common;
use crate::convert::roadmap::tests::{at, fields, stored};
use crate::roadmap::v1 as pb;

/// An estimate with all factors of all frameworks.
fn whole_estimate() -> pb::Estimate {
    let source = || {
        let basis = Some(pb::factor_source::Basis::Guess("gut".into()));
        Some(pb::FactorSource { basis, by: "users/ada".into(), time: at(0) })
    };
    let point = |value| {
        Some(pb::Factor { value: Some(pb::factor::Value::Point(value)), source: source(), word: String::new() })
    };
    stored(pb::Estimate {
        initiative: "workspaces/w/initiatives/b".into(),
        reach: point(1.0),
        reach_period: 3,
        impact: point(2.0),
        confidence: point(0.5),
        effort: point(4.0),
        ice: Some(Box::new(pb::IceFactors { impact: point(1.0), confidence: point(2.0), ease: point(3.0) })),
        wsjf: Some(Box::new(pb::WsjfFactors {
            value: point(8.0),
            time_criticality: point(4.0),
            risk_reduction: point(3.0),
            job_size: point(5.0),
        })),
        delay: Some(Box::new(pb::DelayFactors {
            cost_per_week: point(30.0),
            currency: "EUR".into(),
            duration_weeks: point(6.0),
        })),
        value: point(7.0),
        need: Some(Box::new(pb::NeedFactors {
            outcome: "//discovery.waymark.dev/workspaces/w/opportunities/o".into(),
            importance: point(9.5),
            satisfaction: point(3.2),
        })),
        moscow: Some(pb::MoscowFactor { category: pb::MoscowCategory::Wont.into(), source: source() }),
        kano: Some(pb::KanoFactor { category: pb::KanoCategory::OneDimensional.into(), source: source() }),
        ..Default::default()
    })
}

#[test]
fn factors_of_all_frameworks_come_back_and_give_a_score() {
    let value: Estimate = crate::parse(whole_estimate()).unwrap();
    for input in Input::all() {
        assert!(value.factors.contains_key(input.key), "{} has a field", input.key);
    }
    assert!(Framework::ALL.iter().all(|framework| value.score(*framework).is_some()));
    let back = pb::Estimate { score: None, ..pb::Estimate::from(&value) };
    assert_eq!(back, whole_estimate());
    let priority = Priority::of(&value);
    let kept = pb::Priority::from(&priority);
    assert_eq!(kept.scores.len(), Framework::ALL.len() - 1);
    assert_eq!(Priority::try_from(kept), Ok(priority));
}

#[test]
fn what_is_wrong_with_factors_is_told_by_field() {
    let fields = |change: fn(&mut pb::Estimate)| {
        let mut wrong = whole_estimate();
        change(&mut wrong);
        fields(crate::parse::<Estimate, _>(wrong))
    };
    let value = |factor: &mut Option<pb::Factor>, value| factor.as_mut().unwrap().value = Some(value);
    let point = pb::factor::Value::Point;
    assert_eq!(fields(|e| e.delay.as_mut().unwrap().currency = "euro".into()), ["delay.currency"]);
    assert_eq!(fields(|e| e.delay.as_mut().unwrap().currency.clear()), ["delay.currency"]);
    assert_eq!(fields(|e| e.moscow.as_mut().unwrap().source = None), ["moscow.source"]);
    let questionable = |e: &mut pb::Estimate| e.kano.as_mut().unwrap().set_category(pb::KanoCategory::Questionable);
    assert_eq!(fields(questionable), ["kano.category"]);
    for off in [0.0, 11.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut wrong = whole_estimate();
        value(&mut wrong.ice.as_mut().unwrap().ease, point(off));
        assert!(crate::parse::<Estimate, _>(wrong).is_err(), "{off}");
    }
    let turned = pb::factor::Value::Range(common::Range { low: 5.0, likely: 4.0, high: 6.0 });
    let mut wrong = whole_estimate();
    value(&mut wrong.wsjf.as_mut().unwrap().value, turned);
    assert!(crate::parse::<Estimate, _>(wrong).unwrap_err().to_string().contains("wsjf.value.range"));
}
