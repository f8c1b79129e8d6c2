//! `waymark tree`: opportunity solution trees with what was learned.

use anyhow::Result;
use chrono_tz::Tz;
use clap::Args;
use waymark_client::Error;
use waymark_proto::discovery::v1 as pb;
use waymark_proto::discovery::v1::opportunity_service_client::OpportunityServiceClient;
use waymark_proto::discovery::v1::tree_node::Node;

use super::branches::Branch;
use super::words::{self, When};
use crate::generic::contract::Area;
use crate::generic::names::short;
use crate::settings::Settings;

/// Options of `waymark tree`.
#[derive(Debug, Default, Args)]
pub struct Tree {
    /// The outcome at the root, by id or name, or a node of its tree by name; all outcomes when not given
    outcome: Option<String>,
    #[command(flatten)]
    when: When,
    /// Show what was pruned too
    #[arg(long)]
    show_pruned: bool,
}

/// Draws the trees.
pub async fn run(options: &Tree, settings: &Settings) -> Result<()> {
    let parent = settings.parent()?;
    let mut client =
        OpportunityServiceClient::new(settings.channel(Area::Discovery)?).max_decoding_message_size(64 << 20);
    let names = match &options.outcome {
        Some(name) if name.starts_with("workspaces/") => vec![name.clone()],
        Some(name) => vec![format!("{parent}/outcomes/{}", short(name))],
        None => {
            let (mut names, mut page_token) = (Vec::new(), String::new());
            loop {
                let request = pb::ListOutcomesRequest { parent: parent.clone(), page_token, ..Default::default() };
                let page = client.list_outcomes(request).await.map_err(Error::from)?.into_inner();
                names.extend(page.outcomes.into_iter().map(|outcome| outcome.name));
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break names;
                }
            }
        }
    };
    if names.is_empty() {
        crate::show(format_args!("no outcomes; `waymark outcomes create --help` says how to plant a tree"));
    }
    for name in names {
        let request = pb::GetTreeRequest {
            name,
            as_of: options.when.position(settings.zone())?,
            show_pruned: options.show_pruned,
        };
        let answer = client.get_tree(request).await.map_err(Error::from)?.into_inner();
        if let Some(branch) = answer.root.as_ref().and_then(|root| branch(root, settings.zone())) {
            crate::show(format_args!("{}\n", branch.draw()));
        }
    }
    Ok(())
}

/// What a node says, with what stands below it.
pub fn branch(node: &pb::TreeNode, zone: Tz) -> Option<Branch> {
    let mut below: Vec<Branch> = Vec::new();
    let text = match node.node.as_ref()? {
        Node::Outcome(outcome) => {
            let by = if outcome.metric.is_empty() { outcome.measure.as_str() } else { short(&outcome.metric) };
            format!("◎ {}  [{}]  by {by}", outcome.display_name, short(&outcome.name))
        }
        Node::Opportunity(opportunity) => {
            below.extend(opportunity.learnings.iter().map(|learned| learning(learned, zone)));
            let kind = words::value(opportunity.kind().as_str_name(), "OPPORTUNITY_KIND_").to_lowercase();
            let evidence = match opportunity.evidence.len() {
                0 => "no evidence".to_owned(),
                1 => "1 evidence".to_owned(),
                count => format!("{count} evidences"),
            };
            format!(
                "○ {}  [{}]  {kind}, {evidence}{}",
                opportunity.display_name,
                short(&opportunity.name),
                pruned(opportunity.pruning.as_ref())
            )
        }
        Node::Solution(solution) => {
            let state = words::value(solution.state().as_str_name(), "SOLUTION_STATE_").to_lowercase();
            format!(
                "□ {}  [{}]  {state}{}",
                solution.display_name,
                short(&solution.name),
                pruned(solution.pruning.as_ref())
            )
        }
        Node::AssumptionTest(test) => {
            let mark = match test.verdict() {
                pb::TestVerdict::Passed => "✓",
                pb::TestVerdict::Failed => "✗",
                pb::TestVerdict::Open | pb::TestVerdict::Unspecified => "…",
            };
            let risk = words::value(test.risk().as_str_name(), "RISK_").to_lowercase();
            format!(
                "{mark} {}  [{}]  {risk} risk{}",
                test.display_name,
                short(&test.name),
                pruned(test.pruning.as_ref())
            )
        }
    };
    below.extend(node.children.iter().filter_map(|child| branch(child, zone)));
    if node.truncated {
        below
            .push(Branch::leaf("… and more; `waymark tree` shows what stands below a node, given its name".to_owned()));
    }
    Some(Branch { text, children: below })
}

fn learning(learning: &pb::Learning, zone: Tz) -> Branch {
    let measured = learning.measured.as_ref().map(|range| format!(" {}", words::change(range))).unwrap_or_default();
    let (day, verdict) = (words::day(learning.time.as_ref(), zone), words::verdict(learning.verdict()));
    Branch::leaf(format!(
        "★ learned {day} from {}: {verdict}{measured}\n{}",
        short(&learning.initiative),
        learning.summary
    ))
}

fn pruned(pruning: Option<&pb::Pruning>) -> String {
    pruning.map(|pruning| format!("  pruned: {}", pruning.reason)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::common::v1::{Range, Verdict};

    #[test]
    fn a_tree_shows_what_was_learned() {
        let learning = pb::Learning {
            initiative: "//roadmap.waymark.dev/workspaces/w/initiatives/carts".into(),
            verdict: Verdict::Met.into(),
            summary: "Orders rose.".into(),
            measured: Some(Range { low: 0.08, likely: 0.12, high: 0.16 }),
            ..Default::default()
        };
        let test = Node::AssumptionTest(pb::AssumptionTest {
            display_name: "They use it".into(),
            verdict: 3,
            risk: 1,
            ..Default::default()
        });
        let solution =
            Node::Solution(pb::Solution { display_name: "Saved carts".into(), state: 2, ..Default::default() });
        let opportunity = pb::Opportunity {
            display_name: "Lost carts".into(),
            kind: 2,
            learnings: vec![learning],
            ..Default::default()
        };
        let outcome = Node::Outcome(pb::Outcome {
            display_name: "More orders".into(),
            measure: "orders a week".into(),
            ..Default::default()
        });
        let node = |node, children| pb::TreeNode { node: Some(node), children, truncated: false };
        let tree =
            node(outcome, vec![node(Node::Opportunity(opportunity), vec![node(solution, vec![node(test, vec![])])])]);
        let text = branch(&tree, Tz::UTC).unwrap().draw();
        assert!(text.starts_with("◎ More orders"), "{text}");
        assert!(text.contains("○ Lost carts  []  pain, no evidence"), "{text}");
        assert!(text.contains("★ learned  from carts: ✓ MET +12.0 % (+8.0 % to +16.0 %)"), "{text}");
        assert!(
            text.contains("□ Saved carts  []  validated") && text.contains("✗ They use it  []  value risk"),
            "{text}"
        );
    }
}
