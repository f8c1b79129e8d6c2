//! What the fields of an authentication file must be for each other, and what stands for those that are left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use serde_saphyr::Spanned;
use url::Url;

use super::fields::{Certificate, ClaimPath, File, Issuer, RequiredClaim as RequiredFields, RoleOf};
use super::{IssuerSettings, Place, RequiredClaim, Settings, SettingsError, Source};
use crate::address::is_safe;
use crate::algorithm::Algorithm;
use crate::certificate::{Mapping, Pattern};
use crate::principal::Principal;
use crate::role::Roles;

/// What is wrong, and where.
pub(crate) struct Wrong {
    line: u64,
    what: String,
}

impl Wrong {
    /// In the file at `path`.
    pub(crate) fn of(self, path: &Path) -> SettingsError {
        SettingsError::Wrong { path: path.to_owned(), line: self.line, what: self.what }
    }
}

pub(crate) type Checked<T> = Result<T, Wrong>;

/// Tells what is wrong where something was said.
pub(crate) fn wrong<T>(at: &Spanned<impl Sized>, what: impl Into<String>) -> Checked<T> {
    Err(Wrong { line: at.referenced.line(), what: what.into() })
}

pub(super) fn file(file: File, folder: &Path) -> Checked<Settings> {
    if file.issuers.is_empty() && file.certificates.is_empty() {
        return Err(Wrong { line: 1, what: "nobody could call: name `issuers`, `certificates` or both".to_owned() });
    }
    let (mut names, mut urls) = (BTreeMap::new(), BTreeMap::new());
    let mut issuers = Vec::new();
    for fields in file.issuers {
        let (name, url) = (&fields.value.name, &fields.value.url);
        for (what, said, known) in [("name", name, &mut names), ("url", url, &mut urls)] {
            if let Some(line) = known.insert(said.value.clone(), said.referenced.line()) {
                return wrong(
                    said,
                    format!("{what}: {} is also that of the issuer in line {line}: each has its own", said.value),
                );
            }
        }
        issuers.push(issuer(fields.value, folder)?);
    }
    let certificates = file.certificates.into_iter().map(certificate).collect::<Checked<_>>()?;
    let roles = roles(file.roles, &issuers)?;
    Ok(Settings { issuers, certificates, roles })
}

fn issuer(fields: Issuer, folder: &Path) -> Checked<IssuerSettings> {
    let slug = fields.name.value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !slug || fields.name.value.is_empty() || fields.name.value.len() > 63 || fields.name.value.starts_with('-') {
        return wrong(
            &fields.name,
            "name: it is part of principals, so it must be 1 to 63 lower-case letters, digits and hyphens",
        );
    }
    if fields.url.value.is_empty() {
        return wrong(
            &fields.url,
            "url: it must be what tokens of the issuer have in `iss`, such as https://login.example.com",
        );
    }
    let source = source(&fields, folder)?;
    if fields.audiences.value.is_empty() || fields.audiences.value.iter().any(String::is_empty) {
        return wrong(
            &fields.audiences,
            "audiences: name at least one, such as `waymark`, that tokens for this server have in `aud`",
        );
    }
    let algorithms = match fields.algorithms {
        Some(algorithms) if algorithms.value.is_empty() => {
            return wrong(&algorithms, "algorithms: name at least one, or leave it out for RS256 and ES256");
        }
        Some(algorithms) => algorithms.value,
        None => vec![Algorithm::RS256, Algorithm::ES256],
    };
    Ok(IssuerSettings {
        source,
        algorithms,
        principals: fields.principals,
        subject: fields.subject.map_or_else(|| Ok(vec!["sub".to_owned()]), |subject| claim("subject", subject))?,
        groups: fields.groups.map(|groups| claim("groups", groups)).transpose()?,
        required_claims: fields.required_claims.into_iter().map(required_claim).collect::<Checked<_>>()?,
        leeway: seconds("leeway_seconds", fields.leeway_seconds, 0..=300)?.unwrap_or(Duration::from_secs(30)),
        longest_age: seconds("longest_age_seconds", fields.longest_age_seconds, 60..=31_536_000)?,
        required: fields.required,
        audiences: fields.audiences.value,
        name: fields.name.value,
        url: fields.url.value,
    })
}

fn source(fields: &Issuer, folder: &Path) -> Checked<Source> {
    let place = match (&fields.keys_url, &fields.keys_file) {
        (Some(url), None) => Place::Keys(address("keys_url", url)?),
        (None, Some(file)) => Place::File(folder.join(&file.value)),
        (Some(_), Some(file)) => {
            return wrong(file, "keys_file: keys come from `keys_url` or from `keys_file`, not from both");
        }
        (None, None) => {
            let issuer = fields.url.value.clone();
            address("url", &fields.url)?;
            // OpenID Connect Discovery 1.0, section 4: one slash at the end is left out.
            let document = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(&issuer));
            let document = Spanned::new(document, fields.url.referenced, fields.url.defined);
            Place::Discovery { issuer, document: address("url", &document)? }
        }
    };
    if let (Place::File(_), Some(file)) = (&place, fields.ca_file.as_ref().or(fields.token_file.as_ref())) {
        return wrong(
            file,
            "ca_file and token_file are for keys that are read over the network: with `keys_file`, leave them out",
        );
    }
    let path = |file: &Option<Spanned<PathBuf>>| file.as_ref().map(|file| folder.join(&file.value));
    let limit = seconds("timeout_seconds", fields.timeout_seconds.clone(), 1..=60)?.unwrap_or(Duration::from_secs(10));
    Ok(Source { place, ca_file: path(&fields.ca_file), token_file: path(&fields.token_file), limit })
}

