//! Who calls, once it is known.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::principal::Principal;

/// Who calls, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub principal: Principal,
    /// The name of the issuer that vouches for it; none for a certificate.
    pub issuer: Option<Arc<str>>,
    /// The groups it is in, in the order of the token.
    pub groups: Vec<Principal>,
    /// The id its issuer gave the token (`jti`), if any, to find it in the issuer's own records.
    pub token_id: Option<String>,
    /// When the token expires, leeway included: what goes on beyond this needs a new one. None for a certificate, whose
    /// connection ends by age.
    pub expires: Option<DateTime<Utc>>,
}

impl Identity {
    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let groups = self.groups.iter().map(|group| group.as_str().len() + 32).sum::<usize>();
        self.principal.as_str().len() + groups + self.token_id.as_ref().map_or(0, String::len) + 128
    }
}
