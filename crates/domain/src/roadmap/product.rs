//! Products: what is built, for whom and why.

use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::{FullName, Meta, Resource};

/// A product: what it is for and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What the world looks like when the product has won.
    pub vision: String,
    /// How to get there and what is left out on purpose.
    pub strategy: String,
    /// For whom, against what, and why better.
    pub positioning: String,
    /// Where in its life the product is.
    pub lifecycle: ProductLifecycle,
    /// The metric that says whether users get what it is for.
    pub north_star: Option<FullName>,
}

/// Stages of a product's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ProductLifecycle {
    /// Looking for a problem worth solving.
    Exploring,
    /// In the market and growing.
    Growing,
    /// Kept and improved.
    Sustaining,
    /// On its way out.
    Retiring,
}

/// What happens to products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum ProductEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

impl Resource for Product {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "Product";
    const COLLECTION: &'static str = "products";
    type Event = ProductEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}
