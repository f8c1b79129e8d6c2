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

/// A row of a batch: its id, empty when one is to be made, and what to create.
pub type Row<M> = (String, Option<M>);

/// The rows of a batch, once the parent of each is found to be that of the batch or empty. `row` takes a request apart
/// into its parent and the row.
pub fn batch_rows<R, M>(
    parent: &str,
    requests: Vec<R>,
    row: impl Fn(R) -> (String, Row<M>),
) -> Result<Vec<Row<M>>, Violations> {
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
