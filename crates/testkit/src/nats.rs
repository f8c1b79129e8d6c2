//! A private nats-server with JetStream, that can be killed, paused, restarted, wiped, and put back to
//! what it was.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::address::free_address;
use crate::process::Process;

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/bin/nats-server");
/// How long a server may take to answer.
const START: Duration = Duration::from_secs(20);

/// A nats-server that ends with the test process. Its port stays the same over restarts.
#[derive(Debug)]
pub struct NatsServer {
    binary: PathBuf,
    port: u16,
    store: TempDir,
    process: Option<Process>,
}

/// What a nats-server had stored.
#[derive(Debug)]
pub struct NatsBackup(TempDir);

impl NatsServer {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When no nats-server is found, with what to do about it, or it does not answer.
    pub async fn start() -> Result<Self> {
        let port = free_address().port();
        let mut server = Self { binary: binary()?, port, store: tempfile::tempdir()?, process: None };
        server.restart().await?;
        Ok(server)
    }

    /// Starts one that is configured as `configuration` says, beside address and port. Whether it answers is not waited
    /// for: who may connect to it is its configuration's affair.
    ///
    /// # Errors
    /// When no nats-server is found, with what to do about it.
    pub fn start_configured(configuration: &str) -> Result<Self> {
        let (port, store) = (free_address().port(), tempfile::tempdir()?);
        let mut server = Self { binary: binary()?, port, store, process: None };
        server.configure(configuration)?;
        Ok(server)
    }

    /// Kills it if it runs and starts it again, configured otherwise.
    ///
    /// # Errors
    /// When there is no shell.
    pub fn configure(&mut self, configuration: &str) -> Result<()> {
        self.kill();
        let (file, port) = (self.store.path().join("nats.conf"), self.port.to_string());
        std::fs::write(&file, configuration)?;
        let file = file.display().to_string();
        self.process = Some(Process::start(&self.binary, &["-a", "127.0.0.1", "-p", &port, "-c", &file])?);
        Ok(())
    }

    /// The address for clients.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends it at once (SIGKILL) and returns when it is gone.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it from running, as a hanging machine would (SIGSTOP).
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        self.running()?.pause()
    }

    /// Lets it go on after [`NatsServer::pause`].
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<()> {
        self.running()?.resume()
    }

    /// Kills it if it runs and starts it again with what it had stored; returns when it answers.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        let (port, store) = (self.port.to_string(), self.store.path().display().to_string());
        let process = Process::start(&self.binary, &["-a", "127.0.0.1", "-p", &port, "-js", "-sd", &store])?;
        let end = std::time::Instant::now() + START;
        while async_nats::connect(self.url()).await.is_err() {
            anyhow::ensure!(
                !process.has_ended(),
                "{} ended at once; WAYMARK_TEST_VERBOSE=1 shows why",
                self.binary.display()
            );
            anyhow::ensure!(std::time::Instant::now() < end, "nats-server does not answer on {}", self.url());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.process = Some(process);
        Ok(())
    }

    /// Kills it, loses everything it had stored, and starts it again.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn wipe(&mut self) -> Result<()> {
        self.kill();
        self.store = tempfile::tempdir()?;
        self.restart().await
    }

    /// Kills it, copies what it had stored, and starts it again.
    ///
    /// # Errors
    /// When the copy fails or it does not answer.
    pub async fn back_up(&mut self) -> Result<NatsBackup> {
        self.kill();
        let backup = tempfile::tempdir()?;
        copy(self.store.path(), backup.path())?;
        self.restart().await?;
        Ok(NatsBackup(backup))
    }

    /// Kills it, puts back what it had stored at the time of the backup, and starts it again.
    ///
    /// # Errors
    /// When the copy fails or it does not answer.
    pub async fn restore(&mut self, backup: &NatsBackup) -> Result<()> {
        self.kill();
        self.store = tempfile::tempdir()?;
        copy(backup.0.path(), self.store.path())?;
        self.restart().await
    }

    fn running(&self) -> Result<&Process> {
        self.process.as_ref().context("the nats-server was killed and not restarted")
    }
}

/// Copies what is in a folder, with its folders.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// The nats-server to run: the one the environment names, one on the path, or the one `make tools` installs.
#[expect(clippy::disallowed_methods, reason = "which binary to test with is the environment's to say")]
fn binary() -> Result<PathBuf> {
    if let Ok(named) = std::env::var("WAYMARK_NATS_SERVER") {
        anyhow::ensure!(Path::new(&named).is_file(), "WAYMARK_NATS_SERVER names {named}, which is not a file");
        return Ok(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("nats-server"));
    let mut candidates = on_path.chain([PathBuf::from(TOOLS)]);
    candidates
        .find(|file| file.is_file())
        .context("no nats-server found: run `make tools`, or name one in WAYMARK_NATS_SERVER")
}
