//! Compiles `proto/` without protoc: messages and services (tonic), canonical JSON (pbjson), the descriptor set, and
//! from its options the small implementations that would otherwise be written by hand for every message.

#[path = "build/checks.rs"]
mod checks;
#[path = "build/choices.rs"]
mod choices;
#[path = "build/links.rs"]
mod links;
#[path = "src/options.rs"]
#[expect(dead_code, reason = "the crate asks more of it")]
mod options;
#[path = "build/standard.rs"]
mod standard;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use prost_reflect::{DescriptorPool, MessageDescriptor};

use options::{Options, ResourceOption};

/// pbjson's own prints an offset where ProtoJSON has `Z`.
const TIMESTAMP: &str = ".google.protobuf.Timestamp";

/// What pbjson reads numbers by, and what does that faster.
const NUMBERS: [&str; 2] = ["::pbjson::private::NumberDeserialize<", "crate::number::Number<"];

const PACKAGES: [&str; 7] = ["access", "common", "events", "graph", "discovery", "roadmap", "metrics"];

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").context("cargo sets OUT_DIR for build scripts")?);
    let mut files = Vec::new();
    for package in PACKAGES {
        for entry in std::fs::read_dir(root.join("waymark").join(package).join("v1"))? {
            let path = entry?.path();
            println!("cargo::rerun-if-changed={}", path.display());
            if path.extension().is_some_and(|e| e == "proto") {
                files.push(path);
            }
        }
    }
    files.sort();

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_source_info(true).include_imports(true).open_files(&files).context("compiling proto/")?;
    let encoded = compiler.encode_file_descriptor_set();
    std::fs::write(out.join("descriptor_set.bin"), &encoded)?;

    let pool = DescriptorPool::decode(encoded.as_slice())?;
    // BTreeMap, so that encoding a message twice gives the same bytes: the body hash of a request relies on it.
    let builder = tonic_prost_build::configure()
        .btree_map(".")
        .extern_path(".google.protobuf", "::pbjson_types")
        .extern_path(TIMESTAMP, "crate::Timestamp")
        .compile_well_known_types(true)
        .client_mod_attribute(".", "#[cfg(feature = \"grpc\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"grpc\")]");
    let mut config = prost_build::Config::new();
    // Most estimates have few of their sections, and whatever waits for one has room for all that is not apart.
    for section in ["ice", "wsjf", "delay", "need"] {
        config.boxed(format!(".waymark.roadmap.v1.Estimate.{section}"));
    }
    // A variant has an initiative twice.
    for initiative in ["base", "initiative"] {
        config.boxed(format!(".waymark.roadmap.v1.Variant.{initiative}"));
    }
    config.service_generator(Box::new(standard::Services::new(&pool, &builder)?));
    let messages = builder.build_client(false).build_server(false);
    messages.compile_fds_with_config(compiler.file_descriptor_set(), config)?;

    let not_stored = |m: &MessageDescriptor| m.name().ends_with("Request") || m.name().ends_with("Response");
    let excluded: Vec<String> = pool
        .all_messages()
        .filter(|m| not_stored(m) || m.package_name() == "waymark.events.v1")
        .map(|m| format!(".{}", m.full_name()))
        .collect();
    // Unknown fields are ignored: during a rolling upgrade an older replica reads what a newer one wrote. Unknown enum
    // values are not: an older replica would write their default back, which is worse than refusing.
    pbjson_build::Builder::new()
        .register_descriptors(&encoded)?
        .btree_map(["."])
        .extern_path(".google.protobuf", "::pbjson_types")
        .extern_path(TIMESTAMP, "crate::Timestamp")
        .ignore_unknown_fields()
        .exclude(excluded)
        .build(&[".waymark"])?;
    for package in PACKAGES {
        let file = out.join(format!("waymark.{package}.v1.serde.rs"));
        if file.exists() {
            std::fs::write(&file, std::fs::read_to_string(&file)?.replace(NUMBERS[0], NUMBERS[1]))?;
        }
    }

    std::fs::write(out.join("derived.rs"), derived(&pool)?)?;
    Ok(())
}

