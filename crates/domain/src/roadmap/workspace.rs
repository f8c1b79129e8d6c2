//! Workspaces: the tenants of an installation, which are made, closed and opened again.

use chrono::{DateTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::{Change, Failure, FailureKind, Meta, Name, Reason, Resource, Violation};

/// A tenant, as a resource of the installation.
#[derive(Debug, Clone, PartialEq)]
pub struct Workspace {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// Whose it is and what for.
    pub description: String,
    /// Whether it is written to.
    pub state: WorkspaceState,
}

/// Whether a workspace is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkspaceState {
    /// It is.
    Active,
    /// It is read alone.
    Closed {
        /// Since when.
        time: DateTime<Utc>,
    },
}

/// What happens to workspaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum WorkspaceEvent {
    Created,
    Updated,
    Closed,
    Reopened,
}

/// Why something that is done with a workspace is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkspaceError {
    /// Its id is that of what is of no workspace.
    #[error("{0:?} is reserved for what is of no workspace; choose another id")]
    Reserved(String),
    /// It is closed, or not closed, already.
    #[error("{resource} is {state}: {action} needs {needed}")]
    State {
        /// The workspace.
        resource: Name<Workspace>,
        /// How it is.
        state: &'static str,
        /// What was asked.
        action: &'static str,
        /// How it would have to be.
        needed: &'static str,
    },
}

impl Resource for Workspace {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "Workspace";
    const COLLECTION: &'static str = "workspaces";
    type Event = WorkspaceEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

impl Failure for WorkspaceError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Reserved(_) => FailureKind::Invalid,
            Self::State { .. } => FailureKind::Refused,
        }
    }
    fn reason(&self) -> Reason {
        match self {
            Self::Reserved(_) => Reason::InvalidField,
            Self::State { .. } => Reason::StateConflict,
        }
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Reserved(_) => Vec::new(),
            Self::State { resource, state, action, .. } => vec![
                ("resource", resource.to_string()),
                ("state", (*state).to_owned()),
                ("action", (*action).to_owned()),
            ],
        }
    }
    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Reserved(_) => vec![Violation { field: "workspace_id".to_owned(), description: self.to_string() }],
            Self::State { .. } => Vec::new(),
        }
    }
}

impl WorkspaceState {
    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Closed { .. } => "CLOSED",
        }
    }
}

impl Workspace {
    /// A new one, unless its id is reserved.
    pub fn create(self) -> Result<Change<Self>, WorkspaceError> {
        let id = self.meta.name.id().as_str();
        if id == self.meta.name.workspace().id() {
            return Err(WorkspaceError::Reserved(id.to_owned()));
        }
        Ok(Change::new(self, WorkspaceEvent::Created))
    }

    /// ACTIVE → CLOSED.
    pub fn close(mut self, time: DateTime<Utc>) -> Result<Change<Self>, WorkspaceError> {
        match self.state {
            WorkspaceState::Active => {
                self.state = WorkspaceState::Closed { time };
                Ok(Change::new(self, WorkspaceEvent::Closed))
            }
            WorkspaceState::Closed { .. } => Err(self.not_in_state("CloseWorkspace", "ACTIVE")),
        }
    }

    /// CLOSED → ACTIVE.
    pub fn reopen(mut self) -> Result<Change<Self>, WorkspaceError> {
        match self.state {
            WorkspaceState::Closed { .. } => {
                self.state = WorkspaceState::Active;
                Ok(Change::new(self, WorkspaceEvent::Reopened))
            }
            WorkspaceState::Active => Err(self.not_in_state("ReopenWorkspace", "CLOSED")),
        }
    }

    fn not_in_state(self, action: &'static str, needed: &'static str) -> WorkspaceError {
        WorkspaceError::State { state: self.state.name(), resource: self.meta.name, action, needed }
    }
}
