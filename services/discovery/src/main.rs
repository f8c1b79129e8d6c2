//! The discovery service as a process.

use std::process::ExitCode;

use clap::Parser as _;
use waymark_discovery::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    let process = args.process.clone();
    waymark_runtime::run("waymark-discovery", &process, |host| waymark_discovery::run(host, args))
}
