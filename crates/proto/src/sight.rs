//! What an audience sees of messages. This is the one place where anything is hidden: which group a field is of is said by the
//! contract (`group`, `fields`), which initiatives an audience is shown is said by them (`audiences`), and what is said of neither is
//! hidden. A message is made anew of what is seen, so that what this build does not know is left out, too.
//!
//! It never reads a database: whether a resource is shown now, and not only in the state at hand, is given to it.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use chrono::DateTime;
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value};
use waymark_domain::roadmap::{Audience, DatePrecision, FieldGroup, Period};
use waymark_domain::{Resource as _, WorkspaceId};

use crate::{Choice as _, ResourceMessage, RpcMethod, common, descriptors, event, options};

/// The field of a resource that names the audiences it is shown to.
pub const AUDIENCES: &str = "audiences";

const TIMESTAMP: &str = "google.protobuf.Timestamp";
const ANY: &str = "google.protobuf.Any";
const INTERVAL: &str = "waymark.roadmap.v1.TargetInterval";
/// The message of an event as it is listed.
pub const EVENT: &str = "waymark.events.v1.Event";

/// What one audience sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    audience: String,
    workspace: WorkspaceId,
    groups: BTreeSet<i32>,
    dates: DatePrecision,
}

/// The answer of an RPC, opened to be looked at.
#[derive(Debug)]
pub struct Opened(DynamicMessage);

/// Names of resources that are shown now; `None` where the state at hand says it.
type Now<'a> = Option<&'a BTreeSet<String>>;

impl From<&Audience> for Sight {
    fn from(audience: &Audience) -> Self {
        let seen = audience.groups.iter().filter(|group| group.seen().is_ok());
        let groups = seen.chain([&FieldGroup::Plan]).map(|group| common::v1::FieldGroup::of(*group)).collect();
        let name = &audience.meta().name;
        Self { audience: name.to_string(), workspace: name.workspace().clone(), groups, dates: audience.dates }
    }
}

impl Sight {
    /// Whose it is, `workspaces/{workspace}/audiences/{audience}`.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The workspace of the audience, beyond which it sees nothing.
    pub fn workspace(&self) -> &WorkspaceId {
        &self.workspace
    }

    /// What is seen of a resource; `None` where the audience is not shown it.
    pub fn of<M: ResourceMessage>(&self, resource: &M) -> Option<M> {
        self.of_message(M::FULL_NAME, resource)
    }

    /// What is seen of a message of this full name.
    pub fn of_message<M: prost::Message + Default>(&self, full_name: &str, message: &M) -> Option<M> {
        let of = descriptors().get_message_by_name(full_name)?;
        let message = DynamicMessage::decode(of, message.encode_to_vec().as_slice()).ok()?;
        M::decode(self.seen(&message, None)?.encode_to_vec().as_slice()).ok()
    }

    /// What is seen of an answer, encoded, when these of its resources are shown now; `None` where nothing is.
    pub fn of_answer(&self, answer: &Opened, now: &BTreeSet<String>) -> Option<Vec<u8>> {
        self.seen(&answer.0, Some(now)).map(|seen| seen.encode_to_vec())
    }

    /// Whether lists of messages of this full name may be filtered and ordered by a field: one that is seen, and whose values are seen
    /// as they are kept.
    pub fn may_ask(&self, full_name: &str, path: &str) -> bool {
        // Which others a resource is shown to is not for this one to know.
        if path == AUDIENCES {
            return false;
        }
        let path = if path == "id" { "name" } else { path };
        let mut within = descriptors().get_message_by_name(full_name);
        for name in path.split('.') {
            let Some(field) =
                within.and_then(|message| message.get_field_by_name(name)).filter(|field| self.sees(field))
            else {
                return false;
            };
            within = match field.kind() {
                Kind::Message(time) if time.full_name() == TIMESTAMP && self.dates != DatePrecision::Kept => {
                    return false;
                }
                Kind::Message(message) => Some(message),
                _ => None,
            };
        }
        true
    }

