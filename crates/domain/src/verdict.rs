//! What came of a prediction.

use strum::{Display, EnumString, IntoStaticStr, VariantNames};

/// Whether an expected change happened. Printed as in the contract, without the prefix: `CANT_TELL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// The measurement supports the prediction.
    Met,
    /// The measurement contradicts the prediction.
    Missed,
    /// The measurement decides neither way.
    CantTell,
}
