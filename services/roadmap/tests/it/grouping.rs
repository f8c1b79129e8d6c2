//! The roadmap in other lanes than horizons: each initiative is where it belongs, whatever pages it is read in, as it stands
//! and as it stood.

use std::collections::BTreeMap;

use tonic::{Code, Status};
use waymark_proto::common::v1::AsOf;
use waymark_proto::roadmap::v1 as pb;

use crate::plan::revision;
use crate::{Fixture, W, initiative_name, named, on_both, refusal};

const INITIATIVES: usize = 48;
/// Starts of targets; none for those behind.
const STARTS: [&str; 6] = ["2025-11", "2026-Q1", "2026-05", "2026-H2", "2027", ""];

type By = pb::RoadmapGrouping;
/// Lanes with what is in them.
type Lanes = Vec<(String, Vec<String>)>;

fn product(id: &str) -> String {
    format!("{W}/products/{id}")
}

/// Products and objectives with key results, the last of each with nothing; initiatives of all kinds.
async fn fill(f: &Fixture) {
    for id in ["app", "shop", "void"] {
        let product = pb::Product { display_name: id.to_uppercase(), ..Default::default() };
        let (parent, product_id, product) = (W.into(), id.into(), Some(product));
        let request = pb::CreateProductRequest { parent, product_id, product, ..Default::default() };
        f.strategy().create_product(request).await.unwrap();
    }
    for id in ["grow", "keep", "none"] {
        let period = Some(pb::TargetInterval { start: "2026".into(), end: String::new() });
        let objective = pb::Objective { display_name: id.to_uppercase(), period, ..Default::default() };
        let (parent, objective_id, objective) = (W.into(), id.into(), Some(objective));
        let request = pb::CreateObjectiveRequest { parent, objective_id, objective, ..Default::default() };
        f.strategy().create_objective(request).await.unwrap();
    }
    for (id, objective) in [("grow-1", "grow"), ("grow-2", "grow"), ("keep-1", "keep")] {
        let objective = format!("{W}/objectives/{objective}");
        let (start, target) = (Some(0.0), Some(1.0));
        let key_result = pb::KeyResult { display_name: id.into(), objective, start, target, ..Default::default() };
        let (parent, key_result_id, key_result) = (W.into(), id.into(), Some(key_result));
        let request = pb::CreateKeyResultRequest { parent, key_result_id, key_result, ..Default::default() };
        f.strategy().create_key_result(request).await.unwrap();
    }
    for number in 0..INITIATIVES {
        let id = format!("i{number:02}");
        f.create(&id, initiative(number)).await.unwrap();
        let name = initiative_name(&id);
        if number % 11 == 5 {
            let decline = pb::DeclineInitiativeRequest {
                name,
                reason: "no".into(),
                what_would_change_our_mind: "demand".into(),
                ..Default::default()
            };
            f.roadmap().decline_initiative(decline).await.unwrap();
        } else if number % 11 == 7 {
            let delete = pb::DeleteInitiativeRequest { name, ..Default::default() };
            f.roadmap().delete_initiative(delete).await.unwrap();
        }
    }
}

fn initiative(number: usize) -> pb::Initiative {
    let start = STARTS[number * 7 % STARTS.len()];
    let key_results: &[&str] = match number % 5 {
        0 => &["grow-1"],
        1 => &["grow-1", "grow-2", "keep-1"],
        2 => &["keep-1"],
        _ => &[],
    };
    let team = ["", "core", "a/b"][number % 3];
    pb::Initiative {
        target: (!start.is_empty()).then(|| pb::TargetInterval { start: start.into(), end: String::new() }),
        product: ["app", "shop", ""].map(|id| if id.is_empty() { String::new() } else { product(id) })[number / 3 % 3]
            .clone(),
        owner: ["users/ada", "Bo B.", ""][number / 2 % 3].into(),
        labels: if number.is_multiple_of(4) { BTreeMap::new() } else { [("team".into(), team.into())].into() },
        key_results: key_results.iter().map(|id| format!("{W}/keyResults/{id}")).collect(),
        ..named("I")
    }
}

