//! The command line of Waymark. Commands for resources and methods come from the contract itself (`generic`); only
//! pictures, imports, events and the development server are written by hand.
//!
//! This crate decides nothing about products: every rule is the services'.

mod audit;
pub mod calendar;
mod client_credentials;
pub mod commands;
pub mod demo;
pub mod dev;
pub mod draw;
pub mod events;
mod exact;
pub mod failure;
pub mod generic;
mod help;
pub mod import;
mod login;
mod place;
pub mod policies;
pub mod settings;
mod signed_in;
mod stdout;
mod suggest;
mod zone;

use std::process::ExitCode;

pub use failure::Usage;
pub(crate) use stdout::show;

/// Runs the program with the arguments of the process.
pub fn run() -> ExitCode {
    let matches = match commands::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => suggest::explained(error, &commands::command(), std::env::args()).exit(),
    };
    // The development server makes its own async runtime, as every service does.
    if let Some(options) = commands::dev(&matches) {
        return dev::run(options);
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&error.into()),
    };
    match runtime.block_on(commands::dispatch(&matches)) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
