//! Text with limits. Every text a caller sends passes here, so that no later part meets an empty, endless or unstorable
//! one.

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space where something is needed.
    #[error("must not be empty")]
    Empty,
    /// Longer than the limit, both in characters.
    #[error("has {actual} characters, at most {limit} are allowed")]
    TooLong {
        /// Characters present.
        actual: usize,
        /// Characters allowed.
        limit: usize,
    },
    /// U+0000, which PostgreSQL cannot store in text.
    #[error("must not contain the NUL character")]
    Nul,
}

/// A text that may be empty, of at most `limit` characters.
pub fn optional(text: String, limit: usize) -> Result<String, TextError> {
    if text.contains('\0') {
        return Err(TextError::Nul);
    }
    // Bytes bound characters from above, so the count is only taken for texts near the limit.
    if text.len() > limit {
        let actual = text.chars().count();
        if actual > limit {
            return Err(TextError::TooLong { actual, limit });
        }
    }
    Ok(text)
}

/// A text that must say something, of at most `limit` characters.
pub fn required(text: String, limit: usize) -> Result<String, TextError> {
    if text.trim().is_empty() {
        return Err(TextError::Empty);
    }
    optional(text, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_characters_not_bytes() {
        assert_eq!(required("ééé".into(), 3), Ok("ééé".into()));
        assert_eq!(required("éééé".into(), 3), Err(TextError::TooLong { actual: 4, limit: 3 }));
        assert_eq!(required("  ".into(), 3), Err(TextError::Empty));
        assert_eq!(optional("a\0".into(), 3), Err(TextError::Nul));
    }
}
