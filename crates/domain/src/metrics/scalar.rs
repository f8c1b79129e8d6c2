//! The values of properties: which there are, which are the same, and which a number in JSON is. Filters, breakdowns
//! and what users have in common go by this file alone, however events are stored.
//!
//! A type is part of a value: the number 1 is not the text "1", but 1 and 1.0 are one number.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The largest integer up to which a double holds every one, 2^53. Beyond it, integers are ids more often than amounts.
const EXACT: u64 = 1 << 53;

/// A value that can be compared. Types are not converted.
#[derive(Debug, Clone)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A finite number.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

impl Scalar {
    /// What a number is that was written as in JSON; `None` when it was not. A double holds it, or else the text of its
    /// digits stands for it: of an integer beyond 2^53, and of what is too large.
    pub fn literal(digits: &str) -> Option<Self> {
        let text = || Self::Text(digits.to_owned());
        if digits.contains(['.', 'e', 'E']) {
            let number: f64 = digits.parse().ok()?;
            return Some(if number.is_finite() { Self::Number(number) } else { text() });
        }
        if let Ok(integer) = digits.parse() {
            return Some(Self::integer(integer).unwrap_or_else(text));
        }
        let unsigned = digits.strip_prefix('-').unwrap_or(digits);
        (!unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit())).then(text)
    }

    /// The number that an integer is, if a double holds it and all before it.
    pub fn integer(integer: i64) -> Option<Self> {
        (integer.unsigned_abs() <= EXACT).then_some(Self::Number(integer as f64))
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) | Self::Boolean(_) => None,
        }
    }
}

impl Ord for Scalar {
    /// Texts by their bytes, then numbers by size, then false and true.
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |scalar: &Self| match scalar {
            Self::Text(_) => 0,
            Self::Number(_) => 1,
            Self::Boolean(_) => 2,
        };
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => unsigned_zero(*a).total_cmp(&unsigned_zero(*b)),
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl PartialOrd for Scalar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Text(text) => text.hash(state),
            Self::Number(number) => unsigned_zero(*number).to_bits().hash(state),
            Self::Boolean(flag) => flag.hash(state),
        }
    }
}

/// The value alone, whatever its type.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Boolean(flag) => write!(f, "{flag}"),
        }
    }
}

/// -0 and 0 are one number.
fn unsigned_zero(number: f64) -> f64 {
    number + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeSet, HashSet};

    fn text(text: &str) -> Scalar {
        Scalar::Text(text.to_owned())
    }

    #[test]
    fn a_number_is_one_however_it_is_written_and_never_a_text() {
        let one = Scalar::Number(1.0);
        for digits in ["1", "1.0", "1e0", "10e-1"] {
            assert_eq!(Scalar::literal(digits), Some(one.clone()), "{digits}");
        }
        assert_ne!(one, text("1"));
        assert_eq!(Scalar::literal("-0"), Scalar::literal("0.0"));
        assert_eq!([one.to_string(), text("1").to_string(), Scalar::Boolean(false).to_string()], ["1", "1", "false"]);
    }

    #[test]
    fn what_no_double_holds_is_the_text_of_its_digits() {
        for digits in ["9007199254740993", "-9007199254740994", "18446744073709551617", "1e999"] {
            assert_eq!(Scalar::literal(digits), Some(text(digits)));
        }
        assert_eq!(Scalar::literal("9007199254740992"), Some(Scalar::Number(9_007_199_254_740_992.0)));
        assert_eq!(Scalar::literal("1e20"), Some(Scalar::Number(1e20)), "written as no id is");
        for none in ["", "-", "one", "inf", "NaN", "1,5", "1.2.3"] {
            assert_eq!(Scalar::literal(none), None, "{none}");
        }
    }

    fn scalar() -> impl Strategy<Value = Scalar> {
        prop_oneof![
            "[01-]{0,2}".prop_map(Scalar::Text),
            prop::sample::select(vec![0.0, -0.0, 1.0, -1.0, 0.5, f64::MAX]).prop_map(Scalar::Number),
            any::<bool>().prop_map(Scalar::Boolean),
        ]
    }

    proptest! {
        #[test]
        fn sets_of_either_kind_have_the_same_values(values in prop::collection::vec(scalar(), 0..20)) {
            let sorted: BTreeSet<_> = values.iter().collect();
            let hashed: HashSet<_> = values.iter().collect();
            prop_assert_eq!(sorted.len(), hashed.len());
            prop_assert!(values.iter().all(|value| sorted.contains(value) && hashed.contains(value)));
        }
    }
}
