//! Compiles `proto/` without protoc: messages and services (tonic), canonical JSON (pbjson), the descriptor set, and
//! from its options the small implementations that would otherwise be written by hand for every message.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, MessageDescriptor};

const PACKAGES: [&str; 5] = ["common", "events", "discovery", "roadmap", "metrics"];
const OUTPUT_ONLY: i32 = 2;

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

    // BTreeMap, so that encoding a message twice gives the same bytes: the body hash of a request relies on it.
    tonic_prost_build::configure()
        .btree_map(".")
        .extern_path(".google.protobuf", "::pbjson_types")
        .compile_well_known_types(true)
        .client_mod_attribute(".", "#[cfg(feature = \"grpc\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"grpc\")]")
        .compile_fds(compiler.file_descriptor_set())?;

    let pool = DescriptorPool::decode(encoded.as_slice())?;
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
        .ignore_unknown_fields()
        .exclude(excluded)
        .build(&[".waymark"])?;

    std::fs::write(out.join("derived.rs"), derived(&pool)?)?;
    Ok(())
}

/// Implementations read off the descriptors: `Mutation` for requests that change something, `ResourceMessage` for
/// resources, and the table from an event's type name to its codec.
fn derived(pool: &DescriptorPool) -> Result<String> {
    let extension = |name: &str| pool.get_extension_by_name(name).with_context(|| format!("{name} is not declared"));
    let resource = extension("waymark.common.v1.resource")?;
    let behavior = extension("waymark.common.v1.behavior")?;
    let mut code = String::new();
    let mut arms = String::new();
    for message in pool.all_messages().filter(|m| m.package_name().starts_with("waymark.") && !m.is_map_entry()) {
        let rust = rust_path(&message);
        if message.get_field_by_name("request_id").is_some() && message.get_field_by_name("validate_only").is_some() {
            writeln!(
                code,
                "impl crate::Mutation for {rust} {{\n    const FULL_NAME: &'static str = {:?};\n    fn request_id(&self) -> &str {{ &self.request_id }}\n    fn validate_only(&self) -> bool {{ self.validate_only }}\n}}",
                message.full_name()
            )?;
        }
        if message.options().has_extension(&resource) {
            resource_message(&mut code, &message, &rust, &resource, &behavior)?;
        }
        if let Some(subject) = subject_of(&message, &resource) {
            let verb = snake(
                message.name().strip_prefix(subject.name()).context("an event is called by its resource and a verb")?,
            );
            let (name, subject) = (message.full_name(), rust_path(&subject));
            writeln!(arms, "        {name:?} => Some(crate::event::codec::<{rust}, {subject}>({verb:?})),")?;
        }
    }
    writeln!(
        code,
        "pub(crate) fn event_codec(name: &str) -> Option<crate::event::Codec> {{\n    match name {{\n{arms}        _ => None,\n    }}\n}}"
    )?;
    Ok(code)
}

/// The resource an event is about. An event message carries it in field 1, and the context of the change in field 2.
fn subject_of(message: &MessageDescriptor, resource: &ExtensionDescriptor) -> Option<MessageDescriptor> {
    let kind = |number| message.get_field(number).and_then(|f| f.kind().as_message().cloned());
    kind(2).filter(|m| m.full_name() == "waymark.common.v1.Change")?;
    kind(1).filter(|m| m.options().has_extension(resource))
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
    rust: &str,
    resource: &ExtensionDescriptor,
    behavior: &ExtensionDescriptor,
) -> Result<()> {
    let options = message.options();
    let resource = options.get_extension(resource);
    let resource: &DynamicMessage = resource.as_message().context("resource is a message")?;
    let text =
        |field: &str| resource.get_field_by_name(field).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let mut cleared = String::new();
    for field in message.fields() {
        let options = field.options();
        if options.get_extension(behavior).as_enum_number() == Some(OUTPUT_ONLY) {
            writeln!(cleared, "        self.{} = Default::default();", field.name())?;
        }
    }
    writeln!(
        code,
        "impl crate::ResourceMessage for {rust} {{
    const FULL_NAME: &'static str = {full:?};
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
{cleared}    }}
}}",
        full = message.full_name(),
        collection = text("collection"),
        singular = text("singular"),
    )?;
    Ok(())
}

/// `waymark.roadmap.v1.Product` is `crate::roadmap::v1::Product`.
fn rust_path(message: &MessageDescriptor) -> String {
    let package = message.package_name().trim_start_matches("waymark.").replace('.', "::");
    format!("crate::{package}::{}", message.name())
}
