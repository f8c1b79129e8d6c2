//! Settings of trends.

use waymark_domain::Violations;
use waymark_domain::metrics::{Breakdown, BreakdownBy, TrendSettings, zone};

use crate::Choice as _;
use crate::convert::{time, timestamp, whole};
use crate::metrics::v1 as pb;

/// The settings of a request, their paths prefixed with `settings`.
pub fn settings(violations: &mut Violations, message: Option<pb::TrendSettings>) -> Option<TrendSettings> {
    violations.nested("settings", message?.try_into())
}

impl TryFrom<pb::TrendSettings> for TrendSettings {
    type Error = Violations;
    fn try_from(message: pb::TrendSettings) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let (interval, week_start) = (message.interval().domain(), message.week_start().domain());
        let start = time(&mut violations, "start_time", message.start_time);
        let end = time(&mut violations, "end_time", message.end_time);
        let zone = violations.check("time_zone", zone(&message.time_zone));
        let by = match (message.breakdown.is_empty(), message.breakdown_by_event) {
            (true, true) => Some(BreakdownBy::Event),
            (true, false) => None,
            (false, by_event) => {
                if by_event {
                    violations.add("breakdown_by_event", "must not be set together with breakdown");
                }
                Some(BreakdownBy::Property(message.breakdown.clone()))
            }
        };
        if by.is_none() && message.breakdown_limit != 0 {
            violations.add("breakdown_limit", "must be 0 unless breakdown or breakdown_by_event is set");
        }
        let limit = message.breakdown_limit_or_default().unsigned_abs();
        let breakdown = by.map(|by| Breakdown::new(by, limit));
        let settings = (|| {
            let settings = Self::new(start?, end?, interval?, zone?);
            let mut settings = violations.check("end_time", settings)?;
            (settings.week_start, settings.breakdown) = (week_start?, breakdown);
            Some(settings)
        })();
        whole(violations, settings)
    }
}

impl From<&TrendSettings> for pb::TrendSettings {
    fn from(settings: &TrendSettings) -> Self {
        let breakdown = settings.breakdown.as_ref();
        Self {
            start_time: Some(timestamp(settings.start())),
            end_time: Some(timestamp(settings.end())),
            interval: pb::TrendInterval::of(settings.interval),
            time_zone: settings.zone.name().to_owned(),
            week_start: pb::WeekStart::of(settings.week_start),
            breakdown: match breakdown.map(Breakdown::by) {
                Some(BreakdownBy::Property(property)) => property.clone(),
                Some(BreakdownBy::Event) | None => String::new(),
            },
            breakdown_by_event: breakdown.is_some_and(|b| *b.by() == BreakdownBy::Event),
            // At most 100.
            breakdown_limit: breakdown.map_or(0, |b| b.limit() as i32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> crate::Timestamp {
        crate::Timestamp { seconds, nanos: 0 }
    }

    #[test]
    fn defaults_are_filled_in() {
        let message = pb::TrendSettings {
            start_time: Some(at(0)),
            end_time: Some(at(86_400)),
            breakdown: "plan".into(),
            ..Default::default()
        };
        let answered = pb::TrendSettings::from(&crate::parse::<TrendSettings, _>(message).unwrap());
        assert_eq!(answered.time_zone, "UTC");
        assert_eq!((answered.interval(), answered.week_start()), (pb::TrendInterval::Day, pb::WeekStart::Monday));
        assert_eq!(answered.breakdown_limit, 10);
        let by_event = pb::TrendSettings { breakdown: String::new(), breakdown_by_event: true, ..answered.clone() };
        for answered in [answered, by_event] {
            assert_eq!(pb::TrendSettings::from(&crate::parse::<TrendSettings, _>(answered.clone()).unwrap()), answered);
        }
    }

    #[test]
    fn each_wrong_setting_is_named() {
        let fields = |message| {
            let violations = crate::parse::<TrendSettings, _>(message).unwrap_err();
            violations.into_vec().into_iter().map(|v| v.field).collect::<Vec<_>>()
        };
        let message = pb::TrendSettings {
            start_time: Some(at(10)),
            time_zone: "Mars".into(),
            breakdown_limit: 3,
            ..Default::default()
        };
        assert_eq!(fields(message), ["end_time", "time_zone", "breakdown_limit"]);
        let message = pb::TrendSettings {
            start_time: Some(at(0)),
            end_time: Some(at(10)),
            breakdown: "plan".into(),
            breakdown_by_event: true,
            ..Default::default()
        };
        assert_eq!(fields(message), ["breakdown_by_event"]);
        let message = pb::TrendSettings { start_time: Some(at(10)), end_time: Some(at(10)), ..Default::default() };
        assert_eq!(fields(message), ["end_time"]);
        let request = pb::QueryMetricRequest { name: "workspaces/w/metrics/m".into(), settings: None };
        assert_eq!(crate::check(&request).into_vec()[0].field, "settings");
    }
}
