//! `waymark trace`: one initiative from what users said to what was learned, across the three services.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use chrono_tz::Tz;
use clap::Args;
use tonic::Code;
use waymark_client::{Channel, Error};
use waymark_proto::discovery::v1 as discovery;
use waymark_proto::discovery::v1::opportunity_service_client::OpportunityServiceClient;
use waymark_proto::discovery::v1::research_service_client::ResearchServiceClient;
use waymark_proto::metrics::v1 as metrics;
use waymark_proto::metrics::v1::outcome_service_client::OutcomeServiceClient;
use waymark_proto::roadmap::v1 as roadmap;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;

use super::branches::Branch;
use super::words;
use crate::Usage;
use crate::generic::contract::Area;
use crate::generic::names::short;
use crate::settings::Settings;

/// Roots that one filter names; a filter has 4,096 bytes at most.
const ROOTS: usize = 20;

/// Options of `waymark trace`.
#[derive(Debug, Args)]
pub struct Trace {
    /// An initiative; or collection/id of an insight, opportunity or solution, such as insights/lost-carts
    name: String,
}

impl Trace {
    /// The trace of an initiative.
    pub fn of(initiative: &str) -> Self {
        Self { name: initiative.to_owned() }
    }
}

/// Clients of what a trace runs through.
struct Clients {
    research: ResearchServiceClient<Channel>,
    opportunities: OpportunityServiceClient<Channel>,
    roadmap: RoadmapServiceClient<Channel>,
    outcomes: OutcomeServiceClient<Channel>,
}

/// What was found along the way of one initiative.
#[derive(Debug, Default)]
struct Found {
    insights: Vec<(discovery::Insight, Vec<discovery::EvidenceTrace>)>,
    opportunities: Vec<discovery::Opportunity>,
    solutions: Vec<discovery::Solution>,
    initiative: roadmap::Initiative,
    prediction: Option<metrics::Prediction>,
    outcome: Option<metrics::Outcome>,
}

/// Draws the trace of an initiative, or of all that rest on an insight, opportunity or solution.
pub async fn run(options: &Trace, settings: &Settings) -> Result<()> {
    let parent = settings.parent()?;
    let mut clients = Clients {
        research: ResearchServiceClient::new(settings.channel(Area::Discovery)?),
        opportunities: OpportunityServiceClient::new(settings.channel(Area::Discovery)?),
        roadmap: RoadmapServiceClient::new(settings.channel(Area::Roadmap)?),
        outcomes: OutcomeServiceClient::new(settings.channel(Area::Metrics)?),
    };
    let initiatives = clients.initiatives(&parent, &options.name).await?;
    for initiative in initiatives {
        let found = clients.follow(initiative).await?;
        crate::show(format_args!("{}\n", draw(&found, settings.zone())));
    }
    Ok(())
}

/// What may be gone, such as a deleted insight: a trace shows what is left.
fn present<T>(result: Result<tonic::Response<T>, tonic::Status>) -> Result<Option<T>> {
    match result {
        Ok(response) => Ok(Some(response.into_inner())),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(Error::from(status).into()),
    }
}

/// A filter for what rests on one of these.
fn resting_on<'a>(roots: impl IntoIterator<Item = &'a String>) -> String {
    roots.into_iter().map(|root| format!("evidence.target:{root}")).collect::<Vec<_>>().join(" OR ")
}

