//! Principals: the one way in which who calls is written, in the log, in policies and in answers.
//!
//! | principal | who |
//! |---|---|
//! | `users/{issuer}/{subject}` | somebody an issuer vouches for |
//! | `groups/{issuer}/{group}` | a group an issuer says somebody is in |
//! | `serviceAccounts/{issuer}/{namespace}/{name}` | a program in a Kubernetes cluster |
//! | `services/{name}` and below | a program known by its certificate |
//!
//! The issuer is the name that the authentication file gives it, so one subject of two issuers is two principals. Of
//! what issuers say, ASCII letters, digits and `-._~@+=:|` stand for themselves; every other byte of the UTF-8 is `%`
//! and two upper-case hexadecimal digits, and so are the dots of a part that is nothing but dots. So a principal is
//! printable ASCII, parts are never confused, and two subjects that differ in a byte differ as principals, as case and
//! composition of characters are the issuer's affair.

use std::fmt;
use std::sync::Arc;

/// Most bytes of a principal.
pub const MOST_BYTES: usize = 256;

/// Who calls, or a group of those who call. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal(Arc<str>);

/// Why something is no principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrincipalError {
    /// A part is empty.
    #[error("a part of it is empty")]
    Empty,
    /// It is longer than [`MOST_BYTES`].
    #[error("it is longer than {MOST_BYTES} bytes")]
    TooLong,
    /// It is not written as principals are.
    #[error(
        "it must be users/ISSUER/SUBJECT, serviceAccounts/ISSUER/NAMESPACE/NAME or services/NAME, of ASCII letters, digits and -._~@+=:|, \
         other bytes as %XX"
    )]
    Form,
}

impl Principal {
    /// `subject`, whom `issuer` vouches for.
    pub fn user(issuer: &str, subject: &str) -> Result<Self, PrincipalError> {
        Self::of("users", issuer, &[subject])
    }

    /// A group of `issuer`.
    pub fn group(issuer: &str, group: &str) -> Result<Self, PrincipalError> {
        Self::of("groups", issuer, &[group])
    }

    /// A service account of the cluster that `issuer` stands for.
    pub fn service_account(issuer: &str, namespace: &str, name: &str) -> Result<Self, PrincipalError> {
        Self::of("serviceAccounts", issuer, &[namespace, name])
    }

    fn of(kind: &str, issuer: &str, parts: &[&str]) -> Result<Self, PrincipalError> {
        let mut text = format!("{kind}/{issuer}");
        for part in parts {
            if part.is_empty() {
                return Err(PrincipalError::Empty);
            }
            text.push('/');
            encode(part, &mut text);
        }
        if text.len() > MOST_BYTES {
            return Err(PrincipalError::TooLong);
        }
        Ok(Self(text.into()))
    }

    /// Somebody, not a group, as written.
    ///
    /// # Errors
    /// [`PrincipalError`] where it is not written as the principals above are.
    pub fn parse(text: &str) -> Result<Self, PrincipalError> {
        if text.starts_with("groups/") { Err(PrincipalError::Form) } else { Self::parse_member(text) }
    }

    /// Somebody or a group, as written.
    ///
    /// # Errors
    /// As for [`Principal::parse`].
    pub fn parse_member(text: &str) -> Result<Self, PrincipalError> {
        if text.len() > MOST_BYTES {
            return Err(PrincipalError::TooLong);
        }
        let parts: Vec<&str> = text.split('/').collect();
        let right = match parts[0] {
            "users" | "groups" => parts.len() == 3,
            "serviceAccounts" => parts.len() == 4,
            "services" => parts.len() >= 2,
            _ => false,
        };
        if right && parts.iter().any(|part| part.is_empty()) {
            return Err(PrincipalError::Empty);
        }
        if right && parts.iter().all(|part| is_encoded(part)) {
            Ok(Self(text.into()))
        } else {
            Err(PrincipalError::Form)
        }
    }

    /// The name of the issuer that it is of; none of a program that is known by its certificate.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.0.split('/').nth(1).filter(|_| !self.0.starts_with("services/"))
    }

    /// The principal as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~@+=:|".contains(&byte)
}

/// Appends `part` to `text` as it stands in a principal.
pub(crate) fn encode(part: &str, text: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    // Whatever takes a principal for a path would walk by these.
    let dots = part.bytes().all(|byte| byte == b'.');
    for byte in part.bytes() {
        if is_plain(byte) && !dots {
            text.push(char::from(byte));
        } else {
            text.extend(['%', char::from(HEX[usize::from(byte >> 4)]), char::from(HEX[usize::from(byte & 15)])]);
        }
    }
}

/// Whether a part is what [`encode`] makes of some text, so that everything has one way of being written.
fn is_encoded(part: &str) -> bool {
    let Some(bytes) = decode(part) else { return false };
    let Ok(said) = String::from_utf8(bytes) else { return false };
    let mut again = String::new();
    encode(&said, &mut again);
    again == part
}

fn decode(part: &str) -> Option<Vec<u8>> {
    let mut bytes = part.bytes();
    let mut decoded = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        decoded.push((digit()? * 16 + digit()?) as u8);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_issuers_say_is_written_so_that_parts_are_never_confused() {
        let user = |subject: &str| Principal::user("corp", subject).map(|principal| principal.to_string());
        assert_eq!(user("ada@example.com").unwrap(), "users/corp/ada@example.com");
        assert_eq!(user("auth0|5f7c").unwrap(), "users/corp/auth0|5f7c");
        assert_eq!(user("a/b%2F *").unwrap(), "users/corp/a%2Fb%252F%20%2A");
        assert_eq!(user("..").unwrap(), "users/corp/%2E%2E");
        assert_ne!(user("e\u{301}"), user("é"), "composed or not, the issuer's bytes count");
        assert_ne!(Principal::user("a", "x"), Principal::user("b", "x"));
        assert_eq!(user(""), Err(PrincipalError::Empty));
        assert_eq!(user(&"x".repeat(MOST_BYTES - "users/corp/".len())).unwrap().len(), MOST_BYTES);
        assert_eq!(user(&"x".repeat(MOST_BYTES - "users/corp/".len() + 1)), Err(PrincipalError::TooLong));
        let account = Principal::service_account("kind", "waymark", "metrics").unwrap();
        assert_eq!(account.as_str(), "serviceAccounts/kind/waymark/metrics");
    }

    #[test]
    fn a_written_principal_is_somebody() {
        for right in
            ["users/corp/ada", "serviceAccounts/kind/ns/name", "services/metrics", "services/a/b", "users/c/%C3%A9"]
        {
            assert_eq!(Principal::parse(right).unwrap().as_str(), right);
        }
        let wrong = [
            "",
            "users",
            "users/ada",
            "groups/corp/all",
            "services/",
            "users//x",
            "users/c/é",
            "users/c/a%2f",
            "services/a%41",
            "services/%FF",
            "services/%",
            "services/..",
            "root/x/y",
        ];
        for wrong in wrong {
            assert!(Principal::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn two_subjects_are_two_principals(one in ".{1,20}", other in ".{1,20}") {
            let (first, second) = (Principal::user("c", &one), Principal::user("c", &other));
            prop_assert_eq!(one == other, first == second);
            prop_assert_eq!(Principal::parse(first.unwrap().as_str()).unwrap().as_str().is_ascii(), true);
        }
    }
}
