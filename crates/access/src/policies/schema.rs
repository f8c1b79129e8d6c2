//! What policies may speak of: the actions that there are, who may call, what is called upon, and what is told of a
//! call. It is made of the actions that it is given, so that nothing of the contract is written here once more.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr as _;

use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, Schema as CedarSchema};

use crate::principal::Principal;

/// What may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its name, such as `waymark.roadmap.v1.StrategyService/GetProduct`.
    pub name: String,
    /// The kinds of access it is one of: `read`, `write`, `manage` or `admin`, and `shown_to_audiences`.
    pub groups: Vec<&'static str>,
    /// What it is done to.
    pub resource: ResourceKind,
}

/// What an action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceKind {
    /// A workspace, or something in one.
    Workspace,
    /// A product.
    Product,
    /// None of a workspace.
    Installation,
}

/// The schema, with what questions are made of.
#[derive(Debug)]
pub(super) struct Schema {
    text: String,
    cedar: CedarSchema,
    /// By name.
    actions: BTreeMap<String, Known>,
    pub(super) types: Types,
}

/// An action that there is.
#[derive(Debug)]
struct Known {
    /// It, in its groups.
    entity: Entity,
    resource: ResourceKind,
}

/// What policies call those who call, and what else stands in questions.
#[derive(Debug)]
pub(super) struct Types {
    pub(super) user: EntityTypeName,
    pub(super) service_account: EntityTypeName,
    pub(super) service: EntityTypeName,
    pub(super) group: EntityTypeName,
    pub(super) role: EntityTypeName,
    pub(super) audience: EntityTypeName,
    pub(super) workspace: EntityTypeName,
    pub(super) product: EntityTypeName,
    pub(super) installation: EntityTypeName,
    action: EntityTypeName,
}

/// What the schema says beside actions.
const HEAD: &str = r#"// Who calls, written as in logs: User::"users/company/ada@example.com", ServiceAccount::"serviceAccounts/cluster/shop/web",
// Service::"services/import". They are in their groups, and in the roles and audiences that the bindings give them in the
// workspace that the request is for.
entity User, ServiceAccount, Service in [Group, Role, Audience];
// Group::"groups/company/product".
entity Group;
// What the bindings give in the workspace of the request.
entity Role enum ["viewer", "contributor", "manager", "admin"];
// Audience::"workspaces/acme/audiences/customers".
entity Audience;

// What a request is for. Workspace::"workspaces/acme", and for requests that name a product it,
// Product::"workspaces/acme/products/app", which is in its workspace. Requests that concern no workspace are for
// Installation::"waymark".
entity Workspace;
entity Product in [Workspace];
entity Installation;

// What is told of a call.
type Call = {
  // As which audience the answer is to be seen: the one the caller asks for, or one that it has and is tried because it
  // may not otherwise.
  audience?: Audience,
  // The groups of the caller, which it is also in.
  groups: Set<Group>,
  // Whether the connection shows a client certificate that was verified.
  certificate: Bool,
  // Whether nothing is to be changed.
  validate_only: Bool,
};

// Kinds of access, and that the answer can be shown to who has an audience.
action "read", "write", "manage", "admin", "shown_to_audiences";

"#;

/// The one thing that is in no workspace.
pub(super) const INSTALLATION: &str = "waymark";

impl Schema {
    /// The schema of these actions, which are all there are.
    pub(super) fn new(actions: impl IntoIterator<Item = Action>) -> Self {
        let types = Types::new();
        let mut text = HEAD.to_owned();
        let mut known = BTreeMap::new();
        for action in actions {
            let resource = match action.resource {
                ResourceKind::Workspace => "Workspace",
                ResourceKind::Product => "Product",
                ResourceKind::Installation => "Installation",
            };
            let groups = action.groups.iter().map(|group| format!("{group:?}")).collect::<Vec<_>>().join(", ");
            let name = &action.name;
            // Writing to a text does not fail.
            let _ = writeln!(
                text,
                "action {name:?} in [{groups}] appliesTo {{\n  principal: [User, ServiceAccount, Service],\n  resource: {resource},\n  \
                 context: Call,\n}};"
            );
            let uid = |name: &str| uid(&types.action, name);
            let parents = action.groups.iter().map(|group| uid(group)).collect();
            let entity = Entity::new_no_attrs(uid(name), parents);
            known.insert(name.clone(), Known { entity, resource: action.resource });
        }
        let cedar = CedarSchema::from_cedarschema_str(&text).map(|(schema, _)| schema);
        // Made of the text above and names of RPCs; the test `the_schema_is_one` holds it.
        let cedar = cedar.unwrap_or_else(|error| unreachable!("the schema of policies is wrong: {error}"));
        Self { text, cedar, actions: known, types }
    }

    /// As Cedar writes it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cedar(&self) -> &CedarSchema {
        &self.cedar
    }

    /// The action of this name, in its groups.
    pub(super) fn action(&self, name: &str) -> Option<&Entity> {
        self.actions.get(name).map(|known| &known.entity)
    }

    /// What the action of this name is done to.
    pub(super) fn kind(&self, name: &str) -> Option<ResourceKind> {
        self.actions.get(name).map(|known| known.resource)
    }

    /// The names of all actions, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.actions.keys().map(String::as_str)
    }

    /// Who calls, as policies write it.
    pub(super) fn principal(&self, principal: &Principal) -> EntityUid {
        let text = principal.as_str();
        let kind = match text.split('/').next() {
            Some("serviceAccounts") => &self.types.service_account,
            Some("services") => &self.types.service,
            Some("groups") => &self.types.group,
            // There are no others.
            Some(_) | None => &self.types.user,
        };
        uid(kind, text)
    }
}

impl Types {
    fn new() -> Self {
        // Names as the schema has them.
        let name = |text: &str| {
            EntityTypeName::from_str(text).unwrap_or_else(|error| unreachable!("{text} is no name of a type: {error}"))
        };
        Self {
            user: name("User"),
            service_account: name("ServiceAccount"),
            service: name("Service"),
            group: name("Group"),
            role: name("Role"),
            audience: name("Audience"),
            workspace: name("Workspace"),
            product: name("Product"),
            installation: name("Installation"),
            action: name("Action"),
        }
    }
}

/// The thing of a type that has this id.
pub(super) fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_one() {
        let kinds = [ResourceKind::Workspace, ResourceKind::Product, ResourceKind::Installation];
        let actions = kinds.map(|resource| Action {
            name: format!("waymark.roadmap.v1.S/{resource:?}"),
            groups: vec!["read", "shown_to_audiences"],
            resource,
        });
        let schema = Schema::new(actions);
        assert_eq!(schema.cedar().actions().count(), 3 + 5);
        assert!(schema.action("waymark.roadmap.v1.S/Product").is_some() && schema.action("read").is_none());
    }
}
