//! What can be configured, by flags and environment. Values only; nothing here opens or connects anything.

use waymark_runtime::{DatabaseArgs, EventArgs, ProcessArgs, ServerArgs};

/// Options of the roadmap service as a process of its own.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "waymark-roadmap",
    version,
    about = "Waymark's roadmap service: products, initiatives, estimates and the order they make"
)]
pub struct Args {
    /// The process.
    #[command(flatten)]
    pub process: ProcessArgs,
    /// The gRPC server.
    #[command(flatten)]
    pub server: ServerArgs,
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Events in and out.
    #[command(flatten)]
    pub events: EventArgs,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;

    #[test]
    fn it_starts_without_any_option() {
        Args::command().debug_assert();
        assert!(Args::try_parse_from(["waymark-roadmap"]).is_ok());
    }
}
