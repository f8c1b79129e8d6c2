//! The opportunity solution tree: its rules, its past, its advice.

use std::time::Duration;

use tonic::Code;
use tonic_types::StatusExt as _;
use waymark_domain::discovery::tree::LEVELS;
use waymark_proto::common::v1::{AsOf, Risk, as_of};
use waymark_proto::discovery::v1 as pb;
use waymark_proto::discovery::v1::tree_node::Node;

use crate::support::{Discovery, PARENT, fields, link, on_both, reason, refusal};

/// root > a > (b, s > t), on every engine.
async fn grow(d: &mut Discovery) {
    d.outcome("root").await;
    d.opportunity("a", "outcomes/root").await.unwrap();
    d.opportunity("b", "opportunities/a").await.unwrap();
    d.solution("s", "a").await.unwrap();
    d.test("t", "s", Risk::Value.into()).await.unwrap();
}

/// The tree as ids with what stands below in brackets.
pub(crate) fn sketch(node: &pb::TreeNode) -> String {
    let name = match node.node.as_ref().unwrap() {
        Node::Outcome(n) => &n.name,
        Node::Opportunity(n) => &n.name,
        Node::Solution(n) => &n.name,
        Node::AssumptionTest(n) => &n.name,
    };
    let id = name.rsplit('/').next().unwrap_or_default();
    let below: Vec<String> = node.children.iter().map(sketch).collect();
    if below.is_empty() { id.to_owned() } else { format!("{id}({})", below.join(" ")) }
}

