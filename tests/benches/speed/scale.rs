//! What a call costs in a large workspace beside one of a tenth of its size, in the same database: a quotient of 1 is a
//! call that does not grow with the workspace.

use std::time::{Duration, Instant};

use anyhow::Result;
use tonic::Status;
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::graph::v1 as graph;
use waymark_proto::graph::v1::graph_service_client::GraphServiceClient;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::prioritization_service_client::PrioritizationServiceClient;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_testkit::Engine;

use crate::bare::Pool;
use crate::load::Load;
use crate::report::{Report, resident};
use crate::service::{Roadmap, create};
use crate::{audiences, goals, lanes, orders, targets, trees};

/// Rows of a batch.
const BATCH: usize = 500;
/// Initiatives have one of so many products.
const PRODUCTS: usize = 20;
/// Products that are created beside.
const PLAIN: usize = 20_000;
/// How often the history is doubled.
const HISTORIES: usize = 2;
/// One of so many initiatives has a label.
const LABELLED: usize = 10;
/// A call is repeated for so long, or so often.
const LONG: Duration = Duration::from_secs(2);
const OFTEN: usize = 100;

/// The workspaces: a tenth, and the whole.
pub const WORKSPACES: [&str; 2] = ["tenth", "whole"];

/// A call that is timed, in a workspace with so many initiatives; `number` counts the calls.
pub trait Call: AsyncFn(&'static str, usize, usize) -> Result<(), Status> {}
impl<F: AsyncFn(&'static str, usize, usize) -> Result<(), Status>> Call for F {}

/// Fills workspaces of `size` and a tenth of it on `engine`, and times calls in both: all, or those parts alone that `runs`
/// says so of.
pub async fn run(engine: Engine, size: usize, runs: impl Fn(&str) -> bool, report: &mut Report) -> Result<()> {
    let roadmap = Roadmap::open(engine).await?;
    report.engine(engine, &roadmap.version().await?);
    let sizes = [size / 10, size];
    let began = Instant::now();
    for (workspace, size) in WORKSPACES.into_iter().zip(sizes) {
        fill(&roadmap, workspace, size).await?;
    }
    report.rate("initiatives created in batches", (sizes[0] + sizes[1]) as f64 / began.elapsed().as_secs_f64());
    let began = Instant::now();
    for (workspace, size) in WORKSPACES.into_iter().zip(sizes) {
        estimate_all(&roadmap, workspace, size).await?;
    }
    report.rate("estimates created in batches", (sizes[0] + sizes[1]) as f64 / began.elapsed().as_secs_f64());
    let began = Instant::now();
    plain(&roadmap, PLAIN).await?;
    let least = if engine == Engine::Sqlite { 20_000.0 } else { 10_000.0 };
    report.rate_of_at_least("products created in batches", PLAIN as f64 / began.elapsed().as_secs_f64(), least);
    for _ in 0..HISTORIES {
        repeat_history(&roadmap.bare).await?;
    }
    if engine == Engine::Postgres {
        // Its autovacuum does that within minutes of so many rows.
        roadmap.bare.execute("VACUUM ANALYZE").await?;
    }
    let rows = roadmap.bare.count("SELECT count(*) FROM log").await?;
    println!("{rows} events, {} links", roadmap.bare.count("SELECT count(*) FROM links").await?);
    if runs("calls") {
        calls(&roadmap, sizes, report).await?;
    }
    if runs("orders") || runs("targets") {
        orders::models(&roadmap).await?;
    }
    if runs("orders") {
        orders::run(&roadmap, sizes, report).await?;
    }
    if runs("calls") {
        statements(&roadmap.bare, size, report).await?;
    }
    if runs("targets") {
        targets::run(&roadmap, size, filled(size), report).await?;
    }
    if runs("audiences") {
        audiences::run(&roadmap, size, report).await?;
    }
    if runs("goals") {
        goals::run(&roadmap, report).await?;
    }
    roadmap.stop().await;
    if runs("trees") {
        trees::run(engine, size / 10, report).await?;
    }
    report.memory("memory of clients and services", resident()?, Some(250.0));
    Ok(())
}

/// Doubles what happened, as updates of years would: not by updates, which would take as long as they do.
async fn repeat_history(bare: &Pool) -> Result<()> {
    bare.execute(
        "INSERT INTO log (workspace, revision, ordinal, event_id, type, collection, resource_id, time, actor, data, traced)
         SELECT workspace, log.revision + workspaces.revision, ordinal, event_id, type, collection, resource_id, last_time,
                actor, data, traced
         FROM log JOIN workspaces ON workspaces.id = log.workspace",
    )
    .await?;
    Ok(bare.execute("UPDATE workspaces SET revision = revision * 2").await?)
}

/// Statements for the same rows as some of the calls read, with nothing around them.
async fn statements(bare: &Pool, size: usize, report: &mut Report) -> Result<()> {
    const LIVE: &str = "FROM initiatives WHERE workspace = 'whole' AND delete_time IS NULL";
    type Statement = Box<dyn Fn(usize) -> String>;
    let statements: [(&'static str, Statement); 4] = [
        (
            "bare statement of GetInitiative",
            Box::new(move |number| {
                let id = number * 7_919 % size;
                format!("SELECT CAST(body AS text) FROM initiatives WHERE workspace = 'whole' AND id = 'i{id}'")
            }),
        ),
        (
            "bare statement of ListInitiatives",
            Box::new(|_| format!("SELECT id, CAST(body AS text) {LIVE} ORDER BY id LIMIT 51")),
        ),
        (
            "bare statement of ListInitiatives, by rank",
            Box::new(|_| format!("SELECT id, CAST(body AS text) {LIVE} ORDER BY rank, id LIMIT 51")),
        ),
        (
            "bare statement of ListLinks, incoming",
            Box::new(|number| {
                let target = format!("products/p{}", number % PRODUCTS);
                format!("SELECT field, referrer FROM links WHERE workspace = 'whole' AND target = '{target}' LIMIT 51")
            }),
        ),
    ];
    for (what, statement) in statements {
        let (mut times, began) = (Vec::new(), Instant::now());
        for number in 0..OFTEN {
            let start = Instant::now();
            bare.rows(statement(number)).await?;
            times.push(start.elapsed());
        }
        report.latency(what, &Load::of(times, began.elapsed()));
    }
    Ok(())
}

/// Products, and initiatives that belong to them and rest on evidence.
async fn fill(roadmap: &Roadmap, workspace: &str, size: usize) -> Result<()> {
    let parent = format!("workspaces/{workspace}");
    let mut strategy = StrategyServiceClient::new(roadmap.channel(0));
    for number in 0..PRODUCTS {
        let product = pb::Product { display_name: format!("Product {number}"), ..Default::default() };
        let product_id = format!("p{number}");
        let request = pb::CreateProductRequest {
            parent: parent.clone(),
            product_id,
            product: Some(product),
            ..Default::default()
        };
        strategy.create_product(request).await?;
    }
    let mut client = roadmap.client(0);
    for begin in (0..size).step_by(BATCH) {
        let row = |number: usize| {
            let mut row = create(workspace, format!("i{number}"));
            if let Some(initiative) = &mut row.initiative {
                initiative.product = format!("{parent}/products/p{}", number % PRODUCTS);
                if number.is_multiple_of(LABELLED) {
                    initiative.labels.insert("team".to_owned(), format!("t{}", number % 200));
                }
                if number == size / 2 {
                    initiative.set_horizon(pb::Horizon::Now);
                }
            }
            row
        };
        let requests = (begin..(begin + BATCH).min(size)).map(row).collect();
        let batch = pb::BatchCreateInitiativesRequest { parent: parent.clone(), requests, ..Default::default() };
        client.batch_create_initiatives(batch).await?;
        let done = begin + BATCH;
        if done.is_multiple_of(20_000) {
            println!("{workspace}: {done} of {size} initiatives");
        }
    }
    Ok(())
}

/// Products, by two callers: of an initiative nine rows are kept, of a product two.
async fn plain(roadmap: &Roadmap, size: usize) -> Result<()> {
    let parent = "workspaces/plain".to_owned();
    let half = async |worker: usize| {
        let mut client = StrategyServiceClient::new(roadmap.channel(worker));
        for begin in (size / 2 * worker..size / 2 * (worker + 1)).step_by(BATCH) {
            let row = |number| pb::CreateProductRequest {
                product_id: format!("p{number}"),
                product: Some(pb::Product {
                    display_name: format!("Product {number}"),
                    vision: "Whoever signs up has something to show after the first day. ".repeat(3),
                    ..Default::default()
                }),
                ..Default::default()
            };
            let requests = (begin..begin + BATCH).map(row).collect();
            let batch = pb::BatchCreateProductsRequest { parent: parent.clone(), requests, ..Default::default() };
            client.batch_create_products(batch).await?;
        }
        Ok::<_, Status>(())
    };
    tokio::try_join!(half(0), half(1))?;
    Ok(())
}

/// An estimate of each initiative.
async fn estimate_all(roadmap: &Roadmap, workspace: &str, size: usize) -> Result<()> {
    let parent = format!("workspaces/{workspace}");
    let mut client = PrioritizationServiceClient::new(roadmap.channel(0));
    for begin in (0..size).step_by(BATCH) {
        let row = |number| pb::CreateEstimateRequest {
            estimate_id: format!("e{number}"),
            estimate: Some(estimate(workspace, number, number)),
            ..Default::default()
        };
        let requests = (begin..(begin + BATCH).min(size)).map(row).collect();
        let batch = pb::BatchCreateEstimatesRequest { parent: parent.clone(), requests, ..Default::default() };
        client.batch_create_estimates(batch).await?;
        let done = begin + BATCH;
        if done.is_multiple_of(20_000) {
            println!("{workspace}: {done} of {size} estimates");
        }
    }
    Ok(())
}

/// An estimate of an initiative, with one of some ten thousand scores.
fn estimate(workspace: &str, of: usize, number: usize) -> pb::Estimate {
    let guess = |value: usize| {
        let basis = Some(pb::factor_source::Basis::Guess("as others of its kind".to_owned()));
        let source = Some(pb::FactorSource { basis, ..Default::default() });
        Some(pb::Factor { value: Some(pb::factor::Value::Point(value as f64)), source, word: String::new() })
    };
    pb::Estimate {
        display_name: format!("Estimate {number}"),
        initiative: format!("workspaces/{workspace}/initiatives/i{of}"),
        reach: guess(number * 7_919 % 10_000),
        impact: guess(1 + number % 3),
        confidence: guess(1),
        effort: guess(1 + number % 12),
        value: guess(number * 104_729 % 1_000),
        ..Default::default()
    }
}

/// The revision when a workspace was filled: each product was one, and each batch.
fn filled(size: usize) -> i64 {
    (PRODUCTS + size / BATCH) as i64
}

async fn calls(roadmap: &Roadmap, sizes: [usize; 2], report: &mut Report) -> Result<()> {
    let client = || RoadmapServiceClient::new(roadmap.channel(1)).max_decoding_message_size(usize::MAX);
    let ranks = || PrioritizationServiceClient::new(roadmap.channel(2)).max_decoding_message_size(usize::MAX);
    let name = |workspace: &str, number: usize| format!("workspaces/{workspace}/initiatives/i{number}");
    // All over the workspace, none twice.
    let any = |size: usize, number: usize| (number * 7_919 + 13) % size;
    let at_most = Some(1.3);

    let get = async |workspace, size, number| {
        let request = pb::GetInitiativeRequest { name: name(workspace, any(size, number)) };
        client().get_initiative(request).await.map(|_| ())
    };
    time("GetInitiative", sizes, at_most, get, report).await?;
    let new = async |workspace, _, number| {
        client().create_initiative(create(workspace, format!("new{number}"))).await.map(|_| ())
    };
    time("CreateInitiative", sizes, at_most, new, report).await?;
    let of_product = async |workspace, _, number| {
        let mut request = create(workspace, format!("of{number}"));
        if let Some(initiative) = &mut request.initiative {
            initiative.product = format!("workspaces/{workspace}/products/p0");
        }
        client().create_initiative(request).await.map(|_| ())
    };
    time("CreateInitiative of a product", sizes, at_most, of_product, report).await?;
    let update = async |workspace, size, number: usize| {
        let problem = format!("Seen again, {number} times.");
        let initiative = pb::Initiative { name: name(workspace, any(size, number)), problem, ..Default::default() };
        let request = pb::UpdateInitiativeRequest { initiative: Some(initiative), ..Default::default() };
        client().update_initiative(request).await.map(|_| ())
    };
    time("UpdateInitiative", sizes, at_most, update, report).await?;
    let depend = async |workspace, size, number| {
        let (from, to) = (any(size, number), (any(size, number) + 1) % size);
        let (name, dependency) = (name(workspace, from), name(workspace, to));
        client().add_dependency(pb::AddDependencyRequest { name, dependency, ..Default::default() }).await.map(|_| ())
    };
    time("AddDependency", sizes, at_most, depend, report).await?;
    let delete = async |workspace, _, number| {
        let name = format!("workspaces/{workspace}/initiatives/new{number}");
        client().delete_initiative(pb::DeleteInitiativeRequest { name, ..Default::default() }).await.map(|_| ())
    };
    time("DeleteInitiative", sizes, at_most, delete, report).await?;
    let refused = async |workspace: &str, _, number| {
        let name = format!("workspaces/{workspace}/products/p{}", number % PRODUCTS);
        let request = pb::DeleteProductRequest { name, ..Default::default() };
        match StrategyServiceClient::new(roadmap.channel(3)).delete_product(request).await {
            Ok(_) => Err(Status::internal("a product that is in use was deleted")),
            Err(status) if status.code() == tonic::Code::FailedPrecondition => Ok(()),
            Err(status) => Err(status),
        }
    };
    time("DeleteProduct, refused", sizes, at_most, refused, report).await?;
    let page = async |workspace: &str, _, _| {
        let request = pb::ListInitiativesRequest { parent: format!("workspaces/{workspace}"), ..Default::default() };
        client().list_initiatives(request).await.map(|_| ())
    };
    time("ListInitiatives", sizes, at_most, page, report).await?;
    let by_name = async |workspace: &str, _, _| {
        let parent = format!("workspaces/{workspace}");
        let (filter, order_by) = (format!("product = '{parent}/products/p0'"), "display_name".to_owned());
        let request = pb::ListInitiativesRequest { parent, filter, order_by, ..Default::default() };
        client().list_initiatives(request).await.map(|_| ())
    };
    time("ListInitiatives of a product, by name", sizes, None, by_name, report).await?;
    for (what, filter) in [
        ("ListInitiatives of a label", "labels.team = t20"),
        ("ListInitiatives of a product", "product = products/p0"),
        ("ListInitiatives of an evidence and a label", "evidence.target:solutions/guided-setup AND labels.team = t20"),
        ("ListInitiatives by a column without an index", "horizon = NOW"),
    ] {
        let page = async |workspace: &str, _, _| {
            let (parent, filter) = (format!("workspaces/{workspace}"), filter.to_owned());
            let request = pb::ListInitiativesRequest { parent, filter, ..Default::default() };
            client().list_initiatives(request).await.map(|_| ())
        };
        time(what, sizes, None, page, report).await?;
    }
    let walk = async |name: String, direction: graph::LinkDirection, field: &str, depth| {
        let (direction, field) = (direction.into(), field.to_owned());
        let request = graph::ListLinksRequest { name, direction, field, depth, ..Default::default() };
        GraphServiceClient::new(roadmap.channel(1)).list_links(request).await.map(|_| ())
    };
    let incoming = async |workspace: &str, _, number| {
        let name = format!("workspaces/{workspace}/products/p{}", number % PRODUCTS);
        walk(name, graph::LinkDirection::Incoming, "", 1).await
    };
    time("ListLinks, incoming", sizes, at_most, incoming, report).await?;
    let outgoing = async |workspace: &str, size, number| {
        walk(name(workspace, any(size, number)), graph::LinkDirection::Outgoing, "", 1).await
    };
    time("ListLinks, outgoing", sizes, at_most, outgoing, report).await?;
    let deep = async |workspace: &str, size, number| {
        walk(name(workspace, any(size, number)), graph::LinkDirection::Outgoing, "dependencies", 10).await
    };
    time("ListLinks, outgoing, ten steps", sizes, at_most, deep, report).await?;
    let by_rank = async |workspace: &str, _, _| {
        let (parent, order_by) = (format!("workspaces/{workspace}"), "rank".to_owned());
        let request = pb::ListInitiativesRequest { parent, order_by, ..Default::default() };
        client().list_initiatives(request).await.map(|_| ())
    };
    time("ListInitiatives, by rank", sizes, at_most, by_rank, report).await?;
    let new_estimate = async |workspace, size, number| {
        let estimate = Some(estimate(workspace, any(size, number), number + 7));
        let request =
            pb::CreateEstimateRequest { parent: format!("workspaces/{workspace}"), estimate, ..Default::default() };
        ranks().create_estimate(request).await.map(|_| ())
    };
    time("CreateEstimate", sizes, at_most, new_estimate, report).await?;
    let rank = async |workspace: &str, _, _| {
        let request = pb::RankInitiativesRequest { parent: format!("workspaces/{workspace}"), ..Default::default() };
        ranks().rank_initiatives(request).await.map(|_| ())
    };
    time("RankInitiatives", sizes, at_most, rank, report).await?;
    let rank_some = async |workspace: &str, _, _| {
        let parent = format!("workspaces/{workspace}");
        let filter = format!("product = '{parent}/products/p0'");
        let request = pb::RankInitiativesRequest { parent, filter, ..Default::default() };
        ranks().rank_initiatives(request).await.map(|_| ())
    };
    time("RankInitiatives of a product", sizes, None, rank_some, report).await?;
    let plan = async |workspace: &str, _, _| {
        let request = pb::GetRoadmapRequest { parent: format!("workspaces/{workspace}"), ..Default::default() };
        client().get_roadmap(request).await.map(|_| ())
    };
    time("GetRoadmap", sizes, at_most, plan, report).await?;
    lanes::run(roadmap, sizes, report).await?;
    let at = |revision| Some(AsOf { position: Some(as_of::Position::Revision(revision)) });
    let then = async |workspace: &str, size, _| {
        let (parent, as_of) = (format!("workspaces/{workspace}"), at((PRODUCTS + size / BATCH / 2) as i64));
        client().get_roadmap(pb::GetRoadmapRequest { parent, as_of, ..Default::default() }).await.map(|_| ())
    };
    time("GetRoadmap, as it stood", sizes, at_most, then, report).await?;
    let changes = async |workspace: &str, size, _| {
        let (from, to) = (at(filled(size) - 2), at(filled(size)));
        let request =
            pb::DiffRoadmapRequest { parent: format!("workspaces/{workspace}"), from, to, ..Default::default() };
        client().diff_roadmap(request).await.map(|_| ())
    };
    time("DiffRoadmap, 1,000 changes", sizes, at_most, changes, report).await?;
    let path = async |workspace: &str, _, _| {
        let request = pb::GetCriticalPathRequest { parent: format!("workspaces/{workspace}"), ..Default::default() };
        client().get_critical_path(request).await.map(|_| ())
    };
    time("GetCriticalPath", sizes, None, path, report).await
}

/// Times a call in both workspaces, by turns, so that what else happens on the machine happens to both.
pub async fn time(
    what: &'static str,
    sizes: [usize; 2],
    most: Option<f64>,
    call: impl Call,
    report: &mut Report,
) -> Result<()> {
    let (mut times, began) = ([Vec::new(), Vec::new()], Instant::now());
    for number in 0..OFTEN {
        for (which, workspace) in WORKSPACES.into_iter().enumerate() {
            let start = Instant::now();
            if let Err(status) = call(workspace, sizes[which], number).await {
                report.refused(what, format!("{} in {workspace}: {}", status.code(), status.message()));
                return Ok(());
            }
            times[which].push(start.elapsed());
        }
        if began.elapsed() > LONG {
            break;
        }
    }
    report.growth(what, times, most);
    Ok(())
}
