//! Objectives as trees with how far they have come, at any position. Reads only.

use std::collections::HashMap;

use prost::Message as _;
use waymark_domain::roadmap::{Objective, ObjectiveError, Period, Product, Score, Standing, TargetInterval};
use waymark_domain::{Name, WorkspaceId};
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_request::PageToken;
use waymark_request::page::PageError;
use waymark_rpc::parse;
use waymark_store::{Error, Part, Position, View};

use super::Api;
use crate::store::{Goals, Objectives, Serving};

/// Bytes of the nodes of an answer, about: clients of gRPC take 4 MiB unless told otherwise.
const BYTES: usize = 3 << 20;

/// Where a page of a tree begins.
#[derive(Debug, Clone, Default)]
struct Place {
    /// The position that all pages are of.
    revision: i64,
    /// The id of the last root that was shown with all below it, or empty.
    behind: String,
    /// The name of the last objective that was shown of the root after it, or empty.
    within: String,
}

/// Which objectives are shown.
struct Shown<'a> {
    product: &'a str,
    period: Option<TargetInterval>,
}

impl Api {
    pub(super) async fn objective_tree(
        &self,
        request: pb::GetObjectiveTreeRequest,
    ) -> Result<pb::GetObjectiveTreeResponse, Error> {
        let size = request.page_size_or_default() as usize;
        let pb::GetObjectiveTreeRequest { parent, objective, product, period, as_of, page_token, .. } = request;
        let workspace: WorkspaceId = parse("parent", &parent)?;
        let root: Option<Name<Objective>> = match objective.as_str() {
            "" => None,
            name => Some(parse("objective", name)?),
        };
        if !product.is_empty() {
            parse::<Name<Product>>("product", &product)?;
        }
        let of = if period.is_empty() { None } else { Some(parse::<Period>("period", &period)?.into()) };
        let asked = format!("{as_of:?}");
        let parts = ["objectives", &parent, &objective, &product, &period, &asked];
        let begin = PageToken::decode(&page_token, &parts, 3)?.map(place).transpose()?;
        let position = match &begin {
            Some(begin) => Some(Position::Revision(begin.revision)),
            None => as_of.map(|as_of| Position::asked("as_of", as_of)).transpose()?,
        };
        let mut view = self.store.view(&workspace, position).await?;
        let revision = view.revision();
        let begin = begin.unwrap_or_default();
        let (roots, goals) = match root {
            Some(root) => below(&mut view, &root).await?,
            None => stretch(&mut view, &begin.behind, size).await?,
        };
        let shown = Shown { product: &product, period: of };
        let (nodes, next) = page_of(goals, &roots, &shown, begin, size)?;
        let token = |Place { behind, within, .. }: Place| {
            PageToken::after(&parts, vec![Some(revision.to_string()), Some(behind), Some(within)]).encode()
        };
        Ok(pb::GetObjectiveTreeResponse { nodes, revision, next_page_token: next.map(token).unwrap_or_default() })
    }
}

fn place(token: PageToken) -> Result<Place, PageError> {
    match <[_; 3]>::try_from(token.key) {
        Ok([Some(revision), Some(behind), Some(within)]) => {
            let revision = revision.parse().map_err(|_| PageError::Damaged)?;
            Ok(Place { revision, behind, within })
        }
        _ => Err(PageError::Damaged),
    }
}

fn too_large(root: &str) -> Error {
    Error::rule(ObjectiveError::too_large(root, "name an objective further down"))
}

/// Roots with what stands below them, and whether there are more.
type Read = (Part<pb::Objective, String>, Goals);

/// An objective as the only root.
async fn below(view: &mut View, root: &Name<Objective>) -> Result<Read, Error> {
    let found = view.named::<Objectives>([root.id().as_str()]).await?.into_values().collect::<Vec<_>>();
    if found.is_empty() || found.iter().any(|found| found.name != root.to_string()) {
        return Err(Error::NotFound(root.to_string()));
    }
    let goals = Goals::below(view, &found, pb::KeyResultNode::INITIATIVES_MOST).await?;
    let goals = goals.ok_or_else(|| too_large(&root.to_string()))?;
    Ok((Part { items: found, next: None }, goals))
}

/// As many of the roots behind an id as are read at once with all below them, at most `most`.
async fn stretch(view: &mut View, behind: &str, mut most: usize) -> Result<Read, Error> {
    loop {
        let roots = view.unset::<Objectives>("parent_objective", behind, most).await?;
        if let Some(goals) = Goals::below(view, &roots.items, pb::KeyResultNode::INITIATIVES_MOST).await? {
            return Ok((roots, goals));
        }
        most = match roots.items.as_slice() {
            [] | [_] => {
                let root = roots.items.first().map(|root| root.name.clone()).unwrap_or_default();
                return Err(too_large(&root));
            }
            many => many.len() / 2,
        };
    }
}

