//! Participants.

use std::collections::BTreeSet;

use waymark_domain::Violations;
use waymark_domain::discovery::{Consent, Participant};

use crate::Choice as _;
use crate::convert::{meta, set_meta, time, timestamp, whole};
use crate::discovery::v1 as pb;

impl TryFrom<pb::Participant> for Participant {
    type Error = Violations;
    fn try_from(message: pb::Participant) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let consent = message.consent.and_then(|message| v.nested("consent", consent(&message)));
        let pb::Participant { segment, account, attributes, .. } = message;
        let participant = (|| Some(Self { meta: meta?, segment, account, attributes, consent }))();
        whole(violations, participant)
    }
}

fn consent(message: &pb::Consent) -> Result<Consent, Violations> {
    let mut violations = Violations::new();
    let scopes: BTreeSet<_> = message.scopes().filter_map(pb::ConsentScope::domain).collect();
    let give_time = time(&mut violations, "give_time", message.give_time);
    let expire_time = time(&mut violations, "expire_time", message.expire_time);
    violations.into_result()?;
    Consent::new(scopes, give_time, expire_time)
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

impl From<&Participant> for pb::Participant {
    fn from(participant: &Participant) -> Self {
        let mut message = Self {
            segment: participant.segment.clone(),
            account: participant.account.clone(),
            attributes: participant.attributes.clone(),
            consent: participant.consent.as_ref().map(pb::Consent::from),
            ..Self::default()
        };
        set_meta(&mut message, &participant.meta);
        message
    }
}
