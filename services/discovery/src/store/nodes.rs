//! Nodes of trees before they are saved: their place is looked up for the rules.

use waymark_domain::Change;
use waymark_domain::discovery::{
    AssumptionTest, AssumptionTestEvent, Opportunity, OpportunityEvent, ParentNode, Solution, SolutionEvent, Tree,
};
use waymark_store::{Error, Rule, Ruled, Rules, Write};

use super::{AssumptionTests, Opportunities, Outcomes, Solutions};

impl Ruled for Opportunities {
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, new| Box::pin(place_opportunity(write, new, OpportunityEvent::Created))),
        undelete: Rule::Reading(|write, back| Box::pin(place_opportunity(write, back, OpportunityEvent::Undeleted))),
        ..Rules::PLAIN
    };
}

impl Ruled for Solutions {
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, new| Box::pin(place_solution(write, new, SolutionEvent::Created))),
        undelete: Rule::Reading(|write, back| Box::pin(place_solution(write, back, SolutionEvent::Undeleted))),
        ..Rules::PLAIN
    };
}

impl Ruled for AssumptionTests {
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, new| Box::pin(place_test(write, new, AssumptionTestEvent::Created))),
        update: Rule::Alone(|(old, new)| old.revise(new).map_err(Error::rule)),
        undelete: Rule::Reading(|write, back| Box::pin(place_test(write, back, AssumptionTestEvent::Undeleted))),
        ..Rules::PLAIN
    };
}

/// Places an opportunity that is new in its tree, hence has nothing below it, with its place looked up.
pub async fn place_opportunity(
    write: &mut Write,
    opportunity: Opportunity,
    event: OpportunityEvent,
) -> Result<Change<Opportunity>, Error> {
    let mut tree = Tree::default();
    add_above(write, &mut tree, &opportunity.parent_node).await?;
    tree.place_opportunity(&opportunity).map_err(Error::rule)?;
    Ok(Change::new(opportunity, event))
}

/// Places a solution that is new in its tree, with its place looked up.
pub async fn place_solution(
    write: &mut Write,
    solution: Solution,
    event: SolutionEvent,
) -> Result<Change<Solution>, Error> {
    let opportunity = write.find::<Opportunities>(&solution.opportunity).await?;
    Tree::new([], opportunity, [], []).place_solution(&solution).map_err(Error::rule)?;
    Ok(Change::new(solution, event))
}

/// Places a test that is new in its tree, with its place looked up.
pub async fn place_test(
    write: &mut Write,
    test: AssumptionTest,
    event: AssumptionTestEvent,
) -> Result<Change<AssumptionTest>, Error> {
    let solution = write.find::<Solutions>(&test.solution).await?;
    Tree::new([], [], solution, []).place_test(&test).map_err(Error::rule)?;
    Ok(Change::new(test, event))
}

/// Adds the nodes from `node` up to the root, as far as they exist and are not there.
pub async fn add_above(write: &mut Write, tree: &mut Tree, node: &ParentNode) -> Result<(), Error> {
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
    Ok(())
}