fn request(by: By) -> pb::GetRoadmapRequest {
    let interval = pb::TargetInterval { start: "2026-Q1".into(), end: "2026-Q4".into() };
    pb::GetRoadmapRequest {
        parent: W.into(),
        group_by: by.into(),
        interval: (by == By::Time).then_some(interval),
        label: if by == By::Label { "team".into() } else { String::new() },
        ..Default::default()
    }
}

async fn get(f: &Fixture, request: pb::GetRoadmapRequest) -> Result<pb::GetRoadmapResponse, Status> {
    f.roadmap().get_roadmap(request).await.map(tonic::Response::into_inner)
}

/// What a lane is called here.
fn called(lane: &pb::RoadmapLane) -> String {
    use pb::RoadmapLaneKind as Kind;
    match lane.kind() {
        Kind::Keyed if lane.horizon() != pb::Horizon::Unspecified => lane.horizon().as_str_name().into(),
        Kind::Keyed => format!("={}", lane.key.rsplit('/').next().unwrap()),
        kind => kind.as_str_name().trim_start_matches("ROADMAP_LANE_KIND_").into(),
    }
}

/// The lanes that an initiative belongs to, from what it says of itself.
fn belongs(by: By, initiative: &pb::Initiative) -> Vec<String> {
    let or_without = |key: &str| if key.is_empty() { "WITHOUT".to_owned() } else { format!("={key}") };
    let id = |name: &str| name.rsplit('/').next().unwrap().to_owned();
    match by {
        By::Unspecified | By::Horizon => vec![initiative.horizon().as_str_name().into()],
        By::Time => vec![
            match initiative.target.as_ref().map_or("", |target| target.start.as_str()) {
                "2025-11" => "EARLIER",
                "2026-Q1" => "=2026-Q1",
                "2026-05" => "=2026-Q2",
                "2026-H2" => "=2026-Q3",
                "2027" => "LATER",
                _ => "WITHOUT",
            }
            .into(),
        ],
        By::Product => vec![or_without(&id(&initiative.product))],
        By::Owner => vec![or_without(&id(&initiative.owner))],
        By::Label => match initiative.labels.get("team") {
            Some(team) => vec![format!("={}", id(team))],
            None => vec!["WITHOUT".into()],
        },
        By::Objective => {
            let mut objectives: Vec<String> = initiative
                .key_results
                .iter()
                .map(|name| or_without(name.rsplit('/').next().unwrap().split('-').next().unwrap()))
                .collect();
            objectives.dedup();
            if objectives.is_empty() { vec!["WITHOUT".into()] } else { objectives }
        }
    }
}

/// The lanes in order, with what is in them in order of ids, from a list of all.
async fn expected(f: &Fixture, by: By, product: &str) -> Lanes {
    let list = pb::ListInitiativesRequest { parent: W.into(), page_size: 1_000, ..Default::default() };
    let all = f.roadmap().list_initiatives(list).await.unwrap().into_inner().initiatives;
    let lanes: &[&str] = match by {
        By::Unspecified | By::Horizon => &["HORIZON_NOW", "HORIZON_NEXT", "HORIZON_LATER"],
        By::Time => &["EARLIER", "=2026-Q1", "=2026-Q2", "=2026-Q3", "=2026-Q4", "LATER", "WITHOUT"],
        By::Product => &["=app", "=shop", "=void", "WITHOUT"],
        By::Objective => &["=grow", "=keep", "=none", "WITHOUT"],
        By::Owner => &["=Bo B.", "=ada", "WITHOUT"],
        // The empty one, "a/b", "core".
        By::Label => &["=", "=b", "=core", "WITHOUT"],
    };
    let of = |lane: &str| {
        all.iter()
            .filter(|i| i.state() != pb::InitiativeState::Declined && (product.is_empty() || i.product == product))
            .filter(|i| belongs(by, i).iter().any(|of| of == lane))
            .map(|i| i.name.clone())
            .collect()
    };
    lanes.iter().map(|lane| ((*lane).to_owned(), of(lane))).collect()
}

