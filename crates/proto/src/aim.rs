//! What a request is for: the workspace or product that it names, found in its bytes without reading the rest of it, so
//! that whether somebody may ask can be decided before anything is done. Where the name stands is derived from the
//! contract.

use prost::bytes::Buf as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use waymark_domain::{AnyName, FullName, WorkspaceId};

use crate::options;

const PRODUCTS: &str = "products";
const WORKSPACES: &str = "workspaces";

/// Where the requests of an RPC say what they are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aim {
    /// The path of the field, such as `product.name`; empty where requests are for no workspace.
    pub path: String,
    /// Whether it names a product, and not a workspace or anything in one.
    pub product: bool,
    /// Whether requests are about a workspace itself, and not about what is in one.
    pub workspaces: bool,
    /// The numbers of the fields of the path.
    numbers: Vec<u32>,
    /// The number of `validate_only`.
    validate_only: Option<u32>,
    /// The number of `request_id`.
    request_id: Option<u32>,
}

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A workspace, or something in one.
    Workspace(WorkspaceId),
    /// A product.
    Product(AnyName),
    /// No workspace.
    Installation,
}

/// A request that does not say what it is for, or not by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be the name of what the request is for, such as workspaces/acme or one of a resource in it")]
pub struct Aimless;

impl Aim {
    /// Of requests that are such messages.
    pub(crate) fn of(request: &MessageDescriptor) -> Self {
        let named = |name: &str| request.get_field_by_name(name).filter(is_text).map(|field| vec![field]);
        let of_resource = || {
            request.fields().filter(|field| !field.is_list()).find_map(|field| {
                let kind = field.kind();
                let resource = kind.as_message().filter(|message| options().resource(message).is_some())?;
                Some(vec![field.clone(), resource.get_field_by_name("name")?])
            })
        };
        let of_reference = || {
            let local = |field: &FieldDescriptor| {
                options().reference(field).is_some_and(|reference| reference.service.is_empty())
            };
            request.fields().find(|field| is_text(field) && local(field)).map(|field| vec![field])
        };
        let path = named("parent").or_else(|| named("name")).or_else(of_resource).or_else(of_reference);
        let path = path.unwrap_or_default();
        let number = |name: &str| request.get_field_by_name(name).map(|field| field.number());
        Self {
            path: path.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join("."),
            product: path.last().is_some_and(|field| names(field, PRODUCTS)),
            workspaces: request.fields().any(|field| is_of(&field, WORKSPACES)),
            numbers: path.iter().map(FieldDescriptor::number).collect(),
            validate_only: number("validate_only"),
            request_id: number("request_id"),
        }
    }

    /// What a request is for, and whether it is to change nothing.
    ///
    /// # Errors
    /// [`Aimless`] where a name is missing, or is none.
    pub fn at(&self, request: &[u8]) -> Result<(Target, bool), Aimless> {
        let validate_only = self.validate_only.is_some_and(|field| is_true(request, field));
        if self.numbers.is_empty() {
            return Ok((Target::Installation, validate_only));
        }
        let name = last(request, &self.numbers).and_then(|name| std::str::from_utf8(name).ok()).ok_or(Aimless)?;
        let target = if self.product {
            let product = name.parse().ok().filter(|name: &AnyName| name.collection == PRODUCTS);
            Target::Product(product.ok_or(Aimless)?)
        } else if name.starts_with("//") {
            Target::Workspace(name.parse::<FullName>().map_err(|_| Aimless)?.name.workspace)
        } else {
            // Whatever stands behind the workspace is for the RPC to judge.
            let id = name.strip_prefix("workspaces/").and_then(|rest| rest.split('/').next()).ok_or(Aimless)?;
            Target::Workspace(WorkspaceId::from_id(id).map_err(|_| Aimless)?)
        };
        Ok((target, validate_only))
    }

    /// The id that a request has, by which it is told from its repetitions.
    pub fn request_id<'a>(&self, request: &'a [u8]) -> Option<&'a str> {
        last(request, &[self.request_id?]).and_then(|id| std::str::from_utf8(id).ok())
    }
}

fn is_text(field: &FieldDescriptor) -> bool {
    !field.is_list() && matches!(field.kind(), Kind::String)
}

/// Whether a text is the name of a resource of the collection.
fn names(field: &FieldDescriptor, collection: &str) -> bool {
    let referred = options().reference(field).is_some_and(|reference| reference.collections == [collection]);
    let own = options().resource(field.parent_message()).is_some_and(|resource| resource.collection == collection);
    referred || own
}

/// Whether a field is a resource of the collection, or the name of one.
fn is_of(field: &FieldDescriptor, collection: &str) -> bool {
    let resource = field.kind().as_message().and_then(|message| options().resource(message));
    names(field, collection) || resource.is_some_and(|resource| resource.collection == collection)
}

/// What stands in the text at a path of fields. Of several the last counts, as for whoever reads the message whole.
fn last<'a>(message: &'a [u8], path: &[u32]) -> Option<&'a [u8]> {
    let (field, path) = path.split_first()?;
    let mut found = None;
    each(message, |number, value| {
        if let (true, Value::Bytes(value)) = (number == *field, value) {
            // Messages that stand twice are merged: one without the field takes nothing away.
            found = if path.is_empty() { Some(value) } else { last(value, path).or(found) };
        }
    });
    found
}

fn is_true(message: &[u8], field: u32) -> bool {
    let mut found = false;
    each(message, |number, value| {
        if let (true, Value::Number(value)) = (number == field, value) {
            found = value != 0;
        }
    });
    found
}

