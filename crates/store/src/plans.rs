//! How the databases do what is done over and over, however much there is: by an index, never by reading a table.

mod unknown;

use chrono::DateTime;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, PostgresQueryBuilder, Query, QueryBuilder as _};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement, StatementBuilder};
use uuid::Uuid;
use waymark_domain::WorkspaceId;
use waymark_domain::roadmap::{Audience, Product};
use waymark_proto::Sight;
use waymark_proto::roadmap::v1 as pb;
use waymark_request::{Causation, Filter};
use waymark_testkit::addresses::CALLS;
use waymark_testkit::{Engine, host, sample};

use crate::db::LOOKED_AT;
use crate::filter::Fields;
use crate::statement::keyed;
use crate::{
    Column, ColumnKind, Columns, Range, Stretch, Table, access, branches, changes, cycles, freeing, history, inbox,
    integrity, list, log, members, mirror, past, publishing, resource, retention, sight, snapshot, stood, values, view,
    walk,
};

/// The table of the sample, traced.
struct Products;

impl Table for Products {
    type Resource = Product;
    type Message = pb::Product;
    const TABLE: &'static str = "products";
    const COLUMNS: Columns<Product> = &[
        Column::text("vision", |p: &Product| Some(p.vision.clone())).indexed().traced(),
        Column::integer("length", |_| None),
    ];
}

/// Many rows of what grows, of which a few are old.
const ROWS: &str = r"
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO requests (workspace, request_id, revision, time, answer)
    SELECT 'w' || (i % 200), 'r' || i, i, i, 'x' FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO inbox (consumer, event_id, time, source, workspace, type, revision)
    SELECT 'c', 'e' || i, i, 's', 'w' || (i % 200), 't', i FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO inbox_floors (consumer, source, workspace, type, first_revision, first_events, last_revision, last_events)
    SELECT 'c', 's', 'w' || i, 't', 1, 'a', 2, 'b' FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO dead_letters (workspace, event_id, source, event, error, attempts, time)
    SELECT 'w' || (i % 200), 'e' || i, 's', '{}', 'e', 1, 1 FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO log (workspace, revision, ordinal, event_id, type, collection, resource_id, time, actor, data, traced)
    SELECT 'w' || (i % 2), i, 0, 'e' || i, 't', 'products', 'r' || (i % 3000), i, 'a', CAST('{}' AS JSON_TYPE),
        'v' || (i % 500) FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
    INSERT INTO products (workspace, id, uid, version, display_name, create_time, update_time, body, vision)
    SELECT 'w1', 'r' || i, 'u', 1, 'p', 1, 1, '{}', 'v' || (i % 500) FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO workspaces (id, revision) SELECT 'w' || i, 20000 FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO relay_cursors (workspace, revision) SELECT 'w' || i, 20000 FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO links (workspace, referrer, field, target, holds)
    SELECT 'w1', 'initiatives/i' || i, 'product', 'products/p' || (i % 2), true FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO links (workspace, referrer, field, target, holds)
    SELECT 'w1', 'initiatives/i' || (i + 1), '~dependencies', 'initiatives/i' || i, false FROM n WHERE i % 4 > 0;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO labels (workspace, collection, key, value, id)
    SELECT 'w1', 'products', 'team', 't' || (i % 500), 'r' || i FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO held_events (workspace, held, revision, event_id) SELECT 'w' || (i % 2), i % 50, i, 'e' || i FROM n;";

/// What SQLite says of reading whole what holds few rows: those that are looked for, or those that were just found.
const FEW: [&str; 10] = [
    "CONSTANT ROW",
    "VALUES CLAUSE",
    "relay_cursors_rewound",
    "SCAN reach",
    "SCAN source0",
    "SCAN entries",
    "SCAN events",
    "SCAN once",
    "SCAN rows",
    "VIRTUAL TABLE INDEX 1:",
];

