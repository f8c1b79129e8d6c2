//! What the relay shows of itself: how much waits, since when, and whether the broker takes it. Nothing is decided by
//! it.

use chrono::{DateTime, Utc};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Meter};

pub(super) struct Gauges {
    service: [KeyValue; 1],
    depth: Gauge<u64>,
    age: Gauge<f64>,
    ack_age: Gauge<f64>,
    published: Counter<u64>,
    losses: Counter<u64>,
    republished: Counter<u64>,
    last_ack: DateTime<Utc>,
}

impl Gauges {
    pub(super) fn new(service: &'static str, meter: &Meter, now: DateTime<Utc>) -> Self {
        let gauges = Self {
            service: [KeyValue::new("service", service)],
            depth: meter
                .u64_gauge("waymark.outbox.depth")
                .with_description("Revisions committed but not yet published")
                .build(),
            age: meter
                .f64_gauge("waymark.outbox.age")
                .with_unit("s")
                .with_description("Age of the oldest unpublished event")
                .build(),
            ack_age: meter
                .f64_gauge("waymark.relay.ack_age")
                .with_unit("s")
                .with_description("Time since the broker last acknowledged, while there was something to acknowledge")
                .build(),
            published: meter
                .u64_counter("waymark.relay.published")
                .with_description("Events acknowledged by the broker")
                .build(),
            losses: meter
                .u64_counter("waymark.relay.losses")
                .with_description("Times the stream was found to lack events that it had taken")
                .build(),
            republished: meter
                .u64_counter("waymark.relay.republished")
                .with_description("Events published again, after a loss or because an operator asked for it")
                .build(),
            last_ack: now,
        };
        // A series that is born at 1 never increased.
        gauges.losses.add(0, &gauges.service);
        gauges.republished.add(0, &gauges.service);
        gauges
    }

    /// The broker has stored `events` more.
    pub(super) fn acknowledged(&mut self, events: usize, now: DateTime<Utc>) {
        if events > 0 {
            self.last_ack = now;
        }
        self.published.add(events as u64, &self.service);
    }

    /// Of those that were acknowledged, so many had been published before.
    pub(super) fn republished(&self, events: u64) {
        self.republished.add(events, &self.service);
    }

    /// The stream lost events.
    pub(super) fn lost(&self) {
        self.losses.add(1, &self.service);
    }

    /// Nothing waits, or another replica relays and tells.
    pub(super) fn idle(&self) {
        self.depth.record(0, &self.service);
        self.age.record(0.0, &self.service);
        self.ack_age.record(0.0, &self.service);
    }

    /// So many revisions wait; `oldest` is the time of the oldest event it has in hand.
    pub(super) fn relaying(&self, depth: u64, oldest: DateTime<Utc>, now: DateTime<Utc>) {
        self.depth.record(depth, &self.service);
        self.age.record(seconds(oldest, now), &self.service);
        self.ack_age.record(seconds(oldest.max(self.last_ack), now), &self.service);
    }
}

fn seconds(since: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
    (now - since).num_milliseconds().max(0) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use waymark_runtime::Telemetry;

    use super::*;

    #[test]
    fn what_waits_is_told_until_another_relays() {
        let (telemetry, start) = (Telemetry::local().unwrap(), DateTime::UNIX_EPOCH);
        let told = |name: &str| {
            let text = telemetry.prometheus().unwrap();
            let line = text.lines().find(|line| line.starts_with(&format!("{name}{{"))).unwrap().to_owned();
            line.rsplit_once(' ').unwrap().1.to_owned()
        };
        let mut gauges = Gauges::new("roadmap", &telemetry.meter(), start);
        let now = start + TimeDelta::seconds(90);
        gauges.relaying(3, start, now);
        assert_eq!((told("waymark_outbox_depth"), told("waymark_relay_ack_age_seconds")), ("3".into(), "90".into()));
        gauges.acknowledged(1, now);
        gauges.relaying(2, start, now);
        assert_eq!(
            (told("waymark_outbox_age_seconds"), told("waymark_relay_ack_age_seconds")),
            ("90".into(), "0".into())
        );
        gauges.idle();
        assert_eq!((told("waymark_outbox_depth"), told("waymark_outbox_age_seconds")), ("0".into(), "0".into()));
    }
}
