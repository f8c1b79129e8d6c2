//! What refers to what: references are looked up at the end of the write, so resources of one write may refer to one
//! another; what is referred to is not deleted; nothing leads back.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tonic::Code;
use waymark_proto::roadmap::v1 as pb;
use waymark_testkit::Engine;

use super::{Fixture, SERVICE, W, initiative_name, insight, named, on_both, refusal};

/// Initiatives by id, each with its product.
fn batch(rows: &[(&str, &str)], partial: bool) -> pb::BatchCreateInitiativesRequest {
    let row = |(id, product): &(&str, &str)| pb::CreateInitiativeRequest {
        initiative_id: (*id).to_owned(),
        initiative: Some(pb::Initiative { product: (*product).to_owned(), ..named(id) }),
        ..Default::default()
    };
    pb::BatchCreateInitiativesRequest {
        parent: W.into(),
        requests: rows.iter().map(row).collect(),
        partial,
        ..Default::default()
    }
}

#[tokio::test]
async fn a_batch_tells_which_row_refers_to_nothing() {
    on_both(async |f| {
        let product = pb::CreateProductRequest {
            parent: W.into(),
            product_id: "app".into(),
            product: Some(pb::Product { display_name: "App".into(), ..Default::default() }),
            ..Default::default()
        };
        let product = f.strategy().create_product(product).await.unwrap().into_inner().name;
        let (gone, other) = (format!("{W}/products/gone"), "workspaces/other/products/app");
        let rows = [("a", product.as_str()), ("b", &gone), ("c", other), ("d", "")];
        let refused = f.roadmap().batch_create_initiatives(batch(&rows, false)).await.unwrap_err();
        assert!(refused.message().contains("requests[1]") && refused.message().contains("gone"), "{refused}");
        let answer = f.roadmap().batch_create_initiatives(batch(&rows, true)).await.unwrap().into_inner();
        let failed: Vec<_> = answer.failures.iter().map(|(index, failure)| (*index, failure.reason.as_str())).collect();
        assert_eq!(failed, [(1, "REFERENCE_NOT_FOUND"), (2, "INVALID_FIELD")]);

        let delete = |name: &str| pb::DeleteProductRequest { name: name.to_owned(), ..Default::default() };
        let refused = f.strategy().delete_product(delete(&product)).await.unwrap_err();
        assert!(refused.message().contains(&initiative_name("a")), "the referrer is named: {refused}");
        let a = pb::DeleteInitiativeRequest { name: initiative_name("a"), ..Default::default() };
        f.roadmap().delete_initiative(a).await.unwrap();
        f.strategy().delete_product(delete(&product)).await.unwrap();
        let back = pb::UndeleteInitiativeRequest { name: initiative_name("a"), ..Default::default() };
        let refused = refusal(f.roadmap().undelete_initiative(back).await);
        assert_eq!(refused, (Code::FailedPrecondition, "REFERENCE_NOT_FOUND".into()), "its product is gone");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_there_is_not_looked_for() {
    on_both(async |f| {
        // Of no service, of another one, of another workspace.
        for place in [
            "//roadmap.waymark.dev/workspaces/acme/secrets/x",
            "//roadmap.waymark.dev/workspaces/acme/insights/x",
            "//discovery.waymark.dev/workspaces/other/insights/x",
        ] {
            let evidence = vec![waymark_proto::common::v1::Evidence { target: place.into(), note: String::new() }];
            let refused = f.create("a", pb::Initiative { evidence, ..named("a") }).await;
            assert_eq!(refusal(refused), (Code::FailedPrecondition, "REFERENCE_NOT_FOUND".into()), "{place}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_reference_that_is_taken_back_holds_nothing() {
    on_both(async |f| {
        for id in ["a", "b"] {
            f.create(id, named(id)).await.unwrap();
        }
        f.depend("b", "a").await.unwrap();
        let delete = |id: &str| pb::DeleteInitiativeRequest { name: initiative_name(id), ..Default::default() };
        assert_eq!(refusal(f.roadmap().delete_initiative(delete("b")).await).1, "RESOURCE_IN_USE");
        // Deleting the referrer takes its references along; taking that back brings them back.
        f.roadmap().delete_initiative(delete("a")).await.unwrap();
        let undelete = pb::UndeleteInitiativeRequest { name: initiative_name("a"), ..Default::default() };
        f.roadmap().undelete_initiative(undelete.clone()).await.unwrap();
        assert_eq!(refusal(f.roadmap().delete_initiative(delete("b")).await).1, "RESOURCE_IN_USE");
        f.roadmap().delete_initiative(delete("a")).await.unwrap();
        f.roadmap().delete_initiative(delete("b")).await.unwrap();
        let refused = refusal(f.roadmap().undelete_initiative(undelete).await);
        assert_eq!(refused, (Code::FailedPrecondition, "REFERENCE_NOT_FOUND".into()));
    })
    .await;
}

#[tokio::test]
async fn links_of_before_are_filled_in_and_stale_ones_go() {
    on_both(async |f| {
        for id in ["a", "b"] {
            f.create(id, pb::Initiative { evidence: vec![insight("i")], ..named(id) }).await.unwrap();
        }
        f.depend("b", "a").await.unwrap();
        let database = f.served.database();
        let count = "SELECT count(*) FROM links";
        let links = database.number(count).await.unwrap();
        assert_eq!(links, 4, "two of evidence, a dependency in both directions");
        let before = [
            "DELETE FROM links WHERE field LIKE '%dependencies'",
            "INSERT INTO links VALUES ('acme', 'products/gone', 'product', 'initiatives/b', true)",
            "UPDATE schema_backfills SET workspace = '', id = '', end_time = NULL",
        ];
        database.execute(&before).await.unwrap();
        f.served.database().addresses().migrate(SERVICE.schema).await.unwrap();
        assert_eq!(database.number(count).await.unwrap(), links);
        assert_eq!(database.number("SELECT count(*) FROM links WHERE field LIKE '%dependencies'").await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn what_refers_to_a_product_is_listed_by_it() {
    on_both(async |f| {
        for id in ["p", "q"] {
            let product = pb::Product { display_name: id.into(), ..Default::default() };
            let request = pb::CreateProductRequest {
                parent: W.into(),
                product_id: id.into(),
                product: Some(product),
                ..Default::default()
            };
            f.strategy().create_product(request).await.unwrap();
        }
        let product = |id: &str| format!("{W}/products/{id}");
        for (id, of) in [("a", product("p")), ("b", product("q")), ("c", String::new()), ("d", product("p"))] {
            f.create(id, pb::Initiative { product: of, ..named(id) }).await.unwrap();
        }
        let delete = pb::DeleteInitiativeRequest { name: initiative_name("d"), ..Default::default() };
        f.roadmap().delete_initiative(delete).await.unwrap();
        let list = async |filter: String, show_deleted| {
            let request = pb::ListInitiativesRequest { parent: W.into(), filter, show_deleted, ..Default::default() };
            let page = f.roadmap().list_initiatives(request).await.unwrap().into_inner();
            page.initiatives.into_iter().map(|initiative| initiative.display_name).collect::<String>()
        };
        let of = |id| format!("product = \"{}\"", product(id));
        assert_eq!(list(of("p"), false).await, "a");
        assert_eq!(list(of("p"), true).await, "ad");
        assert_eq!(list(format!("{} AND state = PROPOSED", of("q")), false).await, "b");
        assert_eq!(list(format!("{} OR {}", of("p"), of("q")), false).await, "ab");
        assert_eq!(list(format!("NOT {}", of("p")), false).await, "bc");
        assert_eq!(list("product = \"workspaces/other/products/p\"".into(), false).await, "");
        assert_eq!(list("product = p".into(), false).await, "");
    })
    .await;
}

/// Whether `to` leads to `from`.
fn leads(graph: &BTreeMap<u8, BTreeSet<u8>>, to: u8, from: u8) -> bool {
    let (mut seen, mut stack) = (BTreeSet::from([to]), vec![to]);
    while let Some(node) = stack.pop() {
        if node == from {
            return true;
        }
        stack.extend(graph.get(&node).into_iter().flatten().filter(|next| seen.insert(**next)));
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// Refused are exactly the dependencies that close a cycle, and the cycle that is told is one.
    #[test]
    fn exactly_what_leads_back_is_refused(edges in proptest::collection::vec((0u8..7, 0u8..7), 0..25)) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            for engine in Engine::each() {
                let f = Fixture::start(engine).await;
                for id in 0..7 {
                    f.create(&id.to_string(), named("i")).await.unwrap();
                }
                let mut graph: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
                for &(from, to) in &edges {
                    // The fixture says what comes first.
                    let answer = f.depend(&to.to_string(), &from.to_string()).await;
                    if graph.get(&from).is_some_and(|known| known.contains(&to)) {
                        assert_eq!(refusal(answer).1, "RULE_VIOLATED");
                    } else if leads(&graph, to, from) {
                        let error = answer.unwrap_err();
                        let cycle = tonic_types::StatusExt::get_details_error_info(&error).unwrap().metadata["cycle"].clone();
                        let steps: Vec<u8> =
                            cycle.split(" -> ").map(|name| name.rsplit('/').next().unwrap().parse().unwrap()).collect();
                        assert_eq!((steps[0], steps[1], steps[steps.len() - 1]), (from, to, from));
                        assert!(steps.windows(2).skip(1).all(|w| graph[&w[0]].contains(&w[1])), "{cycle}");
                    } else {
                        answer.unwrap();
                        graph.entry(from).or_default().insert(to);
                    }
                }
                f.stop().await;
            }
        });
    }
}

#[tokio::test]
async fn what_is_deleted_while_a_reference_to_it_waits_is_not_referred_to() {
    let f = Fixture::start(Engine::Postgres).await;
    let product = pb::CreateProductRequest {
        parent: W.into(),
        product_id: "app".into(),
        product: Some(pb::Product { display_name: "App".into(), ..Default::default() }),
        ..Default::default()
    };
    let product = f.strategy().create_product(product).await.unwrap().into_inner().name;
    for (change, refused) in [("version = version", false), ("delete_time = 1", true)] {
        let holder = f.served.database().hold(&[&format!("UPDATE products SET {change}")]).await.unwrap();
        let look = async {
            assert!(holder.sees_a_blind_write().await, "a reference by itself takes no more round trips");
            holder.commit().await.unwrap();
        };
        let create = f.create("", pb::Initiative { product: product.clone(), ..named("of the app") });
        let (created, ()) = tokio::join!(create, look);
        if refused {
            assert_eq!(refusal(created), (Code::FailedPrecondition, "REFERENCE_NOT_FOUND".into()));
        } else {
            assert_eq!(created.unwrap().product, product);
        }
    }
    assert_eq!(f.log().await.len(), 2, "nothing is announced of what was refused");
    f.stop().await;
}
