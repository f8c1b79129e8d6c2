//! Funnels: the question, with what its preset and the defaults fill in.

use chrono::TimeDelta;
use waymark_domain::metrics::{
    Attribution, Funnel, FunnelBreakdown, FunnelExclusion, FunnelPreset, FunnelSettings, FunnelStep, Step, zone,
};
use waymark_domain::{Period, Violations};

use super::measure::filters_of;
use crate::Choice as _;
use crate::convert::{time, timestamp, whole};
use crate::metrics::v1 as pb;

/// The funnel of a request, if all of it is right; each part is blamed under its own name.
pub fn funnel(
    violations: &mut Violations,
    steps: Vec<pb::FunnelStep>,
    settings: Option<pb::FunnelSettings>,
) -> Option<Funnel> {
    let wanted = steps.len();
    let steps = steps.into_iter().enumerate();
    let steps = steps.filter_map(|(index, step)| violations.nested(&format!("steps[{index}]"), step.try_into()));
    let steps: Vec<FunnelStep> = steps.collect();
    // That there are settings is checked of every message.
    let settings = violations.nested("settings", settings?.try_into())?;
    (steps.len() == wanted).then_some(())?;
    violations.nested("", Funnel::new(steps, settings))
}

impl TryFrom<pb::FunnelStep> for FunnelStep {
    type Error = Violations;
    fn try_from(message: pb::FunnelStep) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let filters = filters_of(&mut violations, message.filters);
        let step = filters.map(|filters| Self { step: Step::new(message.event, filters), optional: message.optional });
        whole(violations, step)
    }
}

impl TryFrom<pb::FunnelExclusion> for FunnelExclusion {
    type Error = Violations;
    fn try_from(message: pb::FunnelExclusion) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let effect = message.effect().domain();
        let (after, before) = (message.after_step.unsigned_abs() as usize, message.before_step.unsigned_abs() as usize);
        let filters = filters_of(&mut violations, message.filters);
        let exclusion = filters.zip(effect).map(|(filters, effect)| Self {
            event: Step::new(message.event, filters),
            after,
            before: if before == 0 { after + 1 } else { before },
            effect,
        });
        whole(violations, exclusion)
    }
}

impl TryFrom<pb::FunnelSettings> for FunnelSettings {
    type Error = Violations;
    fn try_from(message: pb::FunnelSettings) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let start = time(&mut violations, "start_time", message.start_time);
        let end = time(&mut violations, "end_time", message.end_time);
        let entries = start.zip(end).and_then(|(start, end)| violations.check("end_time", Period::new(start, end)));
        let zone = violations.check("time_zone", zone(&message.time_zone));
        let breakdown = breakdown(&mut violations, &message);
        let mut exclusions = Vec::with_capacity(message.exclusions.len());
        for (index, message) in message.exclusions.iter().enumerate() {
            exclusions.extend(violations.nested(&format!("exclusions[{index}]"), message.clone().try_into()));
        }
        let preset: Option<FunnelPreset> = message.preset().domain();
        let settings = (|| {
            let mut settings = preset?.settings(entries?);
            let window = &mut settings.window;
            window.scope = message.window_scope().domain().unwrap_or(window.scope);
            window.unit = message.window_unit().domain().unwrap_or(window.unit);
            window.arithmetic = message.window_arithmetic().domain().unwrap_or(window.arithmetic);
            window.boundary = message.window_boundary().domain().unwrap_or(window.boundary);
            window.length = message.window_length.map_or(window.length, i32::unsigned_abs);
            settings.entry = message.entry().domain().unwrap_or(settings.entry);
            settings.order = message.order().domain().unwrap_or(settings.order);
            settings.ties = message.ties().domain().unwrap_or(settings.ties);
            settings.reuse = message.event_reuse().domain().unwrap_or(settings.reuse);
            settings.grace = TimeDelta::seconds(message.grace_seconds_or_default().into());
            settings.session_gap = TimeDelta::minutes(message.session_gap_minutes_or_default().into());
            settings.week_start = message.week_start().domain()?;
            settings.interval = message.interval().domain().filter(|_| message.trend);
            settings.zone = zone?;
            settings.breakdown = breakdown;
            settings.exclusions = exclusions;
            settings.ignored = message.ignored_events;
            settings.held = message.held_properties;
            Some(settings)
        })();
        whole(violations, settings)
    }
}

