//! The service's RPCs. A handler opens the request, makes one call and answers; rules are the domain's, transactions the store's.

mod opportunity;
mod research;
mod trace;
mod tree;

use std::convert::Infallible;
use std::fmt::Display;
use std::str::FromStr;

use waymark_domain::{Change, Resource, Violations};
use waymark_store::{Error, Store};

/// What the handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The service's database.
    pub store: Store,
}

/// A change that no rule refuses.
#[expect(clippy::unnecessary_wraps, reason = "the store asks for the result of a decision, and this one is never refused")]
fn change<R: Resource>(resource: R, event: R::Event) -> Result<Change<R>, Infallible> {
    Ok(Change::new(resource, event))
}

/// Parses a name or another text of the request; what is wrong is blamed on `field`.
fn parse<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|error: T::Err| Violations::one(field, error.to_string()).into())
}

/// A part of the request that must be there.
fn required<T>(field: &str, part: Option<T>) -> Result<T, Error> {
    part.ok_or_else(|| Violations::one(field, "must be set").into())
}

/// The rows of a batch, once the parent of each is found to be that of the batch or empty.
fn batch_rows<R, M>(
    parent: &str,
    requests: Vec<R>,
    row: impl Fn(R) -> (String, (String, Option<M>)),
) -> Result<Vec<(String, Option<M>)>, Violations> {
    let mut violations = Violations::new();
    let mut rows = Vec::with_capacity(requests.len());
    for (index, request) in requests.into_iter().enumerate() {
        let (own, row) = row(request);
        if !own.is_empty() && own != parent {
            violations.add(format!("requests[{index}].parent"), format!("must be empty or {parent}, as of the batch"));
        }
        rows.push(row);
    }
    violations.into_result().map(|()| rows)
}
