//! The authentication file: which issuers are believed, and which certificates are whom.
//!
//! What the fields mean is told in `deploy/authentication.example.yaml`. The file is read into [`Settings`] whole or
//! not at all; what is wrong is told by file, line and field, with what would be right. Nothing is done with it here.

mod check;
mod fields;
mod reading;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::algorithm::Algorithm;
use crate::certificate::Mapping;
use crate::role::Roles;

pub(crate) use check::{Checked, wrong};
pub(crate) use reading::yaml;

/// What an authentication file says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// Who issues tokens, each of another name and URL.
    pub(crate) issuers: Vec<IssuerSettings>,
    /// Which certificates are whom; of several that fit, the first counts.
    pub(crate) certificates: Vec<Mapping>,
    /// Who has which role.
    pub(crate) roles: Roles,
}

/// Who issues tokens, and what is wanted of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IssuerSettings {
    /// The name of it in principals.
    pub(crate) name: String,
    /// What stands in `iss`.
    pub(crate) url: String,
    /// Where its keys are.
    pub(crate) source: Source,
    /// A token is for one of these.
    pub(crate) audiences: Vec<String>,
    /// A token is signed by one of these.
    pub(crate) algorithms: Vec<Algorithm>,
    /// What its subjects are.
    pub(crate) principals: Kind,
    /// The claim that names the subject.
    pub(crate) subject: Vec<String>,
    /// The claim that lists the groups.
    pub(crate) groups: Option<Vec<String>>,
    /// What else must be claimed.
    pub(crate) required_claims: Vec<RequiredClaim>,
    /// How far clocks may differ.
    pub(crate) leeway: Duration,
    /// How long ago a token may have been issued.
    pub(crate) longest_age: Option<Duration>,
    /// Whether readiness waits for its first keys.
    pub(crate) required: bool,
}

/// What the subjects of an issuer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
pub(crate) enum Kind {
    /// Whoever the issuer says.
    #[default]
    #[serde(rename = "users")]
    Users,
    /// Service accounts of a cluster; every subject is `system:serviceaccount:NAMESPACE:NAME`.
    #[serde(rename = "serviceAccounts")]
    ServiceAccounts,
}

/// A claim that must have one of some values; of a list, an entry must.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RequiredClaim {
    pub(crate) claim: Vec<String>,
    pub(crate) values: Vec<Value>,
}

/// Where the keys of an issuer are, and how they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) place: Place,
    /// The authorities that the server of the keys is vouched for by; none for those that the machine trusts.
    pub(crate) ca_file: Option<PathBuf>,
    /// What is sent as bearer token.
    pub(crate) token_file: Option<PathBuf>,
    /// How long reading may take.
    pub(crate) limit: Duration,
}

/// Where keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where the issuer's discovery document says.
    Discovery {
        /// What the document must say that it is of.
        issuer: String,
        /// Where it is.
        document: Url,
    },
    /// There.
    Keys(Url),
    /// In a file.
    File(PathBuf),
}

/// What is wrong with a file that says who calls or what they may do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// It cannot be read.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It says something that cannot be done.
    #[error("{}:{line}: {what}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The field, what is wrong with it, and what would be right.
        what: String,
    },
}

#[cfg(test)]
mod tests;
