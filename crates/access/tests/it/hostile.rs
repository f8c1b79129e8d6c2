//! Tokens that are wrong, one thing each: each is refused for its reason, and nothing of it is repeated.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use proptest::prelude::*;
use serde_json::{Value, json};
use waymark_access::Refusal;

use crate::world::{START, World, claims};
use waymark_access::testing::{Signer, encode, key_set};

struct Fixture {
    world: World,
    curve: Signer,
    rsa: Signer,
    /// The key of the other issuer, and one of it that has the id of a key of `corp`.
    theirs: Signer,
    same_id: Signer,
}

async fn fixture() -> Fixture {
    let (curve, rsa) = (Signer::new("curve", "ES256"), Signer::new("rsa", "RS256"));
    let (theirs, same_id) = (Signer::new("theirs", "ES256"), Signer::new("curve", "ES256"));
    let file = "issuers:
  - {name: corp, url: 'https://corp', audiences: [waymark, roadmap], keys_file: corp.json, longest_age_seconds: 7200}
  - {name: partner, url: 'https://partner', audiences: [waymark], keys_file: partner.json}
";
    let keys = [("corp.json", key_set(&[&curve, &rsa])), ("partner.json", key_set(&[&theirs, &same_id]))];
    let world = World::new(file, &keys.each_ref().map(|(name, set)| (*name, set.as_str()))).await;
    world.authentication.refresh().await;
    Fixture { world, curve, rsa, theirs, same_id }
}

