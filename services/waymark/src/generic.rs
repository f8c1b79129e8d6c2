//! Everything the command line derives from the contract: commands, flags, help, requests and output. Nothing in here
//! names a resource.

pub mod call;
pub mod cell;
pub mod comments;
pub mod contract;
pub mod dates;
pub mod document;
pub mod execute;
mod export;
mod file;
pub mod flags;
pub mod json;
pub mod literal;
pub mod names;
pub mod output;
pub mod read;
pub mod tree;