enum Value<'a> {
    Bytes(&'a [u8]),
    Number(u64),
}

/// Calls `found` with the texts, messages and whole numbers of a message, as far as it can be read: what cannot is
/// refused by whoever reads it whole.
fn each<'a>(mut message: &'a [u8], mut found: impl FnMut(u32, Value<'a>)) {
    while message.has_remaining() {
        let Ok((number, wire)) = decode_key(&mut message) else { return };
        match wire {
            WireType::LengthDelimited => {
                let length = decode_varint(&mut message).ok().and_then(|length| usize::try_from(length).ok());
                let Some((value, rest)) = length.and_then(|length| message.split_at_checked(length)) else { return };
                message = rest;
                found(number, Value::Bytes(value));
            }
            WireType::Varint => {
                let Ok(value) = decode_varint(&mut message) else { return };
                found(number, Value::Number(value));
            }
            WireType::SixtyFourBit | WireType::ThirtyTwoBit | WireType::StartGroup | WireType::EndGroup => {
                if skip_field(wire, number, &mut message, DecodeContext::default()).is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::{Access, rpc_methods};

    fn aim(method: &str) -> &'static Aim {
        &crate::rpc_method(&format!("/waymark.roadmap.v1.{method}")).unwrap().aim
    }

    #[test]
    fn every_rpc_says_what_it_is_for_but_those_that_need_no_workspace() {
        let workspaces = rpc_methods().filter(|(_, method)| method.access != Access::Caller);
        let aimless: Vec<_> =
            workspaces.filter(|(_, method)| method.aim.path.is_empty()).map(|(path, _)| path).collect();
        assert_eq!(aimless, ["/waymark.roadmap.v1.PrioritizationService/EvaluateScore"]);
        let products: Vec<_> =
            rpc_methods().filter(|(_, method)| method.aim.product).map(|(_, method)| &*method.method).collect();
        let expected = ["DeleteProduct", "GetProduct", "ListProductVersions", "UndeleteProduct", "UpdateProduct"];
        assert_eq!(products, expected);
        assert_eq!(aim("StrategyService/UpdateProduct").path, "product.name");
        let workspaces: Vec<_> =
            rpc_methods().filter(|(_, method)| method.aim.workspaces).map(|(_, method)| &*method.method).collect();
        let expected = ["CloseWorkspace", "CreateWorkspace", "GetWorkspace", "ReopenWorkspace", "UpdateWorkspace"];
        assert_eq!(workspaces, expected);
        assert_eq!(aim("PrioritizationService/GetScoreHistory").path, "initiative");
        assert_eq!(aim("RoadmapService/BatchUpdateInitiatives").path, "parent");
    }

    #[test]
    fn of_several_names_the_last_counts_as_for_the_rpc() {
        use crate::roadmap::v1::{Product, UpdateProductRequest};
        let aim = aim("StrategyService/UpdateProduct");
        let one = |name: &str, validate_only| {
            let product = Some(Product { name: name.to_owned(), ..Product::default() });
            UpdateProductRequest { product, validate_only, ..UpdateProductRequest::default() }.encode_to_vec()
        };
        let unnamed = UpdateProductRequest { product: Some(Product::default()), ..UpdateProductRequest::default() };
        let (own, other) = ("workspaces/own/products/app", "workspaces/other/products/app");
        for (first, second) in [(own, other), (other, own)] {
            let both = [one(first, true), one(second, true), unnamed.encode_to_vec()].concat();
            let whole = UpdateProductRequest::decode(both.as_slice()).unwrap();
            assert_eq!(whole.product.unwrap().name, second);
            assert_eq!(aim.at(&both), Ok((Target::Product(second.parse().unwrap()), true)));
        }
        let mut written = one(own, false);
        assert!(!aim.at(&written).unwrap().1);
        // A field that nobody knows, of each kind, before it.
        let unknown = [
            &[0xa1, 0x3e, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &[0xa5, 0x3e, 0, 0, 0, 0],
            &[0xa2, 0x3e, 1, 7],
            &[0xa0, 0x3e, 1],
        ];
        written = [&unknown.concat(), &*written].concat();
        assert_eq!(aim.at(&written), Ok((Target::Product(own.parse().unwrap()), false)));
        for end in 0..written.len() - 2 {
            assert!(aim.at(&written[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_names_no_workspace_is_aimless() {
        use crate::graph::v1::ListLinksRequest;
        let aim = &crate::rpc_method("/waymark.graph.v1.GraphService/ListLinks").unwrap().aim;
        let at = |name: &str| {
            aim.at(&ListLinksRequest { name: name.to_owned(), ..ListLinksRequest::default() }.encode_to_vec())
                .map(|(target, _)| target)
        };
        let acme = Ok(Target::Workspace("workspaces/acme".parse().unwrap()));
        for name in [
            "workspaces/acme",
            "workspaces/acme/metrics/x",
            "workspaces/acme/",
            "//metrics.waymark.dev/workspaces/acme/metrics/x",
        ] {
            assert_eq!(at(name), acme, "{name}");
        }
        let none = [
            "",
            "acme",
            "workspaces",
            "workspaces/",
            "workspaces/*",
            "workspaces/..",
            "workspaces/../acme",
            "/workspaces/acme",
            "Workspaces/acme",
            "workspaces/acme*",
            "//other/workspaces/acme/metrics/x",
            "workspaces/acm\u{e9}",
        ];
        for name in none {
            assert_eq!(at(name), Err(Aimless), "{name}");
        }
    }
}
