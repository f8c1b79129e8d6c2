//! A question about one call, as Cedar is asked it: the request, and what it has to know of who and what is in it.

use std::collections::HashSet;

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};

use super::bindings::{Grant, Granted};
use super::schema::{INSTALLATION, Schema, uid};
use crate::identity::Identity;
use crate::principal::Principal;

/// Whether somebody may do something.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub identity: &'a Identity,
    /// Whether the connection shows a client certificate that was verified.
    pub certificate: bool,
    /// The name of the action.
    pub action: &'a str,
    /// What it is to be done to.
    pub resource: Resource<'a>,
    /// The audience as which the caller asks to see the answer, `workspaces/{workspace}/audiences/{audience}`.
    pub audience: Option<&'a str>,
    /// Whether nothing is to be changed.
    pub validate_only: bool,
}

/// What something is to be done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource<'a> {
    /// The workspace of this id, or something in it.
    Workspace(&'a str),
    /// A product.
    Product {
        /// The id of its workspace.
        workspace: &'a str,
        /// Its id.
        product: &'a str,
    },
    /// None of a workspace.
    Installation,
}

/// A question by which its answer is remembered: everything that decides.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    principal: Principal,
    groups: Vec<Principal>,
    action: String,
    workspace: Option<String>,
    product: Option<String>,
    audience: Option<String>,
    certificate: bool,
    validate_only: bool,
}

impl<'a> Resource<'a> {
    /// The id of its workspace.
    pub fn workspace(self) -> Option<&'a str> {
        match self {
            Self::Workspace(workspace) | Self::Product { workspace, .. } => Some(workspace),
            Self::Installation => None,
        }
    }

    fn entity(self, schema: &Schema) -> Entity {
        let types = &schema.types;
        let in_workspace = |id: &str| uid(&types.workspace, &format!("workspaces/{id}"));
        match self {
            Self::Workspace(id) => Entity::with_uid(in_workspace(id)),
            Self::Product { workspace, product } => {
                let name = format!("workspaces/{workspace}/products/{product}");
                Entity::new_no_attrs(uid(&types.product, &name), HashSet::from([in_workspace(workspace)]))
            }
            Self::Installation => Entity::with_uid(uid(&types.installation, INSTALLATION)),
        }
    }
}

impl Question<'_> {
    /// About how many bytes it takes to remember it and its answer.
    pub(super) fn bytes(&self) -> usize {
        512 + self.identity.bytes() + self.audience.map_or(0, str::len)
    }

    /// The request that Cedar is asked, as one who is shown what `audience` sees, and what is known of who and what is
    /// in it, with these grants; none for an action that there is not.
    pub(super) fn asked(
        &self,
        schema: &Schema,
        audience: Option<&str>,
        grants: &[Grant],
    ) -> Option<(Request, Entities)> {
        let action = schema.action(self.action)?;
        let types = &schema.types;
        let principal = schema.principal(&self.identity.principal);
        let groups: Vec<EntityUid> = self.identity.groups.iter().map(|group| schema.principal(group)).collect();
        let given = grants.iter().map(|grant| match &grant.gives {
            Granted::Role(role) => uid(&types.role, role.name()),
            Granted::Audience(audience) => uid(&types.audience, &self.in_workspace(audience)),
        });
        let parents = groups.iter().cloned().chain(given).collect();
        let resource = self.resource.entity(schema);
        let mut context = vec![
            (
                "groups".to_owned(),
                RestrictedExpression::new_set(groups.into_iter().map(RestrictedExpression::new_entity_uid)),
            ),
            ("certificate".to_owned(), RestrictedExpression::new_bool(self.certificate)),
            ("validate_only".to_owned(), RestrictedExpression::new_bool(self.validate_only)),
        ];
        if let Some(audience) = audience {
            let audience = RestrictedExpression::new_entity_uid(uid(&types.audience, audience));
            context.push(("audience".to_owned(), audience));
        }
        let context = Context::from_pairs(context).ok()?;
        let request = Request::new(principal.clone(), action.uid(), resource.uid(), context, None).ok()?;
        let entities = [Entity::new_no_attrs(principal, parents), action.clone(), resource];
        // Without the schema, as it would add all actions, and none of these three depends on it.
        Some((request, Entities::from_entities(entities, None).ok()?))
    }

    /// Whether an audience is of the workspace of the question.
    pub(super) fn is_in_workspace(&self, audience: &str) -> bool {
        audience.strip_prefix(&self.in_workspace("")).is_some_and(|id| !id.contains('/'))
    }

    /// The full name of an audience of the workspace of the question.
    pub(super) fn in_workspace(&self, audience: &str) -> String {
        format!("workspaces/{}/audiences/{audience}", self.resource.workspace().unwrap_or_default())
    }
}

impl Asked {
    pub(super) fn new(question: &Question<'_>) -> Self {
        Self {
            principal: question.identity.principal.clone(),
            groups: question.identity.groups.clone(),
            action: question.action.to_owned(),
            workspace: question.resource.workspace().map(str::to_owned),
            product: match question.resource {
                Resource::Product { product, .. } => Some(product.to_owned()),
                Resource::Workspace(_) | Resource::Installation => None,
            },
            audience: question.audience.map(str::to_owned),
            certificate: question.certificate,
            validate_only: question.validate_only,
        }
    }
}
