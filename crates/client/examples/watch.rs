//! Follows a service's log and goes on where it stopped: each event is handled in order, then the revision is kept in a
//! file, from which the next run resumes. Ctrl-C ends it at any moment without losing an event.
//!
//! Beside `make run`: `cargo run -p waymark-client --example watch -- [ADDRESS] [WORKSPACE] [FILE]`

use std::error::Error;
use std::path::Path;

use waymark_client::{Channel, Options, Start, Update, Watch};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:7402".to_owned());
    let workspace = arguments.next().unwrap_or_else(|| "examples".to_owned());
    let file = arguments.next().unwrap_or_else(|| "watch.revision".to_owned());
    let file = Path::new(&file);

    // Without a position everything that exists is told first, by its latest event.
    let start =
        if file.exists() { Start::After(std::fs::read_to_string(file)?.trim().parse()?) } else { Start::Snapshot };
    eprintln!("watching {workspace} from {start:?}");
    let channel = Channel::new(&address, Options::default())?;
    // All types and all resources; name some to be told of those only.
    let mut watch = Watch::new(channel, &format!("workspaces/{workspace}"), Vec::new(), Vec::new(), start);
    loop {
        let update = tokio::select! {
            update = watch.next() => update?,
            interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
        };
        let events = match update {
            Update::Snapshot(events) | Update::Revision(_, events) => events,
            // What was read of the snapshot comes again. Printing needs no undoing; a copy would be emptied here.
            Update::SnapshotRestarted => continue,
            Update::Checkpoint(_) => Vec::new(),
        };
        for event in events {
            println!("{:>6} {} {}", event.revision, event.r#type, event.subject);
        }
        // After the events, not before: a crash in between tells some of them twice, but never none. A consumer whose
        // effects must happen once keeps the revision in the same transaction as the effects.
        if let Some(revision) = watch.revision() {
            std::fs::write(file, revision.to_string())?;
        }
    }
}
