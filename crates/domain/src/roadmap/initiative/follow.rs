//! How an initiative comes to be as a scenario has it: by the decisions that there are, made anew by who merges, each
//! judged by its rule and announced by its event.

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    Decline, Declining, Initiative, InitiativeError, InitiativeEvent as Event, InitiativeState as State,
    InitiativeStep as Step, Pause, Underway, Waiver,
};
use crate::{Change, Evidence, Meta, Risk};

/// The other initiatives that speak for or against a step, as they will be.
#[derive(Debug, Clone, Default)]
pub struct Around<'a> {
    /// Those that it depends on.
    pub before: Vec<&'a Initiative>,
    /// Those that depend on it.
    pub waiting: Vec<&'a Initiative>,
}

/// An initiative on its way, and what was decided so far.
struct Way<'a> {
    at: Initiative,
    events: Vec<Event>,
    around: &'a Around<'a>,
    by: &'a str,
    now: DateTime<Utc>,
}

impl State {
    /// Whether both say the same, whoever decided it and whenever.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Proposed, Self::Proposed)
            | (Self::Committed(_), Self::Committed(_))
            | (Self::InProgress(_), Self::InProgress(_))
            | (Self::Shipped(_), Self::Shipped(_)) => true,
            (Self::Measured(_, one), Self::Measured(_, other)) => one == other,
            (Self::Declined(one), Self::Declined(other)) => one.words() == other.words(),
            (Self::Paused(one), Self::Paused(other)) => {
                one.reason == other.reason && one.left.stage() == other.left.stage()
            }
            (
                Self::Proposed
                | Self::Committed(_)
                | Self::InProgress(_)
                | Self::Shipped(_)
                | Self::Measured(..)
                | Self::Declined(_)
                | Self::Paused(_),
                _,
            ) => false,
        }
    }

    /// How far it has come on the way to its users: where it goes on, once it is set aside.
    fn stage(&self) -> u8 {
        match self {
            Self::Proposed | Self::Declined(_) => 0,
            Self::Paused(pause) => pause.left.stage(),
            Self::Committed(_) => 1,
            Self::InProgress(_) => 2,
            Self::Shipped(_) => 3,
            Self::Measured(..) => 4,
        }
    }
}

impl Underway {
    fn stage(&self) -> u8 {
        match self {
            Self::Committed(_) => 1,
            Self::InProgress(_) => 2,
        }
    }
}

impl Decline {
    /// What was said. Which decision says so is left out: a scenario makes none.
    fn words(&self) -> (&str, &[Evidence], &str, Option<NaiveDate>) {
        (&self.reason, &self.evidence, &self.what_would_change_our_mind, self.review_date)
    }
}

impl Initiative {
    /// This initiative, as `wanted` where that is decided by callers, and the events of the decisions that led there, behind
    /// those of `begun`: what measures and ranks it stays as it is. Who decided what is `by`, whoever did in `wanted`.
    pub fn follow(
        self,
        begun: Vec<Event>,
        wanted: &Self,
        around: &Around<'_>,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Change<Self>>, InitiativeError> {
        let is_there = self.state.is_like(&wanted.state);
        let mut way = Way { at: self, events: begun, around, by, now };
        if !is_there && matches!(way.at.state, State::Declined(_)) {
            // What was declined is taken up before anything is done with it.
            way.go(Self::resume)?;
        }
        way.revise(wanted)?;
        way.plan(wanted)?;
        if !is_there {
            way.reach(&wanted.state, wanted)?;
        }
        Ok(Change::chain(way.at, way.events))
    }
}

