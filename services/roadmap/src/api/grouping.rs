//! What the lanes of a roadmap are: which there are is told by the request, by resources of which there is one for each, or by
//! an index of values, never by the initiatives.

use std::collections::BTreeMap;

use waymark_domain::roadmap::{Objective, ObjectiveError, Period, Product, TargetInterval};
use waymark_domain::{Name, Violations};
use waymark_proto::roadmap::v1 as pb;
use waymark_request::page::PageError;
use waymark_store::{Error, Read as _, View};

use crate::store::{DECLINED, Initiatives, KeyResults, OWNER, Objectives, Products};

/// What a request asks to group by.
pub(super) enum Grouping {
    Horizon,
    /// These periods.
    Time(TargetInterval),
    Product,
    Objective,
    Owner,
    /// The label of this key.
    Label(String),
}

/// A lane: which initiatives stand in it, and what is said of it.
pub(super) struct Lane {
    /// What tokens call it.
    pub id: String,
    /// The lane without initiatives.
    pub shown: pb::RoadmapLane,
    pub members: Members,
}

/// Initiatives, none of which was declined but for those that all were.
pub(super) enum Members {
    Declined,
    Horizon(pb::Horizon),
    /// Those whose targets start from one day on and before another one.
    Starting(String, String),
    Undated,
    /// Those for a product, or for none where it is empty.
    Product(String),
    /// Those of an owner, or of none where it is empty.
    Owner(String),
    Labelled(String, String),
    Unlabelled(String),
    /// Those that name one of these key results.
    Serving(Vec<String>),
    /// Those that name no key result.
    Unaligned,
}

/// Lanes, and the key that the next ones begin behind, if there are more.
pub(super) type LanePage = (Vec<Lane>, Option<String>);

/// The horizons, in the order of their lanes.
const HORIZONS: [pb::Horizon; 3] = [pb::Horizon::Now, pb::Horizon::Next, pb::Horizon::Later];
/// What tokens call lanes without a key, which a key cannot begin with.
const EARLIER: &str = "<";
const LATER: &str = ">";
const WITHOUT: &str = "-";
/// What stands before a key.
const KEYED: &str = "=";

impl Grouping {
    pub(super) fn asked(request: &pb::GetRoadmapRequest) -> Result<Self, Violations> {
        use pb::RoadmapGrouping as By;
        let mut violations = Violations::new();
        let by = request.group_by();
        if by != By::Time && request.interval.is_some() {
            violations.add("interval", "goes with group_by TIME alone");
        }
        if by != By::Label && !request.label.is_empty() {
            violations.add("label", "goes with group_by LABEL alone");
        }
        if matches!(by, By::Owner | By::Label) && request.as_of.is_some() {
            violations.add("as_of", "cannot be shown by owner or label, of which nothing keeps which there were");
        }
        if !request.page_token.is_empty() && !request.lanes_token.is_empty() {
            violations.add("lanes_token", "asks for other lanes than page_token, which is of one: set one of them");
        }
        let grouping = match by {
            By::Unspecified | By::Horizon => Some(Self::Horizon),
            By::Time => Self::of_periods(request.interval.clone(), &mut violations),
            By::Product => Some(Self::Product),
            By::Objective => Some(Self::Objective),
            By::Owner => Some(Self::Owner),
            By::Label if request.label.is_empty() => {
                violations.add("label", "must be set to group by it: the key of a label");
                None
            }
            By::Label => Some(Self::Label(request.label.clone())),
        };
        grouping.filter(|_| violations.is_empty()).ok_or(violations)
    }

    /// Refuses lanes that tell of more than what is in them: which owners, labels, products and objectives there are.
    pub(super) fn must_be_for_audiences(&self) -> Result<(), Violations> {
        match self {
            Self::Horizon | Self::Time(_) => Ok(()),
            Self::Product | Self::Objective | Self::Owner | Self::Label(_) => {
                Err(Violations::one("group_by", "must be HORIZON or TIME for who has an audience"))
            }
        }
    }

    fn of_periods(interval: Option<pb::TargetInterval>, violations: &mut Violations) -> Option<Self> {
        let Some(interval) = interval else {
            violations.add("interval", "must be set to group by time, such as from 2026-Q1 to 2026-Q4");
            return None;
        };
        let interval = violations.nested("interval", TargetInterval::try_from(interval))?;
        violations.check("interval", interval.periods().map(drop))?;
        Some(Self::Time(interval))
    }

