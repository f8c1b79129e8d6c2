//! Metrics, their alerts and readings.

use chrono::TimeDelta;
use waymark_domain::metrics::{Alert, FalseAlarms, Limit, Metric, Threshold, Usual, Watch, zone};
use waymark_domain::{Reading, Side, Violations};

use super::measure::{kind_message, measure};
use crate::Choice as _;
use crate::common::v1 as common;
use crate::convert::{meta, set_meta, whole};
use crate::metrics::v1 as pb;

impl TryFrom<pb::Metric> for Metric {
    type Error = Violations;
    fn try_from(message: pb::Metric) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta = meta(&mut violations, &message);
        let (kind, direction, stage) = (message.kind(), message.direction().domain(), message.stage().domain());
        let measure = measure(&mut violations, kind, message.events, message.property, message.filters);
        let alert = message.alert.and_then(|alert| violations.nested("alert", Alert::try_from(alert)));
        let breach = message.breach.and_then(|breach| violations.nested("breach", Reading::try_from(breach)));
        let latest = message.latest.and_then(|latest| violations.nested("latest", Reading::try_from(latest)));
        let withdrawn = message.withdrawn.and_then(|none| violations.nested("withdrawn", Reading::try_from(none)));
        // Where an update takes the alert away, what was found by it goes too.
        let watch = alert.map(|alert| Watch { alert, breach, withdrawn, usual: message.usual.map(Into::into) });
        let metric = (|| {
            let (meta, measure, direction) = (meta?, measure?, direction?);
            let (description, unit) = (message.description, message.unit);
            Some(Self { meta, description, measure, unit, direction, stage, watch, latest })
        })();
        whole(violations, metric)
    }
}

impl From<&Metric> for pb::Metric {
    fn from(metric: &Metric) -> Self {
        let (kind, property) = kind_message(metric.measure.kind());
        let mut message = Self {
            description: metric.description.clone(),
            kind: kind.into(),
            events: metric.measure.events().to_vec(),
            property,
            filters: metric.measure.filters().iter().map(Into::into).collect(),
            unit: metric.unit.clone(),
            direction: pb::MetricDirection::of(metric.direction),
            stage: pb::MetricStage::of_any(metric.stage),
            alert: metric.watch.as_ref().map(|watch| (&watch.alert).into()),
            breach: metric.watch.as_ref().and_then(|watch| watch.breach.as_ref()).map(Into::into),
            withdrawn: metric.watch.as_ref().and_then(|watch| watch.withdrawn.as_ref()).map(Into::into),
            usual: metric.watch.and_then(|watch| watch.usual).map(Into::into),
            latest: metric.latest.as_ref().map(Into::into),
            ..Self::default()
        };
        set_meta(&mut message, &metric.meta);
        message
    }
}

impl TryFrom<pb::MetricAlert> for Alert {
    type Error = Violations;
    fn try_from(message: pb::MetricAlert) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let condition = message.condition();
        let limit = match (message.threshold, message.unusual) {
            (None, Some(unusual)) => {
                Some(Limit::Unusual(FalseAlarms(unusual.false_alarms_or_default()), condition.domain()))
            }
            (Some(_), Some(_)) => {
                violations.add("unusual", "must not be set beside a threshold: an alert is of one or the other");
                None
            }
            (None, None) => {
                violations.add("threshold", "must be set, unless unusual is: 0 is said, not assumed");
                None
            }
            (Some(threshold), None) => {
                let threshold = violations.check("threshold", Threshold::new(threshold));
                let side = violations.nested("condition", condition.stated::<Side>(""));
                threshold.zip(side).map(|(threshold, side)| Limit::Threshold(threshold, side))
            }
        };
        let interval = message.interval().domain();
        let zone = violations.check("time_zone", zone(&message.time_zone));
        let delay = TimeDelta::hours(message.arrival_hours.into());
        let alert = (|| Some(Self { limit: limit?, interval: interval?, zone: zone?, delay }))();
        whole(violations, alert)
    }
}

