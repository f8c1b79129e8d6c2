//! What can be imported by rows: every collection that the contract has batches for, and the methods of it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage as _, Value};
use waymark_proto::options;

use crate::generic::contract::{Method, Resource, contract};

/// A collection and what imports do to it.
#[derive(Debug)]
pub struct Kind {
    pub resource: &'static Resource,
    pub create: &'static Method,
    pub get: &'static Method,
    pub update: &'static Method,
    /// Fields that have a method of their own to change them, by name.
    pub setters: BTreeMap<String, &'static Method>,
    /// Fields that name others and that a method of their own adds to, by name.
    pub adders: BTreeMap<String, Adder>,
    /// What belongs to one resource of this collection and can stand in its row, with the field that says to which.
    pub parts: Vec<(&'static Kind, FieldDescriptor)>,
}

/// What adds to a field that names others.
#[derive(Debug)]
pub struct Adder {
    pub method: &'static Method,
    /// The field of its request that names one.
    pub entry: FieldDescriptor,
}

/// What a setter or an adder takes beside the field that it sets.
const BESIDE: [&str; 4] = ["name", "etag", "request_id", "validate_only"];

impl Kind {
    /// Takes out of a resource the names that a method of their own adds, by field.
    pub fn take_added(&self, of: &mut DynamicMessage) -> Vec<(String, Vec<String>)> {
        let fields = self.adders.keys().filter_map(|name| of.descriptor().get_field_by_name(name));
        let fields: Vec<FieldDescriptor> = fields.filter(|field| of.has_field(field)).collect();
        let take = |field: FieldDescriptor| {
            let names = names(&of.get_field(&field));
            of.clear_field(&field);
            (field.name().to_owned(), names)
        };
        fields.into_iter().map(take).collect()
    }
}

/// The names in a list.
pub fn names(list: &Value) -> Vec<String> {
    let texts = list.as_list().into_iter().flatten().filter_map(Value::as_str);
    texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// All of them.
pub fn kinds() -> &'static [Kind] {
    // A part of a resource has no parts in its row.
    static PARTS: LazyLock<Vec<Kind>> = LazyLock::new(|| all(&[]));
    static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| all(&PARTS));
    &KINDS
}

fn all(parts: &'static [Kind]) -> Vec<Kind> {
    contract().resources.iter().filter_map(|resource| kind(resource, parts)).collect()
}

/// The collection of a command.
pub fn of(command: &str) -> Option<&'static Kind> {
    kinds().iter().find(|kind| kind.resource.command == command)
}

fn kind(resource: &'static Resource, others: &'static [Kind]) -> Option<Kind> {
    let own = || {
        let all = contract().methods.iter();
        all.filter(|method| method.resource.as_ref().is_some_and(|of| of.message == resource.message))
    };
    let method = |command: &str| own().find(|method| method.command == command);
    let takes = |method: &'static Method| {
        let input = method.descriptor.input();
        let mut fields = input.fields().filter(|field| !BESIDE.contains(&field.name()));
        let (Some(field), None) = (fields.next(), fields.next()) else { return None };
        Some(field)
    };
    let adds = |method: &'static Method| {
        let entry = takes(method).filter(|entry| options().reference(entry).is_some())?;
        let many = |field: &FieldDescriptor| field.is_list() && options().is_output_only(field);
        let field = resource.message.fields().filter(many).find(|field| is_many(field.name(), entry.name()))?;
        let is_adder = method.command.starts_with("add-") && method.descriptor.output() == resource.message;
        is_adder.then(|| (field.name().to_owned(), Adder { method, entry }))
    };
    let sets = |method: &'static Method| {
        let field = takes(method)?;
        let known = resource.message.get_field_by_name(field.name())?;
        let same = known.kind() == field.kind() && !options().is_output_only(&known);
        (same && method.descriptor.output() == resource.message).then(|| (field.name().to_owned(), method))
    };
    Some(Kind {
        resource,
        create: method("batch-create")?,
        get: method("batch-get")?,
        update: method("batch-update")?,
        setters: own().filter_map(sets).collect(),
        adders: own().filter_map(adds).collect(),
        parts: others.iter().filter_map(|other| Some((other, belongs(other, resource)?))).collect(),
    })
}

/// Whether a name is the plural of another.
fn is_many(many: &str, one: &str) -> bool {
    many.strip_suffix('s').is_some_and(|stem| stem == one || stem.strip_suffix("ie") == one.strip_suffix('y'))
}

/// The field by which a resource says to which one of another collection it belongs, if it must belong to one.
fn belongs(kind: &Kind, to: &Resource) -> Option<FieldDescriptor> {
    kind.resource.message.fields().filter(|field| kind.resource.area == to.area && !field.is_list()).find(|field| {
        let reference = options().reference(field);
        reference.is_some_and(|it| it.required && it.service.is_empty() && it.collections == [to.collection.as_str()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initiatives_come_with_estimates_and_have_fields_with_methods_of_their_own() {
        let kind = of("initiatives").unwrap();
        let setters: Vec<(&str, &str)> =
            kind.setters.iter().map(|(field, method)| (field.as_str(), method.command.as_str())).collect();
        assert_eq!(setters, [("horizon", "move"), ("target", "schedule")]);
        let adders: Vec<(&str, &str)> =
            kind.adders.iter().map(|(field, adder)| (field.as_str(), adder.method.command.as_str())).collect();
        assert_eq!(adders, [("dependencies", "add-dependency")]);
        assert_eq!(
            kind.parts.iter().map(|(part, _)| part.resource.singular.as_str()).collect::<Vec<_>>(),
            ["estimate"]
        );
        let all: Vec<&str> = kinds().iter().map(|kind| kind.resource.command.as_str()).collect();
        for command in
            ["products", "objectives", "initiatives", "estimates", "key-results", "decisions", "opportunities"]
        {
            assert!(all.contains(&command), "{command}: {all:?}");
        }
    }
}