fn breakdown(violations: &mut Violations, message: &pb::FunnelSettings) -> Option<FunnelBreakdown> {
    let attribution = message.attribution();
    if message.breakdown.is_empty() {
        let mut unused = |field: &str, is_set: bool, unset: &str| {
            if is_set {
                violations.add(field, format!("must be {unset} unless breakdown is set"));
            }
        };
        unused("breakdown_limit", message.breakdown_limit != 0, "0");
        unused("attribution", attribution != pb::FunnelAttribution::Unspecified, "unset");
    }
    if attribution != pb::FunnelAttribution::Step && message.attribution_step != 0 {
        violations.add("attribution_step", "must be 0 unless attribution is STEP");
    }
    let attribution = match attribution {
        pb::FunnelAttribution::Unspecified | pb::FunnelAttribution::First => Attribution::First,
        pb::FunnelAttribution::Last => Attribution::Last,
        pb::FunnelAttribution::Step => Attribution::Step(message.attribution_step.unsigned_abs() as usize),
        pb::FunnelAttribution::All => Attribution::All,
    };
    let limit = message.breakdown_limit_or_default().unsigned_abs();
    let property = Some(message.breakdown.clone()).filter(|property| !property.is_empty());
    property.map(|property| FunnelBreakdown { property, limit, attribution })
}

impl From<&FunnelSettings> for pb::FunnelSettings {
    fn from(settings: &FunnelSettings) -> Self {
        let breakdown = settings.breakdown.as_ref();
        let (attribution, attribution_step) = match breakdown.map(|breakdown| breakdown.attribution) {
            None => (pb::FunnelAttribution::Unspecified, 0),
            Some(Attribution::First) => (pb::FunnelAttribution::First, 0),
            Some(Attribution::Last) => (pb::FunnelAttribution::Last, 0),
            // Each was read from an i32.
            Some(Attribution::Step(step)) => (pb::FunnelAttribution::Step, step as i32),
            Some(Attribution::All) => (pb::FunnelAttribution::All, 0),
        };
        Self {
            start_time: Some(timestamp(settings.entries.start())),
            end_time: Some(timestamp(settings.entries.end())),
            preset: pb::FunnelPreset::of(settings.preset),
            entry: pb::FunnelEntry::of(settings.entry),
            order: pb::FunnelOrder::of(settings.order),
            ignored_events: settings.ignored.clone(),
            window_scope: pb::FunnelWindowScope::of(settings.window.scope),
            window_length: Some(settings.window.length.cast_signed()),
            window_unit: pb::FunnelWindowUnit::of(settings.window.unit),
            window_arithmetic: pb::FunnelWindowArithmetic::of(settings.window.arithmetic),
            window_boundary: pb::FunnelWindowBoundary::of(settings.window.boundary),
            ties: pb::FunnelEventTies::of(settings.ties),
            grace_seconds: settings.grace.num_seconds() as i32,
            event_reuse: pb::FunnelEventReuse::of(settings.reuse),
            exclusions: settings.exclusions.iter().map(Into::into).collect(),
            held_properties: settings.held.clone(),
            breakdown: breakdown.map(|breakdown| breakdown.property.clone()).unwrap_or_default(),
            breakdown_limit: breakdown.map_or(0, |breakdown| breakdown.limit.cast_signed()),
            attribution: attribution.into(),
            attribution_step,
            session_gap_minutes: settings.session_gap.num_minutes() as i32,
            time_zone: settings.zone.name().to_owned(),
            week_start: pb::WeekStart::of(settings.week_start),
            trend: settings.interval.is_some(),
            interval: pb::TrendInterval::of_any(settings.interval),
        }
    }
}

