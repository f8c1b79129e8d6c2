//! Tokens of a library that nobody here wrote (joserfc, on OpenSSL), in every algorithm.

use std::process::Command;

use serde_json::Value;

use crate::world::{START, World};

#[tokio::test]
async fn tokens_of_joserfc_are_taken_or_refused_as_they_should_be() {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/bin/python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/make_tokens.py");
    let made = Command::new(python).args([script, &START.to_string()]).output();
    let made = made.unwrap_or_else(|error| panic!("{python}: {error}: `make tools` installs it with joserfc"));
    assert!(
        made.status.success(),
        "joserfc made no tokens (`make tools` installs it): {}",
        String::from_utf8_lossy(&made.stderr)
    );
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();

    let world =
        World::of_corp("    algorithms: [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, Ed25519]\n", &[])
            .await;
    world.write("corp.json", &made.to_string());
    world.after(2).await;
    let tokens = made["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 16);
    for token in tokens {
        let taken = world.ask(token[1].as_str().unwrap());
        assert_eq!(taken.is_ok(), token[2] == true, "{}: {taken:?}", token[0]);
    }
}
