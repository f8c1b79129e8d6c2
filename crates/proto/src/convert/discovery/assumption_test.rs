//! Assumption tests.

use waymark_domain::discovery::{AssumptionTest, Comparison, Observation, PassThreshold, TestResult, TestVerdict};
use waymark_domain::{Violations, text};

use super::opportunity::pruning;
use super::{finite, name, stated, whole};
use crate::common::v1 as common;
use crate::convert::shared::risk;
use crate::convert::{meta, set_meta, time, timestamp};
use crate::discovery::v1 as pb;

impl TryFrom<pb::AssumptionTest> for AssumptionTest {
    type Error = Violations;
    fn try_from(message: pb::AssumptionTest) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let solution = name(v, "solution", &message.solution);
        let risk = risk(v, "risk", message.risk());
        let assumption = v.check("assumption", text::optional(message.assumption, 2_000));
        let method = v.check("method", text::optional(message.method, 500));
        let threshold = message.threshold.map(threshold);
        if threshold.is_none() {
            v.add("threshold", "must be set: say what would pass before you know the result");
        }
        let threshold = threshold.and_then(|threshold| v.nested("threshold", threshold));
        let result = message.result.and_then(|message| v.nested("result", result(message)));
        let pruning = message.pruning.and_then(|message| v.nested("pruning", pruning(message)));
        let test = (|| {
            Some(Self {
                meta: meta?,
                solution: solution?,
                assumption: assumption?,
                risk: risk?,
                method: method?,
                threshold: threshold?,
                result,
                pruning,
            })
        })();
        whole(violations, test)
    }
}

fn threshold(message: pb::PassThreshold) -> Result<PassThreshold, Violations> {
    let mut violations = Violations::new();
    let v = &mut violations;
    let comparison = match message.comparison() {
        pb::Comparison::Unspecified => None,
        pb::Comparison::AtLeast => Some(Comparison::AtLeast),
        pb::Comparison::AtMost => Some(Comparison::AtMost),
    };
    let comparison = stated(v, "comparison", comparison, "AT_LEAST, AT_MOST");
    let measure = v.check("measure", text::required(message.measure, 200));
    let value = finite(v, "value", message.value, "the value that divides what passes from what fails");
    let threshold = (|| Some(PassThreshold { measure: measure?, comparison: comparison?, value: value? }))();
    whole(violations, threshold)
}

/// What came out of a test, as a caller reports it.
pub fn observation(message: pb::TestResult) -> Result<Observation, Violations> {
    let mut violations = Violations::new();
    let v = &mut violations;
    let value = finite(v, "value", message.value, "what was measured, which decides the verdict");
    let sample_size = v.check("sample_size", u32::try_from(message.sample_size).map_err(|_| "must not be negative"));
    let note = v.check("note", text::optional(message.note, 2_000));
    let observation = (|| Some(Observation { value: value?, sample_size: sample_size?, note: note? }))();
    whole(violations, observation)
}

fn result(message: pb::TestResult) -> Result<TestResult, Violations> {
    let mut violations = Violations::new();
    let time = time(&mut violations, "time", message.time);
    let observation = observation(message)?;
    whole(violations, time.map(|time| TestResult { observation, time }))
}

impl From<&AssumptionTest> for pb::AssumptionTest {
    fn from(test: &AssumptionTest) -> Self {
        let comparison = match test.threshold.comparison {
            Comparison::AtLeast => pb::Comparison::AtLeast,
            Comparison::AtMost => pb::Comparison::AtMost,
        };
        let verdict = match test.verdict() {
            TestVerdict::Open => pb::TestVerdict::Open,
            TestVerdict::Passed => pb::TestVerdict::Passed,
            TestVerdict::Failed => pb::TestVerdict::Failed,
        };
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
            risk: common::Risk::from(test.risk).into(),
            method: test.method.clone(),
            threshold: Some(pb::PassThreshold {
                measure: test.threshold.measure.clone(),
                comparison: comparison.into(),
                value: Some(test.threshold.value),
            }),
            result: test.result.as_ref().map(result),
            verdict: verdict.into(),
            pruning: test.pruning.as_ref().map(pb::Pruning::from),
            ..Self::default()
        };
        set_meta(&mut message, &test.meta);
        message
    }
}
