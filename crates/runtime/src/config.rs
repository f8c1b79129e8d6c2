//! Command-line options shared by the services, each also an environment variable, to be flattened into a service's
//! own.
//!
//! Values only; nothing here opens or connects anything. Every option has a default with which the process runs on a
//! laptop.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Our own lines at info; of libraries only what somebody should look into.
const QUIET: &str = "info,async_nats=error,buoyant_kernel=warn,object_store=warn,opentelemetry_sdk=warn,sqlx=warn";

use clap::builder::{BoolishValueParser, NonEmptyStringValueParser, RangedU64ValueParser};
use waymark_domain::WorkspaceId;

/// Options of a process, whichever services run in it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Process")]
pub struct ProcessArgs {
    /// Address of the admin port: /metrics, /livez, /readyz and /version in plain HTTP. Keep it off the public network
    #[arg(long, env = "WAYMARK_ADMIN_LISTEN", value_name = "IP:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 7400)))]
    pub admin_listen: SocketAddr,
    /// How long requests in flight may take to finish after SIGTERM before they are cut, such as 20s
    #[arg(long, env = "WAYMARK_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "20s", value_parser = duration)]
    pub drain_timeout: Duration,
    /// How long to go on serving, reported as not ready, after SIGTERM: the time load balancers need to notice
    #[arg(long, env = "WAYMARK_DRAIN_DELAY", value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub drain_delay: Duration,
    /// Logs, traces and metrics.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

impl Default for ProcessArgs {
    fn default() -> Self {
        Self {
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7400)),
            drain_timeout: Duration::from_secs(20),
            drain_delay: Duration::ZERO,
            telemetry: TelemetryArgs::default(),
        }
    }
}

/// Logs, traces and metrics.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Telemetry")]
pub struct TelemetryArgs {
    /// Form of the log lines on standard error
    #[arg(long, env = "WAYMARK_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Which log lines are kept: a level, or directives such as `info,waymark_store=debug`. It takes the place of the
    /// whole default
    #[arg(long, env = "WAYMARK_LOG", value_name = "FILTER", default_value = QUIET, value_parser = log_filter)]
    pub log: String,
    /// OpenTelemetry collector (OTLP over gRPC without TLS) that traces and metrics are sent to, such as
    /// http://localhost:4317. Off when not given; /metrics works either way
    #[arg(long, env = "WAYMARK_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Share of traces that are kept, 0 to 1, when the caller has not decided already
    #[arg(long, env = "WAYMARK_TRACE_RATIO", value_name = "SHARE", default_value_t = 1.0)]
    pub trace_ratio: f64,
}

impl Default for TelemetryArgs {
    fn default() -> Self {
        Self { log_format: LogFormat::Text, log: QUIET.to_owned(), otlp_endpoint: None, trace_ratio: 1.0 }
    }
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Options of a gRPC server.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Address the gRPC API listens on; port 0 takes a free one. The default is the service's own port on loopback
    #[arg(long, env = "WAYMARK_LISTEN", value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
    /// Allow the development authenticator, which believes whatever a caller says of itself, on an address other hosts
    /// can reach
    #[arg(long, env = "WAYMARK_INSECURE", value_parser = BoolishValueParser::new())]
    pub insecure: bool,
    /// Origins from which browsers may call (gRPC-Web with CORS), separated by commas, such as https://app.example.com;
    /// `*` for any. Without it gRPC-Web is off
    #[arg(long = "web-origin", env = "WAYMARK_WEB_ORIGINS", value_name = "ORIGIN", value_delimiter = ',')]
    pub web_origins: Vec<String>,
    /// What one server takes on at once.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// What one server takes on at once; each limit answers RESOURCE_EXHAUSTED or DEADLINE_EXCEEDED.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Calls being worked on at once; more are refused with a delay to retry after. Open streams are not counted once
    /// they have started
    #[arg(long, env = "WAYMARK_MAX_CONCURRENCY", value_name = "CALLS", default_value_t = 512, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub max_concurrency: usize,
    /// Streams (calls) open at once on one connection
    #[arg(long, env = "WAYMARK_MAX_STREAMS", value_name = "STREAMS", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_streams: u32,
    /// Longest time a call is worked on, also when the caller set a later deadline or none, such as 30s. A stream, once
    /// started, is only bound by the caller's own deadline
    #[arg(long, env = "WAYMARK_MAX_DEADLINE", value_name = "DURATION", default_value = "30s", value_parser = positive_duration)]
    pub max_deadline: Duration,
    /// Calls a second one principal may make on average; 0 for no limit
    #[arg(long, env = "WAYMARK_RATE_LIMIT", value_name = "CALLS", default_value_t = 0)]
    pub rate_limit: u32,
    /// Calls one principal may make at once after a pause, when there is a rate limit
    #[arg(long, env = "WAYMARK_RATE_BURST", value_name = "CALLS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate_burst: u32,
}

