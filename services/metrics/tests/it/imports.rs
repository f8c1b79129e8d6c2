//! Imports: begun, filled, completed with what was new in them, and taken back with all that was made of them.

use chrono::{DateTime, Utc};
use tonic::{Code, Response, Status};
use uuid::Uuid;
use waymark_metrics::{Answers, finish_undos, take_readings};
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;

use crate::on_both;
use crate::world::{WORKSPACE, World, at, event, refusal};

async fn begun(world: &World, id: &str) -> pb::Import {
    let import = pb::Import {
        display_name: format!("{id}.csv"),
        digest: "ab".repeat(32),
        mapping: vec!["--user=customer".into()],
        // Only the service says these.
        imported_by: "users/mallory".into(),
        state: pb::ImportState::Undone.into(),
        removed: 7,
        ..Default::default()
    };
    let request = pb::CreateImportRequest {
        parent: WORKSPACE.into(),
        import_id: id.into(),
        import: Some(import),
        ..Default::default()
    };
    world.ingestion().create_import(request).await.unwrap().into_inner()
}

/// Orders of a user with these ids, a second apart.
fn orders(ids: std::ops::Range<i64>) -> Vec<pb::ProductEvent> {
    ids.map(|id| event(id, "ada", "ordered", at("2026-03-01T12:00:00Z") + chrono::TimeDelta::seconds(id))).collect()
}

async fn offer(
    world: &World,
    import: &str,
    events: Vec<pb::ProductEvent>,
) -> Result<Response<pb::IngestEventsResponse>, Status> {
    let request =
        pb::IngestEventsRequest { parent: WORKSPACE.into(), events, import: import.into(), ..Default::default() };
    world.ingestion().ingest_events(request).await
}

async fn completed(world: &World, import: &pb::Import, accepted: i64) -> pb::Import {
    let report = pb::ImportReport { ambiguous_times: 1, ..Default::default() };
    let request = pb::CompleteImportRequest {
        name: import.name.clone(),
        read: accepted + 1,
        accepted,
        rejected: 1,
        report: Some(report),
        ..Default::default()
    };
    world.ingestion().complete_import(request).await.unwrap().into_inner()
}

fn undo(name: &str) -> pb::UndoImportRequest {
    pb::UndoImportRequest { name: name.into(), ..Default::default() }
}

async fn undone(world: &World, name: &str) -> pb::Import {
    world.ingestion().undo_import(undo(name)).await.unwrap().into_inner()
}

async fn get(world: &World, name: &str) -> pb::Import {
    world.ingestion().get_import(pb::GetImportRequest { name: name.into() }).await.unwrap().into_inner()
}

async fn stored(world: &World) -> i64 {
    let request = pb::ListEventNamesRequest { parent: WORKSPACE.into(), ..Default::default() };
    world.analysis().list_event_names(request).await.unwrap().into_inner().count
}

#[tokio::test]
async fn an_import_is_taken_back_and_what_others_delivered_stays() {
    on_both(async |world| {
        let first = begun(&world, "first").await;
        assert_eq!((first.state(), first.imported_by.as_str()), (pb::ImportState::Running, "users/ada@example.com"));
        assert_eq!((first.removed, first.counts), (0, None));
        offer(&world, &first.name, orders(0..10)).await.unwrap();
        let first = completed(&world, &first, 10).await;
        let counts = |read, accepted, duplicates| {
            Some(pb::ImportCounts { read, accepted, duplicates: Some(duplicates), rejected: 1 })
        };
        assert_eq!((first.state(), first.counts), (pb::ImportState::Completed, counts(11, 10, 0)));
        assert_eq!(first.report.as_ref().map(|report| report.ambiguous_times), Some(1));
        world.ingest(orders(5..6)).await;

        let second = begun(&world, "second").await;
        offer(&world, &second.name, orders(0..30)).await.unwrap();
        let second = completed(&world, &second, 30).await;
        assert_eq!((second.counts, stored(&world).await), (counts(31, 30, 10), 30));

        let gone = undone(&world, &second.name).await;
        assert_eq!((gone.state(), gone.removed, gone.kept), (pb::ImportState::Undone, 20, 10));
        assert_eq!((gone.counts, gone.undo_time.is_some()), (second.counts, true));
        assert_eq!(stored(&world).await, 10);
        assert_eq!(undone(&world, &second.name).await, gone, "doing it again changes nothing");

        let third = begun(&world, "third").await;
        offer(&world, &third.name, orders(0..30)).await.unwrap();
        assert_eq!(stored(&world).await, 30, "the same file again brings its events back");
        assert_eq!(undone(&world, &first.name).await.kept, 10);
        let running = undone(&world, &third.name).await;
        assert_eq!((running.removed, running.kept, running.counts), (29, 1, None));
        assert_eq!(stored(&world).await, 1, "what a call delivered stays");

        let list =
            pb::ListImportsRequest { parent: WORKSPACE.into(), filter: "state = UNDONE".into(), ..Default::default() };
        let listed = world.ingestion().list_imports(list).await.unwrap().into_inner().imports;
        assert_eq!(
            listed.iter().map(|import| import.display_name.as_str()).collect::<Vec<_>>(),
            ["first.csv", "second.csv", "third.csv"]
        );
        let happened: Vec<_> =
            world.announced().await.into_iter().filter(|event| event.starts_with("Import")).collect();
        assert_eq!(happened[2..6], ["ImportCreated", "ImportCompleted", "ImportUndoStarted", "ImportUndone"]);
        assert_eq!(happened.len(), 11);
    })
    .await;
}

