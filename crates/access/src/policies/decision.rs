//! Decisions: what Cedar says of a question, once or, of who has audiences, once more.

use cedar_policy::{Authorizer, Decision as CedarDecision};

use super::bindings::{Bindings, Granted};
use super::heeded::Heeded;
use super::question::{Known, Question};
use super::schema::Schema;
use super::set::PolicySet;

/// Whether it may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may.
    pub allowed: bool,
    /// The audience of whose eyes the answer is, `workspaces/{workspace}/audiences/{audience}`: the one the caller asked
    /// for, or one that it has where it may not otherwise.
    pub audience: Option<String>,
    /// The ids of the policies that made it: those that allow it, or else those that forbid it; none where nothing
    /// allows it.
    pub policies: Vec<String>,
}

/// How often things happened since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoliciesCounted {
    /// Questions that were answered by yes.
    pub allowed: u64,
    /// Questions that were answered by no.
    pub denied: u64,
    /// Questions whose answer was known from before.
    pub remembered: u64,
    /// New contents of the files that hold since.
    pub reloads: u64,
    /// New contents of the files that were refused, and times they could not be read.
    pub reloads_failed: u64,
}

/// What questions are decided by.
pub(super) struct Decided<'a> {
    pub(super) schema: &'a Schema,
    pub(super) set: &'a PolicySet,
    pub(super) heeded: &'a Heeded,
    pub(super) bindings: &'a Bindings,
}

impl Decided<'_> {
    pub(super) fn on(&self, question: &Question<'_>) -> Decision {
        // Asking as an audience of another workspace would tell whether there is one.
        if question.audience.is_some_and(|audience| !question.is_in_workspace(audience)) {
            return Decision::denied();
        }
        let given = match question.resource.workspace() {
            Some(workspace) => self.bindings.given(question.identity, workspace),
            None => Vec::new(),
        };
        let Some(known) = question.known(self.schema, self.heeded, &given) else { return Decision::denied() };
        let first = self.once(question, &known, question.audience);
        if first.allowed || question.audience.is_some() {
            return first;
        }
        let audiences = given.iter().filter_map(|given| match given {
            Granted::Audience(audience) => Some(question.in_workspace(audience)),
            Granted::Role(_) => None,
        });
        let mut shown = audiences.map(|audience| self.once(question, &known, Some(&audience)));
        shown.find(|decision| decision.allowed).unwrap_or(first)
    }

    fn once(&self, question: &Question<'_>, known: &Known, audience: Option<&str>) -> Decision {
        let Some(request) = question.request(self.schema, known, audience) else { return Decision::denied() };
        let response = Authorizer::new().is_authorized(&request, self.set.cedar(), &known.entities);
        let mut policies: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        policies.sort_unstable();
        // Cedar passes over a policy that it cannot evaluate, be it one that forbids.
        if let Some(error) = response.diagnostics().errors().next() {
            tracing::error!(%error, action = question.action, "a policy cannot be evaluated; the call is denied");
            return Decision::denied();
        }
        match response.decision() {
            CedarDecision::Allow => Decision { allowed: true, audience: audience.map(str::to_owned), policies },
            CedarDecision::Deny => Decision { policies, ..Decision::denied() },
        }
    }
}

impl Decision {
    fn denied() -> Self {
        Self { allowed: false, audience: None, policies: Vec::new() }
    }
}
