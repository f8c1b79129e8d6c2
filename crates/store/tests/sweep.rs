//! Questions of timers across workspaces, page by page.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use waymark_domain::Change;
use waymark_domain::roadmap::{Product, ProductEvent};
use waymark_store::{Error, Store, Write};
use waymark_testkit::sample::{Products, call, created, product, store};
use waymark_testkit::{Engine, host};

async fn names(store: &Store, filter: &str, limit: u32) -> Vec<String> {
    let (mut names, mut last) = (Vec::new(), None);
    loop {
        let page = store.sweep::<Products>(filter, last.as_ref(), limit).await.unwrap();
        assert!(page.len() <= limit as usize);
        names.extend(page.iter().map(|name| format!("{}/{}", name.workspace().id(), name.id())));
        let Some(name) = page.into_iter().next_back() else { return names };
        last = Some(name);
    }
}

#[tokio::test]
async fn a_sweep_finds_what_is_live_in_every_workspace_and_nothing_twice() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (s, _database) = store(engine, &host).await.unwrap();
        for (workspace, id, vision) in [
            ("beta", "a", "grow"),
            ("acme", "b", "grow"),
            ("acme", "a", ""),
            ("acme", "c", "shrink"),
            ("acme", "d", "grow"),
            ("acme-2", "a", "grow"),
        ] {
            let parent = format!("workspaces/{workspace}");
            s.create_blind::<Products, _>(&call(), &parent, id, Some(product("A", vision)), created).await.unwrap();
        }
        let gone = async |_: &mut Write, product: Product| Ok(Change::new(product, ProductEvent::Deleted));
        s.delete::<Products, _>(&call(), "workspaces/acme/products/d", "", gone).await.unwrap();
        for limit in [1, 2, 9] {
            let grow = names(&s, "vision = grow", limit).await;
            assert_eq!(grow, ["acme/b", "acme-2/a", "beta/a"], "{engine:?}, {limit} at a time");
            assert_eq!(names(&s, "", limit).await.len(), 5, "{engine:?}, {limit} at a time");
        }
        let now = s.now().to_rfc3339();
        assert_eq!(names(&s, &format!("create_time <= \"{now}\""), 9).await.len(), 5, "{engine:?}");
        assert!(names(&s, &format!("create_time > \"{now}\""), 9).await.is_empty(), "{engine:?}");
        assert!(matches!(s.sweep::<Products>("colour = red", None, 9).await, Err(Error::Filter(_))), "{engine:?}");
    }
}
