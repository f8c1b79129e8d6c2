//! What is done to decisions: pure, so that it can be retried and tested by the thousand.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    Choice, Decision, DecisionError, DecisionEvent, DecisionOption, DecisionState, KillCriterion, KillThreshold,
    Options, Review,
};
use crate::roadmap::{Decline, Initiative};
use crate::{Change, FullName, Meta, Name, Reading};

impl Decision {
    /// A new one, about which nothing is decided yet.
    pub fn propose(mut self) -> Change<Self> {
        for criterion in &mut self.kill_criteria {
            criterion.met = None;
        }
        Change::new(self, DecisionEvent::Created)
    }

    /// That an initiative is not built: a decision that is made as it is written down.
    pub fn not_to_build(meta: Meta<Self>, initiative: &Initiative, decline: &Decline) -> Change<Self> {
        let title = |not_building| if not_building { "Do not build it" } else { "Build it" };
        let option = |not_building, evidence_for| DecisionOption {
            title: title(not_building).to_owned(),
            description: String::new(),
            not_building,
            evidence_for,
            evidence_against: Vec::new(),
        };
        let criterion =
            KillCriterion { statement: decline.what_would_change_our_mind.clone(), threshold: None, met: None };
        let choice = Choice {
            option: title(true).to_owned(),
            reason: decline.reason.clone(),
            by: decline.by.clone(),
            time: decline.time,
        };
        let decision = Self {
            question: format!("Is \"{}\" to be built?", initiative.meta.display_name),
            options: Options(vec![option(false, initiative.evidence.clone()), option(true, decline.evidence.clone())]),
            owner: initiative.owner.clone(),
            decides: [initiative.meta.name.full()].into(),
            kill_criteria: vec![criterion],
            review_date: decline.review_date,
            review: None,
            supersedes: None,
            state: DecisionState::Decided(choice),
            meta,
        };
        Change::new(decision, DecisionEvent::Created).and(DecisionEvent::Made)
    }

    /// That what an older decision spoke against is looked at again: it supersedes that one, and is made as it is written
    /// down.
    pub fn to_take_up_again(meta: Meta<Self>, old: Self, by: String, now: DateTime<Utc>) -> Change<Self> {
        let title = "Take it up again";
        let option = DecisionOption {
            title: title.to_owned(),
            description: String::new(),
            not_building: false,
            evidence_for: Vec::new(),
            evidence_against: Vec::new(),
        };
        let reason = "resumed after it was declined".to_owned();
        let choice = Choice { option: title.to_owned(), reason, by, time: now };
        let supersedes = Some(old.meta.name.clone());
        let (state, options) = (DecisionState::Decided(choice), Options(vec![option]));
        let again = Self {
            meta,
            options,
            kill_criteria: Vec::new(),
            review_date: None,
            review: None,
            supersedes,
            state,
            ..old
        };
        Change::new(again, DecisionEvent::Created).and(DecisionEvent::Made)
    }

    /// This decision as an update of `old`: where it stands stays as it was, and so does, once it is made, what it was
    /// made of.
    pub fn revise(mut self, old: &Self) -> Result<Change<Self>, DecisionError> {
        let fixed = |d: &Self| (d.question.clone(), d.options.clone(), d.supersedes.clone());
        if old.state != DecisionState::Open && fixed(&self) != fixed(old) {
            return Err(DecisionError::Fixed { resource: old.meta.name.clone() });
        }
        let found: BTreeMap<_, _> = old.kill_criteria.iter().map(|known| (known.said(), known.met)).collect();
        for criterion in &mut self.kill_criteria {
            criterion.met = found.get(&criterion.said()).copied().flatten();
        }
        self.state = old.state.clone();
        self.review.clone_from(&old.review);
        Ok(Change::new(self, DecisionEvent::Updated))
    }

