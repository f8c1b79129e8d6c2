//! The past against a model that keeps every state there was, on both databases.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};

use waymark_domain::roadmap::{Product, ProductEvent};
use waymark_domain::{Change, Name};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Error, Position, Read as _, Store, Write};
use waymark_testkit::sample::{Products, call, create, product, store, update, updated, workspace};
use waymark_testkit::schema::execute;
use waymark_testkit::{Engine, host};

/// Products by id, deleted ones included.
type State = BTreeMap<String, pb::Product>;

/// Numbers that look random and are the same each time (Vigna, 2015: splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// Creates, updates, deletes or undeletes a product, whichever can be done.
async fn step(write: &mut Write, numbers: &mut Numbers, state: &mut State) -> Result<(), Error> {
    let id = format!("p{}", numbers.below(12));
    let name: Name<Product> = format!("workspaces/acme/products/{id}").parse().unwrap();
    let vision = numbers.below(1_000).to_string();
    let put = match state.get(&id) {
        None => write.create::<Products, _>(&id, product(&id, &vision), |new| {
            Ok::<_, std::convert::Infallible>(Change::new(new, ProductEvent::Created))
        })?,
        Some(now) if now.delete_time.is_some() => {
            let undeleted = async |_: &mut Write, old| Ok(Change::new(old, ProductEvent::Undeleted));
            write.undelete::<Products, _>(&name, "", undeleted).await?
        }
        Some(_) if numbers.below(3) == 0 => {
            let deleted = async |_: &mut Write, old| Ok(Change::new(old, ProductEvent::Deleted));
            write.delete::<Products, _>(&name, "", deleted).await?
        }
        Some(_) => {
            let patch = pb::Product { name: name.to_string(), vision, ..Default::default() };
            write.update::<Products, _>(&name, patch, None, updated).await?
        }
    };
    state.insert(id, put);
    Ok(())
}

/// Writes of some steps each; gives the states after each revision, from 0.
async fn live_through(store: &Store, numbers: &mut Numbers, writes: usize) -> Vec<State> {
    let mut states = vec![State::new()];
    for _ in 0..writes {
        let mut state = states.last().unwrap().clone();
        let work = async |write: &mut Write| {
            for _ in 0..=numbers.below(4) {
                step(write, numbers, &mut state).await?;
            }
            Ok(pb::Product::default())
        };
        store.write(&call(), &workspace(), work).await.unwrap();
        states.push(state);
    }
    states
}

fn live(state: &State) -> Vec<pb::Product> {
    state.values().filter(|product| product.delete_time.is_none()).cloned().collect()
}

#[tokio::test]
async fn every_revision_is_read_as_it_was() {
    for engine in Engine::each() {
        let (host, clock) = host(7);
        let (s, _database) = store(engine, &host).await.unwrap();
        let mut numbers = Numbers(7);
        let states = live_through(&s, &mut numbers, 20).await;
        let half = s.now();
        clock.advance(std::time::Duration::from_secs(1));
        create(&s, "later", "").await;
        for (revision, state) in states.iter().enumerate() {
            let position = Position::Revision(revision as i64);
            let mut view = s.view(&workspace(), Some(position)).await.unwrap();
            let (mut all, mut after) = (Vec::new(), String::new());
            loop {
                let part = view.part::<Products>(&after, 1 + numbers.below(4)).await.unwrap();
                all.extend(part.items);
                let Some(next) = part.next else { break };
                assert!(next > after, "{engine:?}: {next} follows {after}");
                after = next;
            }
            assert_eq!(all, live(state), "{engine:?} at {revision}");
            for id in (0..12).map(|i| format!("p{i}")) {
                let name = format!("workspaces/acme/products/{id}").parse().unwrap();
                let found = view.find::<Products>(&name).await.unwrap().map(|found| pb::Product::from(&found));
                let known = state.get(&id).filter(|product| product.delete_time.is_none());
                assert_eq!(found.as_ref(), known, "{engine:?}: {id} at {revision}");
            }
        }
        let view = s.view(&workspace(), Some(Position::Time(half))).await.unwrap();
        assert_eq!(view.revision(), 20, "{engine:?}: all of them were written at one time");
        assert_eq!(view.part::<Products>("", 100).await.unwrap().items, live(&states[20]), "{engine:?}");
    }
}

