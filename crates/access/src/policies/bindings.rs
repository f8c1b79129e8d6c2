//! Bindings: who has which role or audience in which workspaces, as the bindings file says.
//!
//! Who is asked for is looked up, and nobody is compared with every binding: by the name of a principal or a group, and
//! by that name with `*` in the place of a part. So is the workspace, by its id and by what stands for it (`patterns`).
//! So a file of 10,000 bindings costs what one of ten does.

mod check;
mod fields;
mod patterns;

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::identity::Identity;
use crate::like::Like;
use crate::role::Role;
use patterns::Patterns;

/// What a bindings file says.
#[derive(Debug)]
pub(super) struct Bindings {
    /// In the order of the file.
    all: Vec<Binding>,
    /// By principal or group, or by such a name with `*` as a part.
    by_member: HashMap<String, Places>,
    /// What stands for workspaces.
    patterns: Patterns,
}

/// One entry of the file.
#[derive(Debug, Clone)]
struct Binding {
    line: u64,
    gives: Granted,
}

/// Where a member is given something: places in the list of bindings.
#[derive(Debug, Default)]
struct Places {
    /// By the id of a workspace.
    named: HashMap<String, Vec<usize>>,
    /// By the place among patterns of what stands for workspaces.
    like: BTreeMap<usize, Vec<usize>>,
}

/// What a binding gives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Granted {
    /// A role.
    Role(Role),
    /// What the audience of this id in the workspace is shown.
    Audience(String),
}

/// What somebody is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What.
    pub gives: Granted,
    /// The workspace, or what stands for its id with a `*`.
    pub workspaces: String,
    /// The principal or group, or what stands for it with a `*`, to whom.
    pub member: String,
    /// The line of the binding in its file.
    pub line: u64,
}

impl Bindings {
    fn new() -> Self {
        Self { all: Vec::new(), by_member: HashMap::new(), patterns: Patterns::default() }
    }

    fn add(&mut self, binding: Binding, members: &[String], workspaces: &[String]) {
        let at = self.all.len();
        self.all.push(binding);
        for workspace in workspaces {
            let pattern = Like::parse(workspace).map(|like| self.patterns.add(like));
            for member in members {
                let places = self.by_member.entry(member.clone()).or_default();
                let there = match pattern {
                    Some(pattern) => places.like.entry(pattern).or_default(),
                    None => places.named.entry(workspace.clone()).or_default(),
                };
                there.push(at);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What somebody is given in a workspace, each once, in the order of the file.
    pub(super) fn given(&self, identity: &Identity, workspace: &str) -> Vec<&Granted> {
        let covering = self.patterns.covering(workspace);
        let mut found = Vec::new();
        self.each(identity, |_, places| {
            found.extend(places.named.get(workspace).into_iter().flatten());
            found.extend(places.covered(&covering).flat_map(|(_, all)| all));
        });
        found.sort_unstable();
        let mut before = HashSet::new();
        found.into_iter().map(|at: &usize| &self.all[*at].gives).filter(|gives| before.insert(*gives)).collect()
    }

    /// What somebody is given in a workspace, and by which member of which binding, in the order of the file.
    pub(super) fn of(&self, identity: &Identity, workspace: &str) -> Vec<Grant> {
        let covering = self.patterns.covering(workspace);
        let mut found = Vec::new();
        self.each(identity, |member, places| {
            let named = places.named.get(workspace).into_iter().flatten();
            found.extend(named.map(|at| (*at, self.grant(*at, member, workspace.to_owned()))));
            let like = places.covered(&covering).flat_map(|(pattern, all)| all.iter().map(move |at| (pattern, at)));
            found.extend(like.map(|(pattern, at)| (*at, self.grant(*at, member, self.patterns.text(pattern)))));
        });
        in_order(found)
    }

    /// What somebody is given, wherever it is, in the order of the file.
    pub(super) fn grants(&self, identity: &Identity) -> Vec<Grant> {
        let mut found = Vec::new();
        self.each(identity, |member, places| {
            let named = places.named.iter().flat_map(|(workspace, all)| all.iter().map(move |at| (workspace, at)));
            found.extend(named.map(|(workspace, at)| (*at, self.grant(*at, member, workspace.clone()))));
            let like = places.like.iter().flat_map(|(pattern, all)| all.iter().map(move |at| (*pattern, at)));
            found.extend(like.map(|(pattern, at)| (*at, self.grant(*at, member, self.patterns.text(pattern)))));
        });
        in_order(found)
    }

    fn grant(&self, at: usize, member: &str, workspaces: String) -> Grant {
        let Binding { line, gives } = &self.all[at];
        Grant { gives: gives.clone(), workspaces, member: member.to_owned(), line: *line }
    }

    /// Calls `found` with whatever there is of somebody and of each of its groups: under its name, and under that with
    /// `*` for each part that may be anything, which is mostly the same for all groups and is looked up once.
    fn each<'a>(&'a self, identity: &Identity, mut found: impl FnMut(&'a str, &'a Places)) {
        let mut find = |name: &str| {
            if let Some((member, places)) = self.by_member.get_key_value(name) {
                found(member, places);
            }
        };
        let mut starred: Vec<String> = Vec::new();
        for member in std::iter::once(&identity.principal).chain(&identity.groups) {
            let text = member.as_str();
            find(text);
            let mut start = 0;
            for (at, part) in text.split('/').enumerate() {
                let end = start + part.len();
                if at >= fixed_parts(text) {
                    let (before, after) = (&text[..start], &text[end..]);
                    let is_it = |name: &String| {
                        name.strip_prefix(before).and_then(|rest| rest.strip_prefix('*')) == Some(after)
                    };
                    if !starred.iter().any(is_it) {
                        starred.push([before, "*", after].concat());
                        find(&starred[starred.len() - 1]);
                    }
                }
                start = end + 1;
            }
        }
    }
}

impl Places {
    /// Where something is given in workspaces for which one of these patterns stands.
    fn covered<'a>(&'a self, covering: &'a [usize]) -> impl Iterator<Item = (usize, &'a [usize])> {
        covering.iter().filter_map(|pattern| Some((*pattern, self.like.get(pattern)?.as_slice())))
    }
}

/// How many parts of a principal are never `*`: what it is, and which issuer says so.
fn fixed_parts(principal: &str) -> usize {
    if principal.starts_with("services/") { 1 } else { 2 }
}

fn in_order(mut found: Vec<(usize, Grant)>) -> Vec<Grant> {
    found.sort_by(|(one, grant), (other, another)| {
        one.cmp(other).then_with(|| grant.workspaces.cmp(&another.workspaces))
    });
    found.into_iter().map(|(_, grant)| grant).collect()
}
