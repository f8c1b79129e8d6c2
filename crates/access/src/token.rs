//! A token, apart: what its header says, what it claims, and what was signed. Nothing of it is believed here.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::refusal::{MOST_TOKEN_BYTES, Refusal};

/// The parts of a token (RFC 7515, section 3.1).
pub(crate) struct Token<'a> {
    /// None where it is signed by nothing that is taken from anybody.
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) key_id: Option<String>,
    pub(crate) claims: Claims,
    pub(crate) signed: &'a str,
    pub(crate) signature: &'a str,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    pub(crate) fn parse(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > MOST_TOKEN_BYTES {
            return Err(Refusal::TooLong);
        }
        let not_three = Refusal::Malformed("three parts with dots between them are wanted");
        let (signed, signature) = token.rsplit_once('.').ok_or(not_three)?;
        let (header, claims) = signed.split_once('.').ok_or(not_three)?;
        if claims.contains('.') {
            return Err(not_three);
        }
        let header =
            part(header).ok_or(Refusal::Malformed("its header is not JSON in base64url, or says something twice"))?;
        let claims =
            part(claims).ok_or(Refusal::Malformed("its claims are not JSON in base64url, or say something twice"))?;
        let text = |name| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(Refusal::Malformed("its header has a number, a list or an object in place of a text")),
        };
        // Nothing that must be understood is: extensions change what a signature means (RFC 7515, section 4.1.11).
        if header.get("crit").is_some() {
            return Err(Refusal::Malformed("its header needs extensions to be understood (`crit`)"));
        }
        if !text("typ")?.is_none_or(is_access_token) {
            return Err(Refusal::Kind);
        }
        let key_id = text("kid")?.filter(|id| !id.is_empty()).map(str::to_owned);
        let algorithm = text("alg")?.and_then(Algorithm::named);
        Ok(Self { algorithm, key_id, claims, signed, signature })
    }
}

fn part(encoded: &str) -> Option<Claims> {
    Claims::parse(&BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?)
}

/// Other kinds are signed by the same keys, such as logout tokens (RFC 8725, section 3.11).
fn is_access_token(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}
