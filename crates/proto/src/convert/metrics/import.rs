//! Imports.

use waymark_domain::Violations;
use waymark_domain::metrics::{Completion, Counts, Import, ImportState, ReadColumn, Report, Undo};

use crate::convert::{meta, set_meta, time_while, timestamp, whole};
use crate::metrics::v1 as pb;

impl TryFrom<pb::Import> for Import {
    type Error = Violations;
    fn try_from(message: pb::Import) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta = meta(&mut violations, &message);
        let state = state(&mut violations, &message);
        let pb::Import { digest, mapping, imported_by, .. } = message;
        let import = (|| Some(Self { meta: meta?, digest, mapping, imported_by, state: state? }))();
        whole(violations, import)
    }
}

/// The state with what belongs to it; a message must say that and nothing else.
fn state(violations: &mut Violations, message: &pb::Import) -> Option<ImportState> {
    let state = message.state();
    let stated = state.as_str_name();
    let is_complete = match state {
        pb::ImportState::Unspecified | pb::ImportState::Running => false,
        pb::ImportState::Completed => true,
        // Whether or not it was completed before.
        pb::ImportState::Undoing | pb::ImportState::Undone => message.complete_time.is_some(),
    };
    let complete_time = time_while(violations, stated, "complete_time", message.complete_time, is_complete);
    if is_complete != message.counts.is_some() || is_complete != message.report.is_some() {
        violations.add("counts", format!("must be set, and report, when complete_time is, while {stated}"));
    }
    let completion = complete_time.map(|complete_time| Completion {
        complete_time,
        counts: message.counts.unwrap_or_default().into(),
        report: report(message.report.clone().unwrap_or_default()),
    });
    let is_undone = state == pb::ImportState::Undone;
    let undo_time = time_while(violations, stated, "undo_time", message.undo_time, is_undone);
    let (removed, kept) = (message.removed.unsigned_abs(), message.kept.unsigned_abs());
    Some(match state {
        pb::ImportState::Unspecified | pb::ImportState::Running => ImportState::Running,
        pb::ImportState::Completed => ImportState::Completed(completion?),
        pb::ImportState::Undoing => ImportState::Undoing(completion),
        pb::ImportState::Undone => ImportState::Undone(completion, Undo { undo_time: undo_time?, removed, kept }),
    })
}

impl From<&Import> for pb::Import {
    fn from(import: &Import) -> Self {
        let (completion, undo) = (import.completion(), import.undo());
        let state = match import.state {
            ImportState::Running => pb::ImportState::Running,
            ImportState::Completed(_) => pb::ImportState::Completed,
            ImportState::Undoing(_) => pb::ImportState::Undoing,
            ImportState::Undone(..) => pb::ImportState::Undone,
        };
        let mut message = Self {
            digest: import.digest.clone(),
            mapping: import.mapping.clone(),
            imported_by: import.imported_by.clone(),
            state: state.into(),
            complete_time: completion.map(|completion| timestamp(completion.complete_time)),
            counts: completion.map(|completion| completion.counts.into()),
            report: completion.map(|completion| (&completion.report).into()),
            undo_time: undo.map(|undo| timestamp(undo.undo_time)),
            removed: undo.map_or(0, |undo| undo.removed.cast_signed()),
            kept: undo.map_or(0, |undo| undo.kept.cast_signed()),
            ..Self::default()
        };
        set_meta(&mut message, &import.meta);
        message
    }
}

impl From<pb::ImportCounts> for Counts {
    fn from(message: pb::ImportCounts) -> Self {
        Self {
            read: message.read.unsigned_abs(),
            accepted: message.accepted.unsigned_abs(),
            duplicates: message.duplicates.map(i64::unsigned_abs),
            rejected: message.rejected.unsigned_abs(),
        }
    }
}

