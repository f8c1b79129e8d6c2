//! How far users get on a path of events, and which values go with not getting to its worst step: passes over the rows
//! of each stream that follow one user at a time. Never sorts and keeps no set of users.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, TimeDelta, Utc};

use crate::error::{LakeError, Result};
use crate::file::Span;
use crate::property::{PropertyFilter, PropertyTest, PropertyValue, extract};
use crate::query::{TimeRange, Watermark};
use crate::scan::{Scan, Source};
use crate::schema::column;
use crate::shared::Shared;

/// Steps are bits of a word.
const MOST_STEPS: usize = 16;
/// Distinct values of a property beyond this are a mistake (an id, a time), not something that users have in common.
const MOST_VALUES: usize = 10_000;

/// A question about a path through the product.
///
/// A user enters it with their first event of the first step in `entries`, and reaches a further step with the earliest
/// event of it that is later than the event that reached the step before, and at most `window` after the entry.
#[derive(Debug, Clone, PartialEq)]
pub struct PathQuery {
    /// The steps in order; 2 to 16.
    pub steps: Vec<PathStep>,
    /// When users enter.
    pub entries: TimeRange,
    /// How long they have from the entry to the last step, its end included.
    pub window: TimeDelta,
    /// The time now: users whose window is not over are left out.
    pub now: DateTime<Utc>,
    /// The properties whose values are told for the worst step.
    pub properties: Vec<String>,
}

/// What reaches a step.
#[derive(Debug, Clone, PartialEq)]
pub struct PathStep {
    /// The event's name.
    pub event: String,
    /// Conditions that must all hold.
    pub filters: Vec<PropertyFilter>,
}

/// The answer to a [`PathQuery`].
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
    pub value: Option<String>,
    /// How many reached the step before.
    pub users: u64,
    /// How many of them did not reach the step.
    pub lost: u64,
}

impl PathAnswer {
    /// The step that most users failed to reach, the earliest of several, with their number; `None` when nobody was
    /// lost.
    pub fn worst(&self) -> Option<(usize, u64)> {
        worst(&self.users)
    }
}

fn worst(users: &[u64]) -> Option<(usize, u64)> {
    let losses = users.windows(2).enumerate().map(|(index, pair)| (index + 1, pair[0] - pair[1]));
    losses.filter(|(_, lost)| *lost > 0).reduce(|worst, next| if next.1 > worst.1 { next } else { worst })
}

