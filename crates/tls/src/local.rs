//! Where nothing has to be encrypted: what stays on this machine.

use std::net::IpAddr;

/// Whether nothing leaves this machine on the way to a host, which may be an address in brackets.
pub fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["", "localhost.example.com", "0.0.0.0", "10.0.0.1", "[2001:db8::1]", "127.0.0.1.example.com"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