/// Has policies bind what a connection does from now on, as those of a role that has told this workspace.
async fn be_bound(connection: &DatabaseConnection, workspace: &str) {
    let tell = format!("SET {} = '{workspace}'", crate::told::SETTING);
    for statement in
        [&format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {CALLS}"), &format!("SET ROLE {CALLS}"), &tell]
    {
        connection.execute_unprepared(statement).await.unwrap();
    }
}

/// How many rows PostgreSQL looks at for a statement that it plans without its values, as it does once a connection has
/// sent it a few times.
async fn looked_at(connection: &DatabaseConnection, statement: &impl StatementBuilder) -> u64 {
    let Statement { sql, values, .. } = DbBackend::Postgres.build(statement);
    let values = values.map_or_else(Vec::new, |values| values.0);
    let values: Vec<_> = values.iter().map(|value| PostgresQueryBuilder.value_to_string(value)).collect();
    connection.execute_unprepared("SET plan_cache_mode = force_generic_plan").await.unwrap();
    connection.execute_unprepared(&format!("PREPARE one AS {sql}")).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, TIMING off) EXECUTE one ({})", values.join(", "));
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, explain)).await.unwrap();
    connection.execute_unprepared("DEALLOCATE one").await.unwrap();
    let lines = rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap());
    let found = |line: String| {
        let removed = line.split_once("Rows Removed by Filter: ").map(|(_, rows)| rows.to_owned());
        let read = line.split_once("(actual rows=").and_then(|(_, rest)| Some(rest.split_once(' ')?.0.to_owned()));
        removed.or(read).map_or(0, |rows| rows.parse().unwrap())
    };
    lines.map(found).max().unwrap()
}

#[tokio::test]
async fn rows_are_found_by_their_keys_whatever_is_known_of_a_table() {
    let (host, _) = host(7);
    let (_, database) = sample::store(Engine::Postgres, &host).await.unwrap();
    let connection = database.connect().await.unwrap();
    connection.execute_unprepared(&ROWS.replace("JSON_TYPE", "json")).await.unwrap();
    let more =
        "INSERT INTO products (workspace, id, uid, version, display_name, create_time, update_time, body, vision)
        SELECT 'w1', 's' || i, 'u', 1, 'p', 1, 1, '{}', 's' || i FROM generate_series(1, 40000) AS n(i)";
    connection.execute_unprepared(more).await.unwrap();
    let workspace = WorkspaceId::from_id("w1").unwrap();
    let backend = DbBackend::Postgres;
    let keys = |kind: &str| (0..50).map(|i| format!("{kind}{i}")).collect::<Vec<_>>();
    let from = keys("initiatives/i");
    let from = cycles::from_any(backend, &workspace, "dependencies", from.iter().map(String::as_str));
    let statements = [
        (resource::bodies_of::<Products>(backend, "w1", keys("r").iter().map(String::as_str)), 50),
        (resource::those::<Products>(backend, &workspace, "vision", &keys("v")).unwrap(), 300),
        (walk::referring(backend, &workspace, &keys("initiatives/i"), "", None, 50), 50),
        (from, 50),
    ];
    // Before and after a vacuum looked at them: chains of references need that.
    for (analyze, known, bound) in [("SELECT 1", 3, false), ("ANALYZE", 4, false), ("SELECT 1", 4, true)] {
        connection.execute_unprepared(analyze).await.unwrap();
        if bound {
            be_bound(&connection, "w1").await;
        }
        for (statement, most) in &statements[..known] {
            let looked_at = looked_at(&connection, statement).await;
            assert!(looked_at <= *most, "{looked_at} rows for {}", backend.build(statement).sql);
        }
    }
}

