//! What concerns whole trees: reading, advice, risks, moves, prunings, and the steps of solutions and tests.

use chrono::TimeDelta;
use waymark_domain::discovery::lint::lint;
use waymark_domain::discovery::{AssumptionTest, NodeName, Outcome, ParentNode, Solution, Tree, risks};
use waymark_domain::{Name, Violations, WorkspaceId};
use waymark_proto::convert::discovery::{observation, tree_node};
use waymark_proto::discovery::v1 as pb;
use waymark_request::{Call, Written};
use waymark_rpc::{parse, required};
use waymark_store::{Error, Position, Read as _, Write};

use super::Api;
use crate::store::{AssumptionTests, Opportunities, Outcomes, Solutions, add_above, branch, put_node};

const STALE_DAYS: i32 = 90;

impl Api {
    pub(super) async fn tree(&self, request: pb::GetTreeRequest) -> Result<pb::GetTreeResponse, Error> {
        let node: NodeName = parse("name", &request.name)?;
        let position = request.as_of.map(|as_of| Position::asked("as_of", as_of)).transpose()?;
        let mut view = self.store.view(&workspace(&node), position).await?;
        let tree = branch(&mut view, &node).await?;
        let root = tree_node(&tree, &node, request.show_pruned).ok_or(Error::NotFound(request.name))?;
        Ok(pb::GetTreeResponse { root: Some(root), revision: view.revision() })
    }

    pub(super) async fn lint(&self, request: pb::LintTreeRequest) -> Result<pb::LintTreeResponse, Error> {
        let name: Name<Outcome> = parse("name", &request.name)?;
        let days = match request.stale_days {
            0 => STALE_DAYS,
            days if days > 0 => days,
            _ => return Err(Violations::one("stale_days", "must not be negative; 0 means 90").into()),
        };
        let mut view = self.store.view(name.workspace(), None).await?;
        let tree = branch(&mut view, &NodeName::Outcome(name.clone())).await?;
        if tree.is_empty() {
            return Err(Error::NotFound(request.name));
        }
        let findings = lint(&tree, &name, self.store.now(), TimeDelta::days(days.into()));
        Ok(pb::LintTreeResponse { findings: findings.iter().map(Into::into).collect() })
    }

    pub(super) async fn risks(&self, request: pb::AssessRisksRequest) -> Result<pb::AssessRisksResponse, Error> {
        let name: Name<Solution> = parse("name", &request.name)?;
        let mut view = self.store.view(name.workspace(), None).await?;
        let solution = view.find::<Solutions>(&name).await?.ok_or(Error::NotFound(request.name))?;
        let tests = view.all_where_in::<AssumptionTests>("solution", &[name.to_string()], u32::MAX).await?;
        let standings = risks::assess(&solution, &tests);
        Ok(pb::AssessRisksResponse {
            solution: name.to_string(),
            risks: standings.iter().map(Into::into).collect(),
            ready: standings.iter().all(risks::RiskStanding::is_supported),
        })
    }

    pub(super) async fn validate(
        &self,
        call: &Call,
        request: &pb::ValidateSolutionRequest,
    ) -> Result<Written<pb::Solution>, Error> {
        let name: Name<Solution> = parse("name", &request.name)?;
        let work = async |write: &mut Write| {
            let solution = write.load::<Solutions>(&name, &request.etag).await?;
            let tests = write.all_where::<AssumptionTests>("solution", &name.to_string(), u32::MAX).await?;
            let change = solution.validate(&tests, write.now()).map_err(Error::rule)?;
            write.put::<Solutions>(change)
        };
        self.store.write(call, name.workspace(), work).await
    }

    pub(super) async fn conclude(
        &self,
        call: &Call,
        request: pb::ConcludeAssumptionTestRequest,
    ) -> Result<Written<pb::AssumptionTest>, Error> {
        let observed = required("result", request.result.and_then(observation))?;
        let conclude =
            async |write: &mut Write, test: AssumptionTest| test.conclude(observed, write.now()).map_err(Error::rule);
        self.store.change::<AssumptionTests, _>(call, &request.name, &request.etag, conclude).await
    }

    pub(super) async fn relocate(
        &self,
        call: &Call,
        request: pb::MoveNodeRequest,
    ) -> Result<Written<pb::TreeNode>, Error> {
        let mut violations = Violations::new();
        let node = violations.check("name", request.name.parse::<NodeName>());
        let destination = violations.check("destination", request.destination.parse::<NodeName>());
        violations.into_result()?;
        let (node, destination) = (required("name", node)?, required("destination", destination)?);
        let work = async |write: &mut Write| {
            check_etag(write, &node, &request.etag).await?;
            let mut tree = branch(write, &node).await?;
            add_destination(write, &mut tree, &destination).await?;
            let change = tree.relocate(&node, &destination).map_err(Error::rule)?;
            put_node(write, &mut tree, change)?;
            subtree(&tree, &node)
        };
        self.store.write(call, &workspace(&node), work).await
    }

    pub(super) async fn prune(
        &self,
        call: &Call,
        request: pb::PruneNodeRequest,
    ) -> Result<Written<pb::TreeNode>, Error> {
        let mut violations = Violations::new();
        let node = violations.check("name", request.name.parse::<NodeName>());
        violations.into_result()?;
        let (node, reason) = (required("name", node)?, request.reason);
        let work = async |write: &mut Write| {
            check_etag(write, &node, &request.etag).await?;
            let mut tree = branch(write, &node).await?;
            for change in tree.prune(&node, &reason, write.now()).map_err(Error::rule)? {
                put_node(write, &mut tree, change)?;
            }
            subtree(&tree, &node)
        };
        self.store.write(call, &workspace(&node), work).await
    }
}

fn workspace(node: &NodeName) -> WorkspaceId {
    node.any().workspace
}

/// Checks that the node exists and that the etag, if there is one, is current.
async fn check_etag(write: &mut Write, node: &NodeName, etag: &str) -> Result<(), Error> {
    match node {
        NodeName::Outcome(name) => write.load::<Outcomes>(name, etag).await.map(|_| ()),
        NodeName::Opportunity(name) => write.load::<Opportunities>(name, etag).await.map(|_| ()),
        NodeName::Solution(name) => write.load::<Solutions>(name, etag).await.map(|_| ()),
        NodeName::AssumptionTest(name) => write.load::<AssumptionTests>(name, etag).await.map(|_| ()),
    }
}

/// Adds where a node is to go, as far as it exists, with what stands above.
async fn add_destination(write: &mut Write, tree: &mut Tree, destination: &NodeName) -> Result<(), Error> {
    match destination {
        NodeName::Outcome(name) => add_above(write, tree, &ParentNode::Outcome(name.clone())).await,
        NodeName::Opportunity(name) => add_above(write, tree, &ParentNode::Opportunity(name.clone())).await,
        NodeName::Solution(name) => {
            tree.solutions.extend(write.find::<Solutions>(name).await?.map(|solution| (name.clone(), solution)));
            Ok(())
        }
        // Nothing goes below one.
        NodeName::AssumptionTest(_) => Ok(()),
    }
}

/// A node and all below it, pruned ones too.
fn subtree(tree: &Tree, node: &NodeName) -> Result<pb::TreeNode, Error> {
    tree_node(tree, node, true).ok_or_else(|| Error::NotFound(node.to_string()))
}
