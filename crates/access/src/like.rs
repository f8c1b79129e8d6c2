//! Names in which one `*` stands for any part.

/// A beginning and an end, between which anything may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Like {
    before: String,
    after: String,
}

impl Like {
    /// What a text with a `*` stands for; none for a text without.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.split_once('*')?;
        Some(Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// What stands before the `*`, and what behind it.
    pub(crate) fn ends(&self) -> (&str, &str) {
        (&self.before, &self.after)
    }

    /// As it was written.
    pub(crate) fn text(&self) -> String {
        format!("{}*{}", self.before, self.after)
    }
}

/// Whether a text, a name or what stands for some, is or stands for a name.
pub(crate) fn covers(text: &str, name: &str) -> bool {
    text.split_once('*').map_or(text == name, |(before, after)| is_between(before, after, name))
}

fn is_between(before: &str, after: &str, name: &str) -> bool {
    name.strip_prefix(before).is_some_and(|rest| rest.ends_with(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_and_end_do_not_overlap() {
        for (text, name, is_covered) in [
            ("acme", "acme", true),
            ("acme", "acme-1", false),
            ("*", "", true),
            ("team-*", "team-", true),
            ("*-team", "a-team", true),
            ("a*a", "a", false),
            ("a*a", "aba", true),
        ] {
            assert_eq!(covers(text, name), is_covered, "{text} {name}");
            assert!(Like::parse(text).is_none_or(|like| like.text() == text));
        }
    }
}
