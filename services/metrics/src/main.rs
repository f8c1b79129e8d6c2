//! The metrics service as a process.

use std::process::ExitCode;

use clap::Parser as _;
use waymark_metrics::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    let process = args.process.clone();
    waymark_runtime::run("waymark-metrics", &process, |host| waymark_metrics::run(host, args))
}
