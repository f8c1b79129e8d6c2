//! What is built and why: proposed, ordered, committed, shipped, and compared with what was expected.

use anyhow::Result;
use tonic::Code;
use waymark_client::Channel;
use waymark_proto::common::v1::{AsOf, Range, Verdict, as_of};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::prioritization_service_client::PrioritizationServiceClient;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;
use waymark_testkit::wait_for;

use super::{SOON, WORKSPACE, full, name, refusal};
use crate::services::Services;

fn client(services: &Services) -> RoadmapServiceClient<Channel> {
    RoadmapServiceClient::new(services.roadmap.clone())
}

fn guided_setup() -> String {
    name("initiatives", "guided-setup")
}

/// The initiative once it is in `state`.
async fn once(services: &Services, state: pb::InitiativeState) -> pb::Initiative {
    wait_for(state.as_str_name(), SOON, async || {
        let answer = client(services).get_initiative(pb::GetInitiativeRequest { name: guided_setup() }).await;
        answer.ok().map(tonic::Response::into_inner).filter(|initiative| initiative.state() == state)
    })
    .await
}

pub async fn the_solution_is_proposed_with_its_evidence(services: &Services) -> Result<()> {
    let proposed = once(services, pb::InitiativeState::Proposed).await;
    assert_eq!(proposed.display_name, "Guided setup");
    let targets: Vec<&str> = proposed.evidence.iter().map(|evidence| evidence.target.as_str()).collect();
    assert_eq!(
        targets,
        [full("discovery", "solutions", "guided-setup"), full("discovery", "opportunities", "first-step")]
    );
    assert_eq!(proposed.risks.iter().filter(|risk| !risk.evidence.is_empty()).count(), 4, "{:?}", proposed.risks);
    Ok(())
}

pub async fn an_initiative_with_open_risks_is_not_committed(services: &Services) -> Result<()> {
    let initiative = pb::Initiative { display_name: "Dark mode".to_owned(), ..Default::default() };
    let create = pb::CreateInitiativeRequest {
        parent: WORKSPACE.to_owned(),
        initiative_id: "dark-mode".to_owned(),
        initiative: Some(initiative),
        ..Default::default()
    };
    let dark_mode = client(services).create_initiative(create).await?.into_inner();
    let commit = pb::CommitInitiativeRequest { name: dark_mode.name.clone(), ..Default::default() };
    let refused = refusal(client(services).commit_initiative(commit).await);
    assert_eq!((refused.code(), refused.reason()), (Code::FailedPrecondition, "RISKS_OPEN"), "{refused}");
    let unchanged =
        client(services).get_initiative(pb::GetInitiativeRequest { name: dark_mode.name.clone() }).await?.into_inner();
    assert_eq!(unchanged, dark_mode);
    Ok(())
}

pub async fn estimates_make_an_order(services: &Services) -> Result<()> {
    let mut priorities = PrioritizationServiceClient::new(services.roadmap.clone());
    let guess = |value: f64| {
        let basis = pb::factor_source::Basis::Guess("the team's judgement".to_owned());
        let source = pb::FactorSource { basis: Some(basis), ..Default::default() };
        Some(pb::Factor { source: Some(source), value: Some(pb::factor::Value::Point(value)), word: String::new() })
    };
    for (id, reach, impact) in [("dark-mode", 8_000.0, 0.5), ("guided-setup", 5_000.0, 2.0)] {
        let estimate = pb::Estimate {
            display_name: format!("RICE of {id}"),
            initiative: name("initiatives", id),
            reach: guess(reach),
            impact: guess(impact),
            confidence: guess(0.8),
            effort: guess(2.0),
            ..Default::default()
        };
        let create = pb::CreateEstimateRequest {
            parent: WORKSPACE.to_owned(),
            estimate_id: id.to_owned(),
            estimate: Some(estimate),
            ..Default::default()
        };
        priorities.create_estimate(create).await?;
    }
    let rank = pb::RankInitiativesRequest { parent: WORKSPACE.to_owned(), ..Default::default() };
    let order = priorities.rank_initiatives(rank).await?.into_inner();
    let order: Vec<_> =
        order.ranked.iter().map(|i| (i.initiative.as_str(), i.score.map(|score| score.likely))).collect();
    assert_eq!(
        order,
        [(guided_setup().as_str(), Some(4_000.0)), (name("initiatives", "dark-mode").as_str(), Some(1_600.0))]
    );
    Ok(())
}

