//! What the lake counts, as instruments of the process. Never counts by itself.

use opentelemetry::metrics::Meter;
use waymark_lake::{Lake, LakeMetrics};

/// One number of a reading of the counters.
type Reading = fn(&LakeMetrics) -> u64;

/// Exports the lake's counters; they are read when the metrics are.
pub fn observe(meter: &Meter, lake: &Lake) {
    let counters: [(&'static str, &'static str, Reading); 6] = [
        ("waymark.lake.rows", "Product events acknowledged", |m| m.rows_ingested),
        ("waymark.lake.commits", "Group commits that succeeded", |m| m.commits),
        ("waymark.lake.failed_commits", "Group commits that failed", |m| m.failed_commits),
        ("waymark.lake.files", "Data files written", |m| m.files_written),
        ("waymark.lake.compactions", "Compactions committed", |m| m.compactions),
        ("waymark.lake.queries", "Queries answered", |m| m.queries),
    ];
    for (name, description, read) in counters {
        let lake = lake.clone();
        meter
            .u64_observable_counter(name)
            .with_description(description)
            .with_callback(move |observer| observer.observe(read(&lake.metrics()), &[]))
            .build();
    }
    let lake = lake.clone();
    meter
        .u64_observable_gauge("waymark.lake.queued_rows")
        .with_description("Product events that wait to be committed")
        .with_callback(move |observer| observer.observe(lake.metrics().queued_rows, &[]))
        .build();
}
