//! Studies: a question to users, how it is asked and how far it is.

use chrono::{DateTime, Utc};
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

use crate::{Change, Failure, FailureKind, Meta, Reason};

/// A piece of research.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What is to be found out and for which decision.
    pub goal: String,
    /// How users are asked or watched.
    pub method: StudyMethod,
    /// The questions of the guide, in order.
    pub questions: Vec<String>,
    /// How far it is.
    pub state: StudyState,
}

/// How a study asks or watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum StudyMethod {
    /// Conversations about what people did and why.
    Interview,
    /// People do tasks with a product or prototype.
    UsabilityTest,
    /// Written questions to many.
    Survey,
    /// Watching people where they work or live.
    Field,
    /// People write down what happens over days or weeks.
    Diary,
}

/// How far a study is, with what is known by then. Printed as in the contract: `ACTIVE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum StudyState {
    /// Prepared; nobody was asked yet.
    Planned,
    /// People are being asked.
    Active {
        /// Since when.
        start_time: DateTime<Utc>,
    },
    /// Nobody is asked any more.
    Complete {
        /// When people began to be asked.
        start_time: DateTime<Utc>,
        /// Since when nobody is.
        complete_time: DateTime<Utc>,
    },
}

/// What happens to studies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum StudyEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
    Started,
    Completed,
}

super::resource!(Study, StudyEvent, "studies");

/// Why a study does not move on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StudyError {
    /// The state does not allow it.
    #[error("{resource} is {state}: {action} needs it to be {needed}")]
    State {
        /// The study.
        resource: String,
        /// Where it is.
        state: StudyState,
        /// What was asked.
        action: &'static str,
        /// Where it would have to be.
        needed: &'static str,
    },
}

impl Failure for StudyError {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> Reason {
        Reason::StateConflict
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        let Self::State { resource, state, action, .. } = self;
        vec![("resource", resource.clone()), ("state", state.to_string()), ("action", (*action).to_owned())]
    }
}

impl Study {
    /// People begin to be asked.
    pub fn start(self, now: DateTime<Utc>) -> Result<Change<Self>, StudyError> {
        match self.state {
            StudyState::Planned => {
                let state = StudyState::Active { start_time: now };
                Ok(Change::new(Self { state, ..self }, StudyEvent::Started))
            }
            StudyState::Active { .. } | StudyState::Complete { .. } => Err(self.conflict("start", "PLANNED")),
        }
    }

    /// Nobody is asked any more.
    pub fn complete(self, now: DateTime<Utc>) -> Result<Change<Self>, StudyError> {
        match self.state {
            StudyState::Active { start_time } => {
                let state = StudyState::Complete { start_time, complete_time: now };
                Ok(Change::new(Self { state, ..self }, StudyEvent::Completed))
            }
            StudyState::Planned | StudyState::Complete { .. } => Err(self.conflict("complete", "ACTIVE")),
        }
    }

    fn conflict(&self, action: &'static str, needed: &'static str) -> StudyError {
        StudyError::State { resource: self.meta.name.to_string(), state: self.state, action, needed }
    }
}
