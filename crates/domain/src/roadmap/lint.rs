//! Advice on objectives: what is not measured, not looked at, not aligned, or has nothing behind it. Advice changes nothing
//! and refuses nothing.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{KeyResult, Objective};
use crate::AnyName;

/// Words that a key result begins with which is something to do, in English.
const DOING: [&str; 19] = [
    "launch",
    "ship",
    "build",
    "release",
    "deliver",
    "deploy",
    "implement",
    "develop",
    "create",
    "design",
    "write",
    "finish",
    "complete",
    "migrate",
    "introduce",
    "publish",
    "prepare",
    "organise",
    "organize",
];
/// Units of what is done or not.
const DONE: [&str; 6] = ["", "done", "task", "tasks", "yes/no", "boolean"];

/// One advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The objective or key result.
    pub resource: AnyName,
    /// The rule that spoke.
    pub rule: LintRule,
    /// What is the matter and what to do.
    pub message: String,
}

/// What objectives are looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum LintRule {
    /// Nobody can tell whether it is reached.
    NoKeyResult,
    /// A key result that is something to do.
    Task,
    /// Nothing was said of a key result for long.
    NotCheckedIn,
    /// It serves no wider objective though others do.
    NotAligned,
    /// Its period is not within that of the objective it serves.
    OutsideParentPeriod,
    /// Nobody is working towards it.
    NoInitiative,
}

/// An objective and what is around it.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// The objective.
    pub objective: &'a Objective,
    /// Its key results.
    pub key_results: &'a [KeyResult],
    /// The objective it serves, where it serves one.
    pub parent: Option<&'a Objective>,
    /// Whether others serve it.
    pub is_served: bool,
    /// Whether another one of the same period serves a wider one.
    pub others_are_aligned: bool,
    /// Whether an initiative that is not declined names one of its key results.
    pub has_initiative: bool,
}

/// Advice on an objective: none on one whose period is over. A key result is not checked in when nothing was said of it
/// for `after`.
pub fn lint(around: &Surroundings<'_>, now: DateTime<Utc>, after: TimeDelta) -> Vec<Finding> {
    let Surroundings { objective, key_results, parent, .. } = around;
    let (first, last) = objective.period.days();
    if last < now.date_naive() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut add = |resource: AnyName, rule, message: String| findings.push(Finding { resource, rule, message });
    let name = || objective.meta.name.any();
    if key_results.is_empty() {
        let message = "has no key result; say by which numbers one can tell that it is reached";
        add(name(), LintRule::NoKeyResult, message.to_owned());
    }
    match parent {
        Some(parent) if !objective.period.is_within(&parent.period) => {
            let (own, wider) = (objective.period, parent.period);
            let message =
                format!("is for {own}, but serves {}, which is for {wider}; change one of them", parent.meta.name);
            add(name(), LintRule::OutsideParentPeriod, message);
        }
        None if around.others_are_aligned && !around.is_served => {
            let message = "serves no wider objective, as others of its period do; say which one it serves, or why none";
            add(name(), LintRule::NotAligned, message.to_owned());
        }
        Some(_) | None => {}
    }
    if !around.has_initiative && !around.is_served && !key_results.is_empty() {
        let message = "no initiative names any of its key results; link one, propose one, or let the objective go";
        add(name(), LintRule::NoInitiative, message.to_owned());
    }
    let begin = first.and_time(NaiveTime::MIN).and_utc();
    for key_result in *key_results {
        let name = || key_result.meta.name.any();
        if let Some(why) = task(key_result) {
            add(name(), LintRule::Task, format!("{why}; say what changes for whom when it is done, and count that"));
        }
        let silent = now - key_result.last_heard_of().unwrap_or_default().max(key_result.meta.create_time).max(begin);
        if silent > after {
            let message = match &key_result.metric {
                Some(metric) => {
                    format!("{metric} was not measured for {} days; see whether its events arrive", silent.num_days())
                }
                None => format!("nothing was checked in for {} days; say where it stands", silent.num_days()),
            };
            add(name(), LintRule::NotCheckedIn, message);
        }
    }
    findings
}

