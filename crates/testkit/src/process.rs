//! A child process that never outlives the test, whichever way the test ends, and can be killed, paused and resumed.
//!
//! A small shell stands between: it reads the pipe whose other end the test holds, and when that closes, also because
//! the test was killed, it kills the child.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::logs;

/// The shell says the child's process id, waits for the end of its input, and takes the child along.
const KEEPER: &str = r#"exec 3<&0; "$@" </dev/null >&2 & echo $!; cat <&3 >/dev/null; kill -KILL $! 2>/dev/null; wait"#;

/// How long a process may take to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// A child process and its keeper.
#[derive(Debug)]
pub struct Process {
    keeper: Child,
    /// Closing it ends the child.
    lease: Option<ChildStdin>,
    pid: Pid,
}

impl Process {
    /// Starts `program`; its output goes to the test's standard error when `WAYMARK_TEST_VERBOSE` is set, else to a log of the
    /// test run where that keeps them ([`logs`]).
    ///
    /// # Errors
    /// When there is no shell. A program that cannot be run shows as one that ended at once.
    pub fn start(program: &Path, args: &[&str]) -> Result<Self> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(KEEPER).arg("keeper").arg(program).args(args);
        if std::env::var_os("WAYMARK_TEST_VERBOSE").is_none() {
            let name = program.file_name().unwrap_or_default().to_string_lossy();
            command.stderr(logs::file(&name)?.map_or_else(Stdio::null, Stdio::from));
        }
        Ok(Self::keeping_itself(command, |said| said.trim().parse().ok())?.0)
    }

    /// Starts a command that keeps its child itself: it prints one line and ends with its standard input. `pid_of`
    /// finds the child in that line.
    pub(crate) fn keeping_itself(mut command: Command, pid_of: fn(&str) -> Option<i32>) -> Result<(Self, String)> {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut keeper = spawned.with_context(|| format!("starting {command:?}"))?;
        let lease = keeper.stdin.take();
        let out = keeper.stdout.take().context("standard output is piped above")?;
        let mut said = String::new();
        BufReader::new(out).read_line(&mut said)?;
        let pid = pid_of(&said)
            .with_context(|| format!("it said {said:?} instead of its process id; see its standard error"))?;
        Ok((Self { keeper, lease, pid: Pid::from_raw(pid) }, said))
    }

    /// The child's process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Stops the child from running, as a hanging machine would (SIGSTOP).
    ///
    /// # Errors
    /// When the child has ended.
    pub fn pause(&self) -> Result<()> {
        kill(self.pid, Signal::SIGSTOP).context("pausing")?;
        // On a busy machine its threads run on until the one that got the signal has its turn.
        let end = Instant::now() + PATIENCE;
        while !is_stopped(self.pid) {
            anyhow::ensure!(Instant::now() < end, "process {} does not stop", self.pid);
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Lets a paused child go on (SIGCONT).
    ///
    /// # Errors
    /// When the child has ended.
    pub fn resume(&self) -> Result<()> {
        kill(self.pid, Signal::SIGCONT).context("resuming")
    }

    /// Asks the child to end (SIGTERM).
    ///
    /// # Errors
    /// When the child has ended.
    pub fn terminate(&self) -> Result<()> {
        kill(self.pid, Signal::SIGTERM).context("terminating")
    }

    /// Ends the child at once (SIGKILL) and returns when it is gone.
    pub fn kill(&mut self) {
        self.lease = None;
        // The keeper ends once its child has; a keeper that is gone already has ended it too.
        let _ = self.keeper.wait();
    }

    /// Whether the child has ended by itself.
    pub fn has_ended(&self) -> bool {
        // The keeper does not reap its child before its own end, so a child that ended is a zombie: state Z.
        state(self.pid).is_none_or(|state| state == 'Z')
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The state of a process by its letter; none when there is no such process.
fn state(pid: Pid) -> Option<char> {
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        return state_in(&stat);
    }
    // Not everywhere: small systems with a /proc have no ps.
    let said = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().ok()?;
    String::from_utf8_lossy(&said.stdout).trim_start().chars().next()
}

/// The state in a line of `/proc`: it follows the name, which stands in parentheses and may hold anything.
fn state_in(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// Whether every thread of a process stands still; taken for granted where there is no `/proc` to ask.
fn is_stopped(pid: Pid) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        state_in(&stat).is_none_or(|state| ['T', 't', 'Z'].contains(&state))
    })
}