impl From<&Alert> for pb::MetricAlert {
    fn from(alert: &Alert) -> Self {
        let (threshold, unusual, side) = match alert.limit {
            Limit::Threshold(threshold, side) => (Some(threshold.value()), None, Some(side)),
            Limit::Unusual(FalseAlarms(false_alarms), side) => (None, Some(pb::UnusualAlert { false_alarms }), side),
        };
        Self {
            threshold,
            unusual,
            condition: pb::AlertCondition::of_any(side),
            interval: pb::TrendInterval::of(alert.interval),
            time_zone: alert.zone.name().to_owned(),
            // The contract's most is a week.
            arrival_hours: alert.delay.num_hours() as i32,
        }
    }
}

impl From<pb::MetricUsual> for Usual {
    fn from(message: pb::MetricUsual) -> Self {
        let pb::MetricUsual { value, low, high, tried, outside } = message;
        Self { value, low, high, tried: tried.cast_unsigned(), outside: outside.cast_unsigned() }
    }
}

impl From<Usual> for pb::MetricUsual {
    fn from(usual: Usual) -> Self {
        let Usual { value, low, high, tried, outside } = usual;
        Self { value, low, high, tried: tried.cast_signed(), outside: outside.cast_signed() }
    }
}

impl TryFrom<pb::MetricBreach> for Reading {
    type Error = Violations;
    fn try_from(message: pb::MetricBreach) -> Result<Self, Violations> {
        let pb::MetricBreach { start_time, end_time, value } = message;
        common::Reading { start_time, end_time, value }.try_into()
    }
}

impl From<&Reading> for pb::MetricBreach {
    fn from(reading: &Reading) -> Self {
        let common::Reading { start_time, end_time, value } = reading.into();
        Self { start_time, end_time, value }
    }
}