#[tokio::test]
async fn sqlite_looks_up_a_few_by_their_keys_though_an_index_has_all_that_is_asked_for() {
    let (host, _) = host(7);
    let (_, database) = sample::store(Engine::Sqlite, &host).await.unwrap();
    let connection = database.connect().await.unwrap();
    let index = "CREATE INDEX covering ON products (workspace, version, id, display_name, delete_time)";
    connection.execute_unprepared(index).await.unwrap();
    let ids: Vec<String> = (0..50).map(|i| format!("r{i}")).collect();
    let mut select = Query::select();
    select.columns(["id", "display_name", "delete_time"]).from("products");
    select.and_where(keyed(DbBackend::Sqlite, "w1", ids.iter().map(String::as_str)));
    let plan = plan(&connection, &select).await.join("\n");
    assert!(plan.contains("sqlite_autoindex_products_1 (workspace=? AND id=?)"), "{plan}");
}

/// An audience of a workspace.
fn customers(workspace: &str) -> Sight {
    let customers = pb::Audience {
        name: format!("workspaces/{workspace}/audiences/customers"),
        uid: Uuid::nil().to_string(),
        display_name: "c".into(),
        etag: "1".into(),
        create_time: Some(waymark_proto::Timestamp::default()),
        update_time: Some(waymark_proto::Timestamp::default()),
        ..Default::default()
    };
    Sight::from(&Audience::try_from(customers).unwrap())
}

/// The steps of the plan of a statement, line by line.
async fn plan(connection: &DatabaseConnection, statement: &impl StatementBuilder) -> Vec<String> {
    let backend = connection.get_database_backend();
    let (explain, column) = if backend == DbBackend::Postgres { ("EXPLAIN", 0) } else { ("EXPLAIN QUERY PLAN", 3) };
    let explain = Statement::from_string(backend, format!("{explain} {}", backend.build(statement)));
    let rows = connection.query_all_raw(explain).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(column).unwrap()).collect()
}

