//! The table of factor scales, of which a workspace has one for a factor.

use std::sync::Arc;

use waymark_domain::roadmap::{FactorScale, FactorScaleEvent, Input, Scales};
use waymark_domain::{Change, Name, Violations, WorkspaceId};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Error, Rule, Ruled, Rules, Store, Table, Write, resource};

/// Factor scales.
pub struct FactorScales;

impl Table for FactorScales {
    type Resource = FactorScale;
    type Message = pb::FactorScale;
    const TABLE: &'static str = "factor_scales";
    const COLUMNS: Columns<FactorScale> = &[Column::text("factor", |s: &FactorScale| Some(s.input.key.to_owned()))];
}

impl Ruled for FactorScales {
    const RULES: Rules<Self> = Rules { create: Rule::Reading(|write, new| Box::pin(name(write, new))), ..Rules::PLAIN };
}

/// A scale under the id that its factor makes it: so there is one for a factor, and it is read by key.
async fn name(write: &mut Write, mut new: FactorScale) -> Result<Change<FactorScale>, Error> {
    let label = new.input.label();
    let name = Name::new(write.workspace().clone(), label.parse().map_err(Error::bug)?);
    if new.meta.name.id().as_str() == new.meta.uid.simple().to_string() {
        // None was given.
        if !write.is_free::<FactorScales>(&name).await? {
            return Err(Error::Exists(name.to_string()));
        }
        new.meta.name = name;
    } else if new.meta.name != name {
        let problem = format!("must be {label}, as that is the id of the scale of {}, or empty", new.input.key);
        return Err(Violations::one("factor_scale_id", problem).into());
    }
    Ok(Change::new(new, FactorScaleEvent::Created))
}

/// The names that scales have: one for each factor.
fn names(workspace: &WorkspaceId) -> Result<Vec<Name<FactorScale>>, Error> {
    let name = |input: &Input| Ok(Name::new(workspace.clone(), input.label().parse().map_err(Error::bug)?));
    Input::all().map(name).collect()
}

/// The scales of a workspace as they are.
pub async fn scales_now(store: &Store, workspace: &WorkspaceId) -> Result<Scales, Error> {
    let names = names(workspace)?;
    let own = store.named::<FactorScales>(workspace, names.iter().map(|name| name.id().as_str())).await?;
    own.into_values().map(resource::<FactorScales>).collect()
}

/// The scales of the workspace that is written to, which no write that asks for them changes.
pub async fn scales(write: &mut Write) -> Result<Arc<Scales>, Error> {
    if let Some(scales) = write.noted::<Scales>() {
        return Ok(scales);
    }
    let names = names(write.workspace())?;
    let own = write.find_all::<FactorScales>(names.iter()).await?;
    Ok(write.note(own.into_values().collect()))
}
