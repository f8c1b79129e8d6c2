//! What policies are meant to say: a file of questions with the answers that are expected, so that a change of policies
//! can be judged before anybody meets it.

use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::question::{Question, Resource};
use super::schema::ResourceKind;
use super::set::is_id;
use super::{Decision, Policies};
use crate::identity::Identity;
use crate::principal::Principal;
use crate::settings::{Checked, SettingsError, wrong, yaml};

/// A question with its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The line of it in its file.
    pub line: u64,
    /// Who asks, in which groups.
    pub identity: Identity,
    /// The full name of the action.
    pub action: String,
    /// The id of the workspace; none for an action that concerns none.
    pub workspace: Option<String>,
    /// The id of the product, of an action that is done to one.
    pub product: Option<String>,
    /// The audience as which is asked.
    pub audience: Option<String>,
    /// Whether a client certificate is shown.
    pub certificate: bool,
    /// Whether nothing is to be changed.
    pub validate_only: bool,
    /// Whether it may.
    pub allowed: bool,
    /// The id of the audience of whose eyes the answer is.
    pub shown_as: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tests: Spanned<Vec<Spanned<Fields>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    principal: Spanned<String>,
    #[serde(default)]
    groups: Vec<Spanned<String>>,
    action: Spanned<String>,
    workspace: Option<Spanned<String>>,
    product: Option<Spanned<String>>,
    audience: Option<Spanned<String>>,
    #[serde(default)]
    certificate: bool,
    #[serde(default)]
    validate_only: bool,
    allowed: bool,
    shown_as: Option<Spanned<String>>,
}

impl Policies {
    /// The trials that stand in the file at `path`, of the actions that there are.
    ///
    /// # Errors
    /// [`SettingsError`] where it says something that cannot be asked.
    pub fn trials(&self, path: &Path, content: &[u8]) -> Result<Vec<Trial>, SettingsError> {
        let file: File = yaml(path, content)?;
        if file.tests.value.is_empty() {
            return wrong(&file.tests, "tests: it tests nothing: name at least one").map_err(|wrong| wrong.of(path));
        }
        let trials = file.tests.value.into_iter().map(|fields| self.trial(fields));
        trials.collect::<Checked<_>>().map_err(|wrong| wrong.of(path))
    }

    fn trial(&self, fields: Spanned<Fields>) -> Checked<Trial> {
        let line = fields.referenced.line();
        let fields = fields.value;
        let principal = somebody(&fields.principal)?;
        let groups = fields.groups.iter().map(group).collect::<Checked<_>>()?;
        let action = match self.action(&fields.action.value) {
            Ok(action) => action.to_owned(),
            Err(what) => return wrong(&fields.action, format!("action: {what}")),
        };
        let kind = self.schema.kind(&action);
        let workspace = fields.workspace.as_ref().map(|said| id("workspace", said)).transpose()?;
        let product = fields.product.as_ref().map(|said| id("product", said)).transpose()?;
        match (kind, &workspace, &product) {
            (Some(ResourceKind::Workspace | ResourceKind::Product), None, _) => {
                return wrong(&fields.action, "workspace: the action is done in one: name its id");
            }
            (Some(ResourceKind::Product), Some(_), None) => {
                return wrong(&fields.action, "product: the action is done to one: name its id");
            }
            (Some(ResourceKind::Workspace | ResourceKind::Installation) | None, _, Some(_)) => {
                return wrong(&fields.action, "product: the action is done to none: leave it out");
            }
            (Some(ResourceKind::Installation), Some(_), None) => {
                return wrong(&fields.action, "workspace: the action concerns none: leave it out");
            }
            (Some(_) | None, _, _) => {}
        }
        let of_workspace = |said: &Spanned<String>| {
            let id = id("audience", said)?;
            Ok(format!("workspaces/{}/audiences/{id}", workspace.as_deref().unwrap_or_default()))
        };
        let audience = fields.audience.as_ref().map(of_workspace).transpose()?;
        let shown_as = fields.shown_as.as_ref().map(of_workspace).transpose()?;
        if let (false, Some(shown_as)) = (fields.allowed, &fields.shown_as) {
            return wrong(shown_as, "shown_as: nothing is shown to who may not: leave it out");
        }
        Ok(Trial {
            line,
            identity: Identity { principal, issuer: None, groups, token_id: None, expires: None },
            action,
            workspace,
            product,
            audience,
            certificate: fields.certificate,
            validate_only: fields.validate_only,
            allowed: fields.allowed,
            shown_as,
        })
    }
}

impl Trial {
    /// The question that it asks.
    pub fn question(&self) -> Question<'_> {
        let resource = match (&self.workspace, &self.product) {
            (Some(workspace), Some(product)) => Resource::Product { workspace, product },
            (Some(workspace), None) => Resource::Workspace(workspace),
            (None, _) => Resource::Installation,
        };
        Question {
            identity: &self.identity,
            certificate: self.certificate,
            action: &self.action,
            resource,
            audience: self.audience.as_deref(),
            validate_only: self.validate_only,
        }
    }

    /// Whether a decision is the expected one.
    pub fn holds(&self, decision: &Decision) -> bool {
        decision.allowed == self.allowed
            && (!self.allowed || decision.audience == self.shown_as.clone().or(self.audience.clone()))
    }
}

fn somebody(said: &Spanned<String>) -> Checked<Principal> {
    Principal::parse(&said.value).or_else(|error| wrong(said, format!("principal: {error}")))
}

fn group(said: &Spanned<String>) -> Checked<Principal> {
    let group = Principal::parse_member(&said.value).ok().filter(|group| group.as_str().starts_with("groups/"));
    group.map_or_else(
        || wrong(said, format!("groups: each must be written as groups/ISSUER/GROUP: {:?} is not", said.value)),
        Ok,
    )
}

fn id(field: &str, said: &Spanned<String>) -> Checked<String> {
    if is_id(&said.value) {
        return Ok(said.value.clone());
    }
    wrong(
        said,
        format!(
            "{field}: it must be an id, of lower-case letters, digits and hyphens, such as acme, not {:?}",
            said.value
        ),
    )
}
