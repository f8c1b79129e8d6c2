//! `Check` for each message that has anything to check, from the options of its fields.

use std::collections::HashSet;
use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use super::options::{Limits, Options, Reference};
use super::{is_own, rust_path, snake};

/// No limit stated.
const ANY: Limits = Limits { least: 0, most: u32::MAX };

/// Writes the implementations, and for the rest of the code what an option says.
pub fn checks(code: &mut String, pool: &DescriptorPool, options: &Options) -> Result<()> {
    let checked = checked(pool, options)?;
    for message in pool.all_messages().filter(|message| checked.contains(message.full_name())) {
        let rust = rust_path(message.package_name(), message.name());
        let mut body = String::new();
        for field in message.fields() {
            let lines = lines(&field, options, &checked)?;
            if !lines.is_empty() {
                writeln!(body, "        {}", on_value(&field, &lines.join(" ")))?;
            }
        }
        let unused = if body.is_empty() { "let _ = (at, found);" } else { "" };
        writeln!(
            code,
            "impl crate::Check for {rust} {{\n    fn check(&self, at: crate::check::At<'_>, found: &mut waymark_domain::Violations) {{{unused}\n{body}    }}\n}}"
        )?;
        constants(code, &message, &rust, options)?;
    }
    Ok(())
}

/// Messages that are asked: resources and requests, and those within them that have anything to check.
fn checked(pool: &DescriptorPool, options: &Options) -> Result<HashSet<String>> {
    let own: Vec<_> = pool.all_messages().filter(|m| is_own(m) && !m.is_map_entry()).collect();
    let asked = |m: &MessageDescriptor| options.resource(m).is_some() || m.name().ends_with("Request");
    let mut checked: HashSet<String> = own.iter().filter(|m| asked(m)).map(|m| m.full_name().to_owned()).collect();
    loop {
        let before = checked.len();
        for message in own.iter().filter(|m| !m.name().ends_with("Response")) {
            for field in message.fields() {
                if !lines(&field, options, &checked)?.is_empty() {
                    checked.insert(message.full_name().to_owned());
                }
            }
        }
        if checked.len() == before {
            return Ok(checked);
        }
    }
}

/// What is asked of a field, as statements about `value`, which is its value or a reference to it.
fn lines(field: &FieldDescriptor, options: &Options, checked: &HashSet<String>) -> Result<Vec<String>> {
    let required = options.is_required(field) && !options.is_output_only(field);
    let each = each(field, required, options, checked)?;
    let many = field.is_list() || field.is_map();
    let entries = options.entries(field).or((required && many).then_some(Limits { least: 1, ..ANY }));
    let Some(limits) = entries else { return Ok(each) };
    ensure!(many, "{}: entries of a single value", field.full_name());
    let (limits, each) = (limits_of(limits), each.join(" "));
    let at = format!("at.field({:?}), found", field.name());
    Ok(vec![format!("if crate::check::entries(value.len(), {limits}, {at}) {{ {each} }}")])
}

/// What is asked of the value of a field, or of each of its values.
fn each(field: &FieldDescriptor, required: bool, options: &Options, checked: &HashSet<String>) -> Result<Vec<String>> {
    let at = format!("at.field({:?}), found", field.name());
    let mut lines = Vec::new();
    let text = options.text(field);
    if field.is_map() {
        if text.is_some() || options.keys(field).is_some() {
            let (keys, values) = (options.keys(field).unwrap_or(ANY), text.unwrap_or(ANY));
            lines.push(format!("crate::check::entry_texts(value, {}, {}, {at});", limits_of(keys), limits_of(values)));
        }
        return Ok(lines);
    }
    let many = if field.is_list() { "s" } else { "" };
    match field.kind() {
        Kind::String => {
            if let Some(reference) = options.reference(field) {
                lines.push(format!("crate::check::name{many}(value, &{}, {at});", reference_of(&reference)));
            } else if text.is_some() || (required && !field.is_list()) {
                let limits = text.unwrap_or(ANY);
                let least = if required && !field.is_list() { limits.least.max(1) } else { limits.least };
                lines
                    .push(format!("crate::check::text{many}(value, {}, {at});", limits_of(Limits { least, ..limits })));
            }
        }
        Kind::Enum(of) if is_own_package(of.package_name()) => {
            let of = rust_path(of.package_name(), of.name());
            lines.push(if field.is_list() {
                format!("crate::check::choices::<{of}>(value, {at});")
            } else {
                format!("crate::check::choice::<{of}>(*value, {required}, {at});")
            });
        }
        Kind::Message(of) => {
            if required && !field.is_list() {
                lines.push(format!("crate::check::set(value.is_some(), {at});"));
            }
            // Resources are judged when they are complete, the rows of a batch one by one.
            let later = options.resource(&of).is_some() || of.name().ends_with("Request");
            if checked.contains(of.full_name()) && !later {
                let each = if field.is_list() { "value" } else { "value.as_slice()" };
                let parts = if field.is_list() { "parts" } else { "part" };
                lines.push(format!("crate::check::{parts}({each}, {at});"));
            }
        }
        Kind::Double | Kind::Int32 | Kind::Int64 => {
            let optional = field.field_descriptor_proto().proto3_optional();
            if required {
                ensure!(optional, "{}: a number that must be set is optional", field.full_name());
                lines.push(format!("crate::check::set(value.is_some(), {at});"));
            }
            let limits = options.number(field);
            if limits.is_some() || field.kind() == Kind::Double {
                let limits = limits.as_ref();
                let of =
                    |part: fn(&super::options::NumberLimits) -> Option<f64>| format!("{:?}", limits.and_then(part));
                // One that can be told from not set is no default, be it 0.
                let default = if optional { "None".to_owned() } else { of(|l| l.default) };
                let limits = format!(
                    "crate::check::NumberLimits {{ least: {}, above: {}, most: {}, default: {} }}",
                    of(|l| l.least),
                    of(|l| l.above),
                    of(|l| l.most),
                    default,
                );
                lines.push(if field.is_list() {
                    format!("crate::check::numbers(value.iter().map(|value| *value as f64), {limits}, {at});")
                } else if optional {
                    format!("if let Some(value) = value {{ crate::check::number(*value as f64, {limits}, {at}); }}")
                } else {
                    format!("crate::check::number(*value as f64, {limits}, {at});")
                });
            }
        }
        _ => {}
    }
    if lines.is_empty() && (text.is_some() || options.number(field).is_some()) {
        bail!("{}: its option is not one for its type", field.full_name());
    }
    Ok(lines)
}

