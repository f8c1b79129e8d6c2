//! The table of products.

use waymark_domain::roadmap::Product;
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Ruled, Table};

/// Products.
pub struct Products;

impl Table for Products {
    type Resource = Product;
    type Message = pb::Product;
    const TABLE: &'static str = "products";
    const COLUMNS: Columns<Product> =
        &[Column::choice("lifecycle", pb::ProductLifecycle::NAMES, |p| Some(p.lifecycle.into()))];
}

impl Ruled for Products {}
