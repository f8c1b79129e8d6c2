//! Pages of the roadmap, as it stands and as it stood, and of what changed: together they are the whole, in order.

use std::collections::BTreeSet;

use tonic::Code;
use waymark_proto::common::v1::AsOf;
use waymark_proto::roadmap::v1 as pb;

use crate::plan::revision;
use crate::{Fixture, W, initiative_name, named, on_both, refusal};

const INITIATIVES: usize = 60;

fn id(name: &str) -> String {
    name.rsplit('/').next().unwrap().to_owned()
}

/// Initiatives all over the lanes, some of a product, some declined, some deleted.
async fn fill(f: &Fixture) {
    let product = pb::Product { display_name: "P".into(), ..Default::default() };
    let request = pb::CreateProductRequest {
        parent: W.into(),
        product_id: "p".into(),
        product: Some(product),
        ..Default::default()
    };
    f.strategy().create_product(request).await.unwrap();
    for number in 0..INITIATIVES {
        // No multiple of another number that is used here.
        let spread = number * 37 % INITIATIVES;
        let target = (!spread.is_multiple_of(4))
            .then(|| pb::TargetInterval { start: format!("2026-{:02}", 1 + spread % 11), end: String::new() });
        let initiative = pb::Initiative {
            horizon: 1 + (spread % 3) as i32,
            target,
            product: if spread.is_multiple_of(5) { format!("{W}/products/p") } else { String::new() },
            ..named("I")
        };
        f.create(&format!("i{number:02}"), initiative).await.unwrap();
        let name = initiative_name(&format!("i{number:02}"));
        if spread % 6 == 1 {
            let decline = pb::DeclineInitiativeRequest {
                name,
                reason: "no".into(),
                what_would_change_our_mind: "demand".into(),
                ..Default::default()
            };
            f.roadmap().decline_initiative(decline).await.unwrap();
        } else if spread % 6 == 2 {
            let delete = pb::DeleteInitiativeRequest { name, ..Default::default() };
            f.roadmap().delete_initiative(delete).await.unwrap();
        }
    }
}

/// The ids of each lane and of what was declined, in order, from a list of all.
async fn expected(f: &Fixture, product: &str) -> [Vec<String>; 4] {
    let list = pb::ListInitiativesRequest { parent: W.into(), page_size: 1_000, ..Default::default() };
    let mut all = f.roadmap().list_initiatives(list).await.unwrap().into_inner().initiatives;
    all.retain(|i| product.is_empty() || i.product == product);
    all.sort_by_key(|i| {
        let start = i.target.as_ref().map(|target| target.start.clone());
        (i.state() != pb::InitiativeState::Declined && start.is_none(), start, i.name.clone())
    });
    let mut lanes = [const { Vec::new() }; 4];
    for initiative in all {
        let declined = initiative.state() == pb::InitiativeState::Declined;
        let lane = if declined { 3 } else { initiative.horizon as usize - 1 };
        lanes[lane].push(id(&initiative.name));
    }
    lanes[3].sort();
    lanes
}

/// The pages of one answer with their tokens.
fn lanes(answer: &pb::GetRoadmapResponse) -> [(Vec<String>, String); 4] {
    let ids = |initiatives: &[pb::Initiative]| initiatives.iter().map(|i| id(&i.name)).collect::<Vec<_>>();
    let lane = |at: usize| (ids(&answer.lanes[at].initiatives), answer.lanes[at].next_page_token.clone());
    [lane(0), lane(1), lane(2), (ids(&answer.declined), answer.next_declined_page_token.clone())]
}

/// The lanes put together from pages of `page_size`.
async fn paged(f: &Fixture, as_of: Option<AsOf>, product: &str, page_size: i32) -> [Vec<String>; 4] {
    let request =
        pb::GetRoadmapRequest { parent: W.into(), as_of, product: product.into(), page_size, ..Default::default() };
    let get = async |request| f.roadmap().get_roadmap(request).await.unwrap().into_inner();
    let mut all = lanes(&get(request.clone()).await);
    for (lane, (all, token)) in all.iter_mut().enumerate() {
        while !token.is_empty() {
            let page_token = std::mem::take(token);
            let mut page = lanes(&get(pb::GetRoadmapRequest { page_token, ..request.clone() }).await);
            let (ids, next) = std::mem::take(&mut page[lane]);
            assert!(ids.len() <= page_size as usize);
            assert_eq!(page, <[(Vec<String>, String); 4]>::default(), "only the lane that the token is of");
            all.extend(ids);
            *token = next;
        }
    }
    all.map(|(ids, _)| ids)
}

