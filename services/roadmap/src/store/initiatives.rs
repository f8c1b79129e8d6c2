//! The table of initiatives.

use std::collections::{BTreeMap, BTreeSet};

use waymark_domain::roadmap::{Framework, Initiative, InitiativeState, Priority};
use waymark_domain::{Name, WorkspaceId};
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Error, Store, Table, resource};

/// The column of where initiatives stand by horizon: see [`place`].
pub const PLACE: &str = "place";

/// The column of when they are planned to start: the first day of the target, [`UNDATED`] without one; none of what was
/// declined.
pub const START: &str = "starts";

/// What stands for a day that nobody has said, behind all days.
pub const UNDATED: &str = "~";

/// The column of where they are in their life.
pub const STATE: &str = "state";

/// The state of what was declined, with which its place begins.
pub const DECLINED: &str = "DECLINED";

/// The column of who answers for them.
pub const OWNER: &str = "owner";

/// The column of the product that they are for.
pub const PRODUCT: &str = "product";

/// The column that initiatives are kept in order by, which the estimates of all have something to say to.
pub const RANK: &str = "rank";

/// The column of what is known of them where models rank them.
pub const FACTORS: &str = "factors";

/// The column that they are kept in order by of a framework.
pub const fn rank_column(framework: Framework) -> &'static str {
    match framework {
        Framework::Rice => RANK,
        Framework::Ice => "rank_ice",
        Framework::IceMean => "rank_ice_mean",
        Framework::Wsjf => "rank_wsjf",
        Framework::Cd3 => "rank_cd3",
        Framework::ValueEffort => "rank_value_effort",
        Framework::Opportunity => "rank_opportunity",
        Framework::Moscow => "rank_moscow",
        Framework::Kano => "rank_kano",
    }
}

/// How many characters of a rank are tallied: the list, and of the score the sign, the exponent and eight bits, so that the
/// scores of one tally differ by less than a half per cent.
const TALLIED: usize = 1 + 5;

/// The same of categories, of which many have the same: the whole score, so that none are counted one by one.
const CATEGORY: usize = 1 + 16;

/// The column of a framework that few initiatives may have scores by. Unlisted, as it is no field of an initiative.
const fn ranked(framework: Framework, rank: fn(&Initiative) -> Option<String>, tallied: usize) -> Column<Initiative> {
    Column::text(rank_column(framework), rank).indexed().sparse().tallied(tallied).unlisted()
}

/// Initiatives.
pub struct Initiatives;

impl Table for Initiatives {
    type Resource = Initiative;
    type Message = pb::Initiative;
    const TABLE: &'static str = "initiatives";
    const COLUMNS: Columns<Initiative> = &[
        Column::choice(STATE, pb::InitiativeState::NAMES, |i: &Initiative| Some((&i.state).into()))
            .indexed()
            .always_set(),
        Column::choice("horizon", pb::Horizon::NAMES, |i| Some(i.horizon.into())),
        // With what lanes of owners leave out: rows need not be looked at for that.
        Column::text(OWNER, |i: &Initiative| Some(i.owner.clone())).indexed_with(&["delete_time", "product", "state"]),
        // What lists of a product are usually sorted and narrowed by: rows and their long bodies need not be looked at.
        Column::text(PRODUCT, |i: &Initiative| i.product.as_ref().map(ToString::to_string)).indexed_with(&[
            "delete_time",
            "display_name",
            "rank",
            "state",
        ]),
        Column::text("target_start", |i| i.target.map(|t| t.start().first_day().to_string())),
        Column::time("commit_time", |i| i.state.commitment().map(|c| c.time)),
        Column::time("ship_time", |i| i.state.ship_time()),
        Column::number("score", |i| i.priority.as_ref().and_then(Priority::likely)),
        Column::text(RANK, |i: &Initiative| Some(i.rank().to_string()))
            .indexed()
            .always_set()
            .tallied(TALLIED)
            .traced(),
        // None of what is deleted, so that a page is as long as its stretch of the index.
        Column::text(PLACE, |i: &Initiative| i.meta.delete_time.is_none().then(|| place(i)))
            .indexed_with(&["product"])
            .unlisted(),
        // None of what is in no lane.
        Column::text(START, |i: &Initiative| i.meta.delete_time.is_none().then(|| start(i)).flatten())
            .indexed_with(&["product"])
            .unlisted(),
        ranked(Framework::Ice, |i| rank_text(i, Framework::Ice), TALLIED),
        ranked(Framework::IceMean, |i| rank_text(i, Framework::IceMean), TALLIED),
        ranked(Framework::Wsjf, |i| rank_text(i, Framework::Wsjf), TALLIED),
        ranked(Framework::Cd3, |i| rank_text(i, Framework::Cd3), TALLIED),
        ranked(Framework::ValueEffort, |i| rank_text(i, Framework::ValueEffort), TALLIED),
        ranked(Framework::Opportunity, |i| rank_text(i, Framework::Opportunity), TALLIED),
        ranked(Framework::Moscow, |i| rank_text(i, Framework::Moscow), CATEGORY),
        ranked(Framework::Kano, |i| rank_text(i, Framework::Kano), CATEGORY),
        Column::text(FACTORS, |i: &Initiative| i.known_factors().map(|factors| factors.to_string()))
            .indexed()
            .sparse()
            .unlisted(),
    ];
}

fn rank_text(initiative: &Initiative, framework: Framework) -> Option<String> {
    initiative.rank_by(framework).map(|rank| rank.to_string())
}

/// Where an initiative stands on the roadmap: in the lane of its horizon by the first day of its target, behind all days
/// when it has none, or among what was declined, which is in no order but that of ids.
fn place(initiative: &Initiative) -> String {
    let Some(start) = start(initiative) else { return format!("{DECLINED} {UNDATED}") };
    let lane: &str = initiative.horizon.into();
    format!("{lane} {start}")
}

fn start(initiative: &Initiative) -> Option<String> {
    if matches!(initiative.state, InitiativeState::Declined(_)) {
        return None;
    }
    Some(initiative.target.map_or_else(|| UNDATED.to_owned(), |target| target.start().first_day().to_string()))
}

/// The open initiatives on all ways of dependencies, or on those that lead to `end`, which is among them.
pub async fn on_the_way(
    store: &Store,
    workspace: &WorkspaceId,
    end: Option<&Name<Initiative>>,
) -> Result<Vec<Initiative>, Error> {
    let mut next = match end {
        Some(end) => BTreeSet::from([end.id().to_string()]),
        None => store.chained::<Initiatives>(workspace, "dependencies").await?,
    };
    let mut open: BTreeMap<String, Initiative> = BTreeMap::new();
    while !next.is_empty() {
        let found = store.named::<Initiatives>(workspace, next.iter().map(String::as_str)).await?;
        next.clear();
        for (id, message) in found {
            let initiative = resource::<Initiatives>(message)?;
            // What is done leads no further.
            if initiative.is_open() {
                next.extend(initiative.dependencies.iter().map(|name| name.id().to_string()));
                open.insert(id, initiative);
            }
        }
        next.retain(|id| !open.contains_key(id));
        if end.is_none() {
            // All ways were asked for at once.
            break;
        }
    }
    Ok(open.into_values().collect())
}
