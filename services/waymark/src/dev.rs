//! `waymark dev`: the three services in one process, with SQLite files and local Delta tables, for a laptop or a small
//! team.
//!
//! The services are those that run alone in production, wired the same way; only what carries events between them may
//! differ.

mod broker;

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use clap::builder::BoolishValueParser;
use waymark_discovery::SERVICE as DISCOVERY;
use waymark_metrics::{MetricsArgs, SERVICE as METRICS};
use waymark_roadmap::SERVICE as ROADMAP;
use waymark_runtime::config::{
    DatabaseArgs, EventArgs, KeepAudit, KeepLog, LimitArgs, ProcessArgs, ServerArgs, TlsArgs,
};
use waymark_runtime::{Host, Running};
use waymark_service::{Transport, connect, without_passwords};

use broker::Broker;

/// Options of `waymark dev`.
#[derive(Debug, Clone, Args)]
pub struct Dev {
    /// Address of the discovery service
    #[arg(long, env = "WAYMARK_DISCOVERY_LISTEN", value_name = "IP:PORT", default_value_t = local(7401))]
    discovery_listen: SocketAddr,
    /// Address of the roadmap service
    #[arg(long, env = "WAYMARK_ROADMAP_LISTEN", value_name = "IP:PORT", default_value_t = local(7402))]
    roadmap_listen: SocketAddr,
    /// Address of the metrics service
    #[arg(long, env = "WAYMARK_METRICS_LISTEN", value_name = "IP:PORT", default_value_t = local(7403))]
    metrics_listen: SocketAddr,
    /// Folder for SQLite files, product events and the broker's store; made when it is absent, found again by the next
    /// start
    #[arg(long, env = "WAYMARK_DATA_DIR", value_name = "FOLDER", default_value = "./.waymark")]
    data_dir: std::path::PathBuf,
    /// How long history is kept, such as 365d: of what is older, the state of then stays. Workspaces may differ:
    /// 365d,acme=forever
    #[arg(long, env = "WAYMARK_KEEP_LOG", value_name = "DURATION[,WORKSPACE=DURATION]", default_value = "forever")]
    keep_log: KeepLog,
    /// How long entries of the audit are kept, such as 90d, or forever
    #[arg(long, env = "WAYMARK_KEEP_AUDIT", value_name = "DURATION", default_value = "365d")]
    keep_audit: KeepAudit,
    /// Origins from which browsers may call (gRPC-Web with CORS), separated by commas; `*` for any. Without it gRPC-Web
    /// is off
    #[arg(long = "web-origin", env = "WAYMARK_WEB_ORIGINS", value_name = "ORIGIN", value_delimiter = ',')]
    web_origins: Vec<String>,
    /// Carry events within the process, even when a nats-server is found on the PATH
    #[arg(long, env = "WAYMARK_BUS", value_parser = BoolishValueParser::new(), conflicts_with = "nats_url")]
    bus: bool,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    events: EventArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    process: ProcessArgs,
}

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Runs until Ctrl-C or SIGTERM, then drains.
pub fn run(args: Dev) -> ExitCode {
    let _lock = match lock(&args.data_dir) {
        Ok(lock) => lock,
        Err(error) => return crate::failure::report(&error),
    };
    let broker = match broker(&args) {
        Ok(broker) => broker,
        Err(error) => return crate::failure::report(&error),
    };
    let mut process = args.process.clone();
    if !process.telemetry.log.contains("audit") {
        // On a terminal lines of JSON hide the rest; `waymark audit` lists the same.
        process.telemetry.log.push_str(",audit=off");
    }
    let url = broker.as_ref().map(|broker| broker.url().to_owned());
    let code = waymark_runtime::run("waymark-dev", &process, |host| start(host, args, url));
    // Only now: a broker that went first would be waited for by those that still talk to it.
    drop(broker);
    code
}

/// Keeps a second process out of the folder: two would end each other's broker and write each other's files.
fn lock(folder: &Path) -> Result<File> {
    std::fs::create_dir_all(folder).with_context(|| format!("the data folder {} cannot be made", folder.display()))?;
    let file = File::create(folder.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            anyhow::bail!(
                "waymark dev is already running on {}; end it first or choose another --data-dir",
                folder.display()
            )
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{} cannot be locked", folder.display())),
    }
}

fn broker(args: &Dev) -> Result<Option<Broker>> {
    match &args.events.nats_url {
        Some(url) => Ok(Some(Broker::Configured(url.clone()))),
        None if args.bus => Ok(None),
        None => Broker::find(&args.data_dir.join("nats")),
    }
}

