//! Many resources in one call: read, changed or deleted, all or those that are right.

use pbjson_types::FieldMask;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use waymark_proto::roadmap::v1 as pb;

use crate::{Fixture, W, by_ada, initiative_name, named, on_both, refusal};

fn product_name(id: &str) -> String {
    format!("{W}/products/{id}")
}

/// Products with these ids.
async fn products(f: &Fixture, ids: &[String]) -> Vec<pb::Product> {
    let row = |id: &String| pb::CreateProductRequest {
        product_id: id.clone(),
        product: Some(pb::Product { display_name: id.clone(), ..Default::default() }),
        ..Default::default()
    };
    let requests = ids.iter().map(row).collect();
    let batch = pb::BatchCreateProductsRequest { parent: W.into(), requests, ..Default::default() };
    f.strategy().batch_create_products(batch).await.unwrap().into_inner().products
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

/// New visions of products, each by name and etag.
fn visions<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str)>, partial: bool) -> pb::BatchUpdateProductsRequest {
    let row = |(name, etag): (&str, &str)| pb::UpdateProductRequest {
        product: Some(pb::Product { name: name.into(), etag: etag.into(), vision: "new".into(), ..Default::default() }),
        ..Default::default()
    };
    let requests = rows.into_iter().map(row).collect();
    pb::BatchUpdateProductsRequest { parent: W.into(), requests, partial, ..Default::default() }
}

fn deletions<'a>(names: impl IntoIterator<Item = &'a str>, partial: bool) -> pb::BatchDeleteProductsRequest {
    let row = |name: &str| pb::DeleteProductRequest { name: name.into(), ..Default::default() };
    let requests = names.into_iter().map(row).collect();
    pb::BatchDeleteProductsRequest { parent: W.into(), requests, partial, ..Default::default() }
}

fn reasons(failures: &std::collections::BTreeMap<i32, waymark_proto::common::v1::RowFailure>) -> Vec<(i32, &str)> {
    failures.iter().map(|(index, failure)| (*index, failure.reason.as_str())).collect()
}

fn fields(status: &Status) -> Vec<String> {
    status.get_details_bad_request().unwrap().field_violations.into_iter().map(|v| v.field).collect()
}

#[tokio::test]
async fn many_are_read_in_the_order_of_their_names() {
    on_both(async |f| {
        products(f, &ids(&["a", "b", "c"])).await;
        f.strategy().batch_delete_products(deletions([product_name("b").as_str()], false)).await.unwrap();
        let get = |names: Vec<String>| async {
            let request = pb::BatchGetProductsRequest { parent: W.into(), names };
            f.strategy().batch_get_products(request).await.map(|found| found.into_inner().products)
        };
        let found = get(["c", "b", "c"].map(product_name).into()).await.unwrap();
        let shown: Vec<_> = found.iter().map(|p| (p.display_name.as_str(), p.delete_time.is_some())).collect();
        assert_eq!(shown, [("c", false), ("b", true), ("c", false)]);
        assert_eq!(get(Vec::new()).await.unwrap(), []);

        let missing = get(["a", "gone"].map(product_name).into()).await.unwrap_err();
        assert_eq!(
            (missing.code(), missing.message()),
            (Code::NotFound, "workspaces/acme/products/gone does not exist")
        );
        let foreign = get(vec![product_name("a"), "workspaces/other/products/a".into()]).await.unwrap_err();
        assert_eq!(fields(&foreign), ["names[1]"]);
        let many = get((0..501).map(|i| product_name(&format!("p{i}"))).collect()).await.unwrap_err();
        assert_eq!((many.code(), fields(&many)), (Code::InvalidArgument, vec!["names".to_owned()]));
    })
    .await;
}

