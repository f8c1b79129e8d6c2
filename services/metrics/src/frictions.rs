//! Finds friction. Reads the lake outside of transactions; the answer is committed under the question's id, for the
//! first time or anew.

use std::convert::Infallible;

use chrono::{DateTime, Utc};
use waymark_domain::metrics::{Answer, Correlate, Friction, Question};
use waymark_domain::{Name, Range, ResourceId, Violations, WorkspaceId};
use waymark_lake as lake;
use waymark_proto::convert::metrics::asked;
use waymark_proto::metrics::v1 as pb;
use waymark_request::{Call, Written};
use waymark_stats::{Level, benjamini_hochberg, fisher_exact, proportion_difference, selected_level, wilson};
use waymark_store::{Error, Store, Write};

use crate::analysis::LakeFailure;
use crate::store::Frictions;

/// Answers the question and keeps the answer.
pub async fn find_friction(
    store: &Store,
    lake: &lake::Lake,
    call: &Call,
    request: pb::FindFrictionRequest,
) -> Result<Written<pb::Friction>, Error> {
    let etag = request.friction.as_ref().map(|friction| friction.etag.clone()).unwrap_or_default();
    let question = parse(&request.parent, &request.friction_id, request.friction)?;
    let answer = answer(lake, question.meta.name.workspace(), &question.question, store.now()).await?;
    let name = &question.meta.name.clone();
    store
        .write(call, name.workspace(), async move |write: &mut Write| {
            if write.is_free::<Frictions>(name).await? {
                let found = |friction: Friction| Ok::<_, Infallible>(friction.answer_with(answer));
                return write.create::<Frictions, _>(name.id().as_str(), (&question).into(), found);
            }
            match write.load::<Frictions>(name, &etag).await {
                Ok(known) => write.put::<Frictions>(known.ask(question).map_err(Error::rule)?.answer_with(answer)),
                Err(Error::Deleted(_)) => {
                    let found = async |_: &mut Write, known: Friction| {
                        Ok(known.ask(question).map_err(Error::rule)?.answer_with(answer))
                    };
                    write.undelete::<Frictions, _>(name, &etag, found).await
                }
                Err(error) => Err(error),
            }
        })
        .await
}

/// The question under its name, or all that is wrong with the request.
fn parse(parent: &str, id: &str, message: Option<pb::Friction>) -> Result<Friction, Violations> {
    let mut violations = Violations::new();
    let workspace: Option<WorkspaceId> = violations.check("parent", parent.parse());
    let given: Option<ResourceId> = if id.is_empty() { None } else { violations.check("friction_id", id.parse()) };
    let mut question = None;
    match message {
        None => violations.add("friction", "must be set"),
        Some(message) => question = violations.nested("friction", asked(message)),
    }
    let (Some(workspace), Some(mut question), true) = (workspace, question, violations.is_empty()) else {
        return Err(violations);
    };
    let id = match given {
        Some(id) => id,
        None => question.question.path.id().map_err(|error| Violations::one("friction_id", error.to_string()))?,
    };
    question.meta.name = Name::new(workspace, id);
    Ok(question)
}

/// What the lake says.
pub async fn answer(
    lake: &lake::Lake,
    workspace: &WorkspaceId,
    question: &Question,
    now: DateTime<Utc>,
) -> Result<Answer, Error> {
    let answered = match lake.path(workspace.id(), question, now).await {
        Ok(answered) => answered,
        // All else about the question was checked before.
        Err(lake::LakeError::InvalidQuery(problem)) => {
            return Err(Violations::one("friction.properties", problem).into());
        }
        Err(error) => return Err(LakeFailure(error).into()),
    };
    let mut answer = Answer {
        lost_share: None,
        correlates: Vec::new(),
        left_out: answered.entries_left_out,
        watermark: answered.watermark.received,
        users: answered.users,
    };
    if let Some(worst) = answer.worst() {
        let (lost, users) = (worst.lost, worst.users);
        answer.lost_share = share(lost, users);
        let comparable = answered.values.into_iter().filter(|value| question.min_users.compare(value.users, users));
        answer.correlates = Correlate::surest(found(comparable.collect(), lost, users));
    }
    Ok(answer)
}