#[tokio::test]
async fn what_is_done_over_and_over_goes_by_an_index() {
    for (engine, bound) in [(Engine::Sqlite, false), (Engine::Postgres, false), (Engine::Postgres, true)] {
        let (host, _) = host(7);
        let (_, database) = sample::store(engine, &host).await.unwrap();
        let connection = database.connect().await.unwrap();
        let json = if engine == Engine::Postgres { "json" } else { "text" };
        connection.execute_unprepared(&ROWS.replace("JSON_TYPE", json)).await.unwrap();
        connection.execute_unprepared(&history::index::<Products>("vision").1).await.unwrap();
        // SQLite plans as it does for users: without statistics, which nothing there gathers.
        if engine == Engine::Postgres {
            connection.execute_unprepared("ANALYZE").await.unwrap();
            // Of tables as small as these it would rather read all.
            connection.execute_unprepared("SET enable_seqscan = off").await.unwrap();
        }
        if bound {
            be_bound(&connection, "w1").await;
        }
        let backend = engine.backend();
        let workspace = WorkspaceId::from_id("w1").unwrap();
        let old = DateTime::from_timestamp_micros(100).unwrap();
        let event = Causation {
            consumer: "c".into(),
            source: "s".into(),
            workspace: workspace.clone(),
            revision: 7,
            event_type: "t".into(),
            event_id: Uuid::nil(),
        };
        let events: Vec<String> = (0..500).map(|i| format!("e{i}")).collect();
        // Of a log as small as this a batch is so large a part that PostgreSQL would rather go by the workspace.
        let few: Vec<_> = (0..20).map(|i| (i, format!("e{i}"))).collect();
        let gone = ["initiatives/i7".to_owned(), "products/p1".to_owned()];
        let from = cycles::from_any(backend, &workspace, "dependencies", ["initiatives/i1", "initiatives/i2"]);
        let unread = inbox::known(&event, backend);
        let ids: Vec<String> = (0..20).map(|i| format!("r{i}")).collect();
        let visions: Vec<String> = (0..20).map(|i| format!("v{i}")).collect();
        let range = Range { column: "vision", after: ("v1", "r1"), below: "v2", only: None, size: 50, bytes: 1 << 20 };
        let mut part = view::states::<Products>(backend, &workspace, Some(9_000));
        part.and_where(Expr::col("id").gt("r1")).order_by("id", Order::Asc).limit(100);
        let changed = changes::changed::<Products>(backend, &workspace, 9_000, 9_400, (9_000, 0), Some((9_300, 0)), 50);
        let stretch = Stretch { column: "vision", after: ("v1", "r1"), below: "v2", events: 500 };
        let standing = stood::standing::<Products>(backend, &workspace, 9_000, stretch).unwrap();
        let by_id: [list::Ordered; 1] = [("id", ColumnKind::Text, false)];
        let fields = Fields::of::<Products>(backend, Some(&workspace));
        let sources = |filter: &str| {
            access::sources_of::<Products>(&fields, &workspace, &Filter::parse(filter).unwrap(), false).unwrap()
        };
        let size = |filter: &str| access::size(sources(filter).remove(0), 0, LOOKED_AT);
        let by_label = |filter: &str| {
            let ids = Box::new(sources(filter).remove(0).remove(0));
            let mut select = list::rows_of::<Products>(backend, &workspace, access::Access::Among(ids));
            select.and_where(Expr::col("delete_time").is_null());
            select.and_where(fields.condition(&Filter::parse(filter).unwrap()).unwrap());
            select.column("id").order_by("id", Order::Asc).limit(51).take()
        };
        let by_entries = |filter: &str| {
            let filter = Filter::parse(filter).unwrap();
            let entries = access::entries_of::<Products>(&fields, &workspace, &filter, &["id"]).unwrap().unwrap();
            let mut select = list::rows_of::<Products>(backend, &workspace, access::Access::Entries(Box::new(entries)));
            select.column("id").and_where(fields.condition(&filter).unwrap()).order_by("id", Order::Desc).take()
        };
        let targets = [1, 2].map(|i| format!("products/p{i}"));
        let customers = customers("w1");
        let product = "workspaces/w1/products/r1".parse().unwrap();
        // PostgreSQL tells what a recursion does only once it does it: see below, in `unknown`.
        let of_recursion = if engine == Engine::Postgres { "Recursive Union" } else { "log_products_vision" };
        for (plan, index) in [
            (plan(&connection, &size("labels.team = t1")).await, "labels_pkey"),
            (plan(&connection, &size("labels:team")).await, "labels_pkey"),
            (plan(&connection, &size("labels.team = t1 OR labels.team < b")).await, "labels_pkey"),
            (plan(&connection, &size("vision = v1")).await, "products_vision"),
            (plan(&connection, &by_label("labels.team = t1")).await, "labels_pkey"),
            (plan(&connection, &by_label("labels.team = t1")).await, "products_pkey"),
            (plan(&connection, &by_entries("vision = v1")).await, "products_vision"),
            (
                plan(&connection, &resource::last::<Products>(&workspace, "create_time", "vision", &visions).unwrap())
                    .await,
                "products_vision",
            ),
            (
                plan(&connection, &list::stretch::<Products>(&workspace, &by_id, None, 1_000).unwrap()).await,
                "products_pkey",
            ),
            (plan(&connection, &log::stretch(&workspace, Some((9_000, 0)), 1_000)).await, "log_pkey"),
            (plan(&connection, &walk::referring(backend, &workspace, &targets, "", None, 50)).await, "links_pkey"),
            (
                plan(&connection, &walk::referring(backend, &workspace, &targets, "product", None, 50)).await,
                "links_pkey",
            ),
            (
                plan(&connection, &walk::referring(backend, &workspace, &targets[..1], "", Some(("product", "x")), 50))
                    .await,
                "links_pkey",
            ),
            (
                plan(
                    &connection,
                    &walk::referring(backend, &workspace, &targets[..1], "product", Some(("product", "x")), 50),
                )
                .await,
                "links_pkey",
            ),
            (plan(&connection, &retention::old_requests(old, 1_000)).await, "requests_time"),
            (plan(&connection, &log::last_until(&workspace, 9_000)).await, "log_pkey"),
            (plan(&connection, &part).await, "log_resource"),
            (plan(&connection, &part).await, "products_pkey"),
            (
                plan(&connection, &history::once::<Products>(backend, &workspace, "vision", &visions).unwrap()).await,
                of_recursion,
            ),
            (plan(&connection, &view::in_order::<Products>(&workspace, range).unwrap()).await, "products_vision"),
            (
                plan(&connection, &values::between::<Products>(&workspace, "vision", ("v1", "r1"), "v2")).await,
                "products_vision",
            ),
            (plan(&connection, &branches::unset::<Products>(&workspace, "vision", "r1", 50)).await, "products_vision"),
            (plan(&connection, &history::once_unset::<Products>(backend, &workspace, "r1", 50)).await, of_recursion),
            (plan(&connection, &standing).await, "log_products_vision"),
            (plan(&connection, &standing).await, "log_resource"),
            (
                plan(&connection, &branches::occurring::<Products>(&workspace, "vision", &visions)).await,
                "products_vision",
            ),
            (
                plan(&connection, &history::events_of::<Products>(backend, &product, Some((9_000, 0)), 50)).await,
                "log_resource",
            ),
            (
                plan(&connection, &past::since::<Products>(backend, &workspace, 9_000, &["r1", "r2"])).await,
                "log_resource",
            ),
            (
                plan(&connection, &resource::those::<Products>(backend, &workspace, "vision", &visions).unwrap()).await,
                "products_vision",
            ),
            (
                plan(&connection, &members::valued::<Products>(&workspace, "vision", Some("v1"), "r1", 50)).await,
                "products_vision",
            ),
            (
                plan(&connection, &members::valued::<Products>(&workspace, "vision", None, "r1", 50)).await,
                "products_vision",
            ),
            (
                plan(&connection, &members::labelled::<Products>(&workspace, ("team", "t1"), "r1", 50)).await,
                "labels_pkey",
            ),
            (
                plan(&connection, &members::next_value::<Products>(&workspace, "vision", Some("v1"))).await,
                "products_vision",
            ),
            (plan(&connection, &members::next_value::<Products>(&workspace, "vision", None)).await, "products_vision"),
            (plan(&connection, &members::next_label::<Products>(&workspace, "team", Some("t1"))).await, "labels_pkey"),
            (plan(&connection, &sight::shown::<Products>(&workspace, &customers, "r1", 50)).await, "links_pkey"),
            (plan(&connection, &sight::among(&customers, targets.iter().map(String::as_str))).await, "links_pkey"),
            (
                plan(&connection, &changes::reasons::<Products>(backend, &workspace, (9_000, 9_400), &ids, 10)).await,
                "log_resource",
            ),
            (
                plan(&connection, &members::referrers(backend, &workspace, "product", &targets, "x", 50)).await,
                "links_pkey",
            ),
            (plan(&connection, &freeing::next(&workspace, 7)).await, "held_events_pkey"),
            (plan(&connection, &freeing::kept(&workspace, 7)).await, "held_events_pkey"),
            (plan(&connection, &freeing::unkeep(&workspace, 7, &few)).await, "held_events_pkey"),
            (plan(&connection, &snapshot::behind("products", "w1", "r1")).await, "products_pkey"),
            (
                plan(&connection, &mirror::known(backend, "products", true, &[("w1", "r1"), ("w2", "r2")])).await,
                "products_pkey",
            ),
            (
                plan(&connection, &mirror::known(backend, "products", true, &[("w1", "r1"), ("w1", "r9")])).await,
                "products_pkey",
            ),
            (plan(&connection, &changes::end(backend, &workspace, (9_000, 0), 19_000)).await, "log_pkey"),
            (plan(&connection, &changed).await, "log_pkey"),
            (plan(&connection, &changed).await, "log_resource"),
            (plan(&connection, &retention::step_end(&workspace, 9_000, 19_000)).await, "log_pkey"),
            (plan(&connection, &retention::superseded(&workspace, 9_000, 9_400)).await, "log_resource"),
            (plan(&connection, &retention::advance(&workspace, 9_000, 9_400)).await, "workspaces_pkey"),
            (plan(&connection, &freeing::forget(&workspace, &few)).await, "log_pkey"),
            (
                plan(&connection, publishing::rewound(None, 512).column(("workspaces", "id"))).await,
                "relay_cursors_rewound",
            ),
            (plan(&connection, &inbox::old(old, 500)).await, "inbox_time"),
            (plan(&connection, &inbox::forget("c", &events)).await, "inbox_pkey"),
            (plan(&connection, &inbox::find_handled(&event, backend)).await, "inbox_floors_pkey"),
            (plan(&connection, &inbox::note(&event, backend, old).unwrap()).await, "inbox_floors_pkey"),
            (plan(&connection, Query::select().expr(unread)).await, "inbox_floors_pkey"),
            (plan(&connection, &integrity::needed(&workspace, &gone, true)).await, "links_pkey"),
            (
                plan(&connection, &integrity::referring(&workspace, "initiatives/", "products/p1", &["product"])).await,
                "links_pkey",
            ),
            (plan(&connection, &cycles::chains(&workspace, "initiatives", "dependencies")).await, "links_pkey"),
            (
                plan(&connection, &cycles::leads_back(&workspace, "dependencies", "initiatives/i1", "initiatives/i2"))
                    .await,
                "links_pkey",
            ),
            (plan(&connection, &from).await, "links_pkey"),
            (plan(&connection, &cycles::edges(&workspace, "dependencies", from.clone())).await, "links_pkey"),
        ] {
            let text = plan.join("\n");
            let whole = |line: &&String| {
                let few = FEW.iter().any(|end| line.ends_with(end));
                line.contains("Seq Scan") || (line.starts_with("SCAN ") && !few)
            };
            assert_eq!(plan.iter().find(whole), None, "{engine:?}, bound: {bound}, reads a table for {index}:\n{text}");
            // SQLite calls the index of a primary key after its table.
            let name = match (backend, index.strip_suffix("_pkey")) {
                // A table that is its own index.
                (DbBackend::Sqlite, Some("links")) => "PRIMARY KEY (workspace=? AND target".to_owned(),
                (DbBackend::Sqlite, Some("labels")) => "PRIMARY KEY (workspace=? AND collection=? AND key=?".to_owned(),
                (DbBackend::Sqlite, Some(table)) => format!("sqlite_autoindex_{table}_1"),
                _ => index.to_owned(),
            };
            assert!(text.contains(&name), "{engine:?}, bound: {bound}, does not use {name}:\n{text}");
        }
    }
}

