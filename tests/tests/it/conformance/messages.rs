//! Random messages of any type of the contract: often valid, often at or beyond a boundary, now and then huge or deep.

use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor, MethodDescriptor, Value,
};
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

/// Nesting at which no further message is put in.
const DEEPEST: usize = 6;
const HUGE: usize = 100_000;

/// Texts that mean something somewhere, and texts that should mean nothing anywhere.
const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "b",
    "acme",
    "Sign-up",
    "0",
    "-1",
    "1e308",
    "NaN",
    "true",
    "null",
    "*",
    "name",
    "display_name",
    "displayName desc",
    "create_time desc, id",
    "display_name = \"a\"",
    "display_name:\"a\" AND NOT id = b OR (create_time > 2026-01-01T00:00:00Z)",
    "((((((((",
    "a = = b",
    "2026-03-02",
    "2026-13-45",
    "2026-03-02T09:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "Europe/Berlin",
    "UTC",
    "Mars/Olympus",
    "6f7fdf0a-3c5e-4c39-9a7c-0d5b6f1d2a11",
    "00000000-0000-0000-0000-000000000000",
    "workspaces/-",
    "workspaces/acme",
    "//roadmap.waymark.dev/workspaces/acme/initiatives/a",
    "//metrics.waymark.dev/workspaces/acme/metrics/a",
    "//x/../..",
    "https://example.com/",
    "'; DROP TABLE products; --",
    "%00",
    "\0",
    "\u{202e}\u{feff}",
    "e\u{301}\u{1f4a9}",
    "line\nline\ttab\r\n",
    "{\"a\":[1,{}]}",
    "$1",
    "?",
    "\\",
];
const IDS: &[&str] = &["a", "b", "c", "missing"];

/// Makes messages from one seed.
pub struct Messages {
    rng: StdRng,
    /// Kind of resource and its collection.
    collections: Vec<(String, String)>,
}

impl Messages {
    /// With names of all resources of the contract.
    pub fn new(rng: StdRng) -> Self {
        let pool = waymark_proto::descriptors();
        let option = pool.get_extension_by_name("waymark.common.v1.resource").unwrap();
        let resources = pool.all_messages().filter_map(|message| {
            let options = message.options();
            let resource = options.get_extension(&option);
            let collection = resource.as_message()?.get_field_by_name("collection")?.as_str()?.to_owned();
            (!collection.is_empty()).then(|| (message.name().to_owned(), collection))
        });
        let mut collections: Vec<_> = resources.collect();
        // The longest kind that a method's name contains is the one it is about.
        collections.sort_by_key(|(kind, _)| std::cmp::Reverse(kind.len()));
        Self { rng, collections }
    }

    /// A request of a method.
    pub fn request(&mut self, method: &MethodDescriptor) -> DynamicMessage {
        let about =
            self.collections.iter().find(|(kind, _)| method.name().contains(kind.as_str())).map(|(_, c)| c.clone());
        self.message(&method.input(), about.as_deref(), 0)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// Bytes that say nothing.
    pub fn noise(&mut self, most: usize) -> Vec<u8> {
        let length = self.rng.random_range(0..=most);
        (0..length).map(|_| self.rng.random()).collect()
    }

    /// A place in something of this length.
    pub fn place(&mut self, length: usize) -> usize {
        self.rng.random_range(0..length.max(1))
    }

    fn message(&mut self, descriptor: &MessageDescriptor, about: Option<&str>, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        if descriptor.full_name() == "google.protobuf.Timestamp" && self.chance(70) {
            message.set_field_by_name("seconds", Value::I64(self.rng.random_range(1_700_000_000..1_800_000_000)));
            return message;
        }
        for field in descriptor.fields() {
            // Requests that name nothing get nowhere, so most name something.
            let addressed = depth == 0 && matches!(field.name(), "parent" | "name");
            let wanted = if addressed {
                97
            } else if field.name() == "validate_only" {
                10
            } else {
                60
            };
            if self.chance(wanted) && (depth < DEEPEST || !matches!(field.kind(), Kind::Message(_))) {
                let value = self.field(&field, about, depth);
                message.set_field(&field, value);
            }
        }
        message
    }

    fn field(&mut self, field: &FieldDescriptor, about: Option<&str>, depth: usize) -> Value {
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else { unreachable!("a map's entry is a message") };
            let value = entry.map_entry_value_field();
            let count = self.count();
            return Value::Map(
                (0..count)
                    .map(|_| (self.key(&entry.map_entry_key_field()), self.single(&value, about, depth + 1)))
                    .collect(),
            );
        }
        if field.is_list() {
            let count = self.count();
            return Value::List((0..count).map(|_| self.single(field, about, depth)).collect());
        }
        self.single(field, about, depth)
    }

