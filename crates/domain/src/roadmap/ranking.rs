//! The order that estimates put initiatives in, with its ties explained and its gaps listed.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::score::Plain;
use super::{Estimate, FactorKind, Initiative, RankChange};
use crate::{Name, Range};

/// Initiatives in the order of their RICE scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Best first.
    pub ranked: Vec<Ranked>,
    /// What cannot be ranked, by name.
    pub unranked: Vec<Unranked>,
}

/// An initiative with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// From 1; equal scores share a position.
    pub position: u32,
    /// The initiative.
    pub initiative: Name<Initiative>,
    /// Its score.
    pub score: Range,
    /// The estimate the score is of.
    pub estimate: Name<Estimate>,
    /// Whom it shares the position with and who is shown first, when it does.
    pub tie: Option<String>,
}

/// An initiative without a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unranked {
    /// The initiative.
    pub initiative: Name<Initiative>,
    /// Its estimate, if it has one.
    pub estimate: Option<Name<Estimate>>,
    /// The inputs to find out.
    pub missing: Vec<FactorKind>,
}

/// The estimate that counts for each initiative: the one updated last, and of those the last by name.
pub fn current<'a>(estimates: impl IntoIterator<Item = &'a Estimate>) -> BTreeMap<&'a Name<Initiative>, &'a Estimate> {
    let mut current: BTreeMap<&Name<Initiative>, &Estimate> = BTreeMap::new();
    let age = |e: &'a Estimate| (e.meta.update_time, &e.meta.name);
    for estimate in estimates {
        current
            .entry(&estimate.initiative)
            .and_modify(|known| {
                if age(estimate) > age(known) {
                    *known = estimate;
                }
            })
            .or_insert(estimate);
    }
    current
}

struct Row<'a> {
    initiative: &'a Name<Initiative>,
    estimate: &'a Estimate,
    score: Range,
}

impl Row<'_> {
    fn likely(&self, kind: FactorKind) -> f64 {
        self.estimate.factor(kind).map_or(0.0, |f| f.amount.likely())
    }

    /// Best first; among equal scores the surer one, then the cheaper one, then by name.
    fn order(&self, other: &Self) -> Ordering {
        (other.score.likely().total_cmp(&self.score.likely()))
            .then_with(|| other.likely(FactorKind::Confidence).total_cmp(&self.likely(FactorKind::Confidence)))
            .then_with(|| self.likely(FactorKind::Effort).total_cmp(&other.likely(FactorKind::Effort)))
            .then_with(|| self.initiative.cmp(other.initiative))
    }

    fn ties_with(&self, other: &Self) -> bool {
        self.score.likely().total_cmp(&other.score.likely()).is_eq()
    }
}

impl Ranking {
    /// Ranks `initiatives` by the estimates that count.
    pub fn new<'a>(
        initiatives: impl IntoIterator<Item = &'a Initiative>,
        estimates: impl IntoIterator<Item = &'a Estimate>,
    ) -> Self {
        let estimates = current(estimates);
        let mut rows = Vec::new();
        let mut unranked = Vec::new();
        for initiative in initiatives.into_iter().map(|i| &i.meta.name) {
            let estimate = estimates.get(initiative).copied();
            match estimate.and_then(|e| Some((e, e.score()?))) {
                Some((estimate, score)) => rows.push(Row { initiative, estimate, score }),
                None => unranked.push(Unranked {
                    initiative: initiative.clone(),
                    estimate: estimate.map(|e| e.meta.name.clone()),
                    missing: estimate.map_or_else(|| FactorKind::ALL.to_vec(), Estimate::missing),
                }),
            }
        }
        rows.sort_by(Row::order);
        unranked.sort_by(|a, b| a.initiative.cmp(&b.initiative));
        let mut ranked = Vec::with_capacity(rows.len());
        let mut first = 0;
        for group in rows.chunk_by(Row::ties_with) {
            ranked.extend(group.iter().map(|row| Ranked {
                position: first + 1,
                initiative: row.initiative.clone(),
                score: row.score,
                estimate: row.estimate.meta.name.clone(),
                tie: (group.len() > 1).then(|| explain_tie(group, row)),
            }));
            first += group.len() as u32;
        }
        Self { ranked, unranked }
    }

    /// The place of an initiative, if it has one.
    pub fn place(&self, initiative: &Name<Initiative>) -> Option<&Ranked> {
        self.ranked.iter().find(|r| r.initiative == *initiative)
    }

    /// How `estimate` moved its initiative from its place in `before` to the one in `self`; `None` when it stayed.
    /// `why` says what of the estimate changed.
    pub fn moved_since(&self, before: &Self, estimate: &Estimate, why: &str, now: DateTime<Utc>) -> Option<RankChange> {
        let (from, to) = (before.place(&estimate.initiative), self.place(&estimate.initiative));
        if from.map(|r| r.position) == to.map(|r| r.position) {
            return None;
        }
        let print = |place: Option<&Ranked>| {
            place.map_or("no rank".to_owned(), |r| format!("rank {} (RICE {})", r.position, Plain(r.score.likely())))
        };
        Some(RankChange {
            estimate: estimate.meta.name.any(),
            from_position: from.map(|r| r.position),
            to_position: to.map(|r| r.position),
            ranked_count: self.ranked.len() as u32,
            from_score: from.map(|r| r.score.likely()),
            to_score: to.map(|r| r.score.likely()),
            explanation: format!("{} -> {} of {}: {why}", print(from), print(to), self.ranked.len()),
            time: now,
        })
    }
}

/// Others that an explained tie names.
const TIED: usize = 3;

fn explain_tie(group: &[Row<'_>], row: &Row<'_>) -> String {
    let others = group.iter().map(|r| r.initiative).filter(|other| *other != row.initiative);
    let named: Vec<&str> = others.take(TIED).map(|other| other.id().as_str()).collect();
    let more = match group.len() - 1 - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "same score as {}{more}; shown by confidence ({}), then effort ({} person-months), then name",
        named.join(", "),
        Plain(row.likely(FactorKind::Confidence)),
        Plain(row.likely(FactorKind::Effort))
    )
}

#[cfg(test)]
mod tests;
