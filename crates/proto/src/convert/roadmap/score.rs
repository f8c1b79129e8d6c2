//! Inputs of scores that are asked for without an estimate. That one is missing is said of its field by the contract; it is
//! never a zero.

use std::collections::BTreeMap;

use waymark_domain::Violations;
use waymark_domain::roadmap::{Framework, Input, KanoCategory, Moscow, Scoring};

use crate::Choice as _;
use crate::roadmap::v1 as pb;
use pb::evaluate_score_request::Inputs;

use super::scoring_model::scoring;

/// What a score is computed of.
#[derive(Debug, Clone, PartialEq)]
pub enum Scored {
    /// Of a published framework.
    Framework {
        /// Which one.
        framework: Framework,
        /// A number on its scale for each of its inputs, in their order.
        values: Vec<f64>,
    },
    /// Of a model that is not kept.
    Model {
        /// The way to score.
        scoring: Scoring,
        /// The numbers, by the keys of criteria.
        values: BTreeMap<String, f64>,
    },
}

impl TryFrom<pb::EvaluateScoreRequest> for Scored {
    type Error = Violations;
    fn try_from(message: pb::EvaluateScoreRequest) -> Result<Self, Violations> {
        let (field, framework, values) = match message.inputs {
            None => {
                let wanted = "must be set: rice, ice, wsjf, delay, value_effort, need, moscow, kano or model";
                return Err(Violations::one("inputs", wanted));
            }
            Some(Inputs::Model(of)) => return model(of).map_err(|violations| within("model", violations)),
            Some(Inputs::Rice(of)) => ("rice", Framework::Rice, vec![of.reach, of.impact, of.confidence, of.effort]),
            Some(Inputs::Ice(of)) => {
                let framework = match of.variant() {
                    pb::IceVariant::Unspecified | pb::IceVariant::Product => Framework::Ice,
                    pb::IceVariant::Mean => Framework::IceMean,
                };
                ("ice", framework, vec![of.impact, of.confidence, of.ease])
            }
            Some(Inputs::Wsjf(of)) => {
                ("wsjf", Framework::Wsjf, vec![of.value, of.time_criticality, of.risk_reduction, of.job_size])
            }
            Some(Inputs::Delay(of)) => ("delay", Framework::Cd3, vec![of.cost_per_week, of.duration_weeks]),
            Some(Inputs::ValueEffort(of)) => ("value_effort", Framework::ValueEffort, vec![of.value, of.effort]),
            Some(Inputs::Need(of)) => ("need", Framework::Opportunity, vec![of.importance, of.satisfaction]),
            Some(Inputs::Moscow(number)) => {
                let stated: Moscow = choice::<pb::MoscowCategory>(number).stated("moscow")?;
                ("moscow", Framework::Moscow, vec![Some(stated.value())])
            }
            Some(Inputs::Kano(number)) => {
                let stated: KanoCategory = choice::<pb::KanoCategory>(number).stated("kano")?;
                ("kano", Framework::Kano, vec![Some(stated.value().ok_or_else(questionable)?)])
            }
        };
        let mut violations = Violations::new();
        let of_scale = |(input, value): (&Input, Option<f64>)| {
            let name = input.key.rsplit('.').next().unwrap_or(input.key);
            let value = value.ok_or_else(|| "must be set".to_owned());
            let value = value.and_then(|value| input.scale().check(value).map_err(|off| off.to_string()));
            violations.check(&format!("{field}.{name}"), value)
        };
        let values: Vec<f64> = framework.inputs().iter().zip(values).filter_map(of_scale).collect();
        violations.into_result()?;
        Ok(Self::Framework { framework, values })
    }
}

fn model(message: pb::ModelInputs) -> Result<Scored, Violations> {
    let weighing = message.weighing().domain();
    let scoring = scoring(message.criteria, weighing, &message.formula)?;
    let unknown = message.values.keys().find(|key| !scoring.criteria().iter().any(|criterion| criterion.key == **key));
    match unknown {
        Some(key) => Err(Violations::one("values", format!("{key:?} is no criterion"))),
        None => Ok(Scored::Model { scoring, values: message.values }),
    }
}

/// What is wrong with a part.
fn within(field: &str, violations: Violations) -> Violations {
    let mut all = Violations::new();
    all.nested::<()>(field, Err(violations));
    all
}

fn questionable() -> Violations {
    Violations::one("kano", "must not be QUESTIONABLE: of contradicting answers nothing is known")
}

/// The value with a number; that which is not stated for one that is not known.
fn choice<C: TryFrom<i32> + Default>(number: i32) -> C {
    C::try_from(number).unwrap_or_default()
}
