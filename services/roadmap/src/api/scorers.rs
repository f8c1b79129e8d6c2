//! What a request asks to score by: a published framework, or a model of the workspace.

use waymark_domain::roadmap::{Scorer, ScoringModel};
use waymark_domain::{Name, Violations, WorkspaceId};
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_rpc::parse;
use waymark_store::{Error, resource};

use super::Api;
use crate::store::ScoringModels;

impl Api {
    /// The framework, or the model if one is named.
    pub(super) async fn scorer(
        &self,
        workspace: &WorkspaceId,
        framework: pb::ScoringFramework,
        model: &str,
    ) -> Result<Scorer, Error> {
        if model.is_empty() {
            return Ok(Scorer::Framework(framework.stated("framework")?));
        }
        if framework != pb::ScoringFramework::Unspecified {
            return Err(Violations::one("framework", "must not be set beside model: set one of the two").into());
        }
        self.model(workspace, "model", model).await
    }

    /// The model that a field names, which is one of the workspace.
    pub(super) async fn model(&self, workspace: &WorkspaceId, field: &str, model: &str) -> Result<Scorer, Error> {
        let name: Name<ScoringModel> = parse(field, model)?;
        if name.workspace() != workspace {
            return Err(Violations::one(field, format!("must be of {workspace}, got {model}")).into());
        }
        let ScoringModel { meta, scoring, .. } =
            resource::<ScoringModels>(self.store.get::<ScoringModels>(model).await?)?;
        match meta.delete_time {
            Some(_) => Err(Error::Deleted(model.to_owned())),
            None => Ok(Scorer::model(meta.display_name, scoring)),
        }
    }
}
