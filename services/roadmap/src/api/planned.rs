//! Advice on what is planned against what it depends on. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use waymark_domain::WorkspaceId;
use waymark_domain::roadmap::advice::{RoadmapFinding, against_dependencies};
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_request::{PageToken, page};
use waymark_rpc::parse;
use waymark_store::{Error, resource};

use super::Api;
use crate::store::{Initiatives, on_the_way};

impl Api {
    pub(super) async fn lint_planned(&self, request: pb::LintRoadmapRequest) -> Result<pb::LintRoadmapResponse, Error> {
        let workspace: WorkspaceId = parse("parent", &request.parent)?;
        let size = page::size(request.page_size)?;
        let parts = ["lint roadmap", &request.parent];
        let after = PageToken::decode(&request.page_token, &parts, 3)?.map(|token| token.key);
        let open = on_the_way(&self.store, &workspace, None).await?;
        let mut known: BTreeMap<_, _> = open.iter().map(|open| (open.meta.name.clone(), open.clone())).collect();
        let others: BTreeSet<&str> = (open.iter().flat_map(|open| &open.dependencies))
            .filter(|name| !known.contains_key(*name))
            .map(|name| name.id().as_str())
            .collect();
        for message in self.store.named::<Initiatives>(&workspace, others).await?.into_values() {
            let other = resource::<Initiatives>(message)?;
            known.insert(other.meta.name.clone(), other);
        }
        let shown = open
            .iter()
            .flat_map(|open| against_dependencies(open, &known).map(|found| finding(&open.meta.display_name, found)));
        let mut rest = shown.skip_while(|found| after.as_ref().is_some_and(|after| key(found) <= *after));
        let findings: Vec<_> = rest.by_ref().take(size).collect();
        let last = findings.last().filter(|_| rest.next().is_some());
        let next_page_token = last.map(|last| PageToken::after(&parts, key(last)).encode()).unwrap_or_default();
        Ok(pb::LintRoadmapResponse { next_page_token, findings })
    }
}

/// What findings are in the order of.
fn key(found: &pb::RoadmapFinding) -> Vec<Option<String>> {
    let rule = found.rule.to_string();
    [found.initiative.clone(), found.dependency.clone(), rule].map(Some).into()
}

fn finding(display_name: &str, found: RoadmapFinding) -> pb::RoadmapFinding {
    let RoadmapFinding { initiative, rule, dependency, message } = found;
    pb::RoadmapFinding {
        initiative: initiative.to_string(),
        display_name: display_name.to_owned(),
        rule: pb::RoadmapLintRule::of(rule),
        dependency: dependency.to_string(),
        message,
    }
}
