//! The order that estimates put initiatives in: what an initiative's estimate says of it, and the text by which it is
//! kept in order.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{Estimate, Framework, Initiative, Known, Place, Priority, RankChange, RankMove};
use crate::number::rounded;

/// The estimate that counts of those for one initiative: the one created last, and of these the last by name. So an
/// estimate is changed without taking the place of a newer one.
pub fn current<'a>(estimates: impl IntoIterator<Item = &'a Estimate>) -> Option<&'a Estimate> {
    estimates.into_iter().max_by_key(|estimate| (estimate.meta.create_time, &estimate.meta.name))
}

impl Priority {
    /// What an estimate says.
    pub fn of(estimate: &Estimate) -> Self {
        let likely = |key| estimate.factors.get(key).map(|factor| factor.amount.likely());
        let others = Framework::ALL.iter().filter(|framework| **framework != Framework::Rice);
        Self {
            estimate: estimate.meta.name.any(),
            score: estimate.score(Framework::Rice),
            confidence: likely("confidence"),
            effort: likely("effort"),
            missing: estimate.missing(Framework::Rice),
            scores: others.filter_map(|framework| Some((*framework, estimate.score(*framework)?))).collect(),
            factors: estimate
                .factors
                .keys()
                .filter_map(|key| Some((key.clone(), rounded(estimate.likely(key)?))))
                .collect(),
        }
    }
}

/// The place of an initiative in the order, as a text: by bytes the better one comes first, and among equal scores the
/// surer one, then the cheaper one, where the framework is RICE; then names decide. First come open initiatives with a
/// score, then those without, then the others the same way, then what is deleted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(String);

impl Rank {
    /// Before all ranks of open initiatives with a score.
    pub const FIRST: &'static str = "1";
    /// Behind all of them.
    pub const UNRANKED: &'static str = "2";
    /// Behind all ranks of open initiatives.
    pub const CLOSED: &'static str = "3";
    /// Behind all ranks of others with a score.
    const CLOSED_UNRANKED: &'static str = "4";
    /// Where the list of what is open and has a score begins and ends, then that of what is not open.
    pub const SCORED: [(&'static str, &'static str); 2] =
        [(Self::FIRST, Self::UNRANKED), (Self::CLOSED, Self::CLOSED_UNRANKED)];
    /// The same of what has none.
    pub const UNSCORED: [(&'static str, &'static str); 2] =
        [(Self::UNRANKED, Self::CLOSED), (Self::CLOSED_UNRANKED, "5")];
    /// The lists' characters, and the digits of the score.
    const SCORE: usize = 1 + 16;

    /// What a text says, if it can be one.
    pub fn parse(text: &str) -> Option<Self> {
        text.is_ascii().then(|| Self(text.to_owned()))
    }

    /// Whether it has a score.
    pub fn is_scored(&self) -> bool {
        self.0.len() >= Self::SCORE
    }

    /// What all ranks of the same list with this score begin with.
    pub fn by_score(&self) -> &str {
        self.0.get(..Self::SCORE).unwrap_or(&self.0)
    }

    /// What comes just behind all ranks of the same list with this score.
    pub fn behind_score(&self) -> String {
        let mut score = self.by_score().to_owned();
        // The text that is the same but for the last character, which is the next one.
        let last = score.pop().unwrap_or('0');
        score.push(char::from_u32(u32::from(last) + 1).unwrap_or(last));
        score
    }

    /// The score in it, the best one first, whatever the list.
    pub fn score_order(&self) -> &str {
        self.by_score().get(1..).unwrap_or_default()
    }

