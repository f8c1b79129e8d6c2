//! What is asked of a plan: the request, checked as far as that needs no initiative.

use std::collections::BTreeMap;
use std::time::Duration;

use waymark_domain::roadmap::{Initiative, Period, Scorer};
use waymark_domain::{Name, Violations, WorkspaceId};
use waymark_planner::{Pool, Wish};
use waymark_proto::roadmap::v1 as pb;

/// The label that names teams where the request says no other.
const TEAM_LABEL: &str = "team";

/// A team, and what it can do; of the latter nothing where that does not matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub(super) team: String,
    pub(super) skill: String,
}

/// `web`, or `web/design`.
impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.team)?;
        if self.skill.is_empty() { Ok(()) } else { write!(f, "/{}", self.skill) }
    }
}

/// A request that was checked.
pub(super) struct Asked {
    pub(super) workspace: WorkspaceId,
    pub(super) scorer: Scorer,
    pub(super) filter: String,
    pub(super) periods: Vec<Period>,
    /// In the order of the request.
    pub(super) capacities: Vec<(Who, Pool)>,
    pub(super) particular: BTreeMap<Name<Initiative>, Particular>,
    pub(super) team_label: String,
    pub(super) most_periods: usize,
    pub(super) keep_targets: bool,
    pub(super) trust_others: bool,
    pub(super) time: Duration,
    pub(super) one_more_time: Duration,
}

/// What is particular about an initiative.
#[derive(Default)]
pub(super) struct Particular {
    /// Its place in the request.
    pub(super) index: usize,
    pub(super) wish: Option<Wish>,
    pub(super) earliest: Option<usize>,
    pub(super) latest: Option<usize>,
    pub(super) most_periods: Option<usize>,
    pub(super) work: Vec<(Who, f64)>,
}

impl Asked {
    /// With what it is that says what initiatives are worth.
    pub(super) fn of(
        request: pb::OptimizePlanRequest,
        workspace: WorkspaceId,
        scorer: Scorer,
    ) -> Result<Self, Violations> {
        let mut found = Violations::new();
        let periods = periods(&request.periods, &mut found);
        let capacities = capacities(&request.capacities, request.periods.len(), &mut found);
        let mut particular = BTreeMap::new();
        for (index, of) in request.initiatives.iter().enumerate() {
            let at = format!("initiatives[{index}]");
            let name: Option<Name<Initiative>> = found.check(&format!("{at}.initiative"), of.initiative.parse());
            let of = found.nested(&at, Particular::of(index, of, &periods));
            let Some((name, of)) = name.zip(of) else { continue };
            if *name.workspace() != workspace {
                found.add(format!("{at}.initiative"), "must be of the workspace that is planned for");
            } else if particular.insert(name, of).is_some() {
                found.add(format!("{at}.initiative"), "is there twice; say all about an initiative once");
            }
        }
        let milliseconds = |number: i32| Duration::from_millis(number.unsigned_abs().into());
        let (time, one_more_time) = (request.time_limit_ms_or_default(), request.one_more_time_limit_ms_or_default());
        let most_periods = request.most_periods_or_default().unsigned_abs() as usize;
        found.into_result()?;
        Ok(Self {
            workspace,
            scorer,
            periods,
            capacities,
            particular,
            most_periods,
            filter: request.filter,
            team_label: Some(request.team_label).filter(|label| !label.is_empty()).unwrap_or(TEAM_LABEL.to_owned()),
            keep_targets: request.keep_targets,
            trust_others: request.trust_others,
            time: milliseconds(time),
            one_more_time: milliseconds(one_more_time),
        })
    }
}

/// The periods that can be read, of which each follows the one before.
fn periods(texts: &[String], found: &mut Violations) -> Vec<Period> {
    let mut periods: Vec<Period> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let at = format!("periods[{index}]");
        let Some(period) = found.check(&at, text.parse::<Period>()) else { continue };
        if let Some(before) = periods.last().filter(|before| before.last_day().succ_opt() != Some(period.first_day())) {
            found.add(at, format!("must begin where {before} ends, on the day after {}", before.last_day()));
        }
        periods.push(period);
    }
    periods
}

fn capacities(given: &[pb::PlanCapacity], periods: usize, found: &mut Violations) -> Vec<(Who, Pool)> {
    let mut capacities: Vec<(Who, Pool)> = Vec::new();
    for (index, pb::PlanCapacity { team, skill, person_months }) in given.iter().enumerate() {
        let who = Who { team: team.clone(), skill: skill.clone() };
        let capacity = match person_months.as_slice() {
            [each] => vec![*each; periods],
            months => months.to_vec(),
        };
        if capacity.len() != periods {
            let told = format!("must be one number, or one for each of {periods} periods, got {}", capacity.len());
            found.add(format!("capacities[{index}].person_months"), told);
        }
        if capacities.iter().any(|(other, _)| *other == who) {
            found.add(format!("capacities[{index}]"), format!("has {who} twice; add up what it has"));
        }
        capacities.push((who, Pool::of(capacity)));
    }
    capacities
}

impl Particular {
    fn of(index: usize, of: &pb::PlanInitiative, periods: &[Period]) -> Result<Self, Violations> {
        let mut found = Violations::new();
        let mut place = |field: &str, text: &str| {
            let period = found.check(field, text.parse::<Period>()).filter(|_| !text.is_empty())?;
            let place = periods.iter().position(|other| *other == period);
            if place.is_none() {
                found.add(field, format!("must be one of the periods of the plan, got {text}"));
            }
            place
        };
        let earliest =
            Some(of.earliest.as_str()).filter(|text| !text.is_empty()).and_then(|text| place("earliest", text));
        let latest = Some(of.latest.as_str()).filter(|text| !text.is_empty()).and_then(|text| place("latest", text));
        if earliest.zip(latest).is_some_and(|(earliest, latest)| earliest > latest) {
            found.add("latest", format!("must not be before {}, when it may begin", of.earliest));
        }
        let wish = match of.wish() {
            pb::PlanWish::Unspecified | pb::PlanWish::May => Wish::May,
            pb::PlanWish::Must => Wish::Must,
            pb::PlanWish::MustNot => Wish::MustNot,
        };
        let work = |of: &pb::PlanWork| (Who { team: of.team.clone(), skill: of.skill.clone() }, of.person_months);
        let most_periods = Some(of.most_periods.unsigned_abs() as usize).filter(|most| *most > 0);
        let work = of.work.iter().map(work).collect();
        found.into_result().map(|()| Self { index, wish: Some(wish), earliest, latest, most_periods, work })
    }
}