#[tokio::test]
async fn an_index_of_the_rows_that_have_a_value_serves_what_compares_it() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (_, database) = sample::store(engine, &host).await.unwrap();
        let connection = database.connect().await.unwrap();
        let json = if engine == Engine::Postgres { "json" } else { "text" };
        connection.execute_unprepared(&ROWS.replace("JSON_TYPE", json)).await.unwrap();
        let sparse = "DROP INDEX products_vision;
            CREATE INDEX products_sparse ON products (workspace, vision, id) WHERE vision IS NOT NULL;";
        connection.execute_unprepared(sparse).await.unwrap();
        if engine == Engine::Postgres {
            connection.execute_unprepared("ANALYZE").await.unwrap();
        }
        let workspace = WorkspaceId::from_id("w1").unwrap();
        let range = Range { column: "vision", after: ("v1", "r1"), below: "v2", only: None, size: 50, bytes: 1 << 20 };
        let select = view::in_order::<Products>(&workspace, range).unwrap();
        let text = plan(&connection, &select).await.join("\n");
        assert!(text.contains("products_sparse"), "{engine:?} does not use it:\n{text}");
        if engine == Engine::Postgres {
            let rows = looked_at(&connection, &select).await;
            assert!(rows <= 51, "{rows} rows for a page, when the statement is planned without its values");
        }
    }
}
