//! Options of how events leave a service.

use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, RangedU64ValueParser};

/// How events leave a service.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Events")]
pub struct EventArgs {
    /// NATS server with JetStream, such as nats://localhost:4222 or, over TLS, tls://nats.example.com; of a cluster
    /// several, separated by commas. Without it events stay in the database: Watch works, other teams' streams do not
    #[arg(long, env = "WAYMARK_NATS_URL", value_name = "URL", hide_env_values = true, value_parser = NonEmptyStringValueParser::new())]
    pub nats_url: Option<String>,
    /// Credentials file (user JWT and seed, as `nsc` writes it) for that server. A user and password, or a token, may also stand in
    /// its address. This file and the four below are read for each connection
    #[arg(long, env = "WAYMARK_NATS_CREDENTIALS", value_name = "FILE", requires = "nats_url")]
    pub nats_credentials: Option<PathBuf>,
    /// File of the password of the user that stands in its address, as nats://roadmap@nats.example.com
    #[arg(
        long,
        env = "WAYMARK_NATS_PASSWORD_FILE",
        value_name = "FILE",
        requires = "nats_url",
        conflicts_with = "nats_credentials"
    )]
    pub nats_password_file: Option<PathBuf>,
    /// Authorities, in PEM, that the server's certificate must come from; those this machine trusts when not given.
    /// With it nothing is spoken without TLS
    #[arg(long, env = "WAYMARK_NATS_CA", value_name = "FILE", requires = "nats_url")]
    pub nats_ca: Option<PathBuf>,
    /// Certificate to show to that server, in PEM
    #[arg(long, env = "WAYMARK_NATS_CERTIFICATE", value_name = "FILE", requires = "nats_key")]
    pub nats_certificate: Option<PathBuf>,
    /// Key of that certificate, in PEM, not encrypted
    #[arg(long, env = "WAYMARK_NATS_KEY", value_name = "FILE", requires = "nats_certificate")]
    pub nats_key: Option<PathBuf>,
    /// Copies JetStream keeps of each event: 1 on a single server, 3 on a cluster, at most 5
    #[arg(long, env = "WAYMARK_NATS_REPLICAS", value_name = "COPIES", default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..=5))]
    pub nats_replicas: usize,
    /// Encoding of event payloads on NATS
    #[arg(long, env = "WAYMARK_EVENT_FORMAT", value_enum, default_value_t = EventFormat::Protobuf)]
    pub event_format: EventFormat,
}

impl Default for EventArgs {
    fn default() -> Self {
        Self {
            nats_url: None,
            nats_credentials: None,
            nats_password_file: None,
            nats_ca: None,
            nats_certificate: None,
            nats_key: None,
            nats_replicas: 1,
            event_format: EventFormat::Protobuf,
        }
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
