//! One session of a consumer: from the position that is saved, workspaces side by side, each in order, until something
//! goes wrong or the process ends. What is not saved by then is read again, and the inbox knows it.
//!
//! An event that fails parks its workspace: it is then read apart, with its own wait between attempts, while the others
//! flow on, and flows with them again when it has caught up. One task decides that, which also knows what it has left
//! to the parked workspace. If not even the parking can be saved, the database is away, which is everybody's: the
//! event is then tried again in its place.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tracing::Instrument as _;
use waymark_runtime::Host;
use waymark_store::{Error as StoreError, Lease, StreamPosition, StreamReader};

use super::lanes::{Lanes, Next};
use super::stream::{Delivery, EventStream, Reading};
use super::tasks::{Done, SAVE, Session};
use crate::attempt::Intake;
use crate::causes::chain;
use crate::filling::{Filler, Pages};
use crate::places::Places;

/// How often the broker is asked how many events wait, and whether the stream is still the same.
const LOOK: Duration = Duration::from_secs(5);
/// Workspaces parked at most. So many that fail at once are an outage.
const PARKED: usize = 1_024;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("saving how far the stream was read")]
    Store(#[from] StoreError),
    #[error("reading from JetStream: {0}")]
    Broker(String),
    #[error("another replica has taken over")]
    TakenOver,
    #[error("the stream is no longer the one that was read")]
    Lost,
}

/// Reads and handles until the process ends.
pub(super) async fn run(
    host: &Host,
    client: &async_nats::Client,
    intake: &Arc<Intake>,
    lease: &mut Lease,
) -> Result<(), Ended> {
    let topic = intake.topic;
    let stream = EventStream::open(client, topic).await.map_err(Ended::Broker)?;
    let (store, consumer) = (&intake.store, intake.subscription.consumer);
    let before = store.last_reader(consumer, topic.source).await?.unwrap_or_default();
    let reader = store.take_over(consumer, topic.source, lease.holder()).await?;
    for mirror in topic.mirrors() {
        store.begin_mirror(mirror, lease.holder(), Some(&before)).await?;
    }
    let reading = begin(intake, &stream, &reader).await?;
    // Ends with this function.
    let mut filling = JoinSet::new();
    if topic.mirrors().next().is_some() {
        let filler = Filler { intake: Arc::clone(intake), pages: Pages::Nats(client.clone()) };
        filling.spawn(filler.run().in_current_span());
    }
    let (position, parked) = reader.load().await?;
    let mut lanes = Lanes::new(position, &parked);
    let places = Places::new(host.shutdown.token().child_token());
    let parking = Arc::new(Semaphore::new(PARKED));
    let session = Arc::new(Session { intake: Arc::clone(intake), reader, stream, places, parking });
    let mut tasks = JoinSet::new();
    for parked in parked {
        let (session, owing) = (Arc::clone(&session), lanes.owing(&parked.workspace));
        tasks.spawn(async move { session.resume(parked.workspace, parked.sequence, owing).await }.in_current_span());
    }
    let ended = session.read(host, lease, reading, &mut lanes, &mut tasks).await;
    session.places.end();
    while let Some(done) = tasks.join_next().await {
        if let Done::AtHand(workspace) = done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
            // The next of its workspace is left to the next session.
            let _ = lanes.done(&workspace);
        }
    }
    if !matches!(ended, Err(Ended::TakenOver)) {
        session.reader.advance(lanes.position()).await?;
    }
    ended
}

/// Where reading goes on; the position is saved that it goes on from.
async fn begin(intake: &Intake, stream: &EventStream, reader: &StreamReader) -> Result<Reading, Ended> {
    let (mut position, _) = reader.load().await?;
    if position == StreamPosition::START {
        position = stream.acknowledged(&intake.subscription).await.map_err(Ended::Broker)?;
        if !reader.advance(position).await? {
            return Err(Ended::TakenOver);
        }
    }
    if !stream.is_lost(position).await.map_err(Ended::Broker)? {
        if let Some(removed) = stream.removed_until(position).await.map_err(Ended::Broker)? {
            intake.missed(position.sequence, removed.sequence).await?;
            position = removed;
            if !reader.advance(position).await? {
                return Err(Ended::TakenOver);
            }
        }
        return stream.read_after(position).await.map_err(Ended::Broker);
    }
    for mirror in intake.topic.mirrors() {
        intake.store.refill(mirror).await?;
    }
    let (back, reading) = stream.read_since(position).await.map_err(Ended::Broker)?;
    if !reader.rewind(back).await? {
        return Err(Ended::TakenOver);
    }
    let (source, was, sequence) = (intake.topic.source, position.sequence, back.sequence);
    tracing::warn!(
        source,
        was,
        sequence,
        "the stream has lost messages that were read; it is read again from where it may be new"
    );
    intake.instruments.rewound();
    Ok(reading)
}

