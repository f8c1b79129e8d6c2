//! How a file writes numbers, and which of its texts are numbers.

use std::borrow::Cow;

use waymark_domain::metrics::Scalar;

/// What stands before decimals and between thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notation {
    decimal: char,
    thousands: Option<char>,
}

/// How numbers are usually written.
const USUAL: [Notation; 6] = [
    Notation { decimal: '.', thousands: None },
    Notation { decimal: '.', thousands: Some(',') },
    Notation { decimal: '.', thousands: Some(' ') },
    Notation { decimal: '.', thousands: Some('\'') },
    Notation { decimal: ',', thousands: Some('.') },
    Notation { decimal: ',', thousands: Some(' ') },
];

/// What a text is when nobody says.
#[derive(Debug, Clone, PartialEq)]
pub enum Guess {
    /// A number, or the digits of one that no double holds.
    Number(Scalar),
    /// No number, as it is written.
    Text,
    /// No number, but one in another notation.
    Doubtful,
}

impl Notation {
    /// From the options `--decimal` and `--thousands`.
    pub fn new(decimal: char, thousands: Option<char>) -> Result<Self, String> {
        let of = |options: &[char], character| options.contains(&character);
        if !of(&['.', ','], decimal) {
            return Err(format!("--decimal {decimal:?} is neither . nor ,"));
        }
        if let Some(between) =
            thousands.filter(|between| *between == decimal || !of(&['.', ',', ' ', '\'', '_'], *between))
        {
            return Err(format!(
                "--thousands {between:?} does not go with --decimal {decimal:?}: give one of . , _ ' or a blank, and not \
                 the same twice"
            ));
        }
        Ok(Self { decimal, thousands })
    }

    /// The number that a text is, however it looks; as digits when no double holds it.
    pub fn number(self, text: &str) -> Option<Scalar> {
        Scalar::literal(&self.plain(text)?)
    }

    /// What a text is. What a tool or a person would not write of a number is a label: a needless zero or a plus in
    /// front, and an exponent without a decimal sign or a sign of its own, such as 12e4.
    pub fn guess(self, text: &str) -> Guess {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let mut characters = digits.chars();
        match (characters.next(), characters.next()) {
            (Some('0'), Some('0'..='9')) => return Guess::Text,
            (Some('0'..='9'), _) => {}
            (Some(sign), Some('0'..='9')) if sign == self.decimal => {}
            _ => return Guess::Text,
        }
        match self.number(text) {
            Some(_) if self.is_label(digits) => Guess::Doubtful,
            Some(number) => Guess::Number(number),
            None if USUAL.iter().any(|usual| usual.number(text).is_some()) => Guess::Doubtful,
            None => Guess::Text,
        }
    }

    fn is_label(self, digits: &str) -> bool {
        digits
            .split_once(['e', 'E'])
            .is_some_and(|(mantissa, exponent)| !mantissa.contains(self.decimal) && !exponent.starts_with(['-', '+']))
    }

    /// The text as Rust writes numbers; `None` where signs stand as they do in no number.
    fn plain(self, text: &str) -> Option<Cow<'_, str>> {
        if self == (Self { decimal: '.', thousands: None }) {
            return Some(Cow::Borrowed(text));
        }
        let (whole, rest) = match text.split_once(self.decimal) {
            Some((whole, rest)) => (whole, Some(rest)),
            None => (text, None),
        };
        let whole = self.ungrouped(whole)?;
        if whole.contains('.') || rest.is_some_and(|rest| rest.contains('.')) {
            return None;
        }
        Some(match rest {
            Some(rest) => Cow::Owned(format!("{whole}.{rest}")),
            None => whole,
        })
    }

    /// Digits without what stands between thousands: three in each group, but for the first.
    fn ungrouped(self, whole: &str) -> Option<Cow<'_, str>> {
        let between = |character: char| {
            self.thousands.is_some_and(|thousands| match thousands {
                // Typeset numbers have blanks that do not break, and another apostrophe.
                ' ' => matches!(character, ' ' | '\u{a0}' | '\u{202f}'),
                '\'' => matches!(character, '\'' | '\u{2019}'),
                other => character == other,
            })
        };
        let Some((first, rest)) = whole.split_once(between) else { return Some(Cow::Borrowed(whole)) };
        let mut digits = first.to_owned();
        let sign = usize::from(first.starts_with(['-', '+']));
        if !(1..=3).contains(&(first.len() - sign)) {
            return None;
        }
        for group in rest.split(between) {
            if group.len() != 3 || !group.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            digits.push_str(group);
        }
        Some(Cow::Owned(digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Notation {
        Notation::new('.', None).unwrap()
    }

    #[test]
    fn numbers_are_numbers_and_labels_are_not() {
        for (text, number) in [
            ("12.5", 12.5),
            ("-3", -3.0),
            ("0.1", 0.1),
            (".5", 0.5),
            ("-.5", -0.5),
            ("5.", 5.0),
            ("0", 0.0),
            ("120000", 120_000.0),
            ("1e-05", 1e-5),
            ("1.2E10", 1.2e10),
            ("9007199254740992", 9_007_199_254_740_992.0),
        ] {
            assert_eq!(plain().guess(text), Guess::Number(Scalar::Number(number)), "{text}");
        }
        for label in
            ["007", "+49", "1-2", "2024-01", "NaN", "inf", "", "-", ".", "1.2.3", "10.0.0.1", "0x1F", "00.5", "x"]
        {
            assert_eq!(plain().guess(label), Guess::Text, "{label}");
        }
        for doubtful in ["12e4", "49,90", "1,234.5", "1.234,50", "1 234", "1'234"] {
            assert_eq!(plain().guess(doubtful), Guess::Doubtful, "{doubtful}");
        }
        for long in ["9007199254740993", "-18446744073709551616", "1.0e999"] {
            assert_eq!(plain().guess(long), Guess::Number(Scalar::Text(long.to_owned())), "{long}");
        }
    }

    #[test]
    fn what_is_said_to_be_a_number_may_look_like_a_label() {
        for (text, number) in [("12e4", 120_000.0), ("007", 7.0), ("+5", 5.0)] {
            assert_eq!(plain().number(text), Some(Scalar::Number(number)), "{text}");
        }
        for text in ["49,90", "n/a", "NaN", "inf", "1 2", "12e", ""] {
            assert_eq!(plain().number(text), None, "{text}");
        }
    }

    #[test]
    fn decimal_commas_and_thousands() {
        let read =
            |decimal, thousands: Option<char>, text: &str| match Notation::new(decimal, thousands).unwrap().guess(text)
            {
                Guess::Number(Scalar::Number(number)) => Some(number),
                _ => None,
            };
        assert_eq!(read(',', None, "49,90"), Some(49.9));
        assert_eq!(read(',', None, ",5"), Some(0.5));
        assert_eq!(read(',', None, "49.90"), None, "neither decimals nor thousands");
        assert_eq!(read(',', Some('.'), "-1.234.567,5"), Some(-1_234_567.5));
        assert_eq!(read(',', Some('.'), "1234,5"), Some(1234.5));
        assert_eq!(read(',', Some('.'), "1.23,5"), None);
        assert_eq!(read('.', Some(','), "1,234"), Some(1234.0));
        assert_eq!(read('.', Some(','), "12,34"), None);
        assert_eq!(read('.', Some(' '), "1\u{202f}234.5"), Some(1234.5));
        assert_eq!(read('.', Some('\''), "1’234.5"), Some(1234.5));
        assert!(Notation::new(',', Some(',')).is_err() && Notation::new(';', None).is_err());
    }
}
