//! An authentication file in a folder, a clock that is moved by hand, and claims that are right.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;
use waymark_access::{Authentication, Identity, Refusal};
use waymark_clock::{Clock, ManualClock};

use waymark_access::testing::{Signer, key_set};

/// The time at which tests begin.
pub const START: i64 = 1_790_000_000;

pub struct World {
    pub folder: TempDir,
    pub authentication: Authentication,
    pub clock: Clock,
    pub hand: ManualClock,
}

impl World {
    /// Of an authentication file, with the files that it names.
    pub async fn new(file: &str, others: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in others.iter().chain(&[("authentication.yaml", file)]) {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let (clock, hand) = Clock::manual(DateTime::from_timestamp(START, 0).unwrap());
        let authentication =
            Authentication::open(&folder.path().join("authentication.yaml"), clock.clone()).await.unwrap();
        Self { folder, authentication, clock, hand }
    }

    /// Of one issuer, `corp`, whose keys are in a file, with more lines.
    pub async fn of_corp(lines: &str, keys: &[&Signer]) -> Self {
        let file = format!(
            "issuers:\n  - name: corp\n    url: https://corp\n    audiences: [waymark]\n    keys_file: corp.json\n{lines}"
        );
        let world = Self::new(&file, &[("corp.json", &key_set(keys))]).await;
        world.authentication.refresh().await;
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn ask(&self, token: &str) -> Result<Arc<Identity>, Refusal> {
        self.authentication.authenticate(token, self.now())
    }

    /// Moves the clock and does what is due then.
    pub async fn after(&self, seconds: u64) {
        self.hand.advance(std::time::Duration::from_secs(seconds));
        self.authentication.refresh().await;
    }

    /// Changes the authentication file, and waits until it counts.
    pub async fn change(&self, content: &str) {
        self.write("authentication.yaml", content);
        self.after(2).await;
        self.after(2).await;
    }

    pub fn count(&self, reason: &str) -> u64 {
        let refused = self.authentication.counted().refused;
        refused.into_iter().find(|(word, _)| *word == reason).unwrap().1
    }
}

/// Claims of `corp` that are right for an hour from the start on, with these in addition or in place.
pub fn claims(others: Value) -> Value {
    let mut claims =
        json!({"iss": "https://corp", "aud": "waymark", "sub": "ada", "exp": START + 3_600, "iat": START, "jti": "7"});
    let Value::Object(others) = others else { panic!("claims are an object") };
    for (name, value) in others {
        // A claim of null is one that is left out.
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(&name)),
            value => claims[name] = value,
        }
    }
    claims
}
