//! The authentication file as it is written: fields, and nothing that is not one.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::Kind;
use crate::algorithm::Algorithm;
use crate::role::Role;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) issuers: Vec<Spanned<Issuer>>,
    #[serde(default)]
    pub(super) certificates: Vec<Spanned<Certificate>>,
    #[serde(default)]
    pub(super) roles: Vec<RoleOf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleOf {
    pub(super) role: Role,
    pub(super) members: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issuer {
    pub(super) name: Spanned<String>,
    pub(super) url: Spanned<String>,
    pub(super) keys_url: Option<Spanned<String>>,
    pub(super) keys_file: Option<Spanned<PathBuf>>,
    pub(super) ca_file: Option<Spanned<PathBuf>>,
    pub(super) token_file: Option<Spanned<PathBuf>>,
    pub(super) timeout_seconds: Option<Spanned<u64>>,
    pub(super) audiences: Spanned<Vec<String>>,
    pub(super) algorithms: Option<Spanned<Vec<Algorithm>>>,
    #[serde(default)]
    pub(super) principals: Kind,
    pub(super) subject: Option<Spanned<ClaimPath>>,
    pub(super) groups: Option<Spanned<ClaimPath>>,
    #[serde(default)]
    pub(super) required_claims: Vec<Spanned<RequiredClaim>>,
    pub(super) leeway_seconds: Option<Spanned<u64>>,
    pub(super) longest_age_seconds: Option<Spanned<u64>>,
    #[serde(default)]
    pub(super) required: bool,
}

/// The name of a claim, or the names that lead to it; names have dots and slashes in them, so neither parts them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be the name of a claim, or the list of names that lead to it")]
pub(super) enum ClaimPath {
    Top(String),
    Within(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequiredClaim {
    pub(super) claim: ClaimPath,
    pub(super) is: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificate {
    pub(super) uri: Option<String>,
    pub(super) dns: Option<String>,
    pub(super) principal: String,
}
