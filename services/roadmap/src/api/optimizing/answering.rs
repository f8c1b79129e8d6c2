//! A plan in the words of the contract.

use waymark_domain::number::rounded;
use waymark_domain::roadmap::Unscored;
use waymark_planner::{Ended, More, Plan, Why, Wish};
use waymark_proto::roadmap::v1 as pb;

use super::{Out, Planning, listed};

impl Planning {
    pub(super) fn answer(&self, plan: &Plan, more: Vec<More>) -> pb::OptimizePlanResponse {
        let mut planned: Vec<_> = (0..self.parts.len()).filter_map(|item| Some((plan.done[item]?, item))).collect();
        // By name they are already.
        planned.sort_by_key(|(done, _)| *done);
        let left_out = (0..self.parts.len()).filter_map(|item| Some(self.left_out(item, plan.why[item].as_ref()?)));
        pb::OptimizePlanResponse {
            planned: planned.into_iter().map(|(done, item)| self.planned(item, done)).collect(),
            left_out: left_out.collect(),
            value: rounded(plan.value),
            bound: rounded(plan.bound),
            gap: plan.gap(),
            end: match plan.ended {
                Ended::Optimal => pb::PlanEnd::Optimal,
                Ended::Nodes => pb::PlanEnd::Work,
                Ended::Time => pb::PlanEnd::Time,
            }
            .into(),
            loads: (0..self.pools.len()).map(|pool| self.load(pool, plan)).collect(),
            one_more: more.into_iter().map(|more| self.one_more(more)).collect(),
        }
    }

    fn planned(&self, item: usize, done: waymark_planner::Periods) -> pb::PlannedInitiative {
        let part = &self.parts[item];
        let work = |(pool, amount): &(usize, f64)| {
            let who = self.pools[*pool].clone();
            pb::PlanWork { team: who.team, skill: who.skill, person_months: *amount }
        };
        let item = &self.question.items[item];
        pb::PlannedInitiative {
            initiative: part.initiative.meta.name.to_string(),
            display_name: part.initiative.meta.display_name.clone(),
            state: part.state,
            start: self.asked.periods[done.first].to_string(),
            end: self.asked.periods[done.last].to_string(),
            value: item.value,
            missing: missing(part.unscored.as_ref()),
            work: item.work.iter().map(work).collect(),
            must: item.wish == Wish::Must,
            trusted: part.trusted.iter().map(ToString::to_string).collect(),
        }
    }

    fn left_out(&self, item: usize, why: &Why) -> pb::LeftOutInitiative {
        let part = &self.parts[item];
        let mut left_out = pb::LeftOutInitiative {
            initiative: part.initiative.meta.name.to_string(),
            display_name: part.initiative.meta.display_name.clone(),
            state: part.state,
            value: self.question.items[item].value,
            ..Default::default()
        };
        let name = |item: &usize| self.name(*item).to_string();
        let (reason, explanation) = match (why, &part.out) {
            (Why::MustNot, Some(out)) => {
                let reason = match out {
                    Out::Work(missing) => {
                        left_out.missing.clone_from(missing);
                        pb::LeftOutReason::WorkMissing
                    }
                    Out::Outside(names) => {
                        left_out.initiatives = names.iter().map(ToString::to_string).collect();
                        pb::LeftOutReason::Outside
                    }
                    Out::Target(_) => pb::LeftOutReason::Dates,
                };
                (reason, out.told())
            }
            (Why::MustNot, None) => (pb::LeftOutReason::MustNot, "it must not be done".to_owned()),
            (Why::Waits(other), _) => {
                left_out.initiatives.push(name(other));
                (pb::LeftOutReason::Dependency, format!("it depends on {}, which is left out", self.name(*other)))
            }
            (Why::TooLarge(pool), _) => {
                left_out.capacities.push(self.pools[*pool].to_string());
                (pb::LeftOutReason::TooLarge, self.too_little(*pool))
            }
            (Why::Dates(other), _) => {
                left_out.initiatives.extend(other.iter().map(name));
                let because =
                    other.map(|other| format!(", as {}, which it depends on, ends too late", self.name(other)));
                (pb::LeftOutReason::Dates, format!("it cannot be within its dates{}", because.unwrap_or_default()))
            }
            (Why::Unknown, _) => {
                left_out.missing = missing(part.unscored.as_ref());
                let told = match &part.unscored {
                    Some(Unscored::Without(why)) => why.clone(),
                    Some(Unscored::Missing(_)) | None => {
                        format!("its {} is not known: {} to be found out", self.worth(), left_out.missing.join(", "))
                    }
                };
                (pb::LeftOutReason::ValueMissing, told)
            }
            (Why::Worthless, _) => (pb::LeftOutReason::NoValue, format!("it is worth nothing by {}", self.worth())),
            (Why::Outdone { pools, instead_of }, _) => {
                left_out.capacities = pools.iter().map(|pool| self.pools[*pool].to_string()).collect();
                left_out.initiatives.extend(instead_of.iter().map(name));
                let instead =
                    instead_of.map(|other| format!("; it could be in the place of {}", listed([self.name(other)])));
                let full = left_out.capacities.join(", ");
                let told = if full.is_empty() { "its time".to_owned() } else { full };
                let told = format!("{told} is used by what is worth more together{}", instead.unwrap_or_default());
                (pb::LeftOutReason::Outdone, told)
            }
        };
        left_out.reason = reason.into();
        left_out.explanation = explanation;
        left_out
    }

    /// What values are called.
    fn worth(&self) -> &str {
        self.asked.scorer.label()
    }

    fn load(&self, pool: usize, plan: &Plan) -> pb::PlanLoad {
        let who = self.pools[pool].clone();
        let period = |(at, period): (usize, &waymark_domain::roadmap::Period)| pb::PeriodLoad {
            period: period.to_string(),
            person_months: rounded(plan.load[pool][at]),
            capacity: self.question.pools[pool].capacity[at],
            binding: plan.binding.binary_search(&(pool, at)).is_ok(),
        };
        let periods = self.asked.periods.iter().enumerate().map(period).collect();
        pb::PlanLoad { team: who.team, skill: who.skill, periods }
    }

    fn one_more(&self, more: More) -> pb::PlanOneMore {
        let who = self.pools[more.pool].clone();
        let names = |items: Vec<usize>| items.into_iter().map(|item| self.name(item).to_string()).collect();
        let unknown = pb::PlanOneMore { team: who.team, skill: who.skill, ..Default::default() };
        match more.worth {
            None => unknown,
            Some(worth) => pb::PlanOneMore {
                solved: true,
                gain: rounded(worth.gain),
                gain_at_most: rounded(worth.most),
                added: names(worth.added),
                dropped: names(worth.dropped),
                ..unknown
            },
        }
    }
}

/// The factors to find out.
fn missing(unscored: Option<&Unscored>) -> Vec<String> {
    match unscored {
        Some(Unscored::Missing(factors)) => factors.clone(),
        Some(Unscored::Without(_)) | None => Vec::new(),
    }
}
