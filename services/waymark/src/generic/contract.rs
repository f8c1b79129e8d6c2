//! The contract as the command line sees it: areas, resources, what each method does to them, and what its command is
//! called.

use std::fmt;
use std::sync::LazyLock;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use waymark_proto::common::v1::Phase;
use waymark_proto::options::{CommandsOption, ResourceOption};
use waymark_proto::{descriptors, options};

use super::names::kebab;
use waymark_domain::text::nearest;

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
        f.pad(self.name())
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
    /// What its commands stand under, such as `assumption-tests`.
    pub command: String,
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
    /// What its command stands under: what the resource is called, or the group of the service.
    pub group: String,
    /// Its command there, such as `ship`.
    pub command: String,
    /// The phase that its service is for.
    pub phase: Phase,
}

impl Method {
    /// The path of the RPC.
    pub fn path(&self) -> String {
        format!("/{}/{}", self.descriptor.parent_service().full_name(), self.descriptor.name())
    }

    /// The path without packages: `StrategyService/GetProduct`.
    fn short_path(&self) -> String {
        format!("{}/{}", self.descriptor.parent_service().name(), self.descriptor.name())
    }

    fn is_called(&self, text: &str) -> bool {
        let Some((service, name)) =
            text.split_once(['/', '.']).filter(|_| !text.contains("waymark.")).or(text.split_once('/'))
        else {
            return false;
        };
        let parent = self.descriptor.parent_service();
        let short = kebab(parent.name().trim_end_matches("Service"));
        let known = [parent.full_name(), parent.name()].contains(&service) || short == service.to_ascii_lowercase();
        known && (self.descriptor.name() == name || kebab(self.descriptor.name()) == name)
    }
}

/// What the command line knows.
#[derive(Debug)]
pub struct Contract {
    /// All kinds of resources.
    pub resources: Vec<Resource>,
    /// All methods that one service has.
    pub methods: Vec<Method>,
    /// Those that every service has, once for each.
    pub shared: Vec<Method>,
}

/// Why no method is found.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMethod {
    /// Several services have it.
    #[error("each service has a method of its own called so; write {}", .0.join(" or "))]
    Several(Vec<String>),
    /// None has it.
    #[error("{written:?} is no method; {advice}")]
    Unknown {
        /// What was written.
        written: String,
        /// What may have been meant.
        advice: String,
    },
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
        let services = || pool.services().filter(|service| service.package_name().starts_with("waymark."));
        let methods = services()
            .filter_map(|service| Some((Area::of(service.package_name())?, service)))
            .flat_map(|(area, service)| service.methods().map(move |method| (area, method)).collect::<Vec<_>>())
            .map(|(area, descriptor)| method(area, descriptor, &resources))
            .collect();
        let shared = services()
            .filter(|service| Area::of(service.package_name()).is_none())
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .flat_map(|descriptor| Area::ALL.map(|area| method(area, descriptor.clone(), &[])))
            .collect();
        Self { resources, methods, shared }
    }

    /// The method `Service/Method`, with the service's full name or without its package, or `area.Service/Method`, which
    /// of those that every service has is the one of that service.
    pub fn find_method(&self, text: &str) -> Result<&Method, NoMethod> {
        let text = text.trim_start_matches('/');
        let (area, name) = Area::ALL
            .into_iter()
            .find_map(|area| Some((Some(area), text.strip_prefix(area.name())?.strip_prefix('.')?)))
            .unwrap_or((None, text));
        let found: Vec<&Method> = self
            .methods
            .iter()
            .chain(&self.shared)
            .filter(|method| area.is_none_or(|area| area == method.area) && method.is_called(name))
            .collect();
        match found.as_slice() {
            [method] => Ok(method),
            [] => {
                let all: Vec<String> = self.methods.iter().chain(&self.shared).map(Method::short_path).collect();
                let advice = match nearest(name, all.iter().map(String::as_str)) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => "write Service/Method, such as PrioritizationService/EvaluateScore".to_owned(),
                };
                Err(NoMethod::Unknown { written: text.to_owned(), advice })
            }
            several => {
                Err(NoMethod::Several(several.iter().map(|m| format!("{}.{}", m.area, m.short_path())).collect()))
            }
        }
    }

    /// The kind of a message that is a resource.
    pub fn resource_of(&self, message: &MessageDescriptor) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.message == *message)
    }
}

fn resource(message: &MessageDescriptor) -> Option<Resource> {
    let area = Area::of(message.package_name())?;
    let ResourceOption { collection, singular, columns, command } = options().resource(message)?;
    let command = if command.is_empty() { kebab(&collection) } else { command };
    Some(Resource { area, message: message.clone(), collection, singular, columns, command })
}

fn method(area: Area, descriptor: MethodDescriptor, resources: &[Resource]) -> Method {
    let CommandsOption { phase, group } = options().commands(descriptor.parent_service()).unwrap_or_default();
    let phase = Phase::try_from(phase).unwrap_or_default();
    let name = descriptor.name().to_owned();
    let resource = named(&descriptor, area, resources).or_else(|| called(&name, area, resources)).cloned();
    let Some(resource) = resource else {
        let command = without_end(&kebab(&name), &group);
        return Method { area, descriptor, verb: Verb::Custom, resource: None, group, command, phase };
    };
    let verb = verb_on(&name, &resource).unwrap_or(name);
    let (group, command) = (resource.command.clone(), kebab(&verb));
    let verb = match verb.as_str() {
        "Get" => Verb::Get,
        "List" => Verb::List,
        "Create" => Verb::Create,
        "Update" => Verb::Update,
        _ => Verb::Custom,
    };
    Method { area, descriptor, verb, resource: Some(resource), group, command, phase }
}