/// Why a key result reads like something to do, if it does.
fn task(key_result: &KeyResult) -> Option<String> {
    if key_result.metric.is_some() {
        return None;
    }
    let text = &key_result.meta.display_name;
    let first = text.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()).unwrap_or_default();
    if DOING.contains(&first.to_lowercase().as_str()) {
        return Some(format!("begins with {first:?}, which is something to do"));
    }
    let (start, target) = (key_result.goal.start(), key_result.goal.target());
    let is_done_or_not = start == 0.0 && (target - 1.0) == 0.0;
    let unit = key_result.unit.trim().to_lowercase();
    (is_done_or_not && DONE.contains(&unit.as_str())).then(|| "goes from 0 to 1, which is done or not".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::roadmap::{Goal, LastCheckIn, Period, TargetInterval};
    use crate::{Meta, Name, Resource};

    const DAYS: TimeDelta = TimeDelta::days(14);

    fn now() -> DateTime<Utc> {
        "2026-08-20T12:00:00Z".parse().unwrap()
    }

    fn meta<R: Resource>(id: &str) -> Meta<R> {
        let time = "2026-06-20T12:00:00Z".parse().unwrap();
        Meta {
            name: Name::new("workspaces/w".parse().unwrap(), id.parse().unwrap()),
            uid: uuid::Uuid::nil(),
            display_name: id.to_owned(),
            labels: BTreeMap::new(),
            version: 1,
            create_time: time,
            update_time: time,
            delete_time: None,
        }
    }

    fn objective(id: &str, period: &str) -> Objective {
        let period = TargetInterval::from(period.parse::<Period>().unwrap());
        Objective {
            meta: meta(id),
            description: String::new(),
            owner: String::new(),
            period,
            parent_objective: None,
            products: BTreeSet::new(),
        }
    }

    /// A key result that nothing is the matter with.
    fn key_result(text: &str) -> KeyResult {
        let said = LastCheckIn {
            check_in: "workspaces/w/checkIns/c".parse().unwrap(),
            value: Some(1.0),
            confidence: None,
            time: now() - DAYS,
        };
        let mut key_result = KeyResult {
            meta: meta("kr"),
            objective: meta("o").name,
            goal: Goal::new(0.0, 10.0).unwrap(),
            unit: String::new(),
            weight: 1.0,
            metric: None,
            owner: String::new(),
            last_check_in: Some(said),
            reading: None,
        };
        key_result.meta.display_name = text.to_owned();
        key_result
    }

    fn fine<'a>(objective: &'a Objective, key_results: &'a [KeyResult]) -> Surroundings<'a> {
        let (parent, is_served, others_are_aligned, has_initiative) = (None, false, false, true);
        Surroundings { objective, key_results, parent, is_served, others_are_aligned, has_initiative }
    }

    fn rules(around: &Surroundings<'_>) -> Vec<LintRule> {
        lint(around, now(), DAYS).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn each_rule_speaks_where_it_should_and_nowhere_else() {
        let (quarter, year) = (objective("o", "2026-Q3"), objective("wider", "2026"));
        let good = [key_result("Accounts that invite somebody")];
        assert_eq!(rules(&fine(&quarter, &good)), []);
        assert_eq!(rules(&fine(&quarter, &[])), [LintRule::NoKeyResult]);
        assert_eq!(rules(&Surroundings { has_initiative: false, ..fine(&quarter, &good) }), [LintRule::NoInitiative]);
        let served =
            Surroundings { has_initiative: false, is_served: true, others_are_aligned: true, ..fine(&quarter, &good) };
        assert_eq!(rules(&served), [], "others work towards it, and it is as wide as it gets");
        let alone = Surroundings { others_are_aligned: true, ..fine(&quarter, &good) };
        assert_eq!(rules(&alone), [LintRule::NotAligned]);
        assert_eq!(rules(&Surroundings { parent: Some(&year), ..alone }), []);
        let outside = Surroundings { parent: Some(&quarter), ..fine(&year, &good) };
        assert_eq!(rules(&outside), [LintRule::OutsideParentPeriod]);
        let over = objective("o", "2026-Q2");
        assert_eq!(rules(&fine(&over, &[])), [], "what is over is not advised on");
    }

    #[test]
    fn a_key_result_is_stale_when_nothing_is_heard_of_it_while_it_runs() {
        let quarter = objective("o", "2026-Q3");
        let heard = |days: i64| {
            let mut key_result = key_result("Churn");
            key_result.last_check_in.as_mut().unwrap().time = now() - TimeDelta::days(days);
            rules(&fine(&quarter, &[key_result]))
        };
        assert_eq!([heard(14), heard(15)], [vec![], vec![LintRule::NotCheckedIn]]);
        let mut silent = key_result("Churn");
        silent.last_check_in = None;
        assert_eq!(rules(&fine(&quarter, &[silent.clone()])), [LintRule::NotCheckedIn]);
        assert_eq!(rules(&fine(&objective("o", "2026-09"), &[silent.clone()])), [], "it has not begun");
        silent.meta.create_time = now();
        assert_eq!(rules(&fine(&quarter, &[silent])), [], "it is new");
    }

    #[test]
    fn what_is_to_be_done_is_no_result() {
        let is_task = |key_result: &KeyResult| task(key_result).is_some();
        for text in ["Launch the app", "ship: SSO", "  Organise a summit", "Migrate"] {
            assert!(is_task(&key_result(text)), "{text}");
        }
        for text in ["Launches per month", "Shipping time", "Weekly active teams", "", "–"] {
            assert!(!is_task(&key_result(text)), "{text}");
        }
        let mut switch = key_result("SSO");
        switch.goal = Goal::new(0.0, 1.0).unwrap();
        assert!(is_task(&switch));
        assert!(is_task(&KeyResult { unit: " Done".into(), ..switch.clone() }));
        assert!(!is_task(&KeyResult { unit: "%".into(), ..switch.clone() }));
        let metric = "//metrics.waymark.dev/workspaces/w/metrics/m".parse().ok();
        assert!(!is_task(&KeyResult { metric, ..switch }), "what is measured changes");
    }
}
