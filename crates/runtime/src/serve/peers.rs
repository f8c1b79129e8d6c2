//! How many connections a server has, in all and of one peer, and how many of a peer's are still being opened. What is more
//! is closed at once: it would take memory and time from those who are served.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter, UpDownCounter};

use crate::config::LimitArgs;

/// The connections there are. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Peers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    counts: Mutex<Counts>,
    open: UpDownCounter<i64>,
    refused: Counter<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    connections: usize,
    peer_connections: usize,
    peer_handshakes: usize,
}

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    peers: HashMap<IpAddr, Peer>,
}

/// A peer's connections, those that are being opened among them.
#[derive(Debug, Default, Clone, Copy)]
struct Peer {
    connections: usize,
    opening: usize,
}

/// Which limit a connection would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// Connections in all.
    Connections,
    /// Connections of the peer.
    Peer,
    /// Connections of the peer that are being opened.
    Handshakes,
}

/// The place of a connection; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    peers: Peers,
    peer: IpAddr,
    opening: bool,
}

impl Full {
    fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Peer => "peer",
            Self::Handshakes => "handshakes",
        }
    }
}

impl Peers {
    pub(super) fn new(args: &LimitArgs, meter: &Meter) -> Self {
        let limits = Limits {
            connections: args.max_connections,
            peer_connections: args.max_peer_connections,
            peer_handshakes: args.max_peer_handshakes,
        };
        let open = meter
            .i64_up_down_counter("waymark.server.connections")
            .with_description("Connections that are open, those among them that are being opened")
            .build();
        let refused = meter
            .u64_counter("waymark.server.connections_refused")
            .with_description("Connections that were closed as there were too many: in all, of the peer, or of the peer and not opened yet")
            .build();
        Self(Arc::new(Inner { limits, counts: Mutex::default(), open, refused }))
    }

    /// A place for a connection that a peer is about to open, of a network.
    pub(super) fn admit(&self, peer: IpAddr) -> Result<Place, Full> {
        let admitted = self.counts().admit(peer, self.0.limits);
        match admitted {
            Ok(()) => {
                self.0.open.add(1, &[]);
                Ok(Place { peers: self.clone(), peer, opening: true })
            }
            Err(full) => {
                self.0.refused.add(1, &[KeyValue::new("limit", full.name())]);
                Err(full)
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // A panic while holding the lock leaves usable counts: every step keeps them whole.
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn admit(&mut self, peer: IpAddr, limits: Limits) -> Result<(), Full> {
        let of = self.peers.get(&peer).copied().unwrap_or_default();
        if self.connections >= limits.connections {
            return Err(Full::Connections);
        }
        if of.connections >= limits.peer_connections {
            return Err(Full::Peer);
        }
        if of.opening >= limits.peer_handshakes {
            return Err(Full::Handshakes);
        }
        self.connections += 1;
        self.peers.insert(peer, Peer { connections: of.connections + 1, opening: of.opening + 1 });
        Ok(())
    }

    fn opened(&mut self, peer: IpAddr) {
        if let Some(of) = self.peers.get_mut(&peer) {
            of.opening -= 1;
        }
    }

    fn leave(&mut self, peer: IpAddr) {
        self.connections -= 1;
        if let Some(of) = self.peers.get_mut(&peer) {
            of.connections -= 1;
            if of.connections == 0 {
                self.peers.remove(&peer);
            }
        }
    }
}

impl Place {
    /// The connection is open.
    pub(super) fn opened(&mut self) {
        if std::mem::take(&mut self.opening) {
            self.peers.counts().opened(self.peer);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.opened();
        self.peers.counts().leave(self.peer);
        self.peers.0.open.add(-1, &[]);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry::metrics::noop::NoopMeterProvider;

    use super::*;

    fn peers(max_connections: usize, max_peer_connections: usize, max_peer_handshakes: usize) -> Peers {
        let args = LimitArgs { max_connections, max_peer_connections, max_peer_handshakes, ..LimitArgs::default() };
        Peers::new(&args, &NoopMeterProvider::new().meter("test"))
    }

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_more_than_a_limit_is_refused_until_there_is_a_place() {
        let peers = peers(4, 3, 2);
        let (a, b) = (at("192.0.2.1"), at("192.0.2.2"));
        let (mut first, second) = (peers.admit(a).unwrap(), peers.admit(a).unwrap());
        assert_eq!(peers.admit(a).unwrap_err(), Full::Handshakes);
        first.opened();
        first.opened();
        let mut third = peers.admit(a).unwrap();
        third.opened();
        assert_eq!(peers.admit(a).unwrap_err(), Full::Peer);
        let other = peers.admit(b).unwrap();
        assert_eq!(peers.admit(b).unwrap_err(), Full::Connections);
        drop(second);
        let _fourth = peers.admit(b).unwrap();
        drop((first, third, other));
        assert_eq!(peers.counts().connections, 1);
        assert_eq!(peers.counts().peers.len(), 1, "a peer without connections takes no room");
    }
}
