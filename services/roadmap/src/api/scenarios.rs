//! Scenarios: changing, comparing and merging them.

use std::collections::{BTreeMap, BTreeSet};

use tonic::{Request, Response, Status};
use waymark_domain::merge::Side;
use waymark_domain::roadmap::{Initiative, Scenario};
use waymark_domain::{Name, Violations};
use waymark_proto::merge::{Difference, Fields, Outcome};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::scenario_service_server::ScenarioService;
use waymark_request::PageToken;
use waymark_request::page::{self, PageError};
use waymark_rpc::{self as rpc, parse};
use waymark_store::{Error, Part, Range, Read as _, Write, resource};

use super::Api;
use super::changing::{Step, steps};
use crate::store::{Branch, Initiatives, Merging, SCENARIO, Scenarios, Variants, differences, merge, text};

/// Bytes of JSON of a page of variants, about.
const PAGE_BYTES: i64 = 2 << 20;

#[tonic::async_trait]
impl ScenarioService for Api {
    async fn change_scenario(
        &self,
        request: Request<pb::ChangeScenarioRequest>,
    ) -> Result<Response<pb::ChangeScenarioResponse>, Status> {
        let (call, r) = rpc::open(request)?;
        let name: Name<Scenario> = rpc::or_status(parse("name", &r.name))?;
        let steps = rpc::or_status(steps(name.workspace(), r.requests))?;
        let change = async |write: &mut Write| {
            let scenario = write.load::<Scenarios>(&name, &r.etag).await?;
            change(write, scenario, steps).await
        };
        rpc::written(self.store.write(&call, name.workspace(), change).await)
    }

    async fn compare_scenario(
        &self,
        request: Request<pb::CompareScenarioRequest>,
    ) -> Result<Response<pb::CompareScenarioResponse>, Status> {
        rpc::answer(self.beside_roadmap(rpc::asked(request)?).await)
    }

    async fn merge_scenario(
        &self,
        request: Request<pb::MergeScenarioRequest>,
    ) -> Result<Response<pb::MergeScenarioResponse>, Status> {
        let (call, r) = rpc::open(request)?;
        let name: Name<Scenario> = rpc::or_status(parse("name", &r.name))?;
        let how = Merging {
            otherwise: side(r.otherwise()),
            compared: (r.compared_revision > 0).then_some(r.compared_revision),
            resolutions: rpc::or_status(resolutions(r.resolutions))?,
        };
        let merge = async |write: &mut Write| {
            let scenario = write.load::<Scenarios>(&name, &r.etag).await?;
            merge(write, scenario, &how).await
        };
        rpc::written(self.store.write(&call, name.workspace(), merge).await)
    }
}

/// Takes steps in a scenario, one after the other.
async fn change(write: &mut Write, scenario: Scenario, steps: Vec<Step>) -> Result<pb::ChangeScenarioResponse, Error> {
    scenario.must_be_open("ChangeScenario").map_err(Error::rule)?;
    let by = write.actor().to_owned();
    let mut branch = Branch::new(write, scenario);
    // All at once. What is made on the way is nowhere to be read.
    let made: BTreeSet<&str> = steps.iter().filter_map(Step::makes).collect();
    branch.look(steps.iter().flat_map(Step::names).filter(|name| !made.contains(name.id().as_str()))).await?;
    let mut initiatives = Vec::with_capacity(steps.len());
    for (index, step) in steps.into_iter().enumerate() {
        let row = |error| Error::Row { index, error: Box::new(error) };
        initiatives.push((&step.take(&mut branch, &by).await.map_err(row)?).into());
    }
    Ok(pb::ChangeScenarioResponse { scenario: Some(branch.keep()?), initiatives })
}

fn side(side: pb::MergeSide) -> Option<Side> {
    match side {
        pb::MergeSide::Unspecified => None,
        pb::MergeSide::Scenario => Some(Side::Branch),
        pb::MergeSide::Roadmap => Some(Side::Trunk),
    }
}