/// The resource that a method is given the name of, if it can be of one kind only.
fn named<'a>(method: &MethodDescriptor, area: Area, resources: &'a [Resource]) -> Option<&'a Resource> {
    let reference = options().reference(&method.input().get_field_by_name("name")?)?;
    let [collection] = reference.collections.as_slice() else { return None };
    resources.iter().find(|resource| resource.area == area && resource.collection == *collection)
}

/// The resource that a method is called by. The longest match, so that ListAssumptionTests is of AssumptionTest should
/// there ever be a Test.
fn called<'a>(method: &str, area: Area, resources: &'a [Resource]) -> Option<&'a Resource> {
    let own = resources.iter().filter(|resource| resource.area == area);
    own.filter_map(|resource| Some((resource, verb_on(method, resource)?)))
        .min_by_key(|(_, verb)| verb.len())
        .map(|(resource, _)| resource)
}

/// What a method does to a resource that it is called by: `BatchCreate` is what BatchCreateProducts does.
fn verb_on(method: &str, resource: &Resource) -> Option<String> {
    let mut letters = resource.collection.chars();
    let plural: String = letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect();
    let verb = [resource.message.name(), &plural].into_iter().find_map(|ending| method.strip_suffix(ending))?;
    (!verb.is_empty()).then(|| verb.to_owned())
}

/// A command without the words at its end that its group ends in, too: `get-tree` is `tree get`.
fn without_end(command: &str, group: &str) -> String {
    let (mut words, mut ending): (Vec<_>, Vec<_>) = (command.split('-').collect(), group.split('-').collect());
    while words.len() > 1 && words.last() == ending.last() {
        words.pop();
        ending.pop();
    }
    words.join("-")
}

/// Whether a field says something when it is 0, as a score does: one that tells whether it is set says so by itself, and
/// where the contract does not take 0, or has something stand for it, it is not set.
pub fn tells_zero(field: &FieldDescriptor) -> bool {
    let number = !matches!(field.kind(), Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Enum(_) | Kind::Bool);
    let stands_for_none = options().number(field).is_some_and(|limits| {
        let starts_above =
            limits.least.is_some_and(|least| least > 0.0) || limits.above.is_some_and(|above| above >= 0.0);
        limits.default.is_some() || starts_above
    });
    number && !field.is_list() && !field.supports_presence() && !stands_for_none
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
        assert_eq!(commands, [&one[..], &["delete", "batch-delete", "undelete", "list-product-versions"]].concat());
    }

    #[test]
    fn columns_are_fields() {
        for resource in &contract().resources {
            for column in &resource.columns {
                let mut message = Some(resource.message.clone());
                for name in column.split('.') {
                    let field = message.and_then(|message| message.get_field_by_name(name));
                    assert!(field.is_some(), "{}: {column}", resource.collection);
                    message = field.and_then(|field| field.kind().as_message().cloned());
                }
            }
        }
    }

    #[test]
    fn methods_stand_under_what_they_are_given_the_name_of_or_called_by() {
        for (method, command) in [
            ("OpportunityService/AssessRisks", "solutions assess-risks"),
            ("ResearchService/TraceEvidence", "insights trace-evidence"),
            ("RoadmapService/AddDependency", "initiatives add-dependency"),
            ("PrioritizationService/RankInitiatives", "initiatives rank"),
            ("OutcomeService/MeasureOutcome", "predictions measure-outcome"),
            ("OutcomeService/GetOutcome", "measured-outcomes get"),
            ("OpportunityService/GetTree", "tree get"),
            ("OpportunityService/MoveNode", "tree move-node"),
            ("RoadmapService/GetCriticalPath", "roadmap get-critical-path"),
            ("IngestionService/IngestEvents", "product-events ingest"),
        ] {
            let found = contract().find_method(method).map(|m| format!("{} {}", m.group, m.command));
            assert_eq!(found.as_deref(), Ok(command), "{method}");
        }
    }

    #[test]
    fn methods_are_found_by_any_of_their_names() {
        for text in
            ["StrategyService/GetProduct", "waymark.roadmap.v1.StrategyService/GetProduct", "strategy/get-product"]
        {
            assert_eq!(contract().find_method(text).map(|m| m.descriptor.name()), Ok("GetProduct"), "{text}");
        }
        let unknown = |text: &str| contract().find_method(text).unwrap_err().to_string();
        assert!(unknown("nothing").contains("write Service/Method"));
        assert_eq!(
            unknown("StrategyService/GetProdukt"),
            "\"StrategyService/GetProdukt\" is no method; did you mean StrategyService/GetProduct?"
        );
    }

    #[test]
    fn every_method_of_the_contract_can_be_called() {
        for service in descriptors().services().filter(|service| service.full_name().starts_with("waymark.")) {
            for method in service.methods() {
                let path = format!("{}/{}", service.name(), method.name());
                let found: Vec<&Method> = match contract().find_method(&path) {
                    Ok(found) => vec![found],
                    Err(NoMethod::Several(paths)) => {
                        paths.iter().map(|path| contract().find_method(path).unwrap()).collect()
                    }
                    Err(unknown) => panic!("{unknown}"),
                };
                assert!(found.iter().all(|found| found.descriptor == method), "{path}");
            }
        }
        let several = contract().find_method("EventsService/ListEvents").unwrap_err().to_string();
        assert!(
            several.contains("write discovery.EventsService/ListEvents or roadmap.EventsService/ListEvents"),
            "{several}"
        );
        assert_eq!(contract().find_method("metrics.GraphService/ListLinks").unwrap().area, Area::Metrics);
    }
}
