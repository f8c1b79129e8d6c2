//! Who calls and what they may do, as in production: tokens of an issuer, groups, bindings and policies.

use anyhow::Result;
use serde_json::json;
use tempfile::TempDir;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use waymark_access::testing::{Signer, key_set};
use waymark_runtime::{Host, authentication, policies};

/// An issuer, and the files that say what whom it knows may do.
pub struct Known {
    folder: TempDir,
    signer: Signer,
}

impl Known {
    /// One whose users of the group `product` may do all in every workspace.
    pub fn new() -> Result<Self> {
        let (folder, signer) = (tempfile::tempdir()?, Signer::new("one", "ES256"));
        let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content);
        write("keys.json", &key_set(&[&signer]))?;
        write(
            "authentication.yaml",
            "issuers: [{name: corp, url: 'https://corp', audiences: [waymark], keys_file: keys.json, groups: groups, required: true}]",
        )?;
        write("bindings.yaml", "bindings: [{role: admin, members: [groups/corp/product], workspaces: ['*']}]")?;
        Ok(Self { folder, signer })
    }

    /// Has calls of a process decided by the files.
    pub async fn take_hold(&self, host: &mut Host) -> Result<()> {
        let path = |name: &str| self.folder.path().join(name);
        host.authenticator = authentication::open(&path("authentication.yaml"), host).await?;
        host.policies = Some(policies::open(None, &path("bindings.yaml"), host).await?);
        host.readiness.watch().wait_for(|ready| *ready).await?;
        Ok(())
    }

    /// The credentials of somebody in ten groups.
    pub fn credentials(&self, host: &Host) -> Result<Credentials> {
        let groups: Vec<_> = (0..9).map(|n| format!("team-{n}")).chain(["product".to_owned()]).collect();
        let expires = host.clock.now().timestamp() + 3_600;
        let claims = json!({"iss": "https://corp", "aud": "waymark", "sub": "ada", "exp": expires, "groups": groups});
        Ok(Credentials(format!("Bearer {}", self.signer.token(&claims)).parse()?))
    }
}

/// What is sent to be known.
#[derive(Clone)]
pub struct Credentials(MetadataValue<Ascii>);

impl Credentials {
    /// A request of who has them.
    pub fn of<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.0.clone());
        request
    }
}
