//! Names of events that a question has and the workspace does not, and what was meant by them.

use waymark_domain::text::nearest;
use waymark_domain::{Violations, WorkspaceId};
use waymark_lake as lake;
use waymark_store::Error;

use crate::analysis::LakeFailure;

/// Refuses names that no event of the workspace has, each by its field, with the name that is spelt most like it. Names
/// are looked up only where there are such, and a workspace without events, of which nobody can know better, has none
/// refused.
pub async fn unknown(lake: &lake::Lake, workspace: &WorkspaceId, asked: Vec<(String, &str)>) -> Result<(), Error> {
    if asked.is_empty() {
        return Ok(());
    }
    let catalogue = lake.catalogue(workspace.id()).await.map_err(LakeFailure::from)?;
    if catalogue.events.is_empty() {
        return Ok(());
    }
    let mut violations = Violations::new();
    for (field, name) in asked {
        if catalogue.events.iter().any(|event| event.event == name) {
            continue;
        }
        let nearest = nearest(name, catalogue.events.iter().map(|event| event.event.as_str()));
        let meant = nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default();
        violations.add(field, format!("is {name:?}, which no event of the workspace is called{meant}"));
    }
    if violations.is_empty() { Ok(()) } else { Err(violations.into()) }
}
