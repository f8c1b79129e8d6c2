//! How far users get on a path of events, and which values go with not getting to its worst step: passes over the rows
//! of each stream that follow one user at a time. Never sorts and keeps no set of users.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use waymark_domain::metrics::{Condition, Loss, Question, Scalar, Step, Ties};

use crate::answer::Watermark;
use crate::error::{LakeError, Result};
use crate::file::Span;
use crate::property::{Property, Values, Verdicts};
use crate::scan::{Scan, Source};
use crate::schema::{Columns, column};
use crate::shared::Shared;
use crate::walk::{Candidate, Moment, Walk};

/// Distinct values of a property beyond this are a mistake (an id, a time), not something that users have in common.
const MOST_VALUES: usize = 10_000;

/// How far users got on a path.
///
/// A user enters it with their first event of the first step while it can be entered, and reaches a further step with
/// the earliest event of it that comes after the event that reached the step before, as the question's ties say, and
/// at most the window after the entry.
#[derive(Debug, Clone, PartialEq)]
pub struct PathAnswer {
    /// How many users reached each step; never more than the step before.
    pub users: Vec<u64>,
    /// For the step with the most losses, by property and value: the users who reached the step before with such an
    /// event. Empty when nobody was lost.
    pub values: Vec<PathValue>,
    /// Users who entered and whose window is not over.
    pub entries_left_out: u64,
    /// How current the answer is.
    pub watermark: Watermark,
}

/// Users who have a value in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathValue {
    /// The property.
    pub property: String,
    /// Its value; absent for users whose event does not have the property.
    pub value: Option<Scalar>,
    /// How many reached the step before.
    pub users: u64,
    /// How many of them did not reach the step.
    pub lost: u64,
}

/// The answer at `now`, when users whose window is not over are left out.
pub(crate) async fn answer(
    shared: &Shared,
    source: Source,
    question: &Question,
    now: DateTime<Utc>,
) -> Result<PathAnswer> {
    // Which step is the worst is known after the first pass; values are counted for it alone, in a second pass over the
    // same snapshot.
    let all = follow(shared, &source, Plan::new(question, now, None, &source.columns())).await?;
    let users: Vec<u64> = (0..all.furthest.len()).map(|step| all.furthest[step..].iter().sum()).collect();
    let properties = question.properties.names();
    let mut values = Vec::new();
    if let Some(loss) = Loss::worst(&users)
        && !properties.is_empty()
    {
        let told = follow(shared, &source, Plan::new(question, now, Some(loss.step - 1), &source.columns())).await?;
        for (property, tallied) in properties.iter().zip(told.values) {
            values.extend(tallied.into_iter().map(|(value, [users, lost])| PathValue {
                property: property.clone(),
                value,
                users,
                lost,
            }));
        }
    }
    Ok(PathAnswer { users, values, entries_left_out: all.left_out, watermark: source.watermark() })
}

async fn follow(shared: &Shared, source: &Source, plan: Plan) -> Result<Tally> {
    let plan = Arc::new(plan);
    let last = plan.entries.max.saturating_add(plan.window);
    let scan = Scan {
        columns: vec![column::USER_HASH, column::TIME, column::EVENT],
        properties: plan.properties.clone(),
        times: Some(Span { max: last, ..plan.entries }),
    };
    let tallies = {
        let (plan, starting) = (plan.clone(), plan.clone());
        let step = move |tally: &mut Tally, batch: &RecordBatch| plan.add(tally, batch);
        shared.engine.fold(source, &scan, move || starting.tally(), step).await?
    };
    let mut all = plan.tally();
    for mut tally in tallies {
        plan.settle(&mut tally)?;
        all.join(tally)?;
    }
    Ok(all)
}

/// A question prepared for a pass.
#[derive(Debug)]
struct Plan {
    entries: Span,
    /// Microseconds.
    window: i64,
    now: i64,
    /// Whether what comes after is strictly later.
    exclusive: bool,
    /// How long a moment is, in microseconds.
    moment: i64,
    /// The event of each step.
    events: Vec<String>,
    /// For each step what must hold of the properties that are read, by index into `properties`.
    filters: Vec<Vec<(usize, Condition)>>,
    /// The properties that are read, and where their values are.
    properties: Vec<String>,
    sought: Vec<Property>,
    /// The step whose event's values are kept, with their indices into `properties`.
    kept: Option<(usize, Vec<usize>)>,
}