impl From<Counts> for pb::ImportCounts {
    fn from(counts: Counts) -> Self {
        Self {
            read: counts.read.cast_signed(),
            accepted: counts.accepted.cast_signed(),
            duplicates: counts.duplicates.map(u64::cast_signed),
            rejected: counts.rejected.cast_signed(),
        }
    }
}

/// What is told of the rows.
pub fn report(message: pb::ImportReport) -> Report {
    let column = |column: pb::ImportColumn| {
        let pb::ImportColumn { column, becomes, read_as, rows, examples } = column;
        ReadColumn { column, becomes, read_as, rows: rows.unsigned_abs(), examples }
    };
    Report {
        columns: message.columns.into_iter().map(column).collect(),
        rejections: message.rejections.into_iter().map(|row| (row.line.unsigned_abs(), row.reason)).collect(),
        ambiguous_times: message.ambiguous_times.unsigned_abs(),
    }
}

impl From<&Report> for pb::ImportReport {
    fn from(report: &Report) -> Self {
        let column = |column: &ReadColumn| pb::ImportColumn {
            column: column.column.clone(),
            becomes: column.becomes.clone(),
            read_as: column.read_as.clone(),
            rows: column.rows.cast_signed(),
            examples: column.examples.clone(),
        };
        let rejection =
            |(line, reason): &(u64, String)| pb::RejectedRow { line: line.cast_signed(), reason: reason.clone() };
        Self {
            columns: report.columns.iter().map(column).collect(),
            rejections: report.rejections.iter().map(rejection).collect(),
            ambiguous_times: report.ambiguous_times.cast_signed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(state: pb::ImportState) -> pb::Import {
        let time = Some(crate::Timestamp { seconds: 1_772_360_000, nanos: 0 });
        pb::Import {
            name: "workspaces/acme/imports/orders".into(),
            uid: uuid::Uuid::nil().to_string(),
            display_name: "orders.csv".into(),
            etag: "2".into(),
            create_time: time,
            update_time: time,
            digest: "ab".repeat(32),
            mapping: vec!["--user=customer".into()],
            imported_by: "users/ada".into(),
            state: state.into(),
            ..Default::default()
        }
    }

    fn completed(state: pb::ImportState) -> pb::Import {
        let column = pb::ImportColumn { column: "id".into(), examples: vec!["7".into()], ..Default::default() };
        let rejection = pb::RejectedRow { line: 4, reason: "time: is empty".into() };
        let report = pb::ImportReport { columns: vec![column], rejections: vec![rejection], ambiguous_times: 1 };
        pb::Import {
            complete_time: message(state).update_time,
            counts: Some(pb::ImportCounts { read: 9, accepted: 8, duplicates: Some(2), rejected: 1 }),
            report: Some(report),
            ..message(state)
        }
    }

    fn undone(import: pb::Import) -> pb::Import {
        pb::Import { undo_time: import.update_time, removed: 6, kept: 2, ..import }
    }

    #[test]
    fn an_import_prints_what_it_parsed() {
        use pb::ImportState::{Completed, Running, Undoing, Undone};
        for message in [
            message(Running),
            completed(Completed),
            message(Undoing),
            completed(Undoing),
            undone(message(Undone)),
            undone(completed(Undone)),
        ] {
            let parsed = crate::parse::<Import, _>(message.clone()).unwrap();
            assert_eq!(pb::Import::from(&parsed), message);
        }
    }

    #[test]
    fn a_state_says_what_belongs_to_it() {
        use pb::ImportState::{Completed, Running, Undone};
        for (wrong, field) in [
            (message(Completed), "complete_time"),
            (completed(Running), "complete_time"),
            (pb::Import { counts: None, ..completed(Completed) }, "counts"),
            (message(Undone), "undo_time"),
            (undone(completed(Completed)), "undo_time"),
        ] {
            let violations = crate::parse::<Import, _>(wrong).unwrap_err().into_vec();
            assert_eq!(violations[0].field, field);
        }
    }
}
