//! One user's way along a path: which events of a moment reach which steps. Never reads events.

use waymark_domain::metrics::Scalar;

/// How far one user has come.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// How many steps.
    pub reached: usize,
    /// When the first was reached.
    pub entry: i64,
    /// When the last was reached.
    pub last: i64,
    /// Values of the event that reached the step whose values are kept.
    pub values: Vec<Option<Scalar>>,
}

/// Events of one user at one moment, in the order in which they were received. Which of them comes after which is not
/// known, so they are looked at together.
#[derive(Debug, Default)]
pub(crate) struct Moment(Vec<Candidate>);

/// An event that may reach a step.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub time: i64,
    /// The steps that it may reach, as bits.
    pub steps: u32,
    /// Its values, if the step whose values are kept is among them.
    pub values: Vec<Option<Scalar>>,
}

impl Moment {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an event, unless there are as many like it as the path has steps.
    pub(crate) fn add(&mut self, candidate: Candidate, steps: usize) {
        if self.0.iter().filter(|known| known.steps == candidate.steps).count() < steps {
            self.0.push(candidate);
        }
    }

    /// Takes a walk as far along a path of so many steps as the events lead, each to one step at most, and forgets
    /// them. `kept` is the step whose values are kept.
    pub(crate) fn advance(&mut self, walk: &mut Walk, steps: usize, kept: Option<usize>) {
        let first = walk.reached;
        match self.0.as_mut_slice() {
            [] => return,
            // By far the most moments; the rest of this is not for them.
            [only] => {
                if only.steps >> first & 1 == 1 {
                    only.reach(first, walk, kept);
                }
            }
            _ => {
                let mut taken: Vec<usize> = Vec::new();
                while first + taken.len() < steps && self.find(first, &mut taken) {}
                for (step, event) in (first..).zip(taken) {
                    self.0[event].reach(step, walk, kept);
                }
            }
        }
        self.0.clear();
    }

    /// Finds an event for the next step, after `first` and those that are taken; where it must, it gives a step before
    /// another event (Kuhn, 1955).
    fn find(&self, first: usize, taken: &mut Vec<usize>) -> bool {
        let mut tried = vec![false; self.0.len()];
        let next = taken.len();
        taken.push(usize::MAX);
        let found = self.place(next, first, taken, &mut tried);
        if !found {
            taken.pop();
        }
        found
    }

    fn place(&self, step: usize, first: usize, taken: &mut [usize], tried: &mut [bool]) -> bool {
        for (event, candidate) in self.0.iter().enumerate() {
            if candidate.steps >> (first + step) & 1 == 0 || std::mem::replace(&mut tried[event], true) {
                continue;
            }
            let holder = taken.iter().position(|held| *held == event);
            if holder.is_none_or(|holder| self.place(holder, first, taken, tried)) {
                taken[step] = event;
                return true;
            }
        }
        false
    }
}

impl Candidate {
    fn reach(&mut self, step: usize, walk: &mut Walk, kept: Option<usize>) {
        if step == 0 {
            (walk.entry, walk.last) = (self.time, self.time);
        }
        walk.reached = step + 1;
        walk.last = walk.last.max(self.time);
        if kept == Some(step) {
            walk.values = std::mem::take(&mut self.values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(from: usize, steps: usize, events: &[u32]) -> usize {
        let mut moment = Moment::default();
        for steps_of in events {
            moment.add(Candidate { time: 7, steps: *steps_of, values: Vec::new() }, steps);
        }
        let mut walk = Walk { reached: from, ..Walk::default() };
        moment.advance(&mut walk, steps, None);
        assert!(moment.is_empty());
        walk.reached
    }

    #[test]
    fn events_of_a_moment_lead_as_far_as_any_order_of_them() {
        assert_eq!(reached(0, 3, &[0b100, 0b010, 0b001]), 3);
        assert_eq!(reached(0, 3, &[0b100, 0b001]), 1);
        assert_eq!(reached(1, 3, &[0b001, 0b010]), 2);
        assert_eq!(reached(0, 2, &[0b11]), 1, "one event reaches one step");
        assert_eq!(reached(0, 2, &[0b11, 0b01]), 2, "the first is needed for the second step");
        assert_eq!(reached(0, 3, &[0b111, 0b011, 0b001]), 3);
        assert_eq!(reached(0, 2, &[0b01; 1000]), 1);
        assert_eq!(reached(2, 2, &[0b11]), 2);
    }

    #[test]
    fn the_event_received_first_reaches_a_step() {
        let mut moment = Moment::default();
        for number in [1.0, 2.0] {
            moment.add(Candidate { time: 7, steps: 1, values: vec![Some(Scalar::Number(number))] }, 2);
        }
        let mut walk = Walk::default();
        moment.advance(&mut walk, 2, Some(0));
        assert_eq!((walk.entry, walk.values), (7, vec![Some(Scalar::Number(1.0))]));
    }
}
