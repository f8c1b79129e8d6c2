//! The nats-server beside `waymark dev`: one that is configured, or one that is found on the PATH and started with a
//! store of its own.

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
        /// Where it listens on loopback.
        url: String,
        /// Its process id.
        id: i32,
        /// Its process, unless it was started by a process before this one that was killed.
        child: Option<Child>,
    },
}

impl Broker {
    /// Starts a nats-server that keeps its store in `folder`; `None` when there is none on the PATH.
    pub fn find(folder: &Path) -> Result<Option<Self>> {
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        // One that outlived a process that was killed holds the store: it is taken over, as two would damage it.
        let note = folder.join("running");
        if let Some((port, id)) = std::fs::read_to_string(&note).ok().and_then(|text| running(&text)) {
            return Ok(Some(Self::Started { url: url(port), id, child: None }));
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
            Err(error) => {
                return Err(error).context("the nats-server on the PATH cannot be started; --bus does without it");
            }
        };
        let id = i32::try_from(child.id()).context("the process id is out of range")?;
        let mut broker = Self::Started { url: url(port), id, child: Some(child) };
        broker.wait(port, folder)?;
        std::fs::write(note, format!("{port} {id}"))?;
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
            if self.has_ended() || Instant::now() > end {
                bail!(
                    "the nats-server on the PATH does not run; {}/log says why, --bus does without it",
                    folder.display()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn has_ended(&mut self) -> bool {
        match self {
            Self::Configured(_) => true,
            Self::Started { child: Some(child), .. } => !matches!(child.try_wait(), Ok(None)),
            // Not our child: signal 0 asks whether it is there.
            Self::Started { id, child: None, .. } => kill(Pid::from_raw(*id), None).is_err(),
        }
    }
}

fn url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}

/// The port and process of a broker that a note tells of, if it still answers.
fn running(note: &str) -> Option<(u16, i32)> {
    let (port, id) = note.trim().split_once(' ')?;
    let (port, id) = (port.parse().ok()?, id.parse().ok()?);
    let lives = kill(Pid::from_raw(id), None).is_ok() && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    lives.then_some((port, id))
}

impl Drop for Broker {
    fn drop(&mut self) {
        let Self::Started { id, .. } = self else { return };
        let id = Pid::from_raw(*id);
        // SIGTERM writes the store out; a process that is gone already needs nothing.
        let _ = kill(id, Signal::SIGTERM);
        let end = Instant::now() + PATIENCE;
        while !self.has_ended() {
            if Instant::now() > end {
                let _ = kill(id, Signal::SIGKILL);
                // One that is not our child stays, as a zombie, until its parent takes notice.
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_counts_only_while_its_broker_answers() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (port, id) = (listener.local_addr().unwrap().port(), std::process::id());
        assert_eq!(running(&format!("{port} {id}\n")), Some((port, i32::try_from(id).unwrap())));
        drop(listener);
        assert_eq!(running(&format!("{port} {id}")), None);
        assert_eq!(running("4222"), None);
    }
}
