//! Participants: people who take part in research, under an alias, and what they agreed to.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::{Meta, Violations};

/// A person who takes part in research. The display name is an alias, not the person's name.
#[derive(Debug, Clone, PartialEq)]
pub struct Participant {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// The group of users the person stands for.
    pub segment: String,
    /// The customer the person belongs to.
    pub account: String,
    /// What else matters about the person.
    pub attributes: BTreeMap<String, String>,
    /// What the person agreed to, if that is recorded.
    pub consent: Option<Consent>,
}

/// What a person agreed to, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    scopes: BTreeSet<ConsentScope>,
    give_time: Option<DateTime<Utc>>,
    expire_time: Option<DateTime<Utc>>,
}

/// What a person agrees to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsentScope {
    /// Notes and transcripts are kept.
    Notes,
    /// Sound or picture is recorded.
    Recording,
    /// Words are quoted.
    Quoting,
    /// The person may be asked again.
    Contact,
}

/// What happens to participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum ParticipantEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

super::resource!(Participant, ParticipantEvent, "participants");

impl Consent {
    /// A consent that ends after it began.
    pub fn new(
        scopes: BTreeSet<ConsentScope>,
        give_time: Option<DateTime<Utc>>,
        expire_time: Option<DateTime<Utc>>,
    ) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        if let (Some(given), Some(expires)) = (give_time, expire_time)
            && expires <= given
        {
            violations.add("expire_time", "must be after give_time");
        }
        violations.into_result()?;
        Ok(Self { scopes, give_time, expire_time })
    }

    /// What was agreed to.
    pub fn scopes(&self) -> &BTreeSet<ConsentScope> {
        &self.scopes
    }

    /// When it was given.
    pub fn give_time(&self) -> Option<DateTime<Utc>> {
        self.give_time
    }

    /// When it ends; `None` when it does not.
    pub fn expire_time(&self) -> Option<DateTime<Utc>> {
        self.expire_time
    }

    /// Whether it had ended at `time`; the moment it expires counts as ended.
    pub fn is_over(&self, time: DateTime<Utc>) -> bool {
        self.expire_time.is_some_and(|expires| expires <= time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_ends_at_its_expiry_and_not_before() {
        let time = |s| DateTime::from_timestamp(s, 0).unwrap();
        let consent = Consent::new(BTreeSet::from([ConsentScope::Notes]), Some(time(0)), Some(time(10))).unwrap();
        assert!(!consent.is_over(time(9)));
        assert!(consent.is_over(time(10)));
        assert!(Consent::new(BTreeSet::from([ConsentScope::Notes]), Some(time(10)), Some(time(10))).is_err());
    }
}
