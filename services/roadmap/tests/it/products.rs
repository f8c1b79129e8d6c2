//! What a product was said to be for stays readable, from the log.

use waymark_proto::roadmap::v1 as pb;

use super::{Fixture, W, by_ada, on_both, refusal};

const APP: &str = "workspaces/acme/products/app";

impl Fixture {
    async fn update_product(&self, product: pb::Product) {
        let product = Some(pb::Product { name: APP.into(), ..product });
        self.strategy()
            .update_product(by_ada(pb::UpdateProductRequest { product, ..Default::default() }))
            .await
            .unwrap();
    }

    async fn versions(&self, page_size: i32, page_token: &str) -> pb::ListProductVersionsResponse {
        let request = pb::ListProductVersionsRequest { name: APP.into(), page_size, page_token: page_token.to_owned() };
        self.strategy().list_product_versions(request).await.unwrap().into_inner()
    }
}

#[tokio::test]
async fn versions_are_told_with_who_and_when_and_only_where_the_texts_changed() {
    on_both(async |f| {
        let north_star = format!("//metrics.waymark.dev/{W}/metrics/weekly");
        let request = pb::CreateProductRequest {
            parent: W.into(),
            product_id: "app".into(),
            product: Some(pb::Product {
                display_name: "App".into(),
                vision: "all".into(),
                north_star: north_star.clone(),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(f.strategy().create_product(request).await.unwrap().into_inner().north_star, north_star);
        f.update_product(pb::Product { vision: "teams".into(), ..Default::default() }).await;
        f.update_product(pb::Product { display_name: "The app".into(), ..Default::default() }).await;
        f.update_product(pb::Product { strategy: "invites".into(), ..Default::default() }).await;
        let request = pb::DeleteProductRequest { name: APP.into(), ..Default::default() };
        f.strategy().delete_product(request).await.unwrap();

        let told = |answer: &pb::ListProductVersionsResponse| -> Vec<(i64, String, String, String)> {
            let version = |v: &pb::ProductVersion| (v.revision, v.vision.clone(), v.strategy.clone(), v.actor.clone());
            answer.versions.iter().map(version).collect()
        };
        let all = f.versions(0, "").await;
        let (ada, other) = ("users/ada@example.com".to_owned(), "users/developer".to_owned());
        let expected = [
            (4, "teams".into(), "invites".into(), ada.clone()),
            (2, "teams".into(), String::new(), ada),
            (1, "all".into(), String::new(), other),
        ];
        assert_eq!((told(&all), all.next_page_token.as_str()), (expected.to_vec(), ""));
        assert!(all.versions.iter().all(|version| version.time.is_some()));

        // Of two changes a page, the last of which is compared with the one before it.
        let (mut pages, mut token) = (Vec::new(), String::new());
        loop {
            let page = f.versions(2, &token).await;
            pages.push(told(&page).iter().map(|version| version.0).collect::<Vec<_>>());
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(pages, [vec![4], vec![2], vec![1]]);
        let unknown = pb::ListProductVersionsRequest { name: format!("{W}/products/none"), ..Default::default() };
        assert_eq!(refusal(f.strategy().list_product_versions(unknown).await).1, "RESOURCE_NOT_FOUND");
        let damaged = pb::ListProductVersionsRequest { name: APP.into(), page_token: "x".into(), ..Default::default() };
        assert_eq!(refusal(f.strategy().list_product_versions(damaged).await).1, "INVALID_PAGE_TOKEN");
    })
    .await;
}
