//! Decisions: made once, superseded and never rewritten, called for again by their day or by a metric, and what they say of
//! initiatives that are declined.

use chrono::{DateTime, TimeDelta, Utc};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use waymark_proto::convert::timestamp;
use waymark_proto::{common::v1 as common, metrics::v1 as metrics, roadmap::v1 as pb};
use waymark_testkit::NOW;

use super::consume::{deliver, received};
use super::{Fixture, W, by_ada, initiative_name, insight, named, on_both, refusal};

fn name(id: &str) -> String {
    format!("{W}/decisions/{id}")
}

fn signups() -> String {
    format!("//metrics.waymark.dev/{W}/metrics/signups")
}

fn day(days: i64) -> String {
    (NOW + TimeDelta::days(days)).date_naive().to_string()
}

/// Whether to build something, with a metric that may speak against what is chosen.
fn question() -> pb::Decision {
    let option = |title: &str, not_building| pb::DecisionOption {
        title: title.into(),
        not_building,
        evidence_for: vec![insight("i1")],
        ..Default::default()
    };
    let threshold =
        pb::KillThreshold { metric: signups(), condition: pb::KillCondition::Below.into(), value: Some(20.0) };
    pb::Decision {
        display_name: "Single sign-on".into(),
        question: "Do we build single sign-on ourselves?".into(),
        options: vec![option("Build", false), option("Leave it", true)],
        kill_criteria: vec![pb::KillCriterion {
            statement: "fewer than 20 sign-ups a day".into(),
            threshold: Some(threshold),
            met: None,
        }],
        ..Default::default()
    }
}

fn decline(id: &str, decision: &str) -> pb::DeclineInitiativeRequest {
    pb::DeclineInitiativeRequest {
        name: initiative_name(id),
        reason: "too few ask for it".into(),
        evidence: vec![insight("i2")],
        what_would_change_our_mind: "ten customers ask".into(),
        review_date: day(30),
        decision: decision.into(),
        ..Default::default()
    }
}

impl Fixture {
    async fn ask(&self, id: &str, decision: pb::Decision) -> Result<pb::Decision, Status> {
        let request = pb::CreateDecisionRequest {
            parent: W.into(),
            decision_id: id.into(),
            decision: Some(decision),
            ..Default::default()
        };
        self.deciding().create_decision(request).await.map(tonic::Response::into_inner)
    }

    async fn make(&self, id: &str, option: &str) -> Result<pb::Decision, Status> {
        let request = pb::MakeDecisionRequest {
            name: name(id),
            option: option.into(),
            reason: "it is cheaper".into(),
            ..Default::default()
        };
        self.deciding().make_decision(by_ada(request)).await.map(tonic::Response::into_inner)
    }

    async fn decision(&self, id: &str) -> pb::Decision {
        self.deciding().get_decision(pb::GetDecisionRequest { name: name(id) }).await.unwrap().into_inner()
    }

    async fn due(&self, until_date: String) -> Vec<String> {
        let request = pb::ListDueReviewsRequest { parent: W.into(), until_date, ..Default::default() };
        let page = self.deciding().list_due_reviews(request).await.unwrap().into_inner();
        page.decisions.iter().map(|d| format!("{} {}", d.name.replace(&name(""), ""), d.due_date)).collect()
    }

    async fn not_building(&self) -> Vec<pb::NotBuilding> {
        let request = pb::ListNotBuildingRequest { parent: W.into(), ..Default::default() };
        self.deciding().list_not_building(request).await.unwrap().into_inner().not_building
    }

    async fn decline_by(&self, id: &str, decision: &str) -> Result<pb::Initiative, Status> {
        let request = by_ada(decline(id, decision));
        self.roadmap().decline_initiative(request).await.map(tonic::Response::into_inner)
    }
}