    /// The full names of the events that are seen.
    pub fn events(&self) -> impl Iterator<Item = &'static str> {
        event::types().filter(|name| {
            let subject = descriptors().get_message_by_name(name).and_then(|event| event.get_field(1));
            subject.is_some_and(|subject| {
                let can_be_shown = subject.kind().as_message().is_some_and(|resource| audiences_of(resource).is_some());
                can_be_shown && self.sees(&subject)
            })
        })
    }

    fn sees(&self, field: &FieldDescriptor) -> bool {
        group(field).is_some_and(|group| self.groups.contains(&group))
    }

    fn seen(&self, message: &DynamicMessage, now: Now<'_>) -> Option<DynamicMessage> {
        let of = message.descriptor();
        match of.full_name() {
            TIMESTAMP => return self.time(message),
            ANY => return self.packed(message, now),
            _ if options().resource(&of).is_some() && !self.shows(message, now) => return None,
            _ => {}
        }
        let mut seen = DynamicMessage::new(of.clone());
        for (field, value) in message.fields().filter(|(field, _)| self.sees(field)) {
            if let Some(value) = self.value(&field, value, now) {
                seen.set_field(&field, value);
            }
        }
        match of.full_name() {
            INTERVAL => self.widen(seen),
            // An event of what is hidden is hidden.
            EVENT => Some(seen).filter(|seen| seen.has_field_by_name("data")),
            name if event::is_event(name) => Some(seen).filter(|seen| seen.has_field_by_number(1)),
            _ => Some(seen),
        }
    }

    fn value(&self, field: &FieldDescriptor, value: &Value, now: Now<'_>) -> Option<Value> {
        if field.name() == AUDIENCES && options().resource(field.parent_message()).is_some() {
            return Some(Value::List(vec![Value::String(self.audience.clone())]));
        }
        let one = |value: &Value| match value {
            Value::Message(message) => self.seen(message, now).map(Value::Message),
            scalar => Some(scalar.clone()),
        };
        match value {
            Value::List(values) => Some(Value::List(values.iter().filter_map(one).collect())),
            Value::Map(values) => {
                let seen = values.iter().filter_map(|(key, value)| Some((key.clone(), one(value)?)));
                Some(Value::Map(seen.collect::<HashMap<MapKey, Value>>()))
            }
            single => one(single),
        }
    }

    /// Whether a resource is shown: as it stands in the message, and now.
    fn shows(&self, resource: &DynamicMessage, now: Now<'_>) -> bool {
        let named = audiences_of(&resource.descriptor()).is_some_and(|field| {
            let value = resource.get_field(&field);
            value.as_list().is_some_and(|names| names.iter().any(|name| name.as_str() == Some(&*self.audience)))
        });
        let is_now = now.is_none_or(|now| name_of(resource).is_some_and(|name| now.contains(&name)));
        named && is_now && !resource.has_field_by_name("delete_time")
    }

    /// What is packed must be of the contract.
    fn packed(&self, any: &DynamicMessage, now: Now<'_>) -> Option<DynamicMessage> {
        let seen = self.seen(&unpacked(any)?, now)?;
        let mut any = any.clone();
        any.set_field_by_name("value", Value::Bytes(seen.encode_to_vec().into()));
        Some(any)
    }

    fn time(&self, time: &DynamicMessage) -> Option<DynamicMessage> {
        if self.dates == DatePrecision::Kept {
            return Some(time.clone());
        }
        let kept = DateTime::from_timestamp(time.get_field_by_name("seconds")?.as_i64()?, 0)?;
        let mut shown = DynamicMessage::new(time.descriptor());
        shown.set_field_by_name("seconds", Value::I64(self.dates.of_time(kept).timestamp()));
        Some(shown)
    }

    fn widen(&self, mut interval: DynamicMessage) -> Option<DynamicMessage> {
        for end in ["start", "end"] {
            let Some(text) = interval.get_field_by_name(end).and_then(|text| text.as_str().map(str::to_owned)) else {
                continue;
            };
            if !text.is_empty() {
                let period: Period = text.parse().ok()?;
                interval.set_field_by_name(end, Value::String(self.dates.of_period(period).to_string()));
            }
        }
        Some(interval)
    }
}

impl Opened {
    /// The answer of a method; `None` where it is not what the contract says.
    pub fn answer(method: &RpcMethod, bytes: &[u8]) -> Option<Self> {
        let service = descriptors().get_service_by_name(&method.service)?;
        let of = service.methods().find(|known| known.name() == method.method)?.output();
        DynamicMessage::decode(of, bytes).ok().map(Self)
    }

    /// The names of the resources in it that are shown to anybody.
    pub fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        collect(&self.0, &mut names);
        names
    }
}

fn collect(message: &DynamicMessage, names: &mut BTreeSet<String>) {
    let of = message.descriptor();
    if of.full_name() == ANY {
        if let Some(packed) = unpacked(message) {
            collect(&packed, names);
        }
        return;
    }
    if audiences_of(&of).is_some() {
        names.extend(name_of(message));
    }
    for (_, value) in message.fields() {
        match value {
            Value::Message(message) => collect(message, names),
            Value::List(values) => values.iter().filter_map(Value::as_message).for_each(|one| collect(one, names)),
            Value::Map(values) => values.values().filter_map(Value::as_message).for_each(|one| collect(one, names)),
            _ => {}
        }
    }
}

fn unpacked(any: &DynamicMessage) -> Option<DynamicMessage> {
    let (name, bytes) = (any.get_field_by_name("type_url")?, any.get_field_by_name("value")?);
    let of = descriptors().get_message_by_name(name.as_str()?.rsplit('/').next()?)?;
    DynamicMessage::decode(of, bytes.as_bytes()?.as_ref()).ok()
}

/// The field that names the audiences of a resource, where it has one.
fn audiences_of(resource: &MessageDescriptor) -> Option<FieldDescriptor> {
    options().resource(resource)?;
    resource.get_field_by_name(AUDIENCES).filter(FieldDescriptor::is_list)
}

fn name_of(resource: &DynamicMessage) -> Option<String> {
    resource.get_field_by_name("name").and_then(|name| name.as_str().map(str::to_owned))
}

/// Of the standard fields of resources, those that whoever is shown one sees. The others tell of changes to what is hidden.
const STANDARD: [&str; 5] = ["name", "uid", "display_name", "create_time", "delete_time"];

/// The group of a field of the contract.
fn group(field: &FieldDescriptor) -> Option<i32> {
    static GROUPS: LazyLock<HashMap<String, i32>> = LazyLock::new(|| {
        let own = descriptors().all_messages().filter(|message| message.full_name().starts_with("waymark."));
        let fields = own.flat_map(|message| message.fields().collect::<Vec<_>>());
        let stated = |field: &FieldDescriptor| {
            let is_standard = STANDARD.contains(&field.name()) && options().resource(field.parent_message()).is_some();
            if is_standard { common::v1::FieldGroup::Plan.into() } else { options().group(field) }
        };
        let groups = fields.map(|field| (field.full_name().to_owned(), stated(&field)));
        groups.filter(|(_, group)| *group != 0).collect()
    });
    GROUPS.get(field.full_name()).copied()
}

#[cfg(test)]
mod tests;
