//! The columns of the event table: those that every table has, and those of properties that have one. Never makes or
//! reads rows.
//!
//! A property gets a column of one type when it is common enough (`promote.rs`). The table's schema in the Delta log says
//! so: the column's metadata name the property. Values of that type stand in the column, all others stay in the
//! remainder, the JSON of `properties`; and files of before the column have everything in the remainder. So a property
//! is what the column says, or else what the remainder says (`property.rs`).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use deltalake::kernel::{DataType as DeltaType, MetadataValue, PrimitiveType, StructField, StructType};
use twox_hash::XxHash64;

/// The one property that has a column in every table, because sums over it are common.
pub const REVENUE: &str = "revenue";

/// Column names, in table order.
pub(crate) mod column {
    pub const USER_HASH: &str = "user_hash";
    pub const TIME: &str = "time";
    pub const RECEIVED: &str = "received";
    pub const EVENT: &str = "event";
    pub const EVENT_ID: &str = "event_id";
    pub const USER: &str = "user";
    pub const DEVICE: &str = "device";
    pub const SESSION: &str = "session";
    pub const REVENUE: &str = "revenue";
    pub const PROPERTIES: &str = "properties";
    pub const IMPORTS: &str = "imports";
}

/// Files are sorted by these, ascending. `received` makes the first of several duplicates the one that arrived first.
pub(crate) const SORT_ORDER: [&str; 3] = [column::USER_HASH, column::TIME, column::RECEIVED];

/// What an event says beside who did it, when, and its properties.
pub(crate) const CONTENT: [&str; 4] = [column::EVENT, column::USER, column::DEVICE, column::SESSION];

/// Where a column's metadata say of which property it is.
const PROPERTY: &str = "waymark.property";

/// How much of a property's name its column shows where it cannot show it as it is.
const SHOWN: usize = 40;

static FIXED: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    vec![
        Field::new(column::USER_HASH, DataType::Int64, false),
        Field::new(column::TIME, time(), false),
        Field::new(column::RECEIVED, time(), false),
        Field::new(column::EVENT, Kind::Text.arrow(), false),
        Field::new(column::EVENT_ID, DataType::Utf8, false),
        Field::new(column::USER, DataType::Utf8, false),
        Field::new(column::DEVICE, DataType::Utf8, true),
        Field::new(column::SESSION, DataType::Utf8, true),
        Field::new(column::REVENUE, Kind::Number.arrow(), true),
        Field::new(column::PROPERTIES, DataType::Utf8, true),
        // Files of before imports were told apart lack it, which reads as null.
        Field::new(column::IMPORTS, Kind::Text.arrow(), true),
    ]
});

/// The type of a property's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Text,
    /// A number that a double holds; see `waymark_domain::metrics::Scalar`.
    Number,
    Flag,
}

impl Kind {
    fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Self::Number => DataType::Float64,
            Self::Flag => DataType::Boolean,
        }
    }

    fn delta(self) -> PrimitiveType {
        match self {
            Self::Text => PrimitiveType::String,
            Self::Number => PrimitiveType::Double,
            Self::Flag => PrimitiveType::Boolean,
        }
    }

    fn of(declared: &DeltaType) -> Option<Self> {
        [Self::Text, Self::Number, Self::Flag].into_iter().find(|kind| *declared == DeltaType::Primitive(kind.delta()))
    }
}

/// A property that has a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Promoted {
    pub property: String,
    pub column: String,
    pub kind: Kind,
}

/// The columns of a table at one version.
#[derive(Debug)]
pub(crate) struct Columns {
    arrow: SchemaRef,
    promoted: Vec<Promoted>,
    /// Of each property that has a column, which of `promoted` it is.
    places: HashMap<String, usize>,
}

impl Columns {
    /// The columns that the log declares, and those that every table has.
    pub(crate) fn declared(schema: &StructType) -> Self {
        let told = schema.fields().filter_map(|field| match field.metadata().get(PROPERTY) {
            Some(MetadataValue::String(property)) => Some(Promoted {
                property: property.clone(),
                column: field.name().clone(),
                kind: Kind::of(field.data_type())?,
            }),
            _ => None,
        });
        Self::new(told)
    }

