//! Conversions of the metrics service's resources and requests.

mod friction;
mod intake;
mod measure;
mod metric;
mod outcome;
mod prediction;
mod trend;

pub use friction::asked;
pub use intake::{product_event, properties, rejected};
pub use measure::measure;
pub use outcome::outcome;
pub use prediction::{prediction, promise};
pub use trend::settings;

#[cfg(test)]
mod tests {
    use strum::VariantNames;
    use waymark_domain::Resource;
    use waymark_domain::metrics::{
        Friction, FrictionEvent, Metric, MetricEvent, Outcome, OutcomeEvent, Prediction, PredictionEvent,
    };

    fn announced<R: Resource>() -> Vec<String>
    where
        R::Event: VariantNames,
    {
        R::Event::VARIANTS.iter().map(|verb| format!("waymark.{}.v1.{}{verb}", R::SERVICE, R::KIND)).collect()
    }

    #[test]
    fn every_event_is_in_the_contract() {
        let all = [announced::<Metric>(), announced::<Prediction>(), announced::<Outcome>(), announced::<Friction>()]
            .concat();
        let verbs = [MetricEvent::VARIANTS, PredictionEvent::VARIANTS, OutcomeEvent::VARIANTS, FrictionEvent::VARIANTS];
        assert_eq!(all.len(), verbs.concat().len());
        let missing: Vec<_> = all.iter().filter(|name| !crate::event::is_event(name)).collect();
        assert!(missing.is_empty(), "not in the contract: {missing:?}");
    }
}
