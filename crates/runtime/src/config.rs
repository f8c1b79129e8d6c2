//! Command-line options shared by the services, each also an environment variable, to be flattened into a service's
//! own.
//!
//! Values only; nothing here opens or connects anything. Every option has a default with which the process runs on a
//! laptop.

mod database;
mod events;
mod tls;

pub use database::{DatabaseArgs, KeepAudit, KeepLog};
pub use events::{EventArgs, EventFormat};
pub use tls::{Asked, TlsArgs};

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Our own lines at info; of libraries only what somebody should look into.
const QUIET: &str = "info,async_nats=error,buoyant_kernel=warn,object_store=warn,opentelemetry_sdk=warn,sqlx=warn";

use clap::builder::RangedU64ValueParser;

use crate::proxies::Network;

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
    /// File that says who may call: issuers of tokens, client certificates, and the roles of those who come by them, as
    /// deploy/authentication.example.yaml explains. Read again within seconds when it changes. Without it anybody is
    /// whoever they say, which is for development: the API then listens on loopback only
    #[arg(long, env = "WAYMARK_AUTHENTICATION", value_name = "FILE")]
    pub authentication: Option<PathBuf>,
    /// File that says who has which role in which workspaces, as deploy/bindings.example.yaml explains; policies then
    /// decide, and roles of the authentication file are not asked. Read again within seconds when it changes
    #[arg(long, env = "WAYMARK_BINDINGS", value_name = "FILE", requires = "authentication")]
    pub bindings: Option<PathBuf>,
    /// Folder of policies, in Cedar, in files that end in .cedar, that say what callers may do; those of the roles when not
    /// given. Read again with the bindings
    #[arg(long, env = "WAYMARK_POLICIES", value_name = "DIR", requires = "bindings")]
    pub policies: Option<PathBuf>,
    /// File that says how much principals and workspaces may ask, as deploy/limits.example.yaml explains; without it they may ask
    /// as much as the server can do. Limits hold for each replica: the file names how many there are, and what it says is
    /// divided by that. Read again within seconds when it changes
    #[arg(long, env = "WAYMARK_LIMITS", value_name = "FILE")]
    pub limits: Option<PathBuf>,
    /// Proxies that are believed when they say, by X-Forwarded-For, for whom they call: addresses or networks, separated by
    /// commas, such as 10.0.0.0/8. The audit names the address a call comes from, which is otherwise the other end of its
    /// connection, and sign-ins that fail are counted by it. Limits of connections go by connections in any case
    #[arg(long, env = "WAYMARK_TRUSTED_PROXIES", value_name = "NETWORK", value_delimiter = ',')]
    pub trusted_proxies: Vec<Network>,
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
            authentication: None,
            bindings: None,
            policies: None,
            limits: None,
            trusted_proxies: Vec::new(),
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
    /// whole default. Lines of the audit, which are JSON in any form, are kept unless it says `audit=off`
    #[arg(long, env = "WAYMARK_LOG", value_name = "FILTER", default_value = QUIET, value_parser = log_filter)]
    pub log: String,
    /// OpenTelemetry collector (OTLP over gRPC) that traces and metrics are sent to, such as http://localhost:4317 or,
    /// over TLS, https://otlp.example.com:4317. Off when not given; /metrics works either way
    #[arg(long, env = "WAYMARK_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Authorities, in PEM, that the collector's certificate must come from; those this machine trusts when not given.
    /// Read for each connection
    #[arg(long, env = "WAYMARK_OTLP_CA", value_name = "FILE", requires = "otlp_endpoint")]
    pub otlp_ca: Option<PathBuf>,
    /// File of headers to send to the collector, such as `authorization: Bearer …`, one a line. Read whenever telemetry
    /// is sent
    #[arg(long, env = "WAYMARK_OTLP_HEADERS", value_name = "FILE", requires = "otlp_endpoint")]
    pub otlp_headers: Option<PathBuf>,
    /// Share of traces that are kept, 0 to 1, when the caller has not decided already
    #[arg(long, env = "WAYMARK_TRACE_RATIO", value_name = "SHARE", default_value_t = 1.0)]
    pub trace_ratio: f64,
}

