//! Products.

use waymark_domain::Violations;
use waymark_domain::roadmap::Product;

use crate::Choice as _;
use crate::convert::{meta, set_meta, whole};
use crate::roadmap::v1 as pb;

impl TryFrom<pb::Product> for Product {
    type Error = Violations;
    fn try_from(message: pb::Product) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta = meta(&mut violations, &message);
        let lifecycle = message.lifecycle().domain();
        let pb::Product { vision, strategy, positioning, .. } = message;
        let product = (|| Some(Self { meta: meta?, vision, strategy, positioning, lifecycle: lifecycle? }))();
        whole(violations, product)
    }
}

impl From<&Product> for pb::Product {
    fn from(product: &Product) -> Self {
        let mut message = Self {
            vision: product.vision.clone(),
            strategy: product.strategy.clone(),
            positioning: product.positioning.clone(),
            lifecycle: pb::ProductLifecycle::of(product.lifecycle),
            ..Self::default()
        };
        set_meta(&mut message, &product.meta);
        message
    }
}
