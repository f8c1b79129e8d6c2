//! The services' schemas: frozen where they were released, equal to what is declared, and reached from databases of
//! before.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use waymark_e2e::SCHEMAS;
use waymark_store::Script;
use waymark_store::schema::foundation;
use waymark_testkit::Engine;
use waymark_testkit::schema::{CHECKSUMS, catalogue, empty, execute, frozen, migrate, missing, store, text};

/// A database made before migrations were frozen: the statements as they were run then.
const FOUNDATION_BEFORE: Script = Script {
    postgres: include_str!("schema/before/foundation.postgres.sql"),
    sqlite: include_str!("schema/before/foundation.sqlite.sql"),
};
const SERVICES_BEFORE: [(&str, Script); 3] = [
    (
        "discovery",
        Script {
            postgres: include_str!("schema/before/discovery.postgres.sql"),
            sqlite: include_str!("schema/before/discovery.sqlite.sql"),
        },
    ),
    (
        "roadmap",
        Script {
            postgres: include_str!("schema/before/roadmap.postgres.sql"),
            sqlite: include_str!("schema/before/roadmap.sqlite.sql"),
        },
    ),
    (
        "metrics",
        Script {
            postgres: include_str!("schema/before/metrics.postgres.sql"),
            sqlite: include_str!("schema/before/metrics.sqlite.sql"),
        },
    ),
];
const RECORD_BEFORE: &str = "
    CREATE TABLE seaql_migrations (version varchar NOT NULL PRIMARY KEY, applied_at bigint NOT NULL);
    INSERT INTO seaql_migrations (version, applied_at) VALUES ('m0001_initial', 1772442000);";

#[test]
fn released_migrations_are_frozen_and_taken_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let all = root.join("crates/store/src/schema/foundation");
    assert_frozen(&all, foundation::ALL);
    for (service, schema) in SCHEMAS {
        let scripts = schema.migrations().iter().flat_map(|migration| migration.scripts).copied();
        let (shared, own): (Vec<_>, Vec<_>) = scripts.partition(|script| foundation::ALL.contains(script));
        assert_eq!(shared, foundation::ALL, "{service} must take in each script of the foundation once, in order");
        assert_frozen(&root.join(format!("services/{service}/src/migrations")), &own);
    }
}

/// The files of `folder` are as they were released, and just those that `scripts` run.
fn assert_frozen(folder: &PathBuf, scripts: &[Script]) {
    let wrong = frozen(folder).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| !path.ends_with(CHECKSUMS)).map(|path| std::fs::read_to_string(path).unwrap());
    let run = scripts.iter().flat_map(|script| [script.postgres, script.sqlite]).map(str::to_owned);
    assert_eq!(
        files.collect::<BTreeSet<_>>(),
        run.collect(),
        "{}: the files, and what migrations run",
        folder.display()
    );
}

#[tokio::test]
async fn migrations_lead_to_what_is_declared() {
    for (service, schema) in SCHEMAS {
        for engine in Engine::each() {
            let missing = missing(engine, schema).await.unwrap();
            assert!(
                missing.is_empty(),
                "{service} on {engine:?}: the declarations say more than the migrations; write a new one (`make \
                 schema` prints its statements):\n{}",
                missing.join("\n")
            );
        }
    }
}

#[tokio::test]
async fn a_database_of_before_is_taken_over_as_it_is() {
    for (service, schema) in SCHEMAS {
        let (_, before) = SERVICES_BEFORE.into_iter().find(|(name, _)| *name == service).unwrap();
        for engine in Engine::each() {
            let (old, fresh) = (empty(engine).await.unwrap(), empty(engine).await.unwrap());
            let backend = engine.backend();
            let before = before.text(backend);
            for statements in [&FOUNDATION_BEFORE.text(backend), &before, RECORD_BEFORE] {
                execute(old.url(), statements).await.unwrap();
            }
            let mut tables: Vec<&str> = schema.declarations().iter().map(|declaration| declaration.table).collect();
            tables.retain(|table| before.contains(&format!("CREATE TABLE {table} ")));
            for table in &tables {
                let insert = format!(
                    "INSERT INTO {table} (workspace, id, uid, version, display_name, create_time, update_time, body)
                     VALUES ('acme', 'a', 'u', 3, 'A', 1, 2, '{{}}')"
                );
                execute(old.url(), &insert).await.unwrap();
            }
            execute(old.url(), "INSERT INTO workspaces (id, revision) VALUES ('acme', 7)").await.unwrap();

            migrate(schema, old.url()).await.unwrap();
            migrate(schema, fresh.url()).await.unwrap();

            let (old_parts, fresh_parts) = (catalogue(old.url()).await.unwrap(), catalogue(fresh.url()).await.unwrap());
            assert_eq!(old_parts, fresh_parts, "{service} on {engine:?}");
            for table in &tables {
                let sql =
                    format!("SELECT display_name FROM {table} WHERE workspace = 'acme' AND id = 'a' AND version = 3");
                assert_eq!(text(old.url(), &sql).await.unwrap(), "A", "{service} on {engine:?}: {table}");
            }
            store(old.url()).await.unwrap().check_schema(schema).await.unwrap();
            let migrations = "SELECT CAST(count(*) AS text) FROM schema_migrations";
            assert_eq!(text(old.url(), migrations).await.unwrap(), schema.number().to_string());
        }
    }
}