impl Way<'_> {
    fn go(
        &mut self,
        decide: impl FnOnce(Initiative) -> Result<Change<Initiative>, InitiativeError>,
    ) -> Result<(), InitiativeError> {
        let (at, events) = decide(self.at.clone())?.into_parts();
        self.at = at;
        self.events.extend(events);
        Ok(())
    }

    /// What updates write: all that has no method of its own.
    fn revise(&mut self, wanted: &Initiative) -> Result<(), InitiativeError> {
        let at = self.at.clone();
        let Meta { display_name, labels, .. } = wanted.meta.clone();
        let revised = Initiative {
            meta: Meta { display_name, labels, ..at.meta.clone() },
            horizon: at.horizon,
            target: at.target,
            dependencies: at.dependencies.clone(),
            state: at.state.clone(),
            rank_change: at.rank_change.clone(),
            priority: at.priority.clone(),
            dependency_waivers: at.dependency_waivers.clone(),
            ..wanted.clone()
        };
        let revised = revised.revise(&at)?;
        // A risk of which nothing is known is open, whether it has an entry or not.
        let known = |of: &Initiative| -> Vec<_> {
            Risk::ALL.iter().map(|risk| of.risks.get(risk).cloned().unwrap_or_default()).collect()
        };
        let rest = Initiative { risks: at.risks.clone(), ..revised.state().clone() };
        if known(revised.state()) != known(&at) || rest != at {
            self.go(|_| Ok(revised))?;
        }
        for (risk, assessment) in &wanted.risks {
            let known = self.at.risks.get(risk).and_then(|known| known.waiver.as_ref());
            if let Some(waiver) = assessment.waiver.as_ref().filter(|waiver| known != Some(waiver)) {
                let (by, now) = (self.by.to_owned(), self.now);
                self.go(|at| at.waive_risk(*risk, waiver.reason.clone(), by, now))?;
            }
        }
        Ok(())
    }

    /// When it is planned for, and what it waits for.
    fn plan(&mut self, wanted: &Initiative) -> Result<(), InitiativeError> {
        if self.at.horizon != wanted.horizon {
            self.go(|at| at.relocate(wanted.horizon))?;
        }
        if self.at.target != wanted.target {
            self.go(|at| at.schedule(wanted.target))?;
        }
        for gone in self.at.dependencies.clone().difference(&wanted.dependencies) {
            self.go(|at| at.remove_dependency(gone.clone()))?;
        }
        for new in wanted.dependencies.difference(&self.at.dependencies.clone()) {
            self.go(|at| at.add_dependency(new.clone()))?;
        }
        Ok(())
    }

    /// The state, step by step.
    fn reach(&mut self, state: &State, wanted: &Initiative) -> Result<(), InitiativeError> {
        let (by, now, around) = (self.by, self.now, self.around);
        let signed = |step: Step| {
            let reason = wanted.dependency_waivers.get(&step).map(|signed| signed.waiver.reason.clone());
            Waiver::signed(reason.unwrap_or_default(), by, now)
        };
        if let State::Declined(decline) = state {
            let waiver = signed(Step::Decline).map(|waiver| waiver.reason).unwrap_or_default();
            let declining = decline.again(waiver);
            return self.go(|at| at.decline(declining, around.waiting.iter().copied(), by.to_owned(), now));
        }
        if let State::Paused(_) = self.at.state {
            self.go(Initiative::resume)?;
        }
        while self.at.state.stage() < state.stage().min(3) {
            match self.at.state {
                State::Proposed => self.go(|at| at.commit(by.to_owned(), now))?,
                State::Committed(_) => {
                    self.go(|at| at.start(around.before.iter().copied(), signed(Step::Start), now))?;
                }
                State::InProgress(_)
                | State::Shipped(_)
                | State::Measured(..)
                | State::Declined(_)
                | State::Paused(_) => {
                    self.go(|at| at.ship(around.before.iter().copied(), signed(Step::Ship), now))?;
                }
            }
        }
        if let State::Paused(Pause { reason, .. }) = state
            && self.at.state.stage() == state.stage()
        {
            self.go(|at| at.pause(reason.clone(), now))?;
        }
        if self.at.state.is_like(state) {
            return Ok(());
        }
        let (resource, at) = (self.at.meta.name.clone(), (&self.at.state).into());
        Err(InitiativeError::NoWay { resource, state: at, wanted: state.into() })
    }
}