/// All lanes with all their pages, in order of ids, and how many were declined.
async fn paged(f: &Fixture, first: &pb::GetRoadmapRequest) -> (Lanes, usize) {
    let (mut lanes, mut declined, mut next) = (Vec::new(), 0, first.clone());
    loop {
        let answer = get(f, next).await.unwrap();
        let keyed = answer.lanes.iter().filter(|lane| lane.kind() == pb::RoadmapLaneKind::Keyed).count();
        assert!(first.lanes == 0 || first.group_by() == By::Horizon || keyed <= first.lanes as usize);
        let (mut of_page, mut token) = (answer.declined.len(), answer.next_declined_page_token);
        while !token.is_empty() {
            let page = get(f, pb::GetRoadmapRequest { page_token: token, ..first.clone() }).await.unwrap();
            assert!(page.lanes.iter().all(|lane| lane.initiatives.is_empty()), "what was declined alone");
            (of_page, token) = (of_page + page.declined.len(), page.next_declined_page_token);
        }
        declined += of_page;
        for mut lane in answer.lanes {
            let of = called(&lane);
            let mut all = Vec::new();
            loop {
                assert!(first.page_size == 0 || lane.initiatives.len() <= first.page_size as usize);
                let key = |i: &pb::Initiative| {
                    let at = |t: &pb::TargetInterval| STARTS.iter().position(|start| *start == t.start).unwrap();
                    (i.target.as_ref().map_or(9, at), i.name.clone())
                };
                assert!(
                    lane.initiatives.is_sorted_by_key(key),
                    "{of}: a page is by the start of the target, then by name"
                );
                all.extend(lane.initiatives.iter().map(|i| i.name.clone()));
                if lane.next_page_token.is_empty() {
                    break;
                }
                let page = pb::GetRoadmapRequest { page_token: lane.next_page_token, ..first.clone() };
                let page = get(f, page).await.unwrap();
                assert!(page.declined.is_empty());
                let mut same: Vec<_> = page.lanes.into_iter().filter(|lane| called(lane) == of).collect();
                lane = same.pop().unwrap();
            }
            all.sort();
            lanes.push((of, all));
        }
        if answer.next_lanes_token.is_empty() {
            return (lanes, declined);
        }
        next = pb::GetRoadmapRequest { lanes_token: answer.next_lanes_token, ..first.clone() };
    }
}

const ALL: [By; 6] = [By::Horizon, By::Time, By::Product, By::Objective, By::Owner, By::Label];

#[tokio::test]
async fn each_initiative_is_in_the_lanes_it_belongs_to() {
    on_both(async |f| {
        fill(f).await;
        let now = f.served.store().revision(&W.parse().unwrap()).await.unwrap();
        let check = async |as_of: Option<AsOf>, expected: &[(By, String, Lanes)]| {
            for (by, product, lanes) in expected {
                for (page_size, most) in [(0, 0), (1, 1), (3, 2)] {
                    let request = pb::GetRoadmapRequest {
                        as_of: as_of.clone(),
                        product: product.clone(),
                        page_size,
                        lanes: most,
                        ..request(*by)
                    };
                    let what = format!("{by:?} of {product:?}, {page_size} of {most} lanes at {as_of:?}");
                    let (found, declined) = paged(f, &request).await;
                    assert_eq!(&found, lanes, "{what}");
                    let count = (0..INITIATIVES).filter(|number| number % 11 == 5);
                    let of = count.filter(|number| product.is_empty() || initiative(*number).product == *product);
                    assert_eq!(declined, of.count(), "{what}");
                }
            }
        };
        let mut whole = Vec::new();
        for by in ALL {
            for product in [String::new(), product("app")] {
                whole.push((by, product.clone(), expected(f, by, &product).await));
            }
        }
        check(None, &whole).await;

        // As it stood, whatever became of it since.
        for number in [0, 1, 2, 3, 12] {
            let delete =
                pb::DeleteInitiativeRequest { name: initiative_name(&format!("i{number:02}")), ..Default::default() };
            f.roadmap().delete_initiative(delete).await.unwrap();
        }
        let delete = pb::DeleteProductRequest { name: product("void"), ..Default::default() };
        f.strategy().delete_product(delete).await.unwrap();
        whole.retain(|(by, ..)| !matches!(by, By::Owner | By::Label));
        check(revision(now), &whole).await;
        let (by_product, _) = paged(f, &request(By::Product)).await;
        assert_eq!(by_product.len(), 3, "there is no lane of what is deleted");
    })
    .await;
}