#[tokio::test]
async fn what_an_import_does_not_allow_is_refused() {
    on_both(async |world| {
        let import = begun(&world, "orders").await;
        let refused = async |import: &str| refusal(offer(&world, import, orders(0..1)).await);
        let unknown = format!("{WORKSPACE}/imports/nope");
        assert_eq!(refused(&unknown).await.0, Code::NotFound);
        assert_eq!(refusal(world.ingestion().undo_import(undo(&unknown)).await).0, Code::NotFound);
        let elsewhere = refused("workspaces/other/imports/orders").await;
        assert_eq!((elsewhere.0, elsewhere.2), (Code::InvalidArgument, vec!["import".to_owned()]));
        assert_eq!(refused("orders").await.0, Code::InvalidArgument);

        let checked = pb::UndoImportRequest { validate_only: true, ..undo(&import.name) };
        world.ingestion().undo_import(checked).await.unwrap();
        assert_eq!(get(&world, &import.name).await, import, "a check changes nothing");
        let stale = pb::UndoImportRequest { etag: "7".into(), ..undo(&import.name) };
        assert_eq!(refusal(world.ingestion().undo_import(stale).await).0, Code::Aborted);

        let conflict = (Code::FailedPrecondition, "STATE_CONFLICT".to_owned(), Vec::new());
        let completed = completed(&world, &import, 0).await;
        assert_eq!(refused(&import.name).await, conflict);
        let request = pb::CompleteImportRequest { name: import.name.clone(), ..Default::default() };
        assert_eq!(refusal(world.ingestion().complete_import(request).await), conflict);
        let known = pb::UndoImportRequest { etag: completed.etag, ..undo(&import.name) };
        let gone = world.ingestion().undo_import(known.clone()).await.unwrap().into_inner();
        assert_eq!((gone.removed, gone.kept), (0, 0));
        assert_eq!(world.ingestion().undo_import(known).await.unwrap().into_inner(), gone);
        assert_eq!(refused(&import.name).await, conflict);
        assert_eq!(stored(&world).await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_undo_that_was_broken_off_is_finished() {
    on_both(async |world| {
        let import = begun(&world, "orders").await;
        offer(&world, &import.name, orders(0..10)).await.unwrap();
        // A folder that is away stands in for storage that does not answer.
        let (lake, away) = (world.folder.path().join("lake"), world.folder.path().join("away"));
        std::fs::rename(&lake, &away).unwrap();
        std::fs::write(&lake, "in the way").unwrap();
        let request = pb::UndoImportRequest { request_id: Uuid::from_u128(1).to_string(), ..undo(&import.name) };
        assert_eq!(refusal(world.ingestion().undo_import(request.clone()).await).0, Code::Unavailable);
        std::fs::remove_file(&lake).unwrap();
        std::fs::rename(&away, &lake).unwrap();

        assert_eq!(get(&world, &import.name).await.state(), pb::ImportState::Undoing);
        assert_eq!(refusal(offer(&world, &import.name, orders(10..11)).await).0, Code::FailedPrecondition);
        let finish = async || finish_undos(world.served.store(), &world.served.service.parts().lake).await.unwrap();
        assert_eq!((finish().await, finish().await), (1, 0));
        let finished = get(&world, &import.name).await;
        assert_eq!((finished.state(), finished.removed, stored(&world).await), (pb::ImportState::Undone, 10, 0));
        let repeated = world.ingestion().undo_import(request).await.unwrap().into_inner();
        assert_eq!(repeated, finished, "and the caller who asks again is told");
    })
    .await;
}

#[tokio::test]
async fn of_two_undos_at_once_both_tell_the_same() {
    on_both(async |world| {
        let import = begun(&world, "orders").await;
        offer(&world, &import.name, orders(0..10)).await.unwrap();
        let late = offer(&world, &import.name, orders(10..20));
        let (one, other, late) = tokio::join!(undone(&world, &import.name), undone(&world, &import.name), late);
        assert_eq!((one.state(), one.removed), (other.state(), other.removed));
        assert!(one.removed >= 10, "what comes meanwhile is counted or refused");
        assert!(late.is_ok_and(|answer| answer.get_ref().accepted == 10) || stored(&world).await == 0);
        assert_eq!(stored(&world).await, 0);
    })
    .await;
}

/// A metric that counts orders.
fn order_count() -> pb::Metric {
    pb::Metric {
        display_name: "Orders".into(),
        kind: pb::MetricKind::Count.into(),
        events: vec!["ordered".into()],
        ..Default::default()
    }
}

/// Events of one user each, at this time.
fn at_once(users: std::ops::Range<i64>, name: &str, time: DateTime<Utc>) -> Vec<pb::ProductEvent> {
    users.map(|user| event(user, &format!("user-{user}"), name, time)).collect()
}

#[tokio::test]
async fn what_was_made_of_events_that_are_gone_is_made_anew() {
    on_both(async |world| {
        world.orders(pb::MetricDirection::Increase).await;
        let many = pb::MetricAlert {
            threshold: Some(50.0),
            condition: pb::AlertCondition::Above.into(),
            ..Default::default()
        };
        let request = pb::CreateMetricRequest {
            parent: WORKSPACE.into(),
            metric_id: "many".into(),
            metric: Some(pb::Metric { alert: Some(many), ..order_count() }),
            ..Default::default()
        };
        world.metrics().create_metric(request).await.unwrap();
        let noon = at("2026-03-01T12:00:00Z");
        let later = noon + chrono::TimeDelta::hours(1);
        world.ingest([at_once(0..40, "ordered", noon), at_once(0..30, "paid", later)].concat()).await;
        world.ingest(vec![event("arrived", "bob", "opened", world.now())]).await;
        let wrong = begun(&world, "wrong").await;
        offer(&world, &wrong.name, at_once(100..160, "ordered", noon)).await.unwrap();

        let mut answers = Answers::new(&world.served.service.parts().lake);
        take_readings(world.served.store(), &mut answers).await.unwrap();
        let metric = async |id: &str| {
            let name = format!("{WORKSPACE}/metrics/{id}");
            world.metrics().get_metric(pb::GetMetricRequest { name }).await.unwrap().into_inner()
        };
        assert_eq!(metric("orders").await.latest.map(|latest| latest.value), Some(100.0));
        assert_eq!(metric("many").await.breach.map(|breach| breach.value), Some(100.0));
        let step = |event: &str| pb::FrictionStep { event: event.into(), ..Default::default() };
        let question = pb::Friction {
            steps: vec![step("ordered"), step("paid")],
            window_days: 1,
            start_time: Some(timestamp(at("2026-02-01T00:00:00Z"))),
            end_time: Some(timestamp(at("2026-03-01T13:00:00Z"))),
            ..Default::default()
        };
        world.advance(chrono::TimeDelta::days(2));
        let request = pb::FindFrictionRequest {
            parent: WORKSPACE.into(),
            friction_id: "paying".into(),
            friction: Some(question),
            ..Default::default()
        };
        let found = world.analysis().find_friction(request).await.unwrap().into_inner();
        let lost = |friction: &pb::Friction| friction.steps.iter().map(|step| step.lost).collect::<Vec<_>>();
        assert_eq!(lost(&found), [0, 70]);

        let before = world.announced().await.len();
        assert_eq!(undone(&world, &wrong.name).await.removed, 60);
        assert_eq!(metric("orders").await.latest.map(|latest| latest.value), Some(40.0));
        let many = metric("many").await;
        assert_eq!((many.breach, many.withdrawn.map(|withdrawn| withdrawn.value)), (None, Some(40.0)));
        let request = pb::GetFrictionRequest { name: found.name };
        assert_eq!(lost(world.analysis().get_friction(request).await.unwrap().get_ref()), [0, 10]);
        let announced = world.announced().await.split_off(before);
        let renewed = ["MetricBreachWithdrawn", "MetricMeasured", "FrictionFound"];
        assert_eq!(announced, [&["ImportUndoStarted"], &renewed[..], &["ImportUndone"]].concat());
    })
    .await;
}