fn move_to(name: &str, destination: &str) -> pb::MoveNodeRequest {
    pb::MoveNodeRequest {
        name: format!("{PARENT}/{name}"),
        destination: format!("{PARENT}/{destination}"),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_stand_and_move_only_where_the_tree_has_a_place() {
    on_both(async |mut d: Discovery| {
        grow(&mut d).await;
        assert_eq!(sketch(&d.tree("root").await), "root(a(b s(t)))");
        assert_eq!(reason(d.opportunity("x", "opportunities/unknown").await).1, "REFERENCE_NOT_FOUND");
        assert_eq!(reason(d.solution("x", "unknown").await).1, "REFERENCE_NOT_FOUND");
        assert_eq!(reason(d.test("x", "unknown", 1).await).1, "REFERENCE_NOT_FOUND");
        // An opportunity below a solution is not even a well-formed request.
        assert_eq!(fields(d.opportunity("x", "solutions/s").await), ["opportunity.parent_node"]);

        let (code, name, metadata) = refusal(d.trees.move_node(move_to("opportunities/b", "solutions/s")).await);
        assert_eq!((code, name.as_str()), (Code::FailedPrecondition, "RULE_VIOLATED"));
        assert_eq!(metadata["rule"], "opportunity_below_opportunity");
        let (_, name, metadata) = refusal(d.trees.move_node(move_to("opportunities/a", "opportunities/b")).await);
        assert_eq!(name, "CYCLE");
        assert_eq!(metadata["cycle"], ["a", "b", "a"].map(|id| format!("{PARENT}/opportunities/{id}")).join(" -> "));
        assert_eq!(refusal(d.trees.move_node(move_to("outcomes/root", "opportunities/a")).await).2["rule"], "one_root");
        assert_eq!(
            reason(d.trees.move_node(move_to("opportunities/unknown", "outcomes/root")).await).0,
            Code::NotFound
        );
        let stale = pb::MoveNodeRequest { etag: "9".into(), ..move_to("solutions/s", "opportunities/b") };
        assert_eq!(reason(d.trees.move_node(stale).await), (Code::Aborted, "ETAG_MISMATCH".into()));

        let before = d.revision().await;
        let dry = pb::MoveNodeRequest { validate_only: true, ..move_to("solutions/s", "opportunities/b") };
        d.trees.move_node(dry).await.unwrap();
        assert_eq!(d.revision().await, before);
        let moved = d.trees.move_node(move_to("solutions/s", "opportunities/b")).await.unwrap().into_inner();
        assert_eq!(sketch(&moved), "s(t)");
        let tree = d.tree("root").await;
        assert_eq!(sketch(&tree), "root(a(b(s(t))))");
        // The answer is what is read afterwards, etags and times included.
        assert_eq!(moved, tree.children[0].children[0].children[0]);
        // An update does not move.
        let patch = pb::Solution {
            name: format!("{PARENT}/solutions/s"),
            opportunity: format!("{PARENT}/opportunities/a"),
            ..Default::default()
        };
        let update = pb::UpdateSolutionRequest { solution: Some(patch), ..Default::default() };
        assert_eq!(reason(d.trees.update_solution(update).await), (Code::InvalidArgument, "INVALID_FIELD".into()));
        let used = pb::DeleteOpportunityRequest { name: format!("{PARENT}/opportunities/b"), ..Default::default() };
        assert_eq!(refusal(d.trees.delete_opportunity(used).await).2["referrer"], format!("{PARENT}/solutions/s"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_is_one_revision_and_the_past_stays() {
    on_both(async |mut d: Discovery| {
        grow(&mut d).await;
        let before = d.revision().await;
        let prune = pb::PruneNodeRequest {
            name: format!("{PARENT}/opportunities/a"),
            reason: "too small".into(),
            ..Default::default()
        };
        assert_eq!(
            fields(d.trees.prune_node(pb::PruneNodeRequest { reason: " ".into(), ..prune.clone() }).await),
            ["reason"]
        );
        let pruned = d.trees.prune_node(prune.clone()).await.unwrap().into_inner();
        assert_eq!(sketch(&pruned), "a(b s(t))");
        let events: Vec<_> = d.events().await.into_iter().filter(|(revision, _)| *revision > before).collect();
        assert!(events.iter().all(|(revision, _)| *revision == before + 1), "{events:?}");
        let verbs: Vec<&str> = events.iter().map(|(_, event)| event.as_str()).collect();
        assert_eq!(verbs, ["OpportunityPruned", "OpportunityPruned", "SolutionPruned", "AssumptionTestPruned"]);

        let get =
            |as_of, show_pruned| pb::GetTreeRequest { name: format!("{PARENT}/outcomes/root"), as_of, show_pruned };
        assert_eq!(sketch(&d.tree("root").await), "root");
        let shown = d.trees.get_tree(get(None, true)).await.unwrap().into_inner().root.unwrap();
        assert_eq!(sketch(&shown), "root(a(b s(t)))");
        assert_eq!(shown.children, [pruned]);
        let Some(Node::Opportunity(b)) = &shown.children[0].children[0].node else { panic!("{shown:?}") };
        let pruning = b.pruning.as_ref().unwrap();
        assert_eq!((pruning.reason.as_str(), pruning.node.as_str()), ("too small", "workspaces/acme/opportunities/a"));
        let then = Some(AsOf { position: Some(as_of::Position::Revision(before)) });
        let then = d.trees.get_tree(get(then, false)).await.unwrap().into_inner();
        assert_eq!((sketch(&then.root.unwrap()).as_str(), then.revision), ("root(a(b s(t)))", before));
        let future = Some(AsOf { position: Some(as_of::Position::Revision(99)) });
        assert_eq!(reason(d.trees.get_tree(get(future, false)).await).1, "REVISION_IN_FUTURE");
        assert_eq!(fields(d.trees.get_tree(get(Some(AsOf::default()), false)).await), ["as_of"]);
        let snapshot = "workspaces/acme/snapshots/board".to_owned();
        let snapshot = Some(AsOf { position: Some(as_of::Position::Snapshot(snapshot)) });
        assert_eq!(fields(d.trees.get_tree(get(snapshot, false)).await), ["as_of.snapshot"], "here are none");

        assert_eq!(reason(d.trees.prune_node(prune).await).1, "STATE_CONFLICT");
        assert_eq!(reason(d.solution("x", "a").await).1, "STATE_CONFLICT");
        let validate = pb::ValidateSolutionRequest { name: format!("{PARENT}/solutions/s"), ..Default::default() };
        assert_eq!(reason(d.trees.validate_solution(validate).await).1, "STATE_CONFLICT");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deepest_tree_can_be_read() {
    on_both(async |mut d: Discovery| {
        d.outcome("root").await;
        let mut above = "outcomes/root".to_owned();
        for level in 1..=LEVELS {
            d.opportunity(&format!("o{level}"), &above).await.unwrap();
            above = format!("opportunities/o{level}");
        }
        assert_eq!(refusal(d.opportunity("deeper", &above).await).2["rule"], "depth");
        d.solution("s", &format!("o{LEVELS}")).await.unwrap();
        d.test("t", "s", Risk::Value.into()).await.unwrap();
        assert!(sketch(&d.tree("root").await).contains(&format!("o{LEVELS}(s(t))")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn risks_are_assessed_by_all_tests_of_the_solution_and_no_others() {
    on_both(async |mut d: Discovery| {
        grow(&mut d).await;
        d.solution("other", "a").await.unwrap();
        d.test("elsewhere", "other", Risk::Value.into()).await.unwrap();
        // With `t` more than the database gives out at once.
        let row = |i| pb::CreateAssumptionTestRequest {
            parent: PARENT.into(),
            assumption_test_id: format!("t{i}"),
            assumption_test: Some(crate::support::test_of("s")),
            ..Default::default()
        };
        let rows = (0..60).map(row).collect();
        let batch =
            pb::BatchCreateAssumptionTestsRequest { parent: PARENT.into(), requests: rows, ..Default::default() };
        d.trees.batch_create_assumption_tests(batch).await.unwrap();
        let assess = |id: &str| pb::AssessRisksRequest { name: format!("{PARENT}/solutions/{id}") };
        let standing = d.trees.assess_risks(assess("s")).await.unwrap().into_inner();
        assert_eq!(standing.risks[0].open_tests.len(), 61);
        assert_eq!(reason(d.trees.assess_risks(assess("unknown")).await).0, Code::NotFound);
        let empty = d.solution("empty", "a").await.unwrap();
        let delete = pb::DeleteSolutionRequest { name: empty.name, ..Default::default() };
        d.trees.delete_solution(delete).await.unwrap();
        assert_eq!(reason(d.trees.assess_risks(assess("empty")).await).0, Code::NotFound);
    })
    .await;
}

fn conclude(test: &str, value: f64) -> pb::ConcludeAssumptionTestRequest {
    let result = Some(pb::TestResult { value: Some(value), sample_size: 8, ..Default::default() });
    pb::ConcludeAssumptionTestRequest { name: format!("{PARENT}/assumptionTests/{test}"), result, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_left_out_is_no_zero() {
    on_both(async |mut d: Discovery| {
        grow(&mut d).await;
        let result = Some(pb::TestResult { note: "went well".into(), ..Default::default() });
        let without = pb::ConcludeAssumptionTestRequest { result, ..conclude("t", 0.9) };
        let status = d.trees.conclude_assumption_test(without).await.unwrap_err();
        assert_eq!(
            (status.code(), fields::<()>(Err(status))),
            (Code::InvalidArgument, vec!["result.value".to_owned()])
        );
        assert_eq!(
            d.trees.conclude_assumption_test(conclude("t", 0.9)).await.unwrap().into_inner().verdict(),
            pb::TestVerdict::Passed
        );

        let mut test = crate::support::test_of("s");
        test.threshold.as_mut().unwrap().value = None;
        let create = |test| pb::CreateAssumptionTestRequest {
            parent: PARENT.into(),
            assumption_test: Some(test),
            ..Default::default()
        };
        let refused = d.trees.create_assumption_test(create(test.clone())).await;
        assert_eq!(fields(refused), ["assumption_test.threshold.value"]);
        // A zero that is said is one.
        test.threshold.as_mut().unwrap().value = Some(0.0);
        let created = d.trees.create_assumption_test(create(test)).await.unwrap().into_inner();
        assert_eq!(created.threshold.unwrap().value, Some(0.0));
        let id = created.name.rsplit('/').next().unwrap();
        let concluded = d.trees.conclude_assumption_test(conclude(id, 0.0)).await.unwrap().into_inner();
        assert_eq!(
            (concluded.result.as_ref().unwrap().value, concluded.verdict()),
            (Some(0.0), pb::TestVerdict::Passed)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solution_is_validated_when_its_four_risks_are_answered() {
    on_both(async |mut d: Discovery| {
        grow(&mut d).await;
        d.test("t2", "s", Risk::Usability.into()).await.unwrap();
        let validate = pb::ValidateSolutionRequest { name: format!("{PARENT}/solutions/s"), ..Default::default() };
        let status = d.trees.validate_solution(validate.clone()).await.unwrap_err();
        assert_eq!(status.get_details_error_info().unwrap().reason, "RISKS_OPEN");
        let risks = status.get_details_precondition_failure().unwrap().violations;
        assert_eq!(risks.len(), 4, "{risks:?}");

        assert_eq!(
            d.trees.conclude_assumption_test(conclude("t", 0.8)).await.unwrap().into_inner().verdict(),
            pb::TestVerdict::Passed
        );
        assert_eq!(
            d.trees.conclude_assumption_test(conclude("t2", 0.79)).await.unwrap().into_inner().verdict(),
            pb::TestVerdict::Failed
        );
        assert_eq!(reason(d.trees.conclude_assumption_test(conclude("t2", 0.9)).await).1, "STATE_CONFLICT");
        let without = pb::ConcludeAssumptionTestRequest { result: None, ..conclude("t2", 0.9) };
        assert_eq!(fields(d.trees.conclude_assumption_test(without).await), ["result"]);
        assert_eq!(fields(d.trees.conclude_assumption_test(conclude("t2", f64::NAN)).await), ["result.value"]);
        let mut lower = crate::support::test_of("s");
        lower.name = format!("{PARENT}/assumptionTests/t2");
        lower.threshold.as_mut().unwrap().value = Some(0.5);
        let update = pb::UpdateAssumptionTestRequest {
            assumption_test: Some(lower),
            update_mask: Some(pbjson_types::FieldMask { paths: vec!["threshold".into()] }),
            ..Default::default()
        };
        assert_eq!(refusal(d.trees.update_assumption_test(update).await).2["rule"], "threshold_before_result");

        let assess = pb::AssessRisksRequest { name: format!("{PARENT}/solutions/s") };
        let standing = d.trees.assess_risks(assess.clone()).await.unwrap().into_inner();
        let verdicts: Vec<_> = standing.risks.iter().map(pb::SolutionRisk::verdict).collect();
        assert_eq!(
            verdicts,
            [pb::RiskVerdict::Supported, pb::RiskVerdict::Refuted, pb::RiskVerdict::Open, pb::RiskVerdict::Open]
        );
        assert!(!standing.ready);

        d.insight("i", vec![]).await.unwrap();
        let entry = |risk: Risk| pb::RiskEvidence { risk: risk.into(), evidence: vec![link("insights/i")] };
        let risk_evidence = [Risk::Usability, Risk::Feasibility, Risk::Viability].map(entry).to_vec();
        let backed = pb::Solution { name: format!("{PARENT}/solutions/s"), risk_evidence, ..Default::default() };
        let unknown = pb::RiskEvidence { evidence: vec![link("insights/unknown")], ..entry(Risk::Value) };
        let wrong = pb::Solution { risk_evidence: vec![unknown], ..backed.clone() };
        let update = |solution| pb::UpdateSolutionRequest { solution: Some(solution), ..Default::default() };
        assert_eq!(refusal(d.trees.update_solution(update(wrong)).await).2["field"], "risk_evidence.evidence.target");
        d.trees.update_solution(update(backed)).await.unwrap();
        assert!(d.trees.assess_risks(assess).await.unwrap().into_inner().ready);
        let validated = d.trees.validate_solution(validate.clone()).await.unwrap().into_inner();
        assert_eq!(
            (validated.state(), validated.validate_time),
            (pb::SolutionState::Validated, Some(crate::support::days_ago(0)))
        );
        assert_eq!(reason(d.trees.validate_solution(validate).await).1, "STATE_CONFLICT");
        assert_eq!(d.events().await.last().unwrap().1, "SolutionValidated");
        let cited = pb::DeleteInsightRequest { name: format!("{PARENT}/insights/i"), ..Default::default() };
        assert_eq!(refusal(d.research.delete_insight(cited).await).2["referrer"], format!("{PARENT}/solutions/s"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn advice_is_given_on_what_is_there() {
    on_both(async |mut d: Discovery| {
        grow(&mut d).await;
        d.opportunity("invite-teammates-quickly", "outcomes/root").await.unwrap();
        d.opportunity("invite-teammates", "outcomes/root").await.unwrap();
        let lint = |stale_days| pb::LintTreeRequest { name: format!("{PARENT}/outcomes/root"), stale_days };
        let findings = d.trees.lint_tree(lint(0)).await.unwrap().into_inner().findings;
        let said: Vec<_> = findings.iter().map(|f| (f.node.rsplit('/').next().unwrap(), f.rule())).collect();
        assert_eq!(
            said,
            [
                ("a", pb::LintRule::FewSolutions),
                ("a", pb::LintRule::NoEvidence),
                ("b", pb::LintRule::NoEvidence),
                ("invite-teammates", pb::LintRule::NoEvidence),
                ("invite-teammates", pb::LintRule::SiblingOverlap),
                ("invite-teammates-quickly", pb::LintRule::NoEvidence),
            ]
        );
        d.clock.advance(Duration::from_hours(31 * 24));
        let later = d.trees.lint_tree(lint(30)).await.unwrap().into_inner().findings;
        assert_eq!(later.iter().filter(|f| f.rule() == pb::LintRule::Stale).count(), 4);
        assert_eq!(fields(d.trees.lint_tree(lint(-1)).await), ["stale_days"]);
        let unknown = pb::LintTreeRequest { name: format!("{PARENT}/outcomes/unknown"), ..Default::default() };
        assert_eq!(reason(d.trees.lint_tree(unknown).await).0, Code::NotFound);
    })
    .await;
}
