//! What a page, a difference, a merge and a trial of an order may take in a workspace of the whole size, each beside what it
//! is made of with nothing around it: plain statements for as many rows, or a bare loop. And what is listed to the end.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;
use tonic::Status;
use waymark_proto::common::v1::{AsOf, Range, as_of};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::prioritization_service_client::PrioritizationServiceClient;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::scenario_service_client::ScenarioServiceClient;

use crate::load::Load;
use crate::processor;
use crate::report::{Report, resident};
use crate::service::{Roadmap, create};

const PARENT: &str = "workspaces/whole";
/// How often what takes some milliseconds is done, and what takes longer.
const OFTEN: usize = 50;
const SELDOM: usize = 5;
/// Initiatives that a scenario changes, and rows of a batch.
const CHANGES: usize = 500;
/// Initiatives of a trial, and its draws.
const TRIED: usize = 1_000;
const DRAWS: usize = 10_000;

/// What is done by turns, so that what else happens on the machine happens to both: how often, and what it took.
pub struct Turns<'a> {
    roadmap: &'a Roadmap,
    times: [Vec<Duration>; 2],
    processor: [Duration; 2],
}

impl<'a> Turns<'a> {
    fn of(roadmap: &'a Roadmap) -> Self {
        Self { roadmap, times: [Vec::new(), Vec::new()], processor: [Duration::ZERO; 2] }
    }

    /// Takes one turn, of the call (0) or of what is bare (1).
    async fn take<T, E>(&mut self, which: usize, work: impl Future<Output = Result<T, E>>) -> Result<Result<T, E>> {
        let server = self.roadmap.server();
        let (before, start) = (processor::spent(server)?, Instant::now());
        let done = work.await;
        self.times[which].push(start.elapsed());
        self.processor[which] += processor::since(before, server)?;
        Ok(done)
    }

    fn report(self, what: &'static str, most: Duration, report: &mut Report) -> Result<()> {
        let [call, bare] = self.times;
        let load = |times: Vec<Duration>, processor: Duration| {
            let (count, whole) = (times.len() as u32, times.iter().sum());
            Load::of(times, whole).map(|load| Load { processor: Some(processor / count.max(1)), ..load })
        };
        report.by_turns(what, [load(call, self.processor[0])?, load(bare, self.processor[1])?], most);
        Ok(())
    }
}

/// Times a call and what it is made of.
pub async fn beside(
    roadmap: &Roadmap,
    what: &'static str,
    (most, often): (Duration, usize),
    call: impl AsyncFn() -> Result<(), Status>,
    bare: impl AsyncFn() -> Result<(), sqlx::Error>,
    report: &mut Report,
) -> Result<()> {
    let mut turns = Turns::of(roadmap);
    for _ in 0..often {
        if let Err(status) = turns.take(0, call()).await? {
            report.refused(what, format!("{}: {}", status.code(), status.message()));
            return Ok(());
        }
        turns.take(1, bare()).await??;
    }
    turns.report(what, most, report)
}

/// Times all of them; `filled` is the revision after the last of so many initiatives was created.
pub async fn run(roadmap: &Roadmap, size: usize, filled: i64, report: &mut Report) -> Result<()> {
    pages(roadmap, filled, report).await?;
    ranks(roadmap, report).await?;
    ranks_then(roadmap, filled, report).await?;
    changes(roadmap, filled, report).await?;
    merges(roadmap, size, report).await?;
    trial(roadmap, report).await?;
    listed(roadmap, size, report).await
}

fn client(roadmap: &Roadmap) -> RoadmapServiceClient<tonic::transport::Channel> {
    RoadmapServiceClient::new(roadmap.channel(1)).max_decoding_message_size(usize::MAX)
}

fn at(revision: i64) -> AsOf {
    AsOf { position: Some(as_of::Position::Revision(revision)) }
}

