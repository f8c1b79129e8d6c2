//! Events of bots: by which text of which property they are told. Patterns have `*` and nothing else, so that no
//! pattern takes longer than its length times that of the text.

use strum::{EnumString, IntoStaticStr, VariantNames};

/// Where SDKs tell the user agent.
const USER_AGENTS: [&str; 4] = ["$user_agent", "$raw_user_agent", "user_agent", "userAgent"];

/// What tells that an event is of a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotRule {
    /// The property to look at; the user agent when it is empty.
    pub property: String,
    /// What its text is like.
    pub pattern: String,
    /// What becomes of such events.
    pub action: BotAction,
}

/// What becomes of events of bots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum BotAction {
    /// They are stored with a mark.
    Mark,
    /// They are rejected.
    Drop,
}

/// A rule, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Telltale {
    pub(super) rule: BotRule,
    /// What lies between the stars of the pattern, in small letters.
    pieces: Vec<String>,
}

impl Telltale {
    pub(super) fn new(rule: &BotRule) -> Self {
        let pieces = rule.pattern.to_lowercase().split('*').map(str::to_owned).collect();
        Self { rule: rule.clone(), pieces }
    }

    /// Whether the rule is about this property.
    pub(super) fn looks_at(&self, property: &str) -> bool {
        if self.rule.property.is_empty() { USER_AGENTS.contains(&property) } else { self.rule.property == property }
    }

    /// Whether a text, in small letters, is like the pattern.
    pub(super) fn fits(&self, text: &str) -> bool {
        let [first, rest @ ..] = &self.pieces[..] else { return false };
        let Some(mut left) = text.strip_prefix(&first[..]) else { return false };
        let Some((last, between)) = rest.split_last() else { return left.is_empty() };
        for piece in between {
            // The first place is as good as any later one: it leaves the most for what follows.
            let Some(at) = left.find(&piece[..]) else { return false };
            left = &left[at + piece.len()..];
        }
        left.ends_with(&last[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fits(pattern: &str, text: &str) -> bool {
        let rule = BotRule { property: String::new(), pattern: pattern.into(), action: BotAction::Drop };
        Telltale::new(&rule).fits(&text.to_lowercase())
    }

    #[test]
    fn a_star_is_any_text_and_capitals_do_not_count() {
        for (pattern, text) in [
            ("*bot*", "Mozilla/5.0 (compatible; Googlebot/2.1)"),
            ("curl/*", "curl/8.4.0"),
            ("*Headless*Chrome*", "headlesschrome"),
            ("*", ""),
            ("exact", "EXACT"),
            ("a*a", "aa"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("bot", "robot"), ("bot*", "robot"), ("a*a", "a"), ("*b*a", "ab"), ("curl/*", "Mozilla curl/8"), ("x", "")]
        {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    /// As it is defined, tried in every way.
    fn defined(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|at| defined(rest, &text[at..])),
            Some((byte, rest)) => text.first() == Some(byte) && defined(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn patterns_fit_what_they_are_defined_to(pattern in "[ab*]{1,7}", text in "[ab]{0,9}") {
            prop_assert_eq!(fits(&pattern, &text), defined(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
