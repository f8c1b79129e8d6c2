//! The checks of schemas, seen to find what they are for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use waymark_domain::roadmap::Product;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Declaration, Migration, Ruled, Schema, Script, Table};
use waymark_testkit::Engine;
use waymark_testkit::sample::{COPIER, INITIAL, SCHEMA};
use waymark_testkit::schema::{CHECKSUMS, frozen, missing};

/// The sample's table with a column more, one of another type, one without its index and one with.
struct Products;

impl Table for Products {
    type Resource = Product;
    type Message = pb::Product;
    const TABLE: &'static str = "products";
    const COLUMNS: Columns<Product> = &[
        Column::text("vision", |p| Some(p.vision.clone())),
        Column::text("length", |p: &Product| Some(p.strategy.len().to_string())).indexed(),
        Column::boolean("planned", |p| Some(!p.strategy.is_empty())),
    ];
}

/// A further table.
struct Plans;

impl Table for Plans {
    type Resource = Product;
    type Message = pb::Product;
    const TABLE: &'static str = "plans";
    const COLUMNS: Columns<Product> = &[Column::number("share", |_| Some(0.5)).indexed()];
}

impl Ruled for Products {}
impl Ruled for Plans {}

static DECLARATIONS: [Declaration; 2] = [Declaration::of::<Products>(), Declaration::of::<Plans>()];

#[tokio::test]
async fn what_is_missing_is_printed_and_leads_there() {
    static BEFORE: Schema = Schema::new(&[INITIAL], &DECLARATIONS);
    for engine in Engine::each() {
        let statements = missing(engine, &BEFORE).await.unwrap();
        for wanted in [
            "DROP INDEX products_vision;",
            "ALTER TABLE products DROP COLUMN length;",
            "CREATE INDEX products_length ON products (workspace, length, id);",
            "ALTER TABLE products ADD COLUMN length {text};",
            "ALTER TABLE products ADD COLUMN planned boolean;",
            "CREATE INDEX plans_share ON plans (workspace, share, id);",
        ] {
            assert!(
                statements.iter().any(|statement| statement == wanted),
                "{engine:?}: {wanted} not in {statements:#?}"
            );
        }
        // Pasted into the next migration they are all there is to do.
        let pasted = Script::both(statements.join("\n").leak());
        let second = Migration { number: 2, name: "pasted", scripts: vec![pasted].leak(), oldest: 2, backfill: None };
        let after = Schema::new(vec![INITIAL, second].leak(), &DECLARATIONS);
        assert_eq!(missing(engine, &after).await.unwrap(), [""; 0], "{engine:?}");
    }
}

#[tokio::test]
async fn what_is_no_longer_declared_and_what_is_not_taken_in_is_told() {
    static NONE: Schema = Schema::new(&[INITIAL], &[]);
    // No more than a store must have to look at it.
    const LEAST: &str = "CREATE TABLE workspaces (id text PRIMARY KEY, revision bigint NOT NULL);
                         CREATE TABLE log (workspace text NOT NULL, revision bigint NOT NULL);";
    const ALONE: Migration = Migration { scripts: &[Script { postgres: LEAST, sqlite: LEAST }], ..INITIAL };
    static WITHOUT_FOUNDATION: Schema = Schema::new(&[ALONE], &[]);
    for engine in Engine::each() {
        for schema in [&SCHEMA, &COPIER] {
            assert_eq!(missing(engine, schema).await.unwrap(), [""; 0], "{engine:?}");
        }
        assert_eq!(missing(engine, &NONE).await.unwrap(), ["DROP TABLE products;"], "{engine:?}");
        let told = missing(engine, &WITHOUT_FOUNDATION).await.unwrap();
        assert!(told.iter().any(|line| line.starts_with("-- leases: take in every script")), "{engine:?}: {told:#?}");
    }
}

#[test]
fn a_released_file_that_changes_or_goes_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    // sha256sum of "one\n".
    write(CHECKSUMS, "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806  0001_a.sqlite.sql\n");
    write("0001_a.sqlite.sql", "one\n");
    assert_eq!(frozen(folder.path()).unwrap(), [""; 0]);
    write("0001_a.sqlite.sql", "two\n");
    assert!(frozen(folder.path()).unwrap()[0].contains("write what you want as the next migration"));
    std::fs::remove_file(folder.path().join("0001_a.sqlite.sql")).unwrap();
    assert!(frozen(folder.path()).unwrap()[0].contains("is gone"));
    write("0002_b.sqlite.sql", "two\n");
    assert!(frozen(folder.path()).unwrap()[0].contains("add this line"));
}