pub async fn it_is_committed_with_an_expectation(services: &Services) -> Result<()> {
    let expected = pb::ExpectedOutcome {
        metric: full("metrics", "metrics", "activation"),
        change: Some(Range { low: 0.1, likely: 0.2, high: 0.3 }),
        window_days: 14,
    };
    let mask = pbjson_types::FieldMask { paths: vec!["expected_outcome".to_owned()] };
    let initiative = pb::Initiative { name: guided_setup(), expected_outcome: Some(expected), ..Default::default() };
    let update =
        pb::UpdateInitiativeRequest { initiative: Some(initiative), update_mask: Some(mask), ..Default::default() };
    client(services).update_initiative(update).await?;
    let commit = pb::CommitInitiativeRequest { name: guided_setup(), ..Default::default() };
    let committed = client(services).commit_initiative(commit).await?.into_inner();
    assert_eq!(
        (committed.state(), committed.committed_by.as_str()),
        (pb::InitiativeState::Committed, "users/ada@example.com")
    );
    let start = pb::StartInitiativeRequest { name: guided_setup(), ..Default::default() };
    assert_eq!(client(services).start_initiative(start).await?.into_inner().state(), pb::InitiativeState::InProgress);
    Ok(())
}

pub async fn it_is_shipped(services: &Services) -> Result<()> {
    services.clock.advance(std::time::Duration::from_hours(24));
    let ship = pb::ShipInitiativeRequest { name: guided_setup(), ..Default::default() };
    let shipped = client(services).ship_initiative(ship).await?.into_inner();
    assert_eq!(shipped.state(), pb::InitiativeState::Shipped);
    Ok(())
}

pub async fn the_initiative_knows_what_became_of_it(services: &Services) -> Result<()> {
    let measured = once(services, pb::InitiativeState::Measured).await;
    let actual = measured.actual.unwrap_or_default();
    assert_eq!((actual.outcome.clone(), actual.verdict()), (full("metrics", "outcomes", "guided-setup"), Verdict::Met));
    let (expected, found) = (measured.expected_outcome.and_then(|e| e.change), actual.measured);
    assert!(expected.zip(found).is_some_and(|(expected, found)| found.low >= expected.low), "{expected:?} {found:?}");
    Ok(())
}

/// The revision of the roadmap now.
pub async fn revision(services: &Services) -> Result<i64> {
    Ok(client(services)
        .get_roadmap(pb::GetRoadmapRequest { parent: WORKSPACE.to_owned(), ..Default::default() })
        .await?
        .into_inner()
        .revision)
}

pub async fn the_roadmap_remembers_how_it_stood(services: &Services, before: i64) -> Result<()> {
    let position = Some(AsOf { position: Some(as_of::Position::Revision(before)) });
    let get = |as_of| pb::GetRoadmapRequest { parent: WORKSPACE.to_owned(), as_of, ..Default::default() };
    let find = |roadmap: pb::GetRoadmapResponse| {
        let mut all = roadmap.lanes.into_iter().flat_map(|lane| lane.initiatives);
        all.find(|initiative| initiative.name == guided_setup()).unwrap_or_default()
    };
    let then = client(services).get_roadmap(get(position.clone())).await?.into_inner();
    assert_eq!(then.revision, before);
    let then = find(then);
    assert_eq!((then.state(), then.ship_time, then.actual.clone()), (pb::InitiativeState::InProgress, None, None));
    let now = find(client(services).get_roadmap(get(None)).await?.into_inner());
    assert_eq!((now.state(), now.ship_time.is_some()), (pb::InitiativeState::Measured, true));

    let diff = pb::DiffRoadmapRequest { parent: WORKSPACE.to_owned(), from: position, ..Default::default() };
    let diff = client(services).diff_roadmap(diff).await?.into_inner();
    assert_eq!((diff.added.len(), diff.removed.len()), (0, 0));
    let [changed] = diff.changed.as_slice() else { panic!("one initiative changed, not {:?}", diff.changed) };
    assert_eq!(changed.initiative, guided_setup());
    let fields: Vec<&str> = changed.fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(fields, ["state", "ship_time", "actual"]);
    let written = &changed.fields[1].after;
    assert!(written.ends_with("Z\""), "times are written as ProtoJSON has them: {written}");
    Ok(())
}
