//! What a service listens to, and how one event reaches its handler, whichever way it came.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tracing::Instrument as _;
use waymark_runtime::propagation;
use waymark_store::{Error, Mirror, Reaction, Received, Together};

/// Takes over what events of one workspace carry that is mirrored, by [`waymark_store::Store::mirror`]; what was taken over
/// when it fails is taken over again.
pub type Mirroring = Arc<dyn Fn(Vec<Received>) -> BoxFuture<'static, Result<(), Error>> + Send + Sync>;

/// What a service does with an event of another. It must do it by [`waymark_store::Store::react`] with the reaction it is
/// given, so that a repeated delivery changes nothing, and write nothing otherwise.
pub type Handler = Arc<dyn Fn(Received, Reaction) -> BoxFuture<'static, Result<(), Error>> + Send + Sync>;

/// The event types of one source that a service listens to.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// The service that announces them.
    pub source: &'static str,
    /// Full names of the event messages.
    pub types: &'static [&'static str],
    /// The mirrors of the service that listens, of other sources, too.
    mirrors: &'static [Mirror],
}

impl Topic {
    /// Events of these types.
    pub const fn new(source: &'static str, types: &'static [&'static str]) -> Self {
        Self { source, types, mirrors: &[] }
    }

    /// The same, with all that tells of what `mirrors` mirror of the source.
    #[must_use]
    pub fn mirroring(self, mirrors: &'static [Mirror]) -> Self {
        Self { mirrors, ..self }
    }

    /// The types asked for, each once.
    pub(crate) fn wanted(&self) -> BTreeSet<&'static str> {
        self.types.iter().chain(self.mirrors().flat_map(|mirror| mirror.events)).copied().collect()
    }

    /// Whether an event of the source tells of what is mirrored.
    pub(crate) fn is_mirrored(&self, event: &Received) -> bool {
        self.mirrors().any(|mirror| mirror.is_told_by(event))
    }

    /// The mirrors of the source.
    pub(crate) fn mirrors(&self) -> impl Iterator<Item = &'static Mirror> + use<> {
        let source = self.source;
        self.mirrors.iter().filter(move |mirror| mirror.source == source)
    }
}

/// What a service listens to.
#[derive(Clone)]
pub struct Subscription {
    /// The service's own name; its positions, lease and inbox are kept under it.
    pub consumer: &'static str,
    /// What it listens to.
    pub topics: Vec<Topic>,
    /// What it does first, so that what reacts finds what it reacts to.
    pub mirror: Mirroring,
    /// What it does then, event by event.
    pub handler: Handler,
}

impl Subscription {
    /// Takes over what events of one workspace carry that is mirrored.
    pub(crate) async fn mirror(&self, events: Vec<Received>) -> Result<(), Error> {
        caught((self.mirror)(events)).await
    }

    /// Handles one event, what it carries included that is mirrored.
    pub(crate) async fn handle(&self, event: Received) -> Result<(), Error> {
        self.mirror(vec![event.clone()]).await?;
        self.react(event, None).await
    }

    /// Reacts to one event in a span that links to the request that caused it.
    pub(crate) async fn react(&self, event: Received, together: Option<&Together>) -> Result<(), Error> {
        let trace_id = propagation::trace_id(&tracing::Span::none(), event.traceparent.as_deref());
        let (r#type, id) = (event.event_type.as_str(), event.event_id);
        let span = tracing::info_span!("event", consumer = self.consumer, r#type, %id, cause_trace_id = trace_id);
        if let Some(traceparent) = &event.traceparent {
            propagation::link(&span, traceparent);
        }
        let reaction = event.reaction(self.consumer);
        let reaction = if let Some(together) = together { reaction.within(together) } else { reaction };
        caught((self.handler)(event, reaction)).instrument(span).await
    }
}

/// A panic is the event's fault as any other failure is, and must not end the consumer.
async fn caught(work: BoxFuture<'static, Result<(), Error>>) -> Result<(), Error> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|_| Err(Error::bug("the handler of the event panicked")))
}
