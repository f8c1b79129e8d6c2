//! Frictions: the question, and the answer to it.

use waymark_domain::Violations;
use waymark_domain::metrics::{
    Answer, Correlate, Entries, Friction, MinUsers, Path, Properties, Question, Scalar, Step, Window,
};

use super::measure::{filters_of, scalar, typed_value};
use crate::convert::{meta, range, set_meta, time, timestamp, whole};
use crate::metrics::v1 as pb;
use crate::{Choice as _, ResourceMessage, Standard};

impl TryFrom<pb::Friction> for Friction {
    type Error = Violations;
    fn try_from(message: pb::Friction) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta = meta(&mut violations, &message);
        let users = users(&mut violations, &message.steps);
        let question = question(&mut violations, &message);
        let lost_share = range(&mut violations, "lost_share", message.lost_share);
        let mut correlates = Vec::with_capacity(message.correlates.len());
        for (index, message) in message.correlates.into_iter().enumerate() {
            correlates.extend(violations.nested(&format!("correlates[{index}]"), Correlate::try_from(message)));
        }
        let left_out = message.entries_left_out.unsigned_abs();
        let watermark = time(&mut violations, "watermark", message.watermark);
        let answer = Answer { users, lost_share, correlates, left_out, watermark };
        let friction = (|| Some(Self { meta: meta?, question: question?, answer }))();
        whole(violations, friction)
    }
}

impl From<&Friction> for pb::Friction {
    fn from(friction: &Friction) -> Self {
        let Friction { meta, question, answer } = friction;
        let Question { path, entries, properties, min_users, ties } = question;
        let step = |(index, step): (usize, &Step)| pb::FrictionStep {
            event: step.event().to_owned(),
            filters: step.filters().iter().map(Into::into).collect(),
            users: answer.users.get(index).copied().unwrap_or_default().cast_signed(),
            lost: answer.loss(index).lost.cast_signed(),
        };
        let mut message = Self {
            steps: path.steps().iter().enumerate().map(step).collect(),
            window_days: path.window().days().into(),
            start_time: Some(timestamp(entries.start())),
            end_time: Some(timestamp(entries.end())),
            properties: properties.names().to_vec(),
            // Both were read from an i32, or are smaller.
            min_users: min_users.get().cast_signed(),
            worst_step: answer.worst().map_or(0, |loss| loss.step as i32),
            lost_share: answer.lost_share.as_ref().map(Into::into),
            correlates: answer.correlates.iter().map(Into::into).collect(),
            entries_left_out: answer.left_out.cast_signed(),
            watermark: answer.watermark.map(timestamp),
            ties: pb::FrictionTies::of(*ties),
            ..Self::default()
        };
        set_meta(&mut message, meta);
        message
    }
}

/// The question that a caller's message asks, as a friction that nobody has answered: what only the service sets is
/// ignored, and a name for people is made when there is none. Of the standard fields only that and the labels are the
/// caller's; the others stand in until the store completes them.
pub fn asked(mut message: pb::Friction) -> Result<Friction, Violations> {
    message.clear_output_only();
    for step in &mut message.steps {
        (step.users, step.lost) = (0, 0);
    }
    let named = !message.display_name.is_empty();
    let epoch = Some(crate::Timestamp::default());
    let given = message.standard();
    message.set_standard(Standard {
        name: "workspaces/x/frictions/x".to_owned(),
        uid: uuid::Uuid::nil().to_string(),
        display_name: if named { given.display_name } else { "x".to_owned() },
        etag: "0".to_owned(),
        create_time: epoch,
        update_time: epoch,
        delete_time: None,
        labels: given.labels,
    });
    let mut friction: Friction = crate::parse(message)?;
    if !named {
        friction.meta.display_name = friction.question.path.title();
    }
    Ok(friction)
}

fn question(violations: &mut Violations, message: &pb::Friction) -> Option<Question> {
    let mut steps = Vec::with_capacity(message.steps.len());
    for (index, step) in message.steps.iter().enumerate() {
        steps.extend(violations.nested(&format!("steps[{index}]"), Step::try_from(step.clone())));
    }
    let start = time(violations, "start_time", message.start_time);
    let end = time(violations, "end_time", message.end_time);
    let entries = start.zip(end).and_then(|(start, end)| violations.check("end_time", Entries::new(start, end)));
    let properties = violations.check("properties", Properties::new(message.properties.clone()));
    // What is wrong with numbers was said of their fields.
    let window = Window::new(u16::try_from(message.window_days_or_default()).ok()?);
    let min_users = MinUsers::new(u32::try_from(message.min_users_or_default()).ok()?);
    let (path, ties) = (Path::new(steps, window), message.ties().domain()?);
    Some(Question { path, entries: entries?, properties: properties?, min_users, ties })
}