impl Decline {
    /// The same said once more, with what waives dependencies.
    fn again(&self, waive_dependencies: String) -> Declining {
        let Self { reason, evidence, what_would_change_our_mind, review_date, decision, .. } = self.clone();
        Declining { reason, evidence, what_would_change_our_mind, review_date, waive_dependencies, decision }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::Failure as _;
    use crate::roadmap::Horizon;
    use crate::roadmap::initiative::tests::initiative;

    fn at(minutes: i64) -> DateTime<Utc> {
        initiative("x").meta.create_time + TimeDelta::minutes(minutes)
    }

    fn declining(reason: &str) -> Declining {
        Declining {
            reason: reason.into(),
            evidence: Vec::new(),
            what_would_change_our_mind: "ten ask".into(),
            review_date: None,
            waive_dependencies: String::new(),
            decision: None,
        }
    }

    /// What somebody does, as far as it can be done.
    fn done(to: Initiative, steps: &[u8], by: &str, now: DateTime<Utc>) -> Initiative {
        steps.iter().fold(to, |at, step| {
            let next = match step {
                0 => at.clone().waive_risk(Risk::ALL[0], "small".into(), by.into(), now),
                1 => Risk::ALL
                    .iter()
                    .try_fold(at.clone(), |at, risk| {
                        Ok(at.waive_risk(*risk, "small".into(), by.into(), now)?.into_parts().0)
                    })
                    .map(|at| Change::new(at, Event::RiskWaived)),
                2 => at.clone().commit(by.into(), now),
                3 => at.clone().start([], None, now),
                4 => at.clone().ship([], None, now),
                5 => at.clone().pause("no hands".into(), now),
                6 => at.clone().resume(),
                7 => at.clone().decline(declining("nobody asks"), [], by.into(), now),
                8 => at.clone().relocate(Horizon::Now),
                9 => at.clone().add_dependency("workspaces/w/initiatives/other".parse().unwrap()),
                10 => at
                    .clone()
                    .schedule("2026-Q3".parse().ok().and_then(|q| crate::roadmap::TargetInterval::new(q, q).ok())),
                _ => Initiative { problem: "slow".into(), ..at.clone() }.revise(&at),
            };
            next.map_or(at, |change| change.into_parts().0)
        })
    }

    fn followed(from: Initiative, wanted: &Initiative) -> Result<Option<Change<Initiative>>, InitiativeError> {
        from.follow(Vec::new(), wanted, &Around::default(), "users/cy", at(9))
    }

    proptest! {
        #[test]
        fn what_is_there_already_is_not_decided_again(steps in prop::collection::vec(0..12_u8, 0..12)) {
            let it = done(initiative("x"), &steps, "users/ada", at(1));
            prop_assert_eq!(followed(it.clone(), &it).unwrap(), None);
        }

        #[test]
        fn it_ends_where_the_scenario_has_it_or_says_why_not(
            before in prop::collection::vec(0..12_u8, 0..8),
            steps in prop::collection::vec(0..12_u8, 0..12),
        ) {
            let from = done(initiative("x"), &before, "users/ada", at(1));
            let wanted = done(from.clone(), &steps, "users/ben", at(2));
            match followed(from.clone(), &wanted) {
                Ok(change) => {
                    let there = change.map_or(from, |change| change.into_parts().0);
                    prop_assert!(there.state.is_like(&wanted.state), "{} is not {}", there.state, wanted.state);
                    prop_assert_eq!(there.open_risks(), wanted.open_risks());
                    prop_assert_eq!((there.horizon, there.target), (wanted.horizon, wanted.target));
                    prop_assert_eq!((there.problem, there.dependencies), (wanted.problem, wanted.dependencies));
                }
                // Only what was taken up and let go in between is lost: of that a scenario tells nothing.
                Err(error) => prop_assert!(steps.contains(&6) || steps.contains(&7) || steps.contains(&4), "{error}"),
            }
        }
    }

    #[test]
    fn who_merges_decides() {
        let wanted = done(initiative("x"), &[1, 8, 2, 3], "users/ben", at(2));
        let (there, events) = followed(initiative("x"), &wanted).unwrap().unwrap().into_parts();
        assert_eq!(events[..4], [Event::RiskWaived; 4]);
        assert_eq!(events[4..], [Event::Moved, Event::Committed, Event::Started]);
        let commitment = there.state.commitment().unwrap();
        assert_eq!((commitment.by.as_str(), commitment.time), ("users/cy", at(9)));
        let waiver = there.risks[&Risk::ALL[0]].waiver.clone().unwrap();
        assert_eq!((waiver.signed_by.as_str(), waiver.reason.as_str()), ("users/cy", "small"));
    }

    #[test]
    fn rules_are_asked_again() {
        let wanted = done(initiative("x"), &[1, 2, 3], "users/ben", at(2));
        let other = initiative("other");
        let around = Around { before: vec![&other], waiting: Vec::new() };
        let refused = initiative("x").follow(Vec::new(), &wanted, &around, "users/cy", at(9)).unwrap_err();
        assert!(matches!(refused, InitiativeError::OutOfOrder { step: Step::Start, .. }), "{refused}");

        let started = done(initiative("x"), &[1, 2, 3], "users/ada", at(1));
        let committed = done(initiative("x"), &[1, 2], "users/ben", at(2));
        let refused = followed(started, &Initiative { risks: committed.risks.clone(), ..committed }).unwrap_err();
        assert!(matches!(refused, InitiativeError::NoWay { wanted: "COMMITTED", .. }), "{refused}");
        assert_eq!(refused.reason(), crate::Reason::StateConflict);
    }

    #[test]
    fn what_was_declined_comes_back_before_it_goes_on() {
        let declined = done(initiative("x"), &[7], "users/ada", at(1));
        let wanted = done(declined.clone(), &[6, 8, 1, 2], "users/ben", at(2));
        let (_, events) = followed(declined, &wanted).unwrap().unwrap().into_parts();
        assert_eq!((events[0], events[events.len() - 1]), (Event::Resumed, Event::Committed));
    }
}
