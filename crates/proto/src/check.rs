//! What a message may hold, as far as its contract says it field by field: how long texts are, how many entries there
//! are, which numbers and values, what is referred to, what must be set. Implemented by the build from the options; it
//! is asked on the way in and on the way out of the database alike. What looks at two fields, at a state or at other
//! resources is the domain's.

use std::fmt;

use waymark_domain::{AnyName, FullName, Violations, text};

use crate::Choice;

/// A message that knows what its fields may hold. Implemented by the build.
pub trait Check {
    /// Adds what is wrong with its fields, which stand at `at`. Not looked at are resources within, which are checked
    /// when they are complete, and the rows of a batch, which are checked one by one.
    fn check(&self, at: At<'_>, found: &mut Violations);
}

impl<M: Check> Check for Box<M> {
    fn check(&self, at: At<'_>, found: &mut Violations) {
        (**self).check(at, found);
    }
}

/// All that is wrong with the fields of a message.
pub fn check(message: &impl Check) -> Violations {
    let mut found = Violations::new();
    message.check(At::TOP, &mut found);
    found
}

/// The domain's value of a message, or all that is wrong with it: with its fields by themselves, and what else the
/// domain says. A field that is wrong by itself is blamed once.
pub fn parse<D, M>(message: M) -> Result<D, Violations>
where
    M: Check,
    D: TryFrom<M, Error = Violations>,
{
    let found = check(&message);
    let more = match D::try_from(message) {
        Ok(value) => return found.into_result().map(|()| value),
        Err(more) => more,
    };
    let all = found.and(more);
    // Whoever lacks a part without saying so relies on its field having been blamed.
    Err(if all.is_empty() { Violations::one("", "is not whole") } else { all })
}

/// Where a field stands, as a path that is written out only when something is wrong there.
#[derive(Clone, Copy)]
pub struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Top,
    Field(&'static str),
    Index(usize),
    Key(&'a str),
}

impl At<'_> {
    /// The message itself.
    pub const TOP: At<'static> = At { parent: None, step: Step::Top };

    /// A field of the message here.
    pub fn field(&self, name: &'static str) -> At<'_> {
        At { parent: Some(self), step: Step::Field(name) }
    }

    fn index(&self, index: usize) -> At<'_> {
        At { parent: Some(self), step: Step::Index(index) }
    }

    fn key<'a>(&'a self, key: &'a str) -> At<'a> {
        At { parent: Some(self), step: Step::Key(key) }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        let below = self.parent.is_some_and(|parent| !matches!(parent.step, Step::Top));
        let dot = if below { "." } else { "" };
        match self.step {
            Step::Top => Ok(()),
            Step::Field(name) => write!(f, "{dot}{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "{dot}{key}"),
        }
    }
}

/// How many there may be, of characters or entries.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub least: usize,
    pub most: usize,
}

/// Which numbers a field takes.
#[derive(Clone, Copy)]
pub(crate) struct NumberLimits {
    pub least: Option<f64>,
    pub above: Option<f64>,
    pub most: Option<f64>,
    /// What stands for 0, or for one that is not set.
    pub default: Option<f64>,
}

/// What a field refers to.
#[derive(Clone, Copy)]
pub(crate) struct Reference {
    pub collections: &'static [&'static str],
    /// Empty: the name is one of the same service.
    pub service: &'static str,
    pub required: bool,
}

pub(crate) fn text(text: &str, limits: Limits, at: At<'_>, found: &mut Violations) {
    let Limits { least, most } = limits;
    if let Err(error) = text::check(text, least, most) {
        found.add(at.to_string(), error.to_string());
    }
}

pub(crate) fn texts(texts: &[String], limits: Limits, at: At<'_>, found: &mut Violations) {
    for (index, one) in texts.iter().enumerate() {
        text(one, limits, at.index(index), found);
    }
}

pub(crate) fn entry_texts<'a>(
    entries: impl IntoIterator<Item = (&'a String, &'a String)>,
    keys: Limits,
    values: Limits,
    at: At<'_>,
    found: &mut Violations,
) {
    for (key, value) in entries {
        text(key, keys, at, found);
        text(value, values, at.key(key), found);
    }
}

