//! A decision is made once, superseded once, never rewritten, and called for again once.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::Period;

fn at(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_770_000_000, 0).unwrap() + TimeDelta::days(day)
}

fn metric(id: &str) -> FullName {
    format!("//metrics.waymark.dev/workspaces/acme/metrics/{id}").parse().unwrap()
}

fn reading(day: i64, value: f64) -> Reading {
    Reading::new(Period::new(at(day), at(day + 1)).unwrap(), value).unwrap()
}

fn option(title: &str, not_building: bool) -> DecisionOption {
    DecisionOption {
        title: title.to_owned(),
        description: String::new(),
        not_building,
        evidence_for: Vec::new(),
        evidence_against: Vec::new(),
    }
}

fn below(id: &str, value: f64) -> KillCriterion {
    let threshold = KillThreshold { metric: metric(id), condition: Side::Below, value };
    KillCriterion { statement: format!("{id} falls"), threshold: Some(threshold), met: None }
}

fn open() -> Decision {
    Decision {
        meta: Meta {
            name: "workspaces/acme/decisions/sso".parse().unwrap(),
            uid: uuid::Uuid::nil(),
            display_name: "SSO".into(),
            labels: BTreeMap::new(),
            version: 1,
            create_time: at(0),
            update_time: at(0),
            delete_time: None,
        },
        question: "Do we build SSO ourselves?".into(),
        options: Options::new(vec![option("Build", false), option("Leave it", true)]).unwrap(),
        owner: String::new(),
        decides: BTreeSet::new(),
        kill_criteria: vec![below("signups", 20.0)],
        review_date: None,
        review: None,
        supersedes: None,
        state: DecisionState::Open,
    }
}

fn made() -> Decision {
    open().make("Leave it", "too few ask".into(), None, "users/ada".into(), at(1)).unwrap().into_parts().0
}

#[test]
fn one_of_its_options_is_chosen_once() {
    let decision = made();
    assert!(decision.is_not_building());
    assert_eq!(decision.chosen().unwrap().title, "Leave it");
    assert!(matches!(
        open().make("Buy", String::new(), None, String::new(), at(1)),
        Err(DecisionError::NoOption { .. })
    ));
    assert!(matches!(
        made().make("Build", String::new(), None, String::new(), at(2)),
        Err(DecisionError::State { state: "DECIDED", .. })
    ));
    let yesterday = at(0).date_naive();
    let refused = open().make("Build", String::new(), Some(yesterday), String::new(), at(1));
    assert_eq!(refused, Err(DecisionError::ReviewInPast(yesterday)));
    assert!(
        open().make("Build", String::new(), Some(at(1).date_naive()), String::new(), at(1)).is_ok(),
        "today is not past"
    );
}

#[test]
fn no_two_options_have_one_title() {
    assert_eq!(Options::new(vec![option("A", false), option("B", true), option("A", true)]), Err(2));
}

#[test]
fn what_was_decided_is_not_rewritten() {
    let old = made();
    for revised in [
        Decision { question: "Do we buy it?".into(), ..old.clone() },
        Decision { options: Options::default(), ..old.clone() },
        Decision { supersedes: Some("workspaces/acme/decisions/other".parse().unwrap()), ..old.clone() },
    ] {
        assert!(matches!(revised.clone().revise(&old), Err(DecisionError::Fixed { .. })));
        assert!(revised.revise(&open()).is_ok(), "while it is open all may change");
    }
    let later = Decision { review_date: Some(at(9).date_naive()), state: DecisionState::Open, ..old.clone() };
    let revised = later.revise(&old).unwrap().into_parts().0;
    assert_eq!(
        (&revised.state, revised.due()),
        (&old.state, Some(at(9).date_naive())),
        "where it stands is not written"
    );
}

