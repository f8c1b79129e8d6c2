//! How users come, stay and go, and how often they are active: passes over the rows of each stream that follow one user at
//! a time and remember of each only the interval in which they were active last. Never sorts and keeps no set of users.

use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::TimeDelta;
use waymark_domain::metrics::{Activity, Stickiness, TrendSettings};

use crate::answer::{Bucket, Watermark};
use crate::calendar::buckets;
use crate::error::{LakeError, Result};
use crate::file::Span;
use crate::scan::Source;
use crate::schema::Columns;
use crate::selection::Selection;
use crate::shared::Shared;

/// How users came, stayed and went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleAnswer {
    /// The intervals and who was active in each.
    pub points: Vec<(Bucket, Lifecycle)>,
    /// How current the answer is.
    pub watermark: Watermark,
}

/// Users of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lifecycle {
    /// Active for the first time ever.
    pub new: u64,
    /// Active, and in the interval before.
    pub returning: u64,
    /// Active, not in the interval before, and once before that.
    pub resurrecting: u64,
    /// Not active, but in the interval before.
    pub dormant: u64,
}

/// In how many intervals users were active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StickinessAnswer {
    /// How many users were active in exactly one interval, in exactly two, and so on to all.
    pub users: Vec<u64>,
    /// How current the answer is.
    pub watermark: Watermark,
}

/// How users came, stayed and went.
pub(crate) async fn lifecycle(
    shared: &Shared,
    source: Source,
    activity: &Activity,
    settings: &TrendSettings,
) -> Result<LifecycleAnswer> {
    let axis = buckets(settings)?;
    // Who was active in the interval before the first, returns in it or is dormant.
    let before = axis.first().and_then(|first| first.start.checked_sub_signed(TimeDelta::microseconds(1)));
    let wrong = |error: String| LakeError::InvalidQuery(error);
    let before = before.ok_or_else(|| wrong("the range leaves the calendar".to_owned()))?;
    let longer = TrendSettings::new(before, settings.end(), settings.interval, settings.zone);
    let mut longer = longer.map_err(|error| wrong(error.to_string()))?;
    longer.week_start = settings.week_start;
    let plan =
        Plan::new(activity, &buckets(&longer)?, Span::of_times(settings.start(), settings.end()), 1, &source.columns());
    let plan = Arc::new(Plan { times: Span { min: i64::MIN, ..plan.times }, from: plan.times.min, ..plan });
    let states = plan.pass(shared, &source, Plan::live).await?;
    let mut points: Vec<(Bucket, Lifecycle)> = axis.into_iter().map(|bucket| (bucket, Lifecycle::default())).collect();
    for mut state in states {
        state.leave();
        for ((_, sum), more) in points.iter_mut().zip(&state.points[1..]) {
            sum.new += more.new;
            sum.returning += more.returning;
            sum.resurrecting += more.resurrecting;
            sum.dormant += more.dormant;
        }
    }
    Ok(LifecycleAnswer { points, watermark: source.watermark() })
}

/// In how many intervals users were active.
pub(crate) async fn stickiness(shared: &Shared, source: Source, question: &Stickiness) -> Result<StickinessAnswer> {
    let axis = buckets(&question.settings)?;
    let range = Span::of_times(question.settings.start(), question.settings.end());
    let plan = Arc::new(Plan::new(&question.activity, &axis, range, question.occurrences, &source.columns()));
    let states = plan.pass(shared, &source, Plan::stick).await?;
    let mut users = vec![0; axis.len()];
    for mut state in states {
        state.settle();
        for (sum, more) in users.iter_mut().zip(state.users) {
            *sum += more;
        }
    }
    Ok(StickinessAnswer { users, watermark: source.watermark() })
}

/// A question prepared for a pass.
#[derive(Debug)]
struct Plan {
    selection: Selection,
    times: Span,
    /// From when on an event in an interval of the range makes active in it.
    from: i64,
    starts: Vec<i64>,
    occurrences: u32,
}

/// What one stream knows.
#[derive(Debug, Default)]
struct State {
    user: Option<i64>,
    /// The interval in which the user was active last; `None` before the first.
    last: Option<usize>,
    /// Whether the user was active before the intervals.
    known: bool,
    points: Vec<Lifecycle>,
    /// Events of the user in that interval, and in how many intervals there were enough.
    events: u32,
    active: usize,
    users: Vec<u64>,
}

impl State {
    /// The user is not active in the interval after the last.
    fn leave(&mut self) {
        if let Some(point) = self.last.and_then(|last| self.points.get_mut(last + 1)) {
            point.dormant += 1;
        }
    }

    /// Counts a user of whom there are no more rows.
    fn settle(&mut self) {
        if let Some(users) = self.active.checked_sub(1).and_then(|active| self.users.get_mut(active)) {
            *users += 1;
        }
        (self.active, self.events) = (0, 0);
    }
}

impl Plan {
    fn new(activity: &Activity, axis: &[Bucket], times: Span, occurrences: u32, columns: &Columns) -> Self {
        Self {
            selection: Selection::new([(activity.events.clone(), activity.filters.as_slice())], columns),
            from: times.min,
            times,
            starts: axis.iter().map(|bucket| bucket.start.timestamp_micros()).collect(),
            occurrences,
        }
    }

    async fn pass(
        self: &Arc<Self>,
        shared: &Shared,
        source: &Source,
        take: fn(&Self, &mut State, i64, i64),
    ) -> Result<Vec<State>> {
        let scan = self.selection.scan(self.times);
        let (plan, count) = (self.clone(), self.starts.len());
        let add = move |state: &mut State, batch: &RecordBatch| {
            plan.selection.each(batch, |row, _| {
                if row.kinds != 0 && plan.times.min <= row.time && row.time <= plan.times.max {
                    take(&plan, state, row.user, row.time);
                }
                Ok(())
            })
        };
        let state =
            move || State { points: vec![Lifecycle::default(); count], users: vec![0; count], ..State::default() };
        shared.engine.fold(source, &scan, state, add).await
    }

    /// The interval of a time, tried first where the one before was.
    fn bucket(&self, time: i64, near: Option<usize>) -> Option<usize> {
        let Some(mut at) = near else {
            return self.starts.partition_point(|start| *start <= time).checked_sub(1);
        };
        while self.starts.get(at + 1).is_some_and(|next| *next <= time) {
            at += 1;
        }
        Some(at)
    }

    fn live(&self, state: &mut State, user: i64, time: i64) {
        if state.user != Some(user) {
            state.leave();
            (state.user, state.last, state.known) = (Some(user), None, false);
        }
        let bucket = self.bucket(time, state.last);
        // The interval before the range is whole, the first of the range begins with that.
        let counts = |at: &usize| Some(*at) != state.last && (*at == 0 || self.from <= time);
        let Some(at) = bucket.filter(counts) else {
            state.known = true;
            return;
        };
        let point = &mut state.points[at];
        match state.last {
            _ if !state.known => point.new += 1,
            Some(last) if last + 1 == at => point.returning += 1,
            _ => point.resurrecting += 1,
        }
        if state.last.is_some_and(|last| last + 1 < at) {
            state.leave();
        }
        (state.last, state.known) = (Some(at), true);
    }

    fn stick(&self, state: &mut State, user: i64, time: i64) {
        if state.user != Some(user) {
            state.settle();
            (state.user, state.last) = (Some(user), None);
        }
        let bucket = self.bucket(time, state.last);
        if bucket != state.last {
            (state.last, state.events) = (bucket, 0);
        }
        state.events = state.events.saturating_add(1);
        state.active += usize::from(state.events == self.occurrences);
    }
}
