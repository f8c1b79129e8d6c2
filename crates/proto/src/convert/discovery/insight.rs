//! Insights and their strength.

use chrono::{DateTime, Utc};
use waymark_domain::Violations;
use waymark_domain::discovery::{Insight, InsightEvidence, Strength, Support};

use crate::Choice as _;
use crate::convert::{meta, name_if_set, set_meta, time, timestamp, whole};
use crate::discovery::v1 as pb;

impl TryFrom<pb::Insight> for Insight {
    type Error = Violations;
    fn try_from(message: pb::Insight) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let kind = message.kind().domain();
        let statement = message.statement;
        let evidence = message.evidence.into_iter().enumerate().filter_map(|(i, e)| link(v, i, e)).collect();
        let strength = message
            .strength
            .map_or_else(Strength::default, |message| Strength { support: support(v, &message), score: message.score });
        let insight = (|| Some(Self { meta: meta?, statement, kind: kind?, evidence, strength }))();
        whole(violations, insight)
    }
}

fn link(violations: &mut Violations, index: usize, message: pb::InsightEvidence) -> Option<InsightEvidence> {
    let target = violations.check(&format!("evidence[{index}].target"), message.target.parse());
    let highlight = name_if_set(violations, &format!("evidence[{index}].highlight"), &message.highlight);
    let link = InsightEvidence { target: target?, highlight, note: message.note };
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
        Self {
            score: strength.score,
            band: pb::StrengthBand::of(strength.band()),
            // An insight has at most 200 evidences.
            participants: strength.support.participants as i32,
            source_kinds: strength.support.source_kinds as i32,
            newest_time: strength.support.newest_time.map(timestamp),
        }
    }
}

impl From<&Insight> for pb::Insight {
    fn from(insight: &Insight) -> Self {
        let link = |e: &InsightEvidence| pb::InsightEvidence {
            target: e.target.to_string(),
            highlight: e.highlight.as_ref().map(ToString::to_string).unwrap_or_default(),
            note: e.note.clone(),
        };
        let mut message = Self {
            statement: insight.statement.clone(),
            kind: pb::InsightKind::of(insight.kind),
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
