//! The table of initiatives.

use waymark_domain::WorkspaceId;
use waymark_domain::roadmap::Initiative;
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Error, Rule, Rules, Store, Table, resource};

/// Initiatives.
pub struct Initiatives;

impl Table for Initiatives {
    type Resource = Initiative;
    type Message = pb::Initiative;
    const TABLE: &'static str = "initiatives";
    const COLUMNS: Columns<Initiative> = &[
        Column::choice("state", pb::InitiativeState::NAMES, |i: &Initiative| Some((&i.state).into())).indexed(),
        Column::choice("horizon", pb::Horizon::NAMES, |i| Some(i.horizon.into())),
        Column::text("owner", |i| Some(i.owner.clone())),
        Column::text("product", |i| i.product.as_ref().map(ToString::to_string)),
        Column::text("target_start", |i| i.target.map(|t| t.start().first_day().to_string())),
        Column::time("commit_time", |i| i.state.commitment().map(|c| c.time)),
        Column::time("ship_time", |i| i.state.ship_time()),
    ];
    const RULES: Rules<Self> = Rules {
        create: Rule::Alone(|new| Ok(new.propose())),
        update: Rule::Alone(|(old, new)| new.revise(&old).map_err(Error::rule)),
        ..Rules::PLAIN
    };
}

/// The initiatives that are still to be decided on or built.
pub async fn open_initiatives(store: &Store, workspace: &WorkspaceId) -> Result<Vec<Initiative>, Error> {
    let all: Result<Vec<Initiative>, Error> =
        store.all::<Initiatives>(workspace).await?.into_iter().map(resource::<Initiatives>).collect();
    Ok(all?.into_iter().filter(Initiative::is_open).collect())
}
