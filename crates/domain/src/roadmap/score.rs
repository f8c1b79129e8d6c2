//! Scoring formulas with their scales. A value outside of its scale is refused, and a missing one is never zero. Scores
//! have twelve digits, so that what is equal by a formula is equal.

use strum::{Display, EnumString, IntoStaticStr, VariantArray, VariantNames};

use crate::number::rounded;

/// The impact scale of RICE: massive, high, medium, low, minimal.
const IMPACTS: [f64; 5] = [3.0, 2.0, 1.0, 0.5, 0.25];

/// An input of RICE. Printed as in the contract: `reach`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, VariantArray, Display,
)]
#[strum(serialize_all = "snake_case")]
pub enum FactorKind {
    /// Users reached per period.
    Reach,
    /// Change for each of them.
    Impact,
    /// How sure that is.
    Confidence,
    /// Cost in person-months.
    Effort,
}

/// Why a value is refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum FactorError {
    /// Users cannot be fewer than none, and scores stay finite.
    #[error("must be from 0 to 1,000,000,000,000 users, got {0}")]
    Reach(f64),
    /// Not on the scale.
    #[error("must be 3 (massive), 2 (high), 1 (medium), 0.5 (low) or 0.25 (minimal), got {0}")]
    Impact(f64),
    /// Nothing, or more than certain.
    #[error("must be above 0 and at most 1, got {0}")]
    Confidence(f64),
    /// Free, or beyond planning.
    #[error("must be from 0.01 to 100,000 person-months, got {0}")]
    Effort(f64),
    /// Outside of 1 to 10.
    #[error("must be from 1 to 10, got {0}")]
    OneToTen(f64),
    /// Below nothing.
    #[error("must be from 0 to 1,000,000, got {0}")]
    Value(f64),
    /// No size.
    #[error("must be above 0 and at most 1,000,000, got {0}")]
    Size(f64),
}

impl FactorKind {
    /// All four, in the order of the formula.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The value, if it is on the scale of this factor.
    pub fn check(self, value: f64) -> Result<f64, FactorError> {
        let (right, error) = match self {
            Self::Reach => ((0.0..=1e12).contains(&value), FactorError::Reach(value)),
            Self::Impact => (IMPACTS.contains(&value), FactorError::Impact(value)),
            Self::Confidence => (value > 0.0 && value <= 1.0, FactorError::Confidence(value)),
            Self::Effort => ((0.01..=1e5).contains(&value), FactorError::Effort(value)),
        };
        if right { Ok(value) } else { Err(error) }
    }
}

/// RICE (Sean McBride, Intercom, 2018).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rice {
    reach: f64,
    impact: f64,
    confidence: f64,
    effort: f64,
}

impl Rice {
    /// The inputs, each on its scale.
    pub fn new(reach: f64, impact: f64, confidence: f64, effort: f64) -> Result<Self, FactorError> {
        Ok(Self {
            reach: FactorKind::Reach.check(reach)?,
            impact: FactorKind::Impact.check(impact)?,
            confidence: FactorKind::Confidence.check(confidence)?,
            effort: FactorKind::Effort.check(effort)?,
        })
    }

    /// reach × impact × confidence / effort; finite and not negative.
    pub fn score(&self) -> f64 {
        rounded(self.reach * self.impact * self.confidence / self.effort)
    }
}

/// How the inputs of ICE are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum IceVariant {
    /// Their product.
    Product,
    /// Their mean.
    Mean,
}

/// ICE (Sean Ellis, 2015): impact, confidence and ease from 1 to 10.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ice {
    inputs: [f64; 3],
    variant: IceVariant,
}

impl Ice {
    /// One input, if it is from 1 to 10.
    pub fn check(value: f64) -> Result<f64, FactorError> {
        if (1.0..=10.0).contains(&value) { Ok(value) } else { Err(FactorError::OneToTen(value)) }
    }

    /// The inputs, each from 1 to 10.
    pub fn new(impact: f64, confidence: f64, ease: f64, variant: IceVariant) -> Result<Self, FactorError> {
        Ok(Self { inputs: [Self::check(impact)?, Self::check(confidence)?, Self::check(ease)?], variant })
    }

    /// From 1 to 1,000 as a product, from 1 to 10 as a mean.
    pub fn score(&self) -> f64 {
        rounded(match self.variant {
            IceVariant::Product => self.inputs.iter().product(),
            IceVariant::Mean => self.inputs.iter().sum::<f64>() / 3.0,
        })
    }
}

