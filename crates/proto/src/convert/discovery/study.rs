//! Studies.

use waymark_domain::discovery::{Study, StudyMethod, StudyState};
use waymark_domain::{Violations, text};

use super::{limited, stated, whole};
use crate::convert::{meta, set_meta, time_while, timestamp};
use crate::discovery::v1 as pb;

impl TryFrom<pb::Study> for Study {
    type Error = Violations;
    fn try_from(message: pb::Study) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let method = match message.method() {
            pb::StudyMethod::Unspecified => None,
            pb::StudyMethod::Interview => Some(StudyMethod::Interview),
            pb::StudyMethod::UsabilityTest => Some(StudyMethod::UsabilityTest),
            pb::StudyMethod::Survey => Some(StudyMethod::Survey),
            pb::StudyMethod::Field => Some(StudyMethod::Field),
            pb::StudyMethod::Diary => Some(StudyMethod::Diary),
        };
        let method = stated(v, "method", method, "INTERVIEW, USABILITY_TEST, SURVEY, FIELD, DIARY");
        let state = state(v, &message);
        let goal = v.check("goal", text::optional(message.goal, 2_000));
        let questions = limited(v, "questions", message.questions, 100);
        let questions: Vec<String> = questions
            .into_iter()
            .enumerate()
            .filter_map(|(i, question)| v.check(&format!("questions[{i}]"), text::required(question, 500)))
            .collect();
        let study = (|| Some(Self { meta: meta?, goal: goal?, method: method?, questions, state }))();
        whole(violations, study)
    }
}

/// The state with the times that belong to it; a message must say those and no others.
fn state(violations: &mut Violations, message: &pb::Study) -> StudyState {
    let (active, complete) = match message.state() {
        pb::StudyState::Unspecified | pb::StudyState::Planned => (false, false),
        pb::StudyState::Active => (true, false),
        pb::StudyState::Complete => (true, true),
    };
    let stated = message.state().as_str_name();
    let start_time = time_while(violations, stated, "start_time", message.start_time, active);
    let complete_time = time_while(violations, stated, "complete_time", message.complete_time, complete);
    match (start_time, complete_time) {
        (None, _) => StudyState::Planned,
        (Some(start_time), None) => StudyState::Active { start_time },
        (Some(start_time), Some(complete_time)) => StudyState::Complete { start_time, complete_time },
    }
}

impl From<&Study> for pb::Study {
    fn from(study: &Study) -> Self {
        let method = match study.method {
            StudyMethod::Interview => pb::StudyMethod::Interview,
            StudyMethod::UsabilityTest => pb::StudyMethod::UsabilityTest,
            StudyMethod::Survey => pb::StudyMethod::Survey,
            StudyMethod::Field => pb::StudyMethod::Field,
            StudyMethod::Diary => pb::StudyMethod::Diary,
        };
        let state = match study.state {
            StudyState::Planned => pb::StudyState::Planned,
            StudyState::Active { .. } => pb::StudyState::Active,
            StudyState::Complete { .. } => pb::StudyState::Complete,
        };
        let (start_time, complete_time) = match study.state {
            StudyState::Planned => (None, None),
            StudyState::Active { start_time } => (Some(start_time), None),
            StudyState::Complete { start_time, complete_time } => (Some(start_time), Some(complete_time)),
        };
        let mut message = Self {
            goal: study.goal.clone(),
            method: method.into(),
            questions: study.questions.clone(),
            state: state.into(),
            start_time: start_time.map(timestamp),
            complete_time: complete_time.map(timestamp),
            ..Self::default()
        };
        set_meta(&mut message, &study.meta);
        message
    }
}
