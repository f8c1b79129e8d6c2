//! Settings of trends.

use waymark_domain::Violations;
use waymark_domain::metrics::{Breakdown, Interval, TrendSettings, WeekStart, zone};

use crate::convert::{time, timestamp};
use crate::metrics::v1 as pb;

/// The settings of a request, their paths prefixed with `settings`.
pub fn settings(violations: &mut Violations, message: Option<pb::TrendSettings>) -> Option<TrendSettings> {
    let Some(message) = message else {
        violations.add("settings", "must be set, at least start_time and end_time");
        return None;
    };
    violations.nested("settings", message.try_into())
}

/// How long an interval is; a day when the message does not say.
pub(super) fn interval(message: pb::TrendInterval) -> Interval {
    match message {
        pb::TrendInterval::Unspecified | pb::TrendInterval::Day => Interval::Day,
        pb::TrendInterval::Week => Interval::Week,
        pb::TrendInterval::Month => Interval::Month,
    }
}

/// The message of an interval.
pub(super) fn interval_message(interval: Interval) -> pb::TrendInterval {
    match interval {
        Interval::Day => pb::TrendInterval::Day,
        Interval::Week => pb::TrendInterval::Week,
        Interval::Month => pb::TrendInterval::Month,
    }
}

impl TryFrom<pb::TrendSettings> for TrendSettings {
    type Error = Violations;
    fn try_from(message: pb::TrendSettings) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let interval = interval(message.interval());
        let week_start = match message.week_start() {
            pb::WeekStart::Unspecified | pb::WeekStart::Monday => WeekStart::Monday,
            pb::WeekStart::Sunday => WeekStart::Sunday,
        };
        for (field, value) in [("start_time", &message.start_time), ("end_time", &message.end_time)] {
            if value.is_none() {
                violations.add(field, "must be set");
            }
        }
        let start = time(&mut violations, "start_time", message.start_time);
        let end = time(&mut violations, "end_time", message.end_time);
        let zone = violations.check("time_zone", zone(&message.time_zone));
        let limit = message.breakdown_limit;
        let breakdown = if message.breakdown.is_empty() {
            if limit != 0 {
                violations.add("breakdown_limit", "must be 0 unless breakdown is set");
            }
            None
        } else {
            violations.check("breakdown", Breakdown::new(message.breakdown, limit.into()))
        };
        let settings = match (start, end, zone) {
            (Some(start), Some(end), Some(zone)) => violations.check("end_time", Self::new(start, end, interval, zone)),
            _ => None,
        };
        match settings {
            Some(mut settings) if violations.is_empty() => {
                settings.week_start = week_start;
                settings.breakdown = breakdown;
                Ok(settings)
            }
            _ => Err(violations),
        }
    }
}

impl From<&TrendSettings> for pb::TrendSettings {
    fn from(settings: &TrendSettings) -> Self {
        let week_start = match settings.week_start {
            WeekStart::Monday => pb::WeekStart::Monday,
            WeekStart::Sunday => pb::WeekStart::Sunday,
        };
        let breakdown = settings.breakdown.as_ref();
        Self {
            start_time: Some(timestamp(settings.start())),
            end_time: Some(timestamp(settings.end())),
            interval: interval_message(settings.interval).into(),
            time_zone: settings.zone.name().to_owned(),
            week_start: week_start.into(),
            breakdown: breakdown.map(|b| b.property().to_owned()).unwrap_or_default(),
            // At most 100.
            breakdown_limit: breakdown.map_or(0, |b| b.limit() as i32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> pbjson_types::Timestamp {
        pbjson_types::Timestamp { seconds, nanos: 0 }
    }

    #[test]
    fn defaults_are_filled_in() {
        let message = pb::TrendSettings {
            start_time: Some(at(0)),
            end_time: Some(at(86_400)),
            breakdown: "plan".into(),
            ..Default::default()
        };
        let answered = pb::TrendSettings::from(&TrendSettings::try_from(message).unwrap());
        assert_eq!(answered.time_zone, "UTC");
        assert_eq!((answered.interval(), answered.week_start()), (pb::TrendInterval::Day, pb::WeekStart::Monday));
        assert_eq!(answered.breakdown_limit, 10);
        assert_eq!(pb::TrendSettings::from(&TrendSettings::try_from(answered.clone()).unwrap()), answered);
    }

    #[test]
    fn each_wrong_setting_is_named() {
        let fields = |message| {
            let mut violations = Violations::new();
            assert!(settings(&mut violations, message).is_none());
            violations.into_vec().into_iter().map(|v| v.field).collect::<Vec<_>>()
        };
        assert_eq!(fields(None), ["settings"]);
        let message = pb::TrendSettings {
            start_time: Some(at(10)),
            time_zone: "Mars".into(),
            breakdown_limit: 3,
            ..Default::default()
        };
        assert_eq!(fields(Some(message)), ["settings.end_time", "settings.time_zone", "settings.breakdown_limit"]);
        let message = pb::TrendSettings { start_time: Some(at(10)), end_time: Some(at(10)), ..Default::default() };
        assert_eq!(fields(Some(message)), ["settings.end_time"]);
    }
}
