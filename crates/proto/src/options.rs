//! What the contract's own options say of services, messages, fields and enums. The build script reads them through this file,
//! too.

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, MessageDescriptor,
    ServiceDescriptor, Value,
};

const REQUIRED: i32 = 1;
const OUTPUT_ONLY: i32 = 2;
const IMMUTABLE: i32 = 3;

/// The options, once they are found among the descriptors.
#[derive(Debug)]
pub struct Options {
    resource: ExtensionDescriptor,
    behavior: ExtensionDescriptor,
    unstated: ExtensionDescriptor,
    text: ExtensionDescriptor,
    keys: ExtensionDescriptor,
    entries: ExtensionDescriptor,
    number: ExtensionDescriptor,
    refers_to: ExtensionDescriptor,
    commands: ExtensionDescriptor,
    part_of: ExtensionDescriptor,
    group: ExtensionDescriptor,
    fields: ExtensionDescriptor,
}

/// What a message that is a resource is called.
#[derive(Debug, Clone)]
pub struct ResourceOption {
    /// The collection in names, such as `initiatives`.
    pub collection: String,
    /// The singular in field names, such as `initiative`.
    pub singular: String,
    /// The fields that tables for people show, in order.
    pub columns: Vec<String>,
    /// What commands call the collection, where that is something else.
    pub command: String,
}

/// How the command line lists the methods of a service.
#[derive(Debug, Clone, Default)]
pub struct CommandsOption {
    /// The number of the phase that it is for.
    pub phase: i32,
    /// What methods that work on no resource stand under.
    pub group: String,
}

/// How many there may be, of characters or entries.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// At least so many.
    pub least: u32,
    /// At most so many.
    pub most: u32,
}

/// Which numbers a field takes.
#[derive(Debug, Clone, Copy)]
pub struct NumberLimits {
    /// This number or more.
    pub least: Option<f64>,
    /// More than this number.
    pub above: Option<f64>,
    /// This number or less.
    pub most: Option<f64>,
    /// What stands for the field when it is not set.
    pub default: Option<f64>,
}

/// What a field refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The collections it may be of; any when there are none.
    pub collections: Vec<String>,
    /// The service that keeps it, `*` for any; empty where the field holds a name of the same service.
    pub service: String,
    /// Whether the field must be set.
    pub required: bool,
    /// What is held true of it.
    pub integrity: Integrity,
}

/// What is held true of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Integrity {
    /// Whether what is referred to may be deleted.
    pub keeps: bool,
    /// Whether what is referred to is not looked up.
    pub unverified: bool,
    /// Whether following the field never leads back.
    pub acyclic: bool,
}

impl Reference {
    /// A name of a resource of the same service.
    pub fn local(collection: &str) -> Self {
        Self {
            collections: vec![collection.to_owned()],
            service: String::new(),
            required: true,
            integrity: Integrity::default(),
        }
    }
}

impl Options {
    /// The options as the descriptors declare them; `None` when they lack one.
    pub fn find(pool: &DescriptorPool) -> Option<Self> {
        let extension = |name: &str| pool.get_extension_by_name(&format!("waymark.common.v1.{name}"));
        Some(Self {
            resource: extension("resource")?,
            behavior: extension("behavior")?,
            unstated: extension("unstated")?,
            text: extension("text")?,
            keys: extension("keys")?,
            entries: extension("entries")?,
            number: extension("number")?,
            refers_to: extension("refers_to")?,
            commands: extension("commands")?,
            part_of: extension("part_of")?,
            group: extension("group")?,
            fields: extension("fields")?,
        })
    }

    /// What a message is called that is a resource.
    pub fn resource(&self, message: &MessageDescriptor) -> Option<ResourceOption> {
        let option = part(&message.options(), &self.resource)?;
        Some(ResourceOption {
            collection: text(&option, "collection"),
            singular: text(&option, "singular"),
            columns: texts(&option, "columns"),
            command: text(&option, "command"),
        })
    }

    /// How the command line lists the methods of a service, if it does.
    pub fn commands(&self, service: &ServiceDescriptor) -> Option<CommandsOption> {
        let option = part(&service.options(), &self.commands)?;
        let phase = option.get_field_by_name("phase").and_then(|value| value.as_enum_number()).unwrap_or_default();
        Some(CommandsOption { phase, group: text(&option, "group") })
    }

