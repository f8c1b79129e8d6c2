//! Scoring models: criteria and how they are put together, and the numbers of one that is not kept. Factor scales, which say
//! steps the same way.

use waymark_domain::roadmap::{
    Combination, Criterion, FactorScale, Input, Normalisation, Scale, Scoring, ScoringModel, Step, Weighing,
};
use waymark_domain::{Meta, Violations};

use crate::Choice as _;
use crate::convert::{meta, set_meta, whole};
use crate::roadmap::v1 as pb;

impl TryFrom<pb::ScoringModel> for ScoringModel {
    type Error = Violations;
    fn try_from(message: pb::ScoringModel) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta: Option<Meta<Self>> = meta(&mut violations, &message);
        let weighing = message.weighing().domain();
        let scoring = violations.nested("", scoring(message.criteria, weighing, &message.formula));
        let description = message.description;
        let model = (|| Some(Self { meta: meta?, description, scoring: scoring? }))();
        whole(violations, model)
    }
}

/// A way to score, as a model and a request say it alike.
pub(super) fn scoring(
    criteria: Vec<pb::ScoringCriterion>,
    weighing: Option<Weighing>,
    formula: &str,
) -> Result<Scoring, Violations> {
    let mut violations = Violations::new();
    let weighed = formula.trim().is_empty();
    let mut read = Vec::with_capacity(criteria.len());
    for (index, message) in criteria.into_iter().enumerate() {
        read.extend(violations.nested(&format!("criteria[{index}]"), criterion(message, weighed)));
    }
    violations.into_result()?;
    match weighing {
        Some(weighing) if weighed => Scoring::weighted(read, weighing),
        _ => Scoring::by_formula(read, formula),
    }
}

fn criterion(message: pb::ScoringCriterion, weighed: bool) -> Result<Criterion, Violations> {
    let mut violations = Violations::new();
    let normalisation = normalisation(&mut violations, &message);
    let pb::ScoringCriterion { key, question, factor, scale, weight, .. } = message;
    if !weighed && weight.is_some() {
        violations.add("weight", "must not be set beside a formula, which says itself how much each criterion counts");
    }
    let named = if factor.is_empty() { Ok(Input::of(&key)) } else { Input::of(&factor).map(Some).ok_or_else(unknown) };
    let factor = violations.check("factor", named);
    let scale = match (scale, factor.flatten()) {
        (Some(scale), _) => violations.nested("scale", scale_of(scale)),
        (None, Some(input)) => Some(input.room().clone()),
        (None, None) => {
            violations.add("scale", "must be set, as the criterion takes no factor of a published framework");
            None
        }
    };
    let weight = weight.unwrap_or(1.0);
    let criterion = (|| {
        let (factor, scale, normalisation) = (factor?, scale?, normalisation?);
        Some(Criterion { key, question, factor, scale, weight, normalisation })
    })();
    whole(violations, criterion)
}

fn unknown() -> String {
    let known: Vec<&str> = Input::all().map(|input| input.key).collect();
    format!("is no factor of a published framework; those are {}", known.join(", "))
}

fn normalisation(violations: &mut Violations, message: &pb::ScoringCriterion) -> Option<Normalisation> {
    use pb::ScoringNormalisation as Stated;
    let stated = message.normalisation();
    if stated != Stated::Lookup && !message.lookup.is_empty() {
        violations.add("lookup", "must be empty unless normalisation is LOOKUP");
    }
    if stated != Stated::Money && message.money_most.is_some() {
        violations.add("money_most", "must not be set unless normalisation is MONEY");
    }
    Some(match stated {
        Stated::Unspecified | Stated::None => Normalisation::None,
        Stated::MinMax => Normalisation::MinMax,
        Stated::ShareOfMost => Normalisation::ShareOfMost,
        Stated::Lookup => Normalisation::Lookup(message.lookup.clone()),
        Stated::Money => {
            let most = message.money_most.ok_or("must be set when normalisation is MONEY");
            Normalisation::Money(violations.check("money_most", most)?)
        }
    })
}