impl TryFrom<pb::FrictionStep> for Step {
    type Error = Violations;
    fn try_from(message: pb::FrictionStep) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let filters = filters_of(&mut violations, message.filters);
        whole(violations, filters.map(|filters| Self::new(message.event, filters)))
    }
}

impl TryFrom<pb::FrictionCorrelate> for Correlate {
    type Error = Violations;
    fn try_from(message: pb::FrictionCorrelate) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let (users, lost) = (message.users.unsigned_abs(), message.lost.unsigned_abs());
        if lost > users {
            violations.add("lost", "must be at most users");
        }
        let difference = range(&mut violations, "difference", message.difference);
        let value = match message.typed_value {
            _ if message.absent => Some(None),
            // Of answers that say no type.
            None => Some(Some(Scalar::Text(message.value))),
            Some(value) => violations.check("typed_value", scalar(value)).map(Some),
        };
        let property = message.property;
        let correlate = difference.zip(value);
        whole(violations, correlate.map(|(difference, value)| Self { property, value, users, lost, difference }))
    }
}

impl From<&Correlate> for pb::FrictionCorrelate {
    fn from(correlate: &Correlate) -> Self {
        let Correlate { property, value, users, lost, difference } = correlate;
        Self {
            property: property.clone(),
            value: value.as_ref().map(ToString::to_string).unwrap_or_default(),
            typed_value: value.as_ref().map(typed_value),
            absent: value.is_none(),
            users: users.cast_signed(),
            lost: lost.cast_signed(),
            lost_share: if *users == 0 { 0.0 } else { *lost as f64 / *users as f64 },
            difference: Some(difference.into()),
        }
    }
}