#[tokio::test]
async fn what_is_too_much_for_a_message_is_not_read_at_once() {
    on_both(async |f| {
        let row = |i| pb::CreateProductRequest {
            product_id: format!("p{i}"),
            product: Some(pb::Product { display_name: "P".into(), strategy: "s".repeat(10_000), ..Default::default() }),
            ..Default::default()
        };
        for part in 0..4 {
            let requests = (part * 80..(part + 1) * 80).map(row).collect();
            let batch = pb::BatchCreateProductsRequest { parent: W.into(), requests, ..Default::default() };
            f.strategy().batch_create_products(batch).await.unwrap();
        }
        let get = |count| pb::BatchGetProductsRequest {
            parent: W.into(),
            names: (0..count).map(|i| product_name(&format!("p{i}"))).collect(),
        };
        let refused = f.strategy().batch_get_products(get(320)).await.unwrap_err();
        assert_eq!((refused.code(), fields(&refused)), (Code::InvalidArgument, vec!["names".to_owned()]));
        assert_eq!(f.strategy().batch_get_products(get(100)).await.unwrap().into_inner().products.len(), 100);
    })
    .await;
}

#[tokio::test]
async fn a_stale_row_refuses_all_or_only_itself() {
    on_both(async |f| {
        let created = products(f, &(0..500).map(|i| format!("p{i:03}")).collect::<Vec<_>>()).await;
        let stale = |(index, p): (usize, &pb::Product)| {
            (p.name.clone(), if index == 250 { "7".into() } else { p.etag.clone() })
        };
        let rows: Vec<(String, String)> = created.iter().enumerate().map(stale).collect();
        let batch = |partial| visions(rows.iter().map(|(name, etag)| (name.as_str(), etag.as_str())), partial);
        let before = f.log().await.len();

        let refused = f.strategy().batch_update_products(batch(false)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Aborted);
        assert!(refused.message().starts_with("requests[250]: workspaces/acme/products/p250 has changed"), "{refused}");
        let dry = pb::BatchUpdateProductsRequest { validate_only: true, ..batch(true) };
        let checked = f.strategy().batch_update_products(dry).await.unwrap();
        assert!(checked.metadata().get("waymark-revision").is_none());
        assert_eq!(reasons(&checked.into_inner().failures), [(250, "ETAG_MISMATCH")]);
        assert_eq!(f.log().await.len(), before, "nothing is changed");

        let once =
            pb::BatchUpdateProductsRequest { request_id: "6f7fdf0a-3c5e-4c39-9a7c-0d5b6f1d2a11".into(), ..batch(true) };
        let done = f.strategy().batch_update_products(once.clone()).await.unwrap();
        let revision = done.metadata().get("waymark-revision").cloned();
        let done = done.into_inner();
        assert_eq!(reasons(&done.failures), [(250, "ETAG_MISMATCH")]);
        assert_eq!((done.products.len(), done.products[250].name.as_str()), (500, ""));
        let changed = done.products.iter().filter(|p| p.vision == "new" && p.etag == "2");
        assert_eq!(changed.count(), 499);
        let again = f.strategy().batch_update_products(once.clone()).await.unwrap();
        assert_eq!((again.metadata().get("waymark-revision"), again.get_ref()), (revision.as_ref(), &done));
        let other = pb::BatchUpdateProductsRequest { partial: false, ..once };
        assert_eq!(refusal(f.strategy().batch_update_products(other).await).1, "REQUEST_ID_REUSED");
        let rows = f.served.store().read_log("acme", revision_of(revision.as_ref()) - 1, 1_000).await.unwrap();
        assert_eq!(rows.len(), 499, "done once, in one revision");
    })
    .await;
}