#[tokio::test]
async fn lanes_say_what_they_are_of() {
    on_both(async |f| {
        fill(f).await;
        let lanes = get(f, request(By::Objective)).await.unwrap().lanes;
        let said: Vec<_> = lanes.iter().map(|lane| (lane.key.as_str(), lane.display_name.as_str())).collect();
        let name = |id: &str| format!("{W}/objectives/{id}");
        let names = ["grow", "keep", "none"].map(name);
        assert_eq!(said, [(&*names[0], "GROW"), (&*names[1], "KEEP"), (&*names[2], "NONE"), ("", "")]);
        let lanes = get(f, request(By::Time)).await.unwrap().lanes;
        let said: Vec<_> = lanes.iter().map(|lane| lane.key.as_str()).collect();
        assert_eq!(said, ["", "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4", "", ""]);

        // Of an owner that none has any more there is no lane.
        let update = pb::Initiative { owner: "zoe".into(), name: initiative_name("i00"), ..Default::default() };
        let update = pb::UpdateInitiativeRequest {
            initiative: Some(update),
            update_mask: Some(pbjson_types::FieldMask { paths: vec!["owner".into()] }),
            ..Default::default()
        };
        f.roadmap().update_initiative(update).await.unwrap();
        let owners = async || get(f, request(By::Owner)).await.unwrap().lanes.iter().map(called).collect::<Vec<_>>();
        assert_eq!(owners().await, ["=Bo B.", "=ada", "=zoe", "WITHOUT"]);
        let delete = pb::DeleteInitiativeRequest { name: initiative_name("i00"), ..Default::default() };
        f.roadmap().delete_initiative(delete).await.unwrap();
        assert_eq!(owners().await, ["=Bo B.", "=ada", "WITHOUT"]);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_grouped_is_refused() {
    on_both(async |f| {
        f.create("a", named("A")).await.unwrap();
        let interval = |start: &str, end: &str| Some(pb::TargetInterval { start: start.into(), end: end.into() });
        let time = request(By::Time);
        let wrong = [
            ("interval", pb::GetRoadmapRequest { interval: None, ..time.clone() }),
            ("interval", pb::GetRoadmapRequest { interval: interval("2026", "2026-Q4"), ..time.clone() }),
            ("interval.end", pb::GetRoadmapRequest { interval: interval("2026-Q4", "2026-Q1"), ..time.clone() }),
            ("interval.start", pb::GetRoadmapRequest { interval: interval("soon", ""), ..time.clone() }),
            ("interval", pb::GetRoadmapRequest { interval: interval("2026", ""), ..request(By::Owner) }),
            ("label", pb::GetRoadmapRequest { label: "team".into(), ..request(By::Owner) }),
            ("label", pb::GetRoadmapRequest { label: String::new(), ..request(By::Label) }),
            ("as_of", pb::GetRoadmapRequest { as_of: revision(1), ..request(By::Label) }),
            ("as_of", pb::GetRoadmapRequest { as_of: revision(1), ..request(By::Owner) }),
            ("lanes", pb::GetRoadmapRequest { lanes: 101, ..request(By::Product) }),
            ("group_by", pb::GetRoadmapRequest { group_by: 99, ..request(By::Product) }),
        ];
        for (field, request) in wrong {
            let status = get(f, request.clone()).await.unwrap_err();
            let details = tonic_types::StatusExt::get_details_bad_request(&status).unwrap();
            let fields: Vec<_> = details.field_violations.iter().map(|violation| violation.field.as_str()).collect();
            assert_eq!((status.code(), fields), (Code::InvalidArgument, vec![field]), "{request:?}");
        }
        let other = get(f, pb::GetRoadmapRequest { lanes: 1, ..time.clone() }).await.unwrap().next_lanes_token;
        let mixed = pb::GetRoadmapRequest { lanes_token: other, ..request(By::Product) };
        assert_eq!(refusal(get(f, mixed).await).1, "INVALID_PAGE_TOKEN");
    })
    .await;
}
