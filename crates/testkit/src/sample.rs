//! A service in small, for tests of the mechanisms: products in a table of their own, with the schema every service
//! has.

use std::convert::Infallible;

use anyhow::Result;
use waymark_domain::roadmap::{Product, ProductEvent};
use waymark_domain::{Change, WorkspaceId};
use waymark_proto::roadmap::v1 as pb;
use waymark_request::{Actor, Call};
use waymark_runtime::Host;
use waymark_store::schema::foundation;
use waymark_store::{
    Column, Columns, Declaration, Error, Migration, Mirror, Position, Ruled, Schema, Script, Store, Table, Write,
};

use crate::database::{Engine, TestDatabase, database};

/// Products, with an extra nullable and an extra never-null column.
#[derive(Debug)]
pub struct Products;

impl Table for Products {
    type Resource = Product;
    type Message = pb::Product;
    const TABLE: &'static str = "products";
    const COLUMNS: Columns<Product> = &[
        Column::text("vision", |p: &Product| (!p.vision.is_empty()).then(|| p.vision.clone())).indexed(),
        Column::integer("length", |p| i64::try_from(p.strategy.len()).ok()),
    ];
}

impl Ruled for Products {}

/// The schema of the sample.
pub static SCHEMA: Schema = Schema::new(&[INITIAL], &[Declaration::of::<Products>()]);

/// Its one migration, for tests that have others follow.
pub const INITIAL: Migration = Migration {
    number: 1,
    name: "initial",
    scripts: &[
        foundation::INITIAL,
        foundation::LOOKS,
        foundation::RELAY,
        foundation::CONSUMERS,
        foundation::INBOX,
        foundation::LINKS,
        foundation::LINKS_BY_TARGET,
        foundation::LOG_BY_REVISION,
        foundation::TALLIES,
        foundation::LABELS,
        foundation::MIRRORS,
        foundation::HELD_EVENTS,
        foundation::AUDIT,
        foundation::TRACED,
        Script {
            postgres: include_str!("sample/0001_initial.postgres.sql"),
            sqlite: include_str!("sample/0001_initial.sqlite.sql"),
        },
    ],
    oldest: 1,
    backfill: None,
};

/// Products as another service mirrors them, which has products of its own as well.
#[derive(Debug)]
pub struct Mirrored;

impl Table for Mirrored {
    type Resource = Product;
    type Message = pb::Product;
    const TABLE: &'static str = "roadmap_products";
    const KEEPER: &'static str = "metrics";
    const COLUMNS: Columns<Product> = &[Column::text("vision", |p: &Product| Some(p.vision.clone())).indexed()];
}

/// The schema of that service.
pub static COPIER: Schema = Schema::new(
    &[
        INITIAL,
        Migration {
            number: 2,
            name: "mirrors",
            scripts: &[Script::both(include_str!("sample/0002_mirrors.sql"))],
            oldest: 1,
            backfill: None,
        },
    ],
    &[Declaration::of::<Products>()],
)
.mirroring(&[Mirror::of::<Mirrored>()]);

/// A store with the sample's schema, on a database of its own.
///
/// # Errors
/// When the database cannot be had.
pub async fn store(engine: Engine, host: &Host) -> Result<(Store, TestDatabase)> {
    store_of(&SCHEMA, "sample", engine, host).await
}

/// A store of the service that mirrors products, on a database of its own.
///
/// # Errors
/// When the database cannot be had.
pub async fn copier(engine: Engine, host: &Host) -> Result<(Store, TestDatabase)> {
    store_of(&COPIER, "copier", engine, host).await
}

async fn store_of(schema: &Schema, name: &str, engine: Engine, host: &Host) -> Result<(Store, TestDatabase)> {
    let database = database(engine, name, async |addresses| addresses.migrate(schema).await).await?;
    let store = Store::connect(&database.options(), &host.clock, &host.ids).await?;
    Ok((store.keeping(schema), database))
}

/// A call by a user.
pub fn call() -> Call {
    Call { actor: Actor { subject: "users/ada".into() }, ..Call::internal("test") }
}

/// The workspace `workspaces/acme`.
pub fn workspace() -> WorkspaceId {
    // The id is a label.
    WorkspaceId::from_id("acme").unwrap_or_else(|e| unreachable!("{e}"))
}

/// A product as a caller sends it.
pub fn product(display_name: &str, vision: &str) -> pb::Product {
    pb::Product { display_name: display_name.into(), vision: vision.into(), ..Default::default() }
}

/// Announces a creation.
#[expect(clippy::missing_errors_doc, reason = "a decision's form; it never fails")]
pub fn created(product: Product) -> Result<Change<Product>, Infallible> {
    Ok(Change::new(product, ProductEvent::Created))
}

/// The same, as a step of a write.
#[expect(clippy::missing_errors_doc, clippy::unused_async, reason = "a decision's form; it never fails")]
pub async fn created_in(_: &mut Write, product: Product) -> Result<Change<Product>, Error> {
    Ok(Change::new(product, ProductEvent::Created))
}

/// Announces an update.
#[expect(clippy::missing_errors_doc, reason = "a decision's form; it never fails")]
pub async fn updated(_: &mut Write, _: Product, product: Product) -> Result<Change<Product>, Error> {
    Ok(Change::new(product, ProductEvent::Updated))
}

/// The products of `workspaces/acme` as they stood, of which there are not many.
#[expect(clippy::missing_errors_doc, reason = "those of the store")]
pub async fn as_of(store: &Store, position: Position) -> Result<Vec<pb::Product>, Error> {
    Ok(store.view(&workspace(), Some(position)).await?.part::<Products>("", 1_000).await?.items)
}

/// Creates a product in `workspaces/acme`.
pub async fn create(store: &Store, id: &str, vision: &str) -> pb::Product {
    let written =
        store.create_blind::<Products, _>(&call(), "workspaces/acme", id, Some(product(id, vision)), created).await;
    written.unwrap_or_else(|error| panic!("creating {id}: {error:?}")).message
}

/// Updates the vision of a product.
pub async fn update(store: &Store, id: &str, vision: &str) -> pb::Product {
    let patch =
        pb::Product { name: format!("workspaces/acme/products/{id}"), vision: vision.into(), ..Default::default() };
    let written = store.update::<Products, _>(&call(), Some(patch), None, updated).await;
    written.unwrap_or_else(|error| panic!("updating {id}: {error:?}")).message
}
