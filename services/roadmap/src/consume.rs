//! What other services announce and what the roadmap does about it. Each event takes effect once, in one transaction
//! with the note that it was handled.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use waymark_domain::roadmap::{ActualOutcome, Initiative};
use waymark_domain::{AnyName, Evidence, FullName, Name, Reading, ResourceId, Risk, Violations};
use waymark_events::Topic;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::{Choice as _, common::v1 as common, convert, discovery::v1 as discovery, metrics::v1 as metrics};
use waymark_rpc::parse;
use waymark_store::{Error, Reaction, Received, Store, Write};

use crate::store::{Decisions, Initiatives, KeyResults, reading};

const SOLUTION_VALIDATED: &str = "waymark.discovery.v1.SolutionValidated";
const ASSUMPTION_TEST_CONCLUDED: &str = "waymark.discovery.v1.AssumptionTestConcluded";
const METRIC_UPDATED: &str = "waymark.metrics.v1.MetricUpdated";
const OUTCOME_MEASURED: &str = "waymark.metrics.v1.OutcomeMeasured";
/// A reading of a metric, whatever its alert makes of it.
const READINGS: [&str; 4] = [
    "waymark.metrics.v1.MetricMeasured",
    "waymark.metrics.v1.MetricBreached",
    "waymark.metrics.v1.MetricBreachWithdrawn",
    "waymark.metrics.v1.MetricRecovered",
];

/// What the service listens to.
pub const CONSUMES: &[Topic] = &[
    Topic::new("discovery", &[SOLUTION_VALIDATED, ASSUMPTION_TEST_CONCLUDED]),
    Topic::new("metrics", &[OUTCOME_MEASURED, METRIC_UPDATED, READINGS[0], READINGS[1], READINGS[2], READINGS[3]]),
];

/// Reacts to an event of another service; events that are none of [`CONSUMES`] change nothing.
pub async fn handle(store: &Store, event: &Received, reaction: &Reaction) -> Result<(), Error> {
    match event.event_type.as_str() {
        SOLUTION_VALIDATED => {
            let solution = decode::<discovery::SolutionValidated>(event)?.solution.unwrap_or_default();
            store.react(reaction, async move |write| solution_validated(write, solution).await).await
        }
        ASSUMPTION_TEST_CONCLUDED => {
            let test = decode::<discovery::AssumptionTestConcluded>(event)?.assumption_test.unwrap_or_default();
            store.react(reaction, async move |write| assumption_test_concluded(write, test).await).await
        }
        METRIC_UPDATED => {
            // It may be measured otherwise since, so what it was is void.
            let metric = decode::<metrics::MetricUpdated>(event)?.metric.unwrap_or_default();
            store
                .react(reaction, async move |write| key_results_measured(write, &of_metrics(&metric.name)?).await)
                .await
        }
        OUTCOME_MEASURED => {
            let outcome = decode::<metrics::OutcomeMeasured>(event)?.outcome.unwrap_or_default();
            store.react(reaction, async move |write| outcome_measured(write, outcome).await).await
        }
        reading if READINGS.contains(&reading) => {
            // The four say the same.
            let metric = decode::<metrics::MetricMeasured>(event)?.metric.unwrap_or_default();
            store.react(reaction, async move |write| metric_measured(write, metric).await).await
        }
        _ => Ok(()),
    }
}

/// A solution whose risks are answered becomes a proposed initiative, or adds its evidence to those that rest on it
/// already.
async fn solution_validated(write: &mut Write, solution: discovery::Solution) -> Result<(), Error> {
    let target = of_discovery("solution.name", &solution.name)?;
    let found = validated_risks(&target, &solution)?;
    if add_risk_evidence(write, &target, &found).await? {
        return Ok(());
    }
    let link = |target: &FullName, note: &str| common::Evidence { target: target.to_string(), note: note.to_owned() };
    let mut evidence = vec![link(&target, "the solution to build")];
    if !solution.opportunity.is_empty() {
        evidence.push(link(&of_discovery("solution.opportunity", &solution.opportunity)?, "the opportunity it serves"));
    }
    let risks = Risk::ALL.iter().map(|risk| pb::RiskAssessment {
        risk: common::Risk::of(*risk),
        evidence: found.iter().filter(|(of, _)| of == risk).map(|(_, evidence)| evidence.into()).collect(),
        waiver: None,
    });
    // What discovery describes at length is read there; here it is cut to what an initiative holds.
    let hypothesis = solution.description.chars().take(pb::Initiative::HYPOTHESIS_MOST).collect();
    let message = pb::Initiative {
        display_name: solution.display_name,
        hypothesis,
        evidence,
        risks: risks.collect(),
        ..Default::default()
    };
    let id = free_id(write, &target.name.id).await?;
    let initiative = write.fresh::<Initiatives>(id.as_ref().map_or("", ResourceId::as_str), message)?;
    write.put::<Initiatives>(initiative.propose())?;
    Ok(())
}

