//! What was read of a stream and is not settled yet: one lane per workspace, in order, and the position before all of
//! it. Decides and counts only; who works on what it hands out is `session.rs`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use waymark_domain::WorkspaceId;
use waymark_store::{ParkedWorkspace, StreamPosition};

use super::stream::Message;

/// Messages in hand at most; then reading stops.
const MESSAGES: usize = 2_048;
/// Bytes of them, about.
const BYTES: usize = 8 << 20;
/// Messages that are kept in mind behind one that is not settled; then reading stops, too.
const WINDOW: usize = 65_536;
/// Messages of a workspace that wait in hand at most, so that it leaves room for the others; it is parked for the rest.
const SHARE: usize = 256;
/// Messages of a workspace that are handed out at once, at most.
const TOGETHER: usize = 64;

/// The workspaces of a stream that have something to be done.
pub(super) struct Lanes {
    workspaces: HashMap<WorkspaceId, Lane>,
    /// Everything that was read and is behind the position, in the order of the stream.
    window: VecDeque<Read>,
    position: StreamPosition,
    /// Messages in hand, and their bytes.
    messages: usize,
    bytes: usize,
    /// Messages that were not kept.
    left: usize,
}

/// A message that was read.
struct Read {
    position: StreamPosition,
    settled: bool,
}

enum Lane {
    /// Something is done in it, and what comes waits behind that.
    Flowing(Flow),
    /// The workspace is read apart from the others.
    Parked(Owing),
}

#[derive(Default)]
struct Flow {
    /// The messages that are worked on; none where the work is to end the parking.
    at_hand: Vec<AtHand>,
    waiting: VecDeque<Message>,
    /// Sequences behind those that wait, which are too many to be kept.
    left: VecDeque<u64>,
}

/// A message that is worked on.
struct AtHand {
    sequence: u64,
    bytes: usize,
}

/// What is to be done in a workspace.
pub(super) enum Next {
    /// These messages of the workspace are to be worked on.
    Try(WorkspaceId, Vec<Message>),
    /// The workspace is to be parked at this sequence.
    Park(WorkspaceId, u64),
}

/// What is to be done in a parked workspace.
#[derive(Clone)]
pub(super) struct Owing {
    /// The last sequence that was left to it.
    pub(super) until: u64,
    /// About how many messages it has yet to do.
    pub(super) owed: Arc<AtomicU64>,
    /// When the stream stored the first of them.
    since: DateTime<Utc>,
}

impl Lanes {
    /// Nothing read yet behind `position`, except that some workspaces are parked.
    pub(super) fn new(position: StreamPosition, parked: &[ParkedWorkspace]) -> Self {
        let parked = parked.iter().map(|parked| {
            // All that was left to it before is up to the position.
            let until = position.sequence.max(parked.sequence - 1);
            let owing = Owing { until, owed: Arc::new(AtomicU64::new(1)), since: position.time };
            (parked.workspace.clone(), Lane::Parked(owing))
        });
        Self { workspaces: parked.collect(), window: VecDeque::new(), position, messages: 0, bytes: 0, left: 0 }
    }

    /// Up to where everything is settled that is not parked.
    pub(super) fn position(&self) -> StreamPosition {
        self.position
    }

    /// How far the stream was read.
    pub(super) fn read_to(&self) -> u64 {
        self.window.back().map_or(self.position.sequence, |read| read.position.sequence)
    }

    /// Nothing that is wanted is between what was read and `position`.
    pub(super) fn pass_to(&mut self, position: StreamPosition) {
        if self.window.is_empty() && position.sequence > self.position.sequence {
            self.position = position;
        }
    }

    /// When the stream stored the oldest message that was read and is not done.
    pub(super) fn oldest(&self) -> Option<DateTime<Utc>> {
        let parked = self.workspaces.values().filter_map(|lane| match lane {
            Lane::Parked(parked) => Some(parked.since),
            Lane::Flowing(_) => None,
        });
        parked.chain(self.window.front().map(|read| read.position.time)).min()
    }

    /// Whether more may be read.
    pub(super) fn has_room(&self) -> bool {
        self.messages < MESSAGES && self.bytes < BYTES && self.window.len() < WINDOW
    }

    /// Messages that were read and are not done.
    pub(super) fn waiting(&self) -> u64 {
        let parked = self.workspaces.values().map(|lane| match lane {
            Lane::Parked(parked) => parked.owed.load(Ordering::Relaxed),
            Lane::Flowing(_) => 0,
        });
        (self.messages + self.left) as u64 + parked.sum::<u64>()
    }

