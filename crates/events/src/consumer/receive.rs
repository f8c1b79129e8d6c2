//! What becomes of messages: those that are events are attempted, and what they carried that were removed unread is had
//! from their source.

use waymark_store::{Error, Received};

use super::stream::Message;
use crate::attempt::{Attempt, Attempts, Intake};
use crate::envelope;

impl Attempts {
    /// Does at once what can be done of messages of one workspace that are to be handled.
    pub(super) async fn receive_ahead(&mut self, messages: &[Message]) {
        let whole = |message: &Message| match envelope::from_nats(&message.headers, &message.payload) {
            Ok((event, None)) => Some(event),
            Ok((_, Some(_))) | Err(_) => None,
        };
        // Up to the first that is none: what is behind it has to wait for it.
        self.ahead(&messages.iter().map_while(whole).collect::<Vec<Received>>()).await;
    }

    /// Handles a message once.
    pub(super) async fn receive(&mut self, message: &Message) -> Attempt {
        match envelope::from_nats(&message.headers, &message.payload) {
            Ok((event, None)) => self.attempt(&event).await,
            Ok((event, Some(fault))) => self.refuse(&event, &fault.to_string()).await,
            Err(error) => {
                // Not an event of Waymark: it cannot be kept as one either, only reported.
                let (workspace, sequence) = (message.workspace.id(), message.position.sequence);
                tracing::error!(workspace, sequence, %error, "not an event; dropped");
                Attempt::Settled
            }
        }
    }
}

impl Intake {
    /// Messages between the two sequences were removed from the stream, and perhaps never read: what mirrors lack of
    /// them is had by filling them anew.
    pub(super) async fn missed(&self, from: u64, to: u64) -> Result<(), Error> {
        let source = self.topic.source;
        tracing::warn!(source, from, to, "messages were removed from the stream that may not have been read");
        for mirror in self.topic.mirrors() {
            self.store.refill(mirror).await?;
        }
        Ok(())
    }
}
