//! How events become a number: which events count, and what is counted of them. Never computes one; that is the lake's
//! work.

use strum::IntoStaticStr;

use super::scalar::Scalar;

/// Which events count and what is counted of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    kind: MeasureKind,
    events: Vec<String>,
    filters: Vec<PropertyFilter>,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum MeasureKind {
    /// Events.
    Count,
    /// Different users.
    UniqueUsers,
    /// The sum of this numeric property.
    Sum(String),
}

/// A condition on one top-level property.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertyFilter {
    property: String,
    condition: Condition,
}

/// What a property must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Any of these; never empty.
    AnyOf(Vec<Scalar>),
    /// None of these, or absent; never empty.
    NoneOf(Vec<Scalar>),
    /// A number in this order to that one.
    Number(NumberOrder, f64),
    /// There, and not null.
    Present,
    /// Not there, or null.
    Absent,
}

/// An order of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberOrder {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// Why a measure is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MeasureError {
    /// The same event twice.
    #[error("names {0:?} twice")]
    Repeated(String),
    /// No value.
    #[error("must name the values to compare with")]
    NoValue,
    /// Not a number.
    #[error("must be finite numbers")]
    NotFinite,
}

impl Measure {
    /// A measure of events with any of these names, or of all when none is named, that meet all of these filters.
    pub fn new(kind: MeasureKind, events: Vec<String>, filters: Vec<PropertyFilter>) -> Result<Self, MeasureError> {
        for (index, event) in events.iter().enumerate() {
            if events[..index].contains(event) {
                return Err(MeasureError::Repeated(event.clone()));
            }
        }
        Ok(Self { kind, events, filters })
    }

    /// What is counted.
    pub fn kind(&self) -> &MeasureKind {
        &self.kind
    }

    /// The names of the events that count; none when all do.
    pub fn events(&self) -> &[String] {
        &self.events
    }

    /// What an event must meet to count.
    pub fn filters(&self) -> &[PropertyFilter] {
        &self.filters
    }
}

impl PropertyFilter {
    /// A filter on `property`.
    pub fn new(property: String, condition: Condition) -> Result<Self, MeasureError> {
        match &condition {
            Condition::AnyOf(values) | Condition::NoneOf(values) => {
                if values.is_empty() {
                    return Err(MeasureError::NoValue);
                }
                if values.iter().any(|value| matches!(value, Scalar::Number(number) if !number.is_finite())) {
                    return Err(MeasureError::NotFinite);
                }
            }
            Condition::Number(_, number) if !number.is_finite() => return Err(MeasureError::NotFinite),
            Condition::Number(..) | Condition::Present | Condition::Absent => {}
        }
        Ok(Self { property, condition })
    }

    /// The property's name.
    pub fn property(&self) -> &str {
        &self.property
    }

    /// What it must be.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }
}

impl Condition {
    /// Whether a property of this value meets it; `None` is a property that is absent or null.
    pub fn holds(&self, value: Option<&Scalar>) -> bool {
        match self {
            Self::AnyOf(values) => value.is_some_and(|value| values.contains(value)),
            Self::NoneOf(values) => value.is_none_or(|value| !values.contains(value)),
            Self::Number(order, bound) => {
                value.and_then(Scalar::as_number).is_some_and(|number| order.holds(number, *bound))
            }
            Self::Present => value.is_some(),
            Self::Absent => value.is_none(),
        }
    }
}

impl NumberOrder {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(names: &[&str]) -> Vec<String> {
        names.iter().map(|&n| n.to_owned()).collect()
    }

    #[test]
    fn a_measure_names_its_events_once() {
        assert!(Measure::new(MeasureKind::Count, events(&["a", "b"]), vec![]).is_ok());
        assert_eq!(
            Measure::new(MeasureKind::Count, events(&["a", "b", "a"]), vec![]),
            Err(MeasureError::Repeated("a".into()))
        );
    }

    #[test]
    fn a_filter_compares_with_something_finite() {
        let filter = |condition| PropertyFilter::new("plan".into(), condition);
        assert!(filter(Condition::AnyOf(vec![Scalar::Text("team".into())])).is_ok());
        assert_eq!(filter(Condition::NoneOf(vec![])), Err(MeasureError::NoValue));
        assert_eq!(filter(Condition::AnyOf(vec![Scalar::Number(f64::NAN)])), Err(MeasureError::NotFinite));
        assert_eq!(filter(Condition::Number(NumberOrder::Less, f64::INFINITY)), Err(MeasureError::NotFinite));
    }

    #[test]
    fn conditions_do_not_convert_types_and_absence_is_not_a_value() {
        let five = Scalar::Number(5.0);
        let text = Scalar::Text("5".to_owned());
        let number = |order, bound, value| Condition::Number(order, bound).holds(value);
        assert!(Condition::AnyOf(vec![five.clone()]).holds(Some(&five)));
        assert!(!Condition::AnyOf(vec![five.clone()]).holds(Some(&text)));
        assert!(Condition::NoneOf(vec![five.clone()]).holds(None));
        assert!(!Condition::NoneOf(vec![five.clone()]).holds(Some(&five)));
        assert!(number(NumberOrder::LessOrEqual, 5.0, Some(&five)) && !number(NumberOrder::Less, 5.0, Some(&five)));
        assert!(number(NumberOrder::GreaterOrEqual, 5.0, Some(&five)));
        assert!(number(NumberOrder::Greater, 4.9, Some(&five)) && !number(NumberOrder::Greater, 5.0, Some(&five)));
        assert!(!number(NumberOrder::GreaterOrEqual, 0.0, Some(&text)) && !number(NumberOrder::Greater, 0.0, None));
        assert!(Condition::Present.holds(Some(&text)) && Condition::Absent.holds(None));
    }
}
