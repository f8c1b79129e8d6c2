//! Conversions of the roadmap's resources.

mod estimate;
mod initiative;
mod initiative_parts;
mod score;
mod strategy;

use waymark_domain::{Name, Resource, Violations, WorkspaceId};

/// The name of a resource in the same workspace, if there is a name; what is wrong is blamed on `field`.
fn sibling<T: Resource>(violations: &mut Violations, field: &str, workspace: Option<&WorkspaceId>, name: &str) -> Option<Name<T>> {
    if name.is_empty() {
        return None;
    }
    let name: Name<T> = violations.check(field, name.parse())?;
    match workspace {
        Some(workspace) if workspace != name.workspace() => {
            violations.add(field, format!("{name} is not in {workspace}"));
            None
        }
        _ => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantNames;
    use waymark_domain::Resource;
    use waymark_domain::roadmap::{Estimate, EstimateEvent, Initiative, InitiativeEvent, Product, ProductEvent};

    fn all_are_events<T: Resource>(verbs: &[&str]) {
        for verb in verbs {
            let name = format!("waymark.{}.v1.{}{verb}", T::SERVICE, T::KIND);
            assert!(crate::event::is_event(&name), "{name} is not in the contract");
        }
    }

    #[test]
    fn every_event_is_in_the_contract() {
        all_are_events::<Product>(ProductEvent::VARIANTS);
        all_are_events::<Initiative>(InitiativeEvent::VARIANTS);
        all_are_events::<Estimate>(EstimateEvent::VARIANTS);
    }
}
