//! Events of another service in the same process: its log is read directly, workspaces side by side and each in order,
//! with a cursor per workspace in the reader's own database. Same inbox, same dead letters as over NATS.
//!
//! Who is behind is found once, by comparing all; from then on only workspaces that move are looked at, so idle ones
//! cost nothing, however many there are.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tracing::Instrument as _;
use waymark_domain::WorkspaceId;
use waymark_runtime::Host;
use waymark_store::{Error, Store};

use crate::attempt::{Attempt, Attempts, Intake, backoff};
use crate::causes::chain;
use crate::envelope;
use crate::filling::{Filler, Pages};
use crate::instruments::Instruments;
use crate::places::{Place, Places};
use crate::subscription::{Subscription, Topic};

/// Log rows read at once.
const BATCH: u64 = 256;
/// How often it is told how much waits.
const LOOK: Duration = Duration::from_secs(5);

/// What the tasks of a bus share.
struct Bus {
    intake: Arc<Intake>,
    source: Store,
    places: Places,
    /// This process, for those of the next to know.
    reader: String,
}

/// The workspaces that have events to carry.
#[derive(Default)]
struct Behind {
    workspaces: HashMap<WorkspaceId, Gap>,
    /// Those that nobody works on, in turn.
    turns: VecDeque<WorkspaceId>,
}

/// What a workspace has to be carried.
struct Gap {
    /// The last revision that is settled, as far as it is known.
    settled: i64,
    /// The last one there is.
    revision: i64,
    /// Since when events wait, as far as it is known.
    since: Instant,
}

/// What came of a round in a workspace.
enum Round {
    /// All up to this revision is settled; there may be more.
    Settled(i64),
    /// There is nothing behind the cursor.
    Empty,
    /// One is to be tried again after this time.
    Again(Duration),
}

/// Carries events until shutdown.
pub async fn run(host: Host, store: Store, source: Store, subscription: Subscription, topic: Topic) {
    let moved = source.heads().moved();
    let instruments = Instruments::new(&host, &subscription, &topic);
    let intake = Arc::new(Intake { store, subscription, topic, instruments });
    let (places, reader) = (Places::new(host.shutdown.token()), host.ids.opaque().to_string());
    let bus = Arc::new(Bus { intake, source, places, reader });
    let Some(mut behind) = bus.compare().await else { return };
    // Ends with this function.
    let mut filling = JoinSet::new();
    if topic.mirrors().next().is_some() {
        let filler = Filler { intake: Arc::clone(&bus.intake), pages: Pages::Store(Box::new(bus.source.clone())) };
        filling.spawn(filler.run().in_current_span());
    }
    let mut tasks = JoinSet::new();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = host.shutdown.begun() => break,
            () = moved.some() => for (workspace, revision) in moved.take() {
                behind.moved(workspace, revision);
            },
            Some(place) = bus.places.take(), if !behind.turns.is_empty() => {
                if let Some((workspace, revision)) = behind.next() {
                    let bus = Arc::clone(&bus);
                    tasks.spawn(async move { bus.carry(workspace, revision, place).await }.in_current_span());
                }
            }
            Some(done) = tasks.join_next() => {
                let (workspace, settled) = done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                behind.settled(workspace, settled);
            }
            _ = look.tick() => {
                bus.intake.instruments.waiting(behind.waiting());
                bus.intake.instruments.behind(behind.age());
            }
        }
    }
    while tasks.join_next().await.is_some() {}
}

impl Bus {
    /// What is behind at the start; `None` when the process ends.
    async fn compare(&self) -> Option<Behind> {
        let mut failures = 0;
        loop {
            match self.gaps().await {
                Ok(behind) => return Some(behind),
                Err(error) => {
                    let source = self.intake.topic.source;
                    tracing::warn!(source, error = %chain(&error), "the bus does not start yet; events stay in the log");
                }
            }
            failures += 1;
            if !self.places.pause(backoff(failures)).await {
                return None;
            }
        }
    }

