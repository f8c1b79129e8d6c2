//! The roadmap as a whole: in lanes at any position, what changed between two positions, and its critical path. Reads
//! only.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use waymark_domain::roadmap::{Dependencies, Initiative};
use waymark_domain::{Name, WorkspaceId};
use waymark_proto::convert::timestamp;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::{ResourceMessage, Sight, descriptors};
use waymark_request::PageToken;
use waymark_request::page::{self, PageError};
use waymark_rpc::{parse, required};
use waymark_store::{Error, Position, Reason, View};

use super::Api;
use super::pages::{Asked, must_be_of_no_snapshot};
use crate::store::{Initiatives, Metrics, on_the_way};

/// Changes of a page of a difference, at most, and where nothing is said.
const CHANGES: usize = page::MAX_SIZE;

/// Initiatives beside a critical path that are told.
const SLACK: usize = 1_000;

impl Api {
    pub(super) async fn roadmap(
        &self,
        request: pb::GetRoadmapRequest,
        sight: Option<&Sight>,
    ) -> Result<pb::GetRoadmapResponse, Error> {
        let asked = Asked::of(request, sight)?;
        let mut view = self.store.view(&asked.workspace, asked.position.clone()).await?;
        let (shown, next) = asked.read(&mut view).await?;
        let revision = view.revision();
        // What is mirrored has no revisions; nor does a call wait for a connection while it holds one.
        drop(view);
        let initiatives = shown.iter().filter_map(|(_, page)| page.as_ref()).flat_map(|page| &page.items);
        let metrics = self.metrics(&asked.workspace, initiatives).await?;
        Ok(pb::GetRoadmapResponse { revision, metrics, ..asked.answer(shown, next) })
    }

    /// What is known of the metrics that initiatives are expected to move.
    async fn metrics(
        &self,
        workspace: &WorkspaceId,
        initiatives: impl Iterator<Item = &pb::Initiative>,
    ) -> Result<Vec<pb::ExpectedMetric>, Error> {
        let expected: BTreeSet<&str> =
            initiatives.filter_map(|initiative| Some(initiative.expected_outcome.as_ref()?.metric.as_str())).collect();
        // All are metrics of this workspace.
        let ids = expected.iter().map(|metric| metric.rsplit('/').next().unwrap_or_default());
        let mut known = self.store.named::<Metrics>(workspace, ids).await?;
        let told = |metric: &str| {
            let of = known.remove(metric.rsplit('/').next()?)?;
            let metric = metric.to_owned();
            Some(pb::ExpectedMetric { metric, display_name: of.display_name, unit: of.unit, latest: of.latest })
        };
        Ok(expected.into_iter().filter_map(told).collect())
    }

