//! Entries of the audit, on both databases: kept as they came, listed by pages, changed by nobody.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::ConnectionTrait as _;
use waymark_domain::{Failure as _, WorkspaceId};
use waymark_proto::access::v1::{AuditDecision, AuditEntry};
use waymark_proto::convert::timestamp;
use waymark_store::{AuditFilter, Store};
use waymark_testkit::sample::store;
use waymark_testkit::schema::{execute, text};
use waymark_testkit::{Engine, NOW, host};

fn entry(number: u32, workspace: &str) -> AuditEntry {
    let decision = if number.is_multiple_of(10) { AuditDecision::Allowed } else { AuditDecision::Refused };
    AuditEntry {
        id: format!("id-{number:04}"),
        time: Some(timestamp(NOW + TimeDelta::seconds((number / 2).into()))),
        workspace: format!("workspaces/{workspace}"),
        principal: format!("users/corp/u{}", number % 3),
        issuer: "corp".into(),
        token_id: "t".into(),
        peer: "192.0.2.1".into(),
        user_agent: "agent\0 'x'".into(),
        action: "S/Get".into(),
        decision: decision.into(),
        policies: vec!["a,b".into(), "c".into()],
        reason: "PERMISSION_DENIED".into(),
        request_id: "r".into(),
        trace_id: "d".into(),
        latency: Some(Duration::from_micros(1_500_001).into()),
        count: number.into(),
    }
}

async fn filled(engine: Engine) -> (Store, waymark_testkit::TestDatabase) {
    let (host, _) = host(7);
    let (store, database) = store(engine, &host).await.unwrap();
    let entries: Vec<_> = (0..60).map(|number| entry(number, if number < 50 { "acme" } else { "other" })).collect();
    for part in entries.chunks(25) {
        store.add_audit(part).await.unwrap();
    }
    (store, database)
}

/// The numbers of all entries that a filter selects, and how many pages they were on.
async fn numbers(store: &Store, filter: &str, page_size: i32) -> (Vec<i64>, usize) {
    let acme: WorkspaceId = "workspaces/acme".parse().unwrap();
    let (mut numbers, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let query = AuditFilter { filter, page_size, page_token: &token };
        let page = store.list_audit(&acme, query).await.unwrap();
        numbers.extend(page.items.iter().map(|entry| entry.count));
        pages += 1;
        token = page.next_page_token;
        if token.is_empty() {
            return (numbers, pages);
        }
    }
}

#[tokio::test]
async fn entries_are_listed_newest_first_by_pages_and_filters() {
    for engine in Engine::each() {
        let (store, _database) = filled(engine).await;
        let acme: WorkspaceId = "workspaces/acme".parse().unwrap();
        let page = store.list_audit(&acme, AuditFilter { page_size: 1, ..AuditFilter::default() }).await.unwrap();
        let expected = AuditEntry { user_agent: "agent 'x'".into(), ..entry(49, "acme") };
        assert_eq!(page.items, [expected], "{engine:?}");
        let all: Vec<i64> = (0..50).rev().collect();
        assert_eq!(numbers(&store, "", 7).await, (all.clone(), 8), "{engine:?}");
        let ours = |such: fn(i64) -> bool| all.iter().copied().filter(|number| such(*number)).collect::<Vec<_>>();
        for (filter, such) in [
            ("decision = ALLOWED", (|number| number % 10 == 0) as fn(i64) -> bool),
            ("decision = refused principal = \"users/corp/u1\"", |number| number % 10 != 0 && number % 3 == 1),
            ("time < 2026-03-02T09:00:05Z", |number| number < 10),
            ("count > 45 AND reason:PERMISSION", |number| number > 45),
            ("principal = nobody", |_| false),
        ] {
            assert_eq!(numbers(&store, filter, 4).await.0, ours(such), "{engine:?} {filter}");
            // However little it selects, a page looks at so many.
            let little = store.clone().looking_at(8);
            let (found, pages) = numbers(&little, filter, 4).await;
            assert!(found == ours(such) && pages >= 7, "{engine:?} {filter}: {found:?} on {pages} pages");
        }
        for wrong in ["workspace = acme", "decision = MAYBE", "policies:a", "time > yesterday"] {
            let query = AuditFilter { filter: wrong, ..AuditFilter::default() };
            assert_eq!(store.list_audit(&acme, query).await.unwrap_err().reason().name(), "INVALID_FILTER", "{wrong}");
        }
        let first = store.list_audit(&acme, AuditFilter { page_size: 1, ..AuditFilter::default() }).await.unwrap();
        let other: WorkspaceId = "workspaces/other".parse().unwrap();
        let query = AuditFilter { page_token: &first.next_page_token, ..AuditFilter::default() };
        assert_eq!(store.list_audit(&other, query).await.unwrap_err().reason().name(), "INVALID_PAGE_TOKEN");
    }
}

