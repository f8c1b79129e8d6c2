//! Branches of trees against a model of whole forests: at every revision, and when they are large.

use std::collections::BTreeMap;

use tonic::Code;
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::discovery::v1 as pb;
use waymark_testkit::schema::{execute, text};

use crate::support::{Discovery, PARENT, on_both, reason, refusal};
use crate::tree::sketch;

/// A node: its collection, id, and what is known of it.
type Forest = BTreeMap<(&'static str, String), Node>;

#[derive(Clone)]
struct Node {
    above: Option<(&'static str, String)>,
    pruned: bool,
}

const KINDS: [&str; 4] = ["outcomes", "opportunities", "solutions", "assumptionTests"];

/// Numbers that look random and are the same each time (Vigna, 2015: splitmix64).
fn below(state: &mut u64, end: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) % end as u64) as usize
}

/// The branch of a node as `sketch` draws it.
fn drawn(forest: &Forest, node: &(&'static str, String), show_pruned: bool) -> String {
    let children = KINDS.into_iter().flat_map(|kind| {
        forest.iter().filter(move |((k, _), child)| {
            *k == kind && child.above.as_ref() == Some(node) && (show_pruned || !child.pruned)
        })
    });
    let children: Vec<String> = children.map(|(name, _)| drawn(forest, name, show_pruned)).collect();
    if children.is_empty() { node.1.clone() } else { format!("{}({})", node.1, children.join(" ")) }
}

/// Gives up a node and what is below it.
fn prune(forest: &mut Forest, node: &(&'static str, String)) {
    forest.get_mut(node).unwrap().pruned = true;
    let children: Vec<_> =
        forest.iter().filter(|(_, n)| n.above.as_ref() == Some(node)).map(|(k, _)| k.clone()).collect();
    for child in children {
        prune(forest, &child);
    }
}

fn name((kind, id): &(&'static str, String)) -> String {
    format!("{PARENT}/{kind}/{id}")
}

/// Grows a node, moves one, gives one up or deletes one, in the service and, where that allows it, in the forest.
async fn step(d: &mut Discovery, random: &mut u64, forest: &mut Forest, number: usize) {
    let nodes: Vec<_> = forest.keys().cloned().collect();
    let one = nodes[below(random, nodes.len())].clone();
    let other = nodes[below(random, nodes.len())].clone();
    let id = format!("n{number:03}");
    match below(random, 8) {
        0..4 => {
            let grown = match one.0 {
                "outcomes" => d.opportunity(&id, &format!("outcomes/{}", one.1)).await.map(|_| KINDS[1]),
                "opportunities" if number.is_multiple_of(2) => d.solution(&id, &one.1).await.map(|_| KINDS[2]),
                "opportunities" => d.opportunity(&id, &format!("opportunities/{}", one.1)).await.map(|_| KINDS[1]),
                "solutions" => d.test(&id, &one.1, 1).await.map(|_| KINDS[3]),
                _ => return,
            };
            if let Ok(kind) = grown {
                forest.insert((kind, id), Node { above: Some(one), pruned: false });
            }
        }
        4..6 => {
            let request = pb::MoveNodeRequest { name: name(&one), destination: name(&other), ..Default::default() };
            if let Ok(moved) = d.trees.move_node(request).await {
                forest.get_mut(&one).unwrap().above = Some(other);
                assert_eq!(sketch(moved.get_ref()), drawn(forest, &one, true));
            }
        }
        6 if below(random, 3) == 0 => {
            let request = pb::PruneNodeRequest { name: name(&one), reason: "no".into(), ..Default::default() };
            if let Ok(pruned) = d.trees.prune_node(request).await {
                prune(forest, &one);
                assert_eq!(sketch(pruned.get_ref()), drawn(forest, &one, true));
            }
        }
        _ if one.0 == "solutions" => {
            let request = pb::DeleteSolutionRequest { name: name(&one), ..Default::default() };
            if d.trees.delete_solution(request).await.is_ok() {
                forest.remove(&one);
            }
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_what_stood_below_a_node_at_every_revision() {
    on_both(async |mut d: Discovery| {
        let (mut random, mut forest, mut past) = (3, Forest::new(), BTreeMap::new());
        for root in ["r1", "r2"] {
            d.outcome(root).await;
            forest.insert((KINDS[0], root.into()), Node { above: None, pruned: false });
        }
        for number in 0..160 {
            step(&mut d, &mut random, &mut forest, number).await;
            past.insert(d.revision().await, forest.clone());
        }
        let kinds = |kind| forest.keys().filter(|(k, _)| *k == kind).count();
        assert!(
            KINDS.into_iter().all(|kind| kinds(kind) > 1),
            "a forest of all kinds: {forest:?}",
            forest = forest.keys()
        );
        let current = d.revision().await;
        for (revision, forest) in past {
            for (number, node) in forest.keys().enumerate() {
                // Roots always, of the others some.
                if node.0 != KINDS[0] && below(&mut random, 8) > 0 {
                    continue;
                }
                let show_pruned = number.is_multiple_of(2);
                let as_of = Some(AsOf { position: Some(as_of::Position::Revision(revision)) });
                let as_of = as_of.filter(|_| revision < current);
                let request = pb::GetTreeRequest { name: name(node), as_of, show_pruned };
                let tree = d.trees.get_tree(request).await.unwrap().into_inner();
                assert_eq!(tree.revision, revision);
                assert_eq!(sketch(tree.root.as_ref().unwrap()), drawn(&forest, node, show_pruned), "at {revision}");
            }
        }
    })
    .await;
}

/// Copies opportunity `seed` so often, in the tables alone.
async fn copy(d: &Discovery, first: usize, count: usize) {
    let json = if d.served.database().url().starts_with("postgres") { "json" } else { "text" };
    let end = first + count;
    let copies = format!(
        "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {end})
         INSERT INTO opportunities (workspace, id, uid, version, display_name, create_time, update_time, body, kind,
             parent_node, pruned)
         SELECT workspace, 'c' || i, uid, version, display_name, create_time, update_time,
             CAST(replace(CAST(body AS text), 'opportunities/seed', 'opportunities/c' || i) AS {json}), kind, parent_node,
             pruned
         FROM opportunities, n WHERE id = 'seed'"
    );
    execute(d.served.database().url(), &copies).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_branch_is_cut_to_an_answer_and_a_larger_one_refused_whole() {
    on_both(async |mut d: Discovery| {
        d.outcome("root").await;
        d.opportunity("top", "outcomes/root").await.unwrap();
        d.opportunity("seed", "opportunities/top").await.unwrap();
        let name = format!("{PARENT}/opportunities/seed");
        let seed = pb::Opportunity { name, description: "x".repeat(300), ..Default::default() };
        let update = pb::UpdateOpportunityRequest { opportunity: Some(seed), ..Default::default() };
        d.trees.update_opportunity(update).await.unwrap();
        copy(&d, 0, 9_998).await;
        let get = |name: &str| pb::GetTreeRequest { name: format!("{PARENT}/{name}"), ..Default::default() };
        // 10,000 nodes, which the client takes with the limit it has when told nothing.
        let top = d.trees.get_tree(get("opportunities/top")).await.unwrap().into_inner().root.unwrap();
        assert!(top.truncated && (1_000..9_999).contains(&top.children.len()), "{} shown", top.children.len());
        assert!(top.children.iter().all(|child| !child.truncated));

        copy(&d, 9_998, 1).await;
        let prune = pb::PruneNodeRequest {
            name: format!("{PARENT}/opportunities/top"),
            reason: "no".into(),
            ..Default::default()
        };
        let before = d.revision().await;
        let refused = d.trees.prune_node(prune).await;
        let message = refused.as_ref().unwrap_err().message().to_owned();
        assert!(message.contains("more than 10000 nodes") && message.contains("name a node further down"), "{message}");
        let (code, why, metadata) = refusal(refused);
        assert_eq!(
            (code, why.as_str(), metadata["rule"].as_str()),
            (Code::FailedPrecondition, "RULE_VIOLATED", "size")
        );
        assert_eq!(reason(d.trees.get_tree(get("opportunities/top")).await).1, "RULE_VIOLATED");
        let lint = pb::LintTreeRequest { name: format!("{PARENT}/outcomes/root"), ..Default::default() };
        assert_eq!(reason(d.trees.lint_tree(lint).await).1, "RULE_VIOLATED");
        assert_eq!(d.revision().await, before);
        let pruned = "SELECT CAST(count(*) AS text) FROM opportunities WHERE pruned";
        assert_eq!(text(d.served.database().url(), pruned).await.unwrap(), "0", "nothing is half done");
        let delete = pb::DeleteOpportunityRequest { name: format!("{PARENT}/opportunities/top"), ..Default::default() };
        assert_eq!(reason(d.trees.delete_opportunity(delete).await).1, "RESOURCE_IN_USE");
    })
    .await;
}
