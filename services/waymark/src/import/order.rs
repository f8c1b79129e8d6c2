//! Which of two moments a time stands for that the calendar had twice, because a clock was put back. Files are mostly
//! in order of time, one way or the other, so a step the wrong way within such an hour shows where its second pass
//! begins.

use chrono::{DateTime, TimeDelta, Utc};

/// A step back of less is disorder among rows, not a clock.
const DISORDER: TimeDelta = TimeDelta::minutes(1);

/// What a time stands for.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    One(DateTime<Utc>),
    /// The earlier and the later one.
    Either([DateTime<Utc>; 2]),
}

/// The order of the rows so far.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// The row before.
    last: Option<DateTime<Utc>>,
    /// The longest steps that are certain: the shorter of both is disorder, the longer the way the file goes.
    back: TimeDelta,
    forth: TimeDelta,
    /// Whether the last rows belong to the pass of an hour that comes second in the file.
    crossed: bool,
    /// Rows since the last certain one that no order told yet; and those before.
    waiting: u64,
    untold: u64,
}

impl Order {
    /// The moment of the next row.
    pub fn next(&mut self, moment: Moment) -> DateTime<Utc> {
        let time = match moment {
            Moment::One(time) => {
                self.step(time, time);
                self.crossed = false;
                self.untold += std::mem::take(&mut self.waiting);
                time
            }
            Moment::Either([first, second]) => {
                self.step(first, second);
                self.tell(first, second)
            }
        };
        self.last = Some(time);
        time
    }

    /// Rows that no order told: they were taken for the moment that is next to the row before.
    pub fn untold(&self) -> u64 {
        self.untold + self.waiting
    }

    /// Takes note of the least that the step to the next row can be.
    fn step(&mut self, first: DateTime<Utc>, second: DateTime<Utc>) {
        if let Some(last) = self.last {
            self.back = self.back.max(last - second);
            self.forth = self.forth.max(first - last);
        }
    }

    fn tell(&mut self, first: DateTime<Utc>, second: DateTime<Utc>) -> DateTime<Utc> {
        let forward = self.back <= self.forth;
        let [near, far] = if forward { [first, second] } else { [second, first] };
        let disorder = self.back.min(self.forth).max(DISORDER);
        let against = |moment: DateTime<Utc>| {
            self.last.is_some_and(|last| if forward { last - moment > disorder } else { moment - last > disorder })
        };
        // Rows that are an hour out of order tell nothing about one.
        let tells = disorder < second - first;
        if tells && (self.crossed || (against(near) && !against(far))) {
            self.crossed = true;
            // So the rows before were of the other pass.
            self.waiting = 0;
            return far;
        }
        self.waiting += 1;
        near
    }
}
