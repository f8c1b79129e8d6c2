//! Friction: where users leave a path through the product, and what those who leave have in common. Never follows users
//! or compares proportions; the numbers are arguments.

mod question;
mod words;

use chrono::{DateTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

pub use question::{Entries, MinUsers, Path, Properties, Question, QuestionError, Step, Ties, Window};

use super::Scalar;
use crate::{Change, Failure, FailureKind, Meta, Name, Range, Reason, Resource};

const CORRELATES: usize = 10;
/// Characters of a value that people may still take in.
const VALUE_LENGTH: usize = 200;

/// One question about one path, and the latest answer to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Friction {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What was asked.
    pub question: Question,
    /// What was found.
    pub answer: Answer,
}

/// How far users got.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// How many users reached each step of the path; never more than the step before.
    pub users: Vec<u64>,
    /// The share that was lost at the worst step, with the ends of its 95 % interval; `None` when nobody was.
    pub lost_share: Option<Range>,
    /// What goes with being lost there, the surest first.
    pub correlates: Vec<Correlate>,
    /// Users who entered and whose window is not over.
    pub left_out: u64,
    /// When the newest product event was received.
    pub watermark: Option<DateTime<Utc>>,
}

/// A value that goes with being lost, or with not being lost.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlate {
    /// The property.
    pub property: String,
    /// Its value; `None` for users whose event does not have the property.
    pub value: Option<Scalar>,
    /// How many have the value.
    pub users: u64,
    /// How many of them were lost.
    pub lost: u64,
    /// Their share of lost users minus that of all others, with the ends of its interval: 95 %, widened for being found
    /// among many.
    pub difference: Range,
}

/// Users lost at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The step's index.
    pub step: usize,
    /// How many reached the step before.
    pub users: u64,
    /// How many of them did not reach the step.
    pub lost: u64,
}

/// What happens to frictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum FrictionEvent {
    Found,
    Sought,
    Deleted,
}

/// Why a friction stays as it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FrictionError {
    /// Evidence refers to what it is about.
    #[error("{0} is about other steps or another window: ask under another id, or under none")]
    AnotherQuestion(Name<Friction>),
}

impl Failure for FrictionError {
    fn kind(&self) -> FailureKind {
        FailureKind::AlreadyExists
    }
    fn reason(&self) -> Reason {
        Reason::ResourceExists
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        let Self::AnotherQuestion(name) = self;
        vec![("resource", name.to_string())]
    }
}

impl Answer {
    /// The answer before anybody has looked.
    pub fn none(path: &Path) -> Self {
        Self {
            users: vec![0; path.steps().len()],
            lost_share: None,
            correlates: Vec::new(),
            left_out: 0,
            watermark: None,
        }
    }

    /// The loss at a step.
    pub fn loss(&self, step: usize) -> Loss {
        Loss::at(&self.users, step)
    }

    /// The largest loss, the earliest of several; `None` when nobody was lost.
    pub fn worst(&self) -> Option<Loss> {
        Loss::worst(&self.users)
    }
}

impl Loss {
    /// The loss at a step of a path, of whose steps each was reached by so many users.
    fn at(users: &[u64], step: usize) -> Self {
        let reached = |step: usize| users.get(step).copied().unwrap_or_default();
        let before = step.checked_sub(1).map_or_else(|| reached(step), reached);
        Self { step, users: before, lost: before.saturating_sub(reached(step)) }
    }

    /// The largest loss of a path, of whose steps each was reached by so many users; the earliest of several, and
    /// `None` when nobody was lost.
    pub fn worst(users: &[u64]) -> Option<Self> {
        let losses = (1..users.len()).map(|step| Self::at(users, step)).filter(|loss| loss.lost > 0);
        losses.reduce(|worst, next| if next.lost > worst.lost { next } else { worst })
    }

    /// The share of the users of the step before.
    pub fn share(&self) -> f64 {
        self.lost as f64 / self.users as f64
    }
}

impl Correlate {
    /// How far the shares differ for sure: from 0 to the end of the interval that is next to it.
    fn sure(&self) -> f64 {
        self.difference.low().max(-self.difference.high()).max(0.0)
    }

