//! Initiatives as a whole; their parts are in `initiative_parts`.

use std::collections::BTreeSet;

use waymark_domain::roadmap::{Commitment, Horizon, Initiative, InitiativeState, PausedIn};
use waymark_domain::{Meta, Violations, text};

use super::initiative_parts as parts;
use super::sibling;
use crate::convert::{evidence, meta, set_meta, time, timestamp};
use crate::roadmap::v1 as pb;

impl TryFrom<pb::Initiative> for Initiative {
    type Error = Violations;
    fn try_from(message: pb::Initiative) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta: Option<Meta<Self>> = meta(v, &message);
        let workspace = meta.as_ref().map(|m| m.name.workspace());
        let horizon = match message.horizon() {
            pb::Horizon::Unspecified | pb::Horizon::Later => Horizon::Later,
            pb::Horizon::Now => Horizon::Now,
            pb::Horizon::Next => Horizon::Next,
        };
        let state = state(v, &message);
        let product = sibling(v, "product", workspace, &message.product);
        let dependencies: BTreeSet<_> =
            message.dependencies.iter().filter_map(|name| sibling(v, "dependencies", workspace, name)).collect();
        let problem = v.check("problem", text::optional(message.problem, 4_000));
        let hypothesis = v.check("hypothesis", text::optional(message.hypothesis, 4_000));
        let owner = v.check("owner", text::optional(message.owner, 200));
        let target = message.target.and_then(|target| v.nested("target", target.try_into()));
        let evidence = evidence(v, "evidence", message.evidence);
        let risks = parts::risks(v, message.risks);
        let expected_outcome =
            message.expected_outcome.and_then(|expected| v.nested("expected_outcome", expected.try_into()));
        let commitment =
            time(v, "commit_time", message.commit_time).map(|time| Commitment { by: message.committed_by, time });
        let start_time = time(v, "start_time", message.start_time);
        let ship_time = time(v, "ship_time", message.ship_time);
        let rank_change = message.rank_change.and_then(|change| v.nested("rank_change", change.try_into()));
        match (meta, state, problem, hypothesis, owner) {
            (Some(meta), Some(state), Some(problem), Some(hypothesis), Some(owner)) if violations.is_empty() => {
                Ok(Self {
                    meta,
                    product,
                    problem,
                    hypothesis,
                    horizon,
                    target,
                    owner,
                    evidence,
                    risks,
                    expected_outcome,
                    dependencies,
                    state,
                    commitment,
                    start_time,
                    ship_time,
                    rank_change,
                })
            }
            _ => Err(violations),
        }
    }
}

/// The state with what belongs to it. A new initiative states none and is PROPOSED.
fn state(violations: &mut Violations, message: &pb::Initiative) -> Option<InitiativeState> {
    let mut part = |field: &str, missing: bool| {
        if missing {
            violations.add(field, format!("must be set while {}", message.state().as_str_name()));
        }
    };
    Some(match message.state() {
        pb::InitiativeState::Unspecified | pb::InitiativeState::Proposed => InitiativeState::Proposed,
        pb::InitiativeState::Committed => InitiativeState::Committed,
        pb::InitiativeState::InProgress => InitiativeState::InProgress,
        pb::InitiativeState::Shipped => InitiativeState::Shipped,
        pb::InitiativeState::Measured => {
            part("actual", message.actual.is_none());
            InitiativeState::Measured(violations.nested("actual", message.actual.clone()?.try_into())?)
        }
        pb::InitiativeState::Declined => {
            part("decline", message.decline.is_none());
            InitiativeState::Declined(violations.nested("decline", message.decline.clone()?.try_into())?)
        }
        pb::InitiativeState::Paused => {
            part("pause", message.pause.is_none());
            InitiativeState::Paused(violations.nested("pause", message.pause.clone()?.try_into())?)
        }
    })
}

impl From<&Initiative> for pb::Initiative {
    fn from(initiative: &Initiative) -> Self {
        let (mut actual, mut decline, mut pause) = (None, None, None);
        let state = match &initiative.state {
            InitiativeState::Proposed => pb::InitiativeState::Proposed,
            InitiativeState::Committed => pb::InitiativeState::Committed,
            InitiativeState::InProgress => pb::InitiativeState::InProgress,
            InitiativeState::Shipped => pb::InitiativeState::Shipped,
            InitiativeState::Measured(outcome) => {
                actual = Some(outcome.into());
                pb::InitiativeState::Measured
            }
            InitiativeState::Declined(reasons) => {
                decline = Some(reasons.into());
                pb::InitiativeState::Declined
            }
            InitiativeState::Paused(reasons) => {
                pause = Some(reasons.into());
                pb::InitiativeState::Paused
            }
        };
        let mut message = Self {
            product: initiative.product.as_ref().map(ToString::to_string).unwrap_or_default(),
            problem: initiative.problem.clone(),
            hypothesis: initiative.hypothesis.clone(),
            horizon: pb::Horizon::from(initiative.horizon).into(),
            target: initiative.target.as_ref().map(Into::into),
            owner: initiative.owner.clone(),
            evidence: initiative.evidence.iter().map(Into::into).collect(),
            risks: parts::all_risks(&initiative.risks),
            expected_outcome: initiative.expected_outcome.as_ref().map(Into::into),
            dependencies: initiative.dependencies.iter().map(ToString::to_string).collect(),
            state: state.into(),
            committed_by: initiative.commitment.as_ref().map(|c| c.by.clone()).unwrap_or_default(),
            commit_time: initiative.commitment.as_ref().map(|c| timestamp(c.time)),
            start_time: initiative.start_time.map(timestamp),
            ship_time: initiative.ship_time.map(timestamp),
            actual,
            decline,
            pause,
            rank_change: initiative.rank_change.as_ref().map(Into::into),
            ..Self::default()
        };
        set_meta(&mut message, &initiative.meta);
        message
    }
}

impl From<Horizon> for pb::Horizon {
    fn from(horizon: Horizon) -> Self {
        match horizon {
            Horizon::Now => Self::Now,
            Horizon::Next => Self::Next,
            Horizon::Later => Self::Later,
        }
    }
}

/// The horizon that MoveInitiative asks for; here none is not LATER.
impl TryFrom<pb::Horizon> for Horizon {
    type Error = Violations;
    fn try_from(horizon: pb::Horizon) -> Result<Self, Violations> {
        match horizon {
            pb::Horizon::Unspecified => Err(Violations::one("horizon", "must be one of NOW, NEXT, LATER")),
            pb::Horizon::Now => Ok(Self::Now),
            pb::Horizon::Next => Ok(Self::Next),
            pb::Horizon::Later => Ok(Self::Later),
        }
    }
}

impl From<PausedIn> for pb::InitiativeState {
    fn from(state: PausedIn) -> Self {
        match state {
            PausedIn::Committed => Self::Committed,
            PausedIn::InProgress => Self::InProgress,
        }
    }
}
