//! Which initiatives to do in which period: what is known of them becomes a question to the planner, and its plan an
//! answer. Reads only.

mod answering;
mod asking;

use std::collections::{BTreeMap, BTreeSet};

use waymark_domain::roadmap::{Estimate, Initiative, Period, Rank, TargetInterval, Unknown, Unscored};
use waymark_domain::{Name, Violations, WorkspaceId};
use waymark_planner::{Effort, Item, PlanError, Pool, Question, Wish, one_more, plan};
use waymark_proto::roadmap::v1 as pb;
use waymark_rpc::parse;
use waymark_store::{Error, resource};

use super::Api;
use crate::store::{Initiatives, RANK};
use asking::{Asked, Particular, Who};

/// What is to be planned, and of what the planner's numbers are.
struct Planning {
    asked: Asked,
    question: Question,
    /// The pools of the question: the capacities, and what else is needed.
    pools: Vec<Who>,
    /// The items of the question.
    parts: Vec<Part>,
}

/// An initiative of the plan.
struct Part {
    initiative: Initiative,
    /// Where it stands, in the words of the contract.
    state: i32,
    /// Why nobody knows its worth, where nobody does.
    unscored: Option<Unscored>,
    /// What it waits for and has no part in the plan.
    trusted: Vec<Name<Initiative>>,
    must: bool,
    /// Why it is out, whatever is planned.
    out: Option<Out>,
}

/// Why an initiative is out before anything is planned.
#[derive(Clone)]
enum Out {
    /// Nobody knows its work: what to find out.
    Work(Vec<String>),
    /// It waits for what has no part in the plan.
    Outside(Vec<Name<Initiative>>),
    /// It is planned for when the plan has no period.
    Target(TargetInterval),
}

impl Api {
    pub(super) async fn optimize(&self, request: pb::OptimizePlanRequest) -> Result<pb::OptimizePlanResponse, Error> {
        let workspace: WorkspaceId = parse("parent", &request.parent)?;
        let scorer = self.scorer(&workspace, request.framework(), &request.model).await?;
        let mut asked = Asked::of(request, workspace, scorer)?;
        let initiatives = self.planned_for(&asked).await?;
        let estimates = self.all_estimates_of(&asked.workspace, &initiatives).await?;
        let known: Vec<Estimate> = estimates.values().cloned().collect();
        asked.scorer = asked.scorer.among(&known);
        let others = self.unshipped_others(&asked.workspace, &initiatives).await?;
        let planning = Planning::of(asked, initiatives, &estimates, &others);
        planning.refuse_musts()?;
        // Seconds of work for a processor: other requests are not to wait for it.
        let work = move || {
            let Planning { asked, question, .. } = &planning;
            let effort = |time| Effort { time, ..Effort::default() };
            let found = plan(question, effort(asked.time)).map(|plan| {
                let more = one_more(question, &plan, effort(asked.one_more_time));
                (plan, more)
            });
            (planning, found)
        };
        match tokio::task::spawn_blocking(work).await.map_err(Error::bug)? {
            (planning, Ok((plan, more))) => Ok(planning.answer(&plan, more)),
            (planning, Err(error)) => Err(planning.refusal(error)),
        }
    }

    /// The initiatives that have a part in the plan, by name. Refuses more than can be planned together.
    async fn planned_for(&self, asked: &Asked) -> Result<BTreeMap<Name<Initiative>, Initiative>, Error> {
        let Asked { workspace, filter, particular, .. } = asked;
        let open = format!("{RANK} < {:?}", Rank::CLOSED);
        let rows =
            self.store.values::<Initiatives>(workspace, if filter.is_empty() { &open } else { filter }, RANK).await?;
        let named = particular.keys().map(|name| name.id().as_str());
        let ids: BTreeSet<&str> = rows.iter().map(|(id, _)| id.as_str()).chain(named).collect();
        let most = pb::OptimizePlanRequest::INITIATIVES_MOST;
        if ids.len() > most {
            let problem = format!(
                "selects {} initiatives with those that are named, more than {most}; narrow it, for example by product, \
                 horizon or labels",
                ids.len()
            );
            return Err(Violations::one("filter", problem).into());
        }
        let mut initiatives = BTreeMap::new();
        for message in self.store.named::<Initiatives>(workspace, ids).await?.into_values() {
            let initiative = resource::<Initiatives>(message)?;
            if initiative.is_open() {
                initiatives.insert(initiative.meta.name.clone(), initiative);
            }
        }
        let mut missing = Violations::new();
        for (name, of) in particular.iter().filter(|(name, _)| !initiatives.contains_key(*name)) {
            let at = format!("initiatives[{}].initiative", of.index);
            missing.add(at, format!("{name} does not exist, or is shipped or declined: there is nothing to plan"));
        }
        missing.into_result()?;
        Ok(initiatives)
    }

