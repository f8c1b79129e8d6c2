//! Inputs of scores that are asked for without an estimate. That one is missing is said of its field; it is never a
//! zero.

use waymark_domain::Violations;
use waymark_domain::roadmap::{FactorError, FactorKind, Ice, Rice, Wsjf};

use crate::Choice as _;
use crate::convert::whole;
use crate::roadmap::v1 as pb;

/// The input, if it is there and on its scale; what is wrong is blamed on `field`.
fn input(
    violations: &mut Violations,
    field: &str,
    value: Option<f64>,
    check: impl Fn(f64) -> Result<f64, FactorError>,
) -> Option<f64> {
    violations.check(field, check(value?))
}

/// The score's inputs, if all are there and none is too large for the others.
fn put_together<T>(mut violations: Violations, inputs: Option<Result<T, FactorError>>) -> Result<T, Violations> {
    let inputs = inputs.and_then(|inputs| violations.check("", inputs));
    whole(violations, inputs)
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
        let rice = (|| Some(Self::new(reach?, impact?, confidence?, effort?)))();
        put_together(violations, rice)
    }
}

impl TryFrom<pb::IceInputs> for Ice {
    type Error = Violations;
    fn try_from(message: pb::IceInputs) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let variant = message.variant().domain();
        let impact = input(&mut violations, "impact", message.impact, Self::check);
        let confidence = input(&mut violations, "confidence", message.confidence, Self::check);
        let ease = input(&mut violations, "ease", message.ease, Self::check);
        let ice = (|| Some(Self::new(impact?, confidence?, ease?, variant?)))();
        put_together(violations, ice)
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
        let wsjf = (|| Some(Self::new(value?, time?, risk?, size?)))();
        put_together(violations, wsjf)
    }
}
