//! The bindings file as it is written: fields, and nothing that is not one.

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::role::Role;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) bindings: Spanned<Vec<Spanned<Entry>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) role: Option<Role>,
    pub(super) audience: Option<Spanned<String>>,
    pub(super) members: Spanned<Vec<Spanned<String>>>,
    pub(super) workspaces: Spanned<Vec<Spanned<String>>>,
}