/// A page of the roadmap by each grouping, and as it stood.
async fn pages(roadmap: &Roadmap, filled: i64, report: &mut Report) -> Result<()> {
    use pb::RoadmapGrouping as By;
    let year = pb::TargetInterval { start: "2026-01".to_owned(), end: "2026-12".to_owned() };
    let page = |by: By| pb::GetRoadmapRequest { parent: PARENT.to_owned(), group_by: by.into(), ..Default::default() };
    let then = || pb::GetRoadmapRequest { as_of: Some(at(filled / 2)), ..page(By::Horizon) };
    for (what, most, request) in [
        ("a page of GetRoadmap by horizon", 50, page(By::Horizon)),
        ("a page of GetRoadmap by time", 50, pb::GetRoadmapRequest { interval: Some(year), ..page(By::Time) }),
        ("a page of GetRoadmap by product", 50, page(By::Product)),
        ("a page of GetRoadmap by objective", 50, page(By::Objective)),
        ("a page of GetRoadmap by owner", 50, page(By::Owner)),
        ("a page of GetRoadmap by label", 50, pb::GetRoadmapRequest { label: "team".to_owned(), ..page(By::Label) }),
        ("a page of GetRoadmap as it stood", 100, then()),
    ] {
        let shown = client(roadmap).get_roadmap(request.clone()).await?.into_inner();
        let count: usize = shown.lanes.iter().map(|lane| lane.initiatives.len()).sum();
        let bare = async || {
            let state = if request.as_of.is_none() {
                "CAST(body AS text)".to_owned()
            } else {
                format!(
                    "(SELECT CAST(data AS text) FROM log WHERE workspace = 'whole' AND collection = 'initiatives'
                     AND resource_id = initiatives.id AND revision <= {filled} ORDER BY revision DESC LIMIT 1)"
                )
            };
            let from = format!("FROM initiatives WHERE workspace = 'whole' ORDER BY id LIMIT {count}");
            roadmap.bare.rows(format!("SELECT id, {state} {from}")).await.map(drop)
        };
        let call = async || client(roadmap).get_roadmap(request.clone()).await.map(drop);
        beside(roadmap, what, (Duration::from_millis(most), OFTEN), call, bare, report).await?;
    }
    Ok(())
}

/// First pages of orders: one that is kept, and one that is a model's.
async fn ranks(roadmap: &Roadmap, report: &mut Report) -> Result<()> {
    let ranks = || PrioritizationServiceClient::new(roadmap.channel(2)).max_decoding_message_size(usize::MAX);
    let page = "SELECT id, CAST(body AS text) FROM initiatives WHERE workspace = 'whole' AND delete_time IS NULL
                ORDER BY rank, id LIMIT 51";
    let known = "SELECT id, factors FROM initiatives WHERE workspace = 'whole' AND factors > '' ORDER BY factors, id";
    for (what, most, often, model, bare) in [
        ("the first page of RankInitiatives", 100, OFTEN, "", page),
        ("the first page of RankInitiatives by a model", 500, SELDOM * 2, "plain", known),
        ("the first page of RankInitiatives by a model, min-max", 500, SELDOM * 2, "compared", known),
    ] {
        let name = |id| format!("{PARENT}/scoringModels/{id}");
        let model = if model.is_empty() { String::new() } else { name(model) };
        let request = pb::RankInitiativesRequest { parent: PARENT.to_owned(), model, ..Default::default() };
        let call = async || ranks().rank_initiatives(request.clone()).await.map(drop);
        let bare = async || roadmap.bare.rows(bare.to_owned()).await.map(drop);
        beside(roadmap, what, (Duration::from_millis(most), often), call, bare, report).await?;
    }
    Ok(())
}

/// First pages of the order of then: in the middle of what happened, when as many as a batch had a score, and when none had.
async fn ranks_then(roadmap: &Roadmap, filled: i64, report: &mut Report) -> Result<()> {
    let last = roadmap.bare.count("SELECT revision FROM workspaces WHERE id = 'whole'").await?;
    for (what, revision) in [
        ("as-of page by score", last / 3),
        ("as-of page by score, when few had one", filled + 1),
        ("as-of page by score, when none had one", filled),
    ] {
        let request =
            pb::RankInitiativesRequest { parent: PARENT.to_owned(), as_of: Some(at(revision)), ..Default::default() };
        let ranks = || PrioritizationServiceClient::new(roadmap.channel(2)).max_decoding_message_size(usize::MAX);
        let call = async || {
            let page = ranks().rank_initiatives(request.clone()).await?.into_inner();
            let shown = page.ranked.len() + page.unranked.len();
            if shown == 50 { Ok(()) } else { Err(Status::internal(format!("{shown} are shown"))) }
        };
        let bare = async || {
            let events =
                format!("log WHERE workspace = 'whole' AND collection = 'initiatives' AND revision <= {revision}");
            let last = "SELECT past.revision, past.ordinal FROM log AS past WHERE past.workspace = log.workspace AND
                        past.collection = log.collection AND past.resource_id = log.resource_id AND";
            let statement = format!(
                "SELECT resource_id, CAST(data AS text) FROM {events} AND traced < '3' AND (revision, ordinal) =
                 ({last} past.revision <= {revision} ORDER BY past.revision DESC, past.ordinal DESC LIMIT 1)
                 ORDER BY traced, resource_id LIMIT 51"
            );
            roadmap.bare.rows(statement).await.map(drop)
        };
        beside(roadmap, what, (Duration::from_millis(300), OFTEN), call, bare, report).await?;
    }
    Ok(())
}

