//! Products and objectives.

use waymark_domain::roadmap::{Objective, Product};

use crate::convert::plain;
use crate::roadmap::v1 as pb;

plain!(Product, pb::Product { vision, strategy, positioning, lifecycle: pb::ProductLifecycle, north_star });
plain!(Objective, pb::Objective { description, owner, period, parent_objective, products });
