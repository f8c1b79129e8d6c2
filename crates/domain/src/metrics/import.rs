//! Imports: product events that were brought in together, and how far that is. Never holds or counts events; the
//! numbers are arguments.

use chrono::{DateTime, Utc};
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

use crate::{Change, Failure, FailureKind, Meta, Name, Reason, Resource};

/// Product events that were brought in together.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// SHA-256 of the file's bytes in hexadecimal digits; may be empty.
    pub digest: String,
    /// How rows became events, as options of the command line.
    pub mapping: Vec<String>,
    /// Who began it.
    pub imported_by: String,
    /// How far it is.
    pub state: ImportState,
}

/// How far an import is, with what is known by then. Printed as in the contract: `RUNNING`.
#[derive(Debug, Clone, PartialEq, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ImportState {
    /// Events are coming.
    Running,
    /// All have come.
    Completed(Completion),
    /// It takes no more, and is about to be undone; it may not have been completed.
    Undoing(Option<Completion>),
    /// What it alone delivered is gone.
    Undone(Option<Completion>, Undo),
}

/// What became of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// When all events had come.
    pub complete_time: DateTime<Utc>,
    /// How many rows were what.
    pub counts: Counts,
    /// What else there is to tell.
    pub report: Report,
}

/// How many rows were what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub read: u64,
    /// Those that were stored as events.
    pub accepted: u64,
    /// Those of them that brought nothing new, if they were counted.
    pub duplicates: Option<u64>,
    /// Those that were no events.
    pub rejected: u64,
}

/// What whoever imported tells of the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// As what columns were read.
    pub columns: Vec<ReadColumn>,
    /// The first rows that were no events: their lines, and why.
    pub rejections: Vec<(u64, String)>,
    /// How many rows have a time of which nobody knows which one is meant.
    pub ambiguous_times: u64,
}

/// Cells of a column that were read as the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadColumn {
    /// The column.
    pub column: String,
    /// What it became.
    pub becomes: String,
    /// As what the cells were read.
    pub read_as: String,
    /// How many there are.
    pub rows: u64,
    /// Some of them.
    pub examples: Vec<String>,
}

/// What undoing an import came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undo {
    /// Since when it is undone.
    pub undo_time: DateTime<Utc>,
    /// How many events are gone.
    pub removed: u64,
    /// How many stay, as something else delivered them, too.
    pub kept: u64,
}

/// What happens to imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum ImportEvent {
    Created,
    Completed,
    UndoStarted,
    Undone,
}

/// Why an import stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The state does not allow it.
    #[error("{import} is {state}: {action} needs it to be RUNNING; import again to bring the events in")]
    State {
        /// The import.
        import: Name<Import>,
        /// Where it is.
        state: &'static str,
        /// What was asked.
        action: &'static str,
    },
}

impl Failure for ImportError {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> Reason {
        Reason::StateConflict
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        let Self::State { import, state, action } = self;
        vec![("resource", import.to_string()), ("state", (*state).to_owned()), ("action", (*action).to_owned())]
    }
}

impl Import {
    /// Whether it takes events; `action` is what is asked of it.
    pub fn takes_events(&self, action: &'static str) -> Result<(), ImportError> {
        match &self.state {
            ImportState::Running => Ok(()),
            other @ (ImportState::Completed(_) | ImportState::Undoing(_) | ImportState::Undone(..)) => {
                Err(ImportError::State { import: self.meta.name.clone(), state: other.into(), action })
            }
        }
    }

    /// All events have come.
    pub fn complete(self, completion: Completion) -> Result<Change<Self>, ImportError> {
        self.takes_events("CompleteImport")?;
        Ok(Change::new(Self { state: ImportState::Completed(completion), ..self }, ImportEvent::Completed))
    }

    /// No more events are taken; `None` when that is so already.
    pub fn begin_undo(self) -> Option<Change<Self>> {
        let completion = match self.state {
            ImportState::Running => None,
            ImportState::Completed(completion) => Some(completion),
            ImportState::Undoing(_) | ImportState::Undone(..) => return None,
        };
        Some(Change::new(Self { state: ImportState::Undoing(completion), ..self }, ImportEvent::UndoStarted))
    }

    /// Its events are gone; nothing changes when they were before.
    pub fn conclude_undo(self, undo: Undo) -> Change<Self> {
        let state = match self.state {
            ImportState::Running => ImportState::Undone(None, undo),
            ImportState::Completed(completion) => ImportState::Undone(Some(completion), undo),
            ImportState::Undoing(completion) => ImportState::Undone(completion, undo),
            undone @ ImportState::Undone(..) => undone,
        };
        Change::new(Self { state, ..self }, ImportEvent::Undone)
    }

    /// What became of the rows, once it was completed.
    pub fn completion(&self) -> Option<&Completion> {
        match &self.state {
            ImportState::Running => None,
            ImportState::Completed(completion) => Some(completion),
            ImportState::Undoing(completion) | ImportState::Undone(completion, _) => completion.as_ref(),
        }
    }

    /// What undoing it came to, once it is undone.
    pub fn undo(&self) -> Option<Undo> {
        match self.state {
            ImportState::Undone(_, undo) => Some(undo),
            ImportState::Running | ImportState::Completed(_) | ImportState::Undoing(_) => None,
        }
    }
}

impl Resource for Import {
    const SERVICE: &'static str = "metrics";
    const KIND: &'static str = "Import";
    const COLLECTION: &'static str = "imports";
    type Event = ImportEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests {
    use super::super::prediction::tests::at;
    use super::*;

    fn import() -> Import {
        let time = at("2026-03-01T09:00:00Z");
        Import {
            meta: Meta {
                name: "workspaces/acme/imports/orders".parse().unwrap(),
                uid: uuid::Uuid::nil(),
                display_name: "orders.csv".into(),
                labels: std::collections::BTreeMap::new(),
                version: 1,
                create_time: time,
                update_time: time,
                delete_time: None,
            },
            digest: String::new(),
            mapping: vec!["--user=customer".into()],
            imported_by: "users/ada".into(),
            state: ImportState::Running,
        }
    }

    fn completion() -> Completion {
        let counts = Counts { read: 3, accepted: 2, duplicates: Some(1), rejected: 1 };
        Completion { complete_time: at("2026-03-01T10:00:00Z"), counts, report: Report::default() }
    }

    #[test]
    fn it_takes_events_while_it_runs_and_is_undone_once() {
        let undo = Undo { undo_time: at("2026-03-02T10:00:00Z"), removed: 2, kept: 0 };
        let completed = import().complete(completion()).unwrap().into_parts().0;
        for (before, done) in [(import(), None), (completed.clone(), Some(completion()))] {
            let undoing = before.begin_undo().unwrap().into_parts().0;
            assert_eq!(undoing.clone().begin_undo(), None);
            let undone = undoing.conclude_undo(undo).into_parts().0;
            assert_eq!((undone.completion().cloned(), undone.undo()), (done, Some(undo)));
            let again = undone.clone().conclude_undo(Undo { removed: 0, ..undo }).into_parts().0;
            assert_eq!(again, undone, "what is gone was there once");
            assert_eq!(undone.clone().begin_undo(), None);
            let refused = undone.complete(completion()).unwrap_err();
            assert_eq!(refused.metadata()[1..], [("state", "UNDONE".into()), ("action", "CompleteImport".into())]);
        }
        assert!(import().takes_events("IngestEvents").is_ok() && completed.takes_events("IngestEvents").is_err());
    }
}