/// Whose values are taken.
fn resolutions(all: Vec<pb::MergeResolution>) -> Result<BTreeMap<(Name<Initiative>, String), Side>, Violations> {
    let (mut violations, mut sides) = (Violations::new(), BTreeMap::new());
    for (index, resolution) in all.into_iter().enumerate() {
        let at = format!("resolutions[{index}]");
        let side = side(resolution.side());
        let initiative = violations.nested(&at, parse("initiative", &resolution.initiative));
        // One without a side was refused when the request was opened.
        let Some((initiative, side)) = initiative.zip(side) else { continue };
        if sides.insert((initiative, resolution.field), side).is_some() {
            violations.add(at, "is of the same initiative and field as one before");
        }
    }
    violations.into_result().map(|()| sides)
}

impl Api {
    async fn beside_roadmap(&self, request: pb::CompareScenarioRequest) -> Result<pb::CompareScenarioResponse, Error> {
        let pb::CompareScenarioRequest { name, page_size, page_token, conflicts_only } = request;
        let scenario: Name<Scenario> = parse("name", &name)?;
        let (size, only) = (page::size(page_size)?, if conflicts_only { "conflicts" } else { "all" });
        let parts = ["compare", &name, only];
        let after = match PageToken::decode(&page_token, &parts, 1)?.map(|token| token.key) {
            Some(key) => key.into_iter().next().flatten().ok_or(PageError::Damaged)?,
            None => String::new(),
        };
        let mut view = self.store.view(scenario.workspace(), None).await?;
        if view.find::<Scenarios>(&scenario).await?.is_none() {
            return Err(Error::NotFound(name));
        }
        // What follows the name itself.
        let below = format!("{name}!");
        let range =
            Range { column: SCENARIO, after: (&name, &after), below: &below, only: None, size, bytes: PAGE_BYTES };
        let Part { items, next } = view.range::<Variants>(range).await?;
        let variants = items.into_iter().map(resource::<Variants>).collect::<Result<Vec<_>, _>>()?;
        let ids = variants.iter().map(|variant| variant.initiative.meta.name.id().as_str());
        let mut trunks = view.known::<Initiatives>(ids).await?;
        let fields = Fields::<pb::Initiative>::read();
        let mut initiatives = Vec::new();
        for variant in variants {
            let trunk = trunks.remove(variant.initiative.meta.name.id().as_str());
            let trunk = trunk.map(resource::<Initiatives>).transpose()?;
            let found = differences(&fields, &variant, trunk.as_ref()).into_iter();
            let found = found.filter(|one| !conflicts_only || one.outcome == Outcome::Conflict);
            let fields: Vec<_> = found.map(compared).collect();
            if !fields.is_empty() {
                initiatives.push(pb::InitiativeComparison {
                    initiative: variant.initiative.meta.name.to_string(),
                    display_name: variant.initiative.meta.display_name.clone(),
                    variant: variant.meta.name.to_string(),
                    fields,
                });
            }
        }
        let next_page_token = next.map(|(_, id)| PageToken::after(&parts, vec![Some(id)]).encode()).unwrap_or_default();
        Ok(pb::CompareScenarioResponse { initiatives, next_page_token, revision: view.revision() })
    }
}

fn compared(difference: Difference) -> pb::FieldComparison {
    let Difference { field, base, branch, trunk, outcome } = difference;
    let outcome = match outcome {
        Outcome::Taken => pb::MergeOutcome::Taken,
        Outcome::Alike => pb::MergeOutcome::Alike,
        Outcome::Combined(_) => pb::MergeOutcome::Combined,
        Outcome::Conflict => pb::MergeOutcome::Conflict,
    };
    let [base, scenario, roadmap] = [base, branch, trunk].map(|value| text(&value));
    pb::FieldComparison { field, base, scenario, roadmap, outcome: outcome.into() }
}
