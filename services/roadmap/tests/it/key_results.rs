//! Key results score between where they start and where they are to come to, by what is checked in or what a metric is.

use chrono::TimeDelta;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use waymark_proto::convert::timestamp;
use waymark_proto::roadmap::v1 as pb;
use waymark_roadmap::SCHEMA;
use waymark_testkit::NOW;

use super::consume::{deliver, measured};
use super::objectives::{below, name as objective_name};
use super::{Fixture, W, by_ada, named, on_both, refusal};

pub(crate) fn name(id: &str) -> String {
    format!("{W}/keyResults/{id}")
}

fn orders() -> String {
    format!("//metrics.waymark.dev/{W}/metrics/orders")
}

/// From one number to another, of the objective `o`.
pub(crate) fn from_to(start: f64, target: f64) -> pb::KeyResult {
    pb::KeyResult {
        display_name: "Features that are used".into(),
        objective: objective_name("o"),
        start: Some(start),
        target: Some(target),
        ..Default::default()
    }
}

fn creating(id: &str, key_result: pb::KeyResult) -> pb::CreateKeyResultRequest {
    pb::CreateKeyResultRequest {
        parent: W.into(),
        key_result_id: id.into(),
        key_result: Some(key_result),
        ..Default::default()
    }
}

fn updating(id: &str, key_result: pb::KeyResult, paths: &[&str]) -> pb::UpdateKeyResultRequest {
    let paths = paths.iter().map(ToString::to_string).collect();
    pb::UpdateKeyResultRequest {
        key_result: Some(pb::KeyResult { name: name(id), ..key_result }),
        update_mask: Some(pbjson_types::FieldMask { paths }),
        ..Default::default()
    }
}

/// A check-in of the key result `kr`, of so many days ago.
fn saying(value: f64, days: i64) -> pb::CheckIn {
    pb::CheckIn {
        key_result: name("kr"),
        value: Some(value),
        time: Some(timestamp(NOW - TimeDelta::days(days))),
        ..Default::default()
    }
}

impl Fixture {
    pub(crate) async fn key_result(&self, id: &str, key_result: pb::KeyResult) -> Result<pb::KeyResult, Status> {
        self.strategy().create_key_result(creating(id, key_result)).await.map(tonic::Response::into_inner)
    }

    async fn known(&self, id: &str) -> pb::KeyResult {
        self.strategy().get_key_result(pb::GetKeyResultRequest { name: name(id) }).await.unwrap().into_inner()
    }

