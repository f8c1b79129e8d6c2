//! A stream that lost messages, as after a crash of its server or when an older copy of its store was put back, is
//! filled again from the log: the relay comes back to the newest checkpoint that the stream confirms, moves the cursors
//! of what was published behind it to what the stream holds up to there, and publishes on.
//!
//! The database says that a rewind is under way until it is done, so one that is interrupted is gone through again:
//! each step only moves cursors back to where the stream is.

use futures::{StreamExt as _, TryStreamExt as _};
use waymark_store::{Ahead, Checkpoint, Checkpoints};

use super::Relay;
use super::error::RelayError;
use super::stream::Stream;
use crate::envelope;

/// Cursors that are moved at once.
const PAGE: u64 = 512;
/// Workspaces that the stream is asked about at once.
const ASKED: usize = 32;
/// Workspaces between two lines of the log.
const PROGRESS: u64 = 10_240;

impl Relay {
    /// Whether the stream lacks what it had taken, or a rewind was begun.
    pub(super) async fn has_lost(&self, stream: &Stream, known: &Checkpoints) -> Result<bool, RelayError> {
        match known.checkpoints.first() {
            _ if known.rewinding => Ok(true),
            Some(newest) => Ok(known.create_time != stream.create_time || !stream.confirms(newest).await?),
            // Nothing was published, or by a program that keeps no checkpoints.
            None => Ok(stream.last == 0 && self.store.has_published().await?),
        }
    }

    /// Has what the stream lost published again.
    pub(super) async fn rewind(&mut self, stream: &Stream, mut known: Checkpoints) -> Result<(), RelayError> {
        let (resumes, taken, remade) = (known.rewinding, known.newest(), known.create_time != stream.create_time);
        let base = base(stream, &known).await?;
        if !self.store.begin_rewind(&mut known, stream.create_time, base, stream.last).await? {
            return Err(superseded());
        }
        fail::fail_point!("relay-rewinding", |_| std::process::abort());
        let ahead = self.store.count_ahead(base).await?;
        let name = envelope::stream_name(self.service);
        if resumes {
            tracing::warn!(stream = name, from = base, workspaces = ahead, "an interrupted rewind goes on");
        } else {
            self.gauges.lost();
            tracing::error!(
                stream = name,
                remade,
                taken,
                last = stream.last,
                from = base,
                behind = stream.last - base.min(stream.last),
                workspaces = ahead,
                "the stream lost messages it had taken; events behind `from` are published again out of the log, \
                 after the messages that stand behind it"
            );
        }

        let (mut asked, mut rewound, mut revisions, mut trimmed) = (0, 0, 0, 0);
        let mut after = None;
        loop {
            let page = self.store.ahead(base, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.workspace.clone());
            if !self.lease.hold(&self.store).await? {
                return Err(superseded());
            }
            let held = page.into_iter().map(|ahead| async {
                let held = self.held(stream, &known.checkpoints, base, &ahead).await?;
                Ok::<_, RelayError>((ahead, held))
            });
            let cursors: Vec<(Ahead, i64)> = futures::stream::iter(held).buffered(ASKED).try_collect().await?;
            for (ahead, held) in cursors.iter().filter(|(ahead, held)| *held < ahead.published) {
                rewound += 1;
                revisions += ahead.published - held;
                trimmed += u64::from(held + 1 < ahead.earliest);
            }
            if !self.store.rewind(&mut known, base, &cursors).await? {
                return Err(superseded());
            }
            asked += cursors.len() as u64;
            if asked.is_multiple_of(PROGRESS) {
                tracing::info!(stream = name, asked, workspaces = ahead, rewound, "rewinding");
            }
        }
        if !self.store.end_rewind(&mut known).await? {
            return Err(superseded());
        }
        tracing::warn!(stream = name, workspaces = rewound, revisions, "rewound; these are published again");
        if trimmed > 0 {
            tracing::error!(
                stream = name,
                workspaces = trimmed,
                "their log was trimmed: of the revisions before its earliest only the last event of each resource is \
                 published again"
            );
        }
        Ok(())
    }

    /// The revision up to which the stream up to `base` holds all events of a workspace.
    async fn held(
        &self,
        stream: &Stream,
        checkpoints: &[Checkpoint],
        base: u64,
        ahead: &Ahead,
    ) -> Result<i64, RelayError> {
        let mut end = base;
        while end > 0 {
            let Some(message) = stream.last_of(&ahead.workspace, end).await? else { break };
            // What stands where the relay once came back to has lost what belongs before it.
            let gap = checkpoints.iter().find(|c| c.sequence < message.sequence && message.sequence <= c.resumed);
            end = match (gap, message.revision) {
                (Some(gap), _) => gap.sequence,
                (None, None) => message.sequence - 1,
                (None, Some(revision)) => {
                    let last = self.store.last_event(&ahead.workspace, revision).await?;
                    let whole = last.is_none_or(|last| last == message.message_id);
                    return Ok(if whole { revision } else { revision - 1 });
                }
            };
        }
        Ok(0)
    }
}

/// The newest checkpoint that the stream confirms; 0 when it confirms none.
async fn base(stream: &Stream, known: &Checkpoints) -> Result<u64, RelayError> {
    if known.create_time == stream.create_time {
        for checkpoint in &known.checkpoints {
            if stream.confirms(checkpoint).await? {
                return Ok(checkpoint.sequence);
            }
        }
    }
    Ok(0)
}

fn superseded() -> RelayError {
    RelayError::Broker("another relay has taken over".into())
}
