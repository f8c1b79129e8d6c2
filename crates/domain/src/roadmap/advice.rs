//! Advice on a roadmap: what is planned against what it depends on. Advice changes nothing and refuses nothing.

use std::collections::BTreeMap;

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{Initiative, InitiativeState};
use crate::Name;

/// One advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoadmapFinding {
    /// The initiative.
    pub initiative: Name<Initiative>,
    /// The rule that spoke.
    pub rule: RoadmapLintRule,
    /// What it depends on that the rule is about.
    pub dependency: Name<Initiative>,
    /// What is the matter and what to do.
    pub message: String,
}

/// What a roadmap is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RoadmapLintRule {
    /// A target that ends before that of what must ship before.
    TargetBeforeDependency,
    /// A target, and none of what must ship before.
    DependencyWithoutTarget,
    /// A horizon nearer than that of what must ship before.
    HorizonBeforeDependency,
    /// What must ship before was declined.
    DependencyDeclined,
}

/// What there is to say of an open initiative and `known`, among which is what it depends on, by dependency and rule. What
/// is not known, or has shipped, is no reason for advice.
pub fn against_dependencies<'a>(
    initiative: &'a Initiative,
    known: &'a BTreeMap<Name<Initiative>, Initiative>,
) -> impl Iterator<Item = RoadmapFinding> + 'a {
    initiative.dependencies.iter().filter_map(|name| known.get(name)).flat_map(|before| {
        let found = |(rule, message)| RoadmapFinding {
            initiative: initiative.meta.name.clone(),
            rule,
            dependency: before.meta.name.clone(),
            message,
        };
        against(initiative, before).into_iter().map(found)
    })
}

fn against(initiative: &Initiative, before: &Initiative) -> Vec<(RoadmapLintRule, String)> {
    let other = &before.meta.display_name;
    if matches!(before.state, InitiativeState::Declined(_)) {
        let message = format!("depends on \"{other}\", which was declined; remove the dependency, or decline it too");
        return vec![(RoadmapLintRule::DependencyDeclined, message)];
    }
    if !before.is_open() {
        return Vec::new();
    }
    let mut found = Vec::new();
    match (initiative.target, before.target) {
        (Some(own), Some(theirs)) if own.days().1 < theirs.days().1 => found.push((
            RoadmapLintRule::TargetBeforeDependency,
            format!("is planned for {own}, before \"{other}\" for {theirs}, which must ship first; move one of them"),
        )),
        (Some(own), None) => found.push((
            RoadmapLintRule::DependencyWithoutTarget,
            format!("is planned for {own} and depends on \"{other}\", which is planned for no time; give it a target"),
        )),
        (Some(_) | None, _) => {}
    }
    if initiative.horizon < before.horizon {
        let [own, theirs]: [&str; 2] = [initiative.horizon.into(), before.horizon.into()];
        found.push((
            RoadmapLintRule::HorizonBeforeDependency,
            format!("is planned {own} and depends on \"{other}\", planned {theirs}; move one of them"),
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::initiative::tests::initiative;
    use super::super::{Horizon, Period, TargetInterval};
    use super::*;

    fn planned(id: &str, target: Option<&str>, horizon: Horizon) -> Initiative {
        let target = target.map(|text| TargetInterval::from(text.parse::<Period>().unwrap()));
        Initiative { horizon, target, ..initiative(id) }
    }

    fn rules(own: Initiative, before: Initiative) -> Vec<RoadmapLintRule> {
        let own = Initiative { dependencies: [before.meta.name.clone()].into(), ..own };
        let known = BTreeMap::from([(before.meta.name.clone(), before)]);
        against_dependencies(&own, &known).map(|finding| finding.rule).collect()
    }

    #[test]
    fn what_is_planned_before_what_it_depends_on_is_told() {
        use RoadmapLintRule::{DependencyWithoutTarget, HorizonBeforeDependency, TargetBeforeDependency};
        let a = |target, horizon| planned("a", target, horizon);
        let b = |target, horizon| planned("b", target, horizon);
        let later = Horizon::Later;
        assert_eq!(rules(a(Some("2026-Q1"), later), b(Some("2026-Q2"), later)), [TargetBeforeDependency]);
        assert_eq!(rules(a(Some("2026-05"), later), b(Some("2026-Q2"), later)), [TargetBeforeDependency]);
        assert_eq!(rules(a(Some("2026-Q2"), later), b(Some("2026-H1"), later)), [], "both end in June");
        assert_eq!(rules(a(Some("2026-Q1"), later), b(None, later)), [DependencyWithoutTarget]);
        assert_eq!(rules(a(None, later), b(Some("2026"), later)), []);
        let now = rules(a(Some("2026"), Horizon::Now), b(Some("2027"), Horizon::Next));
        assert_eq!(now, [TargetBeforeDependency, HorizonBeforeDependency]);
        assert_eq!(rules(a(None, later), b(None, Horizon::Now)), []);
    }

    #[test]
    fn nothing_is_said_of_what_is_not_known() {
        let own = Initiative { dependencies: [planned("b", None, Horizon::Now).meta.name].into(), ..initiative("a") };
        assert_eq!(against_dependencies(&own, &BTreeMap::new()).count(), 0);
    }
}