    async fn update_key_result(&self, request: pb::UpdateKeyResultRequest) -> Result<pb::KeyResult, Status> {
        self.strategy().update_key_result(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn check_in(&self, id: &str, check_in: pb::CheckIn) -> Result<pb::CheckIn, Status> {
        let request = pb::CreateCheckInRequest {
            parent: W.into(),
            check_in_id: id.into(),
            check_in: Some(check_in),
            ..Default::default()
        };
        self.strategy().create_check_in(by_ada(request)).await.map(tonic::Response::into_inner)
    }

    async fn delete_check_in(&self, id: &str) {
        let request = pb::DeleteCheckInRequest { name: format!("{W}/checkIns/{id}"), ..Default::default() };
        self.strategy().delete_check_in(request).await.unwrap();
    }

    async fn undelete_check_in(&self, id: &str) {
        let request = pb::UndeleteCheckInRequest { name: format!("{W}/checkIns/{id}"), ..Default::default() };
        self.strategy().undelete_check_in(request).await.unwrap();
    }

    /// What the metrics service announces, heard as a consumer hears it: kept by the mirror, then reacted to.
    async fn hear(&self, event: &waymark_store::Received) {
        self.served.store().mirror(SCHEMA.mirrors(), std::slice::from_ref(event)).await.unwrap();
        deliver(self, event).await;
    }
}

/// What is wrong, field by field.
fn fields(refused: &Status) -> Vec<String> {
    let request = refused.get_details_bad_request().unwrap();
    request.field_violations.into_iter().map(|violation| violation.field).collect()
}

#[tokio::test]
async fn a_score_is_of_the_way_and_unset_while_nobody_knows() {
    on_both(async |f| {
        f.objective("o", below("")).await.unwrap();
        let new = f.key_result("kr", from_to(0.0, 6.0)).await.unwrap();
        assert_eq!((new.current, new.score, new.band()), (None, None, pb::ScoreBand::Unspecified));
        assert_eq!((new.direction(), new.weight), (pb::KeyResultDirection::Increase, Some(1.0)));
        f.check_in("c", saying(3.0, 1)).await.unwrap();
        let known = f.known("kr").await;
        assert_eq!((known.score, known.band()), (Some(0.5), pb::ScoreBand::Yellow), "three of six features");

        // A target that falls, and values beyond both ends.
        for (value, score, band) in
            [(13.0, 0.0, pb::ScoreBand::Red), (6.0, 0.75, pb::ScoreBand::Green), (1.0, 1.0, pb::ScoreBand::Green)]
        {
            let id = format!("falls{value}");
            let falls = f.key_result(&id, from_to(12.0, 4.0)).await.unwrap();
            assert_eq!(falls.direction(), pb::KeyResultDirection::Decrease);
            f.check_in(&id, pb::CheckIn { key_result: name(&id), ..saying(value, 0) }).await.unwrap();
            let known = f.known(&id).await;
            assert_eq!((known.score, known.band()), (Some(score), band), "{value}");
        }
        let list = pb::ListKeyResultsRequest {
            parent: W.into(),
            filter: format!("band = GREEN AND objective = \"{}\"", objective_name("o")),
            ..Default::default()
        };
        let listed = f.strategy().list_key_results(list).await.unwrap().into_inner().key_results;
        assert_eq!(listed.iter().map(|of| of.score.unwrap()).collect::<Vec<_>>(), [1.0, 0.75]);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_key_result_is_refused_field_by_field() {
    on_both(async |f| {
        f.objective("o", below("")).await.unwrap();
        let wrong = async |key_result| fields(&f.key_result("wrong", key_result).await.unwrap_err());
        assert_eq!(wrong(from_to(3.0, 3.0)).await, ["key_result.target"]);
        assert_eq!(wrong(from_to(0.3, 0.1 + 0.2)).await, ["key_result.target"], "the same by the digits that count");
        assert_eq!(wrong(from_to(f64::NAN, f64::INFINITY)).await, ["key_result.start", "key_result.target"]);
        assert_eq!(wrong(pb::KeyResult { start: None, ..from_to(0.0, 1.0) }).await, ["key_result.start"]);
        for weight in [0.0, -1.0, f64::NAN, 1e7] {
            assert_eq!(wrong(pb::KeyResult { weight: Some(weight), ..from_to(0.0, 2.0) }).await, ["key_result.weight"]);
        }
        let up = pb::KeyResultDirection::Increase.into();
        assert_eq!(wrong(pb::KeyResult { direction: up, ..from_to(5.0, 1.0) }).await, ["key_result.direction"]);
        assert_eq!(
            wrong(pb::KeyResult { objective: String::new(), ..from_to(0.0, 1.0) }).await,
            ["key_result.objective"]
        );
        let other = format!("//discovery.waymark.dev/{W}/insights/i");
        assert_eq!(wrong(pb::KeyResult { metric: other, ..from_to(0.0, 1.0) }).await, ["key_result.metric"]);
        let nowhere = pb::KeyResult { objective: objective_name("none"), ..from_to(0.0, 1.0) };
        assert_eq!(refusal(f.key_result("wrong", nowhere).await).1, "REFERENCE_NOT_FOUND");

        // Whoever turns one around says so; its objective stays.
        f.key_result("kr", from_to(1.0, 5.0)).await.unwrap();
        let turned = f.update_key_result(updating("kr", from_to(9.0, 5.0), &["start"])).await.unwrap_err();
        assert_eq!(fields(&turned), ["key_result.direction"]);
        let turned = f.update_key_result(updating("kr", from_to(9.0, 5.0), &["start", "direction"])).await.unwrap();
        assert_eq!(turned.direction(), pb::KeyResultDirection::Decrease);
        f.objective("p", below("")).await.unwrap();
        let moved = pb::KeyResult { objective: objective_name("p"), ..from_to(9.0, 5.0) };
        assert_eq!(refusal(f.update_key_result(updating("kr", moved, &["objective"])).await).0, Code::InvalidArgument);
    })
    .await;
}

#[tokio::test]
async fn the_last_check_in_by_its_time_counts() {
    on_both(async |f| {
        f.objective("o", below("")).await.unwrap();
        f.key_result("kr", from_to(0.0, 10.0)).await.unwrap();
        let current = async || f.known("kr").await.current.map(|current| current.value);
        let first = f.check_in("a", pb::CheckIn { confidence: Some(0.6), ..saying(4.0, 2) }).await.unwrap();
        assert_eq!(first.by, "users/ada@example.com", "whoever says nothing else says so themselves");
        f.check_in("b", saying(2.0, 5)).await.unwrap();
        assert_eq!(current().await, Some(4.0), "what was written down later was said before");
        f.check_in("c", saying(7.0, 1)).await.unwrap();
        let known = f.known("kr").await;
        let last = known.last_check_in.unwrap();
        assert_eq!((last.check_in, last.value, last.confidence), (format!("{W}/checkIns/c"), Some(7.0), None));

        f.delete_check_in("c").await;
        assert_eq!(f.known("kr").await.last_check_in.unwrap().confidence, Some(0.6), "the one before counts again");
        f.undelete_check_in("c").await;
        assert_eq!(current().await, Some(7.0));
        // One that is put right, and one that is put elsewhere in time.
        let correct = async |id: &str, value: f64, days: i64, path: &str| {
            let request = pb::UpdateCheckInRequest {
                check_in: Some(pb::CheckIn { name: format!("{W}/checkIns/{id}"), ..saying(value, days) }),
                update_mask: Some(pbjson_types::FieldMask { paths: vec![path.into()] }),
                ..Default::default()
            };
            f.strategy().update_check_in(request).await.unwrap();
        };
        correct("c", 8.0, 1, "value").await;
        assert_eq!(current().await, Some(8.0));
        correct("c", 8.0, 3, "time").await;
        assert_eq!(current().await, Some(4.0));
        for id in ["a", "b", "c"] {
            f.delete_check_in(id).await;
        }
        assert_eq!((current().await, f.known("kr").await.score), (None, None));
        let events: Vec<String> = f.log().await.into_iter().filter(|event| event.ends_with(" kr")).collect();
        assert_eq!(events.iter().filter(|event| event.starts_with("KeyResultCheckedIn")).count(), 8, "{events:?}");

        let ahead = f.check_in("d", saying(1.0, -1)).await.unwrap_err();
        assert_eq!(refusal(Err::<(), _>(ahead)), (Code::FailedPrecondition, "RULE_VIOLATED".into()));
        let sure = pb::CheckIn { confidence: Some(1.5), ..saying(1.0, 0) };
        assert_eq!(fields(&f.check_in("d", sure).await.unwrap_err()), ["check_in.confidence"]);
        let silent = pb::CheckIn { value: None, ..saying(1.0, 0) };
        assert_eq!(refusal(f.check_in("d", silent).await).1, "RULE_VIOLATED");
        let of_none = pb::CheckIn { key_result: name("none"), ..saying(1.0, 0) };
        assert_eq!(refusal(f.check_in("d", of_none).await).1, "REFERENCE_NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn of_a_batch_of_check_ins_the_last_counts_once() {
    on_both(async |f| {
        f.objective("o", below("")).await.unwrap();
        f.key_result("kr", from_to(0.0, 10.0)).await.unwrap();
        f.key_result("other", from_to(0.0, 10.0)).await.unwrap();
        let row = |check_in| pb::CreateCheckInRequest { check_in: Some(check_in), ..Default::default() };
        let elsewhere = pb::CheckIn { key_result: name("other"), ..saying(1.0, 0) };
        let requests = vec![row(saying(1.0, 3)), row(saying(5.0, 1)), row(saying(3.0, 2)), row(elsewhere)];
        let batch = pb::BatchCreateCheckInsRequest { parent: W.into(), requests, ..Default::default() };
        f.strategy().batch_create_check_ins(batch).await.unwrap();
        assert_eq!((f.known("kr").await.score, f.known("other").await.score), (Some(0.5), Some(0.1)));
        let told = f.log().await.into_iter().filter(|event| event.starts_with("KeyResultCheckedIn"));
        assert_eq!(told.collect::<Vec<_>>(), ["KeyResultCheckedIn kr", "KeyResultCheckedIn other"]);
    })
    .await;
}

#[tokio::test]
async fn a_metric_says_what_its_key_results_are() {
    on_both(async |f| {
        f.objective("o", below("")).await.unwrap();
        let bound = |metric: &str| pb::KeyResult { metric: metric.into(), ..from_to(10.0, 20.0) };
        f.key_result("early", bound(&orders())).await.unwrap();
        f.key_result("kr", from_to(10.0, 20.0)).await.unwrap();
        f.check_in("before", saying(11.0, 9)).await.unwrap();
        f.hear(&measured(1, Some(12.0), false)).await;
        let early = f.known("early").await;
        assert_eq!((early.score, early.current.unwrap().time), (Some(0.2), Some(timestamp(NOW))));
        assert_eq!(f.known("kr").await.score, Some(0.1), "what has no metric is as it was checked in");
        // The same again, an earlier one that comes late, and the same interval put right.
        f.hear(&measured(1, Some(12.0), false)).await;
        f.hear(&measured(3, Some(15.0), false)).await;
        f.hear(&measured(2, Some(13.0), false)).await;
        assert_eq!(f.known("early").await.score, Some(0.5), "what was announced last, in whatever order it comes");
        let told = async || f.log().await.iter().filter(|event| *event == "KeyResultMeasured early").count();
        assert_eq!(told().await, 2);

        // One that is bound later, by a new key result and by an update, knows at once.
        assert_eq!(f.key_result("late", bound(&orders())).await.unwrap().score, Some(0.5));
        let rebound = f.update_key_result(updating("kr", bound(&orders()), &["metric"])).await.unwrap();
        assert_eq!((rebound.score, rebound.current.unwrap().value), (Some(0.5), 15.0));
        // How sure people are is theirs to say; what it is is not.
        let refused = f.check_in("c", saying(19.0, 0)).await.unwrap_err();
        assert!(refused.message().contains("is measured by"), "{refused}");
        f.check_in("c", pb::CheckIn { value: None, confidence: Some(0.3), ..saying(0.0, 0) }).await.unwrap();
        let known = f.known("kr").await;
        assert_eq!((known.score, known.last_check_in.unwrap().confidence), (Some(0.5), Some(0.3)));
        // What was checked in before may still be told better.
        let note = pb::CheckIn {
            name: format!("{W}/checkIns/before"),
            note: "before the launch".into(),
            ..Default::default()
        };
        let request = pb::UpdateCheckInRequest { check_in: Some(note), ..Default::default() };
        f.strategy().update_check_in(request).await.unwrap();
        let unbound = f.update_key_result(updating("kr", bound(""), &["metric"])).await.unwrap();
        assert_eq!((unbound.score, unbound.reading), (None, None), "the last check-in says no value");

        // What is measured changed: what it was is no longer known.
        f.hear(&measured(4, None, false)).await;
        assert_eq!(f.known("early").await.score, None);
    })
    .await;
}

#[tokio::test]
async fn it_is_held_by_initiatives_and_comes_back_as_it_is_known() {
    on_both(async |f| {
        f.objective("o", below("")).await.unwrap();
        f.key_result("kr", from_to(0.0, 10.0)).await.unwrap();
        f.check_in("c", saying(3.0, 1)).await.unwrap();
        f.check_in("d", saying(4.0, 0)).await.unwrap();
        assert_eq!(refusal(f.delete_objective("o").await).1, "RESOURCE_IN_USE");
        let serving =
            |ids: &[&str]| pb::Initiative { key_results: ids.iter().map(|id| name(id)).collect(), ..named("i") };
        assert_eq!(refusal(f.create("i", serving(&["kr", "none"])).await).1, "REFERENCE_NOT_FOUND");
        f.create("i", serving(&["kr"])).await.unwrap();
        let delete = async || {
            let request = pb::DeleteKeyResultRequest { name: name("kr"), ..Default::default() };
            f.strategy().delete_key_result(request).await.map(|_| ())
        };
        assert_eq!(refusal(delete().await), (Code::FailedPrecondition, "RESOURCE_IN_USE".into()));
        let request = pb::DeleteInitiativeRequest { name: super::initiative_name("i"), ..Default::default() };
        f.roadmap().delete_initiative(request).await.unwrap();
        delete().await.unwrap();
        // Its check-ins stay, and go on to change.
        f.delete_check_in("d").await;
        let request = pb::UndeleteKeyResultRequest { name: name("kr"), ..Default::default() };
        assert_eq!(f.strategy().undelete_key_result(request).await.unwrap().into_inner().score, Some(0.3));
    })
    .await;
}
