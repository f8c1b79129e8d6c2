//! Reads a bindings file: what its fields must be for each other.

use std::path::Path;

use serde_saphyr::Spanned;

use super::{Binding, Bindings, Granted, fields, fixed_parts};
use crate::policies::set::is_id;
use crate::principal::Principal;
use crate::settings::{Checked, SettingsError, wrong, yaml};

impl Bindings {
    /// Reads what stands in the file at `path`.
    pub(in crate::policies) fn parse(path: &Path, content: &[u8]) -> Result<Self, SettingsError> {
        let fields: fields::File = yaml(path, content)?;
        file(fields).map_err(|wrong| wrong.of(path))
    }
}

fn file(file: fields::File) -> Checked<Bindings> {
    if file.bindings.value.is_empty() {
        return wrong(&file.bindings, "bindings: nobody could do anything: name who has which role where");
    }
    let mut bindings = Bindings::new();
    for entry in file.bindings.value {
        let line = entry.referenced.line();
        let gives = gives(&entry)?;
        let members = all("members", &entry.value.members, member)?;
        let workspaces = all("workspaces", &entry.value.workspaces, workspace)?;
        bindings.add(Binding { line, gives }, &members, &workspaces);
    }
    Ok(bindings)
}

fn gives(entry: &Spanned<fields::Entry>) -> Checked<Granted> {
    match (entry.value.role, &entry.value.audience) {
        (Some(role), None) => Ok(Granted::Role(role)),
        (None, Some(audience)) if is_id(&audience.value) => Ok(Granted::Audience(audience.value.clone())),
        (None, Some(audience)) => {
            wrong(audience, format!("audience: it must be the id of one, such as customers, not {:?}", audience.value))
        }
        (None, None) | (Some(_), Some(_)) => {
            wrong(entry, "a binding gives a `role` or an `audience`: name one of them")
        }
    }
}

fn all(
    field: &str,
    said: &Spanned<Vec<Spanned<String>>>,
    check: impl Fn(&Spanned<String>) -> Checked<()>,
) -> Checked<Vec<String>> {
    if said.value.is_empty() {
        return wrong(said, format!("{field}: name at least one, or take the binding away"));
    }
    said.value.iter().try_for_each(check)?;
    let mut names: Vec<String> = said.value.iter().map(|name| name.value.clone()).collect();
    // Who is named twice has it once.
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn member(said: &Spanned<String>) -> Checked<()> {
    const FORM: &str = "each must be written as groups/ISSUER/GROUP, users/ISSUER/SUBJECT, serviceAccounts/ISSUER/NAMESPACE/NAME or \
                        services/NAME, of ASCII letters, digits and -._~@+=:|, other bytes as %XX; one part behind ISSUER may be *";
    let parts: Vec<&str> = said.value.split('/').collect();
    let wild: Vec<usize> = parts.iter().enumerate().filter(|(_, part)| part.contains('*')).map(|(at, _)| at).collect();
    let right = match wild.as_slice() {
        [] => true,
        [at] => parts[*at] == "*" && *at >= fixed_parts(&said.value),
        _ => false,
    };
    // Written as a principal is, whatever stands for the part that may be anything.
    if right && Principal::parse_member(&said.value.replace('*', "x")).is_ok() {
        return Ok(());
    }
    wrong(said, format!("members: {FORM}: {:?} is not", said.value))
}

fn workspace(said: &Spanned<String>) -> Checked<()> {
    let id = &said.value;
    // What stands for the rest of it makes an id of it.
    if id == "*" || is_id(&id.replacen('*', "x", 1)) {
        return Ok(());
    }
    let what = "each must be the id of one, such as acme, of lower-case letters, digits and hyphens, in which one * stands for any, \
                or \"*\" for all";
    wrong(said, format!("workspaces: {what}: {id:?} is not"))
}