    pub(crate) fn new(promoted: impl IntoIterator<Item = Promoted>) -> Self {
        let revenue = Promoted { property: REVENUE.to_owned(), column: column::REVENUE.to_owned(), kind: Kind::Number };
        let (mut all, mut places) = (Vec::new(), HashMap::new());
        for promoted in std::iter::once(revenue).chain(promoted) {
            if let std::collections::hash_map::Entry::Vacant(place) = places.entry(promoted.property.clone()) {
                place.insert(all.len());
                all.push(promoted);
            }
        }
        let more = all.iter().skip(1).map(|promoted| Field::new(&promoted.column, promoted.kind.arrow(), true));
        let arrow = Arc::new(Schema::new(FIXED.iter().cloned().chain(more).collect::<Vec<_>>()));
        Self { arrow, promoted: all, places }
    }

    /// The Arrow schema of files and of rows in memory: first what every table has, in its order.
    pub(crate) fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// The names of all columns, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.arrow.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// The properties that have a column.
    pub(crate) fn promoted(&self) -> &[Promoted] {
        &self.promoted
    }

    /// Which of them a property is.
    pub(crate) fn place(&self, property: &str) -> Option<usize> {
        self.places.get(property).copied()
    }

    /// A property's column.
    pub(crate) fn of(&self, property: &str) -> Option<&Promoted> {
        self.place(property).map(|place| &self.promoted[place])
    }
}

/// The columns that every table has, as Delta declares them.
pub(crate) fn delta_columns() -> Vec<StructField> {
    let declare = |field: &Field| {
        let kind = match field.data_type() {
            DataType::Int64 => PrimitiveType::Long,
            DataType::Float64 => PrimitiveType::Double,
            DataType::Timestamp(..) => PrimitiveType::Timestamp,
            _ => PrimitiveType::String,
        };
        StructField::new(field.name().clone(), DeltaType::Primitive(kind), field.is_nullable())
    };
    FIXED.iter().map(declare).collect()
}

/// The declaration of a column for a property; its name may be taken.
pub(crate) fn delta_column(property: &str, kind: Kind) -> StructField {
    let field = StructField::new(column_name(property), DeltaType::Primitive(kind.delta()), true);
    field.with_metadata([(PROPERTY, MetadataValue::String(property.to_owned()))])
}

/// What a property's column is called. Plain names are shown as they are; of all others a part and a hash, as engines
/// differ in which characters, lengths and upper cases they tell apart. The beginnings keep the two kinds from each
/// other and from the columns that every table has.
fn column_name(property: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !property.is_empty() && property.len() <= SHOWN && property.bytes().all(is_plain) {
        return format!("p_{property}");
    }
    let shown = property.chars().take(SHOWN).map(|letter| match letter.to_ascii_lowercase() {
        letter if u8::try_from(letter).is_ok_and(is_plain) => letter,
        _ => '_',
    });
    format!("x_{}_{:016x}", shown.collect::<String>(), XxHash64::oneshot(0, property.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn columns_of_properties_have_names_that_every_engine_tells_apart() {
        assert_eq!(column_name("plan"), "p_plan");
        assert!(column_name("Plan").starts_with("x_plan_"));
        let long = "p".repeat(200);
        let names = [
            "plan",
            "Plan",
            "PLAN",
            "pl\u{e4}n",
            "pl\u{430}n",
            "utm.source",
            "utm_source",
            "utm source",
            "time",
            "p_plan",
            "x_plan",
            "$os",
            "",
            "{}",
            "a\nb",
            "\u{1f600}",
            &long,
            &long[1..],
            "user_hash",
            "event_id",
        ];
        let columns: HashSet<String> = names.iter().map(|name| column_name(name).to_lowercase()).collect();
        assert_eq!(columns.len(), names.len());
        for column in &columns {
            assert!(column.len() <= 60 && column.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{column}");
            assert!(FIXED.iter().all(|field| field.name() != column));
        }
    }

    #[test]
    fn what_is_declared_is_read_back() {
        let fields =
            delta_columns().into_iter().chain([delta_column("Plan", Kind::Text), delta_column("ok", Kind::Flag)]);
        let columns = Columns::declared(&StructType::try_new(fields).unwrap());
        let found: Vec<_> =
            ["Plan", "ok", "plan", "revenue"].map(|name| columns.of(name).map(|found| found.kind)).into();
        assert_eq!(found, [Some(Kind::Text), Some(Kind::Flag), None, Some(Kind::Number)]);
        assert_eq!(columns.arrow().fields().len(), FIXED.len() + 2);
    }
}