    /// Those of the candidates that differ for sure and can be shown, the surest first, at most 10. How many values the
    /// candidates were found among is for their intervals to allow for.
    pub fn surest(mut candidates: Vec<Self>) -> Vec<Self> {
        let shown = |value: &Scalar| match value {
            Scalar::Text(text) => !text.contains('\0') && text.chars().count() <= VALUE_LENGTH,
            Scalar::Number(_) | Scalar::Boolean(_) => true,
        };
        candidates.retain(|correlate| correlate.sure() > 0.0 && correlate.value.as_ref().is_none_or(shown));
        let named = |correlate: &Self| (correlate.property.clone(), correlate.value.clone());
        candidates.sort_by(|a, b| b.sure().total_cmp(&a.sure()).then_with(|| named(a).cmp(&named(b))));
        candidates.truncate(CORRELATES);
        candidates
    }
}

impl Friction {
    /// The same friction with a question asked again: for other dates or properties perhaps, but about the same path. A
    /// name that nobody chose and labels that nobody gave leave what there is.
    pub fn ask(mut self, asked: Self) -> Result<Self, FrictionError> {
        if self.question.path != asked.question.path {
            return Err(FrictionError::AnotherQuestion(self.meta.name));
        }
        if asked.meta.display_name != asked.question.path.title() {
            self.meta.display_name = asked.meta.display_name;
        }
        if !asked.meta.labels.is_empty() {
            self.meta.labels = asked.meta.labels;
        }
        self.question = asked.question;
        Ok(self)
    }

    /// The friction with an answer, which is announced as a finding when enough users entered and some were lost.
    pub fn answer_with(mut self, answer: Answer) -> Change<Self> {
        self.answer = answer;
        let event = if self.found().is_some() { FrictionEvent::Found } else { FrictionEvent::Sought };
        Change::new(self, event)
    }

    /// The loss that is worth telling, if there is one.
    pub fn found(&self) -> Option<Loss> {
        let entered = self.answer.users.first().copied().unwrap_or_default();
        self.answer.worst().filter(|_| entered >= u64::from(self.question.min_users.get()))
    }
}

impl Resource for Friction {
    const SERVICE: &'static str = "metrics";
    const KIND: &'static str = "Friction";
    const COLLECTION: &'static str = "frictions";
    type Event = FrictionEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::prediction::tests::at;
    use super::super::{Condition, PropertyFilter};
    use super::*;

    pub(crate) fn step(event: &str) -> Step {
        Step::new(event.into(), vec![])
    }

    pub(crate) fn path(events: &[&str], days: u16) -> Path {
        Path::new(events.iter().map(|event| step(event)).collect(), Window::new(days))
    }