/// A page of the objectives that are shown, and where the next one begins.
fn page_of(
    mut goals: Goals,
    roots: &Part<pb::Objective, String>,
    shown: &Shown<'_>,
    begin: Place,
    size: usize,
) -> Result<(Vec<pb::ObjectiveNode>, Option<Place>), Error> {
    let Place { mut behind, within, .. } = begin;
    let (mut nodes, mut bytes, mut skipped) = (Vec::new(), 0, within.clone());
    let mut last = within;
    for root in &roots.items {
        for Seen { name, node } in seen(&goals, &root.name, shown) {
            if !skipped.is_empty() {
                if name == skipped {
                    skipped.clear();
                }
                continue;
            }
            let Some(node) = node else { continue };
            let node = filled(node, &mut goals, &name);
            bytes += node.encoded_len();
            if nodes.len() == size || (bytes > BYTES && !nodes.is_empty()) {
                return Ok((nodes, Some(Place { behind, within: last, ..Place::default() })));
            }
            nodes.push(node);
            last = name;
        }
        if !skipped.is_empty() {
            // All pages are of one revision, so what one ended with is there.
            return Err(PageError::Damaged.into());
        }
        root.name.rsplit('/').next().unwrap_or_default().clone_into(&mut behind);
        last.clear();
    }
    // What is deleted meanwhile may leave none, and yet there may be more.
    let next = roots.next.clone().map(|behind| Place { behind, ..Place::default() });
    Ok((nodes, next))
}

impl Shown<'_> {
    fn meets(&self, objective: &pb::Objective) -> bool {
        let for_product = self.product.is_empty() || objective.products.iter().any(|product| product == self.product);
        let in_period = self.period.is_none_or(|period| {
            let own = objective.period.clone().and_then(|own| TargetInterval::try_from(own).ok());
            own.is_some_and(|own| own.overlaps(&period))
        });
        for_product && in_period
    }

    /// Those of a walk that are shown, with whether they meet the filters by themselves.
    fn among<'a>(&self, goals: &'a Goals, walked: &[(&'a str, usize)]) -> HashMap<&'a str, bool> {
        let mut shown = HashMap::with_capacity(walked.len());
        // From below, as what stands above one that is shown is shown.
        for (name, _) in walked.iter().rev() {
            let meets = goals.objectives.get(*name).is_some_and(|objective| self.meets(objective));
            let holds = || goals.below.get(*name).into_iter().flatten().any(|below| shown.contains_key(below.as_str()));
            if meets || holds() {
                shown.insert(*name, meets);
            }
        }
        shown
    }
}

/// An objective of a walk, and where it is shown what is said of it by what else there is.
struct Seen {
    name: String,
    node: Option<pb::ObjectiveNode>,
}

/// A root and all below it.
fn seen(goals: &Goals, root: &str, shown: &Shown<'_>) -> Vec<Seen> {
    let walked = goals.walk(root);
    let (standings, meeting) = (goals.standings(&walked), shown.among(goals, &walked));
    let one = |(name, depth): &(&str, usize)| {
        let node = meeting.get(name).map(|meets| node(goals, name, *depth, &standings, !meets));
        Seen { name: (*name).to_owned(), node }
    };
    walked.iter().map(one).collect()
}

/// What is said of an objective, without it and its key results.
fn node(
    goals: &Goals,
    name: &str,
    depth: usize,
    standings: &HashMap<&str, Standing>,
    is_context: bool,
) -> pb::ObjectiveNode {
    let standing = |name: &str| standings.get(name).copied().unwrap_or_default();
    let unknown = goals.key_results(name).iter().filter(|key_result| key_result.score.is_none()).map(|of| &of.name);
    let below = goals.below.get(name).into_iter().flatten().filter(|below| standing(below).score.is_none());
    let Standing { own, inherited, score } = standing(name);
    pb::ObjectiveNode {
        objective: None,
        depth: depth as i32,
        key_results: Vec::new(),
        own_score: own.map(Score::value),
        inherited_score: inherited.map(Score::value),
        score: score.map(Score::value),
        band: pb::ScoreBand::of_any(score.map(Score::band)),
        missing: unknown.chain(below).cloned().collect(),
        is_context,
    }
}

/// With both, which are taken, as they are large and shown once.
fn filled(node: pb::ObjectiveNode, goals: &mut Goals, name: &str) -> pb::ObjectiveNode {
    let (objective, key_results) = goals.take(name);
    let of_key_result = |key_result: pb::KeyResult| {
        let (initiatives, more_initiatives) = goals.initiatives(&key_result.name);
        let serving = |initiative: &Serving| pb::ServingInitiative {
            initiative: initiative.name.clone(),
            display_name: initiative.display_name.clone(),
            state: initiative.state.into(),
        };
        pb::KeyResultNode {
            initiatives: initiatives.iter().map(serving).collect(),
            more_initiatives,
            key_result: Some(key_result),
        }
    };
    pb::ObjectiveNode { objective, key_results: key_results.into_iter().map(of_key_result).collect(), ..node }
}
