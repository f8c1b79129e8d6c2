//! The roadmap as a whole: by horizon at any position, what changed between two positions, and its critical path. Reads
//! only.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use waymark_domain::roadmap::{Dependencies, Initiative, Period, Product};
use waymark_domain::{Name, Violations, WorkspaceId};
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::{ResourceMessage, convert, descriptors};
use waymark_rpc::{parse, required};
use waymark_store::{Error, Position};

use super::Api;
use crate::store::{Initiatives, open_initiatives};

impl Api {
    pub(super) async fn roadmap(&self, request: pb::GetRoadmapRequest) -> Result<pb::GetRoadmapResponse, Error> {
        let pb::GetRoadmapRequest { parent, as_of, product } = request;
        let workspace: WorkspaceId = parse("parent", &parent)?;
        if !product.is_empty() {
            parse::<Name<Product>>("product", &product)?;
        }
        let (revision, mut initiatives) = self.at(&workspace, "as_of", as_of).await?;
        initiatives.retain(|i| product.is_empty() || i.product == product);
        let (declined, mut planned): (Vec<_>, Vec<_>) =
            initiatives.into_iter().partition(|i| i.state() == pb::InitiativeState::Declined);
        planned.sort_by_cached_key(|i| {
            let start = i.target.as_ref().and_then(|t| t.start.parse::<Period>().ok()).map(Period::first_day);
            (start.is_none(), start, i.name.clone())
        });
        let lanes = [pb::Horizon::Now, pb::Horizon::Next, pb::Horizon::Later].map(|horizon| pb::RoadmapLane {
            horizon: horizon.into(),
            initiatives: planned.iter().filter(|i| i.horizon() == horizon).cloned().collect(),
        });
        Ok(pb::GetRoadmapResponse { lanes: lanes.into(), declined, revision })
    }

    pub(super) async fn diff(&self, request: pb::DiffRoadmapRequest) -> Result<pb::DiffRoadmapResponse, Error> {
        let workspace: WorkspaceId = parse("parent", &request.parent)?;
        let from = required("from", request.from)?;
        let (from_revision, before) = self.at(&workspace, "from", Some(from)).await?;
        let (to_revision, after) = self.at(&workspace, "to", request.to).await?;
        // By uid: an initiative that took the name of another one is another one.
        let mut before: BTreeMap<String, pb::Initiative> = before.into_iter().map(|i| (i.uid.clone(), i)).collect();
        let mut response = pb::DiffRoadmapResponse { from_revision, to_revision, ..Default::default() };
        for initiative in after {
            match before.remove(&initiative.uid) {
                None => response.added.push(initiative),
                Some(old) => {
                    let fields = differences(&old, &initiative);
                    if !fields.is_empty() {
                        let pb::Initiative { name, display_name, .. } = initiative;
                        response.changed.push(pb::InitiativeDiff { initiative: name, display_name, fields });
                    }
                }
            }
        }
        response.removed = before.into_values().collect();
        response.removed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(response)
    }

    pub(super) async fn critical_path(
        &self,
        request: pb::GetCriticalPathRequest,
    ) -> Result<pb::GetCriticalPathResponse, Error> {
        let workspace: WorkspaceId = parse("parent", &request.parent)?;
        let end: Option<Name<Initiative>> = match request.initiative.as_str() {
            "" => None,
            name => Some(parse("initiative", &self.store.get::<Initiatives>(name).await?.name)?),
        };
        let open = open_initiatives(&self.store, &workspace).await?;
        let efforts: BTreeMap<_, _> =
            open.iter().filter_map(|i| Some((&i.meta.name, i.priority.as_ref()?.effort?))).collect();
        let effort = |name: &Name<Initiative>| efforts.get(name).copied();
        let graph: Dependencies = open.iter().collect();
        let Some(path) = graph.critical_path(end.as_ref(), effort) else {
            return Ok(pb::GetCriticalPathResponse::default());
        };
        let names: BTreeMap<_, _> = open.iter().map(|i| (&i.meta.name, &i.meta.display_name)).collect();
        let step = |name: &Name<Initiative>| pb::PathStep {
            initiative: name.to_string(),
            display_name: names.get(name).map(ToString::to_string).unwrap_or_default(),
            effort_person_months: effort(name),
        };
        Ok(pb::GetCriticalPathResponse {
            steps: path.steps.iter().map(step).collect(),
            effort_person_months: path.effort,
            missing_effort: path.missing.iter().map(ToString::to_string).collect(),
        })
    }

    /// The initiatives at a position, by name, and the revision it stands for; now when there is none.
    async fn at(
        &self,
        workspace: &WorkspaceId,
        field: &str,
        as_of: Option<AsOf>,
    ) -> Result<(i64, Vec<pb::Initiative>), Error> {
        let position = match as_of {
            Some(as_of) => position(field, as_of)?,
            None => Position::Revision(self.store.revision(workspace).await?),
        };
        self.store.as_of::<Initiatives>(workspace, position).await
    }
}

fn position(field: &str, as_of: AsOf) -> Result<Position, Violations> {
    let mut violations = Violations::new();
    let position = match as_of.position {
        None => {
            violations.add(field, "must be a revision or a time");
            None
        }
        Some(as_of::Position::Revision(revision)) if revision < 0 => {
            violations.add(format!("{field}.revision"), format!("must not be negative, got {revision}"));
            None
        }
        Some(as_of::Position::Revision(revision)) => Some(Position::Revision(revision)),
        Some(as_of::Position::Time(time)) => {
            convert::time(&mut violations, &format!("{field}.time"), Some(time)).map(Position::Time)
        }
    };
    position.ok_or(violations)
}

/// The fields that differ, in the order of the contract.
fn differences(before: &pb::Initiative, after: &pb::Initiative) -> Vec<pb::FieldDiff> {
    let (before, after) = (json(before), json(after));
    let print = |value: Option<&Value>| value.map(Value::to_string).unwrap_or_default();
    let fields = descriptors()
        .get_message_by_name(pb::Initiative::FULL_NAME)
        .into_iter()
        .flat_map(|m| m.fields().collect::<Vec<_>>());
    fields
        // These two change with every write and say nothing about the plan.
        .filter(|field| !matches!(field.name(), "etag" | "update_time"))
        .map(|field| (field.name().to_owned(), before.get(field.json_name()), after.get(field.json_name())))
        .filter(|(_, before, after)| before != after)
        .map(|(field, before, after)| pb::FieldDiff { field, before: print(before), after: print(after) })
        .collect()
}

fn json(initiative: &pb::Initiative) -> Map<String, Value> {
    match serde_json::to_value(initiative) {
        Ok(Value::Object(fields)) => fields,
        // A message prints as an object; enum values this build does not know are the only thing that would not print.
        Ok(_) | Err(_) => Map::new(),
    }
}