impl Clients {
    async fn initiatives(&mut self, parent: &str, name: &str) -> Result<Vec<roadmap::Initiative>> {
        let name = name.strip_prefix(&format!("{parent}/")).unwrap_or(words::local(name));
        let (collection, id) = name.rsplit_once('/').unwrap_or(("initiatives", name));
        let collection = short(collection);
        if collection == "initiatives" {
            let request = roadmap::GetInitiativeRequest { name: format!("{parent}/initiatives/{id}") };
            return Ok(vec![self.roadmap.get_initiative(request).await.map_err(Error::from)?.into_inner()]);
        }
        let start = format!("//discovery.waymark.dev/{parent}/{collection}/{id}");
        let mut roots = BTreeSet::from([start.clone()]);
        match collection {
            "insights" => {
                let mut page_token = String::new();
                loop {
                    let request = discovery::ListOpportunitiesRequest {
                        parent: parent.to_owned(),
                        filter: resting_on([&start]),
                        page_token,
                        ..Default::default()
                    };
                    let page = self.opportunities.list_opportunities(request).await.map_err(Error::from)?.into_inner();
                    let names = page.opportunities.into_iter().map(|opportunity| opportunity.name);
                    roots.extend(names.map(|name| format!("//discovery.waymark.dev/{name}")));
                    page_token = page.next_page_token;
                    if page_token.is_empty() {
                        break;
                    }
                }
            }
            "opportunities" | "solutions" => {}
            other => bail!(Usage(format!(
                "{other} are not on the way from insight to learning; name an initiative, insight, opportunity or solution"
            ))),
        }
        let roots: Vec<&String> = roots.iter().collect();
        let mut resting: BTreeMap<String, roadmap::Initiative> = BTreeMap::new();
        for roots in roots.chunks(ROOTS) {
            let mut page_token = String::new();
            loop {
                let request = roadmap::ListInitiativesRequest {
                    parent: parent.to_owned(),
                    filter: resting_on(roots.iter().copied()),
                    page_token,
                    ..Default::default()
                };
                let page = self.roadmap.list_initiatives(request).await.map_err(Error::from)?.into_inner();
                resting.extend(page.initiatives.into_iter().map(|initiative| (initiative.name.clone(), initiative)));
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
        }
        if resting.is_empty() {
            crate::show(format_args!("no initiative rests on {collection}/{id} yet"));
        }
        Ok(resting.into_values().collect())
    }

    async fn follow(&mut self, initiative: roadmap::Initiative) -> Result<Found> {
        let mut found = Found::default();
        let mut opportunities: BTreeSet<String> = BTreeSet::new();
        let mut insights: BTreeSet<String> = BTreeSet::new();
        for evidence in &initiative.evidence {
            match words::parts(&evidence.target) {
                Some(("discovery", "opportunities", _)) => {
                    opportunities.extend([words::local(&evidence.target).to_owned()]);
                }
                Some(("discovery", "insights", _)) => insights.extend([words::local(&evidence.target).to_owned()]),
                Some(("discovery", "solutions", _)) => {
                    let name = words::local(&evidence.target).to_owned();
                    let solution =
                        present(self.opportunities.get_solution(discovery::GetSolutionRequest { name }).await)?;
                    opportunities.extend(solution.iter().map(|solution| solution.opportunity.clone()));
                    found.solutions.extend(solution);
                }
                _ => {}
            }
        }
        for name in opportunities {
            let opportunity =
                present(self.opportunities.get_opportunity(discovery::GetOpportunityRequest { name }).await)?;
            let resting = opportunity.iter().flat_map(|opportunity| &opportunity.evidence);
            let of_insights = resting.filter(|e| matches!(words::parts(&e.target), Some(("discovery", "insights", _))));
            insights.extend(of_insights.map(|evidence| words::local(&evidence.target).to_owned()));
            found.opportunities.extend(opportunity);
        }
        for name in insights {
            let trace = present(self.research.trace_evidence(discovery::TraceEvidenceRequest { name }).await)?;
            found.insights.extend(trace.and_then(|trace| Some((trace.insight?, trace.traces))));
        }
        let id = |collection: &str| initiative.name.replace("/initiatives/", &format!("/{collection}/"));
        let name = id("predictions");
        found.prediction = present(self.outcomes.get_prediction(metrics::GetPredictionRequest { name }).await)?;
        let name = id("outcomes");
        found.outcome = present(self.outcomes.get_outcome(metrics::GetOutcomeRequest { name }).await)?;
        found.initiative = initiative;
        Ok(found)
    }
}

fn draw(found: &Found, zone: Tz) -> String {
    let mut steps: Vec<(&str, Branch)> = Vec::new();
    for (insight, traces) in &found.insights {
        let strength = insight.strength.as_ref().map(|strength| {
            let band = words::value(strength.band().as_str_name(), "STRENGTH_BAND_").to_lowercase();
            format!(" — {band}, {:.2}, {} people", strength.score, strength.participants)
        });
        let text = format!("{}{}", insight.statement, strength.unwrap_or_default());
        steps.push((
            "insight",
            Branch { text, children: traces.iter().filter_map(|trace| said(trace, zone)).collect() },
        ));
    }
    for opportunity in &found.opportunities {
        let kind = words::value(opportunity.kind().as_str_name(), "OPPORTUNITY_KIND_").to_lowercase();
        steps.push(("opportunity", Branch::leaf(format!("{} ({kind})", opportunity.display_name))));
    }
    for solution in &found.solutions {
        let state = words::value(solution.state().as_str_name(), "SOLUTION_STATE_").to_lowercase();
        steps.push(("solution", Branch::leaf(format!("{} ({state})", solution.display_name))));
    }
    steps.push(("initiative", initiative(&found.initiative, zone)));
    if let Some(prediction) = &found.prediction {
        let range = prediction.change.as_ref().map(words::change).unwrap_or_default();
        let (by, on) = (short(&prediction.committed_by), words::day(prediction.commit_time.as_ref(), zone));
        let text =
            format!("{} {range} within {} days, by {by} on {on}", short(&prediction.metric), prediction.window_days);
        steps.push(("prediction", Branch::leaf(text)));
    }
    if let Some(outcome) = &found.outcome {
        let range = outcome.measured.as_ref().map(words::change).unwrap_or_default();
        let means =
            format!("{:.1} a day before, {:.1} after, {} days each", outcome.pre_mean, outcome.post_mean, outcome.days);
        let children = vec![Branch::leaf(means), Branch::leaf(outcome.summary.clone())];
        steps
            .push(("measurement", Branch { text: format!("{} {range}", words::verdict(outcome.verdict())), children }));
    }
    for opportunity in &found.opportunities {
        let own =
            opportunity.learnings.iter().filter(|learning| words::local(&learning.initiative) == found.initiative.name);
        steps.extend(own.map(|learning| {
            let text =
                format!("kept on “{}” since {}", opportunity.display_name, words::day(learning.time.as_ref(), zone));
            ("learning", Branch { text, children: vec![Branch::leaf(learning.summary.clone())] })
        }));
    }
    let blocks: Vec<String> = steps.iter().map(|(title, branch)| block(title, &branch.draw())).collect();
    blocks.join("\n     ↓\n")
}

fn block(title: &str, text: &str) -> String {
    let mut lines = text.lines();
    let first = format!("{title:<12} {}", lines.next().unwrap_or_default());
    std::iter::once(first).chain(lines.map(|line| format!("{:<12} {line}", ""))).collect::<Vec<_>>().join("\n")
}

/// One quote with who said it.
fn said(trace: &discovery::EvidenceTrace, zone: Tz) -> Option<Branch> {
    let who = trace.participant.as_ref().map(|p| p.display_name.clone()).unwrap_or_default();
    let on =
        trace.interview.as_ref().map(|interview| words::day(interview.conduct_time.as_ref(), zone)).unwrap_or_default();
    match (&trace.highlight, &trace.interview) {
        (Some(highlight), _) => Some(Branch::leaf(format!("“{}” — {who}, {on}", highlight.quote))),
        (None, Some(interview)) => Some(Branch::leaf(format!("{} — {who}, {on}", interview.display_name))),
        (None, None) => {
            trace.evidence.as_ref().map(|evidence| Branch::leaf(format!("{} {}", evidence.target, evidence.note)))
        }
    }
}

fn initiative(initiative: &roadmap::Initiative, zone: Tz) -> Branch {
    let state = words::value(initiative.state().as_str_name(), "INITIATIVE_STATE_").to_lowercase().replace('_', " ");
    let steps = [("committed", initiative.commit_time.as_ref()), ("shipped", initiative.ship_time.as_ref())];
    let steps = steps
        .into_iter()
        .filter(|(_, time)| time.is_some())
        .map(|(step, time)| format!("{step} {}", words::day(time, zone)));
    let facts: Vec<String> = std::iter::once(state).chain(steps).collect();
    let risks = initiative.risks.iter().map(|risk| {
        let name = words::value(risk.risk().as_str_name(), "RISK_").to_lowercase();
        match &risk.waiver {
            Some(waiver) => format!("{name} waived by {}", short(&waiver.signed_by)),
            None if risk.evidence.is_empty() => format!("{name} open"),
            None => format!("{name} ✓"),
        }
    });
    let risks = risks.collect::<Vec<_>>().join(", ");
    let children = if risks.is_empty() { Vec::new() } else { vec![Branch::leaf(format!("risks: {risks}"))] };
    Branch { text: format!("{} ({})", initiative.display_name, facts.join(", ")), children }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::common::v1::Verdict;

    #[test]
    fn the_steps_come_in_the_order_of_the_loop() {
        let learning = discovery::Learning {
            initiative: "//r/workspaces/w/initiatives/carts".into(),
            summary: "It rose.".into(),
            ..Default::default()
        };
        let found = Found {
            insights: vec![(
                discovery::Insight { statement: "Carts get lost.".into(), ..Default::default() },
                Vec::new(),
            )],
            opportunities: vec![discovery::Opportunity {
                display_name: "Lost carts".into(),
                kind: 2,
                learnings: vec![learning],
                ..Default::default()
            }],
            solutions: vec![discovery::Solution { display_name: "Saved carts".into(), ..Default::default() }],
            initiative: roadmap::Initiative { name: "workspaces/w/initiatives/carts".into(), ..Default::default() },
            prediction: Some(metrics::Prediction::default()),
            outcome: Some(metrics::Outcome { verdict: Verdict::Met.into(), ..Default::default() }),
        };
        let text = draw(&found, Tz::UTC);
        let titles: Vec<&str> =
            text.lines().filter(|l| !l.starts_with(' ')).filter_map(|l| l.split(' ').next()).collect();
        assert_eq!(
            titles,
            ["insight", "opportunity", "solution", "initiative", "prediction", "measurement", "learning"]
        );
    }
}
