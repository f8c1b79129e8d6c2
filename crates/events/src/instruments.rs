//! What those who bring events in count, over NATS as within one process.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Meter};
use waymark_runtime::Host;
use waymark_store::{Filling, Mirror};

use crate::subscription::{Subscription, Topic};

/// Of one subscription to one topic.
#[derive(Clone)]
pub(crate) struct Instruments {
    lag: Gauge<u64>,
    dead_letters: Counter<u64>,
    rewinds: Counter<u64>,
    /// Where there are mirrors.
    mirrors: Option<Mirrors>,
    labels: [KeyValue; 2],
}

/// Of the mirrors of a topic's source.
#[derive(Clone)]
struct Mirrors {
    lag: Gauge<f64>,
    filled: Gauge<u64>,
    rows: Gauge<u64>,
}

impl Mirrors {
    fn new(meter: &Meter) -> Self {
        let lag = meter.f64_gauge("waymark.mirror.lag").with_unit("s");
        let filled = meter.u64_gauge("waymark.mirror.filled");
        let rows = meter.u64_gauge("waymark.mirror.rows");
        Self {
            lag: lag.with_description("Age of the oldest event that waits for the mirrors of a source").build(),
            filled: filled.with_description("1 once a mirror has all that its source had").build(),
            rows: rows.with_description("Resources of the source that the filling has walked by").build(),
        }
    }
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
        let mirrors = topic.mirrors().next().map(|_| Mirrors::new(&meter));
        Self { lag, dead_letters, rewinds, mirrors, labels }
    }

    /// So much waits.
    pub(crate) fn waiting(&self, lag: u64) {
        self.lag.record(lag, &self.labels);
    }

    /// The oldest event that waits is this old.
    pub(crate) fn behind(&self, age: Duration) {
        if let Some(mirrors) = &self.mirrors {
            mirrors.lag.record(age.as_secs_f64(), &self.labels);
        }
    }

    /// A mirror is filled so far.
    pub(crate) fn filling(&self, mirror: &Mirror, filling: &Filling) {
        if let Some(mirrors) = &self.mirrors {
            let [consumer, source] = self.labels.clone();
            let labels = [consumer, source, KeyValue::new("collection", mirror.collection)];
            mirrors.filled.record(filling.is_done.into(), &labels);
            mirrors.rows.record(filling.rows.unsigned_abs(), &labels);
        }
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
