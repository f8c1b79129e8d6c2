//! Scenarios, and the initiatives that they changed.

use waymark_domain::roadmap::{Initiative, Scenario, ScenarioState, Variant};
use waymark_domain::{Meta, Violations};

use crate::convert::{meta, set_meta, sibling, time, timestamp, whole};
use crate::roadmap::v1 as pb;

impl TryFrom<pb::Scenario> for Scenario {
    type Error = Violations;
    fn try_from(message: pb::Scenario) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta: Option<Meta<Self>> = meta(v, &message);
        let change_time = time(v, "change_time", message.change_time);
        let merge_time = time(v, "merge_time", message.merge_time);
        let state = match message.state() {
            // A new one states none.
            pb::ScenarioState::Unspecified | pb::ScenarioState::Open => {
                if merge_time.is_some() {
                    v.add("merge_time", "must not be set while OPEN");
                }
                Some(ScenarioState::Open)
            }
            pb::ScenarioState::Merged => {
                if merge_time.is_none() {
                    v.add("merge_time", "must be set while MERGED");
                }
                let (by, revision) = (message.merged_by.clone(), message.merge_revision);
                merge_time.map(|time| ScenarioState::Merged { by, time, revision })
            }
        };
        let initiative_count = v.check("initiative_count", u32::try_from(message.initiative_count));
        let scenario = (|| {
            Some(Self {
                meta: meta?,
                description: message.description,
                revision: message.revision,
                state: state?,
                initiative_count: initiative_count?,
                change_time,
            })
        })();
        whole(violations, scenario)
    }
}

impl From<&Scenario> for pb::Scenario {
    fn from(scenario: &Scenario) -> Self {
        let (state, merged_by, merge_time, merge_revision) = match &scenario.state {
            ScenarioState::Open => (pb::ScenarioState::Open, String::new(), None, 0),
            ScenarioState::Merged { by, time, revision } => {
                (pb::ScenarioState::Merged, by.clone(), Some(timestamp(*time)), *revision)
            }
        };
        let mut message = Self {
            description: scenario.description.clone(),
            revision: scenario.revision,
            state: state.into(),
            // One scenario changes far fewer.
            initiative_count: i32::try_from(scenario.initiative_count).unwrap_or(i32::MAX),
            change_time: scenario.change_time.map(timestamp),
            merged_by,
            merge_time,
            merge_revision,
            ..Self::default()
        };
        set_meta(&mut message, &scenario.meta);
        message
    }
}

impl TryFrom<pb::Variant> for Variant {
    type Error = Violations;
    fn try_from(message: pb::Variant) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta: Option<Meta<Self>> = meta(v, &message);
        let scenario = sibling(v, "scenario", meta.as_ref().map(|meta| meta.name.workspace()), &message.scenario);
        let mut part = |field: &str, part: Option<Box<pb::Initiative>>| -> Option<Box<Initiative>> {
            v.nested(field, crate::parse(*part?)).map(Box::new)
        };
        let base = part("base", message.base);
        let initiative = part("initiative", message.initiative);
        let variant = (|| Some(Self { meta: meta?, scenario: scenario?, base, initiative: initiative? }))();
        whole(violations, variant)
    }
}

impl From<&Variant> for pb::Variant {
    fn from(variant: &Variant) -> Self {
        let part = |initiative: &Initiative| Box::new(initiative.into());
        let mut message = Self {
            scenario: variant.scenario.to_string(),
            base: variant.base.as_deref().map(part),
            initiative: Some(part(&variant.initiative)),
            ..Self::default()
        };
        set_meta(&mut message, &variant.meta);
        message
    }
}
