//! Scenarios and the variants of initiatives that they keep: their tables, and what is particular about their standard
//! methods.

use waymark_domain::roadmap::{Initiative, Scenario, ScenarioEvent, Variant, VariantEvent};
use waymark_domain::{Change, Name};
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Error, Rule, Ruled, Rules, Table, Write};

/// The column of the scenario that a variant is of.
pub const SCENARIO: &str = "scenario";

/// The column of the scenario and the initiative that a variant is of.
pub const PLACE: &str = "place";

/// Scenarios.
pub struct Scenarios;

impl Table for Scenarios {
    type Resource = Scenario;
    type Message = pb::Scenario;
    const TABLE: &'static str = "scenarios";
    const COLUMNS: Columns<Scenario> = &[
        Column::choice("state", pb::ScenarioState::NAMES, |s| Some(s.state.name())),
        Column::time("change_time", |s| s.change_time),
    ];
}

impl Ruled for Scenarios {
    const RULES: Rules<Self> =
        Rules { create: Rule::Reading(|write, new| Box::pin(branch_off(write, new))), ..Rules::PLAIN };
}

/// A new scenario, at a revision that is kept.
async fn branch_off(write: &mut Write, mut new: Scenario) -> Result<Change<Scenario>, Error> {
    if new.revision == 0 {
        new.revision = write.revision() - 1;
    }
    write.must_keep(new.revision).await?;
    Ok(Change::new(new, ScenarioEvent::Created))
}

/// Variants.
pub struct Variants;

impl Table for Variants {
    type Resource = Variant;
    type Message = pb::Variant;
    const TABLE: &'static str = "variants";
    const COLUMNS: Columns<Variant> = &[
        Column::text(SCENARIO, |v: &Variant| Some(v.scenario.to_string())).indexed(),
        Column::text("initiative", |v| Some(v.initiative.meta.name.to_string())),
        Column::text(PLACE, |v: &Variant| Some(place(&v.scenario, &v.initiative.meta.name))).indexed().unlisted(),
    ];
}

/// Where the variant of an initiative is found.
pub fn place(scenario: &Name<Scenario>, initiative: &Name<Initiative>) -> String {
    format!("{}/{}", scenario.id(), initiative.id())
}

impl Ruled for Variants {
    const RULES: Rules<Self> =
        Rules { delete: Rule::Reading(|write, old| Box::pin(take_back(write, old))), ..Rules::PLAIN };
}

/// What becomes of a variant that is deleted, and of the scenario that has one fewer.
async fn take_back(write: &mut Write, old: Variant) -> Result<Change<Variant>, Error> {
    let scenario = write.load::<Scenarios>(&old.scenario, "").await?;
    scenario.must_be_open("DeleteVariant").map_err(Error::rule)?;
    let now = write.now();
    write.put::<Scenarios>(scenario.taken_back(now))?;
    Ok(Change::new(old, VariantEvent::Deleted))
}