impl From<&FunnelExclusion> for pb::FunnelExclusion {
    fn from(exclusion: &FunnelExclusion) -> Self {
        Self {
            event: exclusion.event.event().to_owned(),
            filters: exclusion.event.filters().iter().map(Into::into).collect(),
            after_step: exclusion.after as i32,
            before_step: exclusion.before as i32,
            effect: pb::FunnelExclusionEffect::of(exclusion.effect),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> crate::Timestamp {
        crate::Timestamp { seconds, nanos: 0 }
    }

    fn settings() -> pb::FunnelSettings {
        pb::FunnelSettings { start_time: Some(at(0)), end_time: Some(at(86_400)), ..Default::default() }
    }

    fn request(events: usize, settings: pb::FunnelSettings) -> pb::QueryFunnelRequest {
        let step = |number| pb::FunnelStep { event: format!("e{number}"), ..Default::default() };
        let steps = (0..events).map(step).collect();
        pb::QueryFunnelRequest { parent: "workspaces/w".into(), steps, settings: Some(settings) }
    }

    fn parsed(request: pb::QueryFunnelRequest) -> Result<Funnel, Vec<String>> {
        let mut violations = crate::check(&request);
        let funnel = funnel(&mut violations, request.steps, request.settings);
        let fields: Vec<String> = violations.into_vec().into_iter().map(|violation| violation.field).collect();
        funnel.filter(|_| fields.is_empty()).ok_or(fields)
    }

    #[test]
    fn an_answer_says_all_that_was_used_and_asking_that_is_the_same_question() {
        let stated = pb::FunnelSettings {
            preset: pb::FunnelPreset::Amplitude.into(),
            order: pb::FunnelOrder::Strict.into(),
            window_length: Some(2),
            breakdown: "plan".into(),
            attribution: pb::FunnelAttribution::Step.into(),
            attribution_step: 1,
            exclusions: vec![pb::FunnelExclusion { event: "x".into(), after_step: 1, ..Default::default() }],
            held_properties: vec!["order".into()],
            ignored_events: vec!["seen".into()],
            trend: true,
            ..settings()
        };
        let funnel = parsed(request(3, stated)).unwrap();
        let said = pb::FunnelSettings::from(funnel.settings());
        assert_eq!((said.ties(), said.entry()), (pb::FunnelEventTies::Grace, pb::FunnelEntry::LatestStart));
        assert_eq!((said.window_length, said.window_unit()), (Some(2), pb::FunnelWindowUnit::Day));
        assert_eq!((said.interval(), said.breakdown_limit, said.session_gap_minutes), (pb::TrendInterval::Day, 10, 30));
        assert_eq!((said.time_zone.as_str(), said.grace_seconds), ("UTC", 1));
        assert_eq!(
            (said.exclusions[0].before_step, said.exclusions[0].effect()),
            (2, pb::FunnelExclusionEffect::Remove)
        );
        assert_eq!(parsed(request(3, said)).unwrap(), funnel);
    }

    #[test]
    fn what_peers_do_is_said() {
        let window = |preset: pb::FunnelPreset| {
            let funnel = parsed(request(2, pb::FunnelSettings { preset: preset.into(), ..settings() })).unwrap();
            let said = pb::FunnelSettings::from(funnel.settings());
            (said.window_length.unwrap_or_default(), said.entry(), said.event_reuse())
        };
        let (latest, once) = (pb::FunnelEntry::LatestStart, pb::FunnelEventReuse::Once);
        assert_eq!(window(pb::FunnelPreset::Unspecified), (7, latest, once));
        assert_eq!(window(pb::FunnelPreset::Clickhouse), (7, latest, pb::FunnelEventReuse::EveryStep));
        assert_eq!(window(pb::FunnelPreset::Posthog), (14, latest, once));
        assert_eq!(window(pb::FunnelPreset::Mixpanel), (30, pb::FunnelEntry::FirstEntry, once));
    }

    #[test]
    fn all_that_is_wrong_is_blamed() {
        let wrong = |events, settings| parsed(request(events, settings)).unwrap_err();
        assert_eq!(wrong(1, settings()), ["steps"]);
        assert_eq!(wrong(33, settings()), ["steps"]);
        assert_eq!(wrong(2, pb::FunnelSettings { window_length: Some(0), ..settings() }), ["settings.window_length"]);
        assert_eq!(wrong(2, pb::FunnelSettings { end_time: Some(at(0)), ..settings() }), ["settings.end_time"]);
        let mars =
            pb::FunnelSettings { time_zone: "Mars".into(), breakdown_limit: 3, attribution_step: 1, ..settings() };
        let fields = ["settings.time_zone", "settings.breakdown_limit", "settings.attribution_step"];
        assert_eq!(wrong(2, mars), fields);
        let nothing = pb::QueryFunnelRequest { settings: None, ..request(2, settings()) };
        assert_eq!(parsed(nothing).unwrap_err(), ["settings"]);
        let filter = pb::PropertyFilter { property: "plan".into(), ..Default::default() };
        let mut filtered = request(2, settings());
        filtered.steps[1].filters = vec![filter];
        assert_eq!(parsed(filtered).unwrap_err(), ["steps[1].filters[0].operator"]);
    }
}
