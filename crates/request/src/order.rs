//! Orders of lists (AIP-132): `create_time desc, display_name`.

use waymark_domain::{Failure, FailureKind, Reason, Violation};

/// One field to order by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The field as written.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

/// Why an order is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("order_by: {0}")]
pub struct OrderError(pub String);

impl Failure for OrderError {
    fn kind(&self) -> FailureKind {
        FailureKind::Invalid
    }
    fn reason(&self) -> Reason {
        Reason::InvalidOrder
    }
    fn violations(&self) -> Vec<Violation> {
        vec![Violation { field: "order_by".into(), description: self.0.clone() }]
    }
}

const MAX_FIELDS: usize = 4;

/// Parses an order; the empty text orders by nothing, which leaves the order of ids.
pub fn parse(text: &str) -> Result<Vec<Order>, OrderError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let orders = text.split(',').map(|part| {
        let mut words = part.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some(field), None | Some("asc"), None) => Ok(Order { field: field.to_owned(), descending: false }),
            (Some(field), Some("desc"), None) => Ok(Order { field: field.to_owned(), descending: true }),
            _ => Err(OrderError(format!("{part:?} is not a field, maybe followed by asc or desc"))),
        }
    });
    let orders: Vec<Order> = orders.take(MAX_FIELDS + 1).collect::<Result<_, _>>()?;
    if orders.len() > MAX_FIELDS {
        return Err(OrderError(format!("more than {MAX_FIELDS} fields")));
    }
    Ok(orders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_directions() {
        let orders = parse("create_time desc, display_name").unwrap();
        assert_eq!(
            orders.iter().map(|o| (o.field.as_str(), o.descending)).collect::<Vec<_>>(),
            [("create_time", true), ("display_name", false)]
        );
        assert_eq!(parse(" ").unwrap(), []);
        assert!(parse("a b c").is_err());
        assert!(parse("a,,b").is_err());
        assert!(parse("a,b,c,d,e").is_err());
    }
}
