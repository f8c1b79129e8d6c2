//! Resources that are asked for at once, of which one statement finds many.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use futures::future::join_all;
use waymark_store::Error;
use waymark_testkit::sample::{Products, create, store};
use waymark_testkit::{Engine, host};

#[tokio::test]
async fn what_many_ask_for_at_once_each_gets() {
    for engine in Engine::each() {
        let (host, _) = host(7);
        let (s, _database) = store(engine, &host).await.unwrap();
        for id in ["alpha", "beta"] {
            create(&s, id, &format!("of {id}, \u{1e}\u{1f}")).await;
        }
        let ids = ["alpha", "beta", "none"].into_iter().cycle().take(300);
        let one = async |id: &str| (id.to_owned(), s.get::<Products>(&format!("workspaces/acme/products/{id}")).await);
        for (id, got) in join_all(ids.map(one)).await {
            let name = format!("workspaces/acme/products/{id}");
            match got {
                Ok(found) => assert_eq!((found.name, found.vision), (name, format!("of {id}, \u{1e}\u{1f}"))),
                Err(error) => {
                    assert!(id == "none" && matches!(&error, Error::NotFound(none) if *none == name), "{error}");
                }
            }
        }
        let elsewhere = s.get::<Products>("workspaces/other/products/alpha").await.unwrap_err();
        assert!(matches!(elsewhere, Error::NotFound(_)), "{elsewhere}");
    }
}
