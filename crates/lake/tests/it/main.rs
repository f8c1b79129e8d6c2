//! The lake as its users see it: on real folders, against a brute-force reference, under concurrency and with failing
//! storage.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(clippy::float_cmp, reason = "counts and sums of a few decimals are exact")]

mod durability;
mod engines;
mod imports;
mod laws;
mod paths;
mod prefix;
mod properties;
mod returning;
mod support;
mod trends;
mod upkeep;
