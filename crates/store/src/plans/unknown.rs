//! What PostgreSQL reads of a workspace that its statistics do not know, as they were gathered before there was anything in
//! it: of its past, and of what many keys lead to.

use sea_orm::sea_query::{PostgresQueryBuilder, QueryBuilder as _};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement, StatementBuilder};
use waymark_domain::WorkspaceId;
use waymark_testkit::{Engine, host, sample};

use super::{Products, ROWS, be_bound, customers};
use crate::statement::keyed;
use crate::{Stretch, changes, cycles, history, past, resource, sight, stood, view, walk};

/// Two workspaces, of which one comes before all that are known and one behind them. Of each 3,000 products, of which a
/// hundred never had a vision; the others had one of five hundred, four times over.
const SINCE: &str = r"
    INSERT INTO log (workspace, revision, ordinal, event_id, type, collection, resource_id, time, actor, data, traced)
    SELECT w, i, 0, 'e' || i, 't', 'products', 'r' || (i % 3000), i, 'a', json '{}',
        CASE WHEN i % 3000 >= 100 THEN 'v' || (i % 500) END
    FROM generate_series(1, 12000) AS n(i), (VALUES ('a'), ('x')) AS new(w);
    INSERT INTO products (workspace, id, uid, version, display_name, create_time, update_time, body, vision)
    SELECT w, 'r' || i, 'u', 1, 'p', 1, 1, '{}', 'v' || (i % 500)
    FROM generate_series(0, 2999) AS n(i), (VALUES ('a'), ('x')) AS new(w);
    INSERT INTO links (workspace, referrer, field, target, holds)
    SELECT w, referrer || i, field, target, true
    FROM generate_series(0, 19999) AS n(i), (VALUES ('a'), ('x')) AS new(w), LATERAL (VALUES
        ('initiatives/i', 'product', 'products/r' || i), ('products/r', '~product', 'initiatives/i' || i),
        ('products/r', 'audiences', 'audiences/customers')) AS all_of(referrer, field, target);";

/// How many rows a statement finds, and how many pages are looked at for that.
async fn cost(connection: &DatabaseConnection, mode: &str, statement: &impl StatementBuilder) -> (usize, u64) {
    let Statement { sql, values, .. } = DbBackend::Postgres.build(statement);
    let values = values.map_or_else(Vec::new, |values| values.0);
    let values: Vec<_> = values.iter().map(|value| PostgresQueryBuilder.value_to_string(value)).collect();
    connection.execute_unprepared(&format!("SET plan_cache_mode = {mode}")).await.unwrap();
    connection.execute_unprepared(&format!("PREPARE one AS {sql}")).await.unwrap();
    let execute = format!("EXECUTE one ({})", values.join(", "));
    let query = async |sql| connection.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
    let found = query(execute.clone()).await.len();
    let explained = query(format!("EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) {execute}")).await;
    connection.execute_unprepared("DEALLOCATE one").await.unwrap();
    let plan = &explained[0].try_get_by_index::<serde_json::Value>(0).unwrap()[0]["Plan"];
    let pages = ["Shared Hit Blocks", "Shared Read Blocks"].map(|kind| plan[kind].as_u64().unwrap());
    (found, pages.into_iter().sum())
}

#[tokio::test]
async fn rows_are_found_by_their_indexes_though_nothing_is_known_of_a_workspace() {
    let (host, _) = host(7);
    let (_, database) = sample::store(Engine::Postgres, &host).await.unwrap();
    let connection = database.connect().await.unwrap();
    connection.execute_unprepared("ALTER TABLE log SET (autovacuum_enabled = off)").await.unwrap();
    connection.execute_unprepared("ALTER TABLE products SET (autovacuum_enabled = off)").await.unwrap();
    connection.execute_unprepared("ALTER TABLE links SET (autovacuum_enabled = off)").await.unwrap();
    connection.execute_unprepared(&ROWS.replace("JSON_TYPE", "json")).await.unwrap();
    connection.execute_unprepared(&history::index::<Products>("vision").1).await.unwrap();
    connection.execute_unprepared("ANALYZE").await.unwrap();
    connection.execute_unprepared(SINCE).await.unwrap();
    let backend = DbBackend::Postgres;
    for (workspace, bound) in [("a", false), ("x", false), ("a", true), ("x", true)] {
        let workspace = WorkspaceId::from_id(workspace).unwrap();
        if bound {
            be_bound(&connection, workspace.id()).await;
        }
        let ids: Vec<String> = (100..120).map(|i| format!("r{i}")).collect();
        let texts: Vec<&str> = ids.iter().map(String::as_str).collect();
        let visions: Vec<String> = (100..120).map(|i| format!("v{i}")).collect();
        let product = format!("workspaces/{}/products/r100", workspace.id()).parse().unwrap();
        let mut states = view::states::<Products>(backend, &workspace, Some(9_000));
        states.and_where(keyed(backend, workspace.id(), texts.iter().copied()));
        let once = history::once::<Products>(backend, &workspace, "vision", &visions).unwrap();
        let once_unset = history::once_unset::<Products>(backend, &workspace, "", 20);
        let stretch = Stretch { column: "vision", after: ("v100", ""), below: "v11", events: 200 };
        let standing = stood::standing::<Products>(backend, &workspace, 9_000, stretch).unwrap();
        let events = history::events_of::<Products>(backend, &product, None, 50);
        let changed = changes::changed::<Products>(backend, &workspace, 8_960, 9_000, (8_960, 0), None, 50);
        let reasons = changes::reasons::<Products>(backend, &workspace, (0, 9_000), &ids, 10);
        let since = past::since::<Products>(backend, &workspace, 9_000, &texts);
        let many: Vec<String> = (0..200).map(|i| format!("products/r{i}")).collect();
        let referring = walk::referring(backend, &workspace, &many, "product", None, 14_000);
        let mut those = resource::those::<Products>(backend, &workspace, "vision", &visions).unwrap();
        let those = those.limit(14_000).take();
        let among = sight::among(&customers(workspace.id()), many.iter().map(String::as_str));
        let initiatives: Vec<String> = (0..200).map(|i| format!("initiatives/i{i}")).collect();
        let from = cycles::from_any(backend, &workspace, "product", initiatives.iter().map(String::as_str));
        for mode in ["force_custom_plan", "force_generic_plan"] {
            // Each look into an index takes two or three pages, and one for its row.
            for (what, (found, pages), expected, most) in [
                ("once", cost(&connection, mode, &once).await, 120, 160 * 4),
                ("once unset", cost(&connection, mode, &once_unset).await, 21, 21 * 4),
                ("standing", cost(&connection, mode, &standing).await, 180, 180 * 8),
                ("states", cost(&connection, mode, &states).await, 20, 20 * 8),
                ("events", cost(&connection, mode, &events).await, 4, 8),
                ("changed", cost(&connection, mode, &changed).await, 40, 40 * 10),
                ("reasons", cost(&connection, mode, &reasons).await, 20, 20 * 8),
                ("since", cost(&connection, mode, &since).await, 20, 20 * 8),
                ("referring", cost(&connection, mode, &referring).await, 200, 200 * 5),
                ("those", cost(&connection, mode, &those).await, 120, 120 * 5),
                ("among", cost(&connection, mode, &among).await, 200, 200 * 5),
                ("from", cost(&connection, mode, &from).await, 200, 200 * 5),
            ] {
                assert_eq!(found, expected, "{what}");
                assert!(
                    pages <= most,
                    "{pages} pages and not {most} for {what} in {workspace} with {mode}, bound: {bound}"
                );
            }
        }
    }
}