/// What answers each risk of a validated solution: its own evidence, or where it was a test that passed, the validation
/// itself.
fn validated_risks(target: &FullName, solution: &discovery::Solution) -> Result<Vec<(Risk, Evidence)>, Error> {
    let mut violations = Violations::new();
    let mut found = Vec::new();
    for entry in &solution.risk_evidence {
        let risk: Risk = entry.risk().stated("solution.risk_evidence.risk")?;
        let links = convert::evidence(&mut violations, "solution.risk_evidence.evidence", entry.evidence.clone());
        found.extend(links.into_iter().map(|link| (risk, link)));
    }
    violations.into_result()?;
    let answered: BTreeSet<Risk> = found.iter().map(|(risk, _)| *risk).collect();
    let validation = || Evidence {
        target: target.clone(),
        note: "the solution was validated: a test of this risk passed".to_owned(),
    };
    found.extend(Risk::ALL.iter().filter(|risk| !answered.contains(risk)).map(|risk| (*risk, validation())));
    Ok(found)
}

/// A passed test answers a risk of the initiatives that rest on its solution.
async fn assumption_test_concluded(write: &mut Write, test: discovery::AssumptionTest) -> Result<(), Error> {
    if test.verdict() != discovery::TestVerdict::Passed {
        return Ok(());
    }
    let risk = test.risk().stated("assumption_test.risk")?;
    let solution = of_discovery("assumption_test.solution", &test.solution)?;
    let target = of_discovery("assumption_test.name", &test.name)?;
    let note = format!("passed: {}", test.display_name);
    add_risk_evidence(write, &solution, &[(risk, Evidence { target, note })]).await?;
    Ok(())
}

/// Adds what was found out to the open initiatives that rest on `solution`. Tells whether any initiative does.
async fn add_risk_evidence(write: &mut Write, solution: &FullName, found: &[(Risk, Evidence)]) -> Result<bool, Error> {
    let mut any = false;
    for initiative in write.referrers::<Initiatives>(solution, &["evidence.target", "risks.evidence.target"]).await? {
        any = true;
        if !initiative.is_open() {
            continue;
        }
        if let Some(change) = initiative.add_risk_evidence(found.iter().cloned()) {
            write.put::<Initiatives>(change)?;
        }
    }
    Ok(any)
}

/// What a metric was last is what its key results are now: by the mirror, which has what was announced before this and maybe
/// after, so that the order in which events come does not matter.
async fn key_results_measured(write: &mut Write, metric: &FullName) -> Result<(), Error> {
    let measured = write.referrers::<KeyResults>(metric, &["metric"]).await?;
    if measured.is_empty() {
        return Ok(());
    }
    let reading = reading(write, Some(metric)).await?;
    for key_result in measured {
        if let Some(change) = key_result.measured(reading) {
            write.put::<KeyResults>(change)?;
        }
    }
    Ok(())
}

/// What was measured comes to stand beside what was expected. An initiative that is gone, or not shipped here, has
/// nothing to learn.
async fn outcome_measured(write: &mut Write, outcome: metrics::Outcome) -> Result<(), Error> {
    let full: FullName = parse("outcome.initiative", &outcome.initiative)?;
    let name: Name<Initiative> = parse("outcome.initiative", &full.name.to_string())?;
    let Some(initiative) = write.find::<Initiatives>(&name).await? else {
        tracing::warn!(initiative = %name, "an outcome was measured for an initiative that does not exist");
        return Ok(());
    };
    let actual = pb::ActualOutcome {
        outcome: format!("//metrics.waymark.dev/{}", outcome.name),
        verdict: outcome.verdict,
        measured: outcome.measured,
        time: outcome.update_time,
    };
    let actual: ActualOutcome = waymark_proto::parse(actual)?;
    match initiative.measure(actual) {
        Ok(change) => write.put::<Initiatives>(change).map(|_| ()),
        Err(refused) => {
            tracing::warn!(%refused, "an outcome was measured for an initiative that is not shipped");
            Ok(())
        }
    }
}

/// A reading is what key results are, and may speak against decisions, which are then to be looked at again.
async fn metric_measured(write: &mut Write, metric: metrics::Metric) -> Result<(), Error> {
    let full = of_metrics(&metric.name)?;
    key_results_measured(write, &full).await?;
    let withdrawn = metric.withdrawn.map(|none| common::Reading {
        start_time: none.start_time,
        end_time: none.end_time,
        value: none.value,
    });
    // What is withdrawn is of an interval before, or of the same.
    let readings = withdrawn.into_iter().chain(metric.latest).map(Reading::try_from);
    let readings: Vec<Reading> = readings.collect::<Result<_, _>>()?;
    for decision in write.referrers::<Decisions>(&full, &["kill_criteria.threshold.metric"]).await? {
        if let Some(change) = decision.measured(&full, &readings) {
            write.put::<Decisions>(change)?;
        }
    }
    Ok(())
}

/// The id of a solution, if no initiative has it yet, live or deleted.
async fn free_id(write: &mut Write, id: &ResourceId) -> Result<Option<ResourceId>, Error> {
    let name = Name::<Initiative>::new(write.workspace().clone(), id.clone());
    Ok(if write.is_free::<Initiatives>(&name).await? { Some(id.clone()) } else { None })
}

/// The full name of a resource of discovery.
fn of_discovery(field: &str, name: &str) -> Result<FullName, Error> {
    let name: AnyName = parse(field, name)?;
    Ok(FullName { service: "discovery".to_owned(), name })
}

/// The full name of a metric.
fn of_metrics(name: &str) -> Result<FullName, Error> {
    let name: AnyName = parse("metric.name", name)?;
    Ok(FullName { service: "metrics".to_owned(), name })
}

fn decode<M: DeserializeOwned>(event: &Received) -> Result<M, Error> {
    serde_json::from_str(&event.data)
        .map_err(|error| Violations::one("data", format!("is not a {}: {error}", event.event_type)).into())
}