/// A difference of a thousand changes.
async fn changes(roadmap: &Roadmap, filled: i64, report: &mut Report) -> Result<()> {
    let request = pb::DiffRoadmapRequest {
        parent: PARENT.to_owned(),
        from: Some(at(filled - 2)),
        to: Some(at(filled)),
        ..Default::default()
    };
    let call = async || client(roadmap).diff_roadmap(request.clone()).await.map(drop);
    let bare = async || {
        let between = format!("revision > {} AND revision <= {filled}", filled - 2);
        let statement = format!("SELECT CAST(data AS text) FROM log WHERE workspace = 'whole' AND {between}");
        roadmap.bare.rows(statement).await.map(drop)
    };
    beside(roadmap, "DiffRoadmap of 1,000 changes", (Duration::from_millis(200), OFTEN), call, bare, report).await
}

/// Scenarios that change some hundred initiatives each are merged, beside a batch that changes as many.
async fn merges(roadmap: &Roadmap, size: usize, report: &mut Report) -> Result<()> {
    let scenarios = || ScenarioServiceClient::new(roadmap.channel(3)).max_decoding_message_size(usize::MAX);
    let updates = |text: &str| -> Vec<pb::UpdateInitiativeRequest> {
        let row = |number: usize| {
            let name = format!("{PARENT}/initiatives/i{}", (number * 7_919 + 13) % size);
            let initiative = pb::Initiative { name, problem: text.to_owned(), ..Default::default() };
            pb::UpdateInitiativeRequest { initiative: Some(initiative), ..Default::default() }
        };
        (0..CHANGES.min(size)).map(row).collect()
    };
    let mut turns = Turns::of(roadmap);
    for number in 0..SELDOM {
        let id = format!("s{number}");
        let request = pb::CreateScenarioRequest {
            parent: PARENT.to_owned(),
            scenario_id: id.clone(),
            scenario: Some(pb::Scenario { display_name: id.clone(), ..Default::default() }),
            ..Default::default()
        };
        scenarios().create_scenario(request).await?;
        let name = format!("{PARENT}/scenarios/{id}");
        let change = |update| pb::InitiativeChangeRequest {
            change: Some(pb::initiative_change_request::Change::Update(update)),
        };
        let requests = updates(&format!("Otherwise, {number}")).into_iter().map(change).collect();
        let request = pb::ChangeScenarioRequest { name: name.clone(), requests, ..Default::default() };
        scenarios().change_scenario(request).await?;
        let mut merging = scenarios();
        let merge = merging.merge_scenario(pb::MergeScenarioRequest { name, ..Default::default() });
        turns.take(0, merge).await??;
        let requests = updates(&format!("Again, {number}"));
        let batch = pb::BatchUpdateInitiativesRequest { parent: PARENT.to_owned(), requests, ..Default::default() };
        let mut initiatives = client(roadmap);
        turns.take(1, initiatives.batch_update_initiatives(batch)).await??;
    }
    turns.report("MergeScenario of 500 changes, bare a batch", Duration::from_secs(1), report)
}

