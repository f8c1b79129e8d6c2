//! Addresses from which keys may be read.

use url::{Host, Url};

/// Whether what is read there is what its owner wrote: over TLS, or without leaving the machine.
pub(crate) fn is_safe(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && local)
}