    /// The estimates that count, by initiative.
    async fn all_estimates_of(
        &self,
        workspace: &WorkspaceId,
        initiatives: &BTreeMap<Name<Initiative>, Initiative>,
    ) -> Result<BTreeMap<Name<Initiative>, Estimate>, Error> {
        let messages: Vec<pb::Initiative> = initiatives.values().map(pb::Initiative::from).collect();
        let estimates = self.estimates_of(workspace, messages.iter()).await?;
        Ok(estimates.into_values().map(|estimate| (estimate.initiative.clone(), estimate)).collect())
    }

    /// What initiatives of the plan wait for that has no part in it and is not shipped.
    async fn unshipped_others(
        &self,
        workspace: &WorkspaceId,
        initiatives: &BTreeMap<Name<Initiative>, Initiative>,
    ) -> Result<BTreeSet<Name<Initiative>>, Error> {
        let others =
            initiatives.values().flat_map(|of| &of.dependencies).filter(|name| !initiatives.contains_key(*name));
        let ids: BTreeSet<&str> = others.map(|name| name.id().as_str()).collect();
        let found = self.store.named::<Initiatives>(workspace, ids).await?.into_values();
        let others: Vec<Initiative> = found.map(resource::<Initiatives>).collect::<Result<_, _>>()?;
        let unshipped = others.into_iter().filter(|other| other.state.ship_time().is_none());
        Ok(unshipped.map(|other| other.meta.name).collect())
    }
}

impl Out {
    /// As a sentence.
    fn told(&self) -> String {
        match self {
            Self::Work(missing) => format!("how much work it is is not known: {} to be found out", missing.join(", ")),
            Self::Outside(names) => {
                format!("it depends on {}, which has no part in the plan and is not shipped", listed(names))
            }
            Self::Target(target) => format!("its target, {target}, is in no period that it may be done in"),
        }
    }
}

impl Planning {
    fn of(
        asked: Asked,
        initiatives: BTreeMap<Name<Initiative>, Initiative>,
        estimates: &BTreeMap<Name<Initiative>, Estimate>,
        others: &BTreeSet<Name<Initiative>>,
    ) -> Self {
        let places: BTreeMap<Name<Initiative>, usize> =
            initiatives.keys().enumerate().map(|(place, name)| (name.clone(), place)).collect();
        let (mut pools, capacities) = asked.capacities.iter().cloned().unzip::<_, _, Vec<Who>, Vec<Pool>>();
        let periods = asked.periods.len();
        let mut question = Question { periods, pools: capacities, items: Vec::new() };
        let mut parts = Vec::new();
        let ordinary = Particular::default();
        for (name, initiative) in initiatives {
            let particular = asked.particular.get(&name).unwrap_or(&ordinary);
            let estimate = estimates.get(&name);
            let worth = estimate.map_or_else(|| asked.scorer.worth(&Unknown), |estimate| asked.scorer.worth(estimate));
            let (value, unscored) = worth.map_or_else(|unscored| (None, Some(unscored)), |worth| (Some(worth), None));
            let mut out = None;
            let work = asked.work_of(&initiative, particular, estimate).unwrap_or_else(|missing| {
                out = Some(Out::Work(missing));
                Vec::new()
            });
            let work = work.into_iter().map(|(who, amount)| (pool(&mut pools, &mut question, who), amount)).collect();
            let (mut first, mut last) = (particular.earliest.unwrap_or(0), particular.latest.unwrap_or(periods - 1));
            if let Some(target) = initiative.target.filter(|_| asked.keep_targets) {
                match overlapped(&asked.periods, target) {
                    Some((from, to)) if from.max(first) <= to.min(last) => {
                        (first, last) = (from.max(first), to.min(last));
                    }
                    _ => out = Some(Out::Target(target)),
                }
            }
            let (inside, outside): (Vec<_>, Vec<_>) =
                initiative.dependencies.iter().cloned().partition(|other| places.contains_key(other));
            let outside: Vec<_> = outside.into_iter().filter(|other| others.contains(other)).collect();
            if !outside.is_empty() && !asked.trust_others {
                out = Some(Out::Outside(outside.clone()));
            }
            let must = particular.wish == Some(Wish::Must);
            let mut item = Item {
                value,
                work,
                lasts: 1..=particular.most_periods.unwrap_or(asked.most_periods).min(periods),
                within: first..=last,
                wish: if out.is_some() { Wish::MustNot } else { particular.wish.unwrap_or(Wish::May) },
                after: inside.iter().filter_map(|other| places.get(other).copied()).collect(),
            };
            if particular.most_periods.is_none() {
                item.lasts = 1..=(*item.lasts.end()).max(question.fewest_periods(&item).unwrap_or(1));
            }
            question.items.push(item);
            let state = pb::Initiative::from(&initiative).state;
            parts.push(Part { initiative, state, unscored, trusted: outside, must, out });
        }
        Self { asked, question, pools, parts }
    }

    /// Refuses what must be done and is out before anything is planned.
    fn refuse_musts(&self) -> Result<(), Violations> {
        let mut found = Violations::new();
        for part in self.parts.iter().filter(|part| part.must) {
            let Some(out) = &part.out else { continue };
            let told = format!("{} must be done, but {}", part.initiative.meta.name, out.told());
            found.add(self.field_of(part), told);
        }
        found.into_result()
    }

