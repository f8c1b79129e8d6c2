//! What messages may hold, held against the contract's own options and comments.

use std::collections::HashMap;

use prost_reflect::FieldDescriptor;
use waymark_domain::Evidence;
use waymark_domain::discovery::opportunity;

use super::*;
use crate::common::v1 as common;
use crate::discovery::v1 as discovery;
use crate::roadmap::v1 as roadmap;
use crate::{descriptors, options};

fn wrong(message: &impl Check) -> Vec<(String, String)> {
    check(message).into_vec().into_iter().map(|violation| (violation.field, violation.description)).collect()
}

fn paths(message: &impl Check) -> Vec<String> {
    wrong(message).into_iter().map(|(field, _)| field).collect()
}

#[test]
fn texts_entries_and_keys_keep_their_limits() {
    let mut participant = discovery::Participant { display_name: " ".into(), ..Default::default() };
    participant.segment = "é".repeat(201);
    participant.attributes.insert("k".repeat(64), "v".repeat(501));
    participant.labels = (0..33).map(|i| (i.to_string(), String::new())).collect();
    let key = "k".repeat(64);
    let found = wrong(&participant);
    let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["display_name", "labels", "segment", "attributes", &format!("attributes.{key}")]);
    assert_eq!(found[1].1, "has 33 entries, at most 32 are allowed");
    assert_eq!(found[2].1, "has 201 characters, at most 200 are allowed");
    participant = discovery::Participant { display_name: "p1".into(), segment: "é".repeat(200), ..Default::default() };
    assert_eq!(paths(&participant), Vec::<String>::new());
}

#[test]
fn of_too_many_entries_none_is_looked_at() {
    let study = discovery::Study {
        display_name: "s".into(),
        method: discovery::StudyMethod::Diary.into(),
        questions: vec![String::new(); 101],
        ..Default::default()
    };
    assert_eq!(paths(&study), ["questions"]);
    let study = discovery::Study { questions: vec!["why?".into(), " ".into()], ..study };
    assert_eq!(paths(&study), ["questions[1]"]);
}

#[test]
fn rows_that_nobody_checked_are_checked() {
    let time = Some(crate::Timestamp::default());
    let long = "x".repeat(4_001);
    let waiver = roadmap::Waiver { reason: long.clone(), signed_by: "users/ada".into(), time: None };
    let initiative = roadmap::Initiative {
        display_name: "i".into(),
        risks: vec![roadmap::RiskAssessment { risk: 1, waiver: Some(waiver), ..Default::default() }],
        decline: Some(roadmap::Decline { reason: long.clone(), time, ..Default::default() }),
        pause: Some(roadmap::Pause { reason: long, resume_state: 2, time }),
        ..Default::default()
    };
    assert_eq!(
        paths(&initiative),
        ["risks[0].waiver.reason", "risks[0].waiver.time", "decline.reason", "pause.reason"]
    );
}

#[test]
fn numbers_keep_their_bounds_and_0_may_stand_for_a_default() {
    let expected = |window_days| roadmap::ExpectedOutcome {
        metric: "//metrics.waymark.dev/workspaces/w/metrics/m".into(),
        change: Some(common::Range::default()),
        window_days,
    };
    assert_eq!(expected(0).window_days_or_default(), 28);
    assert_eq!(expected(3).window_days_or_default(), 3);
    for (days, fine) in [(0, true), (1, true), (365, true), (366, false), (-1, false)] {
        assert_eq!(paths(&expected(days)).is_empty(), fine, "{days}");
    }
    let found = wrong(&expected(366));
    assert_eq!(
        found,
        [("window_days".to_owned(), "must be at least 1 and at most 365, or 0 for 28, is 366".to_owned())]
    );
    let infinite = discovery::TestResult { value: Some(f64::INFINITY), ..Default::default() };
    assert_eq!(wrong(&infinite), [("value".to_owned(), "must be a finite number, is inf".to_owned())]);
}

#[test]
fn values_of_enums_are_known_ones_and_stated_where_they_must_be() {
    let insight =
        |kind| discovery::Insight { display_name: "i".into(), statement: "s".into(), kind, ..Default::default() };
    assert_eq!(paths(&insight(5)), Vec::<String>::new());
    assert_eq!(wrong(&insight(0))[0].1, "must be one of NEED, PAIN, DESIRE, BEHAVIOUR, FACT");
    assert_eq!(wrong(&insight(6))[0].1, "must be one of NEED, PAIN, DESIRE, BEHAVIOUR, FACT, is 6");
}

#[test]
fn references_are_names_of_what_may_be_referred_to() {
    let opportunity = |parent: &str| discovery::Opportunity {
        display_name: "o".into(),
        kind: 1,
        parent_node: parent.into(),
        ..Default::default()
    };
    assert_eq!(wrong(&opportunity("")), [("parent_node".to_owned(), "must be set".to_owned())]);
    for fine in ["workspaces/w/outcomes/a", "workspaces/w/opportunities/a"] {
        assert_eq!(paths(&opportunity(fine)), Vec::<String>::new(), "{fine}");
    }
    let other = wrong(&opportunity("workspaces/w/studies/a")).remove(0).1;
    assert!(
        other.contains("workspaces/{workspace}/outcomes/{id} or workspaces/{workspace}/opportunities/{id}"),
        "{other}"
    );
    let outcome =
        |metric: &str| discovery::Outcome { display_name: "o".into(), metric: metric.into(), ..Default::default() };
    assert_eq!(paths(&outcome("//metrics.waymark.dev/workspaces/w/metrics/m")), Vec::<String>::new());
    for other in [
        "workspaces/w/metrics/m",
        "//roadmap.waymark.dev/workspaces/w/metrics/m",
        "//metrics.waymark.dev/workspaces/w/outcomes/m",
    ] {
        assert_eq!(paths(&outcome(other)), ["metric"], "{other}");
    }
}

