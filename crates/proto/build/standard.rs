//! The standard methods of each resource: recognised by their names, held to one shape, and told to the rest of the code
//! by `methods` and by conversions between their messages and what all of them have in common (`src/standard.rs`).
//! Clients have them; servers do not, as they are served alike for every resource.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use prost_build::{Service, ServiceGenerator};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use super::options::{Options, ResourceOption};
use super::{rust_path, snake};

/// What a standard method is called without its resource, and whether it is of many.
const VERBS: [(&str, bool); 10] = [
    ("Get", false),
    ("List", true),
    ("BatchGet", true),
    ("Create", false),
    ("BatchCreate", true),
    ("Update", false),
    ("BatchUpdate", true),
    ("Delete", false),
    ("BatchDelete", true),
    ("Undelete", false),
];

/// A standard method.
struct Standard {
    verb: &'static str,
    method: MethodDescriptor,
}

/// The standard methods of a resource, in the order of the contract.
fn of(message: &MessageDescriptor, option: &ResourceOption) -> Vec<Standard> {
    let mut plural = option.collection.clone();
    if let Some(first) = plural.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let services = message.parent_pool().services().filter(|service| service.package_name() == message.package_name());
    let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
    let standard = |method: MethodDescriptor| {
        let is = |(verb, many): &&(&str, bool)| {
            method.name().strip_prefix(verb) == Some(if *many { plural.as_str() } else { message.name() })
        };
        let (verb, _) = *VERBS.iter().find(is)?;
        Some(Standard { verb, method })
    };
    methods.filter_map(standard).collect()
}

/// Writes what tells of the standard methods of a resource: a part of its `ResourceMessage`.
pub fn methods(code: &mut String, message: &MessageDescriptor, option: &ResourceOption) -> Result<()> {
    let mut visits = String::new();
    for Standard { verb, method } in of(message, option) {
        let (request, answer) = (rust_of(&method.input()), method.output());
        let answer = if answer == *message { String::new() } else { format!(", {}", rust_of(&answer)) };
        let service = method.parent_service();
        writeln!(
            visits,
            "        visitor.{visit}::<{request}{answer}>(crate::standard::Rpc {{ service: {service:?}, path: {path:?} }});",
            visit = snake(verb),
            service = service.full_name(),
            path = format!("/{}/{}", service.full_name(), method.name()),
        )?;
    }
    writeln!(
        code,
        "    fn methods<V: crate::standard::Visitor<Self>>(visitor: &mut V) {{\n        let _ = &visitor;\n{visits}    }}"
    )?;
    Ok(())
}