impl Plan {
    fn new(question: &Question, now: DateTime<Utc>, kept: Option<usize>, columns: &Columns) -> Self {
        let Question { path, entries, .. } = question;
        let mut properties: Vec<String> = Vec::new();
        let mut property = |name: &str| {
            properties.iter().position(|known| known == name).unwrap_or_else(|| {
                properties.push(name.to_owned());
                properties.len() - 1
            })
        };
        let mut conditions = |step: &Step| {
            let filters = step.filters().iter();
            filters.map(|filter| (property(filter.property()), filter.condition().clone())).collect()
        };
        let filters = path.steps().iter().map(&mut conditions).collect();
        let kept = kept.map(|step| (step, question.properties.names().iter().map(|name| property(name)).collect()));
        Self {
            entries: Span::of_times(entries.start(), entries.end()),
            // 90 days at most.
            window: path.window().length().num_microseconds().unwrap_or(i64::MAX),
            now: now.timestamp_micros(),
            exclusive: question.ties == Ties::Exclusive,
            moment: if question.ties == Ties::Second { 1_000_000 } else { 1 },
            events: path.steps().iter().map(|step| step.event().to_owned()).collect(),
            filters,
            sought: properties.iter().map(|name| Property::new(name, columns)).collect(),
            properties,
            kept,
        }
    }

    fn tally(&self) -> Tally {
        let values = self.kept.as_ref().map_or(0, |(_, properties)| properties.len());
        Tally { furthest: vec![0; self.events.len()], values: vec![BTreeMap::new(); values], ..Tally::default() }
    }

    /// Follows the users of a batch.
    fn add(&self, tally: &mut Tally, batch: &RecordBatch) -> Result<()> {
        let users = batch.column(0).as_primitive::<Int64Type>().values();
        let times = batch.column(1).as_primitive::<TimestampMicrosecondType>().values();
        let events = batch.column(2).as_dictionary::<Int32Type>();
        let values: Vec<Values<'_>> = self.sought.iter().map(|property| property.values(batch)).collect();
        // Names are compared once per batch and name, not once per row: which steps an event of the name may reach, as
        // bits, of which a path needs ten at most.
        let steps_of = |name: &str| {
            (0..self.events.len()).filter(|step| self.events[*step] == name).fold(0_u32, |bits, step| bits | 1 << step)
        };
        let steps: Vec<u32> = events.values().as_string::<i32>().iter().map(|name| name.map_or(0, steps_of)).collect();
        let mut filters: Vec<Vec<Verdicts<'_>>> = Vec::new();
        for conditions in &self.filters {
            filters
                .push(conditions.iter().map(|(index, condition)| Verdicts::new(values[*index], condition)).collect());
        }
        let count = self.events.len();
        for row in 0..batch.num_rows() {
            let named = steps[events.keys().value(row) as usize];
            if named == 0 {
                continue;
            }
            let (user, time) = (users[row], times[row]);
            let at = self.moment(time);
            if tally.user != Some(user) {
                self.settle(tally)?;
                tally.user = Some(user);
            } else if self.exclusive || tally.at != at {
                self.advance(tally);
            }
            tally.at = at;
            let next = tally.walk.reached;
            let mut reachable = named >> next << next;
            // By itself an event reaches the next step or none; which one is by itself only the row after it tells.
            let followed = || times.get(row + 1).is_none_or(|then| users[row + 1] == user && self.moment(*then) == at);
            if reachable > 1 << next && (self.exclusive || (tally.moment.is_empty() && !followed())) {
                reachable &= 1 << next;
            }
            if reachable == 0 || !self.in_time(&tally.walk, time) {
                continue;
            }
            let kept = self.kept.as_ref().filter(|(step, _)| reachable >> step & 1 == 1);
            for (step, filters) in filters.iter_mut().enumerate() {
                if reachable >> step & 1 == 1 && !filters.iter_mut().all(|filter| filter.holds(row)) {
                    reachable &= !(1 << step);
                }
            }
            if reachable > 0 {
                let values =
                    kept.map(|(_, properties)| properties.iter().map(|index| values[*index].get(row)).collect());
                let candidate = Candidate { time, steps: reachable, values: values.unwrap_or_default() };
                tally.moment.add(candidate, count);
            }
        }
        Ok(())
    }