#[cfg(test)]
pub(super) mod tests {
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
        prop_oneof![
            "[a-z]{0,8}".prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(Value::from),
            any::<bool>().prop_map(Value::from)
        ]
    }

    pub(in crate::convert::metrics) fn filter() -> impl Strategy<Value = pb::PropertyFilter> {
        let several = (1..=2_i32, prop::collection::vec(value(), 1..5));
        let number = (3..=6_i32, (-1e9..1e9_f64).prop_map(|number| vec![Value::from(number)]));
        let none = (7..=8_i32, Just(Vec::new()));
        ("[a-z]{1,8}", prop_oneof![several, number, none])
            .prop_map(|(property, (operator, values))| pb::PropertyFilter { property, operator, values })
    }

    fn alert() -> impl Strategy<Value = pb::MetricAlert> {
        let zone = prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]);
        let limit = prop_oneof![
            (-1e9..1e9_f64, 1..=2_i32).prop_map(|(threshold, condition)| (Some(threshold), None, condition)),
            (0.01..0.5_f64, 0..=2_i32).prop_map(|(false_alarms, condition)| (
                None,
                Some(pb::UnusualAlert { false_alarms }),
                condition
            )),
        ];
        (limit, 1..=3_i32, zone, 0..=168_i32).prop_map(
            |((threshold, unusual, condition), interval, zone, arrival_hours)| pb::MetricAlert {
                threshold,
                condition,
                interval,
                time_zone: zone.to_owned(),
                arrival_hours,
                unusual,
            },
        )
    }

    fn breach() -> impl Strategy<Value = pb::MetricBreach> {
        let at = |seconds| Some(timestamp(chrono::DateTime::from_timestamp(seconds, 0).unwrap()));
        (0..4_000_000_000_i64, 1..3_000_000_i64, -1e9..1e9_f64).prop_map(move |(start, length, value)| {
            pb::MetricBreach { start_time: at(start), end_time: at(start + length), value }
        })
    }

    fn latest() -> impl Strategy<Value = common::Reading> {
        breach().prop_map(|pb::MetricBreach { start_time, end_time, value }| common::Reading {
            start_time,
            end_time,
            value,
        })
    }

    proptest! {
        #[test]
        fn a_metric_prints_what_it_parsed(
            filters in prop::collection::vec(filter(), 0..4),
            (kind, direction, stage) in (1..=3_i32, 1..=2_i32, 0..=5_i32),
            unit in "[a-zA-Z%€]{0,10}",
            watch in prop::option::of((alert(), prop::option::of(breach()), prop::option::of(breach()))),
            usual in prop::option::of((-1e9..1e9_f64, 0..400_i32)),
            latest in prop::option::of(latest()),
        ) {
            let (alert, breach, withdrawn) =
                watch.map_or((None, None, None), |(alert, breach, withdrawn)| (Some(alert), breach, withdrawn));
            let usual = usual.filter(|_| alert.is_some()).map(|(value, tried)| pb::MetricUsual {
                value,
                low: value - 1.0,
                high: value + 1.0,
                tried,
                outside: tried / 9,
            });
            let property = if kind == 3 { "amount".to_owned() } else { String::new() };
            let message = pb::Metric { kind, direction, stage, property, filters, unit, alert, breach, withdrawn, usual, latest, ..message() };
            let metric = crate::parse::<Metric, _>(message.clone()).unwrap();
            prop_assert_eq!(pb::Metric::from(&metric), message);
        }
    }

    #[test]
    fn an_alert_has_defaults_and_a_row_from_before_there_were_alerts_has_none() {
        let given =
            pb::MetricAlert { threshold: Some(0.0), condition: pb::AlertCondition::Above.into(), ..Default::default() };
        let metric = crate::parse::<Metric, _>(pb::Metric { alert: Some(given), ..message() }).unwrap();
        let said = pb::Metric::from(&metric).alert.unwrap();
        assert_eq!(
            (said.threshold, said.interval(), said.time_zone.as_str()),
            (Some(0.0), pb::TrendInterval::Day, "UTC")
        );

        let mut row = serde_json::to_value(message()).unwrap();
        assert!(row.get("alert").is_none() && row.get("breach").is_none(), "{row}");
        let metric = crate::parse::<Metric, _>(serde_json::from_value::<pb::Metric>(row.clone()).unwrap()).unwrap();
        assert_eq!(metric.watch, None);
        row["breach"] = serde_json::json!({ "startTime": "2026-03-01T00:00:00Z", "endTime": "2026-03-02T00:00:00Z" });
        let metric = crate::parse::<Metric, _>(serde_json::from_value::<pb::Metric>(row.clone()).unwrap()).unwrap();
        assert_eq!(pb::Metric::from(&metric).breach, None, "a breach is one of an alert");
        row.as_object_mut().unwrap().remove("breach");
        row["alert"] =
            serde_json::json!({ "threshold": 20.0, "condition": "ALERT_CONDITION_BELOW", "timeZone": "Europe/Berlin" });
        let metric = crate::parse::<Metric, _>(serde_json::from_value::<pb::Metric>(row).unwrap()).unwrap();
        assert_eq!(metric.limit().as_deref(), Some("below 20"));
    }

    #[test]
    fn a_threshold_that_is_left_out_is_no_zero() {
        let alert = pb::MetricAlert { condition: pb::AlertCondition::Above.into(), ..Default::default() };
        let found = crate::parse::<Metric, _>(pb::Metric { alert: Some(alert), ..message() }).unwrap_err().into_vec();
        assert_eq!(found.iter().map(|v| v.field.as_str()).collect::<Vec<_>>(), ["alert.threshold"]);
        assert!(found[0].description.starts_with("must be set"), "{found:?}");
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
            alert: Some(pb::MetricAlert { threshold: Some(f64::NAN), time_zone: "Mars".into(), ..Default::default() }),
            breach: Some(pb::MetricBreach {
                end_time: Some(timestamp(chrono::DateTime::UNIX_EPOCH)),
                ..Default::default()
            }),
            latest: Some(common::Reading {
                start_time: Some(timestamp(chrono::DateTime::UNIX_EPOCH)),
                end_time: Some(timestamp(chrono::DateTime::UNIX_EPOCH)),
                value: 1.0,
            }),
            ..message()
        };
        let fields: Vec<_> =
            crate::parse::<Metric, _>(wrong).unwrap_err().into_vec().into_iter().map(|v| v.field).collect();
        assert_eq!(
            fields,
            [
                "display_name",
                "filters[0].operator",
                "filters[2].property",
                "unit",
                "alert.threshold",
                "breach.start_time",
                "property",
                "filters[1].values",
                "filters[3].values",
                "filters[4].values[0]",
                "alert.condition",
                "alert.time_zone",
                "latest.end_time",
            ]
        );
    }
}
