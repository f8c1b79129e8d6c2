//! Authentication from outside: tokens of all kinds, issuers that misbehave, files that change.

mod certificates;
mod files;
mod hostile;
mod issuers;
mod joserfc;
mod keys;
mod server;
mod signer;
mod tokens;
mod world;
