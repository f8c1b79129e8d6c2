//! Writes down what was seen that is not expected, in the background: many of a workspace in one transaction.

use std::convert::Infallible;

use waymark_domain::metrics::{Sighting, TrackingViolation, ViolationKey};
use waymark_domain::{Name, WorkspaceId};
use waymark_proto::Choice as _;
use waymark_proto::metrics::v1 as pb;
use waymark_request::Call;
use waymark_store::{Error, ListQuery, Store, Write};

use super::Sightings;
use super::sightings::Due;
use crate::name::NAME;
use crate::store::TrackingViolations;

/// Violations of one transaction.
const TOGETHER: usize = 100;
/// Violations of a page.
const PAGE: i32 = 1_000;

/// Writes down what is due, or `all` there is. What fails is kept for the next time and does not hold up the others.
pub async fn keep_sightings(store: &Store, sightings: &Sightings, all: bool) {
    for (workspace, due) in sightings.due(store.now(), all) {
        let mut room = match room(store, &workspace, &due).await {
            Ok(room) => room,
            Err(error) => {
                failed(&workspace, &error);
                sightings.take_back(&workspace, due);
                continue;
            }
        };
        let mut due = due.into_iter().peekable();
        while due.peek().is_some() {
            let together: Vec<_> = due.by_ref().take(TOGETHER).collect();
            match keep(store, &workspace, &together, room).await {
                Ok(left) => room = left,
                Err(error) => {
                    failed(&workspace, &error);
                    sightings.take_back(&workspace, together);
                }
            }
        }
    }
}

fn failed(workspace: &WorkspaceId, error: &Error) {
    let error: &dyn std::error::Error = error;
    tracing::warn!(%workspace, error, "what is not as the tracking plan expects was not written down; it will be tried again");
}

/// How many more the workspace may have.
async fn room(store: &Store, workspace: &WorkspaceId, due: &[Due]) -> Result<usize, Error> {
    let ids: Vec<_> = due.iter().map(|due| due.key.id()).collect();
    let known = store.named::<TrackingViolations>(workspace, ids.iter().map(String::as_str)).await?;
    if known.len() == due.len() {
        // None is new.
        return Ok(0);
    }
    let (parent, mut token, mut count) = (workspace.to_string(), String::new(), 0);
    loop {
        let query = ListQuery { parent: &parent, page_size: PAGE, page_token: &token, ..ListQuery::default() };
        let page = store.list::<TrackingViolations>(query).await?;
        count += page.items.len();
        token = page.next_page_token;
        if token.is_empty() || count >= TrackingViolation::MOST {
            return Ok(TrackingViolation::MOST.saturating_sub(count));
        }
    }
}

/// Writes some down and tells how many more may be new.
async fn keep(store: &Store, workspace: &WorkspaceId, due: &[Due], room: usize) -> Result<usize, Error> {
    let mut left = room;
    let call = Call::internal(NAME);
    let work = async |write: &mut Write| {
        let mut named = Vec::with_capacity(due.len());
        for due in due {
            let id = due.key.id();
            named.push((Name::new(write.workspace().clone(), id.parse().map_err(Error::bug)?), due));
        }
        let mut known = write.find_all::<TrackingViolations>(named.iter().map(|(name, _)| name)).await?;
        for (name, Due { key, seen }) in named {
            if let Some(known) = known.remove(name.id().as_str()) {
                write.put::<TrackingViolations>(known.seen(seen.clone()))?;
            } else if let Some(less) = left.checked_sub(1) {
                left = less;
                begin(write, &name, key, seen.clone()).await?;
            }
        }
        Ok(())
    };
    store.write(&call, workspace, work).await?;
    Ok(left)
}

/// Writes down what is not known, or was deleted.
async fn begin(
    write: &mut Write,
    name: &Name<TrackingViolation>,
    key: &ViolationKey,
    seen: Sighting,
) -> Result<(), Error> {
    if write.is_free::<TrackingViolations>(name).await? {
        let found = |new: TrackingViolation| Ok::<_, Infallible>(new.anew(seen));
        write.create::<TrackingViolations, _>(name.id().as_str(), message(key), found)?;
    } else {
        let found = async |_: &mut Write, known: TrackingViolation| Ok(known.anew(seen));
        write.undelete::<TrackingViolations, _>(name, "", found).await?;
    }
    Ok(())
}

fn message(key: &ViolationKey) -> pb::TrackingViolation {
    pb::TrackingViolation {
        display_name: key.title(pb::TrackingViolation::DISPLAY_NAME_MOST),
        kind: pb::TrackingViolationKind::of(key.kind),
        event: key.event.clone(),
        property: key.property.clone(),
        ..Default::default()
    }
}
