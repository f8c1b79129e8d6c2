//! Retention, lifecycle and stickiness: the questions, with what the defaults fill in.

use waymark_domain::metrics::{Activity, Retention, RetentionSettings, Step, Stickiness, TrendSettings, zone};
use waymark_domain::{Period, Violations};

use super::measure::filters_of;
use super::trend::settings;
use crate::Choice as _;
use crate::convert::{time, timestamp, whole};
use crate::metrics::v1 as pb;

/// The retention that a request asks for, if all of it is right; each part is blamed under its own name.
pub fn retention(violations: &mut Violations, request: pb::QueryRetentionRequest) -> Option<Retention> {
    // That there are a start and settings is checked of every message.
    let start = request.start.and_then(|start| violations.nested("start", Step::try_from(start)));
    let returning = match request.returning {
        Some(returning) => violations.nested("returning", returning.try_into()),
        None => start.clone(),
    };
    let settings = violations.nested("settings", request.settings?.try_into());
    violations.nested("", Retention::new(start?, returning?, settings?))
}

impl TryFrom<pb::RetentionEvent> for Step {
    type Error = Violations;
    fn try_from(message: pb::RetentionEvent) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let filters = filters_of(&mut violations, message.filters);
        whole(violations, filters.map(|filters| Self::new(message.event, filters)))
    }
}

impl TryFrom<pb::RetentionSettings> for RetentionSettings {
    type Error = Violations;
    fn try_from(message: pb::RetentionSettings) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let start = time(&mut violations, "start_time", message.start_time);
        let end = time(&mut violations, "end_time", message.end_time);
        let range = start.zip(end).and_then(|(start, end)| violations.check("end_time", Period::new(start, end)));
        let zone = violations.check("time_zone", zone(&message.time_zone));
        let settings = (|| {
            Some(Self {
                range: range?,
                start: message.start().domain()?,
                interval: message.interval().domain()?,
                periods_from: message.periods_from().domain()?,
                count: message.periods_or_default().unsigned_abs(),
                mode: message.mode().domain()?,
                brackets: message.brackets.iter().map(|period| period.unsigned_abs()).collect(),
                denominator: message.denominator().domain()?,
                occurrences: message.min_occurrences_or_default().unsigned_abs(),
                zone: zone?,
                week_start: message.week_start().domain()?,
            })
        })();
        whole(violations, settings)
    }
}

impl From<&RetentionSettings> for pb::RetentionSettings {
    fn from(settings: &RetentionSettings) -> Self {
        Self {
            start_time: Some(timestamp(settings.range.start())),
            end_time: Some(timestamp(settings.range.end())),
            start: pb::RetentionStart::of(settings.start),
            interval: pb::RetentionInterval::of(settings.interval),
            periods_from: pb::RetentionPeriods::of(settings.periods_from),
            periods: settings.count.cast_signed(),
            mode: pb::RetentionMode::of(settings.mode),
            brackets: settings.brackets.iter().map(|period| period.cast_signed()).collect(),
            denominator: pb::RetentionDenominator::of(settings.denominator),
            min_occurrences: settings.occurrences.cast_signed(),
            time_zone: settings.zone.name().to_owned(),
            week_start: pb::WeekStart::of(settings.week_start),
        }
    }
}

/// What makes users active, and the settings that a request asks by, which have no breakdown.
pub fn activity(
    violations: &mut Violations,
    events: Vec<String>,
    filters: Vec<pb::PropertyFilter>,
    message: Option<pb::TrendSettings>,
) -> Option<(Activity, TrendSettings)> {
    for (index, event) in events.iter().enumerate() {
        if events[..index].contains(event) {
            violations.add(format!("events[{index}]"), "is there twice");
        }
    }
    let filters = filters_of(violations, filters);
    let settings = settings(violations, message);
    if settings.as_ref().is_some_and(|settings| settings.breakdown.is_some()) {
        violations.add("settings.breakdown", "must be empty: this is told of all users alike");
    }
    Some((Activity { events, filters: filters? }, settings?))
}

/// The stickiness that a request asks for.
pub fn stickiness(violations: &mut Violations, request: pb::QueryStickinessRequest) -> Option<Stickiness> {
    let occurrences = request.min_occurrences_or_default().unsigned_abs();
    let (activity, settings) = activity(violations, request.events, request.filters, request.settings)?;
    Some(Stickiness { activity, settings, occurrences })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(settings: pb::RetentionSettings) -> Result<Retention, Vec<String>> {
        let start = Some(pb::RetentionEvent { event: "a".into(), ..Default::default() });
        let request = pb::QueryRetentionRequest {
            parent: "workspaces/w".into(),
            start,
            settings: Some(settings),
            ..Default::default()
        };
        let mut violations = crate::check(&request);
        let retention = retention(&mut violations, request);
        let fields: Vec<String> = violations.into_vec().into_iter().map(|violation| violation.field).collect();
        retention.filter(|_| fields.is_empty()).ok_or(fields)
    }

    fn settings() -> pb::RetentionSettings {
        let at = |seconds| Some(crate::Timestamp { seconds, nanos: 0 });
        pb::RetentionSettings { start_time: at(0), end_time: at(86_400), ..Default::default() }
    }

    #[test]
    fn an_answer_says_all_that_was_used_and_asking_that_is_the_same_question() {
        let retention = asked(settings()).unwrap();
        assert_eq!(retention.start(), retention.returns(), "they come back for the same");
        let said = pb::RetentionSettings::from(retention.settings());
        assert_eq!((said.start(), said.interval()), (pb::RetentionStart::FirstEver, pb::RetentionInterval::Week));
        assert_eq!((said.periods, said.min_occurrences, said.time_zone.as_str()), (8, 1, "UTC"));
        assert_eq!(asked(said).unwrap(), retention);
    }

    #[test]
    fn all_that_is_wrong_is_blamed() {
        let wrong = |settings| asked(settings).unwrap_err();
        assert_eq!(wrong(pb::RetentionSettings { time_zone: "Mars".into(), ..settings() }), ["settings.time_zone"]);
        assert_eq!(wrong(pb::RetentionSettings { periods: 367, ..settings() }), ["settings.periods"]);
        assert_eq!(wrong(pb::RetentionSettings { brackets: vec![1, 2], ..settings() }), ["settings.brackets"]);
        let backwards = pb::RetentionSettings { end_time: settings().start_time, ..settings() };
        assert_eq!(wrong(backwards), ["settings.end_time"]);
        let mut violations = Violations::new();
        let by = Some(pb::TrendSettings {
            start_time: settings().start_time,
            end_time: settings().end_time,
            breakdown: "plan".into(),
            ..Default::default()
        });
        activity(&mut violations, vec!["a".into(), "a".into()], Vec::new(), by);
        let fields: Vec<String> = violations.into_vec().into_iter().map(|violation| violation.field).collect();
        assert_eq!(fields, ["events[1]", "settings.breakdown"]);
    }
}
