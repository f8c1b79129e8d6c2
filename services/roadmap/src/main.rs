//! The roadmap service as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    waymark_service::run(&waymark_roadmap::SERVICE)
}
