//! Whole trees: read in a write, or as they stood at a position of the log, and changed node by node.

use std::collections::BTreeMap;

use waymark_domain::discovery::{AssumptionTest, NodeChange, Solution, Tree};
use waymark_domain::{Change, Name, Resource, WorkspaceId};
use waymark_store::{Error, ListQuery, Position, Store, Table, Write, resource};

use super::{AssumptionTests, Opportunities, Outcomes, Solutions};

/// All trees of the workspace that is written to.
pub async fn tree_of(write: &mut Write) -> Result<Tree, Error> {
    let outcomes = write.all::<Outcomes>().await?;
    let opportunities = write.all::<Opportunities>().await?;
    let solutions = write.all::<Solutions>().await?;
    let tests = write.all::<AssumptionTests>().await?;
    Ok(Tree::new(outcomes, opportunities, solutions, tests))
}

/// All trees of a workspace at one position, with the revision it stands for: the four tables agree, whatever is
/// written meanwhile.
pub async fn tree_as_of(
    store: &Store,
    workspace: &WorkspaceId,
    position: Option<Position>,
) -> Result<(i64, Tree), Error> {
    let revision = match position {
        Some(position) => store.resolve(workspace, position).await?,
        None => store.revision(workspace).await?,
    };
    let tree = Tree::new(
        read::<Outcomes>(store, workspace, revision).await?,
        read::<Opportunities>(store, workspace, revision).await?,
        read::<Solutions>(store, workspace, revision).await?,
        read::<AssumptionTests>(store, workspace, revision).await?,
    );
    Ok((revision, tree))
}

async fn read<T: Table>(store: &Store, workspace: &WorkspaceId, revision: i64) -> Result<Vec<T::Resource>, Error> {
    let (_, messages) = store.as_of::<T>(workspace, Position::Revision(revision)).await?;
    messages.into_iter().map(resource::<T>).collect()
}

/// All live tests of a solution, as of now.
pub async fn tests_of(store: &Store, solution: &Name<Solution>) -> Result<Vec<AssumptionTest>, Error> {
    let (parent, filter) = (solution.workspace().to_string(), format!("solution = \"{solution}\""));
    let (mut tests, mut page_token) = (Vec::new(), String::new());
    loop {
        let query = ListQuery { parent: &parent, filter: &filter, page_token: &page_token, ..Default::default() };
        let page = store.list::<AssumptionTests>(query).await?;
        for test in page.items {
            tests.push(resource::<AssumptionTests>(test)?);
        }
        if page.next_page_token.is_empty() {
            return Ok(tests);
        }
        page_token = page.next_page_token;
    }
}

/// Saves the change of a node of any kind, in the tree too: it need not be read again to be shown.
pub fn put_node(write: &mut Write, tree: &mut Tree, change: NodeChange) -> Result<(), Error> {
    match change {
        NodeChange::Opportunity(change) => put::<Opportunities>(write, &mut tree.opportunities, change),
        NodeChange::Solution(change) => put::<Solutions>(write, &mut tree.solutions, change),
        NodeChange::AssumptionTest(change) => put::<AssumptionTests>(write, &mut tree.tests, change),
    }
}

fn put<T: Table>(
    write: &mut Write,
    nodes: &mut BTreeMap<Name<T::Resource>, T::Resource>,
    change: Change<T::Resource>,
) -> Result<(), Error> {
    let node = resource::<T>(write.put::<T>(change)?)?;
    nodes.insert(node.meta().name.clone(), node);
    Ok(())
}
