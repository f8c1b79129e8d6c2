//! What a decision returns: the state after it and the events that announce it, inseparable.
//!
//! The store commits nothing but a [`Change`], and a `Change` cannot be made without an event, so state cannot move
//! without the log saying so.

use crate::Resource;

/// A decided change of one resource: its state afterwards and at least one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Change<T: Resource> {
    state: T,
    events: Vec<T::Event>,
}

impl<T: Resource> Change<T> {
    /// The state after the decision, announced by `event`.
    pub fn new(state: T, event: T::Event) -> Self {
        Self { state, events: vec![event] }
    }

    /// The state after decisions that were made one after the other, announced by the events of all; `None` when there was
    /// none.
    pub fn chain(state: T, events: Vec<T::Event>) -> Option<Self> {
        (!events.is_empty()).then_some(Self { state, events })
    }

    /// Announces one more event at the same revision, after those already there.
    pub fn and(mut self, event: T::Event) -> Self {
        self.events.push(event);
        self
    }

    /// The state after the change.
    pub fn state(&self) -> &T {
        &self.state
    }

    /// The events in order; never empty.
    pub fn events(&self) -> &[T::Event] {
        &self.events
    }

    /// Takes the change apart: for the store, which commits both.
    pub fn into_parts(self) -> (T, Vec<T::Event>) {
        (self.state, self.events)
    }
}
