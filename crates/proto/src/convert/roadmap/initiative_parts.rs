//! The parts of an initiative: risks, targets, outcomes, and why it is paused or declined.

use std::collections::{BTreeMap, BTreeSet};

use waymark_domain::roadmap::{
    ActualOutcome, Decision, Decline, Declining, DependencyWaiver, DependencyWaivers, Estimate, ExpectedOutcome,
    Framework, InitiativeStep, Input, Pause, Place, Priority, RankChange, RankMove, RiskAssessment, TargetInterval,
    Underway, Waiver,
};
use waymark_domain::{Name, Risk, Violations, WorkspaceId};

use crate::Choice as _;
use crate::common::v1 as common;
use crate::convert::plain::Part;
use crate::convert::{date, evidence, name_if_set, range, sibling, time, timestamp, whole};
use crate::roadmap::v1 as pb;

/// What is known about each risk.
pub(super) fn risks(violations: &mut Violations, messages: Vec<pb::RiskAssessment>) -> BTreeMap<Risk, RiskAssessment> {
    let mut risks = BTreeMap::new();
    for (index, message) in messages.into_iter().enumerate() {
        let field = format!("risks[{index}]");
        let risk = message.risk().domain();
        let evidence = evidence(violations, &format!("{field}.evidence"), message.evidence);
        let waiver = message.waiver.and_then(|waiver| violations.nested(&format!("{field}.waiver"), waiver.try_into()));
        let Some(risk) = risk else { continue };
        if risks.insert(risk, RiskAssessment { evidence, waiver }).is_some() {
            violations.add(format!("{field}.risk"), format!("{risk} is there twice; give each risk once"));
        }
    }
    risks
}

/// All four risks, so that a reader sees what is open.
pub(super) fn all_risks(risks: &BTreeMap<Risk, RiskAssessment>) -> Vec<pb::RiskAssessment> {
    let assessment = |kind: &Risk| {
        let known = risks.get(kind);
        pb::RiskAssessment {
            risk: common::Risk::of(*kind),
            evidence: known.into_iter().flat_map(|r| &r.evidence).map(Into::into).collect(),
            waiver: known.and_then(|r| r.waiver.as_ref()).map(Into::into),
        }
    };
    Risk::ALL.iter().map(assessment).collect()
}

/// The signatures under steps that dependencies spoke against.
pub(super) fn dependency_waivers(
    violations: &mut Violations,
    workspace: Option<&WorkspaceId>,
    messages: Vec<pb::DependencyWaiver>,
) -> DependencyWaivers {
    let mut waivers = BTreeMap::new();
    for (index, message) in messages.into_iter().enumerate() {
        let field = format!("dependency_waivers[{index}]");
        let step: Option<InitiativeStep> = message.step().domain();
        let at = format!("{field}.initiatives");
        let initiatives: BTreeSet<_> =
            message.initiatives.iter().filter_map(|name| sibling(violations, &at, workspace, name)).collect();
        let waiver = message.waiver.and_then(|waiver| violations.nested(&format!("{field}.waiver"), waiver.try_into()));
        let Some((step, waiver)) = step.zip(waiver) else { continue };
        if waivers.insert(step, DependencyWaiver { initiatives, waiver }).is_some() {
            violations.add(format!("{field}.step"), "is there twice; give each step once");
        }
    }
    waivers
}

pub(super) fn dependency_waiver((step, waiver): (&InitiativeStep, &DependencyWaiver)) -> pb::DependencyWaiver {
    pb::DependencyWaiver {
        step: pb::InitiativeStep::of(*step),
        initiatives: waiver.initiatives.iter().map(ToString::to_string).collect(),
        waiver: Some((&waiver.waiver).into()),
    }
}

impl TryFrom<pb::Waiver> for Waiver {
    type Error = Violations;
    fn try_from(message: pb::Waiver) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let pb::Waiver { reason, signed_by, time: at } = message;
        let waiver = time(&mut violations, "time", at).map(|time| Self { reason, signed_by, time });
        whole(violations, waiver)
    }
}

impl From<&Waiver> for pb::Waiver {
    fn from(waiver: &Waiver) -> Self {
        Self { reason: waiver.reason.clone(), signed_by: waiver.signed_by.clone(), time: Some(timestamp(waiver.time)) }
    }
}

impl Part for TargetInterval {
    type Message = pb::TargetInterval;
}

impl TryFrom<pb::TargetInterval> for TargetInterval {
    type Error = Violations;
    fn try_from(message: pb::TargetInterval) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let start = violations.check("start", message.start.parse());
        let end = if message.end.is_empty() { start } else { violations.check("end", message.end.parse()) };
        let interval = start.zip(end).and_then(|(start, end)| violations.check("end", Self::new(start, end)));
        interval.ok_or(violations)
    }
}

impl From<&TargetInterval> for pb::TargetInterval {
    fn from(target: &TargetInterval) -> Self {
        Self { start: target.start().to_string(), end: target.end().to_string() }
    }
}

