//! What holds when processes die, connections break and input is bad.

mod agreement;
mod audit;
mod drain;
mod kills;
mod outage;