/// The users of the steps, which do not become more on the way.
fn users(violations: &mut Violations, steps: &[pb::FrictionStep]) -> Vec<u64> {
    let mut most = u64::MAX;
    let mut users = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let reached = step.users.unsigned_abs();
        if reached > most {
            violations.add(format!("steps[{index}].users"), "must be at most those of the step before");
        }
        most = reached;
        users.push(reached);
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::v1::Range;
    use crate::convert::metrics::metric::tests::filter;
    use proptest::prelude::*;

    #[expect(clippy::unnecessary_wraps, reason = "a time in a message may be unset")]
    fn at(seconds: i64) -> Option<crate::Timestamp> {
        Some(crate::Timestamp { seconds, nanos: 0 })
    }

    fn asking(events: &[&str]) -> pb::Friction {
        let step = |&event: &&str| pb::FrictionStep { event: event.to_owned(), ..Default::default() };
        pb::Friction {
            steps: events.iter().map(step).collect(),
            start_time: at(0),
            end_time: at(86_400),
            ..Default::default()
        }
    }

    fn correlate() -> impl Strategy<Value = pb::FrictionCorrelate> {
        let value = prop_oneof![
            "[a-z]{0,9}".prop_map(Scalar::Text),
            (-9..9_i32).prop_map(|number| Scalar::Number(number.into())),
            any::<bool>().prop_map(Scalar::Boolean),
        ];
        ("[a-z]{1,9}", prop::option::of(value), 1..1_000_i64, 0..1_000_i64, -1.0..1.0_f64).prop_map(
            |(property, value, users, lost, likely)| {
                let lost = lost.min(users);
                pb::FrictionCorrelate {
                    property,
                    absent: value.is_none(),
                    typed_value: value.as_ref().map(typed_value),
                    value: value.map(|value| value.to_string()).unwrap_or_default(),
                    users,
                    lost,
                    lost_share: lost as f64 / users as f64,
                    difference: Some(Range { low: likely - 0.1, likely, high: likely + 0.1 }),
                }
            },
        )
    }

    fn answered() -> impl Strategy<Value = pb::Friction> {
        let step = ("[a-z]{1,9}", prop::collection::vec(filter(), 0..4), 0..1_000_i64);
        let steps = prop::collection::vec(step, 2..=10);
        let settings =
            (1..=90_i32, 1..=366_i64, 1..=1_000_000_i32, prop::collection::btree_set("[a-z]{1,9}", 0..10), 1..=3_i32);
        let results =
            (prop::option::of(0.0..1.0_f64), prop::collection::vec(correlate(), 0..10), 0..1_000_i64, any::<bool>());
        (steps, settings, results).prop_map(
            |(mut steps, (window_days, days, min_users, properties, ties), (share, correlates, left, known))| {
                steps.sort_by_key(|(_, _, users)| -users);
                let mut before = None;
                let steps: Vec<_> = steps
                    .into_iter()
                    .map(|(event, filters, users)| {
                        let lost = before.replace(users).map_or(0, |before| before - users);
                        pb::FrictionStep { event, filters, users, lost }
                    })
                    .collect();
                let most = steps.iter().map(|step| step.lost).max().unwrap_or_default();
                let worst_step =
                    steps.iter().position(|step| step.lost == most).filter(|_| most > 0).unwrap_or_default() as i32;
                pb::Friction {
                    name: "workspaces/acme/frictions/activation".into(),
                    uid: uuid::Uuid::nil().to_string(),
                    display_name: "Activation".into(),
                    etag: "1".into(),
                    create_time: at(1_770_000_000),
                    update_time: at(1_770_000_000),
                    steps,
                    window_days,
                    start_time: at(1_770_000_000),
                    end_time: at(1_770_000_000 + 86_400 * days),
                    properties: properties.into_iter().collect(),
                    min_users,
                    worst_step,
                    lost_share: share.map(|likely| Range { low: 0.0, likely, high: 1.0 }),
                    correlates,
                    entries_left_out: left,
                    watermark: at(1_780_000_000).filter(|_| known),
                    ties,
                    ..Default::default()
                }
            },
        )
    }

    proptest! {
        #[test]
        fn a_friction_prints_what_it_parsed(message in answered()) {
            let parsed = crate::parse::<Friction, _>(message.clone()).unwrap();
            prop_assert_eq!(pb::Friction::from(&parsed), message);
        }
    }

    fn fields(result: Result<Friction, Violations>) -> Vec<String> {
        result.unwrap_err().into_vec().into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn a_caller_asks_and_does_not_answer() {
        let mut message = asking(&["a", "b"]);
        message.steps[1].users = -3;
        message.worst_step = 7;
        message.entries_left_out = -1;
        message.watermark = at(i64::MAX);
        message.correlates.push(pb::FrictionCorrelate::default());
        let asked = asked(message).unwrap();
        assert_eq!(asked.answer, Answer::none(&asked.question.path));
        assert_eq!(asked.meta.display_name, "From a to b");
        let printed = pb::Friction::from(&asked);
        assert_eq!((printed.window_days, printed.min_users), (7, 30), "the defaults are said");
        assert_eq!(printed.ties(), pb::FrictionTies::Inclusive);
    }

    #[test]
    fn all_that_is_wrong_is_blamed() {
        let unstated = pb::PropertyFilter { property: "plan".into(), ..Default::default() };
        let mut message = asking(&["a", " "]);
        message.steps[0].filters = vec![unstated];
        message.window_days = 91;
        message.end_time = message.start_time;
        message.properties = vec!["plan".into(), "plan".into()];
        message.min_users = -1;
        let wrong =
            ["steps[0].filters[0].operator", "steps[1].event", "window_days", "min_users", "end_time", "properties"];
        assert_eq!(fields(asked(message)), wrong);
        let nothing = pb::Friction { window_days: -1, ..Default::default() };
        assert_eq!(fields(asked(nothing)), ["steps", "window_days", "start_time", "end_time"]);
        let present = pb::PropertyFilter {
            operator: pb::PropertyOperator::Present.into(),
            property: "plan".into(),
            values: vec![],
        };
        let mut many = asking(&["a"; 11]);
        many.steps[3].filters = vec![present; 11];
        assert_eq!(fields(asked(many)), ["steps"]);
    }

    #[test]
    fn an_answer_that_contradicts_itself_is_refused() {
        let answered = |change: fn(&mut pb::Friction)| {
            let whole = asked(asking(&["a", "b"])).unwrap();
            let mut message = pb::Friction::from(&whole);
            change(&mut message);
            fields(crate::parse::<Friction, _>(message))
        };
        assert_eq!(answered(|message| message.steps[1].users = 1), ["steps[1].users"]);
        assert_eq!(answered(|message| message.steps[0].users = -1), ["steps[0].users"]);
        let more = |message: &mut pb::Friction| {
            message.correlates.push(pb::FrictionCorrelate { lost: 1, ..Default::default() });
        };
        assert_eq!(answered(more), ["correlates[0].difference", "correlates[0].lost"]);
    }
}