    /// What orders it among others, whether they are open or not: those without a score come last.
    pub fn order(&self) -> (bool, &str) {
        (!self.is_scored(), self.0.get(1..).unwrap_or_default())
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The factors that are known of an initiative, by their likely values as scores take them: a text such as
/// `1 effort=2.5 reach=4000`, of which what is asked for is read. By bytes those of open initiatives come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFactors(String);

impl From<String> for KnownFactors {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Known for KnownFactors {
    fn likely(&self, key: &str) -> Option<f64> {
        let mut pairs = self.0.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == key)?.1.parse().ok()
    }
}

impl fmt::Display for KnownFactors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Initiative {
    /// Its place in the order.
    pub fn rank(&self) -> Rank {
        let (scored, unscored) = match (&self.meta.delete_time, self.is_open()) {
            (Some(_), _) => return Rank("9".to_owned()),
            (None, true) => (Rank::FIRST, Rank::UNRANKED),
            (None, false) => (Rank::CLOSED, Rank::CLOSED_UNRANKED),
        };
        let Some(priority) = &self.priority else { return Rank(unscored.to_owned()) };
        let Some(score) = priority.likely() else { return Rank(unscored.to_owned()) };
        let (confidence, effort) = (priority.confidence.unwrap_or_default(), priority.effort.unwrap_or_default());
        // None of them is negative, and positive numbers are ordered as their bits are. Four bytes are enough to part
        // equal scores.
        let small = |number: f64| (number as f32 + 0.0).to_bits();
        Rank(format!("{scored}{:016x}{:08x}{:08x}", !(score + 0.0).to_bits(), !small(confidence), small(effort)))
    }

    /// Its place in the order by a framework. By RICE all have one; by others, which score few, only what has a score.
    pub fn rank_by(&self, framework: Framework) -> Option<Rank> {
        if framework == Framework::Rice {
            return Some(self.rank());
        }
        let score = self.priority.as_ref().filter(|_| self.meta.delete_time.is_none())?.score_by(framework)?.likely();
        let list = if self.is_open() { Rank::FIRST } else { Rank::CLOSED };
        Some(Rank(format!("{list}{:016x}", !(score + 0.0).to_bits())))
    }

    /// What is known of it where it is ranked by models. `None` of what is deleted. At most some 2,500 bytes, as keys are of 40
    /// characters, criteria 24 and numbers of twelve digits: PostgreSQL has no longer texts in an index than 2,704.
    pub fn known_factors(&self) -> Option<KnownFactors> {
        let list = if self.is_open() { Rank::FIRST } else { Rank::CLOSED };
        let mut text = list.to_owned();
        for (key, value) in self.priority.iter().flat_map(|priority| &priority.factors) {
            // The shortest text that reads back as the same number.
            text.extend([" ", key, "=", &format!("{value:?}")]);
        }
        self.meta.delete_time.is_none().then_some(KnownFactors(text))
    }

    /// Its place in the order of a framework, if it is in it, whose number the caller knows.
    pub fn place(&self, framework: Framework, position: u32) -> Option<Place> {
        let score = self.priority.as_ref()?.score_by(framework).filter(|_| self.is_open())?.likely();
        Some(Place { position, score })
    }
}

/// What `estimate` did to the place of its initiative: of these the moves that lead to another position, or in or out;
/// `None` when it stayed wherever it was. `why` says what of the estimate changed.
pub fn moved(moves: Vec<RankMove>, estimate: &Estimate, why: &str, now: DateTime<Utc>) -> Option<RankChange> {
    let position = |place: Option<Place>| place.map(|place| place.position);
    let moves: Vec<RankMove> = moves.into_iter().filter(|of| position(of.from) != position(of.to)).collect();
    let told = |RankMove { framework, from, to, ranked_count }: &RankMove| {
        let print = |place: Option<Place>| {
            place.map_or("no rank".to_owned(), |p| format!("rank {} ({} {})", p.position, framework.label(), p.score))
        };
        format!("{} -> {} of {ranked_count}", print(*from), print(*to))
    };
    let explanation = format!("{}: {why}", moves.iter().map(told).collect::<Vec<_>>().join("; "));
    let estimate = estimate.meta.name.any();
    (!moves.is_empty()).then_some(RankChange { estimate, moves, explanation, time: now })
}

/// Others that an explained tie names.
const TIED: usize = 3;

/// How many have a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// So many.
    All(u32),
    /// At least so many: nobody has looked further.
    AtLeast(u32),
}

/// Why one of some with the same score is shown where it is; `others` are some of them, in order. `by` is what decides
/// between equal scores before names do.
pub fn explain_tie<'a>(others: impl Iterator<Item = &'a str>, sharing: Sharing, by: &str) -> String {
    let named: Vec<&str> = others.take(TIED).collect();
    let others = match (sharing, named.is_empty()) {
        (Sharing::AtLeast(_), true) => "others".to_owned(),
        (Sharing::AtLeast(_), false) => format!("{} and more", named.join(", ")),
        (Sharing::All(count), none) => match (none, (count as usize).saturating_sub(1 + named.len())) {
            (true, more) => format!("{more} more"),
            (false, 0) => named.join(", "),
            (false, more) => format!("{} and {more} more", named.join(", ")),
        },
    };
    format!("same score as {others}; shown by {by}name")
}

impl Framework {
    /// What decides between equal scores of initiatives before their names do, for [`explain_tie`].
    pub fn tie_break(self, confidence: Option<f64>, effort: Option<f64>) -> String {
        if self != Self::Rice {
            return String::new();
        }
        let (confidence, effort) = (confidence.unwrap_or_default(), effort.unwrap_or_default());
        format!("confidence ({confidence}), then effort ({effort} person-months), then ")
    }
}

#[cfg(test)]
mod tests;
