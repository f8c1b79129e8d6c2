//! Imports from their completion on: what was new in them is counted, and they are undone. Reads the lake outside of
//! transactions.
//!
//! An undo is three steps that each may be taken again: the import is UNDOING, so that it takes no more events; the
//! lake says that it is undone, and what was made of its events is renewed; the import is UNDONE. What a process that
//! dies leaves in between is finished by [`finish_undos`].

use std::time::Duration;

use tokio::time::timeout;
use waymark_domain::Name;
use waymark_domain::metrics::{Completion, Counts, Import, Undo};
use waymark_lake as lake;
use waymark_proto::convert::metrics::report;
use waymark_proto::metrics::v1 as pb;
use waymark_request::{Call, Written};
use waymark_store::{Error, Store, Write};

use crate::analysis::LakeFailure;
use crate::name::NAME;
use crate::renewing::renew;
use crate::store::{Imports, live, undoing};

/// How long it may take to count what was new in an import: whoever completes it waits.
const COUNTING: Duration = Duration::from_secs(10);
/// Names read from the database at a time.
const PAGE: u32 = 100;

/// Completes an import with what became of its rows.
pub async fn complete(
    store: &Store,
    lake: &lake::Lake,
    call: &Call,
    name: &Name<Import>,
    request: pb::CompleteImportRequest,
) -> Result<Written<pb::Import>, Error> {
    let known = live::<Imports>(store, name).await?;
    let (workspace, uid) = (name.workspace().id(), known.meta.uid);
    // Whether it may be completed is decided inside the write, where a repeated request finds its first answer.
    let delivered = match known.takes_events("CompleteImport") {
        Ok(()) => timeout(COUNTING, lake.delivered(workspace, uid)).await.ok().transpose().map_err(LakeFailure)?,
        Err(_) => None,
    };
    let (read, accepted) = (request.read.unsigned_abs(), request.accepted.unsigned_abs());
    let duplicates = delivered.map(|delivered| accepted.saturating_sub(delivered.alone));
    let counts = Counts { read, accepted, duplicates, rejected: request.rejected.unsigned_abs() };
    let report = report(request.report.unwrap_or_default());
    store
        .change::<Imports, _>(call, &name.to_string(), &request.etag, async move |write, import: Import| {
            import.complete(Completion { complete_time: write.now(), counts, report }).map_err(Error::rule)
        })
        .await
}

/// Undoes an import.
pub async fn undo(
    store: &Store,
    lake: &lake::Lake,
    call: &Call,
    name: &Name<Import>,
    etag: &str,
) -> Result<Written<pb::Import>, Error> {
    // The request id is that of the last step, whose answer is the one to remember.
    let first = Call { request_id: None, ..call.clone() };
    let begun = store
        .write(&first, name.workspace(), async move |write: &mut Write| {
            let import = write.load::<Imports>(name, "").await?;
            if import.clone().begin_undo().is_none() {
                return Ok(pb::Import::from(&import));
            }
            match write.load::<Imports>(name, etag).await?.begin_undo() {
                Some(change) => write.put::<Imports>(change),
                None => Ok(pb::Import::from(&import)),
            }
        })
        .await?;
    if call.validate_only {
        return Ok(begun);
    }
    let import = live::<Imports>(store, name).await?;
    if import.undo().is_none() {
        let undone = lake.undo(name.workspace().id(), import.meta.uid).await.map_err(LakeFailure)?;
        renew(store, lake, name.workspace(), undone.times).await?;
        return conclude(store, call, name, undone).await;
    }
    conclude(store, call, name, lake::Delivered::default()).await
}

async fn conclude(
    store: &Store,
    call: &Call,
    name: &Name<Import>,
    undone: lake::Delivered,
) -> Result<Written<pb::Import>, Error> {
    store
        .change::<Imports, _>(call, &name.to_string(), "", async move |write, import: Import| {
            let undo = Undo { undo_time: write.now(), removed: undone.alone, kept: undone.shared };
            Ok(import.conclude_undo(undo))
        })
        .await
}

/// Finishes what was begun to be undone and is not, and tells how many imports that were. A failure of one does not
/// hold up the others.
pub async fn finish_undos(store: &Store, lake: &lake::Lake) -> Result<usize, Error> {
    let mut finished = 0;
    let mut last = None;
    loop {
        let mut page = undoing(store, last.as_ref(), PAGE).await?;
        for name in &page {
            match undo(store, lake, &Call::internal(NAME), name, "").await {
                Ok(_) => finished += 1,
                Err(error) => {
                    tracing::warn!(import = %name, error = &error as &dyn std::error::Error, "an import was not undone");
                }
            }
        }
        if page.len() < PAGE as usize {
            return Ok(finished);
        }
        last = page.pop();
    }
}