/// The statement with the field's value at hand. A field of a oneof is looked at when it is the one that is set.
fn on_value(field: &FieldDescriptor, line: &str) -> String {
    let Some((variant, oneof)) = variant(field) else {
        return format!("{{ let value = &self.{}; {line} }}", field.name());
    };
    let line = line.replace("value.as_slice()", "std::slice::from_ref(value)");
    format!("if let Some({variant}(value)) = &self.{oneof} {{ {line} }}")
}

/// The path of the variant that a field of a oneof is, and the name of the oneof.
pub fn variant(field: &FieldDescriptor) -> Option<(String, String)> {
    let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic())?;
    let parent = field.parent_message();
    let path = rust_path(parent.package_name(), &snake(parent.name()));
    Some((format!("{path}::{}::{}", camel(oneof.name()), camel(field.name())), oneof.name().to_owned()))
}

/// `window_days_or_default` for a number that something stands for; `LEARNINGS_MOST` for how many there may be, of
/// characters in a text or of entries.
fn constants(code: &mut String, message: &MessageDescriptor, rust: &str, options: &Options) -> Result<()> {
    for field in message.fields() {
        let text = options.text(&field).filter(|_| !field.is_list() && !field.is_map());
        if let Some(Limits { most, .. }) = options.entries(&field).or(text) {
            let name = field.name();
            writeln!(
                code,
                "impl {rust} {{\n    /// The most that `{name}` may have.\n    pub const {}_MOST: usize = {most};\n}}",
                name.to_ascii_uppercase()
            )?;
        }
        let Some(default) = options.number(&field).and_then(|limits| limits.default) else { continue };
        let (name, kind) = (field.name(), field.kind());
        let rust_type = match kind {
            Kind::Int32 => "i32",
            Kind::Int64 => "i64",
            Kind::Double => "f64",
            _ => bail!("{}: a default for a type that has none", field.full_name()),
        };
        let value = if field.field_descriptor_proto().proto3_optional() {
            format!("self.{name}.unwrap_or({default} as {rust_type})")
        } else {
            format!("if self.{name} == 0 as {rust_type} {{ {default} as {rust_type} }} else {{ self.{name} }}")
        };
        writeln!(
            code,
            "impl {rust} {{\n    /// `{name}`, or what stands for it when it is not set.\n    pub fn {name}_or_default(&self) -> {rust_type} {{ {value} }}\n}}"
        )?;
    }
    Ok(())
}

fn limits_of(Limits { least, most }: Limits) -> String {
    format!("crate::check::Limits {{ least: {least}, most: {most} }}")
}

fn reference_of(Reference { collections, service, required, .. }: &Reference) -> String {
    format!("crate::check::Reference {{ collections: &{collections:?}, service: {service:?}, required: {required} }}")
}

fn is_own_package(package: &str) -> bool {
    package.starts_with("waymark.")
}

/// `factor_source` → `FactorSource`.
fn camel(snake: &str) -> String {
    let mut text = String::with_capacity(snake.len());
    for word in snake.split('_') {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}