    /// The moment that a time belongs to.
    fn moment(&self, time: i64) -> i64 {
        if self.moment == 1 { time } else { time.div_euclid(self.moment) }
    }

    /// Takes the walk of a user on by the events of a moment.
    fn advance(&self, tally: &mut Tally) {
        tally.moment.advance(&mut tally.walk, self.events.len(), self.kept.as_ref().map(|(step, _)| *step));
    }

    /// Whether an event at `time` may take a walk further.
    fn in_time(&self, walk: &Walk, time: i64) -> bool {
        if walk.reached == 0 {
            return self.entries.holds(time);
        }
        let after = if self.exclusive { walk.last < time } else { self.entries.min <= time };
        after && time <= self.close(walk)
    }

    /// The last moment of a walk's window.
    fn close(&self, walk: &Walk) -> i64 {
        walk.entry.saturating_add(self.window)
    }

    /// Counts the walk of a user of whom there are no more rows.
    fn settle(&self, tally: &mut Tally) -> Result<()> {
        self.advance(tally);
        let walk = std::mem::take(&mut tally.walk);
        if walk.reached == 0 {
            return Ok(());
        }
        // The window's last moment is part of it, so it is over when that has passed.
        if self.close(&walk) >= self.now {
            tally.left_out += 1;
            return Ok(());
        }
        tally.furthest[walk.reached - 1] += 1;
        if let Some((step, _)) = self.kept
            && walk.reached > step
        {
            let lost = u64::from(walk.reached == step + 1);
            for (tallied, value) in tally.values.iter_mut().zip(walk.values) {
                count(tallied, value, [1, lost])?;
            }
        }
        Ok(())
    }
}

/// Users and lost users by value.
type Counts = BTreeMap<Option<Scalar>, [u64; 2]>;

/// What one stream has counted so far.
#[derive(Debug, Default)]
struct Tally {
    user: Option<i64>,
    walk: Walk,
    /// The moment of the row before, and the events at it.
    at: i64,
    moment: Moment,
    /// For each step the users who got this far and no further.
    furthest: Vec<u64>,
    left_out: u64,
    values: Vec<Counts>,
}

impl Tally {
    /// Adds another stream's counts: its users are different ones.
    fn join(&mut self, other: Self) -> Result<()> {
        for (sum, users) in self.furthest.iter_mut().zip(other.furthest) {
            *sum += users;
        }
        self.left_out += other.left_out;
        for (all, tallied) in self.values.iter_mut().zip(other.values) {
            for (value, counts) in tallied {
                count(all, value, counts)?;
            }
        }
        Ok(())
    }
}

fn count(values: &mut Counts, value: Option<Scalar>, [users, lost]: [u64; 2]) -> Result<()> {
    if values.len() == MOST_VALUES && !values.contains_key(&value) {
        return Err(LakeError::InvalidQuery(format!(
            "one has more than {MOST_VALUES} values where users were lost: leave out what is different for everybody"
        )));
    }
    let counts = values.entry(value).or_default();
    counts[0] += users;
    counts[1] += lost;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_endless() {
        let mut values = Counts::new();
        for number in 0..MOST_VALUES {
            count(&mut values, Some(Scalar::Number(number as f64)), [1, 0]).unwrap();
        }
        count(&mut values, Some(Scalar::Number(7.0)), [1, 1]).unwrap();
        assert_eq!(values[&Some(Scalar::Number(7.0))], [2, 1]);
        assert!(matches!(count(&mut values, None, [1, 0]), Err(LakeError::InvalidQuery(_))));
    }
}
