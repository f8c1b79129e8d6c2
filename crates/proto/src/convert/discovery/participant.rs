//! Participants.

use std::collections::BTreeSet;

use waymark_domain::discovery::{Consent, ConsentScope, Participant};
use waymark_domain::{Violations, text};

use super::whole;
use crate::convert::{meta, set_meta, time, timestamp};
use crate::discovery::v1 as pb;

const ATTRIBUTES: usize = 50;

impl TryFrom<pb::Participant> for Participant {
    type Error = Violations;
    fn try_from(message: pb::Participant) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let segment = v.check("segment", text::optional(message.segment, 200));
        let account = v.check("account", text::optional(message.account, 200));
        let attributes = message.attributes;
        if attributes.len() > ATTRIBUTES {
            v.add("attributes", format!("has {} entries, at most {ATTRIBUTES} are allowed", attributes.len()));
        }
        for (key, value) in attributes.iter().take(ATTRIBUTES) {
            v.check("attributes", text::required(key.clone(), 63));
            v.check(&format!("attributes.{key}"), text::optional(value.clone(), 500));
        }
        let consent = message.consent.and_then(|message| v.nested("consent", consent(&message)));
        let participant = (|| Some(Self { meta: meta?, segment: segment?, account: account?, attributes, consent }))();
        whole(violations, participant)
    }
}

fn consent(message: &pb::Consent) -> Result<Consent, Violations> {
    let mut violations = Violations::new();
    let mut scopes = BTreeSet::new();
    for scope in message.scopes() {
        match scope {
            pb::ConsentScope::Unspecified => {
                violations.add("scopes", "must each be one of NOTES, RECORDING, QUOTING, CONTACT");
            }
            pb::ConsentScope::Notes => _ = scopes.insert(ConsentScope::Notes),
            pb::ConsentScope::Recording => _ = scopes.insert(ConsentScope::Recording),
            pb::ConsentScope::Quoting => _ = scopes.insert(ConsentScope::Quoting),
            pb::ConsentScope::Contact => _ = scopes.insert(ConsentScope::Contact),
        }
    }
    let give_time = time(&mut violations, "give_time", message.give_time);
    let expire_time = time(&mut violations, "expire_time", message.expire_time);
    violations.into_result()?;
    Consent::new(scopes, give_time, expire_time)
}

impl From<&Consent> for pb::Consent {
    fn from(consent: &Consent) -> Self {
        let scope = |scope: &ConsentScope| match scope {
            ConsentScope::Notes => pb::ConsentScope::Notes,
            ConsentScope::Recording => pb::ConsentScope::Recording,
            ConsentScope::Quoting => pb::ConsentScope::Quoting,
            ConsentScope::Contact => pb::ConsentScope::Contact,
        };
        Self {
            scopes: consent.scopes().iter().map(|s| scope(s).into()).collect(),
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