    /// OPEN → DECIDED, for one of its options.
    pub fn make(
        mut self,
        option: &str,
        reason: String,
        review_date: Option<NaiveDate>,
        by: String,
        now: DateTime<Utc>,
    ) -> Result<Change<Self>, DecisionError> {
        self.must_be("OPEN", "MakeDecision")?;
        if self.options.titled(option).is_none() {
            let options = self.options.iter().map(|option| option.title.clone()).collect();
            return Err(DecisionError::NoOption { resource: self.meta.name, option: option.to_owned(), options });
        }
        self.looked_at_by(review_date, now)?;
        self.state = DecisionState::Decided(Choice { option: option.to_owned(), reason, by, time: now });
        Ok(Change::new(self, DecisionEvent::Made))
    }

    /// DECIDED → SUPERSEDED, by a decision that was made now.
    pub fn supersede(mut self, by: &Name<Self>) -> Result<Change<Self>, DecisionError> {
        match self.state {
            DecisionState::Decided(choice) => {
                self.state = DecisionState::Superseded(choice, by.clone());
                Ok(Change::new(self, DecisionEvent::Superseded))
            }
            DecisionState::Open | DecisionState::Superseded(..) => Err(self.state_error("superseding it", "DECIDED")),
        }
    }

    /// That it says of something that it is not built.
    pub fn must_decline(&self) -> Result<(), DecisionError> {
        if self.is_not_building() {
            return Ok(());
        }
        Err(DecisionError::NotDeclining { resource: self.meta.name.clone(), state: self.state.name() })
    }

    fn must_be(&self, needed: &'static str, action: &'static str) -> Result<(), DecisionError> {
        if self.state.name() == needed { Ok(()) } else { Err(self.state_error(action, needed)) }
    }

    fn state_error(&self, action: &'static str, needed: &'static str) -> DecisionError {
        DecisionError::State { resource: self.meta.name.clone(), state: self.state.name(), action, needed }
    }

    /// Sets the day to look at it again.
    fn looked_at_by(&mut self, date: Option<NaiveDate>, now: DateTime<Utc>) -> Result<(), DecisionError> {
        if let Some(date) = date.filter(|date| *date < now.date_naive()) {
            return Err(DecisionError::ReviewInPast(date));
        }
        self.review_date = date;
        Ok(())
    }

    /// Keeps what was decided: what has spoken against it is seen, and a day to look at it again is set.
    pub fn reviewed(
        mut self,
        note: String,
        review_date: Option<NaiveDate>,
        by: String,
        now: DateTime<Utc>,
    ) -> Result<Change<Self>, DecisionError> {
        self.must_be("DECIDED", "ReviewDecision")?;
        self.looked_at_by(review_date, now)?;
        for criterion in &mut self.kill_criteria {
            criterion.met = None;
        }
        self.review = Some(Review { note, by, time: now });
        Ok(Change::new(self, DecisionEvent::Reviewed))
    }

    /// What readings of a metric change; `None` when they say nothing new. Only intervals that end after the decision was
    /// made, or looked at last, speak against it. One that has spoken follows what events that come late make of it.
    pub fn measured(mut self, metric: &FullName, readings: &[Reading]) -> Option<Change<Self>> {
        let DecisionState::Decided(choice) = &self.state else { return None };
        let since = self.review.as_ref().map_or(choice.time, |review| review.time);
        let mut event = None;
        for reading in readings.iter().copied().filter(|reading| reading.period().end() > since) {
            for KillCriterion { threshold, met, .. } in &mut self.kill_criteria {
                let Some(KillThreshold { condition, value, .. }) = threshold.as_ref().filter(|t| t.metric == *metric)
                else {
                    continue;
                };
                let found = condition.is_beyond(reading.value(), *value).then_some(reading);
                match *met {
                    None if found.is_some() => event = Some(DecisionEvent::ReviewDue),
                    Some(known) if known.period() == reading.period() && found != *met => {
                        event = event.or(Some(DecisionEvent::Updated));
                    }
                    None | Some(_) => continue,
                }
                *met = found;
            }
        }
        event.map(|event| Change::new(self, event))
    }
}
