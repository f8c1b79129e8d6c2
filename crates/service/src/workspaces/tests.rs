//! How often workspaces are asked for.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use waymark_proto::standard::Create;
use waymark_runtime::edge::Workspaces as _;
use waymark_testkit::sample::{self, Products};
use waymark_testkit::{Engine, host};

use super::*;

fn id(id: &str) -> WorkspaceId {
    WorkspaceId::from_id(id).unwrap()
}

/// Those of a store of which the roadmap service itself is asked, as `find` says.
fn of(store: &Store, find: FindWorkspace) -> Workspaces {
    Workspaces::new(store, find, &Arc::new(OnceLock::from(Keeper::Itself)))
}

async fn store() -> (Store, impl Sized) {
    sample::store(Engine::Sqlite, &host(1).0).await.unwrap()
}

#[tokio::test]
async fn ten_thousand_made_up_names_are_no_ten_thousand_questions() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let find: FindWorkspace = |_, name| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        let is_there = ["acme", "late"].contains(&name.id().as_str());
        Box::pin(async move { Ok(is_there.then_some(true)) })
    };
    let (store, _database) = store().await;
    let workspaces = of(&store, find);
    let began = Instant::now();
    let (mut missing, mut unknown) = (0, 0);
    for n in 0..10_000 {
        match workspaces.standing(&id(&format!("made-up-{n}"))).await.unwrap() {
            Standing::Missing => missing += 1,
            Standing::Unknown => unknown += 1,
            other => panic!("{other:?}"),
        }
        if n % 100 == 0 {
            assert_eq!(workspaces.standing(&id("acme")).await.unwrap(), Standing::Active, "{n}");
        }
    }
    let most = f64::from(memory::AT_ONCE) + f64::from(memory::A_SECOND) * began.elapsed().as_secs_f64();
    // One more is asked for every few seconds.
    let others = 2 + began.elapsed().as_secs() as usize;
    assert!(ASKED.load(Ordering::Relaxed) <= most as usize + others, "{ASKED:?} in {:?}", began.elapsed());
    assert!(missing >= memory::AT_ONCE && unknown > 1_000, "{missing} are missing, {unknown} unknown");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(workspaces.standing(&id("late")).await.unwrap(), Standing::Active, "what is there is found soon");
}

#[tokio::test]
async fn what_is_missing_is_asked_for_now_and_then_and_at_once_when_workspaces_change() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    static IS_THERE: AtomicBool = AtomicBool::new(false);
    let find: FindWorkspace = |_, _| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(IS_THERE.load(Ordering::Relaxed).then_some(true)) })
    };
    let (store, _database) = store().await;
    let (workspaces, acme, began) = (of(&store, find), id("acme"), Instant::now());
    assert_eq!(workspaces.standing(&acme).await.unwrap(), Standing::Missing);
    let mut unknown = 0;
    for _ in 0..1_000 {
        let standing = workspaces.standing(&acme).await.unwrap();
        assert!([Standing::Missing, Standing::Unknown].contains(&standing), "{standing:?}");
        unknown += usize::from(standing == Standing::Unknown);
    }
    let most = 1 + (began.elapsed().as_millis() / memory::PAUSE.as_millis()) as usize;
    assert!(ASKED.load(Ordering::Relaxed) <= most && unknown > 900, "{ASKED:?} in {:?}", began.elapsed());
    tokio::time::sleep(memory::PAUSE).await;
    assert_eq!(workspaces.standing(&acme).await.unwrap(), Standing::Missing, "it is asked for again");

    IS_THERE.store(true, Ordering::Relaxed);
    let parent = WorkspaceId::installation().to_string();
    let new = Create { parent, id: "p".into(), resource: Some(sample::product("P", "")) };
    store.create::<Products>(&sample::call(), new).await.unwrap();
    assert_eq!(workspaces.standing(&acme).await.unwrap(), Standing::Active, "it is known at once where it was made");
}
