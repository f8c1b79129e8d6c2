//! Products.

use waymark_domain::roadmap::{Product, ProductLifecycle};
use waymark_domain::{Violations, text};

use crate::convert::{meta, set_meta};
use crate::roadmap::v1 as pb;

impl TryFrom<pb::Product> for Product {
    type Error = Violations;
    fn try_from(message: pb::Product) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta = meta(&mut violations, &message);
        let lifecycle = match message.lifecycle() {
            pb::ProductLifecycle::Unspecified | pb::ProductLifecycle::Exploring => ProductLifecycle::Exploring,
            pb::ProductLifecycle::Growing => ProductLifecycle::Growing,
            pb::ProductLifecycle::Sustaining => ProductLifecycle::Sustaining,
            pb::ProductLifecycle::Retiring => ProductLifecycle::Retiring,
        };
        let vision = violations.check("vision", text::optional(message.vision, 2_000));
        let strategy = violations.check("strategy", text::optional(message.strategy, 10_000));
        let positioning = violations.check("positioning", text::optional(message.positioning, 2_000));
        match (meta, vision, strategy, positioning) {
            (Some(meta), Some(vision), Some(strategy), Some(positioning)) if violations.is_empty() => {
                Ok(Self { meta, vision, strategy, positioning, lifecycle })
            }
            _ => Err(violations),
        }
    }
}

impl From<&Product> for pb::Product {
    fn from(product: &Product) -> Self {
        let lifecycle = match product.lifecycle {
            ProductLifecycle::Exploring => pb::ProductLifecycle::Exploring,
            ProductLifecycle::Growing => pb::ProductLifecycle::Growing,
            ProductLifecycle::Sustaining => pb::ProductLifecycle::Sustaining,
            ProductLifecycle::Retiring => pb::ProductLifecycle::Retiring,
        };
        let mut message = Self {
            vision: product.vision.clone(),
            strategy: product.strategy.clone(),
            positioning: product.positioning.clone(),
            lifecycle: lifecycle.into(),
            ..Self::default()
        };
        set_meta(&mut message, &product.meta);
        message
    }
}
