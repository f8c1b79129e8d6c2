//! The `waymark` binary: see the crate `waymark_cli` for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    waymark_cli::run()
}
