//! A question about one call, as Cedar is asked it: the request, and what it has to know of who and what is in it.

use std::collections::HashSet;

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};

use super::bindings::Granted;
use super::heeded::{Groups, Heeded};
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

/// What Cedar has to know of who and what is in a question.
pub(super) struct Known {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    /// What is told of the groups of the caller.
    groups: RestrictedExpression,
    pub(super) entities: Entities,
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

    /// What Cedar has to know of who and what is in it, where this is given in the workspace; none for an action that
    /// there is not.
    pub(super) fn known(&self, schema: &Schema, heeded: &Heeded, given: &[&Granted]) -> Option<Known> {
        let action = schema.action(self.action)?;
        let types = &schema.types;
        let principal = schema.principal(&self.identity.principal);
        let Groups { parents, told } = heeded.among(schema, &self.identity.groups);
        let given = given.iter().map(|given| match given {
            Granted::Role(role) => uid(&types.role, role.name()),
            Granted::Audience(audience) => uid(&types.audience, &self.in_workspace(audience)),
        });
        let parents = parents.into_iter().chain(given).collect();
        let resource = self.resource.entity(schema);
        let (action_uid, resource_uid) = (action.uid(), resource.uid());
        let entities = [Entity::new_no_attrs(principal.clone(), parents), action.clone(), resource];
        Some(Known {
            principal,
            action: action_uid,
            resource: resource_uid,
            groups: RestrictedExpression::new_set(told.into_iter().map(RestrictedExpression::new_entity_uid)),
            // Without the schema, as it would add all actions, and none of these three depends on it.
            entities: Entities::from_entities(entities, None).ok()?,
        })
    }

    /// The request that Cedar is asked, as one who is shown what `audience` sees.
    pub(super) fn request(&self, schema: &Schema, known: &Known, audience: Option<&str>) -> Option<Request> {
        let mut context = vec![
            ("groups".to_owned(), known.groups.clone()),
            ("certificate".to_owned(), RestrictedExpression::new_bool(self.certificate)),
            ("validate_only".to_owned(), RestrictedExpression::new_bool(self.validate_only)),
        ];
        if let Some(audience) = audience {
            let audience = RestrictedExpression::new_entity_uid(uid(&schema.types.audience, audience));
            context.push(("audience".to_owned(), audience));
        }
        let context = Context::from_pairs(context).ok()?;
        let Known { principal, action, resource, .. } = known;
        Request::new(principal.clone(), action.clone(), resource.clone(), context, None).ok()
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
