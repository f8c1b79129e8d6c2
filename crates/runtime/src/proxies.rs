//! Proxies that are believed when they say for whom they call.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderMap;

/// Where a proxy says for whom it calls: each adds at the end whom it was called by.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Addresses that begin with the same bits, such as `10.0.0.0/8`, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// As one of IPv6, without what differs.
    bits: u128,
    /// How many bits differ.
    free: u32,
}

/// Networks of proxies that are believed. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Arc<[Network]>);

impl Network {
    fn has(self, address: IpAddr) -> bool {
        cut(bits(address), self.free) == self.bits
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no network; write an address, or one with a number of bits, such as 10.0.0.0/8");
        let (address, kept) = text.split_once('/').map_or((text, None), |(address, kept)| (address, Some(kept)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let length = if address.is_ipv4() { 32 } else { 128 };
        let kept = kept.map_or(Ok(length), |kept| kept.parse().map_err(|_| wrong()))?;
        let free = u32::checked_sub(length, kept).ok_or_else(wrong)?;
        if cut(bits(address), free) != bits(address) {
            return Err(format!(
                "{text:?} has an address that does not end where its network begins; write zeros there"
            ));
        }
        Ok(Self { bits: bits(address), free })
    }
}

impl Proxies {
    /// These are believed, and nobody else.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Where a call comes from that is made from `peer`: whom a proxy was called by that is believed, as far as each on the
    /// way is.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.has(client) {
            return client;
        }
        let said = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let said: Vec<&str> = said.flat_map(|value| value.split(',')).collect();
        for hop in said.into_iter().rev() {
            let Ok(hop) = hop.trim().parse::<IpAddr>() else { break };
            client = hop.to_canonical();
            if !self.has(client) {
                break;
            }
        }
        client
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn cut(bits: u128, free: u32) -> u128 {
    bits & u128::MAX.checked_shl(free).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, said: &[&str]) -> String {
        let proxies = Proxies::new(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"].map(|text| text.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for said in said {
            headers.append(FORWARDED_FOR, said.parse().unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_named_proxies_are_believed_and_only_as_far_as_each_is() {
        assert_eq!(client("203.0.113.5", &["198.51.100.1"]), "203.0.113.5", "anybody can send the header");
        assert_eq!(client("10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.1.2.3", &["198.51.100.1"]), "198.51.100.1", "however it is written");
        assert_eq!(client("10.1.2.3", &[]), "10.1.2.3");
        let invented = "1.2.3.4, 198.51.100.1, 2001:db8::9";
        assert_eq!(client("192.0.2.7", &[invented, "10.9.9.9"]), "198.51.100.1", "what the client sent itself");
        assert_eq!(client("10.1.2.3", &["198.51.100.1, unknown"]), "10.1.2.3");
        assert_eq!(client("10.1.2.3", &["10.0.0.1"]), "10.0.0.1");
    }

    #[test]
    fn a_network_is_an_address_and_how_many_of_its_bits_count() {
        for right in ["0.0.0.0/0", "::/0", "10.0.0.0/8", "192.0.2.7/32", "192.0.2.7", "2001:db8::/32", "::1"] {
            assert!(right.parse::<Network>().is_ok(), "{right}");
        }
        let all: Network = "::/0".parse().unwrap();
        assert!(all.has("192.0.2.1".parse().unwrap()));
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.has("192.0.2.1".parse().unwrap()) && !all.has("2001:db8::1".parse().unwrap()));
        for wrong in ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "proxy.example.com", "10.0.0.0/", "*"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
