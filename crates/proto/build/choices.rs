//! `Choice` for each enum of the contract: its values by name.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use prost_reflect::EnumDescriptor;

use super::options::Options;
use super::rust_path;

pub fn choice(code: &mut String, of: &EnumDescriptor, options: &Options) -> Result<()> {
    let rust = rust_path(of.package_name(), of.name());
    let prefix = format!("{}_", super::snake(of.name()).to_ascii_uppercase());
    let mut names = Vec::new();
    for (number, value) in of.values().enumerate() {
        ensure!(value.number() as usize == number, "{}: its values are numbered 0, 1, 2 and so on", of.full_name());
        let name = value.name().strip_prefix(&prefix);
        names.push(name.with_context(|| format!("{} does not begin with {prefix}", value.name()))?.to_owned());
    }
    ensure!(names.first().is_some_and(|name| name == "UNSPECIFIED"), "{}: 0 is UNSPECIFIED", of.full_name());
    let unstated = match options.unstated(of) {
        None => 0,
        Some(name) => {
            let number = names.iter().position(|known| *known == name);
            number.with_context(|| format!("{}: {name} is not a value of it", of.full_name()))?
        }
    };
    writeln!(
        code,
        "impl crate::Choice for {rust} {{\n    const NAMES: &'static [&'static str] = &{names:?};\n    const UNSTATED: i32 = {unstated};\n}}",
        names = &names[1..],
    )?;
    Ok(())
}
