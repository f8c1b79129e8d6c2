//! The contract as the command line sees it: areas, resources and what each method does to them.

use std::fmt;
use std::sync::LazyLock;

use prost_reflect::{Kind, MessageDescriptor, MethodDescriptor};
use waymark_proto::options::ResourceOption;
use waymark_proto::{descriptors, options};

use super::names::kebab;

/// One of the three services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Area {
    /// What users need.
    Discovery,
    /// What is built and what is not.
    Roadmap,
    /// Whether it worked.
    Metrics,
}

impl Area {
    /// All of them, in the order of the loop.
    pub const ALL: [Self; 3] = [Self::Discovery, Self::Roadmap, Self::Metrics];

    /// The name in commands, packages and addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Roadmap => "roadmap",
            Self::Metrics => "metrics",
        }
    }

    fn of(package: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|area| package == format!("waymark.{}.v1", area.name()))
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A kind of resource.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The service that keeps it.
    pub area: Area,
    /// Its message.
    pub message: MessageDescriptor,
    /// The collection in names, such as `assumptionTests`.
    pub collection: String,
    /// The singular in field names, such as `assumption_test`.
    pub singular: String,
    /// The fields tables show.
    pub columns: Vec<String>,
}

/// What a method does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads one resource.
    Get,
    /// Reads a collection by pages.
    List,
    /// Makes one resource.
    Create,
    /// Changes fields.
    Update,
    /// Anything else.
    Custom,
}

/// A method of one of the three services.
#[derive(Debug, Clone)]
pub struct Method {
    /// The service.
    pub area: Area,
    /// Its descriptor.
    pub descriptor: MethodDescriptor,
    /// What it does.
    pub verb: Verb,
    /// The resource it works on, if it works on one.
    pub resource: Option<Resource>,
    /// Its command below the resource or the group of its service, such as `ship`.
    pub command: String,
}

impl Method {
    /// The path of the RPC.
    pub fn path(&self) -> String {
        format!("/{}/{}", self.descriptor.parent_service().full_name(), self.descriptor.name())
    }

    /// The group of commands for methods that work on no single resource: the service's name.
    pub fn group(&self) -> String {
        kebab(self.descriptor.parent_service().name().trim_end_matches("Service"))
    }
}

/// What the command line knows.
#[derive(Debug)]
pub struct Contract {
    /// All kinds of resources.
    pub resources: Vec<Resource>,
    /// All methods.
    pub methods: Vec<Method>,
}

/// The contract this program was built with.
pub fn contract() -> &'static Contract {
    static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);
    &CONTRACT
}

impl Contract {
    fn read() -> Self {
        let pool = descriptors();
        let resources: Vec<Resource> = pool.all_messages().filter_map(|message| resource(&message)).collect();
        let methods = pool
            .services()
            .filter_map(|service| Some((Area::of(service.package_name())?, service)))
            .flat_map(|(area, service)| service.methods().map(|method| (area, method)).collect::<Vec<_>>())
            .map(|(area, descriptor)| method(area, descriptor, &resources))
            .collect();
        Self { resources, methods }
    }

    /// The method `Service/Method`, `area.Service/Method` or with the full name of the service.
    pub fn find_method(&self, text: &str) -> Option<&Method> {
        let text = text.trim_start_matches('/');
        let (service, name) =
            text.split_once(['/', '.']).filter(|_| !text.contains("waymark.")).or_else(|| text.split_once('/'))?;
        self.methods.iter().find(|method| {
            let parent = method.descriptor.parent_service();
            let known = parent.full_name() == service
                || parent.name() == service
                || method.group() == service.to_ascii_lowercase();
            known && (method.descriptor.name() == name || kebab(method.descriptor.name()) == name)
        })
    }

    /// The kind of a message that is a resource.
    pub fn resource_of(&self, message: &MessageDescriptor) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.message == *message)
    }
}

fn resource(message: &MessageDescriptor) -> Option<Resource> {
    let area = Area::of(message.package_name())?;
    let ResourceOption { collection, singular, columns } = options().resource(message)?;
    Some(Resource { area, message: message.clone(), collection, singular, columns })
}

fn method(area: Area, descriptor: MethodDescriptor, resources: &[Resource]) -> Method {
    let name = descriptor.name().to_owned();
    let own = || resources.iter().filter(|resource| resource.area == area);
    let plural = |resource: &Resource| {
        let mut letters = resource.collection.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    // The longest match, so that ConcludeAssumptionTest is of AssumptionTest should there ever be a Test.
    let found = own()
        .flat_map(|resource| [(resource, resource.message.name().to_owned()), (resource, plural(resource))])
        .filter_map(|(resource, ending)| Some((resource, name.strip_suffix(&ending)?.to_owned())))
        .filter(|(_, verb)| !verb.is_empty())
        .min_by_key(|(_, verb)| verb.len());
    // Methods that answer with the resource they were given the name of work on it, whatever they are called
    // (AddDependency).
    let found = found.or_else(|| {
        let output = own().find(|resource| resource.message == descriptor.output())?;
        descriptor.input().get_field_by_name("name").map(|_| (output, name.clone()))
    });
    let Some((resource, verb)) = found else {
        return Method { area, descriptor, verb: Verb::Custom, resource: None, command: kebab(&name) };
    };
    let kind = match verb.as_str() {
        "Get" => Verb::Get,
        "List" => Verb::List,
        "Create" => Verb::Create,
        "Update" => Verb::Update,
        _ => Verb::Custom,
    };
    Method { area, descriptor, verb: kind, resource: Some(resource.clone()), command: kebab(&verb) }
}

/// Whether a kind is a message that JSON writes as a plain value.
pub fn is_plain(kind: &Kind) -> bool {
    kind.as_message().is_none_or(|message| message.package_name() == "google.protobuf")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_found_with_their_methods() {
        let contract = contract();
        let products = contract.resources.iter().find(|r| r.collection == "products").unwrap();
        assert_eq!(products.columns, ["display_name", "lifecycle", "vision"]);
        let commands: Vec<&str> = contract
            .methods
            .iter()
            .filter(|m| m.resource.as_ref().is_some_and(|r| r.collection == "products"))
            .map(|m| m.command.as_str())
            .collect();
        let one = ["get", "list", "batch-get", "create", "batch-create", "update", "batch-update"];
        assert_eq!(commands, [&one[..], &["delete", "batch-delete", "undelete"]].concat());
    }

    #[test]
    fn methods_are_found_by_any_of_their_names() {
        for text in
            ["StrategyService/GetProduct", "waymark.roadmap.v1.StrategyService/GetProduct", "strategy/get-product"]
        {
            assert_eq!(contract().find_method(text).map(|m| m.descriptor.name()), Some("GetProduct"), "{text}");
        }
        assert!(contract().find_method("Strategy").is_none());
    }
}
