//! What tracking plans say of events, as instruments of the process.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};

use super::judge::Found;

/// Counts what tracking plans say of events.
pub struct IntakeCounts {
    violations: Counter<u64>,
    bots: Counter<u64>,
}

impl IntakeCounts {
    /// Nothing yet.
    pub fn new(meter: &Meter) -> Self {
        Self {
            violations: meter
                .u64_counter("waymark.tracking.violations")
                .with_description("What product events were that tracking plans do not expect, by kind")
                .build(),
            bots: meter
                .u64_counter("waymark.tracking.bots")
                .with_description("Product events of bots, by what became of them")
                .build(),
        }
    }

    /// Adds what was found in the events of a call.
    pub fn add(&self, found: &Found) {
        for (kind, count) in &found.kinds {
            self.violations.add(*count, &[KeyValue::new("kind", <&str>::from(kind))]);
        }
        for (action, count) in [("MARK", found.marked), ("DROP", found.dropped)] {
            if count > 0 {
                self.bots.add(count, &[KeyValue::new("action", action)]);
            }
        }
    }
}
