//! Opportunities: needs, pains and desires of users that would move an outcome if they were served, and what was
//! learned by serving them.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::outcome::Outcome;
use super::pruning::Pruning;
use crate::evidence::Evidence;
use crate::name::NameError;
use crate::range::Range;
use crate::verdict::Verdict;
use crate::{AnyName, Change, FullName, Meta, Name, Resource};

/// Learnings kept with an opportunity; older ones stay in the log.
pub const LEARNINGS: usize = 200;
/// Links to one and the same resource that [`Opportunity::cite`] keeps; older ones stay in the log.
pub const SIGHTINGS: usize = 10;

/// A need, pain or desire of users.
#[derive(Debug, Clone, PartialEq)]
pub struct Opportunity {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What it is to users.
    pub kind: OpportunityKind,
    /// What it stands below.
    pub parent_node: ParentNode,
    /// Who has it and when.
    pub description: String,
    /// What shows that users have it.
    pub evidence: Vec<Evidence>,
    /// What was measured after something was shipped for it, oldest first.
    pub learnings: Vec<Learning>,
    /// Why it was given up, if it was.
    pub pruning: Option<Pruning>,
}

/// What an opportunity is to users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum OpportunityKind {
    /// Something they have to get done.
    Need,
    /// Something that hurts or hinders.
    Pain,
    /// Something they wish for.
    Desire,
}

/// What an opportunity may stand below.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParentNode {
    /// The root.
    Outcome(Name<Outcome>),
    /// A wider opportunity.
    Opportunity(Name<Opportunity>),
}

/// What measuring a shipped initiative said.
#[derive(Debug, Clone, PartialEq)]
pub struct Learning {
    /// The measured outcome, held by the metrics service.
    pub outcome: FullName,
    /// The initiative that was shipped, when it is known.
    pub initiative: Option<FullName>,
    /// Whether the prediction came true.
    pub verdict: Verdict,
    /// What happened, as a sentence.
    pub summary: String,
    /// The measured relative change with its interval, when there is one.
    pub measured: Option<Range>,
    /// When it was measured.
    pub time: DateTime<Utc>,
}

/// What happens to opportunities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum OpportunityEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
    Moved,
    Pruned,
    Learned,
}

super::resource!(Opportunity, OpportunityEvent, "opportunities");

impl FromStr for ParentNode {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let name: AnyName = text.parse()?;
        match name.collection.as_str() {
            Outcome::COLLECTION => text.parse().map(Self::Outcome),
            _ => text.parse().map(Self::Opportunity),
        }
    }
}

impl fmt::Display for ParentNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome(name) => name.fmt(f),
            Self::Opportunity(name) => name.fmt(f),
        }
    }
}

impl Opportunity {
    /// A new opportunity that a measurement gave rise to.
    pub fn open_with(mut self, learning: Learning) -> Change<Self> {
        self.learnings = vec![learning];
        Change::new(self, OpportunityEvent::Created).and(OpportunityEvent::Learned)
    }

    /// Adds what a measurement said. A later measurement of the same outcome replaces the earlier one; `None` when
    /// nothing is new.
    pub fn learn(mut self, learning: Learning) -> Option<Change<Self>> {
        if self.learnings.contains(&learning) {
            return None;
        }
        self.learnings.retain(|known| known.outcome != learning.outcome);
        self.learnings.push(learning);
        let surplus = self.learnings.len().saturating_sub(LEARNINGS);
        self.learnings.drain(..surplus);
        Some(Change::new(self, OpportunityEvent::Learned))
    }

    /// Adds what was seen of a resource that may be seen again and again. Where it has many links already, or there is
    /// no room, its oldest gives way, but if possible not its first: that one opened the opportunity, or a person wrote
    /// it. `None` when nothing is new, or links to other resources take all the room.
    pub fn cite(mut self, seen: Evidence) -> Option<Change<Self>> {
        if self.evidence.contains(&seen) {
            return None;
        }
        let known: Vec<usize> =
            (0..self.evidence.len()).filter(|&index| self.evidence[index].target == seen.target).collect();
        if known.len() >= SIGHTINGS || self.evidence.len() >= Evidence::LINKS {
            let oldest = known.get(1).or(known.first())?;
            self.evidence.remove(*oldest);
        }
        self.evidence.push(seen);
        Some(Change::new(self, OpportunityEvent::Updated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(target: &str, note: impl fmt::Display) -> Evidence {
        Evidence {
            target: format!("//metrics.waymark.dev/workspaces/acme/metrics/{target}").parse().unwrap(),
            note: note.to_string(),
        }
    }

    fn opportunity(evidence: Vec<Evidence>) -> Opportunity {
        let time = DateTime::<Utc>::UNIX_EPOCH;
        Opportunity {
            meta: Meta {
                name: "workspaces/acme/opportunities/o".parse().unwrap(),
                uid: uuid::Uuid::nil(),
                display_name: "O".into(),
                labels: std::collections::BTreeMap::new(),
                version: 1,
                create_time: time,
                update_time: time,
                delete_time: None,
            },
            kind: OpportunityKind::Pain,
            parent_node: "workspaces/acme/outcomes/o".parse().unwrap(),
            description: String::new(),
            evidence,
            learnings: Vec::new(),
            pruning: None,
        }
    }

    fn cited(opportunity: Opportunity, seen: Evidence) -> Opportunity {
        let change = opportunity.cite(seen).unwrap();
        assert_eq!(change.events(), [OpportunityEvent::Updated]);
        change.into_parts().0
    }

    #[test]
    fn what_is_seen_again_and_again_keeps_its_first_and_its_latest_links() {
        let mut seen = opportunity(vec![link("orders", "a person wrote this"), link("errors", "else")]);
        for number in 0..30 {
            seen = cited(seen, link("orders", number));
        }
        let notes: Vec<&str> = seen.evidence.iter().map(|e| e.note.as_str()).collect();
        assert_eq!(notes, ["a person wrote this", "else", "21", "22", "23", "24", "25", "26", "27", "28", "29"]);
        assert_eq!(seen.cite(link("orders", 29)), None, "nothing new");
    }

    #[test]
    fn evidence_never_outgrows_the_contract() {
        let others: Vec<_> = (1..Evidence::LINKS).map(|number| link("errors", number)).collect();
        let full = opportunity([vec![link("orders", "first")], others.clone()].concat());
        let seen = cited(full, link("orders", "second"));
        assert_eq!(seen.evidence.len(), Evidence::LINKS);
        assert_eq!(seen.evidence.last(), Some(&link("orders", "second")), "the only link of its kind gives way");
        let foreign = opportunity([others, vec![link("errors", "last")]].concat());
        assert_eq!(foreign.cite(link("orders", "first")), None);
    }
}
