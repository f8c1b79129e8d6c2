//! What callers may do: decisions of the default policies and of others, files that are wrong, files that change.

mod cedarpy;
mod decisions;
mod files;
mod hostile;
mod plain;

use std::path::PathBuf;
use std::time::Duration;

use chrono::DateTime;
use tempfile::TempDir;
use waymark_access::{
    Action, Decision, Identity, Policies, Principal, Question, Resource, ResourceKind, SettingsError,
};
use waymark_clock::{Clock, ManualClock};

use crate::world::START;

/// A folder with policies and a bindings file, and a clock that is moved by hand.
pub struct Files {
    folder: TempDir,
    clock: Clock,
    hand: ManualClock,
}

/// Bindings of a company with two workspaces.
pub const BINDINGS: &str = "bindings:
  - {role: viewer, members: [groups/corp/everyone], workspaces: [\"*\"]}
  - {role: contributor, members: [groups/corp/product, serviceAccounts/kind/shop/*], workspaces: [acme, team-*]}
  - {role: manager, members: [users/corp/ada], workspaces: [acme]}
  - {role: admin, members: [services/ops/*, users/corp/eve], workspaces: [acme]}
  - {audience: customers, members: [groups/customers/*], workspaces: [acme]}
";

/// Actions of each kind.
pub fn actions() -> Vec<Action> {
    let action = |name: &str, groups: &[&'static str], resource| Action {
        name: name.to_owned(),
        groups: groups.to_vec(),
        resource,
    };
    let workspace = ResourceKind::Workspace;
    vec![
        action("S/Get", &["read"], workspace),
        action("S/Show", &["read", "shown_to_audiences"], workspace),
        action("S/Create", &["write"], workspace),
        action("S/Commit", &["manage"], workspace),
        action("S/Redrive", &["admin"], workspace),
        action("S/GetProduct", &["read"], ResourceKind::Product),
        action("S/UpdateProduct", &["write"], ResourceKind::Product),
        action("S/Compute", &["read"], ResourceKind::Installation),
    ]
}

impl Files {
    pub fn new(policies: &[(&str, &str)], bindings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        let (clock, hand) = Clock::manual(DateTime::from_timestamp(START, 0).unwrap());
        let files = Self { folder, clock, hand };
        for (name, content) in policies {
            files.write(&format!("policies/{name}"), content);
        }
        files.write("bindings.yaml", bindings);
        files
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// The default policies with the bindings file.
    pub async fn default(&self) -> Policies {
        Policies::open(None, &self.path("bindings.yaml"), actions(), self.clock.clone()).await.unwrap()
    }

    /// The policies of the folder with the bindings file.
    pub async fn open(&self) -> Result<Policies, SettingsError> {
        Policies::open(Some(&self.path("policies")), &self.path("bindings.yaml"), actions(), self.clock.clone()).await
    }

    /// What is wrong with them; the folder of the test is left out.
    pub async fn wrong(&self) -> String {
        let wrong = self.open().await.expect_err("the files are taken").to_string();
        wrong.replace(&format!("{}/", self.folder.path().display()), "")
    }

    /// Looks at the files until what they say now counts, if it can.
    pub async fn settle(&self, policies: &Policies) {
        for _ in 0..2 {
            self.hand.advance(Duration::from_secs(2));
            policies.look().await;
        }
    }
}

/// Somebody, in these groups.
pub fn who(principal: &str, groups: &[&str]) -> Identity {
    let groups = groups.iter().map(|group| Principal::parse_member(group).unwrap()).collect();
    let principal = Principal::parse(principal).unwrap();
    Identity { principal, issuer: Some("corp".into()), groups, token_id: None, expires: None }
}

/// A question that asks for nothing particular.
pub fn ask<'a>(identity: &'a Identity, action: &'a str, resource: Resource<'a>) -> Question<'a> {
    Question { identity, certificate: false, action, resource, audience: None, validate_only: false }
}

/// Who made the decision, or `-` where nobody did; with an exclamation mark where it is no.
pub fn told(decision: &Decision) -> String {
    let by = if decision.policies.is_empty() { "-".to_owned() } else { decision.policies.join("+") };
    let audience = decision.audience.as_ref().map(|audience| format!(" as {audience}")).unwrap_or_default();
    format!("{}{by}{audience}", if decision.allowed { "" } else { "!" })
}
