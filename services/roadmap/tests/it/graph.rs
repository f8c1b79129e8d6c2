//! Links as callers read them, either way and on from link to link, beside walks that are made anew from all resources.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tonic::Code;
use waymark_proto::graph::v1 as graph;
use waymark_proto::roadmap::v1 as pb;
use waymark_testkit::Engine;

use crate::{Fixture, W, initiative_name, insight, named, on_both, refusal};

const IDS: usize = 6;

fn full(name: &str) -> String {
    format!("//roadmap.waymark.dev/{name}")
}

fn outgoing(name: &str, field: &str, depth: i32) -> graph::ListLinksRequest {
    let (name, field, direction) = (name.to_owned(), field.to_owned(), graph::LinkDirection::Outgoing.into());
    graph::ListLinksRequest { name, direction, field, depth, ..Default::default() }
}

fn incoming(name: &str, field: &str, depth: i32) -> graph::ListLinksRequest {
    graph::ListLinksRequest { direction: graph::LinkDirection::Incoming.into(), ..outgoing(name, field, depth) }
}

/// All pages of a walk, put together.
async fn walked(f: &Fixture, request: graph::ListLinksRequest, page_size: i32) -> Vec<graph::Link> {
    let (mut links, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = graph::ListLinksRequest { page_size, page_token, ..request.clone() };
        let page = f.graph().list_links(request).await.unwrap().into_inner();
        assert!(page.links.len() <= page_size as usize);
        assert!(page.next_page_token.is_empty() || page.links.len() == page_size as usize);
        links.extend(page.links);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return links;
        }
    }
}

async fn product(f: &Fixture, id: &str) -> String {
    let product = Some(pb::Product { display_name: format!("Product {id}"), ..Default::default() });
    let request = pb::CreateProductRequest { parent: W.into(), product_id: id.into(), product, ..Default::default() };
    f.strategy().create_product(request).await.unwrap().into_inner().name
}

/// Links as (from, field, to), by what refers.
type Links = BTreeSet<(String, String, String)>;

async fn all_links(f: &Fixture) -> Links {
    let request = pb::ListInitiativesRequest { parent: W.into(), page_size: 1_000, ..Default::default() };
    let all = f.roadmap().list_initiatives(request).await.unwrap().into_inner().initiatives;
    let mut links = Links::new();
    for initiative in all {
        let mut add = |field: &str, to: String| links.insert((full(&initiative.name), field.to_owned(), to));
        if !initiative.product.is_empty() {
            add("product", full(&initiative.product));
        }
        for dependency in &initiative.dependencies {
            add("dependencies", full(dependency));
        }
        for evidence in &initiative.evidence {
            add("evidence.target", evidence.target.clone());
        }
    }
    links
}

/// The links of a walk, each with its distance.
fn model(
    links: &Links,
    start: &str,
    is_outgoing: bool,
    field: &str,
    depth: usize,
) -> BTreeMap<(String, String, String), i32> {
    let (mut level, mut seen) = (BTreeSet::from([start.to_owned()]), BTreeSet::from([start.to_owned()]));
    let mut found = BTreeMap::new();
    for distance in 1..=depth {
        let mut next = BTreeSet::new();
        for link in links.iter().filter(|(_, by, _)| field.is_empty() || by == field) {
            let (near, far) = if is_outgoing { (&link.0, &link.2) } else { (&link.2, &link.0) };
            if level.contains(near) {
                found.insert(link.clone(), distance as i32);
                next.insert(far.clone());
            }
        }
        level = next.difference(&seen).cloned().collect();
        seen.extend(level.iter().cloned());
    }
    found
}