    /// A friction about three steps that so many users reached.
    pub(crate) fn friction(users: [u64; 3]) -> Friction {
        let time = at("2026-11-20T09:00:00Z");
        let path = path(&["signed_up", "invited", "report_created"], 7);
        Friction {
            meta: Meta {
                name: "workspaces/acme/frictions/activation".parse().unwrap(),
                uid: uuid::Uuid::nil(),
                display_name: path.title(),
                labels: std::collections::BTreeMap::new(),
                version: 1,
                create_time: time,
                update_time: time,
                delete_time: None,
            },
            answer: Answer { users: users.into(), ..Answer::none(&path) },
            question: Question {
                path,
                entries: Entries::new(at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z")).unwrap(),
                properties: Properties::default(),
                min_users: MinUsers::new(30),
                ties: Ties::Inclusive,
            },
        }
    }

    pub(crate) fn correlate(property: &str, value: Option<&str>, difference: [f64; 3]) -> Correlate {
        let [low, likely, high] = difference;
        let difference = Range::new(low, likely, high).unwrap();
        let value = value.map(|text| Scalar::Text(text.to_owned()));
        Correlate { property: property.into(), value, users: 40, lost: 30, difference }
    }

    #[test]
    fn a_finding_takes_enough_users_and_some_who_were_lost() {
        let announced = |users: [u64; 3]| {
            let friction = friction([0, 0, 0]);
            let change = friction.clone().answer_with(Answer { users: users.into(), ..friction.answer });
            assert_eq!(change.state().answer.users, users);
            change.events().to_vec()
        };
        assert_eq!(announced([30, 30, 29]), [FrictionEvent::Found]);
        assert_eq!(announced([29, 3, 2]), [FrictionEvent::Sought]);
        assert_eq!(announced([30, 30, 30]), [FrictionEvent::Sought]);
        assert_eq!(announced([0, 0, 0]), [FrictionEvent::Sought]);
    }

    #[test]
    fn the_worst_step_is_the_earliest_with_the_most_losses() {
        let worst = |users: &[u64]| Answer { users: users.to_vec(), ..friction([0, 0, 0]).answer }.worst();
        assert_eq!(worst(&[10, 7, 4]), Some(Loss { step: 1, users: 10, lost: 3 }));
        assert_eq!(worst(&[10, 7, 3]), Some(Loss { step: 2, users: 7, lost: 4 }));
        assert_eq!((worst(&[10, 10, 10]), worst(&[])), (None, None));
    }

    #[test]
    fn the_surest_correlates_come_first_and_doubtful_ones_not_at_all() {
        let candidates = vec![
            correlate("plan", Some("large but unsure"), [0.01, 0.5, 0.9]),
            correlate("plan", Some("doubtful"), [-0.01, 0.3, 0.6]),
            correlate("plan", Some("sure"), [0.2, 0.25, 0.3]),
            correlate("plan", Some("sure to stay"), [-0.4, -0.35, -0.3]),
            correlate("plan", None, [0.1, 0.2, 0.3]),
            correlate("note", Some(&"x".repeat(201)), [0.8, 0.9, 1.0]),
            correlate("note", Some("a\0"), [0.8, 0.9, 1.0]),
        ];
        let said = |correlate: Correlate| correlate.value.map(|value| value.to_string()).unwrap_or_default();
        let values: Vec<_> = Correlate::surest(candidates).into_iter().map(said).collect();
        assert_eq!(values, ["sure to stay", "sure", "", "large but unsure"]);
        let many = (0..20).map(|number| correlate("plan", Some(&number.to_string()), [0.1, 0.2, 0.3])).collect();
        assert_eq!(Correlate::surest(many).len(), 10);
    }

    #[test]
    fn the_same_path_may_be_asked_about_again() {
        let mut known = friction([40, 20, 10]);
        known.meta.display_name = "Activation".into();
        known.meta.labels.insert("team".into(), "growth".into());
        let mut again = friction([0, 0, 0]);
        again.question.entries = Entries::new(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z")).unwrap();
        let renewed = known.clone().ask(again.clone()).unwrap();
        assert_eq!(
            (&renewed.meta, renewed.question.entries),
            (&known.meta, again.question.entries),
            "nobody chose another name"
        );
        again.meta.display_name = "Onboarding".into();
        assert_eq!(known.clone().ask(again.clone()).unwrap().meta.display_name, "Onboarding");
        again.question.path = path(&["signed_up", "invited", "report_created"], 8);
        assert_eq!(known.ask(again).unwrap_err().reason(), Reason::ResourceExists);
    }

    #[test]
    fn a_path_has_an_id_of_its_own_for_ever() {
        let id = |path: &Path| path.id().unwrap().to_string();
        let filtered = |values: &[&str]| {
            let values = values.iter().map(|&text| Scalar::Text(text.to_owned())).collect();
            let filter = PropertyFilter::new("plan".into(), Condition::AnyOf(values)).unwrap();
            Path::new(vec![Step::new("a".into(), vec![filter]), step("b")], Window::new(7))
        };
        // Written down: whoever asks the same after an upgrade is to find the same.
        assert_eq!(id(&path(&["a", "b"], 7)), "e09498933c4252a68fdd669268c323a7");
        assert_eq!(id(&filtered(&["pro", "team"])), "f45a893aaa5d5f9490c5b6a540cd73dc");
        let mut ids: Vec<_> = [
            path(&["a", "b"], 7),
            path(&["b", "a"], 7),
            path(&["a", "b"], 8),
            path(&["a", "b", "b"], 7),
            path(&["a b", "b"], 7),
            path(&["a|step1:1:b", "b"], 7),
            filtered(&["pro"]),
            filtered(&["pro", "team"]),
            filtered(&["pro:5:tteam"]),
        ]
        .iter()
        .map(id)
        .collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 9);
    }

    #[test]
    fn a_question_keeps_within_its_limits() {
        let least = MinUsers::new(30);
        assert!(least.compare(30, 60) && !least.compare(29, 60) && !least.compare(31, 60));
        let entries = |end| Entries::new(at("2026-01-01T00:00:00Z"), at(end));
        assert!(entries("2027-01-02T00:00:00Z").is_ok());
        assert_eq!(entries("2027-01-02T00:00:00.000001Z"), Err(QuestionError::TooLong));
        assert_eq!(entries("2026-01-01T00:00:00Z"), Err(QuestionError::Empty));
        let names = |names: &[&str]| Properties::new(names.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(names(&["a", "b", "a"]), Err(QuestionError::Repeated("a".into())));
    }
}
