//! The table of products.

use waymark_domain::roadmap::{Product, ProductLifecycle};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Table};

/// Products.
pub struct Products;

impl Table for Products {
    type Resource = Product;
    type Message = pb::Product;
    const TABLE: &'static str = "products";
    const COLUMNS: Columns<Product> = &[Column::text("lifecycle", |p| {
        let lifecycle = match p.lifecycle {
            ProductLifecycle::Exploring => "EXPLORING",
            ProductLifecycle::Growing => "GROWING",
            ProductLifecycle::Sustaining => "SUSTAINING",
            ProductLifecycle::Retiring => "RETIRING",
        };
        Some(lifecycle.to_owned())
    })];
}
