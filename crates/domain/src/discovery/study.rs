//! Studies: a question to users, how it is asked and how far it is.

use chrono::{DateTime, Utc};
use strum::{Display, IntoStaticStr, VariantNames};

use crate::{Change, Failure, FailureKind, Meta};

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
    /// When it became active.
    pub start_time: Option<DateTime<Utc>>,
    /// When it became complete.
    pub complete_time: Option<DateTime<Utc>>,
}

/// How a study asks or watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
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

/// How far a study is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum StudyState {
    /// Prepared; nobody was asked yet.
    Planned,
    /// People are being asked.
    Active,
    /// Nobody is asked any more.
    Complete,
}

/// What happens to studies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantNames)]
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
        needed: StudyState,
    },
}

impl Failure for StudyError {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> &'static str {
        "STATE_CONFLICT"
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        let Self::State { resource, state, action, .. } = self;
        vec![("resource", resource.clone()), ("state", state.to_string()), ("action", (*action).to_owned())]
    }
}

impl Study {
    /// People begin to be asked.
    pub fn start(self, now: DateTime<Utc>) -> Result<Change<Self>, StudyError> {
        self.require(StudyState::Planned, "start")?;
        Ok(Change::new(Self { state: StudyState::Active, start_time: Some(now), ..self }, StudyEvent::Started))
    }

    /// Nobody is asked any more.
    pub fn complete(self, now: DateTime<Utc>) -> Result<Change<Self>, StudyError> {
        self.require(StudyState::Active, "complete")?;
        Ok(Change::new(Self { state: StudyState::Complete, complete_time: Some(now), ..self }, StudyEvent::Completed))
    }

    fn require(&self, needed: StudyState, action: &'static str) -> Result<(), StudyError> {
        if self.state == needed {
            Ok(())
        } else {
            Err(StudyError::State { resource: self.meta.name.to_string(), state: self.state, action, needed })
        }
    }
}
