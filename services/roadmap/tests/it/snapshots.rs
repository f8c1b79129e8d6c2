//! Snapshots: read by name, kept when the log is trimmed, given up when they are deleted.

use std::collections::BTreeMap;

use tonic::{Code, Status};
use waymark_domain::WorkspaceId;
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::LogReaders;

use crate::plan::revision;
use crate::{Fixture, W, initiative_name, named, on_both, refusal};

fn name(id: &str) -> String {
    format!("{W}/snapshots/{id}")
}

fn workspace() -> WorkspaceId {
    W.parse().unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "as a message field wants it")]
fn snapshot(id: &str) -> Option<AsOf> {
    Some(AsOf { position: Some(as_of::Position::Snapshot(name(id))) })
}

/// Takes a snapshot of a revision, or of now when it is 0.
async fn take(f: &Fixture, id: &str, revision: i64) -> Result<pb::Snapshot, Status> {
    let snapshot = pb::Snapshot { display_name: id.into(), revision, ..Default::default() };
    let (parent, snapshot_id, snapshot) = (W.into(), id.into(), Some(snapshot));
    let request = pb::CreateSnapshotRequest { parent, snapshot_id, snapshot, ..Default::default() };
    f.roadmap().create_snapshot(request).await.map(tonic::Response::into_inner)
}

async fn delete(f: &Fixture, id: &str) {
    let request = pb::DeleteSnapshotRequest { name: name(id), ..Default::default() };
    f.roadmap().delete_snapshot(request).await.unwrap();
}

async fn roadmap(f: &Fixture, as_of: Option<AsOf>) -> Result<pb::GetRoadmapResponse, Status> {
    let request = pb::GetRoadmapRequest { parent: W.into(), as_of, ..Default::default() };
    f.roadmap().get_roadmap(request).await.map(tonic::Response::into_inner)
}

async fn change(f: &Fixture, id: &str, horizon: pb::Horizon) {
    let request =
        pb::MoveInitiativeRequest { name: initiative_name(id), horizon: horizon.into(), ..Default::default() };
    f.roadmap().move_initiative(request).await.unwrap();
}

/// Trims the log to a revision; tells how many events were forgotten.
async fn trim(f: &Fixture, revision: i64) -> u64 {
    let mut forgotten = 0;
    let store = f.served.store();
    while let Some(step) = store.trim_log(&workspace(), revision, &LogReaders::default()).await.unwrap() {
        forgotten += step;
    }
    forgotten
}

/// Forgets what was kept for snapshots that are gone; tells how many events that were.
async fn free(f: &Fixture) -> u64 {
    let mut forgotten = 0;
    while let Some(step) = f.served.store().free_log(&workspace()).await.unwrap() {
        forgotten += step;
    }
    forgotten
}

async fn now(f: &Fixture) -> i64 {
    f.served.store().revision(&workspace()).await.unwrap()
}

#[tokio::test]
async fn a_snapshot_is_read_by_name_however_far_the_log_is_trimmed() {
    on_both(async |f| {
        f.create("a", named("A")).await.unwrap();
        f.create("b", named("B")).await.unwrap();
        let taken = take(f, "board", 0).await.unwrap();
        assert_eq!(taken.revision, 3, "the revision that it makes");
        let then = roadmap(f, None).await.unwrap();
        change(f, "a", pb::Horizon::Next).await;
        change(f, "a", pb::Horizon::Now).await;
        let delete_b = pb::DeleteInitiativeRequest { name: initiative_name("b"), ..Default::default() };
        f.roadmap().delete_initiative(delete_b).await.unwrap();
        f.create("c", named("C")).await.unwrap();
        assert_eq!(roadmap(f, snapshot("board")).await.unwrap(), then);
        let diff = async |from| {
            let request = pb::DiffRoadmapRequest { parent: W.into(), from, ..Default::default() };
            f.roadmap().diff_roadmap(request).await.unwrap().into_inner()
        };
        let before = diff(snapshot("board")).await;
        assert_eq!((before.added.len(), before.removed.len(), before.changed.len()), (1, 1, 1));

        assert_eq!(trim(f, now(f).await).await, 1, "of a the event between; a and b as the snapshot has them stay");
        assert_eq!(roadmap(f, snapshot("board")).await.unwrap(), then);
        assert_eq!(roadmap(f, revision(3)).await.unwrap(), then, "by its number, too");
        let expired = (Code::OutOfRange, "REVISION_EXPIRED".to_owned());
        assert_eq!(refusal(roadmap(f, revision(4)).await), expired, "one that nobody holds is gone");
        let after = diff(snapshot("board")).await;
        assert_eq!((&after.added, &after.removed, &after.changed), (&before.added, &before.removed, &before.changed));
        let told = |diff: &pb::DiffRoadmapResponse| diff.reasons.iter().map(|of| of.events.len()).collect::<Vec<_>>();
        assert_eq!((told(&before), told(&after)), (vec![2, 1, 1], vec![1, 1, 1]), "what was trimmed is not told");

        // Held once more by number, as it can still be read.
        take(f, "again", 3).await.unwrap();
        assert_eq!(refusal(take(f, "late", 4).await), expired);
        assert_eq!(refusal(take(f, "early", 99).await), (Code::InvalidArgument, "REVISION_IN_FUTURE".into()));
        delete(f, "board").await;
        assert_eq!(refusal(roadmap(f, snapshot("board")).await).0, Code::NotFound);
        assert_eq!(free(f).await, 0, "another snapshot needs it");
        assert_eq!(roadmap(f, snapshot("again")).await.unwrap(), then);
        delete(f, "again").await;
        assert_eq!(refusal(roadmap(f, revision(3)).await), expired);
        assert_eq!((free(f).await, free(f).await), (2, 0));
    })
    .await;
}