fn address(field: &str, said: &Spanned<String>) -> Checked<Url> {
    let discovery = field == "url";
    let url = match Url::parse(&said.value) {
        Ok(url) => url,
        Err(error) => {
            let or = if discovery { ", or tell where the keys are by `keys_url` or `keys_file`" } else { "" };
            return wrong(said, format!("{field}: it is no address ({error}): name one that begins with https://{or}"));
        }
    };
    if !is_safe(&url) {
        let why = "keys that anybody on the way can change prove nothing; http:// goes to this machine only";
        return wrong(said, format!("{field}: it must begin with https://, as {why}"));
    }
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if !bare || (discovery && url.query().is_some()) {
        let query = if discovery { " and query" } else { "" };
        return wrong(said, format!("{field}: it must be an address without user, password, fragment{query}"));
    }
    Ok(url)
}

fn seconds(field: &str, said: Option<Spanned<u64>>, range: std::ops::RangeInclusive<u64>) -> Checked<Option<Duration>> {
    match said {
        Some(said) if !range.contains(&said.value) => {
            wrong(&said, format!("{field}: it must be {} to {}", range.start(), range.end()))
        }
        said => Ok(said.map(|said| Duration::from_secs(said.value))),
    }
}

fn claim(field: &str, path: Spanned<ClaimPath>) -> Checked<Vec<String>> {
    let at = Spanned::new((), path.referenced, path.defined);
    names(path.value).map_or_else(|| wrong(&at, format!("{field}: it names no claim")), Ok)
}

fn names(path: ClaimPath) -> Option<Vec<String>> {
    let names = match path {
        ClaimPath::Top(name) => vec![name],
        ClaimPath::Within(names) => names,
    };
    (!names.is_empty() && names.iter().all(|name| !name.is_empty())).then_some(names)
}

fn required_claim(fields: Spanned<RequiredFields>) -> Checked<RequiredClaim> {
    let at = Spanned::new((), fields.referenced, fields.defined);
    let Some(claim) = names(fields.value.claim) else { return wrong(&at, "claim: it names no claim") };
    let values = match fields.value.is {
        Value::Array(values) => values,
        one => vec![one],
    };
    let plain = |value: &Value| value.is_boolean() || value.is_number() || value.is_string();
    if values.is_empty() || !values.iter().all(plain) {
        return wrong(&at, "is: it must be a text, a number, true or false, or a list of these of which one suffices");
    }
    Ok(RequiredClaim { claim, values })
}

fn certificate(fields: Spanned<Certificate>) -> Checked<Mapping> {
    const URI: &str = "uri: it must be a URI such as spiffe://example.org/ns/shop/sa/web, in which one segment of the path may be `*`";
    const DNS: &str = "dns: it must be a name such as web.example.com, of which the first label may be `*`";
    const ONE: &str = "a certificate is known by a `uri` or by a `dns`: name one of them";
    const PRINCIPAL: &str = "principal: it must be written as services/NAME (or users/…, serviceAccounts/…), and may have a `*` as a \
                             part of its own where the name of the certificate has one";
    let at = Spanned::new((), fields.referenced, fields.defined);
    let Certificate { uri, dns, principal } = fields.value;
    let pattern = match (uri, dns) {
        (Some(uri), None) => Pattern::uri(&uri).ok_or(URI),
        (None, Some(dns)) => Pattern::dns(&dns).ok_or(DNS),
        (None, None) | (Some(_), Some(_)) => Err(ONE),
    };
    let mapping = pattern.and_then(|pattern| Mapping::new(pattern, &principal).ok_or(PRINCIPAL));
    mapping.or_else(|what| wrong(&at, what))
}

fn roles(fields: Vec<RoleOf>, issuers: &[IssuerSettings]) -> Checked<Roles> {
    const MEMBER: &str = "members: each must be written as groups/ISSUER/GROUP, users/ISSUER/SUBJECT, \
                          serviceAccounts/ISSUER/NAMESPACE/NAME or services/NAME, of ASCII letters, digits and -._~@+=:|, \
                          other bytes as %XX";
    let mut roles = Roles::default();
    for RoleOf { role, members } in fields {
        for member in members {
            let Ok(principal) = Principal::parse_member(&member.value) else {
                return wrong(&member, format!("{MEMBER}: {:?} is not", member.value));
            };
            if let Some(name) = principal.issuer().filter(|name| issuers.iter().all(|issuer| issuer.name != *name)) {
                return wrong(
                    &member,
                    format!("members: {principal} is of no issuer of this file: none is called {name}"),
                );
            }
            roles.give(role, principal);
        }
    }
    Ok(roles)
}