/// What the messages of a standard method are made of, and what they have in common with those of other resources.
struct Shape {
    /// The fields of the request.
    asks: Vec<String>,
    /// What it is in common terms, and the fields of that, taken from the request `r`.
    common: (String, &'static str),
    /// The fields of the answer where it is not the resource itself, and what it is made of.
    answers: Option<(Vec<String>, String)>,
}

impl Shape {
    fn of(verb: &str, message: &MessageDescriptor, option: &ResourceOption) -> Self {
        let ResourceOption { collection, singular, .. } = option;
        let (full, rust, many) = (message.full_name(), rust_of(message), snake(collection));
        let one = |verb: &str| format!("{}.{verb}{}Request requests", message.package_name(), message.name());
        let fields = |fields: &[&str]| fields.iter().map(|&field| field.to_owned()).collect::<Vec<_>>();
        let writes = |asks: &[&str]| fields(&[asks, &["string request_id", "bool validate_only"]].concat());
        let items = format!("repeated {full} {many}");
        match verb {
            "Get" => Self {
                asks: fields(&["string name"]),
                common: ("Named".to_owned(), "name: r.name, etag: String::new()"),
                answers: None,
            },
            "List" => Self {
                asks: fields(&[
                    "string parent",
                    "int32 page_size",
                    "string page_token",
                    "string filter",
                    "string order_by",
                    "bool show_deleted",
                ]),
                common: (
                    "List".to_owned(),
                    "parent: r.parent, page_size: r.page_size, page_token: r.page_token, filter: r.filter, order_by: r.order_by, show_deleted: r.show_deleted",
                ),
                answers: Some((fields(&[&items, "string next_page_token"]), format!("crate::standard::Page<{rust}>"))),
            },
            "BatchGet" => Self {
                asks: fields(&["string parent", "repeated string names"]),
                common: ("Names".to_owned(), "parent: r.parent, names: r.names"),
                answers: Some((fields(&[&items]), format!("Vec<{rust}>"))),
            },
            "Create" => Self {
                asks: writes(&["string parent", &format!("string {singular}_id"), &format!("{full} {singular}")]),
                common: (format!("Create<{rust}>"), "parent: r.parent, id: r.{singular}_id, resource: r.{singular}"),
                answers: None,
            },
            "Update" => Self {
                asks: writes(&[&format!("{full} {singular}"), "google.protobuf.FieldMask update_mask"]),
                common: (format!("Update<{rust}>"), "resource: r.{singular}, update_mask: r.update_mask"),
                answers: None,
            },
            "Delete" | "Undelete" => Self {
                asks: writes(&["string name", "string etag"]),
                common: ("Named".to_owned(), "name: r.name, etag: r.etag"),
                answers: None,
            },
            batch => {
                let verb = batch.trim_start_matches("Batch");
                let (row, _) = Self::of(verb, message, option).common;
                let failures = "map<int32, waymark.common.v1.RowFailure> failures";
                Self {
                    asks: writes(&["string parent", &format!("repeated {}", one(verb)), "bool partial"]),
                    common: (
                        format!("Rows<crate::standard::{row}>"),
                        "parent: r.parent, requests: r.requests.into_iter().map(Into::into).collect(), partial: r.partial",
                    ),
                    answers: Some((fields(&[&items, failures]), format!("crate::standard::Batch<{rust}>"))),
                }
            }
        }
    }
}

/// Writes the conversions of the messages of its standard methods, once they are found to have the standard shape.
pub fn conversions(code: &mut String, message: &MessageDescriptor, option: &ResourceOption) -> Result<()> {
    let singular = &option.singular;
    for Standard { verb, method } in of(message, option) {
        let Shape { asks, common: (to, fields), answers } = Shape::of(verb, message, option);
        let (request, answer) = (method.input(), method.output());
        holds(&request, &asks)?;
        let (own, fields) = (rust_of(&request), fields.replace("{singular}", singular));
        writeln!(
            code,
            "impl From<{own}> for crate::standard::{to} {{\n    fn from(r: {own}) -> Self {{ Self {{ {fields} }} }}\n}}"
        )?;
        let Some((fields, from)) = answers else {
            let full = message.full_name();
            ensure!(answer == *message, "{}: a standard method answers with {full}", method.full_name());
            continue;
        };
        holds(&answer, &fields)?;
        let (own, many) = (rust_of(&answer), snake(&option.collection));
        let fields = match verb {
            "BatchGet" => format!("{many}: items"),
            "List" => format!("{many}: items.items, next_page_token: items.next_page_token"),
            _ => format!("{many}: items.items, failures: items.failures"),
        };
        writeln!(
            code,
            "impl From<{from}> for {own} {{\n    fn from(items: {from}) -> Self {{ Self {{ {fields} }} }}\n}}"
        )?;
    }
    Ok(())
}

/// Refuses a message that is not made of these fields, numbered in their order.
fn holds(message: &MessageDescriptor, fields: &[String]) -> Result<()> {
    let mut found: Vec<_> = message.fields().collect();
    found.sort_by_key(FieldDescriptor::number);
    let found: Vec<_> = found.iter().map(|field| format!("{} = {}", typed(field), field.number())).collect();
    let expected: Vec<_> = fields.iter().zip(1..).map(|(field, number)| format!("{field} = {number}")).collect();
    ensure!(
        found == expected,
        "{} is of a standard method, so its fields are {}; they are {}",
        message.full_name(),
        expected.join(", "),
        found.join(", ")
    );
    Ok(())
}

/// A field as the contract writes it, without its number.
fn typed(field: &FieldDescriptor) -> String {
    let kind = |field: &FieldDescriptor| match field.kind() {
        Kind::Message(of) => of.full_name().to_owned(),
        Kind::Enum(of) => of.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    let of = match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            format!("map<{}, {}>", kind(&entry.map_entry_key_field()), kind(&entry.map_entry_value_field()))
        }
        _ if field.is_list() => format!("repeated {}", kind(field)),
        _ => kind(field),
    };
    format!("{of} {}", field.name())
}

fn rust_of(message: &MessageDescriptor) -> String {
    rust_path(message.package_name(), message.name())
}

/// Generates clients for all methods, and servers for those that are not standard.
pub struct Services {
    clients: Box<dyn ServiceGenerator>,
    servers: Box<dyn ServiceGenerator>,
    /// Full names of the standard methods.
    standard: BTreeSet<String>,
}

impl Services {
    pub fn new(pool: &DescriptorPool, builder: &tonic_prost_build::Builder) -> Result<Self> {
        let options = Options::find(pool).context("an option of waymark.common.v1 is not declared")?;
        let resources = pool.all_messages().filter_map(|message| Some((options.resource(&message)?, message)));
        let standard = resources.flat_map(|(option, message)| of(&message, &option));
        Ok(Self {
            clients: builder.clone().build_server(false).service_generator(),
            servers: builder.clone().build_client(false).service_generator(),
            standard: standard.map(|standard| standard.method.full_name().to_owned()).collect(),
        })
    }
}

impl ServiceGenerator for Services {
    fn generate(&mut self, mut service: Service, code: &mut String) {
        self.clients.generate(service.clone(), code);
        let full = format!("{}.{}", service.package, service.proto_name);
        service.methods.retain(|method| !self.standard.contains(&format!("{full}.{}", method.proto_name)));
        if !service.methods.is_empty() {
            self.servers.generate(service, code);
        }
    }
}