/// A trial of an order whose estimates are ranges.
async fn trial(roadmap: &Roadmap, report: &mut Report) -> Result<()> {
    let parent = "workspaces/tried".to_owned();
    let mut initiatives = client(roadmap);
    let mut ranks = PrioritizationServiceClient::new(roadmap.channel(2)).max_decoding_message_size(usize::MAX);
    for begin in (0..TRIED).step_by(CHANGES) {
        let requests = (begin..begin + CHANGES).map(|number| create("tried", format!("i{number}"))).collect();
        let batch = pb::BatchCreateInitiativesRequest { parent: parent.clone(), requests, ..Default::default() };
        initiatives.batch_create_initiatives(batch).await?;
        let requests = (begin..begin + CHANGES).map(ranged).collect();
        let batch = pb::BatchCreateEstimatesRequest { parent: parent.clone(), requests, ..Default::default() };
        ranks.batch_create_estimates(batch).await?;
    }
    let request = pb::AnalyzeSensitivityRequest { parent, draws: DRAWS as i32, ..Default::default() };
    let call = async || {
        let mut ranks = ranks.clone();
        ranks.analyze_sensitivity(request.clone()).await.map(drop)
    };
    let bare = async || {
        black_box(drawn());
        Ok(())
    };
    let what = "AnalyzeSensitivity, 1,000 initiatives, 10,000 draws";
    beside(roadmap, what, (Duration::from_secs(1), SELDOM), call, bare, report).await
}

/// An estimate of ranges.
fn ranged(number: usize) -> pb::CreateEstimateRequest {
    let guess = |value| {
        let basis = Some(pb::factor_source::Basis::Guess("as others of its kind".to_owned()));
        let source = Some(pb::FactorSource { basis, ..Default::default() });
        Some(pb::Factor { value: Some(value), source, ..Default::default() })
    };
    let range = |likely: usize| {
        let likely = likely as f64;
        guess(pb::factor::Value::Range(Range { low: likely * 0.5, likely, high: likely * 2.0 }))
    };
    let estimate = pb::Estimate {
        display_name: format!("Estimate {number}"),
        initiative: format!("workspaces/tried/initiatives/i{number}"),
        reach: range(100 + number * 7_919 % 10_000),
        impact: range(1),
        confidence: guess(pb::factor::Value::Point(0.5)),
        effort: range(1 + number % 12),
        ..Default::default()
    };
    pb::CreateEstimateRequest { estimate_id: format!("e{number}"), estimate: Some(estimate), ..Default::default() }
}

/// A bare loop of as many draws of three ranges each, by one processor: how often each is the best.
fn drawn() -> Vec<u32> {
    let (mut state, mut best) = (7_u64, vec![0; TRIED]);
    let mut draw = |likely: f64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (state >> 11) as f64 / (1_u64 << 53) as f64;
        // A triangle from half to twice of what is likely.
        let (low, high) = (likely * 0.5, likely * 2.0);
        if share < 1.0 / 3.0 {
            low + (share * (high - low) * (likely - low)).sqrt()
        } else {
            high - ((1.0 - share) * (high - low) * (high - likely)).sqrt()
        }
    };
    for _ in 0..DRAWS {
        let mut first = (f64::MIN, 0);
        for number in 0..TRIED {
            let reach = (100 + number * 7_919 % 10_000) as f64;
            let score = draw(reach) * draw(1.0) * 0.5 / draw((1 + number % 12) as f64);
            if score > first.0 {
                first = (score, number);
            }
        }
        best[first.1] += 1;
    }
    best
}

/// All initiatives are listed, page by page, as an export does: how fast, and what that takes of memory.
async fn listed(roadmap: &Roadmap, size: usize, report: &mut Report) -> Result<()> {
    let (mut count, mut before) = (0, None);
    let mut request = pb::ListInitiativesRequest { parent: PARENT.to_owned(), page_size: 1_000, ..Default::default() };
    let began = Instant::now();
    loop {
        let page = client(roadmap).list_initiatives(request.clone()).await?.into_inner();
        count += page.initiatives.len();
        request.page_token = page.next_page_token;
        // Of the first tenth on, what there is once is there.
        if before.is_none() && count * 10 > size {
            before = Some(resident()?);
        }
        if request.page_token.is_empty() {
            break;
        }
    }
    report.rate("initiatives listed to the end", count as f64 / began.elapsed().as_secs_f64());
    let grown = resident()? - before.unwrap_or_default();
    report.memory("memory that grew between a tenth of them and all", grown.max(0.0), Some(32.0));
    Ok(())
}
