//! The decisions about an initiative: pure, so that they can be retried and tested by the thousand.

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    ActualOutcome, Commitment, Decline, Horizon, Initiative, InitiativeError, InitiativeEvent as Event,
    InitiativeState as State, InitiativeStep as Step, Pause, Priority, RankChange, Shipment, Start, Underway, Waiver,
};
use crate::roadmap::TargetInterval;
use crate::{AnyName, Change, Evidence, Name, Risk};

type Decision = Result<Change<Initiative>, InitiativeError>;

/// What somebody who declines an initiative has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Declining {
    /// Why not.
    pub reason: String,
    /// What the decision rests on.
    pub evidence: Vec<Evidence>,
    /// What would have to become true to decide otherwise.
    pub what_would_change_our_mind: String,
    /// The day to look at it again.
    pub review_date: Option<NaiveDate>,
    /// Why although others wait for it; may be empty.
    pub waive_dependencies: String,
    /// The decision that says so; there is to be one.
    pub decision: Option<AnyName>,
}

impl Waiver {
    /// A signature, if there is a reason.
    pub fn signed(reason: String, by: &str, now: DateTime<Utc>) -> Option<Self> {
        (!reason.is_empty()).then(|| Self { reason, signed_by: by.to_owned(), time: now })
    }
}

impl Initiative {
    /// A new initiative. A caller cannot sign waivers on the way.
    pub fn propose(mut self) -> Change<Self> {
        for assessment in self.risks.values_mut() {
            assessment.waiver = None;
        }
        Change::new(self, Event::Created)
    }

    /// This initiative as an update of `old`: waivers stay what was signed, what has a method of its own stays as it
    /// was, and the prediction on record cannot be rewritten.
    pub fn revise(mut self, old: &Self) -> Decision {
        if self.horizon != old.horizon {
            return Err(InitiativeError::OwnMethod { field: "horizon", method: "MoveInitiative" });
        }
        if self.target != old.target {
            return Err(InitiativeError::OwnMethod { field: "target", method: "ScheduleInitiative" });
        }
        if self.expected_outcome != old.expected_outcome && old.state.commitment().is_some() {
            return Err(InitiativeError::PredictionFixed { resource: old.meta.name.clone() });
        }
        for risk in Risk::ALL {
            let waiver = old.risks.get(risk).and_then(|r| r.waiver.clone());
            if waiver.is_some() || self.risks.contains_key(risk) {
                self.risks.entry(*risk).or_default().waiver = waiver;
            }
        }
        Ok(Change::new(self, Event::Updated))
    }

    /// Sets or takes back when it is planned for.
    pub fn schedule(mut self, target: Option<TargetInterval>) -> Decision {
        self.must_be_open("ScheduleInitiative")?;
        self.target = target;
        Ok(Change::new(self, Event::Scheduled))
    }

    /// Moves it to another horizon.
    pub fn relocate(mut self, horizon: Horizon) -> Decision {
        self.must_be_open("MoveInitiative")?;
        self.horizon = horizon;
        Ok(Change::new(self, Event::Moved))
    }

    /// Signs that `risk` is taken without evidence.
    pub fn waive_risk(mut self, risk: Risk, reason: String, signed_by: String, now: DateTime<Utc>) -> Decision {
        self.must_be_open("WaiveRisk")?;
        self.risks.entry(risk).or_default().waiver = Some(Waiver { reason, signed_by, time: now });
        Ok(Change::new(self, Event::RiskWaived))
    }

    /// Adds evidence for risks. `None` when all of it is there already or there is no room for more.
    pub fn add_risk_evidence(mut self, found: impl IntoIterator<Item = (Risk, Evidence)>) -> Option<Change<Self>> {
        let mut added = false;
        for (risk, evidence) in found {
            let links = &mut self.risks.entry(risk).or_default().evidence;
            if links.len() < Evidence::LINKS && links.iter().all(|e| e.target != evidence.target) {
                links.push(evidence);
                added = true;
            }
        }
        added.then(|| Change::new(self, Event::EvidenceAdded))
    }

