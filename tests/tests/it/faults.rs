//! What holds when processes die, connections break and input is bad.

mod agreement;
mod drain;
mod kills;
mod outage;
