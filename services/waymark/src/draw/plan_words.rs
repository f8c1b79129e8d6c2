//! What plans say in a few words, for the terminal and for slides.

use waymark_proto::roadmap::v1 as pb;

use super::words;
use crate::generic::names::short;

/// What it is worth, and how sure that is.
pub fn headline(plan: &pb::OptimizePlanResponse) -> [String; 2] {
    let (count, value) = (plan.planned.len(), words::number(plan.value));
    let initiatives = if count == 1 { "initiative" } else { "initiatives" };
    let more =
        || format!("At most {} is possible: {:.1} % may be missing", words::number(plan.bound), plan.gap * 100.0);
    let sure = match plan.end() {
        pb::PlanEnd::Optimal => "No plan is worth more".to_owned(),
        pb::PlanEnd::Time => format!("{}, as the time was over", more()),
        pb::PlanEnd::Unspecified | pb::PlanEnd::Work => more(),
    };
    [format!("{count} {initiatives}, worth {value}"), sure]
}

/// `web`, or `web/design`.
pub fn who(team: &str, skill: &str) -> String {
    if skill.is_empty() { team.to_owned() } else { format!("{team}/{skill}") }
}

/// The explanation with initiatives by their ids.
pub fn why(of: &pb::LeftOutInitiative) -> String {
    of.initiatives.iter().fold(of.explanation.clone(), |told, name| told.replace(name, short(name)))
}

/// What one more would buy: `+400, chat instead of docs`.
pub fn bought(of: &pb::PlanOneMore) -> String {
    if !of.solved {
        return "not found out in the time there was".to_owned();
    }
    let ids = |names: &[String]| names.iter().map(|name| short(name)).collect::<Vec<_>>().join(", ");
    let most = (of.gain_at_most > of.gain).then(|| format!(", at most +{}", words::number(of.gain_at_most)));
    let swap = match (of.added.is_empty(), of.dropped.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!(", {}", ids(&of.added)),
        (false, false) => format!(", {} instead of {}", ids(&of.added), ids(&of.dropped)),
    };
    format!("+{}{}{swap}", words::number(of.gain), most.unwrap_or_default())
}