/// What the domain keeps when there is more than fits is as much as fits.
#[test]
fn the_domain_and_the_contract_agree_on_how_much_fits() {
    assert_eq!(roadmap::Initiative::EVIDENCE_MOST, Evidence::LINKS);
    assert_eq!(discovery::Opportunity::EVIDENCE_MOST, Evidence::LINKS);
    assert_eq!(discovery::Opportunity::LEARNINGS_MOST, opportunity::LEARNINGS);
}

/// The numbers that a field's options state.
fn stated(field: &FieldDescriptor) -> Option<Vec<f64>> {
    let options = options();
    let limits = [options.text(field), options.keys(field), options.entries(field)];
    let number = options.number(field);
    if limits.iter().all(Option::is_none) && number.is_none() {
        return None;
    }
    let mut all: Vec<f64> = limits.iter().flatten().flat_map(|l| [f64::from(l.least), f64::from(l.most)]).collect();
    all.extend(number.iter().flat_map(|n| [n.least, n.above, n.most, n.default]).flatten());
    // A text that must be set has a character.
    all.extend(options.is_required(field).then_some(1.0));
    Some(all)
}

/// The limits that a comment speaks of: numbers next to `at most`, ` to ` and the like.
fn said(comment: &str) -> Vec<f64> {
    let mut words = Vec::new();
    for word in comment.split_whitespace() {
        words.push(word.trim_end_matches(['.', ',', ';', ':']));
    }
    let number = |word: &str| word.replace(',', "").parse::<f64>().ok();
    let mut said = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let before = |n: usize| i.checked_sub(n).map_or("", |i| words[i]);
        let at_most = before(2).eq_ignore_ascii_case("at") && matches!(before(1), "most" | "least");
        let up_to = before(1) == "to" && number(before(2)).is_some();
        let unset = words.get(i + 1) == Some(&"when") && words.get(i + 2) == Some(&"0");
        if let Some(value) = number(word).filter(|_| at_most || up_to || unset || before(1) == "means") {
            said.push(value);
            said.extend(number(before(2)).filter(|_| up_to));
        }
    }
    said
}

#[test]
fn no_comment_states_another_limit_than_its_field() {
    let mut comments = HashMap::new();
    for file in descriptors().files() {
        let proto = file.file_descriptor_proto();
        for location in proto.source_code_info.iter().flat_map(|info| &info.location) {
            comments.insert((file.name().to_owned(), location.path.clone()), location.leading_comments().to_owned());
        }
    }
    let (mut seen, mut broken) = (0, Vec::new());
    for message in descriptors().all_messages().filter(|m| m.package_name().starts_with("waymark.")) {
        for field in message.fields() {
            let Some(stated) = stated(&field) else { continue };
            let comment = &comments[&(message.parent_file().name().to_owned(), field.path().to_vec())];
            let said = said(comment);
            seen += said.len();
            broken.extend(said.iter().filter(|n| !stated.contains(n)).map(|n| format!("{}: {n}", field.full_name())));
        }
    }
    assert!(broken.is_empty(), "comments state what the options do not: {broken:#?}");
    assert!(seen > 100, "the comments are read: {seen}");
}

#[test]
fn limits_are_found_in_comments() {
    assert_eq!(said("Why, 1 to 2,000 characters."), [2_000.0, 1.0]);
    assert_eq!(said("How long; 1 to 90, 7 when 0. At most 5 of 10 things, 0 means 50."), [90.0, 1.0, 7.0, 5.0, 50.0]);
    assert_eq!(said("As of 2026, in 3 parts."), Vec::<f64>::new());
}

/// All resources have the same standard fields, with the same options.
#[test]
fn standard_fields_are_the_same_everywhere() {
    let expected = descriptors().get_message_by_name("waymark.roadmap.v1.Product").unwrap();
    let facts = |field: &FieldDescriptor| {
        let proto = field.field_descriptor_proto();
        (field.number(), proto.r#type, proto.label, format!("{:?}", field.options()))
    };
    for message in descriptors().all_messages().filter(|m| options().resource(m).is_some()) {
        for number in 1..=8 {
            let (field, like) = (message.get_field(number).unwrap(), expected.get_field(number).unwrap());
            // A friction makes up its name for people when it is given none; most check-ins need none.
            let unnamed = ["waymark.metrics.v1.Friction.display_name", "waymark.roadmap.v1.CheckIn.display_name"];
            if !unnamed.contains(&field.full_name()) {
                assert_eq!((field.name(), facts(&field)), (like.name(), facts(&like)), "{}", field.full_name());
            }
        }
    }
}
