//! Policies as they are read: parsed, named by their ids, and checked against the schema. What is wrong is told by file
//! and line, with what would be right.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr as _;

use cedar_policy::{EntityUid, Policy, PolicyId, PolicySet as CedarSet, ValidationMode, Validator};
use miette::Diagnostic;

use super::files::File;
use super::schema::Schema;
use crate::principal::Principal;
use crate::settings::SettingsError;

/// Policies that may be decided by.
#[derive(Debug)]
pub(super) struct PolicySet(CedarSet);

/// A file of policies, as text.
#[derive(Clone, Copy)]
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl PolicySet {
    /// The policies of these files, or what is wrong with the first that cannot be taken.
    pub(super) fn parse(schema: &Schema, files: &[File]) -> Result<Self, SettingsError> {
        let mut all = CedarSet::new();
        // Where each comes from, for what is told of it when it is checked.
        let mut from = BTreeMap::new();
        for file in files {
            let source = Source::new(file)?;
            for (policy, line) in source.policies()? {
                source.check_names(schema, &policy, line)?;
                let id = source.id(&policy, line)?;
                if let Some(other) = from.insert(id.clone(), source) {
                    return Err(source.wrong(
                        line,
                        format!("@id({id:?}) is also that of a policy in {}: each has its own", other.path.display()),
                    ));
                }
                all.add(policy.new_id(PolicyId::new(&id))).map_err(|error| source.wrong(line, error.to_string()))?;
            }
        }
        let result = Validator::new(schema.cedar().clone()).validate(&all, ValidationMode::Strict);
        let errors = result.validation_errors().map(|error| (error.policy_id(), error as &dyn Diagnostic));
        // A condition that can never hold, or a letter that looks like another, is a mistake as well.
        let warnings = result.validation_warnings().map(|warning| (warning.policy_id(), warning as &dyn Diagnostic));
        match errors.chain(warnings).next() {
            None => Ok(Self(all)),
            Some((id, said)) => Err(match from.get(id.to_string().as_str()) {
                Some(source) => source.told(said),
                None => SettingsError::Wrong { path: "policies".into(), line: 1, what: said.to_string() },
            }),
        }
    }

    pub(super) fn cedar(&self) -> &CedarSet {
        &self.0
    }

    /// The ids of its policies, in order.
    pub(super) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.0.policies().map(|policy| policy.id().to_string()).collect();
        ids.sort_unstable();
        ids
    }
}

impl<'a> Source<'a> {
    fn new(file: &'a File) -> Result<Self, SettingsError> {
        match std::str::from_utf8(&file.content) {
            Ok(text) => Ok(Self { path: &file.path, text }),
            Err(error) => {
                let line = line_of(&String::from_utf8_lossy(&file.content[..error.valid_up_to()]), usize::MAX);
                Err(SettingsError::Wrong { path: file.path.clone(), line, what: "it must be UTF-8".to_owned() })
            }
        }
    }

    /// The policies of the file, of which there is at least one, with the lines in which they begin.
    fn policies(self) -> Result<Vec<(Policy, u64)>, SettingsError> {
        let set = CedarSet::from_str(self.text).map_err(|error| self.told(&error))?;
        if let Some(template) = set.templates().next() {
            let line = line_of(self.text, self.text.find(&template.to_string()).unwrap_or(0));
            return Err(self.wrong(line, "a template (?principal, ?resource) is filled in by nobody: write a policy"));
        }
        if set.is_empty() {
            return Err(self.wrong(1, "it has no policy: take the file away if that is what you want"));
        }
        // They come in the order of the file, so one whose text stands in another is not taken for it.
        let mut behind = 0;
        let policies = set.policies().map(|policy| {
            let text = policy.to_string();
            let start = self.text[behind..].find(&text).map(|at| behind + at);
            if let Some(start) = start {
                behind = start + text.len();
            }
            (policy.clone(), line_of(self.text, start.unwrap_or(behind)))
        });
        Ok(policies.collect())
    }