#[tokio::test]
async fn a_write_reads_the_past_and_what_changed_since() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (s, _database) = store(engine, &host).await.unwrap();
        let states = live_through(&s, &mut Numbers(13), 20).await;
        let log = s.read_log("acme", 0, 1_000).await.unwrap();
        let ids: Vec<String> = (0..12).map(|i| format!("p{i}")).collect();
        let read = async |write: &mut Write| {
            for (revision, state) in states.iter().enumerate() {
                let (revision, ids) = (revision as i64, || ids.iter().map(String::as_str));
                let past = write.past::<Products>(revision, ids()).await?;
                assert_eq!(&past, state, "{engine:?} at {revision}, deleted ones included");
                let later = log.iter().filter(|row| row.revision > revision);
                let changed: BTreeSet<String> = later.map(|row| row.resource_id.clone()).collect();
                assert_eq!(write.changed_since::<Products>(revision, ids()).await?, changed, "{engine:?}");
            }
            let future = write.must_keep(21).await;
            assert!(matches!(future, Err(Error::Future { asked: 21, current: 20 })), "{engine:?}: {future:?}");
            Ok(pb::Product::default())
        };
        s.write(&call(), &workspace(), read).await.unwrap();
    }
}

#[tokio::test]
async fn what_changed_is_told_between_any_two_revisions() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (s, _database) = store(engine, &host).await.unwrap();
        let mut numbers = Numbers(11);
        let states = live_through(&s, &mut numbers, 25).await;
        let log = s.read_log("acme", 0, 1_000).await.unwrap();
        for _ in 0..60 {
            let (from, to) = (numbers.below(26) as i64, numbers.below(26) as i64);
            let (first, last) = (from.min(to), from.max(to));
            let between = log.iter().filter(|row| first < row.revision && row.revision <= last);
            let ids: BTreeSet<&String> = between.map(|row| &row.resource_id).collect();
            let at = |revision: i64, id: &String| {
                states[revision as usize].get(id).filter(|product| product.delete_time.is_none()).cloned()
            };
            let mut expected: Vec<_> = ids.into_iter().map(|id| (at(from, id), at(to, id))).collect();

            let view = s.view(&workspace(), Some(Position::Revision(to))).await.unwrap();
            let (mut told, mut after) = (Vec::new(), None);
            loop {
                let part = view.changes::<Products>(from, after, 1 + numbers.below(5)).await.unwrap();
                told.extend(part.items);
                let Some(next) = part.next else { break };
                assert!(after < Some(next), "{engine:?}: {next:?} follows {after:?}");
                after = Some(next);
            }
            let name = |(before, after): &(Option<pb::Product>, Option<pb::Product>)| {
                before.as_ref().or(after.as_ref()).map(|product| product.name.clone())
            };
            told.sort_by_key(name);
            expected.sort_by_key(name);
            assert_eq!(told, expected, "{engine:?} from {from} to {to}");
        }
    }
}

#[tokio::test]
async fn changes_are_found_behind_many_events_of_others() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (s, database) = store(engine, &host).await.unwrap();
        create(&s, "a", "one").await;
        let others = "
            WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
            INSERT INTO log (workspace, revision, ordinal, event_id, type, collection, resource_id, time, actor, data)
            SELECT 'acme', i, 0, 'e' || i, 't', 'others', 'o' || i, time, 'a', data FROM n, log;
            UPDATE workspaces SET revision = 12000";
        execute(database.url(), others).await.unwrap();
        update(&s, "a", "two").await;
        let view = s.view(&workspace(), None).await.unwrap();
        let (mut parts, mut after) = (Vec::new(), None);
        loop {
            let part = view.changes::<Products>(1, after, 10).await.unwrap();
            parts.push(part.items.len());
            let Some(next) = part.next else { break };
            after = Some(next);
        }
        assert_eq!(parts, [0, 0, 1], "{engine:?}: no part looks at all of them");
    }
}

#[tokio::test]
async fn many_are_read_whatever_they_say() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (s, _database) = store(engine, &host).await.unwrap();
        // With what stands between the rows of one text, and longer together than what is read where it comes.
        let vision = |number: usize| format!("\u{1e}{number}\u{1f}\"\\{}\n", "ä".repeat(1_000));
        for number in 0..40 {
            create(&s, &format!("p{number}"), &vision(number)).await;
        }
        let then = s.view(&workspace(), None).await.unwrap().revision();
        update(&s, "p0", "else").await;
        let ids: Vec<String> = (0..40).map(|number| format!("p{number}")).chain(["none".to_owned()]).collect();
        for (position, first) in [(None, "else".to_owned()), (Some(Position::Revision(then)), vision(0))] {
            let view = s.view(&workspace(), position).await.unwrap();
            let named = view.named::<Products>(ids.iter().map(String::as_str)).await.unwrap();
            assert_eq!(named.len(), 40, "{engine:?}");
            assert_eq!(named["p0"].vision, first, "{engine:?}");
            assert_eq!(named["p7"].vision, vision(7), "{engine:?}");
        }
    }
}
