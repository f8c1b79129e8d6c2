//! `waymark dev` in a process of its own, on free ports, and the commands against it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use waymark_testkit::logs;

/// The file in its folder that a server writes its log to.
pub const LOG: &str = "log";

const WAYMARK: &str = env!("CARGO_BIN_EXE_waymark");

/// A running server; it is killed when dropped.
pub struct Server {
    child: Option<Child>,
    log: Option<PathBuf>,
    addresses: [String; 3],
}

impl Server {
    /// Starts it on a data folder and waits until it says where it listens.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// The same, with more options.
    pub fn start_with(folder: &Path, options: &[&str]) -> Self {
        let any = "127.0.0.1:0";
        let mut child = Command::new(WAYMARK)
            .args([
                "dev",
                "--bus",
                "--discovery-listen",
                any,
                "--roadmap-listen",
                any,
                "--metrics-listen",
                any,
                "--admin-listen",
                any,
            ])
            .arg("--data-dir")
            .arg(folder.join("data"))
            .args(options)
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(folder.join(LOG)).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |name: &str| {
            let line = lines.by_ref().map(Result::unwrap).find(|line| line.trim_start().starts_with(name));
            line.expect("the server says where it listens").split_whitespace().nth(1).unwrap().to_owned()
        };
        let addresses = [address("discovery"), address("roadmap"), address("metrics")];
        Self { child: Some(child), log: Some(folder.join(LOG)), addresses }
    }

    /// A server that is not there.
    pub fn away() -> Self {
        Self { child: None, log: None, addresses: [1, 2, 3].map(|port| format!("127.0.0.1:{port}")) }
    }

    /// The same, as seen from where its metrics service cannot be reached.
    pub fn without_metrics(&self) -> Self {
        let [discovery, roadmap, _] = self.addresses.clone();
        Self { child: None, log: None, addresses: [discovery, roadmap, "127.0.0.1:1".to_owned()] }
    }

    /// The same, with another address of its roadmap service.
    pub fn at(&self, roadmap: &str) -> Self {
        let [discovery, _, metrics] = self.addresses.clone();
        Self { child: None, log: None, addresses: [discovery, roadmap.to_owned(), metrics] }
    }

    /// Where its roadmap service listens.
    pub fn roadmap(&self) -> &str {
        &self.addresses[1]
    }

    /// Ends it as Ctrl-C does and checks that it ends well.
    pub fn stop(mut self) {
        let mut child = self.child.take().unwrap();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// A command against it.
    pub fn command(&self, line: &[&str]) -> Command {
        let [discovery, roadmap, metrics] = &self.addresses;
        let mut command = Command::new(WAYMARK);
        command.args(line).args([
            "--discovery-address",
            discovery,
            "--roadmap-address",
            roadmap,
            "--metrics-address",
            metrics,
        ]);
        command
    }

    /// What a command prints; its exit status and standard error when it fails.
    pub fn run(&self, line: &[&str]) -> Result<String, (i32, String)> {
        let output = self.command(line).output().unwrap();
        logs::keep("waymark", &[&output.stdout, &output.stderr]).unwrap();
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout).unwrap());
        }
        Err((output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap()))
    }

    /// The JSON a command prints.
    pub fn json(&self, line: &[&str]) -> serde_json::Value {
        let text =
            self.run(&[line, &["-o", "json"]].concat()).unwrap_or_else(|failure| panic!("{line:?}: {failure:?}"));
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        if let Some(log) = &self.log {
            logs::keep_file("waymark-dev", log).unwrap();
        }
    }
}
