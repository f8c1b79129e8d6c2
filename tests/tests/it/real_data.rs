//! Data that nobody here made up, imported by the real command line, twice, and counted by a tool that knows nothing of
//! Waymark.
//!
//! `ecom.csv.gz` (clickstream) and `cdnow.txt` (purchases) come with public Python packages; `make tools` brings them
//! when they do not lie beside the checkout. DuckDB does the independent count, from the files as they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::analysis_service_client::AnalysisServiceClient;
use waymark_testkit::Engine;

use crate::services::{Services, Wires};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What an independent tool counts: over all, per event name, per UTC day, and what a property sums to per calendar
/// month.
#[derive(Debug, Deserialize, PartialEq)]
struct Count {
    events: i64,
    users: i64,
    by_event: BTreeMap<String, i64>,
    /// Events and distinct users of each day that has any, by `YYYY-MM-DD`.
    by_day: BTreeMap<String, (f64, f64)>,
    /// In cents, so that sums are exact.
    revenue_by_month: BTreeMap<String, i64>,
}

const ECOM: &str = "
    CREATE TABLE e AS SELECT user_id AS who, event AS what, timestamp AS happened, NULL::DOUBLE AS amount
    FROM read_csv(?, header = true, types = {'timestamp': 'TIMESTAMP', 'user_id': 'VARCHAR'})";

/// Columns are aligned by runs of spaces, which DuckDB does not split: each line is one column, taken apart by an
/// expression.
const CDNOW: &str = "
    CREATE TABLE e AS SELECT part[1] AS who, 'purchase' AS what, strptime(part[2], '%Y%m%d') AS happened, part[4]::DOUBLE AS amount
    FROM (SELECT string_split_regex(trim(line), '\\s+') AS part
          FROM read_csv(?, header = false, skip = 1, delim = '\\x01', quote = '', escape = '', columns = {'line': 'VARCHAR'}))";