#[tokio::test]
async fn a_decision_is_made_once_and_not_rewritten() {
    on_both(async |f| {
        let open = f.ask("sso", question()).await.unwrap();
        assert_eq!((open.state(), open.choice.is_some()), (pb::DecisionState::Open, false));
        let refused = f.make("sso", "Buy").await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(r#"it has "Build", "Leave it""#), "{refused}");
        let made = f.make("sso", "Build").await.unwrap();
        let choice = made.choice.unwrap();
        assert_eq!((choice.option.as_str(), choice.decided_by.as_str()), ("Build", "users/ada@example.com"));
        assert_eq!(refusal(f.make("sso", "Leave it").await), (Code::FailedPrecondition, "STATE_CONFLICT".into()));
        let rewrite = |paths: &str, decision: pb::Decision| pb::UpdateDecisionRequest {
            decision: Some(pb::Decision { name: name("sso"), ..decision }),
            update_mask: Some(pbjson_types::FieldMask { paths: vec![paths.into()] }),
            ..Default::default()
        };
        let other = pb::Decision { question: "Do we buy it?".into(), ..Default::default() };
        let refused = f.deciding().update_decision(rewrite("question", other)).await;
        assert_eq!(refusal(refused), (Code::FailedPrecondition, "RULE_VIOLATED".into()));
        let later = pb::Decision { review_date: day(3), ..Default::default() };
        let later = f.deciding().update_decision(rewrite("review_date", later)).await.unwrap().into_inner();
        assert_eq!((later.state(), later.due_date), (pb::DecisionState::Decided, day(3)));
        let log = f.log().await;
        assert_eq!(log, ["DecisionCreated sso", "DecisionMade sso", "DecisionUpdated sso"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_decision_is_said_field_by_field() {
    on_both(async |f| {
        let mut wrong = question();
        wrong.options[1].title = "Build".into();
        wrong.review_date = "+10000-01-01".into();
        wrong.kill_criteria[0].threshold.as_mut().unwrap().value = Some(f64::NAN);
        wrong.kill_criteria[0].threshold.as_mut().unwrap().condition = 0;
        let refused = f.ask("sso", wrong).await.unwrap_err();
        let wrong = refused.get_details_bad_request().unwrap().field_violations;
        let fields: Vec<_> = wrong.iter().map(|wrong| wrong.field.as_str()).collect();
        for field in [
            "decision.options[1].title",
            "decision.review_date",
            "decision.kill_criteria[0].threshold.value",
            "decision.kill_criteria[0].threshold.condition",
        ] {
            assert!(fields.contains(&field), "{field} in {fields:?}");
        }
        let made = pb::Decision { state: pb::DecisionState::Decided.into(), ..question() };
        assert_eq!(
            f.ask("sso", made).await.unwrap().state(),
            pb::DecisionState::Open,
            "where it stands is not written"
        );
    })
    .await;
}

#[tokio::test]
async fn one_supersedes_another_in_a_chain_without_cycles() {
    on_both(async |f| {
        let after = |id: &str| pb::Decision { supersedes: name(id), ..question() };
        f.ask("first", question()).await.unwrap();
        f.ask("second", after("first")).await.unwrap();
        assert_eq!(refusal(f.make("second", "Build").await).1, "STATE_CONFLICT", "the first is not decided");
        f.make("first", "Leave it").await.unwrap();
        f.make("second", "Build").await.unwrap();
        let first = f.decision("first").await;
        assert_eq!((first.state(), first.superseded_by), (pb::DecisionState::Superseded, name("second")));
        assert!(first.choice.is_some() && f.not_building().await.is_empty());

        f.ask("third", after("first")).await.unwrap();
        assert_eq!(refusal(f.make("third", "Build").await).1, "STATE_CONFLICT", "its place is taken");
        assert_eq!(f.decision("third").await.state(), pb::DecisionState::Open, "nothing is half done");
        assert_eq!(refusal(f.ask("loop", after("loop")).await).1, "CYCLE");
        let request = pb::DeleteDecisionRequest { name: name("first"), ..Default::default() };
        assert_eq!(refusal(f.deciding().delete_decision(request).await).1, "RESOURCE_IN_USE");
    })
    .await;
}

#[tokio::test]
async fn an_initiative_is_declined_by_a_decision() {
    on_both(async |f| {
        for id in ["a", "b", "c"] {
            f.create(id, named(&format!("Export {id}"))).await.unwrap();
        }
        let declined = f.decline_by("a", "").await.unwrap().decline.unwrap();
        let made = f.decision(declined.decision.rsplit('/').next().unwrap()).await;
        assert_eq!(made.question, "Is \"Export a\" to be built?");
        assert_eq!(made.decides, [format!("//roadmap.waymark.dev/{}", initiative_name("a"))]);
        assert_eq!((made.state(), made.due_date.clone()), (pb::DecisionState::Decided, day(30)));
        assert_eq!(made.options[1].evidence_for, [insight("i2")]);

        f.ask("sso", question()).await.unwrap();
        assert_eq!(refusal(f.decline_by("b", &name("sso")).await).1, "RULE_VIOLATED", "it is open");
        assert_eq!(refusal(f.decline_by("b", &name("none")).await).0, Code::FailedPrecondition);
        f.make("sso", "Leave it").await.unwrap();
        f.decline_by("b", &name("sso")).await.unwrap();
        f.decline_by("c", &name("sso")).await.unwrap();
        let request = pb::DeleteDecisionRequest { name: name("sso"), ..Default::default() };
        assert_eq!(refusal(f.deciding().delete_decision(request).await).1, "RESOURCE_IN_USE");

        let listed = f.not_building().await;
        let said: Vec<_> =
            listed.iter().map(|not| (not.display_name.as_str(), not.reason.as_str(), not.due_date.as_str())).collect();
        let day = day(30);
        assert_eq!(
            said,
            [("Not building: Export a", "too few ask for it", day.as_str()), ("Single sign-on", "it is cheaper", "")]
        );
        assert_eq!(listed[0].kill_criteria[0].statement, "ten customers ask");

        // What is taken up again is no longer declined; a decision about that alone says so.
        for id in ["a", "b"] {
            let request = pb::ResumeInitiativeRequest { name: initiative_name(id), ..Default::default() };
            f.roadmap().resume_initiative(by_ada(request)).await.unwrap();
        }
        let listed = f.not_building().await;
        assert_eq!(listed.iter().map(|not| not.display_name.as_str()).collect::<Vec<_>>(), ["Single sign-on"]);
        let before = f.decision(made.name.rsplit('/').next().unwrap()).await;
        let again = f.decision(before.superseded_by.rsplit('/').next().unwrap()).await;
        assert_eq!(again.choice.unwrap().option, "Take it up again");
    })
    .await;
}

#[tokio::test]
async fn a_validated_decline_leaves_nothing() {
    on_both(async |f| {
        f.create("a", named("Export")).await.unwrap();
        let request = pb::DeclineInitiativeRequest { validate_only: true, ..decline("a", "") };
        f.roadmap().decline_initiative(request).await.unwrap();
        assert!(f.not_building().await.is_empty());
        assert_eq!(f.log().await, ["InitiativeCreated a"]);
    })
    .await;
}

/// That the metric was measured on a day, counted from today.
fn measured(number: u128, days: i64, value: f64) -> waymark_store::Received {
    let at = |days| Some(timestamp(midnight(days)));
    let metric = metrics::Metric {
        name: format!("{W}/metrics/signups"),
        latest: Some(common::Reading { start_time: at(days), end_time: at(days + 1), value }),
        ..Default::default()
    };
    received(number, "metrics", "MetricMeasured", &metrics::MetricMeasured { metric: Some(metric), change: None })
}

fn midnight(days: i64) -> DateTime<Utc> {
    (NOW + TimeDelta::days(days)).date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc()
}

#[tokio::test]
async fn a_metric_calls_for_a_review_once_and_a_day_does() {
    on_both(async |f| {
        f.ask("dated", pb::Decision { review_date: day(5), kill_criteria: Vec::new(), ..question() }).await.unwrap();
        f.make("dated", "Build").await.unwrap();
        f.ask("sso", question()).await.unwrap();
        deliver(f, &measured(1, 0, 3.0)).await;
        assert!(f.due(day(1)).await.is_empty(), "nothing is decided");
        f.make("sso", "Build").await.unwrap();
        deliver(f, &measured(2, 1, 20.0)).await;
        deliver(f, &measured(3, 2, 3.0)).await;
        deliver(f, &measured(3, 2, 3.0)).await;
        deliver(f, &measured(4, 3, 2.0)).await;
        let called = f.log().await.iter().filter(|event| *event == "DecisionReviewDue sso").count();
        assert_eq!(called, 1, "once, however often it is told");
        let met = f.decision("sso").await.kill_criteria[0].met.unwrap();
        assert_eq!((met.value, met.end_time), (3.0, Some(timestamp(midnight(3)))));
        assert!(f.due(String::new()).await.is_empty(), "today is before both");
        assert_eq!(f.due(day(4)).await, [format!("sso {}", day(3))]);
        assert_eq!(f.due(day(5)).await, [format!("sso {}", day(3)), format!("dated {}", day(5))]);

        f.clock.advance(std::time::Duration::from_hours(4 * 24));
        let request =
            pb::ReviewDecisionRequest { name: name("sso"), note: "one bad week".into(), ..Default::default() };
        let seen = f.deciding().review_decision(by_ada(request)).await.unwrap().into_inner();
        assert_eq!((seen.due_date.as_str(), seen.review.unwrap().note.as_str()), ("", "one bad week"));
        deliver(f, &measured(5, 3, 1.0)).await;
        assert_eq!(f.due(day(5)).await, [format!("dated {}", day(5))], "it was seen");
        deliver(f, &measured(6, 5, 1.0)).await;
        assert_eq!(f.decision("sso").await.due_date, day(6));
        // Superseded, it is looked at no more.
        f.ask("next", pb::Decision { supersedes: name("sso"), kill_criteria: Vec::new(), ..question() }).await.unwrap();
        f.make("next", "Leave it").await.unwrap();
        assert_eq!(f.due(day(9)).await, [format!("dated {}", day(5))]);
    })
    .await;
}

#[tokio::test]
async fn due_reviews_come_in_pages() {
    on_both(async |f| {
        for (id, days) in [("c", 1), ("a", 2), ("b", 2), ("d", 9)] {
            f.ask(id, pb::Decision { review_date: day(days), ..question() }).await.unwrap();
            f.make(id, "Build").await.unwrap();
        }
        let mut request =
            pb::ListDueReviewsRequest { parent: W.into(), until_date: day(2), page_size: 2, ..Default::default() };
        let mut seen = Vec::new();
        loop {
            let page = f.deciding().list_due_reviews(request.clone()).await.unwrap().into_inner();
            assert!(page.decisions.len() <= 2);
            seen.extend(page.decisions.into_iter().map(|decision| decision.name.replace(&name(""), "")));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(seen, ["c", "a", "b"]);
        let other = pb::ListDueReviewsRequest { until_date: day(3), ..request };
        assert_eq!(
            refusal(f.deciding().list_due_reviews(other).await).0,
            Code::InvalidArgument,
            "another list's token"
        );
    })
    .await;
}
