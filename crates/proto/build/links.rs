//! The references of each resource, read off the options of its fields and of the messages within it.

use std::fmt::Write as _;

use anyhow::Result;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::checks::variant;
use super::is_own;
use super::options::{Integrity, Options, Reference};

/// What is known of the references of one resource: their declarations, and the statements that visit them.
#[derive(Default)]
struct Found {
    declarations: Vec<String>,
    visits: String,
}

/// Writes `LINKS` and `links` of a resource.
pub fn links(code: &mut String, message: &MessageDescriptor, options: &Options) -> Result<()> {
    let mut found = Found::default();
    walk(
        &mut found,
        message,
        &Place { of: "self", path: &[], above: &[], lax: Integrity::default(), given: true },
        options,
    )?;
    let Found { declarations, visits } = found;
    writeln!(
        code,
        "    const LINKS: &'static [crate::links::LinkField] = &[{}];\n    fn links(&self, visit: &mut dyn FnMut(&'static crate::links::LinkField, &str)) {{\n        let _ = &visit;\n{visits}    }}",
        declarations.join(", ")
    )?;
    Ok(())
}

/// Where a message stands in a resource.
struct Place<'a> {
    /// A reference to it.
    of: &'a str,
    /// The fields that lead to it.
    path: &'a [FieldDescriptor],
    /// The messages it stands in.
    above: &'a [String],
    /// What is held true of all references there.
    lax: Integrity,
    /// Whether callers set it.
    given: bool,
}

/// Visits what a message refers to, and what the messages within it do.
fn walk(found: &mut Found, message: &MessageDescriptor, place: &Place<'_>, options: &Options) -> Result<()> {
    if place.above.iter().any(|name| name == message.full_name()) {
        return Ok(());
    }
    let above = [place.above, &[message.full_name().to_owned()]].concat();
    for field in message.fields() {
        let path = [place.path, std::slice::from_ref(&field)].concat();
        let value = format!("v{}", path.len());
        let stated = options.reference(&field);
        let Integrity { keeps, unverified, .. } = place.lax;
        let own = stated.as_ref().map(|reference| reference.integrity).unwrap_or_default();
        let given = place.given && !options.is_output_only(&field);
        let lax =
            Integrity { keeps: keeps || own.keeps, unverified: unverified || own.unverified, acyclic: own.acyclic };
        let visits = match (field.kind(), stated) {
            (Kind::String, Some(reference)) => {
                let index = found.declarations.len();
                found.declarations.push(declaration(&path, &reference, lax, given));
                format!("visit(&Self::LINKS[{index}], {value});")
            }
            (Kind::Message(inner), _) if is_own(&inner) && !field.is_map() && options.resource(&inner).is_none() => {
                let mut below = Found { declarations: std::mem::take(&mut found.declarations), visits: String::new() };
                walk(&mut below, &inner, &Place { of: &value, path: &path, above: &above, lax, given }, options)?;
                found.declarations = below.declarations;
                below.visits
            }
            _ => String::new(),
        };
        if !visits.is_empty() {
            writeln!(found.visits, "        {}", each(&field, place.of, &value, &visits))?;
        }
    }
    Ok(())
}

/// The statements for each value of a field, as `value`.
fn each(field: &FieldDescriptor, of: &str, value: &str, statements: &str) -> String {
    if let Some((variant, oneof)) = variant(field) {
        return format!("if let Some({variant}({value})) = &{of}.{oneof} {{ {statements} }}");
    }
    if field.is_list() {
        format!("for {value} in &{of}.{} {{ {statements} }}", field.name())
    } else if field.kind().as_message().is_some() {
        format!("if let Some({value}) = &{of}.{} {{ {statements} }}", field.name())
    } else {
        format!("{{ let {value} = &{of}.{}; {statements} }}", field.name())
    }
}

fn declaration(path: &[FieldDescriptor], Reference { service, .. }: &Reference, lax: Integrity, given: bool) -> String {
    let Integrity { keeps, unverified, acyclic } = lax;
    let names: Vec<&str> = path.iter().map(FieldDescriptor::name).collect();
    let steps: Vec<(&str, bool)> = path.iter().map(|field| (field.json_name(), field.is_list())).collect();
    format!(
        "crate::links::LinkField {{ path: {:?}, steps: &{steps:?}, service: {service:?}, keeps: {keeps}, unverified: {unverified}, acyclic: {acyclic}, given: {given} }}",
        names.join(".")
    )
}