fn revision_of(revision: Option<&tonic::metadata::MetadataValue<tonic::metadata::Ascii>>) -> i64 {
    revision.unwrap().to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn rows_are_told_what_is_wrong_with_them() {
    on_both(async |f| {
        products(f, &ids(&["a", "b", "deleted"])).await;
        f.strategy().batch_delete_products(deletions([product_name("deleted").as_str()], false)).await.unwrap();
        let names = ["a", "b", "a", "deleted", "gone"].map(product_name);
        let foreign = "workspaces/other/products/a";
        let rows = || names.iter().map(String::as_str).chain([foreign, "nonsense", ""]);
        let expected = [
            (2, "INVALID_FIELD"),
            (3, "RESOURCE_NOT_FOUND"),
            (4, "RESOURCE_NOT_FOUND"),
            (5, "INVALID_FIELD"),
            (6, "INVALID_FIELD"),
            (7, "INVALID_FIELD"),
        ];
        let twice =
            f.strategy().batch_update_products(visions(rows().map(|name| (name, "")), false)).await.unwrap_err();
        assert_eq!(fields(&twice), ["requests[2].product.name"], "{twice}");
        let mut updates = visions(rows().map(|name| (name, "")), true);
        updates.requests.push(pb::UpdateProductRequest::default());
        let mask = Some(FieldMask { paths: vec!["colour".into()] });
        let b = &mut updates.requests[1];
        b.update_mask = mask;
        let updated = f.strategy().batch_update_products(updates).await.unwrap().into_inner();
        let mut also = expected.to_vec();
        also.insert(0, (1, "INVALID_MASK"));
        also.push((8, "INVALID_FIELD"));
        assert_eq!(reasons(&updated.failures), also);

        let twice = f.strategy().batch_delete_products(deletions(rows(), false)).await.unwrap_err();
        assert_eq!(fields(&twice), ["requests[2].name"], "{twice}");
        let deleted = f.strategy().batch_delete_products(deletions(rows(), true)).await.unwrap().into_inner();
        assert_eq!(reasons(&deleted.failures), expected);
        assert!(deleted.products[0].delete_time.is_some() && deleted.products[1].delete_time.is_some());
        let log = f.log().await.split_off(3);
        assert_eq!(log, ["ProductDeleted deleted", "ProductUpdated a", "ProductDeleted a", "ProductDeleted b"]);
        let many = f.strategy().batch_delete_products(deletions(vec![foreign; 501], true)).await.unwrap_err();
        assert_eq!(fields(&many), ["requests"]);
        let elsewhere = pb::BatchDeleteProductsRequest { parent: "acme".into(), ..Default::default() };
        assert_eq!(fields(&f.strategy().batch_delete_products(elsewhere).await.unwrap_err()), ["parent"]);
    })
    .await;
}

#[tokio::test]
async fn what_stays_keeps_what_it_refers_to() {
    on_both(async |f| {
        products(f, &ids(&["used", "free"])).await;
        f.create("top", pb::Initiative { product: product_name("used"), ..named("top") }).await.unwrap();
        let both = [product_name("used"), product_name("free")];
        let rows = |partial| deletions(both.iter().map(String::as_str), partial);
        let refused = f.strategy().batch_delete_products(rows(false)).await.unwrap_err();
        assert!(
            refused.message().starts_with("requests[0]: ") && refused.message().contains("initiatives/top"),
            "{refused}"
        );
        let deleted = f.strategy().batch_delete_products(rows(true)).await.unwrap().into_inner();
        assert_eq!(reasons(&deleted.failures), [(0, "RESOURCE_IN_USE")]);

        // What goes with all that refers to it is not in use, whatever comes first.
        for id in ["low", "middle", "high"] {
            f.create(id, named(id)).await.unwrap();
        }
        f.depend("low", "middle").await.unwrap();
        f.depend("middle", "high").await.unwrap();
        let delete = |id: &str, etag: &str| pb::DeleteInitiativeRequest {
            name: initiative_name(id),
            etag: etag.into(),
            ..Default::default()
        };
        let batch = |requests, partial| pb::BatchDeleteInitiativesRequest {
            parent: W.into(),
            requests,
            partial,
            ..Default::default()
        };
        let stale = vec![delete("low", ""), delete("middle", ""), delete("high", "77")];
        let kept = f.roadmap().batch_delete_initiatives(batch(stale, true)).await.unwrap().into_inner();
        let expected = [(0, "RESOURCE_IN_USE"), (1, "RESOURCE_IN_USE"), (2, "ETAG_MISMATCH")];
        assert_eq!(reasons(&kept.failures), expected, "as one stays, so does what it needs");
        let all = vec![delete("low", ""), delete("middle", ""), delete("high", "")];
        let gone = f.roadmap().batch_delete_initiatives(batch(all, false)).await.unwrap().into_inner();
        assert!(gone.initiatives.iter().all(|initiative| initiative.delete_time.is_some()));
    })
    .await;
}

#[tokio::test]
async fn rows_are_decided_by_the_rules_of_their_resource() {
    on_both(async |f| {
        products(f, &ids(&["app"])).await;
        for id in ["a", "b", "c"] {
            f.create(id, named(id)).await.unwrap();
        }
        let revise = |id: &str, change: pb::Initiative| pb::UpdateInitiativeRequest {
            initiative: Some(pb::Initiative { name: initiative_name(id), ..change }),
            ..Default::default()
        };
        let of = |product: &str| pb::Initiative { product: product.into(), ..Default::default() };
        let requests = vec![
            revise("a", of(&product_name("app"))),
            revise("b", of(&product_name("gone"))),
            revise("c", of("workspaces/other/products/app")),
        ];
        let batch = |partial| pb::BatchUpdateInitiativesRequest {
            parent: W.into(),
            requests: requests.clone(),
            partial,
            ..Default::default()
        };
        let refused = f.roadmap().batch_update_initiatives(batch(false)).await.unwrap_err();
        assert!(refused.message().starts_with("requests[1]: ") && refused.message().contains("gone"), "{refused}");
        let updated = f.roadmap().batch_update_initiatives(batch(true)).await.unwrap().into_inner();
        assert_eq!(reasons(&updated.failures), [(1, "REFERENCE_NOT_FOUND"), (2, "INVALID_FIELD")]);
        assert_eq!(f.get("a").await.product, product_name("app"));

        let factor = |value: f64| {
            let basis = Some(pb::factor_source::Basis::Guess("gut".into()));
            let source = Some(pb::FactorSource { basis, ..Default::default() });
            Some(pb::Factor { value: Some(pb::factor::Value::Point(value)), source, word: String::new() })
        };
        for (id, reach) in [("a", 300.0), ("b", 200.0), ("c", 100.0)] {
            let estimate = pb::Estimate {
                display_name: id.into(),
                initiative: initiative_name(id),
                reach: factor(reach),
                impact: factor(1.0),
                confidence: factor(1.0),
                effort: factor(1.0),
                ..Default::default()
            };
            let parent = W.to_owned();
            let create = pb::CreateEstimateRequest {
                parent,
                estimate_id: id.into(),
                estimate: Some(estimate),
                ..Default::default()
            };
            f.prioritization().create_estimate(create).await.unwrap();
        }
        let before = f.log().await.len();
        let reach = |id: &str, reach| pb::UpdateEstimateRequest {
            estimate: Some(pb::Estimate {
                name: format!("{W}/estimates/{id}"),
                reach: factor(reach),
                ..Default::default()
            }),
            ..Default::default()
        };
        let requests = vec![reach("b", 600.0), reach("c", 500.0)];
        let batch = pb::BatchUpdateEstimatesRequest { parent: W.into(), requests, ..Default::default() };
        let updated = f.prioritization().batch_update_estimates(by_ada(batch)).await.unwrap().into_inner();
        let by = updated.estimates[0].reach.clone().unwrap().source.unwrap().by;
        assert_eq!(by, "users/ada@example.com", "each is signed by its caller");
        let log = f.log().await.split_off(before);
        let moved = ["EstimateUpdated b", "EstimateUpdated c", "InitiativeRankChanged b", "InitiativeRankChanged c"];
        assert_eq!(log, moved, "what follows is written once for all rows");
        let change = f.get("c").await.rank_change.unwrap();
        assert_eq!(change.explanation, "rank 3 (RICE 100) -> rank 2 (RICE 500) of 3: reach 100 -> 500");

        let delete = |id: &str| pb::DeleteEstimateRequest { name: format!("{W}/estimates/{id}"), ..Default::default() };
        let requests = vec![delete("c"), delete("b")];
        let batch = pb::BatchDeleteEstimatesRequest { parent: W.into(), requests, ..Default::default() };
        f.prioritization().batch_delete_estimates(batch).await.unwrap();
        let log = f.log().await.split_off(before + moved.len());
        let unranked = ["EstimateDeleted c", "EstimateDeleted b", "InitiativeRankChanged b", "InitiativeRankChanged c"];
        assert_eq!(log, unranked);
    })
    .await;
}
