//! Metrics.

use waymark_domain::metrics::{Metric, MetricDirection, MetricStage};
use waymark_domain::{Violations, text};

use super::measure::{kind_message, measure};
use crate::convert::{meta, set_meta};
use crate::metrics::v1 as pb;

impl TryFrom<pb::Metric> for Metric {
    type Error = Violations;
    fn try_from(message: pb::Metric) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta = meta(&mut violations, &message);
        let direction = match message.direction() {
            pb::MetricDirection::Unspecified | pb::MetricDirection::Increase => MetricDirection::Increase,
            pb::MetricDirection::Decrease => MetricDirection::Decrease,
        };
        let stage = match message.stage() {
            pb::MetricStage::Unspecified => None,
            pb::MetricStage::Acquisition => Some(MetricStage::Acquisition),
            pb::MetricStage::Activation => Some(MetricStage::Activation),
            pb::MetricStage::Retention => Some(MetricStage::Retention),
            pb::MetricStage::Revenue => Some(MetricStage::Revenue),
            pb::MetricStage::Referral => Some(MetricStage::Referral),
        };
        let kind = message.kind();
        let description = violations.check("description", text::optional(message.description, 2_000));
        let unit = violations.check("unit", text::optional(message.unit, 30));
        let measure = measure(&mut violations, kind, message.events, message.property, message.filters);
        match (meta, description, unit, measure) {
            (Some(meta), Some(description), Some(unit), Some(measure)) if violations.is_empty() => {
                Ok(Self { meta, description, measure, unit, direction, stage })
            }
            _ => Err(violations),
        }
    }
}

impl From<&Metric> for pb::Metric {
    fn from(metric: &Metric) -> Self {
        let (kind, property) = kind_message(metric.measure.kind());
        let direction = match metric.direction {
            MetricDirection::Increase => pb::MetricDirection::Increase,
            MetricDirection::Decrease => pb::MetricDirection::Decrease,
        };
        let stage = match metric.stage {
            None => pb::MetricStage::Unspecified,
            Some(MetricStage::Acquisition) => pb::MetricStage::Acquisition,
            Some(MetricStage::Activation) => pb::MetricStage::Activation,
            Some(MetricStage::Retention) => pb::MetricStage::Retention,
            Some(MetricStage::Revenue) => pb::MetricStage::Revenue,
            Some(MetricStage::Referral) => pb::MetricStage::Referral,
        };
        let mut message = Self {
            description: metric.description.clone(),
            kind: kind.into(),
            events: metric.measure.events().to_vec(),
            property,
            filters: metric.measure.filters().iter().map(Into::into).collect(),
            unit: metric.unit.clone(),
            direction: direction.into(),
            stage: stage.into(),
            ..Self::default()
        };
        set_meta(&mut message, &metric.meta);
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::timestamp;
    use pbjson_types::Value;
    use proptest::prelude::*;

    fn message() -> pb::Metric {
        let time = Some(timestamp(chrono::DateTime::from_timestamp(1_770_000_000, 0).unwrap()));
        pb::Metric {
            name: "workspaces/acme/metrics/orders".into(),
            uid: uuid::Uuid::nil().to_string(),
            display_name: "Orders".into(),
            etag: "1".into(),
            create_time: time,
            update_time: time,
            kind: pb::MetricKind::Sum.into(),
            events: vec!["ordered".into()],
            property: "amount".into(),
            direction: pb::MetricDirection::Increase.into(),
            ..Default::default()
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof!["[a-z]{0,8}".prop_map(Value::from), (-1e9..1e9_f64).prop_map(Value::from), any::<bool>().prop_map(Value::from)]
    }

    fn filter() -> impl Strategy<Value = pb::PropertyFilter> {
        let several = (1..=2_i32, prop::collection::vec(value(), 1..5));
        let number = (3..=6_i32, (-1e9..1e9_f64).prop_map(|number| vec![Value::from(number)]));
        let none = (7..=8_i32, Just(Vec::new()));
        ("[a-z]{1,8}", prop_oneof![several, number, none]).prop_map(|(property, (operator, values))| pb::PropertyFilter {
            property,
            operator,
            values,
        })
    }

    proptest! {
        #[test]
        fn a_metric_prints_what_it_parsed(
            filters in prop::collection::vec(filter(), 0..4),
            (kind, direction, stage) in (1..=3_i32, 1..=2_i32, 0..=5_i32),
            unit in "[a-zA-Z%€]{0,10}",
        ) {
            let property = if kind == 3 { "amount".to_owned() } else { String::new() };
            let message = pb::Metric { kind, direction, stage, property, filters, unit, ..message() };
            let metric = Metric::try_from(message.clone()).unwrap();
            prop_assert_eq!(pb::Metric::from(&metric), message);
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let filter = |property: &str, operator: pb::PropertyOperator, values: Vec<Value>| pb::PropertyFilter {
            property: property.into(),
            operator: operator.into(),
            values,
        };
        let wrong = pb::Metric {
            display_name: String::new(),
            kind: pb::MetricKind::Count.into(),
            unit: "x".repeat(31),
            filters: vec![
                filter("plan", pb::PropertyOperator::Unspecified, vec![]),
                filter("plan", pb::PropertyOperator::Less, vec!["3".into()]),
                filter("", pb::PropertyOperator::Present, vec![]),
                filter("plan", pb::PropertyOperator::Absent, vec![true.into()]),
                filter("plan", pb::PropertyOperator::Equal, vec![Value { kind: None }]),
            ],
            ..message()
        };
        let fields: Vec<_> = Metric::try_from(wrong).unwrap_err().into_vec().into_iter().map(|v| v.field).collect();
        assert_eq!(
            fields,
            [
                "display_name",
                "unit",
                "property",
                "filters[0].operator",
                "filters[1].values",
                "filters[2]",
                "filters[3].values",
                "filters[4].values[0]"
            ]
        );
    }
}