impl Default for TelemetryArgs {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Text,
            log: QUIET.to_owned(),
            otlp_endpoint: None,
            otlp_ca: None,
            otlp_headers: None,
            trace_ratio: 1.0,
        }
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
    /// Origins from which browsers may call (gRPC-Web with CORS), separated by commas, such as https://app.example.com;
    /// `*` for any. Without it gRPC-Web is off
    #[arg(long = "web-origin", env = "WAYMARK_WEB_ORIGINS", value_name = "ORIGIN", value_delimiter = ',')]
    pub web_origins: Vec<String>,
    /// What is shown to clients and asked of them.
    #[command(flatten)]
    pub tls: TlsArgs,
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
    /// Connections open at once; more are closed as soon as they come
    #[arg(long, env = "WAYMARK_MAX_CONNECTIONS", value_name = "CONNECTIONS", default_value_t = 10_000, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub max_connections: usize,
    /// Connections of one peer open at once: of an address of IPv4, or of 64 bits of network of IPv6. A load balancer
    /// that does not hand on its clients' addresses is one peer
    #[arg(long, env = "WAYMARK_MAX_PEER_CONNECTIONS", value_name = "CONNECTIONS", default_value_t = 1_000, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub max_peer_connections: usize,
    /// Connections of one peer that are being opened at once: that have not agreed on keys, or said nothing yet
    #[arg(long, env = "WAYMARK_MAX_PEER_HANDSHAKES", value_name = "CONNECTIONS", default_value_t = 100, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub max_peer_handshakes: usize,
    /// Streams (calls) open at once on one connection
    #[arg(long, env = "WAYMARK_MAX_STREAMS", value_name = "STREAMS", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_streams: u32,
    /// Longest time a call is worked on, also when the caller set a later deadline or none, such as 30s. A stream, once
    /// started, is only bound by the caller's own deadline
    #[arg(long, env = "WAYMARK_MAX_DEADLINE", value_name = "DURATION", default_value = "30s", value_parser = positive_duration)]
    pub max_deadline: Duration,
    /// Longest time a connection over TLS is used, such as 1h. Then its client is asked to connect anew, which checks
    /// certificates again; what is open on it may take a minute to end. Some connections end a little earlier, so that
    /// not all come back at once, and all when the client's certificate expires
    #[arg(long, env = "WAYMARK_MAX_CONNECTION_AGE", value_name = "DURATION", default_value = "1h", value_parser = positive_duration)]
    pub max_connection_age: Duration,
    /// Sign-ins of one peer that may fail in a minute; when there are more, tokens from there that are not known yet are not looked
    /// at for a while. What counts as one peer is told at --max-peer-connections; who calls by a trusted proxy counts by itself
    #[arg(long, env = "WAYMARK_MAX_PEER_FAILED_SIGN_INS", value_name = "SIGN-INS", default_value_t = 6_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_peer_failed_sign_ins: u32,
    /// Longest time until the message of a call has come whole, such as 10s; it takes no place among the calls being worked on
    /// before
    #[arg(long, env = "WAYMARK_MAX_MESSAGE_TIME", value_name = "DURATION", default_value = "10s", value_parser = positive_duration)]
    pub max_message_time: Duration,
}

impl Default for LimitArgs {
    fn default() -> Self {
        Self {
            max_concurrency: 512,
            max_connections: 10_000,
            max_peer_connections: 1_000,
            max_peer_handshakes: 100,
            max_streams: 128,
            max_deadline: Duration::from_secs(30),
            max_connection_age: Duration::from_hours(1),
            max_peer_failed_sign_ins: 6_000,
            max_message_time: Duration::from_secs(10),
        }
    }
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
            ("--max-peer-failed-sign-ins", "0"),
            ("--nats-replicas", "0"),
            ("--nats-replicas", "6"),
        ];
        for (flag, value) in wrong {
            assert!(All::try_parse_from(["test", flag, value]).is_err(), "{flag} {value}");
        }
        assert!(All::try_parse_from(["test", "--drain-delay", "0s", "--drain-timeout", "0s"]).is_ok());
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
}
