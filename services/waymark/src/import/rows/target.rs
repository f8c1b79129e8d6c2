//! Where in a resource, or in what belongs to it, something of a row goes.

use prost_reflect::{FieldDescriptor, Kind as Type, MessageDescriptor};
use waymark_proto::options;

use super::kind::Kind;
use crate::generic::contract::is_plain;
use waymark_domain::text::nearest;

/// A place in a resource.
#[derive(Debug, Clone)]
pub struct Target {
    /// Which of what the row makes: 0 is the resource, what follows its parts.
    pub of: usize,
    /// The names of the fields that lead there, and the key of an entry.
    pub steps: Vec<String>,
    /// The last field.
    pub field: FieldDescriptor,
    /// How many of the steps are messages that are within the resource.
    pub depth: usize,
}

impl Target {
    /// The place that a path such as `target.start`, `labels.team` or `estimate.reach.point` leads to; what is wrong with
    /// the path when it leads nowhere.
    pub fn new(kind: &Kind, path: &str) -> Result<Self, String> {
        let message = &kind.resource.message;
        if let (first, Some(rest)) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)))
            && find(message, first).is_none()
            && let Some(of) = kind.parts.iter().position(|(part, _)| part.resource.singular == first)
        {
            return within(&kind.parts[of].0.resource.message, rest, of + 1)
                .map_err(|problem| format!("{first}.{problem}"));
        }
        within(message, path, 0)
    }

    /// The path, as it is written.
    pub fn path(&self, kind: &Kind) -> String {
        let part = self.of.checked_sub(1).and_then(|of| kind.parts.get(of));
        let steps = part.map(|(part, _)| part.resource.singular.as_str()).into_iter();
        steps.chain(self.steps.iter().map(String::as_str)).collect::<Vec<_>>().join(".")
    }

    /// Whether it is the entry of a map.
    pub fn is_entry(&self) -> bool {
        self.field.is_map() && self.steps.len() > self.depth + 1
    }

    /// Whether it is a field whose entries a method of its own adds.
    pub fn is_added(&self, kind: &Kind) -> bool {
        self.of == 0 && matches!(self.steps.as_slice(), [field] if kind.adders.contains_key(field))
    }

    /// Whether the service alone sets what stands there.
    pub fn is_output_only(&self, kind: &Kind) -> bool {
        if self.is_added(kind) {
            return false;
        }
        let resource =
            self.of.checked_sub(1).and_then(|of| kind.parts.get(of)).map_or(kind.resource, |(part, _)| part.resource);
        let mut message = Some(resource.message.clone());
        self.steps.iter().any(|step| {
            let field = message.as_ref().and_then(|message| message.get_field_by_name(step));
            message = field.as_ref().and_then(|field| field.kind().as_message().cloned());
            field.is_some_and(|field| matches!(field.name(), "etag") || options().is_output_only(&field))
        })
    }
}

fn find(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name))
}

fn within(message: &MessageDescriptor, path: &str, of: usize) -> Result<Target, String> {
    let (mut message, mut rest, mut steps) = (message.clone(), path, Vec::new());
    loop {
        let (name, after) = rest.split_once('.').map_or((rest, None), |(name, after)| (name, Some(after)));
        let Some(field) = find(&message, name) else {
            let known: Vec<String> = message.fields().map(|field| field.name().to_owned()).collect();
            let advice = match nearest(name, known.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("its fields are {}", known.join(", ")),
            };
            return Err(format!("{path}: {name} is no field of {}; {advice}", message.name()));
        };
        let depth = steps.len();
        steps.push(field.name().to_owned());
        let Some(after) = after else { return Ok(Target { of, steps, field, depth }) };
        if field.is_map() {
            steps.push(after.to_owned());
            return Ok(Target { of, steps, field, depth });
        }
        let inner = match field.kind() {
            Type::Message(inner) if !field.is_list() && !is_plain(&field.kind()) => inner,
            _ => return Err(format!("{path}: there are no fields within {}", field.name())),
        };
        (message, rest) = (inner, after);
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind;
    use super::*;

    #[test]
    fn paths_lead_into_messages_maps_and_what_belongs_to_a_resource() {
        let kind = kind::of("initiatives").unwrap();
        let steps = |path: &str| Target::new(kind, path).map(|target| (target.of, target.steps));
        let own = |steps: &[&str]| Ok((0, steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>()));
        assert_eq!(steps("displayName"), own(&["display_name"]));
        assert_eq!(steps("target.start"), own(&["target", "start"]));
        assert_eq!(steps("labels.a.b"), own(&["labels", "a.b"]));
        assert_eq!(Target::new(kind, "estimate.reach.point").unwrap().path(kind), "estimate.reach.point");
        assert_eq!(Target::new(kind, "estimate.reach.point").unwrap().of, 1);
        assert_eq!(steps("horizn").unwrap_err(), "horizn: horizn is no field of Initiative; did you mean horizon?");
        let wrong = steps("estimate.reach.points").unwrap_err();
        assert_eq!(wrong, "estimate.reach.points: points is no field of Factor; did you mean point?");
        assert_eq!(steps("owner.name").unwrap_err(), "owner.name: there are no fields within owner");
        let output = |path: &str| Target::new(kind, path).unwrap().is_output_only(kind);
        assert!(output("state") && output("priority.score.low") && output("estimate.score"));
        assert!(!output("dependencies") && !output("target.start") && !output("estimate.reach.point"));
    }
}
