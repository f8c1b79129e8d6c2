//! Published keys (RFC 7517): each kept with the algorithms it is for, so that none is ever used with another.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use crate::algorithm::Algorithm;

/// Most keys of an issuer. Those we know have two to twenty.
const MOST_KEYS: usize = 256;
/// Fewest bytes of an RSA modulus, which are 2,048 bits (NIST SP 800-131A).
const LEAST_MODULUS: usize = 256;

/// The keys of an issuer, by their ids.
#[derive(Debug)]
pub(crate) struct KeySet(HashMap<String, Vec<Key>>);

#[derive(Debug)]
struct Key {
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
    /// What was published, to tell whether it is another.
    published: Value,
}

/// Why something is not the keys of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("it is not a set of JSON web keys: an object with a list `keys` is wanted")]
    Form,
    #[error("it has more than {MOST_KEYS} keys")]
    TooMany,
    #[error(
        "none of its keys can verify a token: keys need a `kid`, and must be RSA of 2,048 bits or more, P-256, P-384 or Ed25519"
    )]
    NoneUsable,
}

/// What of a key is looked at.
#[derive(Deserialize)]
struct Published {
    kid: String,
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys for other purposes and of kinds nobody here knows are passed over, as issuers add such.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let Set { keys: published } = serde_json::from_slice(json).map_err(|_| KeySetError::Form)?;
        if published.len() > MOST_KEYS {
            return Err(KeySetError::TooMany);
        }
        let mut keys: HashMap<String, Vec<Key>> = HashMap::new();
        for (id, key) in published.into_iter().filter_map(Key::read) {
            keys.entry(id).or_default().push(key);
        }
        if keys.is_empty() { Err(KeySetError::NoneUsable) } else { Ok(Self(keys)) }
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    pub(crate) fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.0.keys().map(String::as_str).collect();
        ids.sort_unstable();
        ids
    }

    /// Whether a key of this id made the signature, by this algorithm.
    pub(crate) fn verifies(&self, id: &str, algorithm: Algorithm, signed: &str, signature: &str) -> bool {
        let keys = self.0.get(id).into_iter().flatten().filter(|key| key.algorithms.contains(&algorithm));
        keys.into_iter().any(|key| {
            jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.decoding, algorithm.primitive())
                .unwrap_or(false)
        })
    }
}

/// Sets are equal when what was published is.
impl PartialEq for KeySet {
    fn eq(&self, other: &Self) -> bool {
        let published = |keys: &[Key]| keys.iter().map(|key| key.published.clone()).collect::<Vec<_>>();
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .all(|(id, keys)| other.0.get(id).is_some_and(|theirs| published(keys) == published(theirs)))
    }
}