#[tokio::test]
async fn what_came_twice_is_there_once() {
    for engine in Engine::each() {
        let (store, database) = filled(engine).await;
        let again = AuditEntry { reason: "other".into(), ..entry(3, "acme") };
        store.add_audit(&[entry(2, "acme"), again, entry(90, "acme")]).await.unwrap();
        let counted = "SELECT count(*) || ' ' || sum(CASE reason WHEN 'other' THEN 1 ELSE 0 END) FROM audit_entries";
        assert_eq!(text(database.url(), counted).await.unwrap(), "61 0", "{engine:?}");
    }
}

#[tokio::test]
async fn nobody_changes_an_entry_and_only_what_is_old_goes() {
    for engine in Engine::each() {
        let (store, database) = filled(engine).await;
        let all = "SELECT count(*) || ' ' || min(count) || ' ' || max(reason) FROM audit_entries";
        let before = text(database.url(), all).await.unwrap();
        let mut refused = vec![
            "UPDATE audit_entries SET reason = 'none'",
            "UPDATE audit_entries SET time = 0 WHERE id = 'id-0003'",
            "DELETE FROM audit_entries",
            "DELETE FROM audit_entries WHERE id = 'id-0003'",
            "DELETE FROM audit_floor",
            "UPDATE audit_floor SET time = -1",
            "INSERT INTO audit_floor (single, time) VALUES (2, 0)",
        ];
        if engine == Engine::Postgres {
            refused.extend(["TRUNCATE audit_entries", "TRUNCATE audit_floor"]);
        }
        for statement in refused {
            assert!(execute(database.url(), statement).await.is_err(), "{engine:?}: {statement}");
        }
        if engine == Engine::Sqlite {
            // It is passed over, and says so to nobody.
            let replace = "REPLACE INTO audit_entries SELECT workspace, time, id, '', '', '', '', '', '', '', '[]', 'z', '', '', 0, 0
                FROM audit_entries";
            execute(database.url(), replace).await.unwrap();
        }
        assert_eq!(text(database.url(), all).await.unwrap(), before, "{engine:?}");
        let old = NOW + TimeDelta::seconds(5);
        let mut forgotten = Vec::new();
        while forgotten.last() != Some(&0) {
            forgotten.push(store.forget_audit(old, 4).await.unwrap());
        }
        assert_eq!(forgotten, [4, 4, 2, 0], "{engine:?}");
        assert_eq!(numbers(&store, "", 100).await.0.last(), Some(&10));
        // A shorter time is no way back.
        store.forget_audit(NOW, 4).await.unwrap();
        let floor = text(database.url(), "SELECT CAST(time AS text) FROM audit_floor").await.unwrap();
        assert_eq!(floor, old.timestamp_micros().to_string(), "{engine:?}: it tells what may be missing");
    }
}

#[tokio::test]
async fn a_full_disk_is_a_failure_that_passes() {
    let (store, _database) = filled(Engine::Sqlite).await;
    // A limit of the connection stands in for the disk.
    store.writer().execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
    let many: Vec<_> = (100..400).map(|number| entry(number, "acme")).collect();
    let error = store.add_audit(&many).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    store.writer().execute_unprepared("PRAGMA max_page_count = 1073741823").await.unwrap();
    store.add_audit(&many).await.unwrap();
    assert_eq!(numbers(&store, "count >= 100", 1_000).await.0.len(), 300, "all or none");
}
