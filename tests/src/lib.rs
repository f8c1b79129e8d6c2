//! What the tools and tests across services share: the services' schemas.

#[cfg(feature = "lake")]
use waymark_store::Schema;

/// Each service's name and schema.
#[cfg(feature = "lake")]
pub const SCHEMAS: [(&str, &Schema); 3] = [
    (waymark_discovery::NAME, &waymark_discovery::SCHEMA),
    (waymark_roadmap::NAME, &waymark_roadmap::SCHEMA),
    (waymark_metrics::NAME, &waymark_metrics::SCHEMA),
];