    /// PROPOSED → COMMITTED, once no risk is open.
    pub fn commit(mut self, by: String, now: DateTime<Utc>) -> Decision {
        match self.state {
            State::Proposed => {}
            State::Committed(_)
            | State::InProgress(_)
            | State::Shipped(_)
            | State::Measured(..)
            | State::Declined(_)
            | State::Paused(_) => {
                return Err(self.conflict("CommitInitiative", "PROPOSED"));
            }
        }
        let risks = self.open_risks();
        if !risks.is_empty() {
            return Err(InitiativeError::RisksOpen { resource: self.meta.name, risks });
        }
        self.state = State::Committed(Commitment { by, time: now });
        Ok(Change::new(self, Event::Committed))
    }

    /// COMMITTED → IN_PROGRESS, once those that must ship before have, or with a signature.
    pub fn start<'a>(
        self,
        before: impl IntoIterator<Item = &'a Self>,
        waiver: Option<Waiver>,
        now: DateTime<Utc>,
    ) -> Decision {
        match &self.state {
            State::Committed(commitment) => {
                let state = State::InProgress(Start { commitment: commitment.clone(), time: now });
                Ok(Change::new(Self { state, ..self.take(Step::Start, before, waiver)? }, Event::Started))
            }
            State::Proposed
            | State::InProgress(_)
            | State::Shipped(_)
            | State::Measured(..)
            | State::Declined(_)
            | State::Paused(_) => Err(self.conflict("StartInitiative", "COMMITTED")),
        }
    }

    /// IN_PROGRESS → SHIPPED, once those that must ship before have, or with a signature.
    pub fn ship<'a>(
        self,
        before: impl IntoIterator<Item = &'a Self>,
        waiver: Option<Waiver>,
        now: DateTime<Utc>,
    ) -> Decision {
        match &self.state {
            State::InProgress(start) => {
                let state = State::Shipped(Shipment { start: start.clone(), time: now });
                Ok(Change::new(Self { state, ..self.take(Step::Ship, before, waiver)? }, Event::Shipped))
            }
            State::Proposed
            | State::Committed(_)
            | State::Shipped(_)
            | State::Measured(..)
            | State::Declined(_)
            | State::Paused(_) => Err(self.conflict("ShipInitiative", "IN_PROGRESS")),
        }
    }

    /// SHIPPED → MEASURED; a later measurement replaces the one before.
    pub fn measure(self, actual: ActualOutcome) -> Decision {
        match self.state {
            State::Shipped(shipment) | State::Measured(shipment, _) => {
                let state = State::Measured(shipment, actual);
                Ok(Change::new(Self { state, ..self }, Event::Measured))
            }
            State::Proposed | State::Committed(_) | State::InProgress(_) | State::Declined(_) | State::Paused(_) => {
                Err(self.conflict("measuring", "SHIPPED or MEASURED"))
            }
        }
    }

    /// Anything before SHIPPED → DECLINED, once nobody waits for it, or with a signature.
    pub fn decline<'a>(
        self,
        declining: Declining,
        waiting: impl IntoIterator<Item = &'a Self>,
        by: String,
        now: DateTime<Utc>,
    ) -> Decision {
        let left = match &self.state {
            State::Proposed => None,
            State::Committed(commitment) => Some(Underway::Committed(commitment.clone())),
            State::InProgress(start) => Some(Underway::InProgress(start.clone())),
            State::Paused(pause) => Some(pause.left.clone()),
            State::Shipped(_) | State::Measured(..) | State::Declined(_) => {
                return Err(self.conflict("DeclineInitiative", "PROPOSED, COMMITTED, IN_PROGRESS or PAUSED"));
            }
        };
        if let Some(date) = declining.review_date.filter(|date| *date < now.date_naive()) {
            return Err(InitiativeError::ReviewInPast(date));
        }
        let Declining { reason, evidence, what_would_change_our_mind, review_date, waive_dependencies, decision } =
            declining;
        let waiver = Waiver::signed(waive_dependencies, &by, now);
        let decline =
            Decline { reason, evidence, what_would_change_our_mind, review_date, decision, left, by, time: now };
        let taken = self.take(Step::Decline, waiting, waiver)?;
        Ok(Change::new(Self { state: State::Declined(decline), ..taken }, Event::Declined))
    }

    /// Names the decision of one that was declined without; `None` where there is nothing to name.
    pub fn declined_by(mut self, decision: AnyName) -> Option<Change<Self>> {
        match &mut self.state {
            State::Declined(decline) if decline.decision.is_none() => decline.decision = Some(decision),
            State::Proposed
            | State::Committed(_)
            | State::InProgress(_)
            | State::Shipped(_)
            | State::Measured(..)
            | State::Declined(_)
            | State::Paused(_) => return None,
        }
        Some(Change::new(self, Event::Updated))
    }

    /// COMMITTED or IN_PROGRESS → PAUSED.
    pub fn pause(self, reason: String, now: DateTime<Utc>) -> Decision {
        let left = match self.state {
            State::Committed(commitment) => Underway::Committed(commitment),
            State::InProgress(start) => Underway::InProgress(start),
            State::Proposed | State::Shipped(_) | State::Measured(..) | State::Declined(_) | State::Paused(_) => {
                return Err(self.conflict("PauseInitiative", "COMMITTED or IN_PROGRESS"));
            }
        };
        Ok(Change::new(Self { state: State::Paused(Pause { reason, left, time: now }), ..self }, Event::Paused))
    }

    /// PAUSED → where it was; DECLINED → PROPOSED, as if never committed to.
    pub fn resume(self) -> Decision {
        let state = match self.state {
            State::Paused(pause) => match pause.left {
                Underway::Committed(commitment) => State::Committed(commitment),
                Underway::InProgress(start) => State::InProgress(start),
            },
            State::Declined(_) => State::Proposed,
            State::Proposed | State::Committed(_) | State::InProgress(_) | State::Shipped(_) | State::Measured(..) => {
                return Err(self.conflict("ResumeInitiative", "PAUSED or DECLINED"));
            }
        };
        Ok(Change::new(Self { state, ..self }, Event::Resumed))
    }

    /// Waits for `dependency`.
    pub fn add_dependency(mut self, dependency: Name<Self>) -> Decision {
        self.must_be_open("AddDependency")?;
        if !self.dependencies.insert(dependency.clone()) {
            return Err(InitiativeError::AlreadyDepends { resource: self.meta.name, dependency });
        }
        Ok(Change::new(self, Event::DependencyAdded))
    }

    /// No longer waits for `dependency`.
    pub fn remove_dependency(mut self, dependency: Name<Self>) -> Decision {
        if !self.dependencies.remove(&dependency) {
            return Err(InitiativeError::NotDependent { resource: self.meta.name, dependency });
        }
        Ok(Change::new(self, Event::DependencyRemoved))
    }

    /// Takes what the estimate that counts says now, and how that moved it in the order, if it did. `None` when both are
    /// as before.
    pub fn prioritize(mut self, priority: Option<Priority>, moved: Option<RankChange>) -> Option<Change<Self>> {
        if self.priority == priority && moved.is_none() {
            return None;
        }
        self.priority = priority;
        let event = if moved.is_some() { Event::RankChanged } else { Event::Prioritized };
        self.rank_change = moved.or(self.rank_change);
        Some(Change::new(self, event))
    }

    fn must_be_open(&self, action: &'static str) -> Result<(), InitiativeError> {
        if self.is_open() { Ok(()) } else { Err(self.conflict(action, "PROPOSED, COMMITTED, IN_PROGRESS or PAUSED")) }
    }

    fn conflict(&self, action: &'static str, needed: &'static str) -> InitiativeError {
        InitiativeError::State { resource: self.meta.name.clone(), state: (&self.state).into(), action, needed }
    }
}