const COUNT: &str = r#"
import json, sys, duckdb
load, path = sys.argv[1:]
db = duckdb.connect()
db.execute(load, [path])
one = lambda sql: db.execute(sql).fetchone()[0]
pairs = lambda sql: {row[0]: row[1] if len(row) == 2 else row[1:] for row in db.execute(sql).fetchall()}
print(json.dumps({
    "events": one("SELECT count(*) FROM e"),
    "users": one("SELECT count(DISTINCT who) FROM e"),
    "by_event": pairs("SELECT what, count(*) FROM e GROUP BY 1"),
    "by_day": pairs("SELECT strftime(happened, '%Y-%m-%d'), count(*), count(DISTINCT who) FROM e GROUP BY 1"),
    "revenue_by_month": pairs(
        "SELECT strftime(happened, '%Y-%m'), sum(round(amount * 100)::BIGINT)::BIGINT FROM e WHERE amount IS NOT NULL GROUP BY 1"),
}))
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clickstream_is_counted_as_by_another_tool() -> Result<()> {
    let file = data("ecom.csv.gz")?;
    let expected = count_independently(&file, ECOM)?;
    assert_eq!(
        (expected.events, expected.users, expected.by_event.len()),
        (31_106, 600, 19),
        "the file is the known one"
    );
    let arguments = ["--user", "user_id", "--event", "event", "--time", "timestamp", "--session", "session_id"];
    Box::pin(imported_twice(&file, &arguments, &expected, (2024, 2025))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purchases_sum_up_as_by_another_tool() -> Result<()> {
    let file = data("cdnow.txt")?;
    let expected = count_independently(&file, CDNOW)?;
    assert_eq!((expected.events, expected.users), (69_659, 23_570), "the file is the known one");
    let arguments = [
        "--format",
        "csv",
        "--delimiter",
        "whitespace",
        "--user",
        "customer_id",
        "--value",
        "event=purchase",
        "--time",
        "date",
        "--time-format",
        "%Y%m%d",
        "--property",
        "dollar_value",
    ];
    Box::pin(imported_twice(&file, &arguments, &expected, (1997, 1999))).await
}

/// Imports `file` twice into a service of its own and compares what the service answers with `expected`, each time.
async fn imported_twice(file: &Path, arguments: &[&str], expected: &Count, years: (i32, i32)) -> Result<()> {
    let services = Services::start(Engine::Sqlite, Wires::Bus).await?;
    for round in 1..=2 {
        import(&services, file, arguments).await.with_context(|| format!("import {round}"))?;
        let counted = count(&services, years, !expected.revenue_by_month.is_empty()).await?;
        assert_eq!(counted, *expected, "after import {round}");
    }
    services.stop().await;
    Ok(())
}

/// `waymark import events`, as typed.
async fn import(services: &Services, file: &Path, arguments: &[&str]) -> Result<()> {
    let state = tempfile::tempdir()?;
    let (file, address) = (file.display().to_string(), services.addresses()[2].1.to_string());
    let state_file = state.path().join("state").display().to_string();
    let fixed = [
        "waymark",
        "import",
        "events",
        &file,
        "--workspace",
        "shop",
        "--metrics-address",
        &address,
        "--state",
        &state_file,
    ];
    let matches = waymark_cli::commands::command().try_get_matches_from(fixed.iter().chain(arguments))?;
    let exit = waymark_cli::commands::dispatch(&matches).await?;
    ensure!(exit == ExitCode::SUCCESS, "rows were rejected");
    Ok(())
}

/// The same counts, by asking the service.
async fn count(services: &Services, years: (i32, i32), revenue: bool) -> Result<Count> {
    let mut analysis = AnalysisServiceClient::new(services.metrics.clone());
    let names = pb::ListEventNamesRequest { parent: "workspaces/shop".to_owned(), limit: 0 };
    let names = analysis.list_event_names(names).await?.into_inner();
    let mut trend = async |kind: pb::MetricKind, interval: pb::TrendInterval| {
        let year = |year: i32| {
            chrono::NaiveDate::from_ymd_opt(year, 1, 1)
                .map(|day| timestamp(day.and_time(chrono::NaiveTime::MIN).and_utc()))
        };
        let query = pb::QueryTrendRequest {
            parent: "workspaces/shop".to_owned(),
            kind: kind.into(),
            events: names.event_names.iter().map(|name| name.event.clone()).collect(),
            property: if kind == pb::MetricKind::Sum { "dollar_value".to_owned() } else { String::new() },
            settings: Some(pb::TrendSettings {
                start_time: year(years.0),
                end_time: year(years.1),
                interval: interval.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let series = analysis.query_trend(query).await?.into_inner().series;
        Ok::<_, tonic::Status>(series.into_iter().next().unwrap_or_default().points)
    };
    let label = |point: &pb::Point, length: usize| {
        let seconds = point.start_time.map_or(0, |time| time.seconds);
        let text = chrono::DateTime::from_timestamp(seconds, 0)
            .map(|time| time.format("%Y-%m-%d").to_string())
            .unwrap_or_default();
        text[..length].to_owned()
    };
    let events = trend(pb::MetricKind::Count, pb::TrendInterval::Day).await?;
    let users = trend(pb::MetricKind::UniqueUsers, pb::TrendInterval::Day).await?;
    let days = events.iter().zip(&users).filter(|(events, _)| events.value > 0.0);
    let by_day = days.map(|(events, users)| (label(events, 10), (events.value, users.value))).collect();
    let mut revenue_by_month = BTreeMap::new();
    if revenue {
        let months = trend(pb::MetricKind::Sum, pb::TrendInterval::Month).await?;
        let months = months.iter().filter(|month| month.value > 0.0);
        revenue_by_month = months.map(|month| (label(month, 7), (month.value * 100.0).round() as i64)).collect();
    }
    Ok(Count {
        events: names.count,
        users: names.users,
        by_event: names.event_names.into_iter().map(|name| (name.event, name.count)).collect(),
        by_day,
        revenue_by_month,
    })
}

/// Counts by DuckDB; `load` makes the table `e` (who, what, happened, amount) of the file.
fn count_independently(file: &Path, load: &str) -> Result<Count> {
    let python = Path::new(REPOSITORY).join(".tools/bin/python");
    let mut command = Command::new(&python);
    let counted = command.args(["-c", COUNT, load]).arg(file).output();
    let counted =
        counted.with_context(|| format!("{} cannot be run: `make tools` installs it with DuckDB", python.display()))?;
    ensure!(counted.status.success(), "DuckDB did not count: {}", String::from_utf8_lossy(&counted.stderr));
    Ok(serde_json::from_slice(&counted.stdout)?)
}

/// A data file, beside the checkout or where `make tools` puts it.
fn data(file: &str) -> Result<PathBuf> {
    let folders = ["../shared/data", ".tools/cache"].map(|folder| Path::new(REPOSITORY).join(folder).join(file));
    folders
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| format!("{file} is not here: run `make tools`, which fetches it"))
}