impl TryFrom<pb::ExpectedOutcome> for ExpectedOutcome {
    type Error = Violations;
    fn try_from(message: pb::ExpectedOutcome) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let metric = violations.check("metric", message.metric.parse());
        // What is wrong with it was said of the field.
        let window_days = u16::try_from(message.window_days_or_default()).ok();
        let change = range(&mut violations, "change", message.change);
        if change.is_some_and(|change| change.low() < -1.0) {
            violations.add("change.low", "must not be below -1: nothing falls by more than all of it");
        }
        let expected = (|| Some(Self { metric: metric?, change: change?, window_days: window_days? }))();
        whole(violations, expected)
    }
}

impl From<&ExpectedOutcome> for pb::ExpectedOutcome {
    fn from(expected: &ExpectedOutcome) -> Self {
        Self {
            metric: expected.metric.to_string(),
            change: Some((&expected.change).into()),
            window_days: expected.window_days.into(),
        }
    }
}

impl TryFrom<pb::ActualOutcome> for ActualOutcome {
    type Error = Violations;
    fn try_from(message: pb::ActualOutcome) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let verdict = message.verdict().domain();
        let outcome = violations.check("outcome", message.outcome.parse());
        let measured = range(&mut violations, "measured", message.measured);
        let time = time(&mut violations, "time", message.time);
        let actual = (|| Some(Self { outcome: outcome?, verdict: verdict?, measured, time: time? }))();
        whole(violations, actual)
    }
}

impl From<&ActualOutcome> for pb::ActualOutcome {
    fn from(actual: &ActualOutcome) -> Self {
        Self {
            outcome: actual.outcome.to_string(),
            verdict: common::Verdict::of(actual.verdict),
            measured: actual.measured.as_ref().map(Into::into),
            time: Some(timestamp(actual.time)),
        }
    }
}

/// What the caller of DeclineInitiative has to say.
impl TryFrom<&pb::DeclineInitiativeRequest> for Declining {
    type Error = Violations;
    fn try_from(request: &pb::DeclineInitiativeRequest) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let evidence = evidence(&mut violations, "evidence", request.evidence.clone());
        let review_date = date(&mut violations, "review_date", &request.review_date);
        let what_would_change_our_mind = request.what_would_change_our_mind.clone();
        let (reason, waive_dependencies) = (request.reason.clone(), request.waive_dependencies.clone());
        let decision = name_if_set::<Name<Decision>>(&mut violations, "decision", &request.decision);
        let declining = Self {
            reason,
            evidence,
            what_would_change_our_mind,
            review_date,
            waive_dependencies,
            decision: decision.map(|name| name.any()),
        };
        whole(violations, Some(declining))
    }
}

/// Why an initiative was declined that had come as far as `left`.
pub(super) fn decline(message: pb::Decline, left: Option<Underway>) -> Result<Decline, Violations> {
    let mut violations = Violations::new();
    let evidence = evidence(&mut violations, "evidence", message.evidence);
    let review_date = date(&mut violations, "review_date", &message.review_date);
    let time = time(&mut violations, "time", message.time);
    let decision = name_if_set::<Name<Decision>>(&mut violations, "decision", &message.decision);
    let decline = time.map(|time| Decline {
        reason: message.reason,
        evidence,
        what_would_change_our_mind: message.what_would_change_our_mind,
        review_date,
        decision: decision.map(|name| name.any()),
        left,
        by: message.declined_by,
        time,
    });
    whole(violations, decline)
}

impl From<&Decline> for pb::Decline {
    fn from(decline: &Decline) -> Self {
        Self {
            reason: decline.reason.clone(),
            evidence: decline.evidence.iter().map(Into::into).collect(),
            what_would_change_our_mind: decline.what_would_change_our_mind.clone(),
            review_date: decline.review_date.map(|date| date.to_string()).unwrap_or_default(),
            decision: decline.decision.as_ref().map(ToString::to_string).unwrap_or_default(),
            declined_by: decline.by.clone(),
            time: Some(timestamp(decline.time)),
        }
    }
}

/// Why an initiative is paused that had come as far as `left`; `None` when it had not come far enough, which is said of
/// the initiative.
pub(super) fn pause(message: pb::Pause, left: Option<Underway>) -> Result<Option<Pause>, Violations> {
    let mut violations = Violations::new();
    match message.resume_state() {
        pb::InitiativeState::Committed | pb::InitiativeState::InProgress => {}
        pb::InitiativeState::Unspecified
        | pb::InitiativeState::Proposed
        | pb::InitiativeState::Shipped
        | pb::InitiativeState::Measured
        | pb::InitiativeState::Declined
        | pb::InitiativeState::Paused => violations.add("resume_state", "must be COMMITTED or IN_PROGRESS"),
    }
    let time = time(&mut violations, "time", message.time);
    let pause = time.map(|time| left.map(|left| Pause { reason: message.reason, left, time }));
    whole(violations, pause)
}