#[test]
fn one_takes_the_place_of_another_once() {
    let next: Name<Decision> = "workspaces/acme/decisions/next".parse().unwrap();
    assert!(matches!(open().supersede(&next), Err(DecisionError::State { state: "OPEN", .. })));
    let superseded = made().supersede(&next).unwrap().into_parts().0;
    assert!(!superseded.is_not_building() && superseded.due().is_none());
    assert!(superseded.state.choice().is_some(), "what was chosen can still be read");
    assert!(matches!(superseded.supersede(&next), Err(DecisionError::State { state: "SUPERSEDED", .. })));
}

#[test]
fn a_metric_calls_for_a_review_once() {
    let (orders, signups) = (metric("orders"), metric("signups"));
    assert_eq!(open().measured(&signups, &[reading(5, 1.0)]), None, "nothing is decided");
    assert_eq!(made().measured(&orders, &[reading(5, 1.0)]), None, "another metric");
    assert_eq!(made().measured(&signups, &[reading(5, 20.0)]), None, "the threshold itself is within");
    assert_eq!(made().measured(&signups, &[reading(0, 1.0)]), None, "before the decision");
    let (due, events) = made().measured(&signups, &[reading(5, 1.0)]).unwrap().into_parts();
    assert_eq!(events, [DecisionEvent::ReviewDue]);
    assert_eq!(due.due(), Some(at(6).date_naive()));
    assert_eq!(due.clone().measured(&signups, &[reading(6, 0.0)]), None, "once, until somebody looks");
    // Events that come late change the interval that spoke.
    let (more, events) = due.clone().measured(&signups, &[reading(5, 2.0)]).unwrap().into_parts();
    assert_eq!(
        (events.as_slice(), more.kill_criteria[0].met),
        ([DecisionEvent::Updated].as_slice(), Some(reading(5, 2.0)))
    );
    let (well, events) = more.measured(&signups, &[reading(5, 30.0)]).unwrap().into_parts();
    assert_eq!((events.as_slice(), well.due()), ([DecisionEvent::Updated].as_slice(), None));
    // Who looks and keeps it is called again by what comes after.
    let seen = due.reviewed("one bad week".into(), None, "users/ada".into(), at(7)).unwrap().into_parts().0;
    assert_eq!(seen.due(), None);
    assert_eq!(seen.clone().measured(&signups, &[reading(5, 1.5)]), None, "it was seen");
    assert!(seen.measured(&signups, &[reading(8, 1.0)]).is_some());
}

#[test]
fn an_interval_that_is_none_after_all_makes_way_for_the_next() {
    let signups = metric("signups");
    let due = made().measured(&signups, &[reading(5, 1.0)]).unwrap().into_parts().0;
    let (next, events) = due.measured(&signups, &[reading(5, 30.0), reading(6, 2.0)]).unwrap().into_parts();
    assert_eq!((events.as_slice(), next.due()), ([DecisionEvent::ReviewDue].as_slice(), Some(at(7).date_naive())));
}

#[test]
fn what_a_metric_said_stays_with_the_criterion_that_says_the_same() {
    let due = made().measured(&metric("signups"), &[reading(5, 1.0)]).unwrap().into_parts().0;
    let criteria = vec![below("orders", 3.0), below("signups", 20.0), below("signups", 21.0)];
    let revised = Decision { kill_criteria: criteria, ..due.clone() }.revise(&due).unwrap().into_parts().0;
    let met: Vec<_> = revised.kill_criteria.iter().map(|criterion| criterion.met).collect();
    assert_eq!(met, [None, Some(reading(5, 1.0)), None]);
}

proptest! {
    /// However readings come, a decision is due from the first interval that spoke since it was made.
    #[test]
    fn it_is_due_from_the_first_that_spoke(values in prop::collection::vec(0.0..40.0_f64, 1..20)) {
        let mut decision = made();
        for (day, value) in (2..).zip(&values) {
            if let Some(change) = decision.clone().measured(&metric("signups"), &[reading(day, *value)]) {
                decision = change.into_parts().0;
            }
        }
        let first = values.iter().position(|value| *value < 20.0);
        prop_assert_eq!(decision.due(), first.map(|index| at(index as i64 + 3).date_naive()));
    }
}
