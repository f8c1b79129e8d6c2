//! Products, objectives and snapshots.

use waymark_domain::roadmap::{Objective, Product, Snapshot};

use crate::convert::plain;
use crate::roadmap::v1 as pb;

plain!(Product, pb::Product { vision, strategy, positioning, lifecycle: pb::ProductLifecycle, north_star });
plain!(Snapshot, pb::Snapshot { description, revision });
plain!(Objective, pb::Objective { description, owner, period, parent_objective, products });
