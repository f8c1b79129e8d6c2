//! Insights and their strength.

use chrono::{DateTime, Utc};
use waymark_domain::discovery::{Insight, InsightEvidence, InsightKind, Strength, StrengthBand, Support};
use waymark_domain::{Violations, text};

use super::{limited, name, name_if_set, stated, whole};
use crate::convert::{meta, set_meta, time, timestamp};
use crate::discovery::v1 as pb;

impl TryFrom<pb::Insight> for Insight {
    type Error = Violations;
    fn try_from(message: pb::Insight) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let kind = match message.kind() {
            pb::InsightKind::Unspecified => None,
            pb::InsightKind::Need => Some(InsightKind::Need),
            pb::InsightKind::Pain => Some(InsightKind::Pain),
            pb::InsightKind::Desire => Some(InsightKind::Desire),
            pb::InsightKind::Behaviour => Some(InsightKind::Behaviour),
            pb::InsightKind::Fact => Some(InsightKind::Fact),
        };
        let kind = stated(v, "kind", kind, "NEED, PAIN, DESIRE, BEHAVIOUR, FACT");
        let statement = v.check("statement", text::required(message.statement, 2_000));
        let evidence = limited(v, "evidence", message.evidence, 200);
        let evidence = evidence.into_iter().enumerate().filter_map(|(i, e)| link(v, i, e)).collect();
        let strength = message
            .strength
            .map_or_else(Strength::default, |message| Strength { support: support(v, &message), score: message.score });
        let insight = (|| Some(Self { meta: meta?, statement: statement?, kind: kind?, evidence, strength }))();
        whole(violations, insight)
    }
}

fn link(violations: &mut Violations, index: usize, message: pb::InsightEvidence) -> Option<InsightEvidence> {
    let target = name(violations, &format!("evidence[{index}].target"), &message.target);
    let highlight = name_if_set(violations, &format!("evidence[{index}].highlight"), &message.highlight);
    let note = violations.check(&format!("evidence[{index}].note"), text::optional(message.note, 500));
    let link = InsightEvidence { target: target?, highlight, note: note? };
    if link.highlight.is_some() && link.interview().is_none() {
        violations.add(
            format!("evidence[{index}].highlight"),
            "must be empty: only interviews of the discovery service have highlights",
        );
    }
    Some(link)
}

fn support(violations: &mut Violations, message: &pb::InsightStrength) -> Support {
    Support {
        // Written by the service, never negative.
        participants: u32::try_from(message.participants).unwrap_or_default(),
        source_kinds: u32::try_from(message.source_kinds).unwrap_or_default(),
        newest_time: time(violations, "strength.newest_time", message.newest_time),
    }
}

impl From<&Strength> for pb::InsightStrength {
    fn from(strength: &Strength) -> Self {
        let band = match strength.band() {
            StrengthBand::Weak => pb::StrengthBand::Weak,
            StrengthBand::Moderate => pb::StrengthBand::Moderate,
            StrengthBand::Strong => pb::StrengthBand::Strong,
        };
        Self {
            score: strength.score,
            band: band.into(),
            // An insight has at most 200 evidences.
            participants: strength.support.participants as i32,
            source_kinds: strength.support.source_kinds as i32,
            newest_time: strength.support.newest_time.map(timestamp),
        }
    }
}

impl From<&Insight> for pb::Insight {
    fn from(insight: &Insight) -> Self {
        let kind = match insight.kind {
            InsightKind::Need => pb::InsightKind::Need,
            InsightKind::Pain => pb::InsightKind::Pain,
            InsightKind::Desire => pb::InsightKind::Desire,
            InsightKind::Behaviour => pb::InsightKind::Behaviour,
            InsightKind::Fact => pb::InsightKind::Fact,
        };
        let link = |e: &InsightEvidence| pb::InsightEvidence {
            target: e.target.to_string(),
            highlight: e.highlight.as_ref().map(ToString::to_string).unwrap_or_default(),
            note: e.note.clone(),
        };
        let mut message = Self {
            statement: insight.statement.clone(),
            kind: kind.into(),
            evidence: insight.evidence.iter().map(link).collect(),
            strength: Some((&insight.strength).into()),
            ..Self::default()
        };
        set_meta(&mut message, &insight.meta);
        message
    }
}

/// Works out the score of a stored insight anew: it fades as the interviews grow old.
pub fn refresh_strength(insight: &mut pb::Insight, now: DateTime<Utc>) {
    if let Some(strength) = &mut insight.strength {
        // The service wrote the time itself; were it damaged, the strength would be that of an insight without
        // interviews.
        let support = support(&mut Violations::new(), strength);
        *strength = (&Strength::of(support, now)).into();
    }
}
