//! What a process believes of those who call. Who that makes of a call is said by [`crate::edge`].

use std::net::SocketAddr;
use std::sync::Arc;

use waymark_access::Authentication;

/// What finds out who calls.
#[derive(Debug, Clone, Default)]
pub enum Authenticator {
    /// Believes `waymark-actor`, and `waymark-role`, an administrator when it is absent. For development on loopback.
    #[default]
    Development,
    /// Believes tokens and certificates as an authentication file says.
    File(Arc<Authentication>),
}

/// The development authenticator would be reachable from other hosts.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} can be reached from other hosts and nothing says who may call: tell by --authentication FILE (deploy/authentication.example.yaml \
     is one), or listen on 127.0.0.1"
)]
pub struct Exposed(SocketAddr);

impl Authenticator {
    /// Whether it believes whatever callers say.
    pub fn is_for_development(&self) -> bool {
        matches!(self, Self::Development)
    }

    /// Refuses an address on which this authenticator would be dangerous.
    ///
    /// # Errors
    /// [`Exposed`] when the development authenticator would serve other hosts.
    pub(crate) fn check_exposure(&self, address: SocketAddr) -> Result<(), Exposed> {
        match self {
            Self::Development if !address.ip().is_loopback() => Err(Exposed(address)),
            Self::Development | Self::File(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn development_is_for_loopback() {
        let check = |address: &str| Authenticator::Development.check_exposure(address.parse().unwrap()).is_ok();
        assert!(check("127.0.0.1:7401") && check("[::1]:7401"));
        assert!(!check("0.0.0.0:7401") && !check("10.1.2.3:7401") && !check("[::]:7401"));
    }
}
