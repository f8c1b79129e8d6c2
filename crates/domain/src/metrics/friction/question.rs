//! The question about a path: its steps, the time there is for them, and who is counted. Never answers it.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};
use uuid::Uuid;

use super::super::{Condition, NumberOrder, PropertyFilter, Scalar};
use crate::ResourceId;
use crate::name::NameError;

const ENTRY_DAYS: i64 = 366;
/// Characters of a name in a sentence.
const MENTION: usize = 80;

/// Where users may leave, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The path.
    pub path: Path,
    /// When users enter it.
    pub entries: Entries,
    /// Where to look for what those who leave have in common.
    pub properties: Properties,
    /// How many users it takes to say something.
    pub min_users: MinUsers,
    /// What comes after what of events that lie close together.
    pub ties: Ties,
}

/// Steps through the product, and the time there is for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    steps: Vec<Step>,
    window: Window,
}

/// What reaches a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    event: String,
    filters: Vec<PropertyFilter>,
}

/// Whole days of 24 hours from entering a path to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(u16);

/// When users enter a path: from its start up to but without its end, at most 366 days later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entries {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

/// What comes after what of events that lie close together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Ties {
    /// Events at one moment come one after the other, whichever way leads furthest: times in whole seconds put what was
    /// done within a second at one moment.
    Inclusive,
    /// Only what is later comes after.
    Exclusive,
    /// As inclusive, of all events within a second of the clock: those of different machines are a little off.
    Second,
}

/// Different properties.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(Vec<String>);

/// How many users it takes to say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinUsers(u32);

/// Why a question is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QuestionError {
    /// Nothing between the ends.
    #[error("must be later than start_time")]
    Empty,
    /// More than anybody looks back on.
    #[error("must be at most {ENTRY_DAYS} days after start_time")]
    TooLong,
    /// The same property twice.
    #[error("names {0:?} twice")]
    Repeated(String),
}

impl Step {
    /// A step that an event of this name reaches when it meets all of these filters.
    pub fn new(event: String, filters: Vec<PropertyFilter>) -> Self {
        Self { event, filters }
    }

    /// The event's name.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// What it must meet.
    pub fn filters(&self) -> &[PropertyFilter] {
        &self.filters
    }
}

impl Window {
    /// So many days.
    pub fn new(days: u16) -> Self {
        Self(days)
    }

    /// How many days.
    pub fn days(self) -> u16 {
        self.0
    }

    /// The same as a length of time.
    pub fn length(self) -> TimeDelta {
        TimeDelta::days(self.0.into())
    }
}

impl Path {
    /// These steps, to be done within the window.
    pub fn new(steps: Vec<Step>, window: Window) -> Self {
        Self { steps, window }
    }

    /// The steps; at least 2.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The time there is.
    pub fn window(&self) -> Window {
        self.window
    }

    /// The event that enters the path.
    pub fn entry(&self) -> &str {
        self.steps.first().map_or("", Step::event)
    }

    /// The event at its end.
    pub fn goal(&self) -> &str {
        self.steps.last().map_or("", Step::event)
    }

    /// What it is called when nobody says otherwise.
    pub fn title(&self) -> String {
        format!("From {} to {}", mention(self.entry()), mention(self.goal()))
    }

    /// The id of the friction that asks about this path: the same path has the same id, on every machine and in every
    /// release.
    pub fn id(&self) -> Result<ResourceId, NameError> {
        let mut text = self.window.0.to_string();
        for Step { event, filters } in &self.steps {
            spell(&mut text, "step", &[event]);
            for filter in filters {
                let (condition, values) = spelled(filter.condition());
                spell(&mut text, "where", &[filter.property(), condition]);
                spell(&mut text, "", &values);
            }
        }
        Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).simple().to_string().parse()
    }
}

impl Entries {
    /// From `start` up to but without `end`.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Self, QuestionError> {
        if end <= start {
            return Err(QuestionError::Empty);
        }
        if end - start > TimeDelta::days(ENTRY_DAYS) {
            return Err(QuestionError::TooLong);
        }
        Ok(Self { start, end })
    }

    /// First moment, included.
    pub fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// First moment after.
    pub fn end(&self) -> DateTime<Utc> {
        self.end
    }
}

impl Properties {
    /// These properties.
    pub fn new(names: Vec<String>) -> Result<Self, QuestionError> {
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                return Err(QuestionError::Repeated(name.clone()));
            }
        }
        Ok(Self(names))
    }

    /// Their names.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl MinUsers {
    /// So many.
    pub fn new(users: u32) -> Self {
        Self(users)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Whether a part of `all` users can be compared with the rest: both are enough.
    pub fn compare(self, part: u64, all: u64) -> bool {
        let least = u64::from(self.0);
        part >= least && all.saturating_sub(part) >= least
    }
}

/// What a condition is called in ids, and its values.
fn spelled(condition: &Condition) -> (&'static str, Vec<String>) {
    let values = |scalars: &[Scalar]| scalars.iter().map(scalar).collect();
    match condition {
        Condition::AnyOf(scalars) => ("any", values(scalars)),
        Condition::NoneOf(scalars) => ("none", values(scalars)),
        Condition::Number(NumberOrder::Less, number) => ("less", vec![number.to_string()]),
        Condition::Number(NumberOrder::LessOrEqual, number) => ("at-most", vec![number.to_string()]),
        Condition::Number(NumberOrder::Greater, number) => ("more", vec![number.to_string()]),
        Condition::Number(NumberOrder::GreaterOrEqual, number) => ("at-least", vec![number.to_string()]),
        Condition::Present => ("present", Vec::new()),
        Condition::Absent => ("absent", Vec::new()),
    }
}

fn scalar(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Text(text) => format!("t{text}"),
        Scalar::Number(number) => format!("n{number}"),
        Scalar::Boolean(flag) => format!("b{flag}"),
    }
}

/// Adds parts with their lengths, so that no two paths are spelled alike.
fn spell(text: &mut String, kind: &str, parts: &[impl AsRef<str>]) {
    let _ = write!(text, "|{kind}{}", parts.len());
    for part in parts.iter().map(AsRef::as_ref) {
        let _ = write!(text, ":{}:{part}", part.len());
    }
}

/// A name, or its beginning when it is long.
pub(super) fn mention(name: &str) -> String {
    if name.chars().count() <= MENTION {
        name.to_owned()
    } else {
        name.chars().take(MENTION - 1).chain(['…']).collect()
    }
}
