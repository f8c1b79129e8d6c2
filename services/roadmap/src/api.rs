//! The RPCs of the service. A handler opens the request, makes one call of the store and answers; rules are the domain's.

mod estimates;
mod initiatives;
mod products;
mod ranking;
mod roadmap;

use std::fmt::Display;
use std::str::FromStr;

use waymark_domain::{Violations, WorkspaceId};
use waymark_store::{Error, Store};

/// All gRPC services of this crate over one store.
#[derive(Clone)]
pub struct Api {
    pub(crate) store: Store,
}

/// Parses a name, a workspace or another text of the request; what is wrong is blamed on `field`.
fn parse<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|error: T::Err| Violations::one(field, error.to_string()).into())
}

/// A part of the request that must be there.
fn required<T>(field: &str, part: Option<T>) -> Result<T, Error> {
    part.ok_or_else(|| Violations::one(field, "must be set").into())
}

/// A row of a batch: its id, empty when one is to be made, and what to create.
type Row<M> = (String, Option<M>);

/// The workspace of a batch, and its rows once the parent of each is found to be the same or empty.
fn batch_rows<R, M>(parent: &str, requests: Vec<R>, row: impl Fn(R) -> (String, Row<M>)) -> Result<(WorkspaceId, Vec<Row<M>>), Error> {
    let mut violations = Violations::new();
    let workspace = violations.check("parent", parent.parse());
    let mut rows = Vec::with_capacity(requests.len());
    for (index, request) in requests.into_iter().enumerate() {
        let (own, row) = row(request);
        if !own.is_empty() && own != parent {
            violations.add(format!("requests[{index}].parent"), format!("must be empty or {parent}, as of the batch"));
        }
        rows.push(row);
    }
    match workspace {
        Some(workspace) if violations.is_empty() => Ok((workspace, rows)),
        _ => Err(violations.into()),
    }
}