#[tokio::test]
async fn what_holds_no_revision_is_refused() {
    on_both(async |f| {
        f.create("a", named("A")).await.unwrap();
        let of = |name: &str| Some(AsOf { position: Some(as_of::Position::Snapshot(name.into())) });
        for (name, code) in [
            ("", Code::InvalidArgument),
            ("board", Code::InvalidArgument),
            (initiative_name("a").as_str(), Code::InvalidArgument),
            (name("board").as_str(), Code::NotFound),
            ("workspaces/other/snapshots/board", Code::NotFound),
        ] {
            assert_eq!(refusal(roadmap(f, of(name)).await).0, code, "{name:?}");
        }
        take(f, "board", 1).await.unwrap();
        let update = pb::Snapshot { name: name("board"), revision: 2, ..Default::default() };
        let update_mask = Some(pbjson_types::FieldMask { paths: vec!["revision".into()] });
        let update = pb::UpdateSnapshotRequest { snapshot: Some(update), update_mask, ..Default::default() };
        assert_eq!(
            refusal(f.roadmap().update_snapshot(update).await).0,
            Code::InvalidArgument,
            "it is of one revision"
        );
    })
    .await;
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Whatever is changed, trimmed, taken and deleted, a snapshot that stands shows what it showed, and when none does the log
/// is what it would be had there never been one.
#[tokio::test]
async fn snapshots_that_stand_show_what_they_showed() {
    on_both(async |f| {
        let mut dice = Dice(11);
        let ids: Vec<String> = (0..5).map(|number| format!("i{number}")).collect();
        for id in &ids {
            f.create(id, named(id)).await.unwrap();
        }
        let mut standing: BTreeMap<String, pb::GetRoadmapResponse> = BTreeMap::new();
        for round in 0..120 {
            match dice.roll(10) {
                0..=5 => {
                    let id = &ids[dice.roll(ids.len() as u64) as usize];
                    change(f, id, pb::Horizon::try_from(1 + dice.roll(3) as i32).unwrap()).await;
                }
                6 | 7 => {
                    let id = format!("s{round}");
                    take(f, &id, 0).await.unwrap();
                    standing.insert(id.clone(), roadmap(f, snapshot(&id)).await.unwrap());
                }
                8 if !standing.is_empty() => {
                    let at = dice.roll(standing.len() as u64) as usize;
                    let id = standing.keys().nth(at).unwrap().clone();
                    standing.remove(&id);
                    delete(f, &id).await;
                    if dice.roll(2) == 0 {
                        free(f).await;
                    }
                }
                _ => {
                    let back = dice.roll(12) as i64;
                    trim(f, now(f).await - back).await;
                }
            }
            for (id, shown) in &standing {
                assert_eq!(&roadmap(f, snapshot(id)).await.unwrap(), shown, "{id} in round {round}");
            }
        }
        assert!(standing.len() > 3);
        for id in standing.keys() {
            delete(f, id).await;
        }
        free(f).await;
        let (earliest, _) = f.served.store().bounds("acme").await.unwrap();
        assert!(earliest > 50);
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        for row in f.served.store().read_log("acme", 0, 10_000).await.unwrap() {
            if row.revision <= earliest {
                *last.entry(row.subject()).or_default() += 1;
            }
        }
        assert!(last.len() > ids.len() && last.values().all(|events| *events == 1), "{last:?}");
    })
    .await;
}