async fn start(host: Host, args: Dev, broker: Option<String>) -> Result<Vec<Running>> {
    let server = |listen| ServerArgs {
        listen: Some(listen),
        web_origins: args.web_origins.clone(),
        tls: args.tls.clone(),
        limits: args.limits.clone(),
    };
    // What is wrong with the options is said before a schema is migrated; the lake's location with metrics, which
    // therefore goes first.
    DISCOVERY.check(&host, &server(args.discovery_listen))?;
    ROADMAP.check(&host, &server(args.roadmap_listen))?;
    METRICS.check(&host, &server(args.metrics_listen))?;
    let nats = match &broker {
        Some(url) => Some(connect(url, &args.events, host.name).await?),
        None => None,
    };
    let (data_dir, keep_log, keep_audit) = (args.data_dir.clone(), args.keep_log.clone(), args.keep_audit);
    let database = DatabaseArgs { data_dir, keep_log, keep_audit, ..DatabaseArgs::default() };
    let metrics = METRICS.open(&host, &database, &args.metrics).await?;
    let discovery = DISCOVERY.open(&host, &database, &()).await?;
    let roadmap = ROADMAP.open(&host, &database, &()).await?;

    let transport = match nats {
        Some(client) => Transport::Nats(client),
        None => Transport::Bus(vec![discovery.peer(), roadmap.peer(), metrics.peer()]),
    };
    discovery.start(&host, &args.events, transport.clone());
    roadmap.start(&host, &args.events, transport.clone());
    metrics.start(&host, &args.events, transport);

    let servers = vec![
        discovery.serve(&host, &server(args.discovery_listen)).await?,
        roadmap.serve(&host, &server(args.roadmap_listen)).await?,
        metrics.serve(&host, &server(args.metrics_listen)).await?,
    ];
    // Nobody may be reading; the services run all the same.
    let _ = writeln!(std::io::stdout(), "{}", welcome(&args, &servers, broker.as_deref()));
    Ok(servers)
}

/// What a person needs to know to begin.
fn welcome(args: &Dev, servers: &[Running], broker: Option<&str>) -> String {
    let address = |index: usize| servers.get(index).map(|server| server.address().to_string()).unwrap_or_default();
    let addresses = [address(0), address(1), address(2)];
    let data = std::path::absolute(&args.data_dir).unwrap_or_else(|_| args.data_dir.clone());
    let program = std::env::args().next().unwrap_or_else(|| "waymark".to_owned());
    let flags = ["discovery", "roadmap", "metrics"].iter().zip([7401, 7402, 7403]).zip(&addresses);
    let encrypted = args.tls.tls_certificate.is_some();
    let scheme = if encrypted { "https://" } else { "" };
    let flags: String = flags
        .filter(|((_, port), address)| encrypted || **address != local(*port).to_string())
        .map(|((name, _), address)| format!(" --{name}-address {scheme}{address}"))
        .fold(String::new(), |all, flag| all + &flag);
    // Where it is asked who calls, a workspace is not there by being named.
    let known = args.process.authentication.is_some();
    let create = format!("  {program} workspaces create acme --display-name Acme{flags}\n");
    let create = if known { create } else { String::new() };
    format!(
        "
Waymark is running. Ctrl-C ends it in an orderly way; the next start finds the data again.

  discovery  {}
  roadmap    {}
  metrics    {}
  admin      http://{}/metrics, /readyz
  data       {}
  events     {}

A first command, from another terminal:

{create}  {program} products create app --display-name 'My product' --lifecycle exploring -w acme{flags}

The whole loop as a story: {program} demo{flags}
",
        addresses[0],
        addresses[1],
        addresses[2],
        args.process.admin_listen,
        data.display(),
        broker.map_or_else(
            || "within this process (no nats-server is configured or on the PATH)".to_owned(),
            without_passwords
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        dev: Dev,
    }

    #[test]
    fn options_are_sound_and_explained() {
        Line::command().debug_assert();
        for arg in Line::command().get_arguments().filter(|arg| arg.get_id() != "help") {
            assert!(arg.get_help().is_some(), "{} has no help", arg.get_id());
            assert!(arg.get_env().is_some(), "{} has no variable", arg.get_id());
        }
        let dev = Line::parse_from(["t"]).dev;
        assert_eq!(dev.discovery_listen, DISCOVERY.address);
        assert_eq!(dev.roadmap_listen, ROADMAP.address);
        assert_eq!(dev.metrics_listen, METRICS.address);
    }
}