/// Whether there are as many as there may be; of too many none is looked at.
pub(crate) fn entries(count: usize, limits: Limits, at: At<'_>, found: &mut Violations) -> bool {
    let Limits { least, most } = limits;
    let problem = match count {
        0 if least > 0 => "must not be empty".to_owned(),
        _ if count < least => format!("has {count} entries, at least {least} are needed"),
        _ if count > most => format!("has {count} entries, at most {most} are allowed"),
        _ => return true,
    };
    found.add(at.to_string(), problem);
    count <= most
}

pub(crate) fn number(value: f64, limits: NumberLimits, at: At<'_>, found: &mut Violations) {
    let NumberLimits { least, above, most, default } = limits;
    if value == 0.0 && default.is_some() {
        return;
    }
    let within = least.is_none_or(|least| value >= least)
        && above.is_none_or(|above| value > above)
        && most.is_none_or(|most| value <= most);
    if value.is_finite() && within {
        return;
    }
    let bounds = [
        least.map(|least| format!("at least {least}")),
        above.map(|above| format!("more than {above}")),
        most.map(|most| format!("at most {most}")),
    ];
    let bounds: Vec<_> = bounds.into_iter().flatten().collect();
    let unset = default.map(|default| format!(", or 0 for {default}")).unwrap_or_default();
    let must = if bounds.is_empty() { "a finite number".to_owned() } else { bounds.join(" and ") };
    found.add(at.to_string(), format!("must be {must}{unset}, is {value}"));
}

pub(crate) fn numbers(values: impl Iterator<Item = f64>, limits: NumberLimits, at: At<'_>, found: &mut Violations) {
    for (index, value) in values.enumerate() {
        number(value, limits, at.index(index), found);
    }
}

pub(crate) fn set(is_set: bool, at: At<'_>, found: &mut Violations) {
    if !is_set {
        found.add(at.to_string(), "must be set");
    }
}

/// A value of an enum: a known one, and a stated one where that is required.
pub(crate) fn choice<C: Choice>(number: i32, required: bool, at: At<'_>, found: &mut Violations) {
    let unknown = C::try_from(number).is_err();
    if unknown || (required && number == 0) {
        let is = if unknown { format!(", is {number}") } else { String::new() };
        found.add(at.to_string(), format!("must be one of {}{is}", C::NAMES.join(", ")));
    }
}

pub(crate) fn choices<C: Choice>(numbers: &[i32], at: At<'_>, found: &mut Violations) {
    for (index, number) in numbers.iter().enumerate() {
        choice::<C>(*number, true, at.index(index), found);
    }
}

pub(crate) fn name(name: &str, reference: &Reference, at: At<'_>, found: &mut Violations) {
    if name.is_empty() {
        if reference.required {
            found.add(at.to_string(), "must be set");
        }
        return;
    }
    let collection = if reference.service.is_empty() {
        name.parse::<AnyName>().map(|name| Some(name.collection))
    } else {
        let fits = |full: &FullName| reference.service == "*" || full.service == reference.service;
        name.parse::<FullName>().map(|full| fits(&full).then_some(full.name.collection))
    };
    let fits = |collection: &str| reference.collections.is_empty() || reference.collections.contains(&collection);
    match collection {
        Ok(Some(collection)) if fits(&collection) => {}
        Ok(_) => found.add(at.to_string(), format!("{name:?} is not {}", forms(reference))),
        Err(error) => found.add(at.to_string(), error.to_string()),
    }
}

pub(crate) fn names(all: &[String], reference: &Reference, at: At<'_>, found: &mut Violations) {
    for (index, one) in all.iter().enumerate() {
        name(one, &Reference { required: true, ..*reference }, at.index(index), found);
    }
}

/// The forms that a name may have.
fn forms(reference: &Reference) -> String {
    let Reference { collections, service, .. } = reference;
    let service = if *service == "*" { "{service}" } else { service };
    let host = if service.is_empty() { String::new() } else { format!("//{service}.waymark.dev/") };
    let any = ["<collection>"];
    let collections = if collections.is_empty() { &any } else { *collections };
    let forms: Vec<_> =
        collections.iter().map(|collection| format!("{host}workspaces/{{workspace}}/{collection}/{{id}}")).collect();
    format!("of the form {}", forms.join(" or "))
}

pub(crate) fn parts<M: Check>(messages: &[M], at: At<'_>, found: &mut Violations) {
    for (index, message) in messages.iter().enumerate() {
        message.check(at.index(index), found);
    }
}

pub(crate) fn part<M: Check>(message: &[M], at: At<'_>, found: &mut Violations) {
    for message in message {
        message.check(at, found);
    }
}

#[cfg(test)]
mod tests;
