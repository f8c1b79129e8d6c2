//! Filters as values: how they are written, and whether they hold for an initiative.

use proptest::prelude::*;
use waymark_proto::Choice as _;
use waymark_proto::common::v1 as common;
use waymark_proto::roadmap::v1 as pb;

/// Keys and values of labels.
pub const KEYS: [&str; 5] = ["team", "a.b", r#"a "b" \"#, "ключ", "'; DROP TABLE labels; --"];
pub const VALUES: [&str; 5] = ["growth", "Growth", "", "x'y\"z", "größe"];
/// Who may answer for an initiative.
pub const OWNERS: [&str; 3] = ["", "users/ada", "users/bob's"];
/// How many initiatives there may be.
pub const IDS: usize = 9;

/// A filter.
#[derive(Debug, Clone)]
pub enum Term {
    All(Vec<Term>),
    Any(Vec<Term>),
    Not(Box<Term>),
    /// The operator and value of a label.
    Label(&'static str, &'static str, &'static str),
    /// Whether a label is there: written as a key, or as a value that is present.
    HasLabel(&'static str, bool),
    AnyLabel,
    /// Whether a field refers to a target, by `:`, `=` or `!=`, with its whole name or a short one.
    Link(&'static str, &'static str, usize, bool),
    HasLink(&'static str),
    Owner(&'static str, &'static str),
    HasOwner,
    Horizon(&'static str, usize),
    Problem(usize),
    Id(usize),
}

/// Fields that refer, and what the targets of each are called.
const LINKS: [(&str, &str, &str); 5] = [
    ("product", "", "products"),
    ("dependencies", "", "initiatives"),
    ("evidence.target", "//discovery.waymark.dev/", "insights"),
    ("risks.evidence.target", "//discovery.waymark.dev/", "insights"),
    ("expected_outcome.metric", "//metrics.waymark.dev/", "metrics"),
];
/// Horizons, in the order of the contract.
pub const HORIZONS: [pb::Horizon; 3] = [pb::Horizon::Now, pb::Horizon::Next, pb::Horizon::Later];

/// Filters of any kind.
pub fn term() -> impl Strategy<Value = Term> {
    use proptest::sample::select;
    let operator = || select(&["=", "!=", "<", ">=", ":"][..]);
    let equality = || select(&["=", "!="][..]);
    let (key, path) = (|| select(&KEYS[..]), || select(&LINKS[..]).prop_map(|(path, ..)| path));
    let atom = prop_oneof![
        4 => (key(), operator(), select(&VALUES[..])).prop_map(|(key, by, value)| Term::Label(key, by, value)),
        2 => (key(), any::<bool>()).prop_map(|(key, as_key)| Term::HasLabel(key, as_key)),
        1 => Just(Term::AnyLabel),
        5 => (path(), equality(), 0..4_usize, any::<bool>()).prop_map(|(path, by, to, short)| Term::Link(path, by, to, short)),
        2 => path().prop_map(Term::HasLink),
        2 => (operator(), select(&OWNERS[1..])).prop_map(|(by, owner)| Term::Owner(by, owner)),
        1 => Just(Term::HasOwner),
        2 => (equality(), 0..3_usize).prop_map(|(by, horizon)| Term::Horizon(by, horizon)),
        1 => (0..3_usize).prop_map(Term::Problem),
        1 => (0..IDS).prop_map(Term::Id),
    ];
    atom.prop_recursive(3, 12, 3, |inner| {
        let some = || proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some().prop_map(Term::All),
            some().prop_map(Term::Any),
            inner.clone().prop_map(|term| Term::Not(Box::new(term))),
        ]
    })
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

impl Term {
    /// The filter, in a workspace.
    pub fn text(&self, workspace: &str) -> String {
        let join = |terms: &[Self], word: &str| {
            let terms: Vec<String> = terms.iter().map(|term| format!("({})", term.text(workspace))).collect();
            terms.join(word)
        };
        match self {
            Self::All(terms) => join(terms, " AND "),
            Self::Any(terms) => join(terms, " OR "),
            Self::Not(term) => format!("NOT ({})", term.text(workspace)),
            Self::Label(key, by, value) => format!("labels.{} {by} {}", quoted(key), quoted(value)),
            Self::HasLabel(key, true) => format!("labels:{}", quoted(key)),
            Self::HasLabel(key, false) => format!("labels.{}:*", quoted(key)),
            Self::AnyLabel => "labels:*".into(),
            Self::Link(path, by, to, short) => {
                let (_, host, collection) = LINKS.iter().find(|(known, ..)| known == path).unwrap();
                let name = format!("{collection}/t{to}");
                let target = if *short { name } else { format!("{host}{workspace}/{name}") };
                // A column of text is looked into by `:`.
                let by = if *by == "=" && *path != "product" && *short { ":" } else { by };
                format!("{path} {by} {}", quoted(&target))
            }
            Self::HasLink(path) => format!("{path}:*"),
            Self::Owner(by, owner) => format!("owner {by} {}", quoted(owner)),
            Self::HasOwner => "owner:*".into(),
            Self::Horizon(by, horizon) => format!("horizon {by} {}", pb::Horizon::NAMES[*horizon]),
            Self::Problem(number) => format!("problem = {number}"),
            Self::Id(id) => format!("id = i{id}"),
        }
    }

    /// Whether it holds.
    pub fn holds(&self, workspace: &str, i: &pb::Initiative) -> bool {
        let set = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        let compared = |of: Option<&String>, by: &str, value: &str| match (of, by) {
            (None, by) => by == "!=",
            (Some(of), "=") => of == value,
            (Some(of), "!=") => of != value,
            (Some(of), "<") => of.as_str() < value,
            (Some(of), ">=") => of.as_str() >= value,
            (Some(of), _) => of.to_ascii_lowercase().contains(&value.to_ascii_lowercase()),
        };
        let targets = |path: &str| -> Vec<String> {
            let of = |evidence: &[common::Evidence]| evidence.iter().map(|e| e.target.clone()).collect();
            match path {
                "product" => set(&i.product).into_iter().collect(),
                "dependencies" => i.dependencies.clone(),
                "evidence.target" => of(&i.evidence),
                "risks.evidence.target" => i.risks.iter().flat_map(|risk| of(&risk.evidence)).collect(),
                _ => i.expected_outcome.iter().map(|expected| expected.metric.clone()).collect(),
            }
        };
        match self {
            Self::All(terms) => terms.iter().all(|term| term.holds(workspace, i)),
            Self::Any(terms) => terms.iter().any(|term| term.holds(workspace, i)),
            Self::Not(term) => !term.holds(workspace, i),
            Self::Label(key, by, value) => compared(i.labels.get(*key), by, value),
            Self::HasLabel(key, _) => i.labels.contains_key(*key),
            Self::AnyLabel => !i.labels.is_empty(),
            Self::Link(path, by, to, _) => {
                let (_, host, collection) = LINKS.iter().find(|(known, ..)| known == path).unwrap();
                targets(path).contains(&format!("{host}{workspace}/{collection}/t{to}")) == (*by == "=")
            }
            Self::HasLink(path) => !targets(path).is_empty(),
            Self::Owner(by, owner) => compared(set(&i.owner).as_ref(), by, owner),
            Self::HasOwner => !i.owner.is_empty(),
            Self::Horizon(by, horizon) => (i.horizon() == HORIZONS[*horizon]) == (*by == "="),
            Self::Problem(number) => i.problem == number.to_string(),
            Self::Id(id) => i.name.ends_with(&format!("/i{id}")),
        }
    }
}