    /// The id that decisions name the policy by.
    fn id(self, policy: &Policy, line: u64) -> Result<String, SettingsError> {
        match policy.annotation("id").map(str::trim).filter(|id| !id.is_empty()) {
            Some(id) => Ok(id.to_owned()),
            None => {
                Err(self.wrong(line, "the policy has no id: write @id(\"…\") before it, by which decisions name it"))
            }
        }
    }

    /// What the schema cannot tell: whether somebody or something that a policy names is written as such are.
    fn check_names(self, schema: &Schema, policy: &Policy, line: u64) -> Result<(), SettingsError> {
        for named in policy.entity_literals() {
            if let Some(form) = form(schema, &named) {
                return Err(self.wrong(line, format!("{named} is never one: it must be written as {form}")));
            }
        }
        Ok(())
    }

    /// What Cedar says, with what it advises.
    fn told(self, said: &dyn Diagnostic) -> SettingsError {
        let offset = said.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset());
        let place = said.labels().and_then(|mut labels| labels.next()).and_then(|label| {
            let there = self.text.get(label.offset()..label.offset() + label.len())?.lines().next()?.trim().to_owned();
            (!there.is_empty()).then(|| format!(", at `{}`", there.chars().take(60).collect::<String>()))
        });
        let advice = said.help().map(|help| format!(" ({help})"));
        let what = format!("{said}{}{}", advice.unwrap_or_default(), place.unwrap_or_default());
        self.wrong(line_of(self.text, offset), what.lines().collect::<Vec<_>>().join(" "))
    }

    fn wrong(self, line: u64, what: impl Into<String>) -> SettingsError {
        SettingsError::Wrong { path: self.path.to_owned(), line, what: what.into() }
    }
}

/// How what is named must be written, where it is not.
fn form(schema: &Schema, named: &EntityUid) -> Option<&'static str> {
    let types = &schema.types;
    let (of, text) = (named.type_name(), named.id().unescaped());
    let principal = |kind: &str| text.starts_with(kind) && Principal::parse_member(text).is_ok();
    let (right, form) = if *of == types.user {
        (principal("users/"), "User::\"users/ISSUER/SUBJECT\"")
    } else if *of == types.service_account {
        (principal("serviceAccounts/"), "ServiceAccount::\"serviceAccounts/ISSUER/NAMESPACE/NAME\"")
    } else if *of == types.service {
        (principal("services/"), "Service::\"services/NAME\"")
    } else if *of == types.group {
        (principal("groups/"), "Group::\"groups/ISSUER/GROUP\"")
    } else if *of == types.workspace {
        (is_named(text, &["workspaces"]), "Workspace::\"workspaces/ID\"")
    } else if *of == types.product {
        (is_named(text, &["workspaces", "products"]), "Product::\"workspaces/ID/products/ID\"")
    } else if *of == types.audience {
        (is_named(text, &["workspaces", "audiences"]), "Audience::\"workspaces/ID/audiences/ID\"")
    } else if *of == types.installation {
        (text == super::schema::INSTALLATION, "Installation::\"waymark\"")
    } else {
        // Actions and roles are known to the schema, and so is what is of none of these types.
        (true, "")
    };
    (!right).then_some(form)
}

/// Whether a text is a name of these collections, with an id in each.
fn is_named(text: &str, collections: &[&str]) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    parts.len() == collections.len() * 2
        && parts.chunks(2).zip(collections).all(|(part, collection)| part[0] == *collection && is_id(part[1]))
}

/// Whether a text is an id, as resources have them: a lower-case DNS label.
pub(super) fn is_id(text: &str) -> bool {
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| edge(byte) || *byte == b'-')
        && bytes.first().is_some_and(edge)
        && bytes.last().is_some_and(edge)
}

/// The line of a place in a text, from 1.
fn line_of(text: &str, offset: usize) -> u64 {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() as u64 + 1
}