fn scale_of(message: pb::ScoringScale) -> Result<Scale, Violations> {
    let pb::ScoringScale { least, most, steps } = message;
    let steps = steps.into_iter().map(|pb::ScaleStep { word, value }| (word, value));
    let wrong = |problem: String| Violations::one("steps", problem);
    match (least, most) {
        (None, None) => Scale::of_steps(steps).map_err(|error| wrong(error.to_string())),
        (Some(least), Some(most)) if least < most => {
            let scale = Scale::from_to(least, most);
            if steps.len() == 0 { Ok(scale) } else { scale.named(steps).map_err(|error| wrong(error.to_string())) }
        }
        (Some(least), Some(most)) => Err(Violations::one("most", format!("must be above least, {least}, got {most}"))),
        (Some(_), None) => Err(Violations::one("most", "must be set, as least is")),
        (None, Some(_)) => Err(Violations::one("least", "must be set, as most is")),
    }
}

impl From<&ScoringModel> for pb::ScoringModel {
    fn from(model: &ScoringModel) -> Self {
        let ScoringModel { meta, description, scoring } = model;
        let (weighing, formula) = match scoring.combination() {
            Combination::Sum => (Some(Weighing::Sum), String::new()),
            Combination::Mean => (Some(Weighing::Mean), String::new()),
            Combination::Formula(formula) => (None, formula.to_string()),
        };
        let weighed = formula.is_empty();
        let mut message = Self {
            description: description.clone(),
            criteria: scoring.criteria().iter().map(|criterion| criterion_message(criterion, weighed)).collect(),
            weighing: pb::ScoringWeighing::of_any(weighing),
            formula,
            ..Self::default()
        };
        set_meta(&mut message, meta);
        message
    }
}

fn criterion_message(criterion: &Criterion, weighed: bool) -> pb::ScoringCriterion {
    use pb::ScoringNormalisation as Stated;
    let Criterion { key, question, factor, scale, weight, normalisation } = criterion;
    let (stated, lookup, money_most) = match normalisation {
        Normalisation::None => (Stated::None, Vec::new(), None),
        Normalisation::MinMax => (Stated::MinMax, Vec::new(), None),
        Normalisation::ShareOfMost => (Stated::ShareOfMost, Vec::new(), None),
        Normalisation::Lookup(numbers) => (Stated::Lookup, numbers.clone(), None),
        Normalisation::Money(most) => (Stated::Money, Vec::new(), Some(*most)),
    };
    // What the factor has follows from it, and may be what a message cannot say.
    let own = Some(scale).filter(|_| criterion.factor_alone().is_none());
    pb::ScoringCriterion {
        key: key.clone(),
        question: question.clone(),
        factor: factor.map(|input| input.key.to_owned()).unwrap_or_default(),
        scale: own.map(scale_message),
        weight: weighed.then_some(*weight),
        normalisation: stated.into(),
        lookup,
        money_most,
    }
}

fn scale_message(scale: &Scale) -> pb::ScoringScale {
    let (least, most) = scale.ends().unzip();
    pb::ScoringScale { least, most, steps: step_messages(scale) }
}

fn step_messages(scale: &Scale) -> Vec<pb::ScaleStep> {
    let step = |Step { word, value }: &Step| pb::ScaleStep { word: word.clone(), value: *value };
    scale.steps().iter().map(step).collect()
}

impl TryFrom<pb::FactorScale> for FactorScale {
    type Error = Violations;
    fn try_from(message: pb::FactorScale) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta: Option<Meta<Self>> = meta(&mut violations, &message);
        let input = violations.check("factor", Self::input(&message.factor));
        let steps = message.steps.into_iter().map(|pb::ScaleStep { word, value }| Step { word, value }).collect();
        let scale = input.and_then(|input| violations.nested("", Self::scale(input, steps)));
        let description = message.description;
        let scale = (|| Some(Self { meta: meta?, input: input?, scale: scale?, description }))();
        whole(violations, scale)
    }
}

impl From<&FactorScale> for pb::FactorScale {
    fn from(FactorScale { meta, input, scale, description }: &FactorScale) -> Self {
        let (factor, steps, description) = (input.key.to_owned(), step_messages(scale), description.clone());
        let mut message = Self { factor, steps, description, ..Self::default() };
        set_meta(&mut message, meta);
        message
    }
}
