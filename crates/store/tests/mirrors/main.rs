//! Mirrors on both databases: whatever comes in which order, what they have at the end is what the source has.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod links;

use std::collections::BTreeMap;

use waymark_domain::roadmap::{Product, ProductEvent};
use waymark_domain::{Change, WorkspaceId};
use waymark_proto::events::v1::{SnapshotRequest, SnapshotResponse, SnapshotRow};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Error, Filling, ListQuery, LogRow, Mirror, Position, Read as _, Received, Store, Table};
use waymark_testkit::sample::{COPIER, Mirrored, Products, call, copier, create, created, product, store, updated};
use waymark_testkit::schema::execute;
use waymark_testkit::{Engine, TestDatabase, host};

fn products() -> &'static Mirror {
    &COPIER.mirrors()[0]
}

/// A source, and what mirrors it.
struct World {
    source: Store,
    target: Store,
    target_database: TestDatabase,
    _source_database: TestDatabase,
}

impl World {
    async fn new(engine: Engine) -> Self {
        let (source, source_database) = store(engine, &host(1).0).await.unwrap();
        let (target, target_database) = copier(engine, &host(2).0).await.unwrap();
        target.begin_mirror(products(), "reader", None).await.unwrap();
        Self { source, target, target_database, _source_database: source_database }
    }

    /// The target as another process has it.
    async fn another(&self) -> Store {
        let (host, _) = host(3);
        let options = self.target_database.options();
        Store::connect(&options, &host.clock, &host.ids).await.unwrap().keeping(&COPIER)
    }

    async fn page(&self, after: &(String, String), bytes: usize) -> SnapshotResponse {
        let (after_workspace, after_id) = after.clone();
        let request =
            SnapshotRequest { collection: "products".into(), after_workspace, after_id, ..SnapshotRequest::default() };
        self.source.snapshot_page(&request, bytes).await.unwrap()
    }

    /// Walks on for a page; false when there is no more.
    async fn walk(&self, bytes: usize) -> bool {
        let filling = self.target.filling(products()).await.unwrap();
        if !filling.is_done {
            let page = self.page(&filling.after, bytes).await;
            self.target.fill(products(), filling, &page).await.unwrap().unwrap();
            return true;
        }
        false
    }

    async fn fill(&self) {
        while self.walk(1 << 20).await {}
    }

    async fn hear(&self, row: &LogRow) {
        self.target.mirror(COPIER.mirrors(), &[received(row)]).await.unwrap();
    }

    async fn filling(&self) -> Filling {
        self.target.filling(products()).await.unwrap()
    }
}

fn received(row: &LogRow) -> Received {
    Received {
        source: "roadmap".into(),
        workspace: row.workspace.clone(),
        revision: row.revision,
        event_id: row.event_id,
        event_type: row.event_type.clone(),
        subject: row.subject(),
        time: row.time,
        actor: row.actor.clone(),
        traceparent: None,
        data: row.data.clone(),
    }
}

