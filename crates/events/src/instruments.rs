//! What those who bring events in count, over NATS as within one process.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge};
use waymark_runtime::Host;

use crate::subscription::{Subscription, Topic};

/// Of one subscription to one topic.
#[derive(Clone)]
pub(crate) struct Instruments {
    lag: Gauge<u64>,
    dead_letters: Counter<u64>,
    rewinds: Counter<u64>,
    labels: [KeyValue; 2],
}

impl Instruments {
    pub(crate) fn new(host: &Host, subscription: &Subscription, topic: &Topic) -> Self {
        let meter = host.telemetry.meter();
        let labels = [KeyValue::new("consumer", subscription.consumer), KeyValue::new("source", topic.source)];
        let waiting = "Events that wait for this consumer; within one process, revisions";
        let dead_letters =
            meter.u64_counter("waymark.dead_letters").with_description("Events set aside as dead letters").build();
        let rewinds = meter
            .u64_counter("waymark.consumer.rewinds")
            .with_description(
                "Times that a stream was no longer the one that was read, and a part of it was read again",
            )
            .build();
        // A series that is born at 1 never increased, so no alert would tell of the first.
        dead_letters.add(0, &labels);
        rewinds.add(0, &labels);
        let lag = meter.u64_gauge("waymark.consumer.lag").with_description(waiting).build();
        Self { lag, dead_letters, rewinds, labels }
    }

    /// So much waits.
    pub(crate) fn waiting(&self, lag: u64) {
        self.lag.record(lag, &self.labels);
    }

    /// An event became a dead letter.
    pub(crate) fn set_aside(&self) {
        self.dead_letters.add(1, &self.labels);
    }

    /// The stream lost messages that were read, and is read again from before them.
    pub(crate) fn rewound(&self) {
        self.rewinds.add(1, &self.labels);
    }
}
