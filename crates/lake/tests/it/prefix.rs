//! Object storage whose credentials reach one folder of a bucket: all a lake does stays in its folder, and a workspace in
//! its own.

use std::time::Duration;

use waymark_lake::{Lake, LakeOptions};
use waymark_testkit::ObjectStorage;
use waymark_testkit::object_storage::BUCKET;

use crate::support::{options, stream};

fn lake(storage: &ObjectStorage, user: &str, folder: &str) -> Lake {
    let options = LakeOptions {
        storage_options: storage.settings(user).into_iter().collect(),
        target_file_rows: 200,
        merge_files: 3,
        vacuum_grace: Duration::ZERO,
        ..options()
    };
    Lake::open(&format!("s3://{BUCKET}/{folder}"), options).unwrap()
}

#[tokio::test]
async fn credentials_of_a_folder_are_enough_for_all_that_a_lake_does_and_for_no_other() {
    let users = [("waymark", "waymark"), ("acme", "waymark/acme"), ("other", "other")];
    let storage = ObjectStorage::start(&users).await.unwrap();
    let whole = lake(&storage, "waymark", "waymark");
    for batch in 0..4 {
        for workspace in ["acme", "rival"] {
            let taken = whole.ingest(workspace, stream(&format!("{workspace}-{batch}"), 100)).await.unwrap();
            assert_eq!(taken.accepted, 100);
        }
    }
    let compacted = whole.compact("acme").await.unwrap();
    assert!(compacted.rows_rewritten > 0 && compacted.files_after < compacted.files_before);
    whole.vacuum("acme").await.unwrap();
    assert_eq!(whole.catalogue("acme").await.unwrap().rows, 400);

    // A reader that has the credentials of one workspace reads that, and no other.
    let one = lake(&storage, "acme", "waymark");
    assert_eq!(one.catalogue("acme").await.unwrap().rows, 400);
    assert!(one.catalogue("rival").await.is_err());
    assert!(one.ingest("rival", stream("forged", 10)).await.is_err());
    let strange = lake(&storage, "other", "waymark");
    assert!(strange.catalogue("acme").await.is_err());
    assert!(strange.ingest("acme", stream("forged", 10)).await.is_err());
    assert_eq!(whole.catalogue("rival").await.unwrap().rows, 400, "nothing was added");
    for lake in [whole, one, strange] {
        lake.close().await;
    }
}