    pub(super) async fn diff(
        &self,
        request: pb::DiffRoadmapRequest,
        sight: Option<&Sight>,
    ) -> Result<pb::DiffRoadmapResponse, Error> {
        let pb::DiffRoadmapRequest { parent, from, to, page_size, page_token } = request;
        let workspace: WorkspaceId = parse("parent", &parent)?;
        let from = required("from", from)?;
        let size = if page_size == 0 { CHANGES } else { page::size(page_size)? };
        let asked = [format!("{from:?}"), format!("{to:?}")];
        let parts = ["diff", &parent, &asked[0], &asked[1]];
        let after = PageToken::decode(&page_token, &parts, 3)?.as_ref().map(place_in_log).transpose()?;
        let (from, mut to) = (Position::asked("from", from)?, to.map(|to| Position::asked("to", to)).transpose()?);
        if sight.is_some() {
            for (field, position) in [("from", Some(&from)), ("to", to.as_ref())] {
                must_be_of_no_snapshot(field, position)?;
            }
        }
        if let Some((revision, _)) = after {
            to = Some(Position::Revision(revision));
        }
        let from_revision = self.store.revision_at(&workspace, from).await?;
        let view = self.store.view(&workspace, to).await?;
        let mut changes =
            view.changes::<Initiatives>(from_revision, after.map(|(_, place)| place), size as u64).await?;
        if let Some(sight) = sight {
            // Before they are compared: what is hidden does not differ.
            changes.items = seen(&view, sight, changes.items).await?;
        }
        let to_revision = view.revision();
        let mut response = pb::DiffRoadmapResponse { from_revision, to_revision, ..Default::default() };
        for change in changes.items {
            match change {
                // An initiative that took the name of another one is another one.
                (Some(before), Some(after)) if before.uid == after.uid => {
                    let fields = differences(&before, &after);
                    if !fields.is_empty() {
                        let pb::Initiative { name, display_name, .. } = after;
                        response.changed.push(pb::InitiativeDiff { initiative: name, display_name, fields });
                    }
                }
                (before, after) => {
                    response.removed.extend(before);
                    response.added.extend(after);
                }
            }
        }
        response.added.sort_by(|a, b| a.name.cmp(&b.name));
        response.removed.sort_by(|a, b| a.name.cmp(&b.name));
        response.changed.sort_by(|a, b| a.initiative.cmp(&b.initiative));
        if sight.is_none() {
            response.reasons = reasons(&view, &response).await?;
        }
        if let Some((revision, ordinal)) = changes.next {
            let key = [to_revision, revision, ordinal.into()].map(|number| Some(number.to_string()));
            response.next_page_token = PageToken::after(&parts, key.into()).encode();
        }
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
        let open = on_the_way(&self.store, &workspace, end.as_ref()).await?;
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
        let on_it: BTreeSet<_> = path.steps.iter().collect();
        let slack = graph.slack(end.as_ref(), path.effort, effort);
        let mut beside: Vec<_> = slack.into_iter().filter(|(name, _)| !on_it.contains(name)).collect();
        // By name they are already.
        beside.sort_by(|a, b| a.1.total_cmp(&b.1));
        let slack = beside.into_iter().take(SLACK).map(|(name, slack_person_months)| {
            let pb::PathStep { initiative, display_name, effort_person_months } = step(name);
            pb::PathSlack { initiative, display_name, effort_person_months, slack_person_months }
        });
        let slack = slack.collect();
        Ok(pb::GetCriticalPathResponse {
            steps: path.steps.iter().map(step).collect(),
            effort_person_months: path.effort,
            missing_effort: path.missing.iter().map(ToString::to_string).collect(),
            effort_is_lower_bound: !path.missing.is_empty(),
            slack,
        })
    }
}

/// An initiative at two positions.
type Pair = (Option<pb::Initiative>, Option<pb::Initiative>);

/// What an audience sees of changes to what it is shown now.
async fn seen(view: &View, sight: &Sight, changes: Vec<Pair>) -> Result<Vec<Pair>, Error> {
    let names = changes.iter().filter_map(|(before, after)| Some(after.as_ref().or(before.as_ref())?.name.clone()));
    let shown = view.shown(sight, names.collect()).await?;
    let of = |state: Option<pb::Initiative>| sight.of(&state.filter(|state| shown.contains(&state.name))?);
    Ok(changes.into_iter().map(|(before, after)| (of(before), of(after))).collect())
}

/// The revision that is compared to, and the event behind which a page begins.
fn place_in_log(token: &PageToken) -> Result<(i64, (i64, i32)), Error> {
    let numbers: Option<Vec<i64>> = token.key.iter().map(|number| number.as_deref()?.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[to, revision, ordinal]) => Ok((to, (revision, i32::try_from(ordinal).map_err(|_| PageError::Damaged)?))),
        _ => Err(PageError::Damaged.into()),
    }
}

/// What happened to the initiatives of a page of a difference.
async fn reasons(view: &View, page: &pb::DiffRoadmapResponse) -> Result<Vec<pb::DiffReasons>, Error> {
    let whole = page.added.iter().chain(&page.removed).map(|initiative| &initiative.name);
    let names: BTreeSet<&String> = whole.chain(page.changed.iter().map(|changed| &changed.initiative)).collect();
    let id = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let ids: Vec<String> = names.iter().map(|name| id(name)).collect();
    let (between, most) = ((page.from_revision, page.to_revision), pb::DiffReasons::EVENTS_MOST);
    let mut told = view.reasons::<Initiatives>(&ids, between, most).await?;
    let of = |name: &String| {
        let (events, more_events) = told.remove(&id(name)).unwrap_or_default();
        let workspace = name.split("/initiatives/").next().unwrap_or_default();
        let events = events.into_iter().map(|reason| event(workspace, reason)).collect();
        pb::DiffReasons { initiative: name.clone(), events, more_events }
    };
    Ok(names.into_iter().map(of).collect())
}

fn event(workspace: &str, reason: Reason) -> pb::DiffEvent {
    let Reason { revision, event_id, event_type, time, actor, causation_id, changed_fields } = reason;
    pb::DiffEvent {
        event: format!("{workspace}/events/{event_id}"),
        r#type: event_type,
        actor,
        time: Some(timestamp(time)),
        revision,
        changed_fields,
        causation_id: causation_id.unwrap_or_default(),
    }
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
