//! The standard methods (AIP-131 to 135, 164, 231, 233 to 235): what their requests and answers have in common, whatever
//! the resource. The build finds them in the contract, refuses one whose messages have another shape, and implements the
//! conversions from and to the messages of each.

use std::collections::BTreeMap;

use pbjson_types::FieldMask;
use prost::Message;

use crate::Check;
use crate::common::v1::RowFailure;

/// An RPC of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rpc {
    /// The full name of its service, such as `waymark.roadmap.v1.StrategyService`.
    pub service: &'static str,
    /// Its path, such as `/waymark.roadmap.v1.StrategyService/GetProduct`.
    pub path: &'static str,
}

/// What Get, Delete and Undelete ask.
#[derive(Debug, Clone)]
pub struct Named {
    /// The resource's name.
    pub name: String,
    /// The etag the caller knows; empty when it is not to be checked, and always for Get.
    pub etag: String,
}

/// What BatchGet asks.
#[derive(Debug, Clone)]
pub struct Names {
    /// `workspaces/{workspace}`.
    pub parent: String,
    /// The resources' names.
    pub names: Vec<String>,
}

/// What List asks.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are those of the contract")]
pub struct List {
    pub parent: String,
    pub page_size: i32,
    pub page_token: String,
    pub filter: String,
    pub order_by: String,
    pub show_deleted: bool,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<M> {
    /// The rows.
    pub items: Vec<M>,
    /// Token of the next page; empty on the last.
    pub next_page_token: String,
}

/// What Create asks.
#[derive(Debug, Clone)]
pub struct Create<M> {
    /// `workspaces/{workspace}`; in a row of a batch it may be empty.
    pub parent: String,
    /// The id of the new resource; empty: one is made.
    pub id: String,
    /// The resource.
    pub resource: Option<M>,
}

/// What Update asks.
#[derive(Debug, Clone)]
pub struct Update<M> {
    /// The resource with its name and the fields to change; an etag in it is checked.
    pub resource: Option<M>,
    /// The fields to change; those that are set when there is none.
    pub update_mask: Option<FieldMask>,
}

/// What BatchCreate, BatchUpdate and BatchDelete ask.
#[derive(Debug, Clone)]
pub struct Rows<R> {
    /// `workspaces/{workspace}`.
    pub parent: String,
    /// What the single requests ask.
    pub requests: Vec<R>,
    /// Whether what is right is done though other rows are wrong.
    pub partial: bool,
}

/// What became of the rows of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<M> {
    /// One per row, in their order; the default message where the row failed.
    pub items: Vec<M>,
    /// Why rows failed, by index.
    pub failures: BTreeMap<i32, RowFailure>,
}

/// A request that changes something.
pub trait Mutation: prost::Message + Check {
    /// The request's full name; requests of several RPCs may have the same bytes.
    const FULL_NAME: &'static str;
    /// UUID of the request, or empty.
    fn request_id(&self) -> &str;
    /// Whether nothing is to change.
    fn validate_only(&self) -> bool;
}

/// A request that reads.
pub trait Question: Message + Check + Default + 'static {}
impl<Q: Message + Check + Default + 'static> Question for Q {}

/// A request that writes.
pub trait Order: Question + Mutation {}
impl<Q: Question + Mutation> Order for Q {}

/// An answer that is a message of its own.
pub trait Answer: Message + Default + 'static {}
impl<A: Message + Default + 'static> Answer for A {}

/// What is told of the standard methods of a resource, by [`methods`](crate::ResourceMessage::methods): each with the
/// messages that it has in the contract.
#[expect(missing_docs, reason = "the names say it")]
pub trait Visitor<M> {
    fn get<Q: Question + Into<Named>>(&mut self, rpc: Rpc);
    fn list<Q: Question + Into<List>, A: Answer + From<Page<M>>>(&mut self, rpc: Rpc);
    fn batch_get<Q: Question + Into<Names>, A: Answer + From<Vec<M>>>(&mut self, rpc: Rpc);
    fn create<Q: Order + Into<Create<M>>>(&mut self, rpc: Rpc);
    fn batch_create<Q: Order + Into<Rows<Create<M>>>, A: Answer + From<Batch<M>>>(&mut self, rpc: Rpc);
    fn update<Q: Order + Into<Update<M>>>(&mut self, rpc: Rpc);
    fn batch_update<Q: Order + Into<Rows<Update<M>>>, A: Answer + From<Batch<M>>>(&mut self, rpc: Rpc);
    fn delete<Q: Order + Into<Named>>(&mut self, rpc: Rpc);
    fn batch_delete<Q: Order + Into<Rows<Named>>, A: Answer + From<Batch<M>>>(&mut self, rpc: Rpc);
    fn undelete<Q: Order + Into<Named>>(&mut self, rpc: Rpc);
}