impl From<&Pause> for pb::Pause {
    fn from(pause: &Pause) -> Self {
        let resume_state = match pause.left {
            Underway::Committed(_) => pb::InitiativeState::Committed,
            Underway::InProgress(_) => pb::InitiativeState::InProgress,
        };
        Self { reason: pause.reason.clone(), resume_state: resume_state.into(), time: Some(timestamp(pause.time)) }
    }
}

impl TryFrom<pb::RankChange> for RankChange {
    type Error = Violations;
    fn try_from(message: pb::RankChange) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let estimate = violations.check("estimate", message.estimate.parse::<Name<Estimate>>());
        let time = time(&mut violations, "time", message.time);
        let rice = pb::RankMove {
            framework: pb::ScoringFramework::Rice.into(),
            from_position: message.from_position,
            to_position: message.to_position,
            ranked_count: message.ranked_count,
            from_score: message.from_score,
            to_score: message.to_score,
        };
        let mut moves = Vec::new();
        if rice.from_position != rice.to_position {
            moves.extend(violations.nested("", RankMove::try_from(rice)));
        }
        for (index, of) in message.other_moves.into_iter().enumerate() {
            moves.extend(violations.nested(&format!("other_moves[{index}]"), RankMove::try_from(of)));
        }
        let change =
            (|| Some(Self { estimate: estimate?.any(), moves, explanation: message.explanation, time: time? }))();
        whole(violations, change)
    }
}

impl TryFrom<pb::RankMove> for RankMove {
    type Error = Violations;
    fn try_from(message: pb::RankMove) -> Result<Self, Violations> {
        let place = |position: i32, score: Option<f64>| {
            let position = u32::try_from(position).ok().filter(|position| *position > 0)?;
            Some(Place { position, score: score? })
        };
        Ok(Self {
            framework: message.framework().stated("framework")?,
            from: place(message.from_position, message.from_score),
            to: place(message.to_position, message.to_score),
            ranked_count: message.ranked_count.unsigned_abs(),
        })
    }
}

impl From<&RankChange> for pb::RankChange {
    fn from(RankChange { estimate, moves, explanation, time }: &RankChange) -> Self {
        let is_rice = |of: &&RankMove| of.framework == Framework::Rice;
        let rice = moves.iter().find(is_rice).map(pb::RankMove::from).unwrap_or_default();
        Self {
            estimate: estimate.to_string(),
            from_position: rice.from_position,
            to_position: rice.to_position,
            ranked_count: rice.ranked_count,
            from_score: rice.from_score,
            to_score: rice.to_score,
            explanation: explanation.clone(),
            time: Some(timestamp(*time)),
            other_moves: moves.iter().filter(|of| !is_rice(of)).map(Into::into).collect(),
        }
    }
}

impl From<&RankMove> for pb::RankMove {
    fn from(RankMove { framework, from, to, ranked_count }: &RankMove) -> Self {
        // Positions count the initiatives of a workspace, far below 2^31.
        let position = |place: Option<Place>| place.map_or(0, |place| place.position as i32);
        Self {
            framework: pb::ScoringFramework::of(*framework),
            from_position: position(*from),
            to_position: position(*to),
            ranked_count: *ranked_count as i32,
            from_score: from.map(|place| place.score),
            to_score: to.map(|place| place.score),
        }
    }
}

impl TryFrom<pb::Priority> for Priority {
    type Error = Violations;
    fn try_from(message: pb::Priority) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let pb::Priority { estimate, score, confidence, effort, missing, scores, factors } = message;
        let estimate = violations.check("estimate", estimate.parse::<Name<Estimate>>());
        let score = score.and_then(|score| range(&mut violations, "score", Some(score)));
        let unknown = |key: &String| format!("{key:?} is no factor");
        let missing: Vec<&'static str> = missing
            .iter()
            .filter_map(|key| violations.check("missing", Input::of(key).ok_or_else(|| unknown(key))))
            .map(|input| input.key)
            .collect();
        if missing.is_empty() != score.is_some() {
            violations.add("missing", "must name what keeps it from having a score");
        }
        let scores = scores.into_iter().enumerate().filter_map(|(index, of)| {
            let framework: Option<Framework> = of.framework().domain();
            framework.zip(range(&mut violations, &format!("scores[{index}].score"), of.score))
        });
        let scores = scores.collect();
        if factors.values().any(|value| !value.is_finite()) {
            violations.add("factors", "must be finite numbers");
        }
        let priority = estimate.map(|estimate| Self {
            estimate: estimate.any(),
            score,
            confidence,
            effort,
            missing,
            scores,
            factors,
        });
        whole(violations, priority)
    }
}

impl From<&Priority> for pb::Priority {
    fn from(priority: &Priority) -> Self {
        Self {
            estimate: priority.estimate.to_string(),
            score: priority.score.as_ref().map(Into::into),
            confidence: priority.confidence,
            effort: priority.effort,
            missing: priority.missing.iter().map(ToString::to_string).collect(),
            scores: priority
                .scores
                .iter()
                .map(|(framework, score)| pb::FrameworkScore {
                    framework: pb::ScoringFramework::of(*framework),
                    score: Some(score.into()),
                })
                .collect(),
            factors: priority.factors.clone(),
        }
    }
}
