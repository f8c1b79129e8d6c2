//! Enums of the contract and of the domain, matched by the names of their values: the contract's `GROWING` is the
//! domain's `Growing`. That both have the same values, in the same order, is checked when the pair is compiled.

use std::str::FromStr;

use strum::VariantNames;
use waymark_domain::Violations;

/// An enum of the contract. Implemented by the build.
pub trait Choice: Copy + Into<i32> + TryFrom<i32> {
    /// The names of its values without the prefix of the type, from number 1 on.
    const NAMES: &'static [&'static str];
    /// The number of the value that stands for one that is not stated; 0 when nothing does.
    const UNSTATED: i32;

    /// The domain's value; `None` when none is stated and nothing stands for that.
    fn domain<D: FromStr + VariantNames>(self) -> Option<D> {
        const { assert!(same(D::VARIANTS, Self::NAMES), "the contract and the domain name other values") };
        let number = match self.into() {
            0 => Self::UNSTATED,
            stated => stated,
        };
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        Self::NAMES.get(index)?.parse().ok()
    }

    /// The same of a `field` that must state one.
    fn stated<D: FromStr + VariantNames>(self, field: &str) -> Result<D, Violations> {
        self.domain().ok_or_else(|| Violations::one(field, format!("must be one of {}", Self::NAMES.join(", "))))
    }

    /// The number of the domain's value.
    fn of<D: Into<&'static str> + VariantNames>(value: D) -> i32 {
        const { assert!(same(D::VARIANTS, Self::NAMES), "the contract and the domain name other values") };
        let name: &'static str = value.into();
        // It is among them, as both are the same, and there are few.
        Self::NAMES.iter().position(|known| *known == name).map_or(0, |index| index as i32 + 1)
    }

    /// The number of the domain's value if there is one, and that of `UNSPECIFIED` otherwise.
    fn of_any<D: Into<&'static str> + VariantNames>(value: Option<D>) -> i32 {
        value.map_or(0, Self::of)
    }
}

/// Whether two texts are one name as people write it: in capitals or not, with `_`, with `-` or without.
pub fn reads_alike(left: &str, right: &str) -> bool {
    letters(left).eq(letters(right))
}

fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase())
}

pub(crate) const fn same(left: &[&str], right: &[&str]) -> bool {
    let mut i = 0;
    while i < left.len() && i < right.len() && equal(left[i], right[i]) {
        i += 1;
    }
    i == left.len() && i == right.len()
}

/// Whether both have the same names, each once, in whatever order.
pub(crate) const fn alike(left: &[&str], right: &[&str]) -> bool {
    let mut i = 0;
    while i < left.len() && has(right, left[i]) {
        i += 1;
    }
    i == left.len() && i == right.len()
}

const fn has(all: &[&str], name: &str) -> bool {
    let mut i = 0;
    while i < all.len() && !equal(all[i], name) {
        i += 1;
    }
    i < all.len()
}

const fn equal(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut i = 0;
    while i < left.len() && i < right.len() && left[i] == right[i] {
        i += 1;
    }
    i == left.len() && i == right.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roadmap::v1::{Horizon, ProductLifecycle};
    use waymark_domain::roadmap;

    #[test]
    fn values_are_those_of_the_same_name() {
        assert_eq!(ProductLifecycle::Growing.domain(), Some(roadmap::ProductLifecycle::Growing));
        assert_eq!(ProductLifecycle::of(roadmap::ProductLifecycle::Growing), ProductLifecycle::Growing as i32);
        assert_eq!(Horizon::Unspecified.domain(), Some(roadmap::Horizon::Later));
    }

    #[test]
    fn enums_differ_by_any_value() {
        assert!(same(&["A", "B"], &["A", "B"]));
        assert!(!same(&["A", "B"], &["A"]) && !same(&["A", "B"], &["B", "A"]) && !same(&["AB"], &["AC"]));
    }

    #[test]
    fn names_are_read_as_people_write_them() {
        for text in ["IN_PROGRESS", "in-progress", "In_Progress", "inProgress"] {
            assert!(reads_alike("IN_PROGRESS", text), "{text}");
        }
        assert!(!reads_alike("IN_PROGRESS", "PROGRESS") && !reads_alike("NOW", ""));
    }

    #[test]
    fn names_are_alike_in_any_order() {
        assert!(alike(&["A", "B"], &["B", "A"]) && alike(&[], &[]));
        assert!(!alike(&["A", "B"], &["A"]) && !alike(&["A"], &["A", "B"]) && !alike(&["A", "B"], &["A", "AB"]));
    }
}
