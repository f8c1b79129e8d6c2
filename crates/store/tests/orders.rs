//! Orders of lists in a large workspace: those that an index has are read, others are sorted only where few rows are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use waymark_store::{Error, ListQuery};
use waymark_testkit::sample::{self, Products};
use waymark_testkit::{Engine, host};

#[tokio::test]
async fn an_order_that_is_not_kept_is_refused_where_there_are_many_rows() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (store, database) = sample::store(engine, &host).await.unwrap();
        let json = if engine == Engine::Postgres { "json" } else { "text" };
        let columns = "workspace, id, uid, version, display_name, create_time, update_time, body";
        let rows = format!(
            "WITH RECURSIVE n(i) AS (SELECT 10001 UNION ALL SELECT i + 1 FROM n WHERE i < 20001)
             INSERT INTO products ({columns})
             SELECT 'acme', 'p' || i, 'u', 1, 'Product ' || (99999 - i), 1, 1,
                    CAST('{{\"name\":\"workspaces/acme/products/p' || i || '\"}}' AS {json}) FROM n"
        );
        database.execute(&[&rows]).await.unwrap();
        let list = async |order_by, filter| {
            let query = ListQuery { parent: "workspaces/acme", order_by, filter, page_size: 1, ..ListQuery::default() };
            let page = store.list::<Products>(query).await?;
            Ok::<_, Error>(page.items[0].name.rsplit('/').next().unwrap().to_owned())
        };
        assert_eq!(list("", "").await.unwrap(), "p10001");
        assert_eq!(list("id desc", "").await.unwrap(), "p20001");
        for order in ["display_name", "create_time desc, id", "display_name, id desc"] {
            let refused = list(order, "").await.unwrap_err();
            assert!(matches!(refused, Error::Order(_)), "{refused}");
            assert!(refused.to_string().contains("more than 10000 products"), "{refused}");
        }
        let refused = list("display_name", "id != p20001").await.unwrap_err();
        assert!(refused.to_string().contains("would have to be looked at"), "the filter selects fewer: {refused}");
        assert_eq!(
            list("display_name", "id < p20001").await.unwrap(),
            "p20000",
            "an index finds as many as are sorted"
        );
    }
}
