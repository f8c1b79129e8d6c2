//! Assumption tests.

use waymark_domain::Violations;
use waymark_domain::discovery::{AssumptionTest, Observation, PassThreshold, TestResult};

use super::opportunity::pruning;
use crate::Choice as _;
use crate::common::v1 as common;
use crate::convert::{meta, set_meta, time, timestamp, whole};
use crate::discovery::v1 as pb;

impl TryFrom<pb::AssumptionTest> for AssumptionTest {
    type Error = Violations;
    fn try_from(message: pb::AssumptionTest) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let solution = v.check("solution", message.solution.parse());
        let risk = message.risk().domain();
        let threshold = message.threshold.and_then(threshold);
        let result = message.result.and_then(|message| v.nested("result", result(message)));
        let pruning = message.pruning.and_then(|message| v.nested("pruning", pruning(message)));
        let test = (|| {
            Some(Self {
                meta: meta?,
                solution: solution?,
                assumption: message.assumption,
                risk: risk?,
                method: message.method,
                threshold: threshold?,
                result,
                pruning,
            })
        })();
        whole(violations, test)
    }
}

fn threshold(message: pb::PassThreshold) -> Option<PassThreshold> {
    let comparison = message.comparison().domain()?;
    Some(PassThreshold { measure: message.measure, comparison, value: message.value? })
}

/// What came out of a test, as a caller reports it; `None` without a value, which is said of the field.
pub fn observation(message: pb::TestResult) -> Option<Observation> {
    let sample_size = u32::try_from(message.sample_size).ok()?;
    Some(Observation { value: message.value?, sample_size, note: message.note })
}

fn result(message: pb::TestResult) -> Result<TestResult, Violations> {
    let mut violations = Violations::new();
    let time = time(&mut violations, "time", message.time);
    let result = (|| Some(TestResult { observation: observation(message)?, time: time? }))();
    whole(violations, result)
}

impl From<&AssumptionTest> for pb::AssumptionTest {
    fn from(test: &AssumptionTest) -> Self {
        let result = |TestResult { observation, time }: &TestResult| pb::TestResult {
            value: Some(observation.value),
            // Read from an i32.
            sample_size: observation.sample_size as i32,
            note: observation.note.clone(),
            time: Some(timestamp(*time)),
        };
        let mut message = Self {
            solution: test.solution.to_string(),
            assumption: test.assumption.clone(),
            risk: common::Risk::of(test.risk),
            method: test.method.clone(),
            threshold: Some(pb::PassThreshold {
                measure: test.threshold.measure.clone(),
                comparison: pb::Comparison::of(test.threshold.comparison),
                value: Some(test.threshold.value),
            }),
            result: test.result.as_ref().map(result),
            verdict: pb::TestVerdict::of(test.verdict()),
            pruning: test.pruning.as_ref().map(pb::Pruning::from),
            ..Self::default()
        };
        set_meta(&mut message, &test.meta);
        message
    }
}
