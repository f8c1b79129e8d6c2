//! The decisions about a scenario.

use chrono::{DateTime, Utc};

use super::{Scenario, ScenarioError, ScenarioEvent, ScenarioState};
use crate::Change;
use crate::roadmap::Initiative;

impl Scenario {
    /// Refuses an action unless the scenario is open.
    pub fn must_be_open(&self, action: &'static str) -> Result<(), ScenarioError> {
        match self.state {
            ScenarioState::Open => Ok(()),
            ScenarioState::Merged { .. } => Err(ScenarioError::Merged { resource: self.meta.name.clone(), action }),
        }
    }

    /// The scenario once it has changed so many more initiatives.
    pub fn changed(mut self, more: usize, now: DateTime<Utc>) -> Result<Change<Self>, ScenarioError> {
        let count = self.initiative_count.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        if count as usize > Self::INITIATIVES {
            return Err(ScenarioError::Full { resource: self.meta.name });
        }
        self.initiative_count = count;
        self.change_time = Some(now);
        Ok(Change::new(self, ScenarioEvent::Changed))
    }

    /// The scenario once what it changed of an initiative is taken back.
    pub fn taken_back(mut self, now: DateTime<Utc>) -> Change<Self> {
        self.initiative_count = self.initiative_count.saturating_sub(1);
        self.change_time = Some(now);
        Change::new(self, ScenarioEvent::Changed)
    }

    /// OPEN → MERGED.
    pub fn merged(mut self, by: String, time: DateTime<Utc>, revision: i64) -> Change<Self> {
        self.state = ScenarioState::Merged { by, time, revision };
        Change::new(self, ScenarioEvent::Merged)
    }
}

impl Initiative {
    /// The initiative after a change in a scenario. Versions are counted there as the store counts them on the roadmap.
    #[must_use]
    pub fn changed_in_scenario(mut self, now: DateTime<Utc>) -> Self {
        self.meta.version += 1;
        self.meta.update_time = now;
        self
    }
}