impl Key {
    fn read(published: Value) -> Option<(String, Self)> {
        let Published { kid, kty, purpose, key_ops, alg, crv, n, e, x, y } =
            serde_json::from_value(published.clone()).ok()?;
        let verifies = purpose.is_none_or(|purpose| purpose == "sig")
            && key_ops.is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        if !verifies || kid.is_empty() {
            return None;
        }
        let (family, decoding) = match (kty.as_str(), crv.as_deref()) {
            ("RSA", None) => {
                let (modulus, exponent) = (bytes(&n?)?, bytes(&e?)?);
                let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
                (significant >= LEAST_MODULUS)
                    .then(|| (Algorithm::RSA, DecodingKey::from_rsa_raw_components(&modulus, &exponent)))?
            }
            ("EC", Some("P-256")) => (Algorithm::P256, point(&x?, &y?, 32)?),
            ("EC", Some("P-384")) => (Algorithm::P384, point(&x?, &y?, 48)?),
            ("OKP", Some("Ed25519")) => {
                let key = bytes(&x?).filter(|key| key.len() == 32)?;
                (Algorithm::ED25519, DecodingKey::from_ed_der(&key))
            }
            _ => return None,
        };
        // A key that says what it is for is for nothing else.
        let only = alg.map(|name| Algorithm::named(&name));
        let algorithms: Vec<Algorithm> =
            family.iter().copied().filter(|one| only.is_none_or(|only| only == Some(*one))).collect();
        (!algorithms.is_empty()).then_some((kid, Self { algorithms, decoding, published }))
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// An uncompressed point (SEC 1, section 2.3.3) of coordinates that are `length` bytes each.
fn point(x: &str, y: &str, length: usize) -> Option<DecodingKey> {
    let (x, y) = (bytes(x)?, bytes(y)?);
    let right = x.len() == length && y.len() == length;
    right.then(|| DecodingKey::from_ec_der(&[&[4], x.as_slice(), y.as_slice()].concat()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(keys: &Value) -> Result<Vec<String>, KeySetError> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
            .map(|set| set.ids().into_iter().map(str::to_owned).collect())
    }

    fn rsa(bytes: usize) -> Value {
        json!({"kid": "r", "kty": "RSA", "n": BASE64_URL_SAFE_NO_PAD.encode(vec![255; bytes]), "e": "AQAB"})
    }

    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    #[test]
    fn keys_for_something_else_are_passed_over() {
        assert_eq!(parse(&json!([rsa(256), {"kty": "new", "crv": 7}, 5, null])).unwrap(), ["r"]);
        let passed_over = [
            rsa(255),
            with(rsa(256), "use", json!("enc")),
            with(rsa(256), "key_ops", json!(["sign"])),
            with(rsa(256), "alg", json!("HS256")),
            with(rsa(256), "alg", json!("RSA-OAEP")),
            with(rsa(256), "kid", json!("")),
            with(rsa(256), "kid", Value::Null),
            with(rsa(256), "n", json!("not base64!")),
            json!({"kid": "o", "kty": "oct", "k": "c2VjcmV0"}),
            json!({"kid": "e", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
            json!({"kid": "e", "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
            json!({"kid": "d", "kty": "OKP", "crv": "X25519", "x": BASE64_URL_SAFE_NO_PAD.encode([7; 32])}),
        ];
        for key in passed_over {
            assert_eq!(parse(&json!([key])), Err(KeySetError::NoneUsable), "{key}");
        }
    }

    #[test]
    fn what_is_no_set_of_keys_is_refused() {
        for none in ["<html>", "{}", "[]", r#"{"keys": 1}"#, ""] {
            assert_eq!(KeySet::parse(none.as_bytes()).unwrap_err(), KeySetError::Form, "{none}");
        }
        assert_eq!(parse(&vec![rsa(256); MOST_KEYS + 1].into()), Err(KeySetError::TooMany));
    }

    #[test]
    fn a_set_is_another_when_a_key_is_under_the_same_id() {
        let set = |key: Value| KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
        assert_eq!(set(rsa(256)), set(rsa(256)));
        assert_ne!(set(rsa(256)), set(rsa(257)));
    }
    /// RFC 7515, appendix A.3, and RFC 8037, appendices A.2 and A.4.
    #[test]
    fn signatures_of_the_standards_are_verified_and_others_are_not() {
        let joe = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let point = json!({"kid": "k", "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
        let edwards =
            json!({"kid": "k", "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let cases = [
            (
                point,
                Algorithm::ES256,
                joe,
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                edwards,
                Algorithm::EdDSA,
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ];
        for (key, algorithm, signed, signature) in cases {
            let set = KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
            assert!(set.verifies("k", algorithm, signed, signature), "{algorithm:?}");
            assert!(!set.verifies("k", algorithm, &signed.replace('J', "K"), signature), "another text");
            assert!(!set.verifies("other", algorithm, signed, signature), "another id");
            for wrong in ["", "AA", "not base64", &signature[..signature.len() - 4]] {
                assert!(!set.verifies("k", algorithm, signed, wrong), "{wrong}");
            }
            let others = Algorithm::RSA.iter().chain(Algorithm::P384).chain(Algorithm::P256).chain(Algorithm::ED25519);
            for other in others.filter(|other| **other != algorithm) {
                assert!(!set.verifies("k", *other, signed, signature), "{other:?} by a key for {algorithm:?}");
            }
        }
    }
}