    /// The lanes behind a key, or the first ones: as many with a key as `most`, and those beside them.
    pub(super) async fn lanes(&self, view: &mut View, after: Option<&str>, most: usize) -> Result<LanePage, Error> {
        let (mut lanes, next) = match self {
            Self::Horizon => (HORIZONS.map(Lane::of_horizon).into(), None),
            Self::Time(interval) => periods(*interval, after, most)?,
            Self::Product => {
                let products = view.part::<Products>(after.unwrap_or_default(), most as u64).await?;
                (products.items.into_iter().map(Lane::of_product).collect(), products.next)
            }
            Self::Objective => {
                let objectives = view.part::<Objectives>(after.unwrap_or_default(), most as u64).await?;
                (of_objectives(view, objectives.items).await?, objectives.next)
            }
            Self::Owner | Self::Label(_) => self.values(view, after, most).await?,
        };
        if next.is_none() {
            lanes.extend(self.without());
        }
        Ok((lanes, next))
    }

    /// Whether lanes are of values that initiatives have: of one that none has any more there is no lane.
    pub(super) fn is_of_values(&self) -> bool {
        matches!(self, Self::Owner | Self::Label(_))
    }

    /// The lanes that are shown with a page of the one of this id: that alone, but for horizons, which are always shown.
    pub(super) async fn around(&self, view: &mut View, id: &str) -> Result<Vec<Lane>, Error> {
        if id == DECLINED || matches!(self, Self::Horizon) {
            let lanes = if matches!(self, Self::Horizon) { HORIZONS.map(Lane::of_horizon).into() } else { Vec::new() };
            let known = id == DECLINED || lanes.iter().any(|lane: &Lane| lane.id == id);
            return if known { Ok(lanes) } else { Err(PageError::Damaged.into()) };
        }
        Ok(self.lane(view, id).await?.into_iter().collect())
    }

    /// The lane of an id; none where what it is of is deleted meanwhile.
    async fn lane(&self, view: &mut View, id: &str) -> Result<Option<Lane>, Error> {
        if id == WITHOUT {
            return Ok(self.without());
        }
        let key = id.strip_prefix(KEYED);
        match (self, key) {
            (Self::Time(interval), None) => Ok(beside(*interval).into_iter().find(|lane| lane.id == id)),
            (Self::Time(_), Some(key)) => {
                Ok(Some(Lane::of_period(key.parse::<Period>().map_err(|_| PageError::Damaged)?)))
            }
            (Self::Product, Some(name)) => {
                let name: Name<Product> = name.parse().map_err(|_| PageError::Damaged)?;
                let found = view.named::<Products>([name.id().as_str()]).await?;
                Ok(found.into_values().next().map(Lane::of_product))
            }
            (Self::Objective, Some(name)) => {
                let name: Name<Objective> = name.parse().map_err(|_| PageError::Damaged)?;
                let found = view.named::<Objectives>([name.id().as_str()]).await?.into_values().collect();
                Ok(of_objectives(view, found).await?.pop())
            }
            (Self::Owner, Some(owner)) => Ok(Some(Lane::of_owner(owner))),
            (Self::Label(of), Some(value)) => Ok(Some(Lane::of_label(of, value))),
            (Self::Horizon | Self::Product | Self::Objective | Self::Owner | Self::Label(_), _) => {
                Err(PageError::Damaged.into())
            }
        }
    }

    /// A lane for each owner or value of a label.
    async fn values(&self, view: &View, after: Option<&str>, most: usize) -> Result<LanePage, Error> {
        let (mut lanes, mut last) = (Vec::new(), after.map(str::to_owned));
        while lanes.len() < most {
            let next = match self {
                Self::Label(key) => view.next_label::<Initiatives>(key, last.as_deref()).await?,
                _ => view.next_value::<Initiatives>(OWNER, last.as_deref()).await?,
            };
            let Some(value) = next else { return Ok((lanes, None)) };
            lanes.push(match self {
                Self::Label(key) => Lane::of_label(key, &value),
                _ => Lane::of_owner(&value),
            });
            last = Some(value);
        }
        Ok((lanes, last))
    }

    /// The lane of those that have nothing of the kind.
    fn without(&self) -> Option<Lane> {
        let members = match self {
            Self::Horizon => return None,
            Self::Time(_) => Members::Undated,
            Self::Product => Members::Product(String::new()),
            Self::Objective => Members::Unaligned,
            Self::Owner => Members::Owner(String::new()),
            Self::Label(key) => Members::Unlabelled(key.clone()),
        };
        Some(Lane::beside(WITHOUT, pb::RoadmapLaneKind::Without, members))
    }
}

/// Lanes of periods, with those before the first and behind the last.
fn periods(interval: TargetInterval, after: Option<&str>, most: usize) -> Result<LanePage, Error> {
    let mut all: Vec<Period> =
        interval.periods().map_err(|error| Violations::one("interval", error.to_string()))?.collect();
    let [earlier, later] = beside(interval);
    let mut lanes = Vec::new();
    match after {
        Some(after) => {
            let at = all.iter().position(|period| period.to_string() == after).ok_or(PageError::Damaged)?;
            all.drain(..=at);
        }
        None => lanes.push(earlier),
    }
    let next = (all.len() > most).then(|| all[most - 1].to_string());
    lanes.extend(all.into_iter().take(most).map(Lane::of_period));
    if next.is_none() {
        lanes.push(later);
    }
    Ok((lanes, next))
}