pub(crate) async fn answer(shared: &Shared, source: Source, query: &PathQuery) -> Result<PathAnswer> {
    // Which step is the worst is known after the first pass; values are counted for it alone, in a second pass over the
    // same snapshot.
    let all = follow(shared, &source, Plan::new(query, None)?).await?;
    let users: Vec<u64> = (0..query.steps.len()).map(|step| all.furthest[step..].iter().sum()).collect();
    let mut values = Vec::new();
    if let Some((step, _)) = worst(&users)
        && !query.properties.is_empty()
    {
        let told = follow(shared, &source, Plan::new(query, Some(step - 1))?).await?;
        for (property, tallied) in query.properties.iter().zip(told.values) {
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
    let last = (plan.end - 1).saturating_add(plan.window);
    let scan = Scan { columns: plan.columns.clone(), times: Some(Span { min: plan.start, max: last }) };
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

/// A query prepared for a pass.
#[derive(Debug)]
struct Plan {
    start: i64,
    end: i64,
    window: i64,
    now: i64,
    /// The event of each step.
    events: Vec<String>,
    /// For each step the properties that are tested, as indices into `properties`.
    filters: Vec<Vec<(usize, PropertyTest)>>,
    /// The properties that are read.
    properties: Vec<String>,
    /// The step whose event's values are kept, with their indices into `properties`.
    kept: Option<(usize, Vec<usize>)>,
    columns: Vec<&'static str>,
}

impl Plan {
    fn new(query: &PathQuery, kept: Option<usize>) -> Result<Self> {
        if !(2..=MOST_STEPS).contains(&query.steps.len()) {
            return Err(LakeError::InvalidQuery(format!(
                "a path has 2 to {MOST_STEPS} steps, this one {}",
                query.steps.len()
            )));
        }
        let window = query.window.num_microseconds().filter(|window| *window > 0);
        let window = window
            .ok_or_else(|| LakeError::InvalidQuery("the window of a path must be longer than nothing".to_owned()))?;
        let (start, end) = query.entries.micros()?;
        let mut properties: Vec<String> = Vec::new();
        let mut property = |name: &String| {
            properties.iter().position(|known| known == name).unwrap_or_else(|| {
                properties.push(name.clone());
                properties.len() - 1
            })
        };
        let filters = query
            .steps
            .iter()
            .map(|step| step.filters.iter().map(|filter| (property(&filter.property), filter.test.clone())).collect())
            .collect();
        let kept = kept.map(|step| (step, query.properties.iter().map(property).collect()));
        let mut columns = vec![column::USER_HASH, column::TIME, column::EVENT];
        if !properties.is_empty() {
            columns.push(column::PROPERTIES);
        }
        let events = query.steps.iter().map(|step| step.event.clone()).collect();
        Ok(Self { start, end, window, now: query.now.timestamp_micros(), events, filters, properties, kept, columns })
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
        let json = batch.columns().get(3).map(AsArray::as_string::<i32>);
        // Names are compared once per batch and name, not once per row: which steps an event of the name may reach, as
        // bits.
        let steps_of = |name: &str| {
            (0..self.events.len()).filter(|step| self.events[*step] == name).fold(0_u32, |bits, step| bits | 1 << step)
        };
        let steps: Vec<u32> = events.values().as_string::<i32>().iter().map(|name| name.map_or(0, steps_of)).collect();
        let mut values: Vec<Option<PropertyValue>> = Vec::new();
        for row in 0..batch.num_rows() {
            let reachable = steps[events.keys().value(row) as usize];
            if reachable == 0 {
                continue;
            }
            if tally.user != Some(users[row]) {
                self.settle(tally)?;
                tally.user = Some(users[row]);
            }
            let next = tally.walk.reached;
            if reachable >> next & 1 == 0 || !self.in_time(&tally.walk, times[row]) {
                continue;
            }
            let kept = self.kept.as_ref().filter(|(step, _)| *step == next);
            if let Some(json) = json
                && (kept.is_some() || !self.filters[next].is_empty())
            {
                extract(json.is_valid(row).then(|| json.value(row)), &self.properties, &mut values);
                if !self.filters[next].iter().all(|(index, test)| test.holds(values[*index].as_ref())) {
                    continue;
                }
            }
            tally.walk.reach(times[row]);
            if let Some((_, properties)) = kept {
                tally.walk.values =
                    properties.iter().map(|index| values[*index].as_ref().map(ToString::to_string)).collect();
            }
        }
        Ok(())
    }

    /// Whether an event at `time` may reach the next step of a walk.
    fn in_time(&self, walk: &Walk, time: i64) -> bool {
        if walk.reached == 0 {
            self.start <= time && time < self.end
        } else {
            walk.last < time && time <= self.close(walk)
        }
    }

    /// The last moment of a walk's window.
    fn close(&self, walk: &Walk) -> i64 {
        walk.entry.saturating_add(self.window)
    }

    /// Counts the walk of a user of whom there are no more rows.
    fn settle(&self, tally: &mut Tally) -> Result<()> {
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

/// How far one user has come.
#[derive(Debug, Default)]
struct Walk {
    /// How many steps.
    reached: usize,
    /// When the first was reached.
    entry: i64,
    /// When the last was reached.
    last: i64,
    /// Values of the event that reached the step whose values are kept.
    values: Vec<Option<String>>,
}

impl Walk {
    fn reach(&mut self, time: i64) {
        if self.reached == 0 {
            self.entry = time;
        }
        self.reached += 1;
        self.last = time;
    }
}

/// Users and lost users by value.
type Values = BTreeMap<Option<String>, [u64; 2]>;

/// What one stream has counted so far.
#[derive(Debug, Default)]
struct Tally {
    user: Option<i64>,
    walk: Walk,
    /// For each step the users who got this far and no further.
    furthest: Vec<u64>,
    left_out: u64,
    values: Vec<Values>,
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

fn count(values: &mut Values, value: Option<String>, [users, lost]: [u64; 2]) -> Result<()> {
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
    fn the_worst_step_is_the_earliest_with_the_most_losses() {
        assert_eq!(worst(&[10, 10, 10]), None);
        assert_eq!(worst(&[10, 7, 4, 3]), Some((1, 3)));
        assert_eq!(worst(&[10, 9, 4, 0]), Some((2, 5)));
        assert_eq!(worst(&[0, 0]), None);
    }

    #[test]
    fn values_are_not_endless() {
        let mut values = Values::new();
        for number in 0..MOST_VALUES {
            count(&mut values, Some(number.to_string()), [1, 0]).unwrap();
        }
        count(&mut values, Some("7".to_owned()), [1, 1]).unwrap();
        assert_eq!(values[&Some("7".to_owned())], [2, 1]);
        assert!(matches!(count(&mut values, None, [1, 0]), Err(LakeError::InvalidQuery(_))));
    }
}
