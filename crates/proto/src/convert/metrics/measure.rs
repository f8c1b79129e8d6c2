//! How events become a number: the four fields that metrics and trends share.

use pbjson_types::Value;
use pbjson_types::value::Kind;
use waymark_domain::Violations;
use waymark_domain::metrics::{Condition, Measure, MeasureKind, NumberOrder, PropertyFilter, Scalar};

use crate::metrics::v1 as pb;

/// The measure that `kind`, `events`, `property` and `filters` describe; each is blamed under its own name.
pub fn measure(
    violations: &mut Violations,
    kind: pb::MetricKind,
    events: Vec<String>,
    property: String,
    filters: Vec<pb::PropertyFilter>,
) -> Option<Measure> {
    if kind == pb::MetricKind::Sum && property.trim().is_empty() {
        violations.add("property", "must name the numeric property to sum");
    }
    if kind != pb::MetricKind::Sum && !property.is_empty() {
        violations.add("property", "must be empty unless kind is SUM");
    }
    let kind = match kind {
        pb::MetricKind::Unspecified => None,
        pb::MetricKind::Count => Some(MeasureKind::Count),
        pb::MetricKind::UniqueUsers => Some(MeasureKind::UniqueUsers),
        pb::MetricKind::Sum if property.trim().is_empty() => None,
        pb::MetricKind::Sum => Some(MeasureKind::Sum(property)),
    };
    let filters = filters_of(violations, filters)?;
    violations.check("events", Measure::new(kind?, events, filters))
}

/// The filters of a message, if all are right; each is blamed under its index in `filters`.
pub(super) fn filters_of(
    violations: &mut Violations,
    messages: Vec<pb::PropertyFilter>,
) -> Option<Vec<PropertyFilter>> {
    let wanted = messages.len();
    let filters: Vec<_> = messages
        .into_iter()
        .enumerate()
        .filter_map(|(index, message)| violations.nested(&format!("filters[{index}]"), filter(message)))
        .collect();
    (filters.len() == wanted).then_some(filters)
}

fn filter(message: pb::PropertyFilter) -> Result<PropertyFilter, Violations> {
    let mut violations = Violations::new();
    let operator = message.operator();
    let values: Option<Vec<Scalar>> = message
        .values
        .into_iter()
        .enumerate()
        .map(|(i, value)| violations.check(&format!("values[{i}]"), scalar(value)))
        .collect();
    let Some(values) = values else {
        return Err(violations);
    };
    let number = |order, values: &[Scalar]| match values {
        [Scalar::Number(number)] => Ok(Condition::Number(order, *number)),
        _ => Err("must be exactly one number"),
    };
    let none = |condition, values: &[Scalar]| {
        if values.is_empty() { Ok(condition) } else { Err("must be empty for this operator") }
    };
    let condition = match operator {
        pb::PropertyOperator::Unspecified => return Err(violations),
        pb::PropertyOperator::Equal => Ok(Condition::AnyOf(values)),
        pb::PropertyOperator::NotEqual => Ok(Condition::NoneOf(values)),
        pb::PropertyOperator::Less => number(NumberOrder::Less, &values),
        pb::PropertyOperator::LessOrEqual => number(NumberOrder::LessOrEqual, &values),
        pb::PropertyOperator::Greater => number(NumberOrder::Greater, &values),
        pb::PropertyOperator::GreaterOrEqual => number(NumberOrder::GreaterOrEqual, &values),
        pb::PropertyOperator::Present => none(Condition::Present, &values),
        pb::PropertyOperator::Absent => none(Condition::Absent, &values),
    };
    let condition = condition.map_err(|reason| Violations::one("values", reason))?;
    PropertyFilter::new(message.property, condition).map_err(|error| Violations::one("values", error.to_string()))
}

/// The value that a message has.
pub(super) fn scalar(value: Value) -> Result<Scalar, &'static str> {
    match value.kind {
        Some(Kind::StringValue(text)) => Ok(Scalar::Text(text)),
        Some(Kind::NumberValue(number)) => Ok(Scalar::Number(number)),
        Some(Kind::BoolValue(flag)) => Ok(Scalar::Boolean(flag)),
        None | Some(Kind::NullValue(_)) => Err("must be a text, number or boolean; ask for null with ABSENT"),
        Some(Kind::StructValue(_) | Kind::ListValue(_)) => Err("must be a text, number or boolean"),
    }
}

/// The kind and the property of a measure.
pub(super) fn kind_message(kind: &MeasureKind) -> (pb::MetricKind, String) {
    match kind {
        MeasureKind::Count => (pb::MetricKind::Count, String::new()),
        MeasureKind::UniqueUsers => (pb::MetricKind::UniqueUsers, String::new()),
        MeasureKind::Sum(property) => (pb::MetricKind::Sum, property.clone()),
    }
}

impl From<&PropertyFilter> for pb::PropertyFilter {
    fn from(filter: &PropertyFilter) -> Self {
        let values = |scalars: &[Scalar]| scalars.iter().map(typed_value).collect();
        let (operator, values) = match filter.condition() {
            Condition::AnyOf(scalars) => (pb::PropertyOperator::Equal, values(scalars)),
            Condition::NoneOf(scalars) => (pb::PropertyOperator::NotEqual, values(scalars)),
            Condition::Number(order, number) => (operator(*order), vec![(*number).into()]),
            Condition::Present => (pb::PropertyOperator::Present, Vec::new()),
            Condition::Absent => (pb::PropertyOperator::Absent, Vec::new()),
        };
        Self { property: filter.property().to_owned(), operator: operator.into(), values }
    }
}

fn operator(order: NumberOrder) -> pb::PropertyOperator {
    match order {
        NumberOrder::Less => pb::PropertyOperator::Less,
        NumberOrder::LessOrEqual => pb::PropertyOperator::LessOrEqual,
        NumberOrder::Greater => pb::PropertyOperator::Greater,
        NumberOrder::GreaterOrEqual => pb::PropertyOperator::GreaterOrEqual,
    }
}

/// A value with its type.
pub fn typed_value(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Text(text) => text.clone().into(),
        Scalar::Number(number) => (*number).into(),
        Scalar::Boolean(flag) => (*flag).into(),
    }
}
