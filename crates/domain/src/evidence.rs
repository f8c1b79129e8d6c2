//! What statements rest on: typed links to resources of any service, and the four risks that evidence is asked for.

use std::fmt;

use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use crate::FullName;

/// A link to a resource that supports a statement, with a note that says why.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Evidence {
    /// The resource that supports it.
    pub target: FullName,
    /// Why it does; may be empty.
    pub note: String,
}

impl Evidence {
    /// Links that one statement may rest on, at most.
    pub const LINKS: usize = 100;
}

/// The four risks of a product idea (Marty Cagan, Inspired, 2017).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray, VariantNames,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Risk {
    /// Will customers choose to use it?
    Value,
    /// Can users work out how to use it?
    Usability,
    /// Can we build it with the time, skills and technology we have?
    Feasibility,
    /// Does it work for the business: cost, law, sales, brand?
    Viability,
}

impl Risk {
    /// All four, in the contract's order.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;
}

/// As in the contract, without the prefix: `VALUE`.
impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.into())
    }
}
