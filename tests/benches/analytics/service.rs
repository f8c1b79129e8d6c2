//! The metrics service in a process of its own, on SQLite and a lake on local disk.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use waymark_testkit::process::Process;

/// How long files may take to be merged.
const PATIENCE: Duration = Duration::from_mins(10);
/// A look at them.
const LOOK: Duration = Duration::from_millis(500);
/// Nothing is merged any more when nothing changed for so long: a workspace that is quiet is merged after half a minute.
const QUIET: Duration = Duration::from_secs(40);

/// The service, running.
pub struct Metrics {
    /// A connection to it.
    pub channel: Channel,
    process: Process,
    data: TempDir,
}

impl Metrics {
    /// Starts the binary beside this one on free ports.
    pub fn start() -> Result<Self> {
        let bench = std::env::current_exe()?;
        let binary = bench.ancestors().nth(2).unwrap_or(Path::new("")).join("waymark-metrics");
        ensure!(binary.is_file(), "{} is not there: `make bench-analytics` builds it", binary.display());
        let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let free = || Ok::<_, std::io::Error>(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string());
        let (listen, admin, folder) = (free()?, free()?, data.path().display().to_string());
        let arguments = ["--listen", &listen, "--admin-listen", &admin, "--data-dir", &folder];
        let process = Process::start(&binary, &arguments)?;
        let channel = Endpoint::from_shared(format!("http://{listen}"))?.connect_lazy();
        Ok(Self { channel, process, data })
    }

    /// Where its table of events is.
    pub fn table(&self) -> PathBuf {
        self.data.path().join("lake").join("bench").join("events")
    }

    /// Waits until the log of its table has had nothing new for a while; how long it had something.
    pub async fn settle(&self) -> Result<Duration> {
        let (start, log) = (Instant::now(), self.table().join("_delta_log"));
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let entries = std::fs::read_dir(&log).with_context(|| log.display().to_string())?.count();
            if entries != last {
                (last, since) = (entries, Instant::now());
            }
            if since.elapsed() > QUIET {
                return Ok(since - start);
            }
            ensure!(start.elapsed() < PATIENCE, "files are still being merged");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Bytes of the files that its table has now.
    pub fn bytes(&self) -> Result<f64> {
        let sizes = crate::bound::files(&self.table())?.into_iter().map(|file| Ok(file.metadata()?.len() as f64));
        sizes.sum()
    }

    /// The most memory it ever had, in MiB.
    pub fn highest_memory(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel tells it")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
    }
}
