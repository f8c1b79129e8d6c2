//! Whole trees: read in a write, or as they stood at a position of the log, and changed node by node.

use waymark_domain::WorkspaceId;
use waymark_domain::discovery::{NodeChange, Tree};
use waymark_store::{Error, Position, Store, Table, Write, resource};

use super::{AssumptionTests, Opportunities, Outcomes, Solutions};

/// All trees of the workspace that is written to.
pub async fn tree_of(write: &mut Write) -> Result<Tree, Error> {
    let outcomes = write.all::<Outcomes>().await?;
    let opportunities = write.all::<Opportunities>().await?;
    let solutions = write.all::<Solutions>().await?;
    let tests = write.all::<AssumptionTests>().await?;
    Ok(Tree::new(outcomes, opportunities, solutions, tests))
}

/// All trees of a workspace at one position, with the revision it stands for: the four tables agree, whatever is written meanwhile.
pub async fn tree_as_of(store: &Store, workspace: &WorkspaceId, position: Option<Position>) -> Result<(i64, Tree), Error> {
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

/// Saves the change of a node of any kind.
pub async fn put_node(write: &mut Write, change: NodeChange) -> Result<(), Error> {
    match change {
        NodeChange::Opportunity(change) => write.put::<Opportunities>(change).await.map(|_| ()),
        NodeChange::Solution(change) => write.put::<Solutions>(change).await.map(|_| ()),
        NodeChange::AssumptionTest(change) => write.put::<AssumptionTests>(change).await.map(|_| ()),
    }
}