/// The lanes of what starts before an interval and after it.
fn beside(interval: TargetInterval) -> [Lane; 2] {
    let (first, end) = (interval.start().first_day(), interval.end().end_day());
    let earlier = Members::Starting(String::new(), first.to_string());
    let later = Members::Starting(end.to_string(), crate::store::UNDATED.to_owned());
    [
        Lane::beside(EARLIER, pb::RoadmapLaneKind::Earlier, earlier),
        Lane::beside(LATER, pb::RoadmapLaneKind::Later, later),
    ]
}

/// Lanes of objectives, by the key results they have at the view's position.
async fn of_objectives(view: &mut View, objectives: Vec<pb::Objective>) -> Result<Vec<Lane>, Error> {
    let names: Vec<String> = objectives.iter().map(|objective| objective.name.clone()).collect();
    let found = view.messages_where_in::<KeyResults>("objective", &names, Objective::READ_AT_ONCE as u32 + 1).await?;
    if let Some(first) = names.first().filter(|_| found.len() > Objective::READ_AT_ONCE) {
        return Err(Error::rule(ObjectiveError::too_large(first, "ask for fewer lanes")));
    }
    let mut of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key_result in found {
        of.entry(key_result.objective).or_default().push(key_result.name);
    }
    let lane = |objective: pb::Objective| {
        let members = Members::Serving(of.remove(&objective.name).unwrap_or_default());
        Lane::keyed(objective.name, objective.display_name, members)
    };
    Ok(objectives.into_iter().map(lane).collect())
}

impl Lane {
    /// What was declined, which is shown apart.
    pub(super) fn declined() -> Self {
        Self { id: DECLINED.to_owned(), shown: pb::RoadmapLane::default(), members: Members::Declined }
    }

    fn of_horizon(horizon: pb::Horizon) -> Self {
        let kind = pb::RoadmapLaneKind::Keyed.into();
        let shown = pb::RoadmapLane { kind, horizon: horizon.into(), ..Default::default() };
        Self { id: horizon.as_str_name().to_owned(), shown, members: Members::Horizon(horizon) }
    }

    fn of_period(period: Period) -> Self {
        let members = Members::Starting(period.first_day().to_string(), period.end_day().to_string());
        Self::keyed(period.to_string(), String::new(), members)
    }

    fn of_product(product: pb::Product) -> Self {
        Self::keyed(product.name.clone(), product.display_name, Members::Product(product.name))
    }

    fn of_owner(owner: &str) -> Self {
        Self::keyed(owner.to_owned(), String::new(), Members::Owner(owner.to_owned()))
    }

    fn of_label(key: &str, value: &str) -> Self {
        Self::keyed(value.to_owned(), String::new(), Members::Labelled(key.to_owned(), value.to_owned()))
    }

    fn keyed(key: String, display_name: String, members: Members) -> Self {
        let id = format!("{KEYED}{key}");
        let kind = pb::RoadmapLaneKind::Keyed.into();
        Self { id, shown: pb::RoadmapLane { kind, key, display_name, ..Default::default() }, members }
    }

    fn beside(id: &str, kind: pb::RoadmapLaneKind, members: Members) -> Self {
        Self { id: id.to_owned(), shown: pb::RoadmapLane { kind: kind.into(), ..Default::default() }, members }
    }
}

impl Members {
    /// Whether an initiative is one of them.
    pub(super) fn hold(&self, initiative: &pb::Initiative) -> bool {
        let declined = initiative.state() == pb::InitiativeState::Declined;
        let within = || match self {
            Self::Declined => false,
            Self::Horizon(horizon) => initiative.horizon() == *horizon,
            Self::Starting(from, before) => start(initiative).is_some_and(|day| *from <= day && day < *before),
            Self::Undated => start(initiative).is_none(),
            Self::Product(product) => initiative.product == *product,
            Self::Owner(owner) => initiative.owner == *owner,
            Self::Labelled(key, value) => initiative.labels.get(key) == Some(value),
            Self::Unlabelled(key) => !initiative.labels.contains_key(key),
            Self::Serving(key_results) => initiative.key_results.iter().any(|name| key_results.contains(name)),
            Self::Unaligned => initiative.key_results.is_empty(),
        };
        if declined { matches!(self, Self::Declined) } else { within() }
    }
}

/// The first day of the target of an initiative, if it has one.
pub(super) fn start(initiative: &pb::Initiative) -> Option<String> {
    let period: Period = initiative.target.as_ref()?.start.parse().ok()?;
    Some(period.first_day().to_string())
}
