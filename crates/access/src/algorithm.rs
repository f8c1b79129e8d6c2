//! The algorithms that tokens may be signed with: those whose key can be published. No secret is shared, so there is
//! none to guess, and no published key can be taken for one.

use jsonwebtoken::Algorithm as Primitive;
use serde::Deserialize;

/// How a token is signed (RFC 7518, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    RS256,
    /// RSA, PKCS #1 v1.5, SHA-384.
    RS384,
    /// RSA, PKCS #1 v1.5, SHA-512.
    RS512,
    /// RSA, PSS, SHA-256.
    PS256,
    /// RSA, PSS, SHA-384.
    PS384,
    /// RSA, PSS, SHA-512.
    PS512,
    /// ECDSA on P-256.
    ES256,
    /// ECDSA on P-384.
    ES384,
    /// Ed25519, which RFC 9864 calls by its name.
    #[serde(alias = "Ed25519")]
    EdDSA,
}

use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};

impl Algorithm {
    /// What an RSA key may be used for.
    pub(crate) const RSA: &[Self] = &[RS256, RS384, RS512, PS256, PS384, PS512];
    /// What a key on P-256 may be used for.
    pub(crate) const P256: &[Self] = &[ES256];
    /// What a key on P-384 may be used for.
    pub(crate) const P384: &[Self] = &[ES384];
    /// What a key on Ed25519 may be used for.
    pub(crate) const ED25519: &[Self] = &[EdDSA];

    /// The algorithm of that name; none for `none`, for shared secrets and for what nobody here knows.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = if name == "Ed25519" { "EdDSA" } else { name };
        [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA].into_iter().find(|known| known.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            RS256 => "RS256",
            RS384 => "RS384",
            RS512 => "RS512",
            PS256 => "PS256",
            PS384 => "PS384",
            PS512 => "PS512",
            ES256 => "ES256",
            ES384 => "ES384",
            EdDSA => "EdDSA",
        }
    }

    pub(crate) fn primitive(self) -> Primitive {
        match self {
            RS256 => Primitive::RS256,
            RS384 => Primitive::RS384,
            RS512 => Primitive::RS512,
            PS256 => Primitive::PS256,
            PS384 => Primitive::PS384,
            PS512 => Primitive::PS512,
            ES256 => Primitive::ES256,
            ES384 => Primitive::ES384,
            EdDSA => Primitive::EdDSA,
        }
    }
}
