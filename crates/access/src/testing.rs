//! Keys and tokens for tests, made when they are needed, by another library than the one that verifies.
//!
//! What goes wrong here is the test's end: it panics.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that cannot go on fails")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key of an issuer.
#[derive(Debug)]
pub struct Signer {
    /// Its id (`kid`).
    pub id: &'static str,
    algorithm: &'static str,
    key: Key,
}

#[derive(Debug)]
enum Key {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Curve(Box<EcdsaKeyPair>, &'static str),
    Edwards(Box<Ed25519KeyPair>),
}

impl Signer {
    /// A new key for an algorithm such as `ES256`.
    pub fn new(id: &'static str, algorithm: &'static str) -> Self {
        let rsa = |encoding| Key::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()), encoding);
        let key = match algorithm {
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "ES256" => Key::Curve(Box::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()), "P-256"),
            "ES384" => Key::Curve(Box::new(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()), "P-384"),
            "EdDSA" => Key::Edwards(Box::new(Ed25519KeyPair::generate().unwrap())),
            other => panic!("no test signs by {other}"),
        };
        Self { id, algorithm, key }
    }

    /// What the issuer publishes.
    pub fn published(&self) -> Value {
        match &self.key {
            Key::Rsa(pair, _) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let text = |number: &[u8]| encode(number);
                json!({"kid": self.id, "kty": "RSA", "use": "sig", "n": text(n.big_endian_without_leading_zero()),
                    "e": text(e.big_endian_without_leading_zero())})
            }
            Key::Curve(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kid": self.id, "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
            }
            Key::Edwards(pair) => {
                json!({"kid": self.id, "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": encode(pair.public_key().as_ref())})
            }
        }
    }

    /// The public key as bytes that a forger could take for a secret.
    pub fn public(&self) -> Vec<u8> {
        match &self.key {
            Key::Rsa(pair, _) => pair.public_key().as_ref().to_vec(),
            Key::Curve(pair, _) => pair.public_key().as_ref().to_vec(),
            Key::Edwards(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// A token with these claims.
    pub fn token(&self, claims: &Value) -> String {
        self.signed(&self.header().to_string(), &claims.to_string())
    }

    /// The header of its tokens.
    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm, "kid": self.id, "typ": "JWT"})
    }

    /// A token with any header and claims.
    pub fn signed(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            Key::Curve(pair, _) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Key::Edwards(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", encode(&signature))
    }
}

/// Bytes as they stand in tokens: base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// What an issuer publishes of several keys.
pub fn key_set(signers: &[&Signer]) -> String {
    json!({ "keys": signers.iter().map(|signer| signer.published()).collect::<Vec<_>>() }).to_string()
}