fn sorted(lanes: [Vec<String>; 4]) -> [Vec<String>; 4] {
    lanes.map(|mut ids| {
        ids.sort();
        ids
    })
}

#[tokio::test]
async fn pages_of_lanes_are_the_roadmap() {
    on_both(async |f| {
        fill(f).await;
        let product = format!("{W}/products/p");
        let now = f.served.store().revision(&W.parse().unwrap()).await.unwrap();
        let whole = [expected(f, "").await, expected(f, &product).await];
        for page_size in [1, 3, 7, 1_000] {
            for (product, expected) in ["", &product].into_iter().zip(&whole) {
                assert_eq!(&paged(f, None, product, page_size).await, expected, "{page_size} of {product:?}");
            }
        }
        // The past: the same initiatives, those of one page in the same order.
        let touch = pb::MoveInitiativeRequest { name: initiative_name("i00"), horizon: 3, ..Default::default() };
        f.roadmap().move_initiative(touch).await.unwrap();
        for page_size in [1, 3, 7, 1_000] {
            for (product, expected) in ["", &product].into_iter().zip(&whole) {
                let then = paged(f, revision(now), product, page_size).await;
                let (then, expected) = match page_size {
                    1 => (then, sorted(expected.clone())),
                    1_000 => (then, expected.clone()),
                    _ => (sorted(then), sorted(expected.clone())),
                };
                assert_eq!(then, expected, "{page_size} of {product:?} as it stood");
            }
        }
        assert_ne!(paged(f, None, "", 7).await, whole[0], "what was moved since has moved");
        let first = pb::GetRoadmapRequest { parent: W.into(), page_size: 1, ..Default::default() };
        let page_token = f.roadmap().get_roadmap(first.clone()).await.unwrap().into_inner().next_declined_page_token;
        let other = pb::GetRoadmapRequest { as_of: revision(now), page_token, ..first };
        let refused = refusal(f.roadmap().get_roadmap(other).await);
        assert_eq!(refused, (Code::InvalidArgument, "INVALID_PAGE_TOKEN".into()));
    })
    .await;
}

#[tokio::test]
async fn pages_of_changes_are_the_difference() {
    on_both(async |f| {
        fill(f).await;
        let middle = 40;
        let diff = async |request| f.roadmap().diff_roadmap(request).await.unwrap().into_inner();
        for (from, to) in [(revision(middle), None), (revision(0), revision(middle)), (revision(60), revision(middle))]
        {
            let request = pb::DiffRoadmapRequest { parent: W.into(), from, to, ..Default::default() };
            let whole = diff(request.clone()).await;
            assert!(whole.next_page_token.is_empty());
            assert!(whole.added.len() + whole.removed.len() + whole.changed.len() > 10);
            let mut parts = Vec::new();
            let mut page_token = String::new();
            loop {
                let part = diff(pb::DiffRoadmapRequest { page_size: 3, page_token, ..request.clone() }).await;
                assert_eq!((part.from_revision, part.to_revision), (whole.from_revision, whole.to_revision));
                assert!(part.added.len() + part.removed.len() + part.changed.len() <= 3);
                parts.extend(part.added.into_iter().map(|i| (("added", i.name.clone()), format!("{i:?}"))));
                parts.extend(part.removed.into_iter().map(|i| (("removed", i.name.clone()), format!("{i:?}"))));
                parts.extend(part.changed.into_iter().map(|c| (("changed", c.initiative.clone()), format!("{c:?}"))));
                if part.next_page_token.is_empty() {
                    break;
                }
                if whole.to_revision > middle && parts.len() < 4 {
                    // Written between two pages: none of theirs.
                    f.create("between", named("Between")).await.ok();
                }
                page_token = part.next_page_token;
            }
            let all = whole.added.iter().map(|i| (("added", i.name.clone()), format!("{i:?}")));
            let all = all.chain(whole.removed.iter().map(|i| (("removed", i.name.clone()), format!("{i:?}"))));
            let all = all.chain(whole.changed.iter().map(|c| (("changed", c.initiative.clone()), format!("{c:?}"))));
            let mut all: Vec<_> = all.collect();
            parts.sort();
            all.sort();
            assert_eq!(parts, all);
            let names: BTreeSet<&String> = all.iter().map(|((_, name), _)| name).collect();
            assert_eq!(names.len(), all.len(), "each initiative once");
        }
    })
    .await;
}
