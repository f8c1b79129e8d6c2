//! What must ship before what: which steps are too early or leave others waiting, and the signature that stands in for
//! the order.

use super::{DependencyWaiver, Initiative, InitiativeError, InitiativeStep, Waiver};

impl Initiative {
    /// The initiative at a step that `concerned` may speak against: what it depends on, unless that has shipped, and
    /// when it is declined what depends on it, as long as that is open. Refused then without a signature.
    pub(super) fn take<'a>(
        mut self,
        step: InitiativeStep,
        concerned: impl IntoIterator<Item = &'a Self>,
        waiver: Option<Waiver>,
    ) -> Result<Self, InitiativeError> {
        let speaks_against = |other: &&Self| match step {
            InitiativeStep::Start | InitiativeStep::Ship => other.state.ship_time().is_none(),
            InitiativeStep::Decline => other.is_open(),
        };
        let against: Vec<&Self> = concerned.into_iter().filter(speaks_against).collect();
        self.dependency_waivers.remove(&step);
        if against.is_empty() {
            return Ok(self);
        }
        let Some(waiver) = waiver else {
            let others = against.iter().map(|other| (other.meta.name.clone(), (&other.state).into())).collect();
            return Err(InitiativeError::OutOfOrder { resource: self.meta.name, step, others });
        };
        let initiatives = against.into_iter().map(|other| other.meta.name.clone()).collect();
        self.dependency_waivers.insert(step, DependencyWaiver { initiatives, waiver });
        Ok(self)
    }
}
