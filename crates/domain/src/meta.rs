//! What every resource has: a kind, a name of that kind, a label, version and times.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use strum::VariantNames;
use uuid::Uuid;

use crate::name::{AnyName, FullName, NameError, Path, ResourceId, WorkspaceId};

/// The standard fields of a resource (AIP-148). The store stamps version and times; a decision never does.
#[derive(Debug, Clone, PartialEq)]
pub struct Meta<T> {
    /// `workspaces/{workspace}/<collection>/{id}`.
    pub name: Name<T>,
    /// Identity that a later resource of the same name does not share.
    pub uid: Uuid,
    /// Name for people, 1 to 200 characters.
    pub display_name: String,
    /// Free key-value pairs for the caller's own filing.
    pub labels: BTreeMap<String, String>,
    /// 1 at creation, one more with every change; the etag.
    pub version: u64,
    /// When the resource was created.
    pub create_time: DateTime<Utc>,
    /// When it last changed.
    pub update_time: DateTime<Utc>,
    /// When it was deleted, if it is; a deleted resource can be undeleted.
    pub delete_time: Option<DateTime<Utc>>,
}

/// A thing with a name that the log tells the history of.
pub trait Resource: Debug + Clone + PartialEq + Send + Sync + 'static {
    /// The service that owns it: `discovery`, `roadmap` or `metrics`.
    const SERVICE: &'static str;
    /// The type's name, upper camel case, as in the contract: `Initiative`.
    const KIND: &'static str;
    /// The collection's name in resource names: `initiatives`.
    const COLLECTION: &'static str;
    /// What can happen to it: a field-less enum whose variants are past-tense verbs. `KIND` + variant is the event's
    /// message name, so `InitiativeEvent::Scheduled` is announced as `InitiativeScheduled`. It has `Created`,
    /// `Updated`, `Deleted` and `Undeleted` as far as the contract has the standard methods, and is read from its
    /// names. The contract has just these events of it.
    type Event: Copy + Debug + PartialEq + Send + Sync + Into<&'static str> + FromStr + VariantNames;

    /// The standard fields.
    fn meta(&self) -> &Meta<Self>;
    /// The standard fields, for the store that stamps them.
    fn meta_mut(&mut self) -> &mut Meta<Self>;
}

/// The name of a resource of type `T`; parsing refuses names of other collections.
///
/// ```
/// use waymark_domain::Name;
/// use waymark_domain::roadmap::Initiative;
///
/// let name: Name<Initiative> = "workspaces/acme/initiatives/sso".parse()?;
/// assert_eq!(name.id().as_str(), "sso");
/// assert_eq!(name.full().to_string(), "//roadmap.waymark.dev/workspaces/acme/initiatives/sso");
/// assert!("workspaces/acme/products/app".parse::<Name<Initiative>>().is_err());
/// # Ok::<(), waymark_domain::name::NameError>(())
/// ```
pub struct Name<T> {
    workspace: WorkspaceId,
    id: ResourceId,
    resource: PhantomData<fn() -> T>,
}

impl<T> Name<T> {
    /// The name of `id` in `workspace`.
    pub fn new(workspace: WorkspaceId, id: ResourceId) -> Self {
        Self { workspace, id, resource: PhantomData }
    }

    /// The workspace.
    pub fn workspace(&self) -> &WorkspaceId {
        &self.workspace
    }

    /// The id within the collection.
    pub fn id(&self) -> &ResourceId {
        &self.id
    }
}

impl<T: Resource> Name<T> {
    /// The same name without its type.
    pub fn any(&self) -> AnyName {
        AnyName { workspace: self.workspace.clone(), collection: T::COLLECTION.to_owned(), id: self.id.clone() }
    }

    /// The same name with its service.
    pub fn full(&self) -> FullName {
        FullName { service: T::SERVICE.to_owned(), name: self.any() }
    }
}

impl<T: Resource> FromStr for Name<T> {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let name: AnyName = text.parse()?;
        if name.collection != T::COLLECTION {
            return Err(NameError::Collection { name: text.to_owned(), expected: T::COLLECTION });
        }
        Ok(Self::new(name.workspace, name.id))
    }
}

// Written out because a derive would ask `T` for the same traits.
impl<T: Resource> fmt::Display for Name<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Path { workspace: &self.workspace, collection: T::COLLECTION, id: self.id.as_str() }.fmt(f)
    }
}
impl<T> fmt::Debug for Name<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({}/…/{})", self.workspace, self.id)
    }
}
impl<T> Clone for Name<T> {
    fn clone(&self) -> Self {
        Self::new(self.workspace.clone(), self.id.clone())
    }
}
impl<T> PartialEq for Name<T> {
    fn eq(&self, other: &Self) -> bool {
        self.workspace == other.workspace && self.id == other.id
    }
}
impl<T> Eq for Name<T> {}
impl<T> PartialOrd for Name<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Name<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.workspace, &self.id).cmp(&(&other.workspace, &other.id))
    }
}
impl<T> std::hash::Hash for Name<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.workspace, &self.id).hash(state);
    }
}