/// All rows of a table in a workspace, deleted ones included.
async fn all<T: Table>(store: &Store, workspace: &str) -> Vec<T::Message> {
    let query = ListQuery { parent: workspace, page_size: 1_000, show_deleted: true, ..Default::default() };
    store.list::<T>(query).await.unwrap().items
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// One change at the source: a product is created, changed, deleted or brought back.
async fn change(source: &Store, dice: &mut Dice) {
    let (workspace, id) = (format!("workspaces/w{}", dice.roll(2)), format!("p{}", dice.roll(8)));
    let name = format!("{workspace}/products/{id}");
    let announced = |event| async move |_: &mut waymark_store::Write, p: Product| Ok(Change::new(p, event));
    let Ok(known) = source.get::<Products>(&name).await else {
        source.create_blind::<Products, _>(&call(), &workspace, &id, Some(product(&id, "")), created).await.unwrap();
        return;
    };
    if known.delete_time.is_some() {
        source.undelete::<Products, _>(&call(), &name, "", announced(ProductEvent::Undeleted)).await.unwrap();
    } else if dice.roll(3) == 0 {
        source.delete::<Products, _>(&call(), &name, "", announced(ProductEvent::Deleted)).await.unwrap();
    } else {
        let patch = pb::Product { name, vision: format!("v{}", dice.roll(1_000)), ..Default::default() };
        source.update::<Products, _>(&call(), Some(patch), None, updated).await.unwrap();
    }
}

#[tokio::test]
async fn events_and_the_walk_come_to_the_same_in_whatever_order() {
    for engine in Engine::each() {
        for seed in 0..12 {
            let (world, mut dice) = (World::new(engine).await, Dice(seed));
            for _ in 0..dice.roll(40) {
                change(&world.source, &mut dice).await;
            }
            // Events up to here are not heard: they are what the walk is for.
            let mut heard = BTreeMap::new();
            for workspace in ["w0", "w1"] {
                heard.insert(workspace, world.source.read_log(workspace, 0, 1_000).await.unwrap().len());
            }
            let mut walking = true;
            while walking || dice.roll(12) > 0 {
                match dice.roll(4) {
                    0 => change(&world.source, &mut dice).await,
                    // Pages of a resource or two.
                    1 => walking = world.walk(600).await,
                    _ => {
                        hear_next(&world, &mut heard, &mut dice).await;
                    }
                }
            }
            while hear_next(&world, &mut heard, &mut dice).await {}
            for workspace in ["workspaces/w0", "workspaces/w1"] {
                let expected = all::<Products>(&world.source, workspace).await;
                assert_eq!(all::<Mirrored>(&world.target, workspace).await, expected, "{engine:?}, seed {seed}");
            }
        }
    }
}

/// Hears the next events of a workspace, in whatever order, and now and then some that were heard before again.
async fn hear_next(world: &World, heard: &mut BTreeMap<&str, usize>, dice: &mut Dice) -> bool {
    let mut any = false;
    for (workspace, heard) in heard {
        let rows = world.source.read_log(workspace, 0, 1_000).await.unwrap();
        if dice.roll(5) == 0 && *heard > 0 {
            world.hear(&rows[dice.roll(*heard)]).await;
        }
        let next = rows.len().min(*heard + 1 + dice.roll(4));
        if *heard < next {
            let mut together: Vec<Received> = rows[*heard..next].iter().map(received).collect();
            together.rotate_left(dice.roll(next - *heard));
            world.target.mirror(COPIER.mirrors(), &together).await.unwrap();
            *heard = next;
            any = true;
        }
    }
    any
}

#[tokio::test]
async fn a_mirror_is_read_like_any_table_and_announces_nothing() {
    for engine in Engine::each() {
        let world = World::new(engine).await;
        for (id, vision) in [("a", "near"), ("b", "far"), ("c", "far")] {
            create(&world.source, id, vision).await;
        }
        let workspace: WorkspaceId = "workspaces/acme".parse().unwrap();
        let (moved, watched) = (world.target.heads().moved(), world.target.heads().subscribe(&workspace));
        world.fill().await;
        assert!(moved.take().is_empty(), "no reader of the log is woken");
        assert!(watched.has_changed().unwrap() && *watched.borrow() == 0, "who watches the workspace looks again");
        let ids = async |filter, order_by| {
            let query = ListQuery { parent: "workspaces/acme", filter, order_by, ..Default::default() };
            let items = world.target.list::<Mirrored>(query).await.unwrap().items;
            items.iter().map(|p| p.display_name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(ids("vision = far", "").await, ["b", "c"]);
        assert_eq!(ids("vision != far", "display_name desc").await, ["a"]);
        assert_eq!(world.target.named::<Mirrored>(&workspace, ["c", "x"]).await.unwrap().len(), 1);
        // Nothing was written, as far as others hear.
        assert_eq!(world.target.revision(&workspace).await.unwrap(), 0);
        assert!(world.target.read_log("acme", 0, 10).await.unwrap().is_empty());
        assert!(world.target.get::<Products>("workspaces/acme/products/a").await.is_err(), "its own are others");
        assert!(products().declaration().methods().is_empty());
        let request = SnapshotRequest { collection: "products".into(), ..Default::default() };
        assert!(world.target.snapshot_page(&request, 10_000).await.unwrap().rows.is_empty(), "nor does it pass it on");

        // What is read with the past of the service's own is what is known now.
        create(&world.target, "own", "").await;
        let row = &world.source.read_log("acme", 0, 1).await.unwrap()[0];
        world.hear(row).await;
        create(&world.target, "later", "").await;
        let mut view = world.target.view(&workspace, Some(Position::Revision(1))).await.unwrap();
        assert_eq!(view.part::<Products>("", 10).await.unwrap().items.len(), 1);
        assert_eq!(view.part::<Mirrored>("", 10).await.unwrap().items.len(), 3);
        assert!(view.find::<Mirrored>(&"workspaces/acme/products/b".parse().unwrap()).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_walk_goes_on_where_a_process_left_it_and_begins_anew_when_it_must() {
    for engine in Engine::each() {
        let world = World::new(engine).await;
        for i in 0..6 {
            create(&world.source, &format!("p{i}"), "").await;
        }
        world.walk(1_000).await;
        let begun = world.filling().await;
        assert!(begun.rows > 0 && begun.rows < 6 && !begun.is_done, "{begun:?}");
        let restarted = world.another().await;
        restarted.begin_mirror(products(), "restarted", Some("reader")).await.unwrap();
        assert_eq!(world.filling().await, begun, "the same goes on");
        // Others have heard events, who do not keep the mirror.
        restarted.begin_mirror(products(), "third", Some("old program")).await.unwrap();
        assert_eq!(world.filling().await.rows, 0);

        // What was asked for before is not taken for what was asked for since.
        let (filling, page) = (world.filling().await, world.page(&Default::default(), 1 << 20).await);
        world.target.refill(products()).await.unwrap();
        assert_eq!(world.target.fill(products(), filling, &page).await.unwrap(), None);
        world.fill().await;
        assert!(world.filling().await.is_done);

        // Emptied, and something came since: the walk is done again all the same.
        execute(world.target_database.url(), "DELETE FROM roadmap_products").await.unwrap();
        world.hear(&world.source.read_log("acme", 0, 1).await.unwrap()[0]).await;
        assert!(!world.filling().await.is_done);
        world.fill().await;
        assert_eq!(all::<Mirrored>(&world.target, "workspaces/acme").await.len(), 6);

        // Emptied while it is walked through.
        world.target.refill(products()).await.unwrap();
        world.walk(1_000).await;
        let filling = world.filling().await;
        let page = world.page(&filling.after, 1_000).await;
        execute(world.target_database.url(), "DELETE FROM roadmap_products").await.unwrap();
        assert_eq!(world.target.fill(products(), filling, &page).await.unwrap(), None);

        // A source that has nothing yet is asked again.
        let empty = World::new(engine).await;
        assert!(empty.walk(1_000).await);
        create(&empty.source, "first", "").await;
        assert!(!empty.filling().await.is_done);
    }
}

#[tokio::test]
async fn what_cannot_be_taken_over_stops_nothing_else() {
    for engine in Engine::each() {
        let world = World::new(engine).await;
        for id in ["a", "b", "c", "d"] {
            create(&world.source, id, "v").await;
        }
        let mut page = world.page(&Default::default(), 1 << 20).await;
        page.rows[0].resource = "{".into();
        page.rows[1].resource.clear();
        page.rows[3].resource = r#"{"name":"workspaces/acme/products/d"}"#.into();
        let filling = world.filling().await;
        let filled = world.target.fill(products(), filling, &page).await.unwrap().unwrap();
        assert_eq!((filled.rows, filled.is_done, filled.after.1.as_str()), (4, true, "c"));
        assert_eq!(all::<Mirrored>(&world.target, "workspaces/acme").await.len(), 1);

        // A page of nothing else leads on to the next.
        let other = World::new(engine).await;
        let damaged = SnapshotRow { workspace: "acme".into(), id: "a".into(), resource: "{".into() };
        let filling = other.filling().await;
        let page = SnapshotResponse { rows: vec![damaged], more: true };
        let filling = other.target.fill(products(), filling, &page).await.unwrap().unwrap();
        assert_eq!(filling.rows, 1);
        let page = world.page(&("acme".into(), "a".into()), 1 << 20).await;
        assert!(other.target.fill(products(), filling, &page).await.unwrap().unwrap().is_done);

        // An event that is not understood is a fault, as any other.
        let mut event = received(&world.source.read_log("acme", 0, 1).await.unwrap()[0]);
        event.data = r#"{"product":{"name":"x"}}"#.into();
        create(&world.source, "e", "v").await;
        let whole = received(&world.source.read_log("acme", 4, 1).await.unwrap()[0]);
        let refused = other.target.mirror(COPIER.mirrors(), &[whole, event]).await.unwrap_err();
        let there = all::<Mirrored>(&other.target, "workspaces/acme").await;
        assert!(there.iter().all(|product| product.display_name != "e"), "all of it or nothing");
        assert!(matches!(&refused, Error::Invalid(_)) && refused.to_string().contains("product.name"), "{refused}");
    }
}

#[tokio::test]
async fn pages_are_in_order_and_fit() {
    for engine in Engine::each() {
        let world = World::new(engine).await;
        for (workspace, id, size) in
            [("b", "x", 10), ("a", "y", 9_000), ("a", "x", 10), ("c", "z", 2_000), ("c", "a", 10)]
        {
            let product = pb::Product { strategy: "s".repeat(size), ..product(id, "") };
            let parent = format!("workspaces/{workspace}");
            world.source.create_blind::<Products, _>(&call(), &parent, id, Some(product), created).await.unwrap();
        }
        for bytes in [3_000, 10_000, 1 << 20] {
            let (mut after, mut seen, mut large) = (Default::default(), Vec::new(), 0);
            loop {
                let page = world.page(&after, bytes).await;
                assert!(prost::Message::encoded_len(&page) <= bytes);
                large += page.rows.iter().filter(|row| row.resource.is_empty()).count();
                seen.extend(page.rows.iter().map(|row| format!("{}/{}", row.workspace, row.id)));
                let Some(last) = page.rows.last().filter(|_| page.more) else { break };
                after = (last.workspace.clone(), last.id.clone());
            }
            assert_eq!(seen, ["a/x", "a/y", "b/x", "c/a", "c/z"], "{bytes}");
            assert_eq!(large, usize::from(bytes == 3_000), "what has no room alone comes without its content");
        }
        let request = SnapshotRequest { collection: "secrets".into(), ..Default::default() };
        let unknown = world.source.snapshot_page(&request, 1_000).await.unwrap_err().to_string();
        assert!(unknown.contains("\"secrets\"") && unknown.contains("products"), "{unknown}");
    }
}
