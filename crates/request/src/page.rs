//! Page tokens: the last row's key, bound to the query that made it. A token is a position, never an authorisation: the
//! query it continues is authorised and filtered as a first page is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use waymark_domain::{Failure, FailureKind, Reason, Violation};

/// Rows on a page when the request says 0.
pub const DEFAULT_SIZE: usize = 50;
/// Rows on a page at most.
pub const MAX_SIZE: usize = 1_000;

/// Why a page cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Not made by this service.
    #[error("page_token: is damaged; start again without one")]
    Damaged,
    /// Made by another query.
    #[error(
        "page_token: belongs to a query with another parent, filter or order; repeat those or start again without a token"
    )]
    OtherQuery,
    /// A negative size.
    #[error("page_size: must not be negative")]
    Size,
}

impl Failure for PageError {
    fn kind(&self) -> FailureKind {
        FailureKind::Invalid
    }
    fn reason(&self) -> Reason {
        match self {
            Self::Damaged | Self::OtherQuery => Reason::InvalidPageToken,
            Self::Size => Reason::InvalidField,
        }
    }
    fn violations(&self) -> Vec<Violation> {
        let text = self.to_string();
        let (field, description) = text.split_once(": ").unwrap_or(("page_token", &text));
        vec![Violation { field: field.to_owned(), description: description.to_owned() }]
    }
}

/// The position after which a page starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageToken {
    query: String,
    /// Values of the order's fields in the last row, and its id last; `None` is SQL's null.
    pub key: Vec<Option<String>>,
}

impl PageToken {
    /// The token after a row with this key, for the query with these parts (parent, filter, order, …).
    pub fn after(query: &[&str], key: Vec<Option<String>>) -> Self {
        Self { query: fingerprint(query), key }
    }

    /// As text for the wire.
    pub fn encode(&self) -> String {
        // A struct of strings always serialises.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads a token of the query with these parts and `columns` ordering columns; `None` for the first page.
    pub fn decode(text: &str, query: &[&str], columns: usize) -> Result<Option<Self>, PageError> {
        if text.is_empty() {
            return Ok(None);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| PageError::Damaged)?;
        let token: Self = serde_json::from_slice(&bytes).map_err(|_| PageError::Damaged)?;
        if token.query != fingerprint(query) {
            return Err(PageError::OtherQuery);
        }
        if token.key.len() != columns || token.key.iter().flatten().any(|v| v.contains('\0')) {
            return Err(PageError::Damaged);
        }
        Ok(Some(token))
    }
}

/// The number of rows for a requested size.
pub fn size(requested: i32) -> Result<usize, PageError> {
    match usize::try_from(requested) {
        Err(_) => Err(PageError::Size),
        Ok(0) => Ok(DEFAULT_SIZE),
        Ok(n) => Ok(n.min(MAX_SIZE)),
    }
}

fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // Length first, so that ("ab", "c") and ("a", "bc") differ.
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..9])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_belongs_to_its_query() {
        let token = PageToken::after(&["w", "a = 1"], vec![Some("x".into()), None]).encode();
        assert!(PageToken::decode(&token, &["w", "a = 1"], 2).unwrap().is_some());
        assert_eq!(PageToken::decode(&token, &["w", "a = 2"], 2), Err(PageError::OtherQuery));
        assert_eq!(PageToken::decode(&token, &["w", "a = 1"], 1), Err(PageError::Damaged));
        assert_eq!(PageToken::decode("", &[], 0), Ok(None));
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_an_error(text in ".{0,100}") {
            prop_assert!(text.is_empty() || PageToken::decode(&text, &[], 1).is_err());
        }
    }
}
