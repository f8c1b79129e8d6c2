//! What a request asks to score by: a published framework, or a model of the workspace, as it stands or stood.

use waymark_domain::roadmap::{Framework, Scorer, ScoringModel};
use waymark_domain::{Name, Violations, WorkspaceId};
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_rpc::parse;
use waymark_store::{Error, Read as _, View, resource};

use super::Api;
use crate::store::ScoringModels;

/// What is asked for.
enum Asked {
    Framework(Framework),
    Model(Name<ScoringModel>),
}

/// One of the two.
fn asked(workspace: &WorkspaceId, framework: pb::ScoringFramework, model: &str) -> Result<Asked, Error> {
    if model.is_empty() {
        return Ok(Asked::Framework(framework.stated("framework")?));
    }
    if framework != pb::ScoringFramework::Unspecified {
        return Err(Violations::one("framework", "must not be set beside model: set one of the two").into());
    }
    named(workspace, "model", model).map(Asked::Model)
}

/// A model of the workspace.
fn named(workspace: &WorkspaceId, field: &str, model: &str) -> Result<Name<ScoringModel>, Error> {
    let name: Name<ScoringModel> = parse(field, model)?;
    if name.workspace() != workspace {
        return Err(Violations::one(field, format!("must be of {workspace}, got {model}")).into());
    }
    Ok(name)
}

/// The framework, or the model as a view has it.
pub(super) async fn scorer_of(view: &mut View, framework: pb::ScoringFramework, model: &str) -> Result<Scorer, Error> {
    match asked(view.workspace(), framework, model)? {
        Asked::Framework(framework) => Ok(Scorer::Framework(framework)),
        Asked::Model(name) => {
            let found = view.find::<ScoringModels>(&name).await?;
            let ScoringModel { meta, scoring, .. } = found.ok_or_else(|| Error::NotFound(name.to_string()))?;
            Ok(Scorer::model(meta.display_name, scoring))
        }
    }
}

impl Api {
    /// The framework, or the model if one is named.
    pub(super) async fn scorer(
        &self,
        workspace: &WorkspaceId,
        framework: pb::ScoringFramework,
        model: &str,
    ) -> Result<Scorer, Error> {
        match asked(workspace, framework, model)? {
            Asked::Framework(framework) => Ok(Scorer::Framework(framework)),
            Asked::Model(_) => self.model(workspace, "model", model).await,
        }
    }

    /// The model that a field names, which is one of the workspace.
    pub(super) async fn model(&self, workspace: &WorkspaceId, field: &str, model: &str) -> Result<Scorer, Error> {
        named(workspace, field, model)?;
        let ScoringModel { meta, scoring, .. } =
            resource::<ScoringModels>(self.store.get::<ScoringModels>(model).await?)?;
        match meta.delete_time {
            Some(_) => Err(Error::Deleted(model.to_owned())),
            None => Ok(Scorer::model(meta.display_name, scoring)),
        }
    }
}
