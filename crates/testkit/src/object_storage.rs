//! A private object storage that speaks S3 (SeaweedFS), whose users are limited to what they are given.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::address::free_address;
use crate::logs::PLANTED;
use crate::process::Process;

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/bin/weed");
/// The bucket there is.
pub const BUCKET: &str = "lakes";

/// An object storage that ends with the test process.
#[derive(Debug)]
pub struct ObjectStorage {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl ObjectStorage {
    /// Starts one whose users, named with their folders of the bucket, may read, write and list there and nowhere else.
    ///
    /// # Errors
    /// When there is none, with what to do about it, or it does not start.
    pub async fn start(users: &[(&str, &str)]) -> Result<Self> {
        ensure!(std::path::Path::new(TOOLS).exists(), "no object storage for tests found: run 'make tools'");
        let folder = tempfile::tempdir()?;
        let identities = users.iter().map(|(user, prefix)| {
            let actions = ["Read", "Write", "List"].map(|action| format!("\"{action}:{BUCKET}/{prefix}/*\"")).join(",");
            format!(
                "{{\"name\":\"{user}\",\"credentials\":[{{\"accessKey\":\"{user}\",\"secretKey\":\"{PLANTED}-{user}\"}}],\
                 \"actions\":[{actions}]}}"
            )
        });
        let users = format!("{{\"identities\":[{}]}}", identities.collect::<Vec<_>>().join(","));
        std::fs::write(folder.path().join("users.json"), users)?;
        let [master, volume, filer, port] = [(); 4].map(|()| free_address().port());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let arguments = [
            "server".to_owned(),
            format!("-dir={}", folder.path().display()),
            "-ip=127.0.0.1".to_owned(),
            "-ip.bind=127.0.0.1".to_owned(),
            format!("-master.port={master}"),
            "-master.volumeSizeLimitMB=64".to_owned(),
            format!("-volume.port={volume}"),
            "-volume.max=40".to_owned(),
            "-filer".to_owned(),
            format!("-filer.port={filer}"),
            "-s3".to_owned(),
            format!("-s3.port={port}"),
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            format!("-s3.config={}", path("users.json")),
        ];
        let process = Process::start(TOOLS.as_ref(), &arguments.each_ref().map(String::as_str))?;
        let answers = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok();
        crate::wait_for("the object storage to answer", Duration::from_mins(1), answers).await;
        crate::wait_for("the bucket to be made", Duration::from_mins(1), async || {
            tokio::task::spawn_blocking(move || make_bucket(master)).await.ok()?.ok()
        })
        .await;
        Ok(Self { port, _process: process, _folder: folder })
    }

    /// How a client is told to reach it as a user: names and values, as S3's own tools have them.
    pub fn settings(&self, user: &str) -> Vec<(String, String)> {
        let settings = [
            ("aws_endpoint", format!("http://127.0.0.1:{}", self.port)),
            ("aws_allow_http", "true".to_owned()),
            ("aws_region", "us-east-1".to_owned()),
            ("aws_access_key_id", user.to_owned()),
            ("aws_secret_access_key", format!("{PLANTED}-{user}")),
        ];
        settings.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

fn make_bucket(master: u16) -> Result<()> {
    let mut shell = Command::new(TOOLS)
        .args(["shell", &format!("-master=127.0.0.1:{master}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut told = shell.stdin.take().context("a shell without input")?;
    writeln!(told, "s3.bucket.create -name {BUCKET}\ns3.bucket.list")?;
    drop(told);
    let said = String::from_utf8_lossy(&shell.wait_with_output()?.stdout).into_owned();
    ensure!(said.lines().any(|line| line.trim_start().starts_with(BUCKET)), "{said}");
    Ok(())
}
