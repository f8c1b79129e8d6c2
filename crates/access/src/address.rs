//! Addresses from which keys may be read.

use url::Url;

/// Whether what is read there is what its owner wrote: over TLS, or without leaving the machine.
pub(crate) fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && url.host_str().is_some_and(waymark_tls::is_local))
}