impl Session {
    /// Hands out what is read, and decides what follows from what was done.
    async fn read(
        self: &Arc<Self>,
        host: &Host,
        lease: &mut Lease,
        mut reading: Reading,
        lanes: &mut Lanes,
        tasks: &mut JoinSet<Done>,
    ) -> Result<(), Ended> {
        let (mut save, mut look, mut saved) = (interval(SAVE), interval(LOOK), lanes.position());
        // Up to where it is known that messages were removed from the stream.
        let mut removed = lanes.read_to();
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = host.shutdown.begun() => return Ok(()),
                delivery = reading.next(), if lanes.has_room() => match delivery.map_err(Ended::Broker)? {
                    Delivery::Message(message) => self.begin(lanes.receive(message), tasks),
                    Delivery::Foreign(position, subject) => {
                        tracing::error!(subject, "not an event; dropped");
                        lanes.pass(position);
                    }
                },
                Some(done) = tasks.join_next() => {
                    let done = done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                    self.follow(done, lanes, tasks)?;
                }
                _ = save.tick() => {
                    match lease.hold(&self.intake.store).await {
                        Ok(true) => {}
                        Ok(false) => return Err(Ended::TakenOver),
                        // Nobody else can have it either; and what this one saves is refused if somebody has.
                        Err(error) => tracing::debug!(error = %chain(&error), "the consumer's lease is not renewed"),
                    }
                    if saved != lanes.position() {
                        match self.reader.advance(lanes.position()).await {
                            Ok(true) => saved = lanes.position(),
                            Ok(false) => return Err(Ended::TakenOver),
                            Err(error) => tracing::warn!(error = %chain(&error), "the position is not saved; trying again"),
                        }
                    }
                }
                // Also while nothing is read.
                _ = look.tick() => tokio::select! {
                    () = host.shutdown.begun() => return Ok(()),
                    looked = self.look(&mut reading, lanes, &mut removed) => looked?,
                },
            }
        }
    }

    /// Looks at the stream from outside. A broker that does not answer is for the reading to find out.
    async fn look(&self, reading: &mut Reading, lanes: &mut Lanes, removed: &mut u64) -> Result<(), Ended> {
        if self.stream.is_lost(lanes.position()).await.unwrap_or(false) {
            return Err(Ended::Lost);
        }
        let Ok((first, last)) = self.stream.ends().await else { return Ok(()) };
        let read = lanes.read_to().max(*removed);
        if first > read + 1 {
            *removed = first - 1;
            self.intake.missed(read, first - 1).await?;
        }
        let now = self.intake.store.now();
        let age = lanes.oldest().and_then(|oldest| (now - oldest).to_std().ok());
        self.intake.instruments.behind(age.unwrap_or_default());
        let Some(waiting) = reading.waiting().await.map_err(Ended::Broker)? else { return Ok(()) };
        let waiting = waiting + lanes.waiting();
        self.intake.instruments.waiting(waiting);
        // What was asked first is not behind what was asked then.
        if waiting == 0
            && last > lanes.position().sequence
            && let Ok(Some(position)) = self.stream.position(last).await
        {
            lanes.pass_to(position);
        }
        Ok(())
    }

    fn begin(self: &Arc<Self>, next: Option<Next>, tasks: &mut JoinSet<Done>) {
        let session = Arc::clone(self);
        match next {
            Some(Next::Try(workspace, messages)) => {
                tasks.spawn(async move { session.attempt(workspace, &messages).await }.in_current_span());
            }
            Some(Next::Park(workspace, at)) => {
                tasks.spawn(async move { session.make_room(workspace, at).await }.in_current_span());
            }
            None => {}
        }
    }

    fn follow(self: &Arc<Self>, done: Done, lanes: &mut Lanes, tasks: &mut JoinSet<Done>) -> Result<(), Ended> {
        let session = Arc::clone(self);
        match done {
            Done::AtHand(workspace) => self.begin(lanes.done(&workspace), tasks),
            Done::Parked(parked, pause) => {
                let owing = lanes.parked(&parked.workspace);
                tasks.spawn(async move { session.catch_up(parked, owing, pause).await }.in_current_span());
            }
            Done::CaughtUp(parked) => {
                let owing = lanes.caught_up(&parked.workspace, parked.next);
                tasks.spawn(async move { session.catch_up(parked, owing, Duration::ZERO).await }.in_current_span());
            }
            Done::Ended => {}
            Done::TakenOver => return Err(Ended::TakenOver),
        }
        Ok(())
    }
}
