//! Text with limits. Every text a caller sends passes here, so that no later part meets an empty, endless or unstorable
//! one.

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space where something is needed.
    #[error("must not be empty")]
    Empty,
    /// Shorter than it must be, both in characters.
    #[error("has {actual} characters, at least {limit} are needed")]
    TooShort {
        /// Characters present, without the white space around them.
        actual: usize,
        /// Characters needed.
        limit: usize,
    },
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

/// Checks that a text has `least` to `most` characters; white space around it does not count as any it must have.
pub fn check(text: &str, least: usize, most: usize) -> Result<(), TextError> {
    if text.contains('\0') {
        return Err(TextError::Nul);
    }
    if least > 0 {
        match text.trim().chars().take(least).count() {
            0 => return Err(TextError::Empty),
            actual if actual < least => return Err(TextError::TooShort { actual, limit: least }),
            _ => {}
        }
    }
    // Bytes bound characters from above, so the count is only taken for texts near the limit.
    if text.len() > most {
        let actual = text.chars().count();
        if actual > most {
            return Err(TextError::TooLong { actual, limit: most });
        }
    }
    Ok(())
}

/// A text that may be empty, of at most `limit` characters.
pub fn optional(text: String, limit: usize) -> Result<String, TextError> {
    check(&text, 0, limit).map(|()| text)
}

/// A text that must say something, of at most `limit` characters.
pub fn required(text: String, limit: usize) -> Result<String, TextError> {
    check(&text, 1, limit).map(|()| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_characters_not_bytes() {
        assert_eq!(check("ééé", 1, 3), Ok(()));
        assert_eq!(check("éééé", 1, 3), Err(TextError::TooLong { actual: 4, limit: 3 }));
        assert_eq!(check("  ", 1, 3), Err(TextError::Empty));
        assert_eq!(check(" é ", 2, 3), Err(TextError::TooShort { actual: 1, limit: 2 }));
        assert_eq!(check("a\0", 0, 3), Err(TextError::Nul));
    }
}
