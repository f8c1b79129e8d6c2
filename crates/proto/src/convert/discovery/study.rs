//! Studies.

use waymark_domain::Violations;
use waymark_domain::discovery::{Study, StudyState};

use crate::Choice as _;
use crate::convert::{meta, set_meta, time_while, timestamp, whole};
use crate::discovery::v1 as pb;

impl TryFrom<pb::Study> for Study {
    type Error = Violations;
    fn try_from(message: pb::Study) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let method = message.method().domain();
        let state = state(v, &message);
        let pb::Study { goal, questions, .. } = message;
        let study = (|| Some(Self { meta: meta?, goal, method: method?, questions, state }))();
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
            method: pb::StudyMethod::of(study.method),
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
