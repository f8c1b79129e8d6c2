//! What the messages of all resources have in common. Implemented by the build from the descriptors.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::links::LinkField;
use crate::standard::Visitor;
use crate::{Check, Timestamp};

/// A message that is a resource: has a name, standard fields and a JSON form.
pub trait ResourceMessage:
    prost::Message + Check + Default + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The message's full name, such as `waymark.roadmap.v1.Product`.
    const FULL_NAME: &'static str;
    /// The message's own name, such as `Product`.
    const KIND: &'static str;
    /// The collection in names, such as `products`.
    const COLLECTION: &'static str;
    /// The singular in field names, such as `product`.
    const SINGULAR: &'static str;
    /// What happens to it: the verbs of its events, such as `Created`.
    const VERBS: &'static [&'static str];
    /// Full names of its events; each carries the whole resource.
    const EVENTS: &'static [&'static str];
    /// The standard fields.
    fn standard(&self) -> Standard;
    /// Replaces the standard fields.
    fn set_standard(&mut self, standard: Standard);
    /// The fields that refer to resources.
    const LINKS: &'static [LinkField];
    /// Visits every reference, empty ones included.
    fn links(&self, visit: &mut dyn FnMut(&'static LinkField, &str));
    /// Tells of the standard methods that the contract has for it.
    fn methods<V: Visitor<Self>>(visitor: &mut V);
    /// Clears what only the service may set, so that a caller's values for it are ignored.
    fn clear_output_only(&mut self);
}

/// The standard fields of a resource message (AIP-148).
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of the contract")]
pub struct Standard {
    pub name: String,
    pub uid: String,
    pub display_name: String,
    pub etag: String,
    pub create_time: Option<Timestamp>,
    pub update_time: Option<Timestamp>,
    pub delete_time: Option<Timestamp>,
    pub labels: BTreeMap<String, String>,
}
