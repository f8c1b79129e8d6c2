//! What a token costs: the first time, and when it is sent again. `make bench` runs it; the exit status is 1 when a
//! target is missed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed bench")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use waymark_access::Authentication;
use waymark_access::testing::{Signer, key_set};
use waymark_clock::Clock;

/// What a token that is sent again may cost.
const TARGET: Duration = Duration::from_micros(5);
const TIMES: u32 = 20_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let clock = Clock::system();
    let now = clock.now();
    let folder = tempfile::tempdir().unwrap();
    let mut met = true;
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let signer = Signer::new("k", algorithm);
        let file =
            "issuers: [{name: corp, url: 'https://corp', audiences: [waymark], keys_file: keys.json, groups: groups,
            algorithms: [RS256, ES256, EdDSA]}]";
        std::fs::write(folder.path().join("authentication.yaml"), file).unwrap();
        std::fs::write(folder.path().join("keys.json"), key_set(&[&signer])).unwrap();
        let authentication =
            Authentication::open(&folder.path().join("authentication.yaml"), clock.clone()).await.unwrap();
        authentication.refresh().await;
        let groups: Vec<String> = (0..30).map(|n| format!("group-{n}")).collect();
        let token = |id: u32| {
            signer.token(&json!({"iss": "https://corp", "aud": "waymark", "sub": "ada", "exp": now.timestamp() + 3_600, "groups": groups, "jti": id}))
        };
        let tokens: Vec<String> = (0..500).map(token).collect();
        let start = Instant::now();
        for token in &tokens {
            authentication.authenticate(token, now).unwrap();
        }
        let first = start.elapsed() / tokens.len() as u32;
        let start = Instant::now();
        for n in 0..TIMES {
            authentication.authenticate(&tokens[n as usize % tokens.len()], now).unwrap();
        }
        let again = start.elapsed() / TIMES;
        met &= again < TARGET;
        println!(
            "{algorithm}: a token of {} bytes costs {first:.1?} the first time, {again:.1?} again",
            tokens[0].len()
        );
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
