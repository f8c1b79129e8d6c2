//! Parts of requests that handlers read themselves, each blamed on its field when it is wrong.

use std::fmt::Display;
use std::str::FromStr;

use waymark_domain::Violations;

/// Parses a name, a workspace or another text of the request.
pub fn parse<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Violations> {
    text.parse().map_err(|error: T::Err| Violations::one(field, error.to_string()))
}

/// A part of the request that must be there.
pub fn required<T>(field: &str, part: Option<T>) -> Result<T, Violations> {
    part.ok_or_else(|| Violations::one(field, "must be set"))
}
