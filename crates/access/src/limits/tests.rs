//! Limits by a file: rules, costs, streams, and files that are wrong or change.

use waymark_clock::ManualClock;

use super::*;

const FILE: &str = r#"
replicas: 2
costs: { read: 1, analysis: 50 }
principals:
- names: ["services/*"]
  rate: 200
  burst: 400
- names: ["users/corp/ada", "users/corp/b*b"]
  rate: 20
  burst: 100
  watches: 3
- names: ["*"]
  rate: 2
workspaces:
- names: ["workspaces/acme"]
  rate: 100
  burst: 120
"#;

async fn opened(content: &str) -> (tempfile::TempDir, ManualClock, Result<Arc<Limits>, SettingsError>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limits.yaml");
    std::fs::write(&path, content).unwrap();
    let (clock, hand) = Clock::manual(chrono::DateTime::UNIX_EPOCH);
    let limits = Limits::open(&path, ["read", "list", "analysis"], clock).await;
    (folder, hand, limits.map(Arc::new))
}

#[tokio::test]
async fn the_first_rule_that_fits_counts_for_one_replica() {
    let (_folder, _, limits) = opened(FILE).await;
    let (limits, now) = (limits.unwrap(), Instant::now());
    let spend = |who: &str, kind: &str| limits.spend(who, None, kind, now);
    for _ in 0..4 {
        assert_eq!(spend("services/ingest", "analysis"), Ok(()));
    }
    let refused = spend("services/ingest", "read").unwrap_err();
    assert_eq!((refused.whose(), refused.wait()), ("services/ingest", Some(Duration::from_millis(10))));
    assert_eq!(spend("users/corp/bob", "analysis"), Ok(()));
    assert!(spend("users/corp/bob", "list").is_err(), "what has no cost costs one");
    assert_eq!(spend("users/corp/ada", "analysis"), Ok(()), "another has a bucket of its own");
    for _ in 0..10 {
        assert_eq!(spend("users/other/ada", "read"), Ok(()), "what comes in ten seconds");
    }
    assert!(spend("users/other/ada", "read").is_err());
    assert_eq!(limits.counted().limited, 3);
}

#[tokio::test]
async fn what_a_workspace_lacks_costs_its_caller_nothing() {
    let (_folder, _, limits) = opened(FILE).await;
    let (limits, now) = (limits.unwrap(), Instant::now());
    let spend = |who: &str, workspace, kind| limits.spend(who, Some(workspace), kind, now);
    assert_eq!(spend("services/a", "workspaces/acme", "analysis"), Ok(()));
    assert_eq!(spend("services/b", "workspaces/other", "analysis"), Ok(()), "of which nothing is said");
    let refused = spend("services/b", "workspaces/acme", "analysis").unwrap_err();
    assert_eq!(refused.whose(), "workspaces/acme");
    assert_eq!(refused.wait(), Some(Duration::from_millis(800)));
    for _ in 0..3 {
        assert_eq!(spend("services/b", "workspaces/other", "analysis"), Ok(()));
    }
    assert!(spend("services/b", "workspaces/other", "read").is_err());
}

#[tokio::test]
async fn streams_are_counted_while_they_are_open() {
    let (_folder, _, limits) = opened(FILE).await;
    let limits = limits.unwrap();
    let held = [limits.watch("users/corp/ada").unwrap(), limits.watch("users/corp/ada").unwrap()];
    let refused = limits.watch("users/corp/ada").unwrap_err();
    assert_eq!(refused, Exceeded::Watches { whose: "users/corp/ada".into(), most: 2 });
    let _others: Vec<_> = (0..50).map(|_| limits.watch("services/ingest").unwrap()).collect();
    drop(held);
    assert!(limits.watch("users/corp/ada").is_ok());
    assert_eq!(limits.watches().len(), 1, "who has none takes no room");

    let (_folder, _, limits) = opened("principals: [{ names: [\"*\"], rate: 1, watches: 0 }]").await;
    let limits = limits.unwrap();
    assert!(limits.watch("users/corp/eve").is_err() && limits.watches().is_empty(), "nor who may have none");
}

#[tokio::test]
async fn a_changed_file_counts_and_a_bad_one_does_not() {
    let (folder, hand, limits) = opened(FILE).await;
    let (limits, now, path) = (limits.unwrap(), Instant::now(), folder.path().join("limits.yaml"));
    let look = async || {
        for _ in 0..2 {
            limits.look().await;
            hand.advance(Duration::from_secs(2));
        }
    };
    limits.spend("services/ingest", None, "analysis", now).unwrap();
    std::fs::write(&path, "principals: [{ names: [\"*\"], rate: 1, burst: 10 }]").unwrap();
    look().await;
    for _ in 0..10 {
        assert_eq!(limits.spend("services/ingest", None, "analysis", now), Ok(()), "costs are the new file's");
    }
    assert!(limits.spend("services/ingest", None, "read", now).is_err());
    for bad in ["principals: 7", "", "\u{0}"] {
        std::fs::write(&path, bad).unwrap();
        look().await;
        assert!(limits.spend("services/ingest", None, "read", now).is_err(), "{bad:?}");
    }
    std::fs::remove_file(&path).unwrap();
    look().await;
    let LimitsCounted { reloads, reloads_failed, .. } = limits.counted();
    assert_eq!((reloads, reloads_failed), (1, 4));
}

#[tokio::test]
async fn what_cannot_be_done_is_told_by_line_and_field() {
    for (content, line, said) in [
        ("replicas: 2", 1, "nobody would be limited"),
        ("replicas: 0\nprincipals: [{ names: [a], rate: 1 }]", 1, "replicas: there is at least one"),
        (
            "costs:\n  writes: 1\nprincipals: [{ names: [a], rate: 1 }]",
            2,
            "costs: writes is no kind of call; there are read, list, analysis",
        ),
        (
            "costs:\n  read: -1\nprincipals: [{ names: [a], rate: 1 }]",
            2,
            "costs: it must be a number of units from 0 to 1,000,000,000, not -1",
        ),
        ("principals:\n- names: [a]\n  rate: 0", 3, "rate: it must be a number of units from more than 0"),
        ("principals:\n- names: [a]\n  rate: .nan", 3, "rate: it must be"),
        ("principals:\n- names: [a]\n  rate: 1\n  burst: .5", 4, "burst: it must be a number of units from 1"),
        ("principals:\n- names: []\n  rate: 1", 2, "names: name at least one"),
        ("principals:\n- names: [\"a*b*\"]\n  rate: 1", 2, "names: each is a name in which one *"),
        ("workspaces:\n- names: [a]\n  rate: 1\n  watches: 1", 4, "watches: it is said of principals"),
        ("limits: 1", 1, "unknown field"),
    ] {
        let (_folder, _, limits) = opened(content).await;
        let Err(SettingsError::Wrong { line: at, what, .. }) = limits else { panic!("{content}: {limits:?}") };
        assert!(what.contains(said) && at == line, "{content}: {at}: {what}");
    }
}
