//! What a token of an issuer must be: signed by a key of that issuer, for this server, at this time. Then it tells who
//! calls.

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::claims::Claims;
use crate::fetch::Fetcher;
use crate::identity::Identity;
use crate::keyring::Keyring;
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::settings::{IssuerSettings, Kind};
use crate::token::Token;

/// Most groups of a caller. Policies look at each.
const MOST_GROUPS: usize = 1_000;

/// An issuer, and its keys.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) settings: IssuerSettings,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) fetcher: Arc<Fetcher>,
    /// Its name, shared with identities.
    name: Arc<str>,
}

impl Issuer {
    pub(crate) fn new(settings: IssuerSettings, keyring: Arc<Keyring>, fetcher: Arc<Fetcher>) -> Self {
        Self { name: settings.name.as_str().into(), settings, keyring, fetcher }
    }

    /// Who sends the token, and when it is valid. What it claims is looked at only once its signature is known to be
    /// right.
    pub(crate) fn verify(
        &self,
        token: &Token<'_>,
        now: DateTime<Utc>,
    ) -> Result<(Identity, Range<DateTime<Utc>>), Refusal> {
        let algorithm = token.algorithm.filter(|algorithm| self.settings.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(Refusal::Algorithm)?;
        let key_id = token.key_id.as_deref().ok_or(Refusal::NoKeyId)?;
        let keys = self.keyring.keys().ok_or(Refusal::KeysUnavailable)?;
        if !keys.has(key_id) {
            return Err(Refusal::UnknownKey);
        }
        if !keys.verifies(key_id, algorithm, token.signed, token.signature) {
            return Err(Refusal::Signature);
        }
        self.audience(&token.claims)?;
        let (valid, expires) = self.times(&token.claims, now)?;
        self.required(&token.claims)?;
        Ok((self.identity(&token.claims, expires)?, valid))
    }

    fn audience(&self, claims: &Claims) -> Result<(), Refusal> {
        let audiences = claims.get("aud").ok_or(Refusal::NoClaim("aud"))?;
        let audiences = Claims::texts(audiences).ok_or(Refusal::Claim("aud"))?;
        let ours = audiences.iter().any(|audience| self.settings.audiences.iter().any(|own| own == audience));
        if ours { Ok(()) } else { Err(Refusal::Audience) }
    }

    /// From when until when the token is valid, leeway included: both ends must be met at each use.
    fn times(&self, claims: &Claims, now: DateTime<Utc>) -> Result<(Range<DateTime<Utc>>, DateTime<Utc>), Refusal> {
        let leeway = TimeDelta::seconds(self.settings.leeway.as_secs() as i64);
        let expires = claims.time("exp")?.ok_or(Refusal::NoClaim("exp"))? + leeway;
        let not_before = claims.time("nbf")?;
        let issued = claims.time("iat")?;
        let ages_out = match (self.settings.longest_age, issued) {
            (None, _) => None,
            (Some(_), None) => return Err(Refusal::NoClaim("iat")),
            (Some(age), Some(issued)) => Some(issued + TimeDelta::seconds(age.as_secs() as i64) + leeway),
        };
        let start =
            [not_before, issued].into_iter().flatten().max().map_or(DateTime::UNIX_EPOCH, |start| start - leeway);
        if now >= expires {
            return Err(Refusal::Expired);
        }
        if now < start {
            return Err(Refusal::NotYet);
        }
        if ages_out.is_some_and(|end| now >= end) {
            return Err(Refusal::TooOld);
        }
        let end = ages_out.map_or(expires, |end| end.min(expires));
        Ok((start..end, end))
    }

    fn required(&self, claims: &Claims) -> Result<(), Refusal> {
        let has = |value: &Value, accepted: &[Value]| match value {
            Value::Array(values) => values.iter().any(|value| accepted.contains(value)),
            one => accepted.contains(one),
        };
        let all = self
            .settings
            .required_claims
            .iter()
            .all(|required| claims.at(&required.claim).is_some_and(|value| has(value, &required.values)));
        if all { Ok(()) } else { Err(Refusal::Required) }
    }

    fn identity(&self, claims: &Claims, expires: DateTime<Utc>) -> Result<Identity, Refusal> {
        claims.text("sub")?;
        let subject = claims.at(&self.settings.subject).and_then(Value::as_str).ok_or(Refusal::Subject)?;
        let principal = match self.settings.principals {
            Kind::Users => Principal::user(&self.name, subject),
            Kind::ServiceAccounts => {
                // Names of neither namespaces nor accounts have a colon in them (RFC 1123 labels and subdomains).
                let account =
                    subject.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
                let (namespace, name) = account.filter(|(_, name)| !name.contains(':')).ok_or(Refusal::Subject)?;
                Principal::service_account(&self.name, namespace, name)
            }
        };
        Ok(Identity {
            principal: principal.map_err(|_| Refusal::Subject)?,
            issuer: Some(Arc::clone(&self.name)),
            groups: self.groups(claims)?,
            token_id: claims.get("jti").and_then(Value::as_str).map(str::to_owned),
            expires: Some(expires),
        })
    }

    /// All groups or none: who is in a group that is left out may be forbidden something by it.
    fn groups(&self, claims: &Claims) -> Result<Vec<Principal>, Refusal> {
        let Some(path) = &self.settings.groups else { return Ok(Vec::new()) };
        let elsewhere = claims.get("_claim_names").and_then(|names| names.get(path.first()?)).is_some();
        if elsewhere {
            return Err(Refusal::GroupsElsewhere);
        }
        let Some(value) = claims.at(path) else { return Ok(Vec::new()) };
        let groups = Claims::texts(value).filter(|groups| groups.len() <= MOST_GROUPS).ok_or(Refusal::Groups)?;
        groups.into_iter().map(|group| Principal::group(&self.name, group).map_err(|_| Refusal::Groups)).collect()
    }
}
