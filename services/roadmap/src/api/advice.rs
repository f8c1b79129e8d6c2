//! Advice on objectives, a page at a time. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use waymark_domain::roadmap::lint::{Surroundings, lint};
use waymark_domain::roadmap::{KeyResult, Objective, ObjectiveError, Product};
use waymark_domain::{Name, WorkspaceId};
use waymark_proto::roadmap::v1 as pb;
use waymark_request::{PageToken, page};
use waymark_rpc::parse;
use waymark_store::{Error, View, resource};

use super::Api;
use crate::store::{Goals, KeyResults, Objectives, Serving, period};

impl Api {
    pub(super) async fn lint(&self, request: pb::LintObjectivesRequest) -> Result<pb::LintObjectivesResponse, Error> {
        let days = request.check_in_days_or_default();
        let pb::LintObjectivesRequest { parent, product, page_size, page_token, .. } = request;
        let workspace: WorkspaceId = parse("parent", &parent)?;
        if !product.is_empty() {
            parse::<Name<Product>>("product", &product)?;
        }
        let (size, asked) = (page::size(page_size)?, days.to_string());
        let parts = ["lint", &parent, &product, &asked];
        let after = PageToken::decode(&page_token, &parts, 1)?.and_then(|token| token.key.into_iter().next().flatten());
        let mut view = self.store.view(&workspace, None).await?;
        let part = view.part::<Objectives>(&after.unwrap_or_default(), size as u64).await?;
        let is_asked = |objective: &pb::Objective| product.is_empty() || objective.products.contains(&product);
        let objectives: Vec<_> = part.items.into_iter().filter(is_asked).collect();
        let goals = Goals::of(&mut view, objectives, usize::MAX).await?;
        let goals = goals
            .ok_or_else(|| Error::rule(ObjectiveError::too_large(&parent, "ask for fewer at a time, by page_size")))?;
        let mut findings = Vec::new();
        let around = Around::read(&mut view, &goals).await?;
        for (name, objective) in &around.objectives {
            let key_results = goals.key_results(name).iter().cloned().map(resource::<KeyResults>);
            let key_results = key_results.collect::<Result<Vec<_>, Error>>()?;
            let found =
                lint(&around.of(&goals, name, objective, &key_results), self.store.now(), TimeDelta::days(days.into()));
            findings.extend(found.iter().map(pb::ObjectiveFinding::from));
        }
        let token = |last: String| PageToken::after(&parts, vec![Some(last)]).encode();
        Ok(pb::LintObjectivesResponse { findings, next_page_token: part.next.map(token).unwrap_or_default() })
    }
}

/// What is around the objectives of a page that is not of them.
struct Around {
    objectives: BTreeMap<String, Objective>,
    parents: BTreeMap<String, Objective>,
    /// Names of those that others serve.
    served: BTreeSet<String>,
    /// Periods in which one serves a wider one.
    aligned: BTreeSet<String>,
}

impl Around {
    async fn read(view: &mut View, goals: &Goals) -> Result<Self, Error> {
        let domain = |message: &pb::Objective| resource::<Objectives>(message.clone());
        let mut objectives = BTreeMap::new();
        for (name, objective) in &goals.objectives {
            objectives.insert(name.clone(), domain(objective)?);
        }
        let above: BTreeSet<&str> =
            goals.objectives.values().map(|objective| objective.parent_objective.as_str()).collect();
        let above = above.iter().filter_map(|name| name.rsplit('/').next());
        let mut parents = BTreeMap::new();
        for parent in view.named::<Objectives>(above).await?.into_values() {
            parents.insert(parent.name.clone(), domain(&parent)?);
        }
        let served = view.occurring::<Objectives>("parent_objective", objectives.keys().cloned()).await?;
        let periods: BTreeSet<String> = objectives.values().map(period).collect();
        let aligned = view.occurring::<Objectives>("aligned_period", periods).await?;
        Ok(Self { objectives, parents, served, aligned })
    }

    fn of<'a>(
        &'a self,
        goals: &Goals,
        name: &str,
        objective: &'a Objective,
        key_results: &'a [KeyResult],
    ) -> Surroundings<'a> {
        let is_behind = |initiative: &Serving| initiative.state != pb::InitiativeState::Declined;
        let mut names = key_results.iter().map(|key_result| key_result.meta.name.to_string());
        Surroundings {
            objective,
            key_results,
            parent: objective.parent_objective.as_ref().and_then(|name| self.parents.get(&name.to_string())),
            is_served: self.served.contains(name),
            others_are_aligned: self.aligned.contains(&period(objective)),
            has_initiative: names.any(|name| goals.initiatives(&name).0.iter().any(is_behind)),
        }
    }
}
