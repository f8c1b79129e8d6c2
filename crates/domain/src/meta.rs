//! What every resource has: identity, label, version and times.

use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::Name;

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
    /// message name, so `InitiativeEvent::Scheduled` is announced as `InitiativeScheduled`. Every enum has `Created`,
    /// `Updated`, `Deleted` and `Undeleted` for the standard methods.
    type Event: Copy + Debug + PartialEq + Send + Sync + Into<&'static str>;

    /// The standard fields.
    fn meta(&self) -> &Meta<Self>;
    /// The standard fields, for the store that stamps them.
    fn meta_mut(&mut self) -> &mut Meta<Self>;
}