/// Weighted shortest job first: cost of delay by job size (Donald Reinertsen, 2009; the sum as in SAFe).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wsjf {
    cost_of_delay: f64,
    job_size: f64,
}

impl Wsjf {
    /// A part of the cost of delay, if it is 0 or more.
    pub fn check_value(value: f64) -> Result<f64, FactorError> {
        if (0.0..=1e6).contains(&value) { Ok(value) } else { Err(FactorError::Value(value)) }
    }

    /// A job size, if it is above 0.
    pub fn check_size(size: f64) -> Result<f64, FactorError> {
        if size > 0.0 && size <= 1e6 { Ok(size) } else { Err(FactorError::Size(size)) }
    }

    /// The inputs, each on its scale.
    pub fn new(value: f64, time_criticality: f64, risk_reduction: f64, job_size: f64) -> Result<Self, FactorError> {
        let cost_of_delay =
            Self::check_value(value)? + Self::check_value(time_criticality)? + Self::check_value(risk_reduction)?;
        Ok(Self { cost_of_delay, job_size: Self::check_size(job_size)? })
    }

    /// (value + time criticality + risk reduction or opportunity) / job size.
    pub fn score(&self) -> f64 {
        rounded(self.cost_of_delay / self.job_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 0.005, "{a} is not {b}");
    }

    #[test]
    fn worked_examples() {
        close(Rice::new(5000.0, 2.0, 0.8, 2.0).unwrap().score(), 4000.0);
        close(Rice::new(8000.0, 0.5, 1.0, 3.0).unwrap().score(), 1333.33);
        close(Ice::new(8.0, 5.0, 4.0, IceVariant::Product).unwrap().score(), 160.0);
        close(Ice::new(8.0, 5.0, 4.0, IceVariant::Mean).unwrap().score(), 5.67);
        close(Wsjf::new(8.0, 4.0, 3.0, 5.0).unwrap().score(), 3.0);
    }

    #[test]
    fn what_is_equal_by_the_formula_is_equal() {
        let rice = |reach, effort| Rice::new(reach, 0.5, 0.7, effort).unwrap().score();
        assert_eq!(rice(100.0, 0.5).to_bits(), rice(700.0, 3.5).to_bits());
        let mean = |a, b, c| Ice::new(a, b, c, IceVariant::Mean).unwrap().score();
        assert_eq!(mean(1.1, 2.2, 3.3).to_bits(), mean(3.3, 2.2, 1.1).to_bits());
        let product = |a, b, c| Ice::new(a, b, c, IceVariant::Product).unwrap().score();
        assert_eq!(product(1.1, 1.3, 1.7).to_bits(), product(1.7, 1.3, 1.1).to_bits());
        let wsjf = |a, b, c| Wsjf::new(a, b, c, 0.3).unwrap().score();
        assert_eq!(wsjf(0.1, 0.2, 0.3).to_bits(), wsjf(0.3, 0.2, 0.1).to_bits());
    }

    #[test]
    fn values_off_the_scale_are_refused() {
        assert_eq!(Rice::new(-1.0, 2.0, 0.8, 2.0), Err(FactorError::Reach(-1.0)));
        assert_eq!(Rice::new(1.0, 1.5, 0.8, 2.0), Err(FactorError::Impact(1.5)));
        assert_eq!(Rice::new(1.0, 2.0, 0.0, 2.0), Err(FactorError::Confidence(0.0)));
        assert_eq!(Rice::new(1.0, 2.0, 80.0, 2.0), Err(FactorError::Confidence(80.0)));
        assert_eq!(Rice::new(1.0, 2.0, 0.8, 0.0), Err(FactorError::Effort(0.0)));
        assert!(Rice::new(f64::NAN, 2.0, 0.8, 1.0).is_err());
        assert!(Rice::new(f64::INFINITY, 2.0, 0.8, 1.0).is_err());
        assert_eq!(Ice::new(0.0, 5.0, 5.0, IceVariant::Mean), Err(FactorError::OneToTen(0.0)));
        assert_eq!(Wsjf::new(1.0, 1.0, 1.0, 0.0), Err(FactorError::Size(0.0)));
        assert_eq!(Wsjf::new(1.0, -1.0, 1.0, 1.0), Err(FactorError::Value(-1.0)));
    }
}
