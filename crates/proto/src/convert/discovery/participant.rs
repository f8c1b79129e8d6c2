//! Participants.

use std::collections::BTreeSet;

use waymark_domain::Violations;
use waymark_domain::discovery::{Consent, Participant};

use crate::Choice as _;
use crate::convert::plain::Part;
use crate::convert::{plain, time, timestamp};
use crate::discovery::v1 as pb;

plain!(Participant, pb::Participant { segment, account, attributes, consent });

impl Part for Consent {
    type Message = pb::Consent;
}

impl TryFrom<pb::Consent> for Consent {
    type Error = Violations;
    fn try_from(message: pb::Consent) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let scopes: BTreeSet<_> = message.scopes().filter_map(pb::ConsentScope::domain).collect();
        let give_time = time(&mut violations, "give_time", message.give_time);
        let expire_time = time(&mut violations, "expire_time", message.expire_time);
        violations.into_result()?;
        Self::new(scopes, give_time, expire_time)
    }
}

impl From<&Consent> for pb::Consent {
    fn from(consent: &Consent) -> Self {
        Self {
            scopes: consent.scopes().iter().copied().map(pb::ConsentScope::of).collect(),
            give_time: consent.give_time().map(timestamp),
            expire_time: consent.expire_time().map(timestamp),
        }
    }
}