    /// Where the request says what is particular about an initiative.
    fn field_of(&self, part: &Part) -> String {
        let particular = self.asked.particular.get(&part.initiative.meta.name);
        particular.map_or("initiatives".to_owned(), |of| format!("initiatives[{}]", of.index))
    }

    fn name(&self, item: usize) -> &Name<Initiative> {
        &self.parts[item].initiative.meta.name
    }

    /// What is against a plan with all that must be done, by the field it is said in.
    fn refusal(&self, error: PlanError) -> Error {
        let capacity = |pool: usize| match pool {
            pool if pool < self.asked.capacities.len() => format!("capacities[{pool}]"),
            _ => "capacities".to_owned(),
        };
        let names = |items: &[usize]| listed(items.iter().map(|item| self.name(*item)));
        let (field, told) = match error {
            PlanError::NeedsMustNot { item, other } => {
                let why = self.parts[other].out.as_ref().map_or("which must not be done".to_owned(), Out::told);
                let told = format!("{} must be done and depends on {}: {why}", self.name(item), self.name(other));
                (self.field_of(&self.parts[item]), told)
            }
            PlanError::TooLarge { item, pool } => {
                let told = format!("{} must be done, but {}", self.name(item), self.too_little(pool));
                (capacity(pool), told)
            }
            PlanError::Dates { item, other } => {
                let other = other.map(|other| format!(", because of the dates of {}", self.name(other)));
                let told = format!(
                    "{} must be done and cannot be within its dates{}",
                    self.name(item),
                    other.unwrap_or_default()
                );
                (self.field_of(&self.parts[item]), told)
            }
            PlanError::Capacity { pool, periods, needs, has, items } => {
                let [first, last] = [periods.first, periods.last].map(|at| self.asked.periods[at]);
                let when = if first == last { format!("in {first}") } else { format!("from {first} to {last}") };
                let (who, names) = (&self.pools[pool], names(&items));
                let [needs, has] = [needs, has].map(waymark_domain::number::rounded);
                let told =
                    format!("{who} has {has} person-months {when}, and what must be done then needs {needs}: {names}");
                (capacity(pool), told)
            }
            PlanError::Together { items, pool } => {
                let within = pool.map(|pool| format!(" within the capacity of {}", self.pools[pool]));
                let told = format!(
                    "{} must all be done and cannot be laid out together{}, though it is enough in sum: make fewer a must, \
                     or let them be spread over more periods",
                    names(&items),
                    within.unwrap_or_default()
                );
                (pool.map_or("initiatives".to_owned(), capacity), told)
            }
            PlanError::Undecided => {
                let told = "was over before a way was found to do all that must be done, or that there is none; give it \
                            more time, or make fewer a must";
                ("time_limit_ms".to_owned(), told.to_owned())
            }
            // Neither do references lead back, nor does a question come out otherwise than it must be.
            error => return Error::bug(error),
        };
        Violations::one(field, told).into()
    }

    /// That a pool has too little for something, or nothing.
    fn too_little(&self, pool: usize) -> String {
        let who = &self.pools[pool];
        if pool < self.asked.capacities.len() {
            format!("{who} has too little for it in any of its periods, though nothing else were done")
        } else {
            format!("no capacity is given for {who}")
        }
    }
}

impl Asked {
    /// The work of an initiative; what is not known where it is not known.
    fn work_of(
        &self,
        initiative: &Initiative,
        particular: &Particular,
        estimate: Option<&Estimate>,
    ) -> Result<Vec<(Who, f64)>, Vec<String>> {
        if !particular.work.is_empty() {
            return Ok(particular.work.clone());
        }
        let team = initiative.meta.labels.get(&self.team_label).filter(|team| !team.is_empty());
        let effort = estimate.and_then(|estimate| estimate.factors.get("effort"));
        match (team, effort) {
            (Some(team), Some(effort)) => {
                Ok(vec![(Who { team: team.clone(), skill: String::new() }, effort.amount.likely())])
            }
            (team, effort) => {
                let team = team.is_none().then(|| format!("labels.{}", self.team_label));
                Err(team.into_iter().chain(effort.is_none().then(|| "effort".to_owned())).collect())
            }
        }
    }
}

/// The pool of a team and skill; one of nothing where no capacity is given for them.
fn pool(pools: &mut Vec<Who>, question: &mut Question, who: Who) -> usize {
    pools.iter().position(|other| *other == who).unwrap_or_else(|| {
        pools.push(who);
        question.pools.push(Pool::of(vec![0.0; question.periods]));
        pools.len() - 1
    })
}

/// The first and the last of periods that have a month of a target.
fn overlapped(periods: &[Period], target: TargetInterval) -> Option<(usize, usize)> {
    let overlaps = |period: &Period| TargetInterval::from(*period).overlaps(&target);
    Some((periods.iter().position(overlaps)?, periods.iter().rposition(overlaps)?))
}

fn listed<'a>(names: impl IntoIterator<Item = &'a Name<Initiative>>) -> String {
    names.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
