//! What the service works with beside its database: the lake of product events, and what is expected of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use waymark_lake::{Lake, LakeOptions};
use waymark_runtime::{DatabaseArgs, Host};

use crate::config::MetricsArgs;
use crate::telemetry;
use crate::tracking::Tracking;

/// What is opened by the service's own options.
pub struct Parts {
    /// Product events.
    pub lake: Lake,
    /// What is expected of them, and what was seen that is not.
    pub tracking: Arc<Tracking>,
    /// How often to look for what is due.
    pub measure_every: Duration,
}

impl Parts {
    /// Opens the lake.
    pub(crate) fn open(host: &Host, database: &DatabaseArgs, args: &MetricsArgs) -> anyhow::Result<Self> {
        let mut options = LakeOptions::new(host.clock.clone(), host.ids.clone());
        options.max_wait = args.ingest_wait;
        options.storage_options = storage_options();
        let location = args.lake(database);
        let lake =
            Lake::open(&location, options).with_context(|| format!("product events cannot be kept in {location}"))?;
        let meter = host.telemetry.meter();
        telemetry::observe(&meter, &lake);
        let tracking = Arc::new(Tracking::new(args.intake(), &meter));
        Ok(Self { lake, tracking, measure_every: args.measure_every })
    }
}

/// Credentials and endpoints of object storage, under the names their own tools use; they are no flags, lest they show
/// in process lists.
fn storage_options() -> HashMap<String, String> {
    std::env::vars()
        .filter(|(name, _)| ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| name.starts_with(prefix)))
        .collect()
}