    async fn gaps(&self) -> Result<Behind, Error> {
        for mirror in self.intake.topic.mirrors() {
            // A cursor is moved by this program alone, so nobody else can have heard anything in between.
            self.intake.store.begin_mirror(mirror, &self.reader, None).await?;
        }
        let consumed = self.intake.store.consumed(self.intake.topic.source).await?;
        let mut behind = Behind::default();
        for (workspace, revision) in self.source.revisions().await? {
            let settled = consumed.get(&workspace).copied().unwrap_or(0);
            if revision > settled {
                behind.turns.push_back(workspace.clone());
                behind.workspaces.insert(workspace, Gap { settled, revision, since: Instant::now() });
            }
        }
        Ok(behind)
    }

    /// Carries some events of a workspace that is at `revision` at least; tells up to which one all is settled.
    async fn carry(&self, workspace: WorkspaceId, revision: i64, mut place: Place) -> (WorkspaceId, i64) {
        let (mut attempts, mut failures) = (Attempts::new(&self.intake), 0);
        loop {
            let pause = match self.round(&workspace, &mut attempts).await {
                Ok(Round::Settled(settled)) => return (workspace, settled),
                Ok(Round::Empty) => return (workspace, revision),
                Ok(Round::Again(pause)) => pause,
                Err(error) => {
                    let (source, workspace, error) = (self.intake.topic.source, workspace.id(), chain(&error));
                    tracing::warn!(
                        source,
                        workspace,
                        error,
                        "the bus pauses in a workspace; its events stay in the log"
                    );
                    failures += 1;
                    backoff(failures)
                }
            };
            drop(place);
            // At the end nobody asks any more how far it is.
            if !self.places.pause(pause).await {
                return (workspace, revision);
            }
            let Some(again) = self.places.take().await else { return (workspace, revision) };
            place = again;
        }
    }

    /// Carries what is read of a workspace at once, until one event is not settled.
    async fn round(&self, workspace: &WorkspaceId, attempts: &mut Attempts) -> Result<Round, Error> {
        let (store, topic) = (&self.intake.store, self.intake.topic);
        let wanted = topic.wanted();
        let after = store.consumed_of(topic.source, workspace).await?;
        let rows = self.source.read_log(workspace.id(), after, BATCH).await?;
        let Some(last) = rows.last().map(|row| row.revision) else { return Ok(Round::Empty) };
        let rows = rows.into_iter().filter(|row| wanted.contains(row.event_type.as_str()));
        let events: Vec<_> = rows.map(|row| envelope::to_received(topic.source, row)).collect();
        attempts.ahead(&events).await;
        let (mut settled, mut again) = (last, None);
        for event in &events {
            let attempt =
                if self.places.is_ended() { Attempt::Again(Duration::ZERO) } else { attempts.attempt(event).await };
            if let Attempt::Again(pause) = attempt {
                (settled, again) = (event.revision - 1, Some(pause));
                break;
            }
        }
        if settled > after {
            store.mark_consumed(topic.source, workspace, settled).await?;
        }
        Ok(again.map_or(Round::Settled(settled), Round::Again))
    }
}

impl Behind {
    fn moved(&mut self, workspace: WorkspaceId, revision: i64) {
        if let Some(gap) = self.workspaces.get_mut(&workspace) {
            gap.revision = gap.revision.max(revision);
            return;
        }
        self.turns.push_back(workspace.clone());
        self.workspaces.insert(workspace, Gap { settled: revision - 1, revision, since: Instant::now() });
    }

    /// The workspace whose turn it is, and its revision.
    fn next(&mut self) -> Option<(WorkspaceId, i64)> {
        let workspace = self.turns.pop_front()?;
        let revision = self.workspaces.get(&workspace)?.revision;
        Some((workspace, revision))
    }

    /// Nobody works on the workspace any longer.
    fn settled(&mut self, workspace: WorkspaceId, settled: i64) {
        let Some(gap) = self.workspaces.get_mut(&workspace) else { return };
        if settled > gap.settled {
            gap.since = Instant::now();
        }
        gap.settled = settled;
        if gap.settled < gap.revision {
            self.turns.push_back(workspace);
        } else {
            self.workspaces.remove(&workspace);
        }
    }

    /// Revisions that wait, as far as it is known.
    fn waiting(&self) -> u64 {
        self.workspaces.values().map(|gap| gap.revision.abs_diff(gap.settled)).sum()
    }

    /// For how long something waits.
    fn age(&self) -> Duration {
        self.workspaces.values().map(|gap| gap.since.elapsed()).max().unwrap_or_default()
    }
}
