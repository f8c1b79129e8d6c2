//! Doubles of discovery's tables: thresholds and results of tests come back to the bit.

use waymark_proto::discovery::v1 as pb;
use waymark_testkit::doubles;

use crate::support::{Discovery, PARENT, on_both, test_of};

#[tokio::test(flavor = "multi_thread")]
async fn thresholds_and_results_come_back_to_the_bit() {
    on_both(async |mut d: Discovery| {
        d.outcome("root").await;
        d.opportunity("a", "outcomes/root").await.unwrap();
        d.solution("s", "a").await.unwrap();
        let mut numbers = doubles(5);
        let mut given = Vec::new();
        for index in 0..40 {
            let [threshold, value] = [0, 1].map(|_| numbers.next());
            let mut test = test_of("s");
            test.threshold.as_mut().unwrap().value = threshold;
            let assumption_test_id = format!("t{index:02}");
            let name = format!("{PARENT}/assumptionTests/{assumption_test_id}");
            let create = pb::CreateAssumptionTestRequest {
                parent: PARENT.into(),
                assumption_test_id,
                assumption_test: Some(test),
                ..Default::default()
            };
            d.trees.create_assumption_test(create).await.unwrap();
            let result = Some(pb::TestResult { value, sample_size: 8, ..Default::default() });
            let conclude = pb::ConcludeAssumptionTestRequest { name, result, ..Default::default() };
            d.trees.conclude_assumption_test(conclude).await.unwrap();
            given.push([threshold, value]);
        }
        let pair = |test: pb::AssumptionTest| [test.threshold.unwrap().value, test.result.unwrap().value];
        let list = pb::ListAssumptionTestsRequest { parent: PARENT.into(), page_size: 100, ..Default::default() };
        let listed = d.trees.list_assumption_tests(list).await.unwrap().into_inner().assumption_tests;
        assert_eq!(listed.into_iter().map(pair).collect::<Vec<_>>(), given);
        let rows = d.served.store().read_log("acme", 0, 1_000).await.unwrap();
        let concluded = rows.iter().filter(|row| row.event_type.ends_with("AssumptionTestConcluded"));
        let logged = concluded.map(|row| serde_json::from_str::<pb::AssumptionTestConcluded>(&row.data).unwrap());
        assert_eq!(logged.map(|event| pair(event.assumption_test.unwrap())).collect::<Vec<_>>(), given);
    })
    .await;
}