#[tokio::test]
async fn each_hostile_token_is_refused_for_its_reason() {
    let Fixture { world, curve, rsa, theirs, same_id } = fixture().await;
    let good = curve.token(&claims(json!({})));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let body = claims(json!({})).to_string();
    let with = |others: Value| curve.token(&claims(others));
    let header = |others: Value| {
        let mut header = curve.header();
        header.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        curve.signed(&header.to_string(), &body)
    };
    let unsigned = |algorithm: &str| {
        format!(
            "{}.{}.",
            encode(json!({"alg": algorithm, "kid": "curve"}).to_string().as_bytes()),
            encode(body.as_bytes())
        )
    };
    let shared = |signer: &Signer, secret: &[u8]| {
        let header = json!({"alg": "HS256", "kid": signer.id, "typ": "JWT"}).to_string();
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(body.as_bytes()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        format!("{signed}.{}", encode(tag.as_ref()))
    };
    let bomb = |open: &str, close: &str| {
        curve.signed(&curve.header().to_string(), &format!("{{\"x\":{}1{}}}", open.repeat(1_500), close.repeat(1_500)))
    };
    let malformed = |what| Refusal::Malformed(what);
    let json = "its claims are not JSON in base64url, or say something twice";
    let three = "three parts with dots between them are wanted";
    let cases = [
        ("none", unsigned("none"), Refusal::Algorithm),
        ("None", unsigned("None"), Refusal::Algorithm),
        ("no algorithm's name", header(json!({"alg": ""})), Refusal::Algorithm),
        (
            "algorithm that is a list",
            header(json!({"alg": ["ES256"]})),
            malformed("its header has a number, a list or an object in place of a text"),
        ),
        ("shared secret, the point", shared(&curve, &curve.public()), Refusal::Algorithm),
        ("shared secret, the RSA key", shared(&rsa, &rsa.public()), Refusal::Algorithm),
        ("shared secret, the published text", shared(&rsa, rsa.published().to_string().as_bytes()), Refusal::Algorithm),
        ("RSA by the key of a curve", header(json!({"alg": "RS256"})), Refusal::Signature),
        ("another curve", header(json!({"alg": "ES384"})), Refusal::Algorithm),
        ("other RSA", header(json!({"alg": "RS256", "kid": "rsa"})), Refusal::Signature),
        ("no key id", curve.signed(r#"{"alg":"ES256"}"#, &body), Refusal::NoKeyId),
        ("empty key id", header(json!({"kid": ""})), Refusal::NoKeyId),
        (
            "key id that is a number",
            header(json!({"kid": 7})),
            malformed("its header has a number, a list or an object in place of a text"),
        ),
        ("key id that is a path", header(json!({"kid": "../../../dev/null"})), Refusal::UnknownKey),
        ("key of the other issuer", theirs.token(&claims(json!({}))), Refusal::UnknownKey),
        ("key of the other issuer under our id", same_id.token(&claims(json!({}))), Refusal::Signature),
        ("our key for the other issuer", with(json!({"iss": "https://partner"})), Refusal::Signature),
        ("key in the header", header(json!({"jwk": same_id.published(), "kid": "new"})), Refusal::UnknownKey),
        (
            "address of keys in the header",
            header(json!({"jku": "https://evil/keys", "kid": "new"})),
            Refusal::UnknownKey,
        ),
        (
            "extensions",
            header(json!({"crit": ["b64"], "b64": false})),
            malformed("its header needs extensions to be understood (`crit`)"),
        ),
        ("logout token", header(json!({"typ": "logout+jwt"})), Refusal::Kind),
        ("no issuer", with(json!({"iss": null})), Refusal::NoClaim("iss")),
        ("issuer with a slash", with(json!({"iss": "https://corp/"})), Refusal::UnknownIssuer),
        ("issuer in capitals", with(json!({"iss": "https://CORP"})), Refusal::UnknownIssuer),
        ("issuer that is a list", with(json!({"iss": ["https://corp"]})), Refusal::Claim("iss")),
        ("no audience", with(json!({"aud": null})), Refusal::NoClaim("aud")),
        ("wrong audience", with(json!({"aud": "billing"})), Refusal::Audience),
        ("part of an audience", with(json!({"aud": "way"})), Refusal::Audience),
        ("wrong audiences", with(json!({"aud": ["billing", "waymark "]})), Refusal::Audience),
        ("no audience in a list", with(json!({"aud": []})), Refusal::Audience),
        ("audience that is an object", with(json!({"aud": {"waymark": true}})), Refusal::Claim("aud")),
        ("audiences of which one is a number", with(json!({"aud": ["waymark", 1]})), Refusal::Claim("aud")),
        ("no subject", with(json!({"sub": null})), Refusal::NoClaim("sub")),
        ("empty subject", with(json!({"sub": ""})), Refusal::Claim("sub")),
        ("subject that is a number", with(json!({"sub": 1})), Refusal::Claim("sub")),
        ("long subject", with(json!({"sub": "é".repeat(50)})), Refusal::Subject),
        ("no end", with(json!({"exp": null})), Refusal::NoClaim("exp")),
        ("expired", with(json!({"exp": START - 31, "iat": START - 60})), Refusal::Expired),
        ("expired at the second", with(json!({"exp": START - 30, "iat": START - 60})), Refusal::Expired),
        ("end as text", with(json!({"exp": (START + 60).to_string()})), Refusal::Claim("exp")),
        ("huge end", with(json!({"exp": 1e300})), Refusal::Claim("exp")),
        ("end that overflows", with(json!({"exp": u64::MAX})), Refusal::Claim("exp")),
        ("negative end", with(json!({"exp": -1})), Refusal::Claim("exp")),
        ("of tomorrow", with(json!({"nbf": START + 86_400})), Refusal::NotYet),
        ("issued tomorrow", with(json!({"iat": START + 86_400, "exp": START + 90_000})), Refusal::NotYet),
        ("too old", with(json!({"iat": START - 7_230})), Refusal::TooOld),
        ("of no known age", with(json!({"iat": null})), Refusal::NoClaim("iat")),
        ("60 KB", with(json!({"pad": "x".repeat(60_000)})), Refusal::TooLong),
        ("too long by a byte", "x".repeat(16 * 1024 + 1), Refusal::TooLong),
        ("nested lists", bomb("[", "]"), malformed(json)),
        ("nested objects", bomb("{\"x\":", "}"), malformed(json)),
        (
            "a claim twice",
            curve.signed(&curve.header().to_string(), &body.replacen('{', r#"{"sub":"root","#, 1)),
            malformed(json),
        ),
        (
            "a claim twice, escaped",
            curve.signed(&curve.header().to_string(), &body.replacen('{', r#"{"s\u0075b":"root","#, 1)),
            malformed(json),
        ),
        (
            "a header twice",
            curve.signed(r#"{"alg":"none","alg":"ES256","kid":"curve"}"#, &body),
            malformed("its header is not JSON in base64url, or says something twice"),
        ),
        ("claims that are a list", curve.signed(&curve.header().to_string(), "[]"), malformed(json)),
        (
            "claims that are not UTF-8",
            format!("{}.{}.{signature}", head.split_once('.').unwrap().0, encode(b"{\"\xff\":1}")),
            malformed(json),
        ),
        ("empty", String::new(), malformed(three)),
        ("dots", "..".to_owned(), malformed("its header is not JSON in base64url, or says something twice")),
        ("two parts", head.to_owned(), malformed(three)),
        ("four parts", format!("{good}.x"), malformed(three)),
        ("five parts", format!("{good}.x.y"), malformed(three)),
        (
            "not base64",
            format!("{good}!").replacen("ey", "!y", 1),
            malformed("its header is not JSON in base64url, or says something twice"),
        ),
        (
            "scheme before it",
            format!("Bearer {good}"),
            malformed("its header is not JSON in base64url, or says something twice"),
        ),
        ("no signature", format!("{head}."), Refusal::Signature),
        ("short signature", format!("{head}.AA"), Refusal::Signature),
        ("padded signature", format!("{good}=="), Refusal::Signature),
        ("signature of zeros", format!("{head}.{}", encode(&[0; 64])), Refusal::Signature),
        (
            "signature of another token",
            format!("{}.{signature}", with(json!({"sub": "root"})).rsplit_once('.').unwrap().0),
            Refusal::Signature,
        ),
    ];
    assert_eq!(
        world.ask(&good).unwrap().principal.as_str(),
        "users/corp/ada",
        "they are refused for what is wrong with them"
    );
    for (what, token, refusal) in cases {
        let said = world.ask(&token);
        assert_eq!(said, Err(refusal), "{what}");
        let told = refusal.to_string();
        for part in token.split('.').filter(|part| part.len() > 8) {
            assert!(!told.contains(part), "{what} is repeated: {told}");
        }
        for secret in ["ada", "corp", "https", "curve", "roadmap", "billing"] {
            assert!(!told.contains(secret), "{what} tells {secret}: {told}");
        }
        assert!(world.count(refusal.reason()) > 0, "{what} is not counted");
    }
    // The same claims, right to the last second.
    for right in [
        json!({"exp": START - 29}),
        json!({"nbf": START + 30}),
        json!({"iat": START - 7_229}),
        json!({"aud": ["x", "roadmap"]}),
    ] {
        world.ask(&with(right)).unwrap();
    }
}

#[tokio::test]
async fn one_subject_of_two_issuers_is_two_principals() {
    let Fixture { world, curve, theirs, .. } = fixture().await;
    let ours = world.ask(&curve.token(&claims(json!({})))).unwrap();
    let other = world.ask(&theirs.token(&claims(json!({"iss": "https://partner"})))).unwrap();
    assert_eq!((ours.principal.as_str(), other.principal.as_str()), ("users/corp/ada", "users/partner/ada"));
}

#[tokio::test]
async fn what_is_too_long_is_not_read() {
    let Fixture { world, .. } = fixture().await;
    let long = "x".repeat(50_000_000);
    let start = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(world.ask(&long), Err(Refusal::TooLong));
    }
    assert!(start.elapsed() < Duration::from_secs(1), "a gigabyte of hashes would take {:?} and more", start.elapsed());
}

fn any_fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| tokio::runtime::Runtime::new().unwrap().block_on(fixture()))
}

proptest! {
    #[test]
    fn no_text_panics_and_none_is_somebody(text in "\\PC{0,200}", header in ".{0,60}", claims in ".{0,60}") {
        let world = &any_fixture().world;
        prop_assert!(world.ask(&text).is_err());
        let parts = format!("{}.{}.{text}", encode(header.as_bytes()), encode(claims.as_bytes()));
        prop_assert!(world.ask(&parts).is_err());
    }

    #[test]
    fn no_claims_panic_however_well_signed(name in "iss|aud|sub|exp|nbf|iat|jti|_claim_names", value in any_json()) {
        let Fixture { world, curve, .. } = any_fixture();
        let mut all = claims(json!({}));
        all[name] = value;
        drop(world.ask(&curve.token(&all)));
    }

    #[test]
    fn a_token_changed_in_one_byte_is_refused(at in 0..10_000_usize, byte in "[A-Za-z0-9_.-]") {
        let Fixture { world, curve, .. } = any_fixture();
        let good = curve.token(&claims(json!({})));
        let at = at % good.len();
        let changed = format!("{}{byte}{}", &good[..at], &good[at + 1..]);
        prop_assert_eq!(world.ask(&changed).is_ok(), changed == good);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,5}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