/// A share with its 95 % interval.
fn share(lost: u64, users: u64) -> Option<Range> {
    let interval = wilson(lost, users, Level::P95).ok()?;
    Range::new(interval.low, lost as f64 / users as f64, interval.high).ok()
}

/// The values whose users are lost more or less often than all others of the step, by more than chance explains. Among
/// thousands of values that mean nothing some always look as if they did, so both the tests and the intervals allow for
/// how many there are.
fn found(values: Vec<lake::PathValue>, lost: u64, users: u64) -> Vec<Correlate> {
    let mut compared: Vec<Comparison> =
        values.into_iter().filter_map(|value| Comparison::new(value, lost, users)).collect();
    let tested = compared.len();
    let p_values: Vec<f64> = compared.iter().map(|comparison| comparison.p_value).collect();
    // A test's p-values are probabilities, which is all that adjusting them takes.
    let mut adjusted = benjamini_hochberg(&p_values).unwrap_or_default().into_iter();
    compared.retain(|_| adjusted.next().is_some_and(|adjusted| adjusted <= 1.0 - Level::P95.get()));
    // There is no level when nothing was found, and nothing that needs one.
    let Ok(level) = selected_level(Level::P95, compared.len(), tested) else { return Vec::new() };
    compared.into_iter().filter_map(|comparison| comparison.correlate(level)).collect()
}

/// A value's users beside all others of the step: of each how many were lost, and how many there are.
struct Comparison {
    value: lake::PathValue,
    with: (u64, u64),
    others: (u64, u64),
    /// Against no difference.
    p_value: f64,
}

impl Comparison {
    fn new(value: lake::PathValue, lost: u64, users: u64) -> Option<Self> {
        let with = (value.lost, value.users);
        let others = (lost.checked_sub(value.lost)?, users.checked_sub(value.users)?);
        let p_value = fisher_exact(others, with).ok()?;
        Some(Self { value, with, others, p_value })
    }

    fn correlate(self, level: Level) -> Option<Correlate> {
        let Self { value: lake::PathValue { property, value, users, lost }, with, others, .. } = self;
        let interval = proportion_difference(others, with, level).ok()?;
        let share = |(lost, users): (u64, u64)| lost as f64 / users as f64;
        let difference = Range::new(interval.low, share(with) - share(others), interval.high).ok()?;
        Some(Correlate { property, value, users, lost, difference })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_domain::metrics::Scalar;

    /// Values of 40 users each, of whom about half were lost, at random but the same every time.
    fn unrelated(count: u64) -> Vec<lake::PathValue> {
        let value = |number: u64| {
            // SplitMix64 (Steele, Lea and Flood, 2014): each bit is a user.
            let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let lost = (bits >> 24).count_ones().into();
            lake::PathValue { property: "city".into(), value: Some(Scalar::Number(number as f64)), users: 40, lost }
        };
        (1..=count).map(value).collect()
    }

    fn found_among(values: &[lake::PathValue]) -> Vec<(String, Option<Scalar>)> {
        let total = |count: fn(&lake::PathValue) -> u64| values.iter().map(count).sum();
        let found = found(values.to_vec(), total(|value| value.lost), total(|value| value.users));
        Correlate::surest(found).into_iter().map(|correlate| (correlate.property, correlate.value)).collect()
    }

    #[test]
    fn among_many_values_only_the_planted_one_is_found() {
        let mut values = unrelated(1000);
        assert_eq!(found_among(&values), []);
        let planted = Some(Scalar::Text("planted".into()));
        values.push(lake::PathValue { property: "city".into(), value: planted.clone(), users: 40, lost: 36 });
        assert_eq!(found_among(&values), [("city".to_owned(), planted)]);
    }

    #[test]
    fn rare_losses_of_small_groups_are_not_found_for_being_many() {
        // One user in a hundred is lost. Three in 30 are to be expected for some of a thousand values, though far out
        // on a normal curve.
        let values: Vec<_> = (0..1000_u64)
            .map(|number| lake::PathValue {
                property: "city".into(),
                value: Some(Scalar::Number(number as f64)),
                users: 30,
                // As many values of each number of losses as the binomial distribution has: 740, 224, 33 and 3.
                lost: match number {
                    0..=2 => 3,
                    3..=35 => 2,
                    36..=259 => 1,
                    _ => 0,
                },
            })
            .collect();
        assert_eq!(found_among(&values), []);
    }
}
