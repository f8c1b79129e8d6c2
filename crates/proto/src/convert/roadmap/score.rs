//! Inputs of scores that are asked for without an estimate. A missing input is a violation, never a zero.

use waymark_domain::Violations;
use waymark_domain::roadmap::{FactorError, FactorKind, Ice, IceVariant, Rice, Wsjf};

use crate::roadmap::v1 as pb;

/// The input, if it is there and on its scale; what is wrong is blamed on `field`.
fn input(
    violations: &mut Violations,
    field: &str,
    value: Option<f64>,
    check: impl Fn(f64) -> Result<f64, FactorError>,
) -> Option<f64> {
    if value.is_none() {
        violations.add(field, "must be set");
    }
    violations.check(field, check(value?))
}

impl TryFrom<pb::RiceInputs> for Rice {
    type Error = Violations;
    fn try_from(message: pb::RiceInputs) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let mut of = |kind: FactorKind, value| input(&mut violations, kind.into(), value, |value| kind.check(value));
        let reach = of(FactorKind::Reach, message.reach);
        let impact = of(FactorKind::Impact, message.impact);
        let confidence = of(FactorKind::Confidence, message.confidence);
        let effort = of(FactorKind::Effort, message.effort);
        match (reach, impact, confidence, effort) {
            (Some(reach), Some(impact), Some(confidence), Some(effort)) => {
                Self::new(reach, impact, confidence, effort).map_err(|error| Violations::one("", error.to_string()))
            }
            _ => Err(violations),
        }
    }
}

impl TryFrom<pb::IceInputs> for Ice {
    type Error = Violations;
    fn try_from(message: pb::IceInputs) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let variant = match message.variant() {
            pb::IceVariant::Unspecified | pb::IceVariant::Product => IceVariant::Product,
            pb::IceVariant::Mean => IceVariant::Mean,
        };
        let impact = input(&mut violations, "impact", message.impact, Self::check);
        let confidence = input(&mut violations, "confidence", message.confidence, Self::check);
        let ease = input(&mut violations, "ease", message.ease, Self::check);
        match (impact, confidence, ease) {
            (Some(impact), Some(confidence), Some(ease)) => {
                Self::new(impact, confidence, ease, variant).map_err(|error| Violations::one("", error.to_string()))
            }
            _ => Err(violations),
        }
    }
}

impl TryFrom<pb::WsjfInputs> for Wsjf {
    type Error = Violations;
    fn try_from(message: pb::WsjfInputs) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let value = input(&mut violations, "value", message.value, Self::check_value);
        let time = input(&mut violations, "time_criticality", message.time_criticality, Self::check_value);
        let risk = input(&mut violations, "risk_reduction", message.risk_reduction, Self::check_value);
        let size = input(&mut violations, "job_size", message.job_size, Self::check_size);
        match (value, time, risk, size) {
            (Some(value), Some(time), Some(risk), Some(size)) => {
                Self::new(value, time, risk, size).map_err(|error| Violations::one("", error.to_string()))
            }
            _ => Err(violations),
        }
    }
}