impl Default for LimitArgs {
    fn default() -> Self {
        Self {
            max_concurrency: 512,
            max_streams: 128,
            max_deadline: Duration::from_secs(30),
            rate_limit: 0,
            rate_burst: 100,
        }
    }
}

/// Where a service keeps its data.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Data")]
pub struct DatabaseArgs {
    /// Database of the service: postgres://user:password@host/name, or sqlite://path?mode=rwc. The default is an SQLite
    /// file named after the service in the data folder. Give a password by the variable: flags show in process lists
    #[arg(long, env = "WAYMARK_DATABASE_URL", value_name = "URL", hide_env_values = true, value_parser = NonEmptyStringValueParser::new())]
    pub database_url: Option<String>,
    /// Connections to PostgreSQL at most, half for writes, half for reads; or readers of an SQLite file
    #[arg(long, env = "WAYMARK_DATABASE_CONNECTIONS", value_name = "CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..))]
    pub database_connections: u32,
    /// Folder for SQLite files and product events; made when it is absent
    #[arg(long, env = "WAYMARK_DATA_DIR", value_name = "FOLDER", default_value = "./.waymark")]
    pub data_dir: PathBuf,
    /// How long history is kept, such as 365d: of what is older, the state of then stays, and who asks for more is told
    /// that it is gone. What has yet to be published or read by another service is kept in any case. Workspaces may
    /// differ: 365d,acme=forever
    #[arg(long, env = "WAYMARK_KEEP_LOG", value_name = "DURATION[,WORKSPACE=DURATION]", default_value = "forever")]
    pub keep_log: KeepLog,
}

impl DatabaseArgs {
    /// The address of the database of `service`.
    pub fn url(&self, service: &str) -> String {
        self.database_url
            .clone()
            .filter(|url| !url.is_empty())
            .unwrap_or_else(|| format!("sqlite://{}?mode=rwc", self.data_dir.join(format!("{service}.db")).display()))
    }
}

impl Default for DatabaseArgs {
    fn default() -> Self {
        Self {
            database_url: None,
            database_connections: 16,
            data_dir: PathBuf::from("./.waymark"),
            keep_log: KeepLog::default(),
        }
    }
}

/// How long a service keeps the history of its workspaces. By default for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeepLog {
    /// That of all workspaces but those that differ; `None` for ever.
    pub all: Option<Duration>,
    /// Workspaces that differ.
    pub of: BTreeMap<WorkspaceId, Option<Duration>>,
}

impl KeepLog {
    /// How long it is kept of one workspace; `None` for ever.
    pub fn of(&self, workspace: &WorkspaceId) -> Option<Duration> {
        *self.of.get(workspace).unwrap_or(&self.all)
    }
}

impl FromStr for KeepLog {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = |text: &str| if text == "forever" { Ok(None) } else { positive_duration(text).map(Some) };
        let mut parts = text.split(',');
        let all = parts.next().unwrap_or_default();
        let mut keep =
            Self { all: time(all).map_err(|wrong| format!("{wrong}; or write forever"))?, ..Self::default() };
        for part in parts {
            let (id, kept) = part
                .split_once('=')
                .ok_or_else(|| format!("{part:?} says of no workspace how long; write it as acme=365d"))?;
            let workspace = WorkspaceId::from_id(id).map_err(|wrong| wrong.to_string())?;
            if keep.of.insert(workspace, time(kept)?).is_some() {
                return Err(format!("the workspace {id} is named twice"));
            }
        }
        Ok(keep)
    }
}

/// How events leave a service.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Events")]
pub struct EventArgs {
    /// NATS server with JetStream, such as nats://localhost:4222 or, over TLS, tls://nats.example.com. Without it
    /// events stay in the database: Watch works, other teams' streams do not
    #[arg(long, env = "WAYMARK_NATS_URL", value_name = "URL", hide_env_values = true, value_parser = NonEmptyStringValueParser::new())]
    pub nats_url: Option<String>,
    /// Credentials file (user JWT and seed, as `nsc` writes it) for that server. A user and password may also stand in
    /// its address
    #[arg(long, env = "WAYMARK_NATS_CREDENTIALS", value_name = "FILE", requires = "nats_url")]
    pub nats_credentials: Option<PathBuf>,
    /// Copies JetStream keeps of each event: 1 on a single server, 3 on a cluster, at most 5
    #[arg(long, env = "WAYMARK_NATS_REPLICAS", value_name = "COPIES", default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..=5))]
    pub nats_replicas: usize,
    /// Encoding of event payloads on NATS
    #[arg(long, env = "WAYMARK_EVENT_FORMAT", value_enum, default_value_t = EventFormat::Protobuf)]
    pub event_format: EventFormat,
}

impl Default for EventArgs {
    fn default() -> Self {
        Self { nats_url: None, nats_credentials: None, nats_replicas: 1, event_format: EventFormat::Protobuf }
    }
}

/// Encoding of event payloads on NATS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum EventFormat {
    /// application/protobuf, the event message.
    Protobuf,
    /// application/json, its ProtoJSON.
    Json,
}

