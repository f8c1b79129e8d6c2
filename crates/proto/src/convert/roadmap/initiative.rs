//! Initiatives as a whole; their parts are in `initiative_parts`.

use std::collections::BTreeSet;

use waymark_domain::roadmap::{Commitment, Initiative, InitiativeState, Shipment, Start, Underway};
use waymark_domain::{Meta, Violations};

use super::initiative_parts as parts;
use crate::Choice as _;
use crate::convert::{evidence, meta, set_meta, sibling, time, timestamp, whole};
use crate::roadmap::v1 as pb;

impl TryFrom<pb::Initiative> for Initiative {
    type Error = Violations;
    fn try_from(message: pb::Initiative) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta: Option<Meta<Self>> = meta(v, &message);
        let workspace = meta.as_ref().map(|m| m.name.workspace());
        let horizon = message.horizon().domain();
        let state = state(v, &message);
        let product = sibling(v, "product", workspace, &message.product);
        let dependencies: BTreeSet<_> =
            message.dependencies.iter().filter_map(|name| sibling(v, "dependencies", workspace, name)).collect();
        let key_results =
            message.key_results.iter().filter_map(|name| sibling(v, "key_results", workspace, name)).collect();
        let audiences = message.audiences.iter().filter_map(|name| sibling(v, "audiences", workspace, name)).collect();
        let target = message.target.and_then(|target| v.nested("target", target.try_into()));
        let evidence = evidence(v, "evidence", message.evidence);
        let risks = parts::risks(v, message.risks);
        let expected_outcome =
            message.expected_outcome.and_then(|expected| v.nested("expected_outcome", expected.try_into()));
        let rank_change = message.rank_change.and_then(|change| v.nested("rank_change", change.try_into()));
        let priority = message.priority.and_then(|priority| v.nested("priority", priority.try_into()));
        let dependency_waivers = parts::dependency_waivers(v, workspace, message.dependency_waivers);
        let initiative = (|| {
            Some(Self {
                meta: meta?,
                product,
                problem: message.problem,
                hypothesis: message.hypothesis,
                horizon: horizon?,
                target,
                owner: message.owner,
                evidence,
                risks,
                expected_outcome,
                dependencies,
                state: state?,
                rank_change,
                priority,
                dependency_waivers,
                key_results,
                audiences,
            })
        })();
        whole(violations, initiative)
    }
}

/// The state with what belongs to it; a message must say all of that and nothing else. A new initiative states none and
/// is PROPOSED.
fn state(violations: &mut Violations, message: &pb::Initiative) -> Option<InitiativeState> {
    use pb::InitiativeState as Stated;
    let v = violations;
    let stated = match message.state() {
        Stated::Unspecified => Stated::Proposed,
        stated => stated,
    };
    // How far it has come, or had when it was set aside.
    let reached = match stated {
        Stated::Paused => message.pause.as_ref().map_or(Stated::Committed, pb::Pause::resume_state),
        Stated::Declined if message.start_time.is_some() => Stated::InProgress,
        Stated::Declined if message.commit_time.is_some() => Stated::Committed,
        Stated::Declined => Stated::Proposed,
        _ => stated,
    };
    let (committed, started, shipped) = match reached {
        Stated::InProgress => (true, true, false),
        Stated::Shipped | Stated::Measured => (true, true, true),
        Stated::Committed => (true, false, false),
        Stated::Unspecified | Stated::Proposed | Stated::Paused | Stated::Declined => (false, false, false),
    };
    let mut belongs = |field: &str, set: bool, needed: bool| {
        if set != needed {
            let must = if needed { "must be set while" } else { "must not be set while" };
            v.add(field, format!("{must} {}", stated.as_str_name()));
        }
    };
    belongs("commit_time", message.commit_time.is_some(), committed);
    if !committed {
        belongs("committed_by", !message.committed_by.is_empty(), false);
    }
    belongs("start_time", message.start_time.is_some(), started);
    belongs("ship_time", message.ship_time.is_some(), shipped);
    belongs("actual", message.actual.is_some(), stated == Stated::Measured);
    belongs("decline", message.decline.is_some(), stated == Stated::Declined);
    belongs("pause", message.pause.is_some(), stated == Stated::Paused);

    let commitment =
        time(v, "commit_time", message.commit_time).map(|time| Commitment { by: message.committed_by.clone(), time });
    let start = time(v, "start_time", message.start_time)
        .and_then(|time| Some(Start { commitment: commitment.clone()?, time }));
    let shipment =
        time(v, "ship_time", message.ship_time).and_then(|time| Some(Shipment { start: start.clone()?, time }));
    let left = start.clone().map(Underway::InProgress).or(commitment.clone().map(Underway::Committed));
    let actual = message.actual.clone().and_then(|actual| v.nested("actual", actual.try_into()));
    let decline =
        message.decline.clone().and_then(|decline| v.nested("decline", parts::decline(decline, left.clone())));
    let pause = message.pause.clone().and_then(|pause| v.nested("pause", parts::pause(pause, left)));
    match stated {
        Stated::Unspecified | Stated::Proposed => Some(InitiativeState::Proposed),
        Stated::Committed => commitment.map(InitiativeState::Committed),
        Stated::InProgress => start.map(InitiativeState::InProgress),
        Stated::Shipped => shipment.map(InitiativeState::Shipped),
        Stated::Measured => Some(InitiativeState::Measured(shipment?, actual?)),
        Stated::Declined => decline.map(InitiativeState::Declined),
        Stated::Paused => pause.flatten().map(InitiativeState::Paused),
    }
}

impl From<&Initiative> for pb::Initiative {
    fn from(initiative: &Initiative) -> Self {
        let (mut actual, mut decline, mut pause) = (None, None, None);
        let state = match &initiative.state {
            InitiativeState::Proposed => pb::InitiativeState::Proposed,
            InitiativeState::Committed(_) => pb::InitiativeState::Committed,
            InitiativeState::InProgress(_) => pb::InitiativeState::InProgress,
            InitiativeState::Shipped(_) => pb::InitiativeState::Shipped,
            InitiativeState::Measured(_, outcome) => {
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
            horizon: pb::Horizon::of(initiative.horizon),
            target: initiative.target.as_ref().map(Into::into),
            owner: initiative.owner.clone(),
            evidence: initiative.evidence.iter().map(Into::into).collect(),
            risks: parts::all_risks(&initiative.risks),
            expected_outcome: initiative.expected_outcome.as_ref().map(Into::into),
            dependencies: initiative.dependencies.iter().map(ToString::to_string).collect(),
            state: state.into(),
            committed_by: initiative.state.commitment().map(|c| c.by.clone()).unwrap_or_default(),
            commit_time: initiative.state.commitment().map(|c| timestamp(c.time)),
            start_time: initiative.state.start_time().map(timestamp),
            ship_time: initiative.state.ship_time().map(timestamp),
            actual,
            decline,
            pause,
            rank_change: initiative.rank_change.as_ref().map(Into::into),
            priority: initiative.priority.as_ref().map(Into::into),
            dependency_waivers: initiative.dependency_waivers.iter().map(parts::dependency_waiver).collect(),
            key_results: initiative.key_results.iter().map(ToString::to_string).collect(),
            audiences: initiative.audiences.iter().map(ToString::to_string).collect(),
            ..Self::default()
        };
        set_meta(&mut message, &initiative.meta);
        message
    }
}