    /// Takes in the next message of the stream; hands it out if nothing of its workspace is before it.
    pub(super) fn receive(&mut self, message: Message) -> Option<Next> {
        self.window.push_back(Read { position: message.position, settled: false });
        match self.workspaces.get_mut(&message.workspace) {
            Some(Lane::Parked(parked)) => {
                parked.until = message.position.sequence;
                parked.owed.fetch_add(1, Ordering::Relaxed);
                self.settle(message.position.sequence);
                None
            }
            Some(Lane::Flowing(flow)) if flow.waiting.len() >= SHARE || !flow.left.is_empty() => {
                self.left += 1;
                flow.left.push_back(message.position.sequence);
                None
            }
            Some(Lane::Flowing(flow)) => {
                self.messages += 1;
                self.bytes += message.payload.len();
                flow.waiting.push_back(message);
                None
            }
            None => {
                self.messages += 1;
                self.bytes += message.payload.len();
                let workspace = message.workspace.clone();
                let flow = Flow { at_hand: vec![AtHand::of(&message)], ..Flow::default() };
                self.workspaces.insert(workspace.clone(), Lane::Flowing(flow));
                Some(Next::Try(workspace, vec![message]))
            }
        }
    }

    /// A message that is of no workspace.
    pub(super) fn pass(&mut self, position: StreamPosition) {
        self.window.push_back(Read { position, settled: false });
        self.settle(position.sequence);
    }

    /// What is at hand in the workspace is done; hands out what is behind it.
    pub(super) fn done(&mut self, workspace: &WorkspaceId) -> Option<Next> {
        let Some(Lane::Flowing(flow)) = self.workspaces.get_mut(workspace) else { return None };
        for AtHand { sequence, bytes } in std::mem::take(&mut flow.at_hand) {
            self.messages -= 1;
            self.bytes -= bytes;
            self.settle(sequence);
        }
        let Some(Lane::Flowing(flow)) = self.workspaces.get_mut(workspace) else { return None };
        let next: Vec<Message> = flow.waiting.drain(..TOGETHER.min(flow.waiting.len())).collect();
        if !next.is_empty() {
            flow.at_hand = next.iter().map(AtHand::of).collect();
            return Some(Next::Try(workspace.clone(), next));
        }
        if let Some(&left) = flow.left.front() {
            return Some(Next::Park(workspace.clone(), left));
        }
        self.workspaces.remove(workspace);
        None
    }

    /// The workspace is parked; what is at hand and behind it is read apart.
    pub(super) fn parked(&mut self, workspace: &WorkspaceId) -> Option<Owing> {
        let lane = self.workspaces.get_mut(workspace)?;
        let Lane::Flowing(flow) = lane else { return None };
        let Flow { at_hand, waiting, left } = std::mem::take(flow);
        let kept: Vec<AtHand> = at_hand.into_iter().chain(waiting.iter().map(AtHand::of)).collect();
        let until = left.back().copied().or(kept.last().map(|last| last.sequence))?;
        let first = kept.first().map(|first| first.sequence).or(left.front().copied())?;
        let since = self.window.iter().find(|read| read.position.sequence >= first)?.position.time;
        let owing = Owing { until, owed: Arc::new(AtomicU64::new((kept.len() + left.len()) as u64)), since };
        *lane = Lane::Parked(owing.clone());
        self.messages -= kept.len();
        self.bytes -= kept.iter().map(|message| message.bytes).sum::<usize>();
        self.left -= left.len();
        for sequence in kept.iter().map(|message| message.sequence).chain(left) {
            self.settle(sequence);
        }
        Some(owing)
    }

    /// What was left to a parked workspace.
    pub(super) fn owing(&self, workspace: &WorkspaceId) -> Option<Owing> {
        match self.workspaces.get(workspace) {
            Some(Lane::Parked(owing)) => Some(owing.clone()),
            Some(Lane::Flowing(_)) | None => None,
        }
    }

    /// What a parked workspace has yet to do that has done all before `next`. Nothing: it flows again, as soon as it is
    /// done that its parking is ended.
    pub(super) fn caught_up(&mut self, workspace: &WorkspaceId, next: u64) -> Option<Owing> {
        let owing = self.owing(workspace).filter(|owing| owing.until >= next);
        if owing.is_none() {
            self.workspaces.insert(workspace.clone(), Lane::Flowing(Flow::default()));
        }
        owing
    }

    fn settle(&mut self, sequence: u64) {
        if let Ok(index) = self.window.binary_search_by_key(&sequence, |read| read.position.sequence)
            && let Some(read) = self.window.get_mut(index)
        {
            read.settled = true;
        }
        while let Some(read) = self.window.front().filter(|read| read.settled) {
            self.position = read.position;
            self.window.pop_front();
        }
    }
}

impl AtHand {
    fn of(message: &Message) -> Self {
        Self { sequence: message.position.sequence, bytes: message.payload.len() }
    }
}

#[cfg(test)]
mod tests {
    use async_nats::HeaderMap;
    use bytes::Bytes;
    use chrono::DateTime;

    use super::*;

    fn workspace(id: &str) -> WorkspaceId {
        WorkspaceId::from_id(id).unwrap()
    }

    fn at(sequence: u64) -> StreamPosition {
        StreamPosition { sequence, time: DateTime::UNIX_EPOCH }
    }

