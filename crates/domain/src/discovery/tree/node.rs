//! The nodes of a tree, of any kind: what they are called and what is decided of them.

use std::fmt;
use std::str::FromStr;

use crate::discovery::assumption_test::AssumptionTest;
use crate::discovery::opportunity::{Opportunity, ParentNode};
use crate::discovery::outcome::Outcome;
use crate::discovery::solution::Solution;
use crate::name::NameError;
use crate::{AnyName, Change, Name, Resource};

/// The name of a node of any kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the variants are the kinds of node")]
pub enum NodeName {
    Outcome(Name<Outcome>),
    Opportunity(Name<Opportunity>),
    Solution(Name<Solution>),
    AssumptionTest(Name<AssumptionTest>),
}

/// The decided change of a node of any kind.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the variants are the kinds of node that change their place")]
pub enum NodeChange {
    Opportunity(Change<Opportunity>),
    Solution(Change<Solution>),
    AssumptionTest(Change<AssumptionTest>),
}

impl NodeName {
    /// The same name without its kind.
    pub fn any(&self) -> AnyName {
        match self {
            Self::Outcome(name) => name.any(),
            Self::Opportunity(name) => name.any(),
            Self::Solution(name) => name.any(),
            Self::AssumptionTest(name) => name.any(),
        }
    }
}

impl FromStr for NodeName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let name: AnyName = text.parse()?;
        match name.collection.as_str() {
            Outcome::COLLECTION => text.parse().map(Self::Outcome),
            Solution::COLLECTION => text.parse().map(Self::Solution),
            AssumptionTest::COLLECTION => text.parse().map(Self::AssumptionTest),
            _ => text.parse().map(Self::Opportunity),
        }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.any().fmt(f)
    }
}

impl From<&ParentNode> for NodeName {
    fn from(parent: &ParentNode) -> Self {
        match parent {
            ParentNode::Outcome(name) => Self::Outcome(name.clone()),
            ParentNode::Opportunity(name) => Self::Opportunity(name.clone()),
        }
    }
}
