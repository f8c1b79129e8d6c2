//! The nats-server beside `waymark dev`: one that is configured, or one that is found on the PATH and started with a store of its own.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a broker may take to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A broker for the life of the process.
#[derive(Debug)]
pub enum Broker {
    /// Somebody else's.
    Configured(String),
    /// Our own; it ends with this value.
    Started {
        /// Its address.
        url: String,
        /// Its process.
        child: Child,
    },
}

impl Broker {
    /// Starts a nats-server that keeps its store in `folder`; `None` when there is none on the PATH.
    pub fn find(folder: &Path) -> Result<Option<Self>> {
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        // One that outlived a process that was killed holds the store: it is used again, as two would damage it.
        let note = folder.join("port");
        let noted: Option<u16> = std::fs::read_to_string(&note).ok().and_then(|text| text.trim().parse().ok());
        if let Some(port) = noted.filter(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok()) {
            return Ok(Some(Self::Configured(format!("nats://127.0.0.1:{port}"))));
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let log = std::fs::File::create(folder.join("log"))?;
        let started = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for us: the broker has to stay until the services have published what they committed.
            .process_group(0)
            .spawn();
        let child = match started {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("the nats-server on the PATH cannot be started; --bus does without it"),
        };
        let mut broker = Self::Started { url: format!("nats://127.0.0.1:{port}"), child };
        broker.wait(port, folder)?;
        std::fs::write(note, port.to_string())?;
        Ok(Some(broker))
    }

    /// Its address.
    pub fn url(&self) -> &str {
        match self {
            Self::Configured(url) | Self::Started { url, .. } => url,
        }
    }

    fn wait(&mut self, port: u16, folder: &Path) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = if let Self::Started { child, .. } = self { child.try_wait()?.is_some() } else { false };
            if ended || Instant::now() > end {
                bail!("the nats-server on the PATH does not run; {}/log says why, --bus does without it", folder.display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let Self::Started { child, .. } = self else { return };
        if let Ok(id) = i32::try_from(child.id()) {
            // SIGTERM writes the store out; a process that is gone already needs nothing.
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        let end = Instant::now() + PATIENCE;
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