    fn message(id: &str, sequence: u64) -> Message {
        let (headers, payload) = (HeaderMap::new(), Bytes::from_static(b"payload"));
        Message { workspace: workspace(id), position: at(sequence), headers, payload }
    }

    /// The first that is handed out.
    fn sequence(next: Option<Next>) -> Option<u64> {
        next.and_then(|next| match next {
            Next::Try(_, messages) => messages.first().map(|message| message.position.sequence),
            Next::Park(_, sequence) => Some(sequence),
        })
    }

    #[test]
    fn the_position_is_before_everything_that_is_not_settled() {
        let mut lanes = Lanes::new(at(3), &[]);
        assert_eq!(sequence(lanes.receive(message("a", 5))), Some(5));
        assert_eq!(sequence(lanes.receive(message("b", 6))), Some(6));
        assert_eq!(sequence(lanes.receive(message("a", 9))), None, "in its turn");
        lanes.pass(at(11));
        assert_eq!((lanes.position(), lanes.waiting()), (at(3), 3));
        assert_eq!(sequence(lanes.done(&workspace("b"))), None);
        assert_eq!(lanes.position(), at(3));
        assert_eq!(sequence(lanes.done(&workspace("a"))), Some(9));
        assert_eq!(lanes.position(), at(6));
        assert_eq!(sequence(lanes.done(&workspace("a"))), None);
        assert_eq!((lanes.position(), lanes.waiting()), (at(11), 0));
        assert_eq!((lanes.messages, lanes.bytes), (0, 0));
        assert!(lanes.workspaces.is_empty(), "an idle workspace takes no room");
    }

    #[test]
    fn a_parked_workspace_flows_again_when_it_has_done_what_was_left_to_it() {
        let mut lanes = Lanes::new(at(0), &[]);
        for sequence in [1, 2] {
            lanes.receive(message("a", sequence));
        }
        let owing = lanes.parked(&workspace("a")).unwrap();
        assert_eq!((owing.until, owing.owed.load(Ordering::Relaxed), lanes.position()), (2, 2, at(2)));
        assert_eq!((lanes.messages, lanes.bytes), (0, 0));
        assert_eq!(sequence(lanes.receive(message("a", 3))), None, "left to it");
        assert_eq!((lanes.position(), lanes.waiting()), (at(3), 3));
        assert_eq!(lanes.caught_up(&workspace("a"), 3).map(|owing| owing.until), Some(3), "more came meanwhile");
        assert!(lanes.caught_up(&workspace("a"), 4).is_none());
        assert_eq!(sequence(lanes.receive(message("a", 4))), None, "its parking is not ended yet");
        assert_eq!(sequence(lanes.done(&workspace("a"))), Some(4));
        assert_eq!(lanes.position(), at(3));
    }

    #[test]
    fn one_that_was_parked_before_owes_all_that_the_position_covers() {
        let parked = [("a", 4), ("b", 12)].map(|(id, sequence)| ParkedWorkspace { workspace: workspace(id), sequence });
        let lanes = Lanes::new(at(9), &parked);
        let until = |id: &str| lanes.owing(&workspace(id)).unwrap().until;
        assert_eq!((until("a"), until("b")), (9, 11));
    }

    #[test]
    fn a_busy_workspace_is_parked_for_what_is_more_than_its_share() {
        let (mut lanes, share) = (Lanes::new(at(0), &[]), SHARE as u64);
        for sequence in 1..=share + 11 {
            lanes.receive(message("a", sequence));
        }
        assert_eq!((lanes.messages, lanes.waiting()), (SHARE + 1, share + 11));
        for first in (2..=share).step_by(TOGETHER) {
            let Some(Next::Try(_, next)) = lanes.done(&workspace("a")) else { panic!("there are more") };
            let sequences: Vec<u64> = next.iter().map(|message| message.position.sequence).collect();
            assert_eq!(sequences, (first..first + TOGETHER as u64).collect::<Vec<_>>());
        }
        assert!(matches!(lanes.done(&workspace("a")), Some(Next::Park(_, sequence)) if sequence == share + 2));
        assert_eq!(lanes.position(), at(share + 1));
        assert_eq!(lanes.parked(&workspace("a")).unwrap().until, share + 11);
        assert_eq!((lanes.messages, lanes.bytes, lanes.left, lanes.position()), (0, 0, 0, at(share + 11)));
    }

    #[test]
    fn reading_stops_when_much_is_in_hand_or_much_is_behind_one_message() {
        let mut lanes = Lanes::new(at(0), &[]);
        for sequence in 1..=MESSAGES as u64 {
            assert!(lanes.has_room());
            lanes.receive(message(&format!("w{sequence}"), sequence));
        }
        assert!(!lanes.has_room());
        let mut lanes = Lanes::new(at(0), &[]);
        for sequence in 1..=WINDOW as u64 {
            assert!(lanes.has_room());
            lanes.receive(message("a", sequence));
        }
        assert!(!lanes.has_room());
    }
}
