//! The roadmap service as a process.

use std::process::ExitCode;

use clap::Parser as _;
use waymark_roadmap::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    let process = args.process.clone();
    waymark_runtime::run("waymark-roadmap", &process, |host| waymark_roadmap::run(host, args))
}