    /// Whether a field must be set on create and cannot be cleared.
    pub fn is_required(&self, field: &FieldDescriptor) -> bool {
        self.behaves(field, REQUIRED) || self.reference(field).is_some_and(|reference| reference.required)
    }

    /// Whether a field is set by the service.
    pub fn is_output_only(&self, field: &FieldDescriptor) -> bool {
        self.behaves(field, OUTPUT_ONLY)
    }

    /// Whether a field may be set on create only.
    pub fn is_immutable(&self, field: &FieldDescriptor) -> bool {
        self.behaves(field, IMMUTABLE)
    }

    fn behaves(&self, field: &FieldDescriptor, behavior: i32) -> bool {
        let options = field.options();
        let stated = options.get_extension(&self.behavior);
        stated.as_list().is_some_and(|all| all.iter().any(|one| one.as_enum_number() == Some(behavior)))
    }

    /// The value that stands for one that is not stated.
    pub fn unstated(&self, of: &EnumDescriptor) -> Option<String> {
        let options = of.options();
        let stands = options.get_extension(&self.unstated);
        stands.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
    }

    /// How long a text is; of a repeated field each, of a map each value.
    pub fn text(&self, field: &FieldDescriptor) -> Option<Limits> {
        limits(field, &self.text)
    }

    /// How long each key of a map is.
    pub fn keys(&self, field: &FieldDescriptor) -> Option<Limits> {
        limits(field, &self.keys)
    }

    /// How many entries a repeated field or a map has.
    pub fn entries(&self, field: &FieldDescriptor) -> Option<Limits> {
        limits(field, &self.entries)
    }

    /// Which numbers a field takes.
    pub fn number(&self, field: &FieldDescriptor) -> Option<NumberLimits> {
        let option = part(&field.options(), &self.number)?;
        let of = |name: &str| option.get_field_by_name(name).filter(|_| option.has_field_by_name(name))?.as_f64();
        Some(NumberLimits { least: of("least"), above: of("above"), most: of("most"), default: of("default") })
    }

    /// The field of the same message that a field tells more of.
    pub fn part_of(&self, field: &FieldDescriptor) -> Option<String> {
        let options = field.options();
        let whole = options.get_extension(&self.part_of);
        whole.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
    }

    /// The number of the group of a field: its own, or what its message says of those that state none.
    pub fn group(&self, field: &FieldDescriptor) -> i32 {
        let stated =
            |options: &DynamicMessage, option| options.get_extension(option).as_enum_number().unwrap_or_default();
        match stated(&field.options(), &self.group) {
            0 => stated(&field.parent_message().options(), &self.fields),
            own => own,
        }
    }

    /// What a field refers to.
    pub fn reference(&self, field: &FieldDescriptor) -> Option<Reference> {
        let option = part(&field.options(), &self.refers_to)?;
        let is = |name: &str| option.get_field_by_name(name).and_then(|value| value.as_bool()).unwrap_or_default();
        Some(Reference {
            collections: texts(&option, "collections"),
            service: text(&option, "service"),
            required: is("required"),
            integrity: Integrity { keeps: is("keeps"), unverified: is("unverified"), acyclic: is("acyclic") },
        })
    }
}

fn limits(field: &FieldDescriptor, option: &ExtensionDescriptor) -> Option<Limits> {
    let option = part(&field.options(), option)?;
    let of = |name: &str| option.get_field_by_name(name).and_then(|value| value.as_u32()).unwrap_or_default();
    Some(Limits { least: of("least"), most: of("most") })
}

/// The value of an option that is a message, if the option is there.
fn part(options: &DynamicMessage, option: &ExtensionDescriptor) -> Option<DynamicMessage> {
    if !options.has_extension(option) {
        return None;
    }
    match options.get_extension(option).into_owned() {
        Value::Message(message) => Some(message),
        _ => None,
    }
}

fn text(option: &DynamicMessage, name: &str) -> String {
    option.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn texts(option: &DynamicMessage, name: &str) -> Vec<String> {
    let value = option.get_field_by_name(name);
    let all = value.as_ref().and_then(|value| value.as_list()).unwrap_or_default();
    all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}
