//! What the relay shows of itself: how much waits, since when, and whether the broker takes it. Nothing is decided by
//! it.

use chrono::{DateTime, Utc};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Meter};
use waymark_domain::WorkspaceId;

pub(super) struct Gauges {
    service: [KeyValue; 1],
    depth: Gauge<u64>,
    age: Gauge<f64>,
    ack_age: Gauge<f64>,
    published: Counter<u64>,
    losses: Counter<u64>,
    republished: Counter<u64>,
    last_ack: DateTime<Utc>,
    /// The workspace that is furthest behind, its cursor, and since when it stands there.
    stands: Option<(WorkspaceId, i64, DateTime<Utc>)>,
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
            stands: None,
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

    /// What a replica sees that does not relay, or not yet: `first` is the workspace furthest behind. If the one that
    /// relays is dead or stuck, its cursor does not move.
    pub(super) fn waiting(&mut self, depth: i64, first: Option<(&WorkspaceId, i64)>, now: DateTime<Utc>) {
        let before = self.stands.take();
        self.stands = first.map(|(workspace, cursor)| match before {
            Some((same, at, since)) if same == *workspace && at == cursor => (same, at, since),
            _ => (workspace.clone(), cursor, now),
        });
        self.depth.record(depth.unsigned_abs(), &self.service);
        if depth == 0 {
            self.age.record(0.0, &self.service);
        }
        self.ack_age.record(self.stands.as_ref().map_or(0.0, |(.., since)| seconds(*since, now)), &self.service);
    }

    /// What the one that relays sees; `oldest` is the time of the oldest event it has in hand.
    pub(super) fn relaying(&self, depth: i64, oldest: DateTime<Utc>, now: DateTime<Utc>) {
        self.depth.record(depth.unsigned_abs(), &self.service);
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
    fn a_relay_that_stands_shows_on_a_replica_that_does_not_relay() {
        let (telemetry, start) = (Telemetry::local().unwrap(), DateTime::UNIX_EPOCH);
        let ack_age = || {
            let text = telemetry.prometheus().unwrap();
            let line = text.lines().find(|line| line.starts_with("waymark_relay_ack_age_seconds{")).unwrap().to_owned();
            line.rsplit_once(' ').unwrap().1.to_owned()
        };
        let mut gauges = Gauges::new("roadmap", &telemetry.meter(), start);
        let acme = WorkspaceId::from_id("acme").unwrap();
        let at = |cursor| Some((&acme, cursor));
        gauges.waiting(3, at(7), start);
        gauges.waiting(5, at(7), start + TimeDelta::seconds(90));
        assert_eq!(ack_age(), "90");
        gauges.waiting(4, at(8), start + TimeDelta::seconds(91));
        assert_eq!(ack_age(), "0");
        gauges.waiting(0, None, start + TimeDelta::seconds(300));
        assert_eq!(ack_age(), "0");
    }
}