    /// How many: few, now and then very many.
    fn count(&mut self) -> usize {
        if self.chance(1) { 1_500 } else { self.rng.random_range(0..4) }
    }

    fn key(&mut self, field: &FieldDescriptor) -> MapKey {
        match field.kind() {
            Kind::String => MapKey::String(self.text()),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => MapKey::I32(self.rng.random()),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => MapKey::I64(self.rng.random()),
            Kind::Uint32 | Kind::Fixed32 => MapKey::U32(self.rng.random()),
            Kind::Uint64 | Kind::Fixed64 => MapKey::U64(self.rng.random()),
            Kind::Bool => MapKey::Bool(self.rng.random()),
            other => unreachable!("{other:?} is no key"),
        }
    }

    fn single(&mut self, field: &FieldDescriptor, about: Option<&str>, depth: usize) -> Value {
        match field.kind() {
            Kind::Double => Value::F64(self.number()),
            Kind::Float => Value::F32(self.number() as f32),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                Value::I32(self.pick(&[0, 1, -1, 7, 50, 1_001, i32::MAX, i32::MIN]))
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                Value::I64(self.pick(&[0, 1, -1, 7, 5_000, i64::MAX, i64::MIN]))
            }
            Kind::Uint32 | Kind::Fixed32 => Value::U32(self.pick(&[0, 1, 7, u32::MAX])),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(self.pick(&[0, 1, 7, u64::MAX])),
            Kind::Bool => Value::Bool(self.rng.random()),
            Kind::String => Value::String(self.string(field.name(), about)),
            Kind::Bytes => Value::Bytes(self.noise(64).into()),
            Kind::Enum(values) => Value::EnumNumber(self.enumerated(&values)),
            Kind::Message(message) => Value::Message(self.message(&message, about, depth + 1)),
        }
    }

    fn number(&mut self) -> f64 {
        self.pick(&[
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            0.8,
            28.0,
            1e-310,
            1e308,
            f64::MIN,
            f64::EPSILON,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ])
    }

    fn enumerated(&mut self, values: &EnumDescriptor) -> i32 {
        let known: Vec<i32> = values.values().map(|value| value.number()).collect();
        if self.chance(85) { self.pick(&known) } else { self.pick(&[-1, 99, i32::MAX, i32::MIN]) }
    }

    /// Mostly a text that the field's name asks for.
    fn string(&mut self, field: &str, about: Option<&str>) -> String {
        if self.chance(20) {
            return self.text();
        }
        let id = self.pick(IDS);
        match field {
            "parent" => "workspaces/acme".to_owned(),
            "display_name" | "title" | "summary" | "description" => format!("{field} of {id}"),
            "request_id" | "etag" | "page_token" | "filter" | "order_by" => String::new(),
            "user" | "event" | "event_id" | "id" => id.to_owned(),
            "name" | "dependency" => format!("workspaces/acme/{}/{id}", about.unwrap_or("things")),
            "time_zone" => "UTC".to_owned(),
            field if field.ends_with("_id") => id.to_owned(),
            field => match self
                .collections
                .iter()
                .find(|(_, c)| c.trim_end_matches('s') == field || c == field)
                .map(|(_, c)| c.clone())
            {
                Some(collection) => format!("workspaces/acme/{collection}/{id}"),
                None => self.text(),
            },
        }
    }

    fn text(&mut self) -> String {
        if self.chance(2) {
            let unit = self.pick(&["x", "é", "(", "a OR ", "\u{1f4a9}"]);
            return unit.repeat(HUGE / unit.len());
        }
        self.pick(TEXTS).to_owned()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from.choose(&mut self.rng).unwrap()
    }
}
