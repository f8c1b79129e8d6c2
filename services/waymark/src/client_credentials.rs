//! The file of a program's own credentials at an issuer, by which the command line calls without anybody who signs in.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;
use waymark_client::ClientCredentials;

use crate::Usage;

/// What stands in the file: YAML, or JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    issuer: String,
    client_id: String,
    secret_file: PathBuf,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    parameters: std::collections::BTreeMap<String, String>,
    issuer_ca: Option<PathBuf>,
}

/// Reads the file at `path`; files that it names by a relative path are beside it.
pub fn read(path: &Path) -> Result<ClientCredentials> {
    let refused = |why: String| {
        Usage(format!(
            "--client-credentials {}: a file is wanted that says `issuer`, `client_id` and `secret_file`, and may say `scopes`, \
             `parameters` and `issuer_ca`: {why}",
            path.display()
        ))
    };
    let content = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    // Lines of the file are not shown: one may have the secret.
    let given: Given =
        serde_saphyr::from_str(&content).map_err(|error| refused(error.without_snippet().to_string()))?;
    let beside = |named: PathBuf| path.parent().map_or(named.clone(), |folder| folder.join(&named));
    Ok(ClientCredentials {
        issuer: given.issuer,
        ca: given.issuer_ca.map(beside),
        client_id: given.client_id,
        secret_file: beside(given.secret_file),
        scopes: given.scopes,
        parameters: given.parameters.into_iter().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: &str) -> Result<ClientCredentials> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("robot.yaml");
        std::fs::write(&path, content)?;
        let mut read = read(&path)?;
        read.secret_file = read.secret_file.strip_prefix(folder.path())?.to_owned();
        Ok(read)
    }

    #[test]
    fn credentials_are_read_and_what_is_wrong_is_told() {
        let read = written(
            "issuer: https://corp\nclient_id: robot\nsecret_file: secret\nscopes: [a]\nparameters: {audience: waymark}",
        );
        let wanted = ClientCredentials {
            issuer: "https://corp".to_owned(),
            ca: None,
            client_id: "robot".to_owned(),
            secret_file: "secret".into(),
            scopes: vec!["a".to_owned()],
            parameters: vec![("audience".to_owned(), "waymark".to_owned())],
        };
        assert_eq!(read.unwrap(), wanted);
        for (content, why) in [
            ("issuer: https://corp", "client_id"),
            ("issuer: https://corp\nclient_id: robot\nsecret_file: s\nsecret: hush", "secret"),
            ("\t", "line 1"),
        ] {
            let told = format!("{:#}", written(content).unwrap_err());
            assert!(told.contains("--client-credentials") && told.contains(why), "{told}");
            assert!(!told.contains("hush"), "{told}");
        }
    }
}
