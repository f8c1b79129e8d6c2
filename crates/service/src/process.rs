//! A service as a process of its own.

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use waymark_runtime::{DatabaseArgs, EventArgs, Host, ProcessArgs, Running, ServerArgs};

use crate::declaration::Service;
use crate::transport::Transport;

/// Options of every service, then those of this one.
#[derive(Debug, clap::Parser)]
struct Args<Options: clap::Args> {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    events: EventArgs,
    #[command(flatten)]
    options: Options,
}

/// Runs a service to its end. This is all that its `main` does.
pub fn run<Parts, Options: clap::Args>(service: &'static Service<Parts, Options>) -> ExitCode {
    let mut command = command(service);
    let matches = command.get_matches_mut();
    let args = Args::<Options>::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit());
    let process = args.process.clone();
    waymark_runtime::run(service.program, &process, |host| start(host, service, args))
}

fn command<Parts, Options: clap::Args>(service: &Service<Parts, Options>) -> clap::Command {
    Args::<Options>::command().name(service.program).version(env!("CARGO_PKG_VERSION")).about(service.about)
}

async fn start<Parts, Options: clap::Args>(
    host: Host,
    service: &'static Service<Parts, Options>,
    args: Args<Options>,
) -> anyhow::Result<Vec<Running>> {
    service.check(&host, &args.server)?;
    let transport = Transport::configured(&host, &args.events).await?;
    let open = service.open(&host, &args.database, &args.options).await?;
    open.start(&host, &args.events, transport);
    Ok(vec![open.serve(&host, &args.server).await?])
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use clap::Parser as _;
    use waymark_store::Schema;

    use super::*;

    static SCHEMA: Schema = Schema::new(&[], &[]);
    static SERVICE: Service = Service {
        name: "sample",
        program: "waymark-sample",
        about: "Waymark's sample service: nothing at all",
        address: SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
        schema: &SCHEMA,
        consumes: &[],
        handle: |_, _, _| Box::pin(async { Ok(()) }),
        audience: None,
        workspace: None,
        parts: |_, _, ()| Ok(()),
        rpcs: |server, _, ()| server,
        background: |_, _, ()| {},
    };

    #[test]
    fn a_program_starts_without_any_option() {
        command(&SERVICE).debug_assert();
        assert!(Args::<()>::try_parse_from(["waymark-sample"]).is_ok());
    }

    #[test]
    fn its_help_is_about_the_service() {
        let help = command(&SERVICE).render_long_help().to_string();
        assert!(
            help.starts_with("Waymark's sample service: nothing at all\n\nUsage: waymark-sample [OPTIONS]"),
            "{help}"
        );
        for group in ["Process:", "Telemetry:", "Server:", "Limits:", "Data:", "Events:"] {
            assert!(help.contains(group), "{group} is missing: {help}");
        }
    }
}
