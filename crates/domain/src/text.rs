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

/// Longer names are not compared: what is alike is found by looking at each letter beside each other.
const COMPARED: usize = 64;
/// How much alike names are, of 0 to 1, of which one is probably the other misspelt.
const LIKENESS: f64 = 0.85;

/// The name that somebody probably meant who wrote another, if one is near enough (Jaro, 1989; Winkler, 1990). Of those that
/// are as near it is the first by the alphabet, so that it is the same one every time.
pub fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > COMPARED {
        return None;
    }
    let plain = letters(written);
    let likely = names.filter(|name| name.len() <= COMPARED).filter_map(|name| {
        let likeness = strsim::jaro_winkler(&plain, &letters(name));
        (likeness > LIKENESS).then_some((likeness, name))
    });
    likely.max_by(|(left, a), (right, b)| left.total_cmp(right).then_with(|| b.cmp(a))).map(|(_, name)| name)
}

/// Letters and digits alone: `CheckoutCompleted` is `checkout_completed` to those who write either.
fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
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

    #[test]
    fn what_is_spelt_alike_was_meant() {
        let names = ["report_created", "signed_up", "invited"];
        let meant = |written| nearest(written, names.into_iter());
        assert_eq!(meant("reportCreated"), Some("report_created"));
        assert_eq!(meant("Signed Up"), Some("signed_up"));
        assert_eq!(meant("invite"), Some("invited"));
        assert_eq!(meant("paid"), None);
        let long = "a".repeat(COMPARED + 1);
        assert_eq!(nearest(&long, [long.as_str()].into_iter()), None);
        assert_eq!(nearest("plan", ["plans", "plant"].into_iter().rev()), Some("plans"));
    }
}
