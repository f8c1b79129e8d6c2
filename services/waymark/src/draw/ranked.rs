//! What a picture of an order shows.

use std::collections::BTreeMap;

use waymark_proto::roadmap::v1 as pb;

/// An order as it is drawn, on a terminal or a slide.
#[derive(Debug, Default)]
pub struct Picture {
    /// By what it is ranked.
    pub title: String,
    /// The order.
    pub answer: pb::RankInitiativesResponse,
    /// How sure the order is, unless nothing was drawn.
    pub sureness: Option<pb::AnalyzeSensitivityResponse>,
    /// How many of the best are chosen.
    pub top_k: i32,
}

/// What is shown, and when it stood so where that is past.
pub fn heading(Picture { title, answer, .. }: &Picture) -> String {
    let when = if answer.revision > 0 { format!(" after revision {}", answer.revision) } else { String::new() };
    let shown = answer.ranked.len();
    match answer.ranked_count {
        // Nobody counted.
        0 if answer.revision > 0 => format!("{title}{when}, the first {shown}"),
        count => format!("{title}{when}, {shown} of {count} that have a score"),
    }
}

/// How sure the ranks of initiatives are, by name.
pub fn by_name(picture: &Picture) -> BTreeMap<&str, &pb::RankSureness> {
    let ranks = picture.sureness.iter().flat_map(|sureness| &sureness.ranks);
    ranks.map(|rank| (rank.initiative.as_str(), rank)).collect()
}

/// The ends that all ranges shown are between, with nothing in it.
pub fn ends(ranked: &[pb::RankedInitiative]) -> (f64, f64) {
    let ranges = ranked.iter().filter_map(|row| row.score);
    let (low, high) =
        ranges.fold((0.0, 0.0), |(low, high): (f64, f64), range| (low.min(range.low), high.max(range.high)));
    if low < high { (low, high) } else { (0.0, 1.0) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use waymark_proto::common::v1::Range;

    pub(crate) fn picture() -> Picture {
        let row = |position, id: &str, name: &str, low, likely, high| pb::RankedInitiative {
            position,
            initiative: format!("workspaces/w/initiatives/{id}"),
            display_name: name.into(),
            score: Some(Range { low, likely, high }),
            ..Default::default()
        };
        let sure = |id: &str, top_probability, low_rank, high_rank| pb::RankSureness {
            initiative: format!("workspaces/w/initiatives/{id}"),
            top_probability,
            low_rank,
            high_rank,
            ..Default::default()
        };
        let lacking = pb::UnrankedInitiative {
            initiative: "workspaces/w/initiatives/sso".into(),
            display_name: "Single sign-on".into(),
            missing: vec!["reach".into(), "effort".into()],
            ..Default::default()
        };
        let tipping = pb::TippingFactor {
            initiative: "workspaces/w/initiatives/carts".into(),
            factor: "effort".into(),
            value: 2.0,
            changed_value: 2.2,
            one_step: true,
        };
        let proposal = pb::ResearchProposal {
            initiative: "workspaces/w/initiatives/pay".into(),
            factor: "reach".into(),
            worth: 120.456,
            question: "What is reach of \"Pay by app\", held to be 5000 (1000 to 9000)?".into(),
        };
        Picture {
            title: "RICE".into(),
            answer: pb::RankInitiativesResponse {
                ranked: vec![
                    row(1, "carts", "Carts that are saved until the customer is back", 3000.0, 4000.0, 5000.0),
                    row(2, "pay", "Pay by app", 800.0, 3900.0, 8000.0),
                    row(2, "dark", "Dark mode", 3900.0, 3900.0, 3900.0),
                ],
                unranked: vec![lacking],
                ranked_count: 57,
                ..Default::default()
            },
            sureness: Some(pb::AnalyzeSensitivityResponse {
                ranks: vec![sure("carts", 0.874, 1.0, 2.0), sure("pay", 0.5, 1.0, 3.0), sure("dark", 0.0001, 3.0, 3.0)],
                expected_regret: 301.25,
                tipping_factors: vec![tipping],
                proposals: vec![proposal],
                ..Default::default()
            }),
            top_k: 1,
        }
    }
}