/// Reads a duration such as `250ms`, `30s`, `5m`, `1h` or `90d`.
///
/// # Errors
/// A sentence that says what a duration looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("{text:?} is not a duration; write a whole number and ms, s, m, h or d, such as 30s");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
    let number: u64 = text[..digits].parse().map_err(|_| refused())?;
    let millis = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(refused()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(refused)
}

/// Reads a duration that must not be zero, such as a time limit or an interval.
///
/// # Errors
/// Those of [`duration`], and a sentence that says that zero is none.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    duration(text)
        .and_then(|read| if read.is_zero() { Err("it must be longer than zero".to_owned()) } else { Ok(read) })
}

/// Reads a log filter. A lone word is by the syntax a target, so a mistyped level would silence everything, errors
/// included: it is refused.
fn log_filter(text: &str) -> Result<String, String> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let wrong = |part: &&str| {
        !part.contains(['=', '[', ']', '{', '}']) && !levels.iter().any(|level| level.eq_ignore_ascii_case(part))
    };
    match text.split(',').find(wrong) {
        None => Ok(text.to_owned()),
        Some(part) => {
            Err(format!("{part:?} is no level ({}) and no directive such as waymark_store=debug", levels.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct All {
        #[command(flatten)]
        process: ProcessArgs,
        #[command(flatten)]
        server: ServerArgs,
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        events: EventArgs,
    }

    #[test]
    fn every_option_has_help_and_a_variable() {
        All::command().debug_assert();
        for arg in All::command().get_arguments().filter(|arg| !arg.is_global_set() && arg.get_id() != "help") {
            assert!(arg.get_help().is_some(), "{} has no help", arg.get_id());
            assert!(
                arg.get_env().is_some_and(|env| env.to_string_lossy().starts_with("WAYMARK_")),
                "{} has no variable",
                arg.get_id()
            );
        }
    }

    #[test]
    fn defaults_parsed_are_the_defaults_in_code() {
        let parsed = All::parse_from(["test"]);
        assert_eq!(format!("{:?}", parsed.process), format!("{:?}", ProcessArgs::default()));
        assert_eq!(format!("{:?}", parsed.server), format!("{:?}", ServerArgs::default()));
        assert_eq!(format!("{:?}", parsed.database), format!("{:?}", DatabaseArgs::default()));
        assert_eq!(format!("{:?}", parsed.events), format!("{:?}", EventArgs::default()));
        assert_eq!(parsed.database.url("roadmap"), "sqlite://./.waymark/roadmap.db?mode=rwc");
    }

    #[test]
    fn a_mistyped_level_is_refused_rather_than_silencing_everything() {
        for good in ["info", "WARN", "off", QUIET, "info,waymark_store=debug", "warn,[rpc]=debug,[{actor=ada}]=trace"] {
            assert!(All::try_parse_from(["test", "--log", good]).is_ok(), "{good}");
        }
        for wrong in ["", "verbose", "info,", "inf,waymark_store=debug", "waymark_store"] {
            let refused =
                All::try_parse_from(["test", "--log", wrong]).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refused.contains("is no level (off, error"), "{wrong}: {refused}");
        }
    }

    #[test]
    fn what_would_do_nothing_is_refused() {
        let wrong = [
            ("--max-deadline", "0s"),
            ("--max-concurrency", "0"),
            ("--max-streams", "0"),
            ("--rate-burst", "0"),
            ("--nats-replicas", "0"),
            ("--nats-replicas", "6"),
        ];
        for (flag, value) in wrong {
            assert!(All::try_parse_from(["test", flag, value]).is_err(), "{flag} {value}");
        }
        assert!(
            All::try_parse_from(["test", "--drain-delay", "0s", "--drain-timeout", "0s", "--rate-limit", "0"]).is_ok()
        );
    }

    #[test]
    fn durations() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2h"), Ok(Duration::from_hours(2)));
        assert_eq!(duration("3d"), Ok(Duration::from_hours(72)));
        for wrong in ["", "5", "s", "1.5s", "-1s", "5 s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn history_is_kept_as_long_as_is_said_of_a_workspace() {
        let kept = |text: &str, id: &str| {
            text.parse::<KeepLog>().map(|keep| keep.of(&WorkspaceId::from_id(id).unwrap_or_else(|e| panic!("{e}"))))
        };
        let days = |days: u64| Ok(Some(Duration::from_hours(24 * days)));
        assert_eq!((kept("forever", "acme"), kept("90d", "acme")), (Ok(None), days(90)));
        assert_eq!((kept("90d,acme=365d", "acme"), kept("90d,acme=365d", "shop")), (days(365), days(90)));
        assert_eq!((kept("90d,acme=forever", "acme"), kept("forever,acme=1d", "shop")), (Ok(None), Ok(None)));
        for wrong in ["", "90", "0s", "90d,", "90d,30d", "90d,acme=", "90d,acme=0d", "90d,Acme=1d", "1d,a=1d,a=2d"] {
            assert!(wrong.parse::<KeepLog>().is_err(), "{wrong}");
        }
    }
}