async fn follow(f: &Fixture, initiatives: &[(Vec<usize>, bool, bool)], dependencies: &[(usize, usize)], gone: usize) {
    product(f, "p").await;
    for (number, (evidence, has_product, _)) in initiatives.iter().enumerate() {
        let evidence = evidence.iter().map(|e| insight(&e.to_string())).collect();
        let product = if *has_product { format!("{W}/products/p") } else { String::new() };
        f.create(&number.to_string(), pb::Initiative { evidence, product, ..named(&number.to_string()) })
            .await
            .unwrap();
    }
    for (from, to) in dependencies {
        let _ = f.depend(&to.to_string(), &from.to_string()).await;
    }
    let delete = pb::DeleteInitiativeRequest { name: initiative_name(&gone.to_string()), ..Default::default() };
    let _ = f.roadmap().delete_initiative(delete).await;

    let links = all_links(f).await;
    let starts = (0..IDS).map(|id| full(&initiative_name(&id.to_string())));
    let starts = starts.chain([full(&format!("{W}/products/p")), insight("1").target]);
    for start in starts {
        for (is_outgoing, field, depth) in [
            (false, "", 1),
            (false, "", 3),
            (false, "dependencies", 100),
            (true, "", 1),
            (true, "", 100),
            (true, "dependencies", 2),
        ] {
            if is_outgoing && start.contains("insights") {
                continue;
            }
            let request = if is_outgoing { outgoing(&start, field, depth) } else { incoming(&start, field, depth) };
            let expected = model(&links, &start, is_outgoing, field, depth as usize);
            for page_size in [1, 3, 1_000] {
                let found = walked(f, request.clone(), page_size).await;
                assert!(found.is_sorted_by_key(|link| link.distance), "{request:?}");
                let count = found.len();
                let found: BTreeMap<_, _> =
                    found.into_iter().map(|link| ((link.from, link.field, link.to), link.distance)).collect();
                assert_eq!((&found, count), (&expected, expected.len()), "{request:?} by {page_size}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_finds_what_is_there(
        initiatives in proptest::collection::vec((proptest::collection::vec(0..3_usize, 0..3), any::<bool>(), any::<bool>()), IDS),
        dependencies in proptest::collection::vec((0..IDS, 0..IDS), 0..12),
        gone in 0..IDS,
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            for engine in Engine::each() {
                let f = Fixture::start(engine).await;
                follow(&f, &initiatives, &dependencies, gone).await;
                f.stop().await;
            }
        });
    }
}

#[tokio::test]
async fn links_tell_names_and_whether_they_hold() {
    on_both(async |f| {
        let app = product(f, "app").await;
        let evidence = vec![insight("lost-carts")];
        f.create("carts", pb::Initiative { product: app.clone(), evidence, ..named("Carts") }).await.unwrap();
        let name = initiative_name("carts");
        let link = |field: &str, to: String, to_display_name: &str, holds| graph::Link {
            from: full(&name),
            from_display_name: "Carts".into(),
            field: field.into(),
            to,
            to_display_name: to_display_name.into(),
            holds,
            distance: 1,
        };
        let to_app = link("product", full(&app), "Product app", true);
        let to_insight = link("evidence.target", insight("lost-carts").target, "", false);
        let both = [to_insight.clone(), to_app.clone()];
        assert_eq!(walked(f, outgoing(&name, "", 0), 50).await, both, "a depth of 0 is one of 1");
        assert_eq!(walked(f, outgoing(&full(&name), "product", 1), 50).await, std::slice::from_ref(&to_app));
        assert_eq!(walked(f, incoming(&app, "", 1), 50).await, std::slice::from_ref(&to_app));
        assert_eq!(walked(f, incoming(&to_insight.to, "", 1), 50).await, std::slice::from_ref(&to_insight));
        assert!(walked(f, incoming(&insight("unheard-of").target, "", 1), 50).await.is_empty());

        // What other services are known to refer to is told by its full name, and holds nothing.
        let known = "INSERT INTO links (workspace, target, field, referrer, holds)
                     VALUES ('acme', 'products/app', 'product', '//metrics/outcomes/x', false)";
        f.served.database().execute(&[known]).await.unwrap();
        let foreign = walked(f, incoming(&app, "product", 1), 50).await.remove(0);
        assert_eq!((foreign.from.as_str(), foreign.holds), ("//metrics.waymark.dev/workspaces/acme/outcomes/x", false));
        assert_eq!((foreign.from_display_name.as_str(), foreign.to_display_name.as_str()), ("", "Product app"));
        f.served.database().execute(&["DELETE FROM links WHERE referrer LIKE '//%'"]).await.unwrap();

        // What is deleted refers to nothing, but may be referred to.
        let estimate = pb::Estimate { initiative: name.clone(), display_name: "Guess".into(), ..Default::default() };
        let request = pb::CreateEstimateRequest {
            parent: W.into(),
            estimate_id: "guess".into(),
            estimate: Some(estimate),
            ..Default::default()
        };
        f.prioritization().create_estimate(request).await.unwrap();
        let delete = pb::DeleteInitiativeRequest { name: name.clone(), ..Default::default() };
        f.roadmap().delete_initiative(delete).await.unwrap();
        assert!(walked(f, outgoing(&name, "", 9), 50).await.is_empty());
        assert!(walked(f, incoming(&app, "", 9), 50).await.is_empty());
        let from_estimate = walked(f, incoming(&name, "", 1), 50).await;
        assert_eq!((from_estimate[0].field.as_str(), from_estimate[0].holds), ("initiative", false));
        assert_eq!(from_estimate[0].to_display_name, "Carts");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_walked_is_refused() {
    on_both(async |f| {
        let app = product(f, "app").await;
        for id in ["a", "b", "c"] {
            f.create(id, pb::Initiative { product: app.clone(), ..named(id) }).await.unwrap();
        }
        let refused = async |request: graph::ListLinksRequest| refusal(f.graph().list_links(request).await);
        let invalid = (Code::InvalidArgument, "INVALID_FIELD".to_owned());
        let missing = (Code::NotFound, "RESOURCE_NOT_FOUND".to_owned());
        assert_eq!(refused(incoming(&format!("{W}/products/none"), "", 1)).await, missing);
        assert_eq!(refused(incoming("workspaces/other/products/app", "", 1)).await, missing, "whatever is elsewhere");
        assert_eq!(refused(incoming("workspaces/none/products/app", "", 1)).await, missing);
        assert_eq!(refused(incoming(&format!("{W}/secrets/app"), "", 1)).await, missing);
        assert_eq!(refused(incoming(W, "", 1)).await, missing, "nobody created it as a resource");
        for name in ["", "app", "//x.waymark.dev/workspaces/acme/products/app", "'; DROP", "a\0"] {
            assert_eq!(refused(incoming(name, "", 1)).await, invalid, "{name:?}");
        }
        assert_eq!(refused(outgoing(&insight("i").target, "", 1)).await, invalid, "another service knows that");
        for field in ["colour", "~dependencies", "'; DROP TABLE links; --", "a\0"] {
            assert_eq!(refused(incoming(&app, field, 1)).await, invalid, "{field:?}");
        }
        assert_eq!(refused(incoming(&app, &"a".repeat(100_000), 1)).await, invalid);
        for depth in [1_000_000_000, 101, -1] {
            assert_eq!(refused(incoming(&app, "", depth)).await, invalid, "{depth}");
        }
        assert_eq!(refused(graph::ListLinksRequest { page_size: -1, ..incoming(&app, "", 1) }).await, invalid);

        let request = graph::ListLinksRequest { page_size: 1, ..incoming(&app, "", 2) };
        let page_token = f.graph().list_links(request.clone()).await.unwrap().into_inner().next_page_token;
        assert!(!page_token.is_empty());
        let wrong = (Code::InvalidArgument, "INVALID_PAGE_TOKEN".to_owned());
        for other in [
            incoming(&app, "", 3),
            incoming(&app, "product", 2),
            outgoing(&app, "", 2),
            incoming(&initiative_name("a"), "", 2),
        ] {
            assert_eq!(refused(graph::ListLinksRequest { page_token: page_token.clone(), ..other }).await, wrong);
        }
        let list = pb::ListInitiativesRequest { parent: W.into(), page_size: 1, ..Default::default() };
        let page_token = f.roadmap().list_initiatives(list).await.unwrap().into_inner().next_page_token;
        assert_eq!(refused(graph::ListLinksRequest { page_token, ..request }).await, wrong);
    })
    .await;
}
