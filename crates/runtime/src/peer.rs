//! Where a call comes from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The other end of a connection. The edge finds it among the extensions of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    network: IpAddr,
}

impl Peer {
    /// Who is at an address.
    pub fn at(address: SocketAddr) -> Self {
        let network = match address.ip().to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        };
        Self { address, network }
    }

    /// What counts as one peer: an address of IPv4, or what one site of IPv6 has at least, 64 bits of network (RFC 6177), within
    /// which a single machine may take any address.
    pub fn network(self) -> IpAddr {
        self.network
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_site_of_ipv6_is_one_peer_and_an_address_of_ipv4_is_one_however_it_is_written() {
        let network = |address: &str| Peer::at(address.parse().unwrap()).network();
        assert_eq!(network("[2001:db8::1]:1"), network("[2001:db8::ffff:1]:2"));
        assert_ne!(network("[2001:db8::1]:1"), network("[2001:db8:0:1::1]:1"));
        assert_eq!(network("192.0.2.1:1"), network("[::ffff:192.0.2.1]:2"));
        assert_ne!(network("192.0.2.1:1"), network("192.0.2.2:1"));
    }
}
