//! Processor time: what something costs whoever else is on the machine, where rates are of a machine to oneself.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// The kernel's clock tick, the same on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// Processor time so far of this process and, if there is one, of the process `server` of a database with its children.
pub fn spent(server: Option<i32>) -> Result<Duration> {
    let own = i32::try_from(std::process::id())?;
    let mut ticks = 0;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // One that has ended meanwhile is none of ours.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field = |at: usize| fields.get(at).context("the kernel tells it");
        let parent: i32 = field(1)?.parse()?;
        if pid == own || server.is_some_and(|server| [pid, parent].contains(&server)) {
            // User and system time.
            ticks += field(11)?.parse::<u32>()? + field(12)?.parse::<u32>()?;
        }
    }
    Ok(TICK * ticks)
}

/// Processor time since it was `before`.
pub fn since(before: Duration, server: Option<i32>) -> Result<Duration> {
    Ok(spent(server)?.saturating_sub(before))
}