/// Implementations read off the descriptors: `Check` and `Choice`, `Mutation` for requests that change something,
/// `ResourceMessage` for resources, the standard methods, the names of events, and the table from them to their codecs.
fn derived(pool: &DescriptorPool) -> Result<String> {
    let options = Options::find(pool).context("an option of waymark.common.v1 is not declared")?;
    let mut code = String::new();
    let (mut arms, mut types) = (String::new(), Vec::new());
    for message in pool.all_messages().filter(|m| is_own(m) && !m.is_map_entry()) {
        let rust = rust_path(message.package_name(), message.name());
        if message.get_field_by_name("request_id").is_some() && message.get_field_by_name("validate_only").is_some() {
            writeln!(
                code,
                "impl crate::Mutation for {rust} {{\n    const FULL_NAME: &'static str = {:?};\n    fn request_id(&self) -> &str {{ &self.request_id }}\n    fn validate_only(&self) -> bool {{ self.validate_only }}\n}}",
                message.full_name()
            )?;
        }
        if let Some(resource) = options.resource(&message) {
            resource_message(&mut code, &message, &resource, &options)?;
            standard::conversions(&mut code, &message, &resource)?;
        }
        if let Some(subject) = subject_of(&message, &options) {
            let verb = snake(verb(&message, &subject)?);
            let (name, subject) = (message.full_name(), rust_path(subject.package_name(), subject.name()));
            types.push(name.to_owned());
            writeln!(arms, "        {name:?} => Some(crate::event::codec::<{rust}, {subject}>({verb:?})),")?;
        }
    }
    checks::checks(&mut code, pool, &options)?;
    for of in pool.all_enums().filter(|of| of.package_name().starts_with("waymark.")) {
        choices::choice(&mut code, &of, &options)?;
    }
    writeln!(
        code,
        "pub(crate) fn event_codec(name: &str) -> Option<crate::event::Codec> {{\n    match name {{\n{arms}        _ => None,\n    }}\n}}"
    )?;
    writeln!(code, "pub(crate) const EVENT_TYPES: &[&str] = &{types:?};")?;
    Ok(code)
}

fn is_own(message: &MessageDescriptor) -> bool {
    message.package_name().starts_with("waymark.")
}

/// The resource an event is about. An event message carries it in field 1, and the context of the change in field 2.
fn subject_of(message: &MessageDescriptor, options: &Options) -> Option<MessageDescriptor> {
    let kind = |number| message.get_field(number).and_then(|f| f.kind().as_message().cloned());
    kind(2).filter(|m| m.full_name() == "waymark.common.v1.Change")?;
    kind(1).filter(|m| options.resource(m).is_some())
}

/// What an event says of its subject: `Shipped` is what InitiativeShipped says.
fn verb<'a>(event: &'a MessageDescriptor, subject: &MessageDescriptor) -> Result<&'a str> {
    event.name().strip_prefix(subject.name()).context("an event is called by its resource and a verb")
}

/// Writes `VERBS` and `EVENTS` of a resource.
fn events(code: &mut String, resource: &MessageDescriptor, options: &Options) -> Result<()> {
    let all: Vec<_> = resource.parent_pool().all_messages().filter(is_own).collect();
    let about: Vec<_> = all.iter().filter(|event| subject_of(event, options).as_ref() == Some(resource)).collect();
    let verbs: Vec<_> = about.iter().map(|event| verb(event, resource)).collect::<Result<_>>()?;
    let events: Vec<_> = about.iter().map(|event| event.full_name()).collect();
    writeln!(code, "    const VERBS: &'static [&'static str] = &{verbs:?};")?;
    writeln!(code, "    const EVENTS: &'static [&'static str] = &{events:?};")?;
    Ok(())
}

/// `WaiverSigned` → `waiver_signed`.
fn snake(camel: &str) -> String {
    let mut text = String::with_capacity(camel.len() + 2);
    for (i, c) in camel.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

fn resource_message(
    code: &mut String,
    message: &MessageDescriptor,
    resource: &ResourceOption,
    options: &Options,
) -> Result<()> {
    let ResourceOption { collection, singular, .. } = resource;
    let rust = rust_path(message.package_name(), message.name());
    let mut cleared = String::new();
    for field in message.fields().filter(|field| options.is_output_only(field)) {
        writeln!(cleared, "        self.{} = Default::default();", field.name())?;
    }
    writeln!(
        code,
        "impl crate::ResourceMessage for {rust} {{
    const FULL_NAME: &'static str = {full:?};
    const KIND: &'static str = {kind:?};
    const COLLECTION: &'static str = {collection:?};
    const SINGULAR: &'static str = {singular:?};
    fn standard(&self) -> crate::Standard {{
        crate::Standard {{
            name: self.name.clone(), uid: self.uid.clone(), display_name: self.display_name.clone(), etag: self.etag.clone(),
            create_time: self.create_time, update_time: self.update_time, delete_time: self.delete_time,
            labels: self.labels.clone(),
        }}
    }}
    fn set_standard(&mut self, standard: crate::Standard) {{
        let crate::Standard {{ name, uid, display_name, etag, create_time, update_time, delete_time, labels }} = standard;
        self.name = name; self.uid = uid; self.display_name = display_name; self.etag = etag;
        self.create_time = create_time; self.update_time = update_time; self.delete_time = delete_time; self.labels = labels;
    }}
    fn clear_output_only(&mut self) {{
{cleared}    }}",
        full = message.full_name(),
        kind = message.name(),
    )?;
    events(code, message, options)?;
    links::links(code, message, options)?;
    standard::methods(code, message, resource)?;
    writeln!(code, "}}")?;
    Ok(())
}

/// `Product` of `waymark.roadmap.v1` is `crate::roadmap::v1::Product`.
fn rust_path(package: &str, name: &str) -> String {
    let package = package.trim_start_matches("waymark.").replace('.', "::");
    format!("crate::{package}::{name}")
}
