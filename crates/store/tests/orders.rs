//! Orders of lists in a large workspace: those that an index has are read, others are sorted only where few rows are.
//! Whatever was deleted, a page passes over some rows at most.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use waymark_store::{Error, ListQuery, Store};
use waymark_testkit::sample::{self, Products};
use waymark_testkit::{Engine, TestDatabase, host};

/// A workspace with products p10001 and so on until `last`; those before `live` are deleted.
async fn filled(engine: Engine, last: u32, live: u32) -> (Store, TestDatabase) {
    let (host, _) = host(7);
    let (store, database) = sample::store(engine, &host).await.unwrap();
    let json = if engine == Engine::Postgres { "json" } else { "text" };
    let columns = "workspace, id, uid, version, display_name, create_time, update_time, delete_time, vision, body";
    let rows = format!(
        "WITH RECURSIVE n(i) AS (SELECT 10001 UNION ALL SELECT i + 1 FROM n WHERE i < {last})
         INSERT INTO products ({columns})
         SELECT 'acme', 'p' || i, 'u', 1, 'Product ' || (99999 - i), 1, 1, CASE WHEN i < {live} THEN 1 END, 'v',
                CAST('{{\"name\":\"workspaces/acme/products/p' || i || '\"}}' AS {json}) FROM n"
    );
    database.execute(&[&rows]).await.unwrap();
    (store, database)
}

#[tokio::test]
async fn an_order_that_is_not_kept_is_refused_where_there_are_many_rows() {
    for engine in Engine::each() {
        let (store, _database) = filled(engine, 15_001, 0).await;
        let list = async |order_by, filter| {
            let query = ListQuery { parent: "workspaces/acme", order_by, filter, page_size: 1, ..ListQuery::default() };
            let page = store.list::<Products>(query).await?;
            Ok::<_, Error>(page.items[0].name.rsplit('/').next().unwrap().to_owned())
        };
        assert_eq!(list("", "").await.unwrap(), "p10001");
        assert_eq!(list("id desc", "").await.unwrap(), "p15001");
        for order in ["display_name", "create_time desc, id", "display_name, id desc"] {
            let refused = list(order, "").await.unwrap_err();
            assert!(matches!(refused, Error::Order(_)), "{refused}");
            assert!(refused.to_string().contains("more than 5000 products"), "{refused}");
        }
        let refused = list("display_name", "id != p15001").await.unwrap_err();
        assert!(refused.to_string().contains("would have to be looked at"), "the filter selects fewer: {refused}");
        assert_eq!(
            list("display_name", "id < p15001").await.unwrap(),
            "p15000",
            "an index finds as many as are sorted"
        );
    }
}

#[tokio::test]
async fn a_page_passes_over_some_deleted_rows_at_most() {
    for engine in Engine::each() {
        let (store, _database) = filled(engine, 13_003, 13_001).await;
        let pages = async |filter, order_by, page_size, show_deleted| {
            let (mut pages, mut token) = (Vec::new(), String::new());
            loop {
                let query = ListQuery {
                    parent: "workspaces/acme",
                    page_size,
                    page_token: &token,
                    filter,
                    order_by,
                    show_deleted,
                    ..Default::default()
                };
                let page = store.list::<Products>(query).await.unwrap();
                pages.push(page.items.len());
                token = page.next_page_token;
                if token.is_empty() || pages.len() == 9 {
                    return pages;
                }
            }
        };
        for (filter, order_by) in [("", ""), ("vision = v", "")] {
            assert_eq!(pages(filter, order_by, 2, false).await, [0, 0, 0, 2, 1], "{engine:?} {filter:?}");
            assert_eq!(pages(filter, order_by, 1_000, false).await, [0, 3], "twice as many as on a page");
            assert_eq!(pages(filter, order_by, 1_000, true).await, [1_000, 1_000, 1_000, 3]);
        }
        assert_eq!(pages("", "id desc", 2, false).await, [2, 1, 0, 0, 0], "{engine:?}");
    }
}
