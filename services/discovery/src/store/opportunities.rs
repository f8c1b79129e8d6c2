//! Opportunities: kept only below a node that exists, on evidence that exists.

use waymark_domain::Change;
use waymark_domain::discovery::reference::check_targets;
use waymark_domain::discovery::{Opportunity, OpportunityEvent, ParentNode, Tree};
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Error, Table, Write};

use super::Outcomes;
use super::references::existing;

/// The table of opportunities.
pub struct Opportunities;

impl Table for Opportunities {
    type Resource = Opportunity;
    type Message = pb::Opportunity;
    const TABLE: &'static str = "opportunities";
    const COLUMNS: Columns<Opportunity> = &[
        Column::text("kind", |o| Some(<&str>::from(o.kind).to_owned())),
        Column::text("parent_node", |o: &Opportunity| Some(o.parent_node.to_string())).indexed(),
        Column::boolean("pruned", |o| Some(o.pruning.is_some())),
    ];
}

/// Keeps an opportunity that is new in its tree, hence has nothing below it, with its place and evidence looked up.
pub async fn keep_opportunity(
    write: &mut Write,
    opportunity: Opportunity,
    event: OpportunityEvent,
) -> Result<Change<Opportunity>, Error> {
    above(write, &opportunity.parent_node).await?.place_opportunity(&opportunity).map_err(Error::rule)?;
    revise_opportunity(write, opportunity, event).await
}

/// Keeps an opportunity that stays where it is, with its evidence looked up.
pub async fn revise_opportunity(
    write: &mut Write,
    opportunity: Opportunity,
    event: OpportunityEvent,
) -> Result<Change<Opportunity>, Error> {
    let targets = || opportunity.evidence.iter().map(|e| &e.target);
    let existing = existing(write, targets()).await?;
    check_targets("evidence", opportunity.meta.name.workspace(), targets(), &existing).map_err(Error::rule)?;
    Ok(Change::new(opportunity, event))
}

/// The nodes from `node` up to the root, as far as they exist.
async fn above(write: &mut Write, node: &ParentNode) -> Result<Tree, Error> {
    let mut tree = Tree::default();
    let mut next = Some(node.clone());
    while let Some(node) = next.take() {
        match node {
            ParentNode::Outcome(name) => {
                tree.outcomes.extend(write.find::<Outcomes>(&name).await?.map(|outcome| (name, outcome)));
            }
            ParentNode::Opportunity(name) if tree.opportunities.contains_key(&name) => {}
            ParentNode::Opportunity(name) => {
                if let Some(opportunity) = write.find::<Opportunities>(&name).await? {
                    next = Some(opportunity.parent_node.clone());
                    tree.opportunities.insert(name, opportunity);
                }
            }
        }
    }
    Ok(tree)
}
