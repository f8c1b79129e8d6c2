//! Ranks as they stood, beside what was told when they stood so.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use waymark_domain::WorkspaceId;
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::ScoringFramework as Framework;
use waymark_store::LogReaders;

use crate::estimates::create;
use crate::frameworks::{of_all, point};
use crate::{Fixture, W, initiative_name, named, on_both, refusal};

/// What is ranked by: a framework or a model, and a filter.
const ORDERS: [(Framework, &str, &str); 8] = [
    (Framework::Rice, "", ""),
    (Framework::Rice, "", "create_time:*"),
    (Framework::Rice, "", "labels.team = growth OR state = DECLINED"),
    (Framework::Wsjf, "", ""),
    (Framework::Moscow, "", "create_time:* AND NOT display_name:seen"),
    (Framework::Kano, "", ""),
    (Framework::Unspecified, "compared", ""),
    (Framework::Unspecified, "compared", "state = PROPOSED"),
];

/// Numbers that look random and are the same each time (Vigna, 2015: splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

fn workspace() -> WorkspaceId {
    W.parse().unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "as a message field wants it")]
fn at(revision: i64) -> Option<AsOf> {
    Some(AsOf { position: Some(as_of::Position::Revision(revision)) })
}

async fn now(f: &Fixture) -> i64 {
    f.served.store().revision(&workspace()).await.unwrap()
}

async fn page(f: &Fixture, request: &pb::RankInitiativesRequest) -> Result<pb::RankInitiativesResponse, Status> {
    f.prioritization().rank_initiatives(request.clone()).await.map(tonic::Response::into_inner)
}

fn asked((framework, model, filter): (Framework, &str, &str), as_of: Option<AsOf>) -> pb::RankInitiativesRequest {
    let model = if model.is_empty() { String::new() } else { format!("{W}/scoringModels/{model}") };
    pb::RankInitiativesRequest {
        parent: W.into(),
        framework: framework.into(),
        model,
        filter: filter.into(),
        as_of,
        ..Default::default()
    }
}

/// All pages of an order, and of the first what is told beside.
async fn pages(f: &Fixture, mut request: pb::RankInitiativesRequest, size: i32) -> pb::RankInitiativesResponse {
    request.page_size = size;
    let mut all = page(f, &request).await.unwrap();
    while !all.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut all.next_page_token);
        let next = page(f, &request).await.unwrap();
        assert!(next.ranked.len() + next.unranked.len() <= size as usize);
        assert!(next.ranked.is_empty() || all.unranked.is_empty(), "those without a position come last");
        assert_eq!(next.revision, all.revision, "all pages are of one revision");
        all.ranked.extend(next.ranked);
        all.unranked.extend(next.unranked);
        all.next_page_token = next.next_page_token;
    }
    all
}

/// The same without what is told of those on other pages.
fn without_ties(mut answer: pb::RankInitiativesResponse) -> pb::RankInitiativesResponse {
    answer.ranked.iter_mut().for_each(|row| row.tie.clear());
    answer
}

/// Does something to an initiative or its estimates; much of it is refused.
async fn change(f: &Fixture, numbers: &mut Numbers, made: &mut u64) -> Result<(), Status> {
    let id = format!("i{}", numbers.below(9));
    let (name, estimate) = (initiative_name(&id), format!("{W}/estimates/e{}", numbers.below((*made).max(1))));
    let (mut roadmap, mut prioritization) = (f.roadmap(), f.prioritization());
    match numbers.below(24) {
        0..3 => drop(f.create(&id, named(&id)).await?),
        3..14 => {
            // Few values, so that there are ties.
            let mut message = of_all(&id, (1 + numbers.below(4)) as f64 * 2.0);
            message.reach = point((1 + numbers.below(3)) as f64 * 100.0);
            message.impact = point(1.0);
            message.confidence = point(if numbers.below(2) == 0 { 0.5 } else { 1.0 });
            message.effort = message.effort.filter(|_| numbers.below(8) > 0);
            message.wsjf = message.wsjf.filter(|_| numbers.below(3) > 0);
            create(f, &format!("e{made}"), message).await?;
            *made += 1;
        }
        14 => {
            let reach = point((1 + numbers.below(3)) as f64 * 100.0);
            let patch = pb::Estimate { name: estimate, reach, ..Default::default() };
            let request = pb::UpdateEstimateRequest { estimate: Some(patch), ..Default::default() };
            drop(prioritization.update_estimate(request).await?);
        }
        15 => {
            let request = pb::DeleteEstimateRequest { name: estimate, ..Default::default() };
            drop(prioritization.delete_estimate(request).await?);
        }
        16 => {
            let request = pb::UndeleteEstimateRequest { name: estimate, ..Default::default() };
            drop(prioritization.undelete_estimate(request).await?);
        }
        17 => drop(roadmap.delete_initiative(pb::DeleteInitiativeRequest { name, ..Default::default() }).await?),
        18 => drop(roadmap.undelete_initiative(pb::UndeleteInitiativeRequest { name, ..Default::default() }).await?),
        19 => {
            let (reason, what_would_change_our_mind) = ("no".into(), "money".into());
            let request =
                pb::DeclineInitiativeRequest { name, reason, what_would_change_our_mind, ..Default::default() };
            drop(roadmap.decline_initiative(request).await?);
        }
        20 => f.clock.advance(std::time::Duration::from_secs(1)),
        _ => {
            // It stays where it is, so events of one rank come one after the other.
            let labels = [("team".to_owned(), if numbers.below(2) == 0 { "growth" } else { "core" }.to_owned())].into();
            let display_name = format!("seen {}", numbers.below(100));
            let initiative = Some(pb::Initiative { name, labels, display_name, ..Default::default() });
            drop(roadmap.update_initiative(pb::UpdateInitiativeRequest { initiative, ..Default::default() }).await?);
        }
    }
    Ok(())
}

async fn keep_model(f: &Fixture) {
    let criterion = |key: &str, weight| pb::ScoringCriterion {
        key: key.to_owned(),
        weight: Some(weight),
        normalisation: pb::ScoringNormalisation::MinMax.into(),
        ..Default::default()
    };
    let criteria = vec![criterion("reach", 1.0), criterion("effort", -1.0)];
    let model = pb::ScoringModel { display_name: "Compared".into(), criteria, ..Default::default() };
    let (parent, scoring_model_id) = (W.into(), "compared".into());
    let request =
        pb::CreateScoringModelRequest { parent, scoring_model_id, scoring_model: Some(model), ..Default::default() };
    f.prioritization().create_scoring_model(request).await.unwrap();
}

#[tokio::test]
async fn ranks_of_then_are_those_that_were_told() {
    on_both(async |f| {
        keep_model(f).await;
        let (mut numbers, mut made, mut told) = (Numbers(11), 0, Vec::new());
        while told.len() < 200 {
            let before = now(f).await;
            let _ = change(f, &mut numbers, &mut made).await;
            if now(f).await == before {
                continue;
            }
            // What is kept each time, the others by turns: they cost as much as the whole.
            let (number, mut orders) = (told.len(), Vec::new());
            for (which, order) in ORDERS.into_iter().enumerate() {
                if which < 3 || (number + which) % 5 == 0 {
                    orders.push((order, pages(f, asked(order, None), 50).await));
                }
            }
            told.push((now(f).await, orders));
        }
        let (mut scored, mut tied, mut unscored) = (0, 0, 0);
        for (number, (revision, orders)) in told.iter().enumerate() {
            for (order, plain) in orders {
                let is_kept = order.0 == Framework::Rice;
                let ranked_count = if is_kept { 0 } else { plain.ranked_count };
                let expected = pb::RankInitiativesResponse { revision: *revision, ranked_count, ..plain.clone() };
                let request = asked(*order, at(*revision));
                assert_eq!(pages(f, request.clone(), 50).await, expected, "{order:?} at {revision}");
                if number % 4 == 0 {
                    let size = 1 + number as i32 / 4 % 3;
                    let paged = without_ties(pages(f, request, size).await);
                    assert_eq!(paged, without_ties(expected), "{order:?} at {revision}, {size} a page");
                }
            }
            scored += orders[0].1.ranked.len();
            tied += orders[0].1.ranked.iter().filter(|row| !row.tie.is_empty()).count();
            unscored += orders[0].1.unranked.len();
        }
        assert!(scored > 300 && tied > 100 && unscored > 50, "{scored} {tied} {unscored}");
    })
    .await;
}

/// Initiatives whose reach is given, with an estimate each.
async fn ranked(f: &Fixture, reaches: &[(&str, f64)]) {
    for (id, reach) in reaches {
        f.create(id, named(id)).await.unwrap();
        create(f, id, crate::estimates::estimate(id, [*reach, 1.0, 1.0, 1.0])).await.unwrap();
    }
}

fn ids(answer: &pb::RankInitiativesResponse) -> Vec<(i32, &str)> {
    answer.ranked.iter().map(|row| (row.position, row.display_name.as_str())).collect()
}

#[tokio::test]
async fn pages_are_of_one_revision_whatever_is_written_meanwhile() {
    on_both(async |f| {
        ranked(f, &[("a", 5.0), ("b", 4.0), ("c", 4.0), ("d", 4.0), ("e", 1.0)]).await;
        let written = f.get("e").await.update_time.unwrap();
        let time = AsOf { position: Some(as_of::Position::Time(written)) };
        f.clock.advance(std::time::Duration::from_mins(1));
        let mut request = pb::RankInitiativesRequest { page_size: 2, ..asked(ORDERS[0], Some(time)) };
        let first = page(f, &request).await.unwrap();
        assert_eq!(ids(&first), [(1, "a"), (2, "b")]);
        assert_eq!(
            first.ranked[1].tie,
            "same score as others; shown by confidence (1), then effort (1 person-months), then name"
        );
        assert_eq!((first.revision, first.ranked_count), (now(f).await, 0));

        // It is overtaken, and one of those that come is deleted.
        create(f, "z", crate::estimates::estimate("e", [9.0, 1.0, 1.0, 1.0])).await.unwrap();
        let delete = pb::DeleteInitiativeRequest { name: initiative_name("c"), ..Default::default() };
        let refused = f.roadmap().delete_initiative(delete).await.is_err();
        f.create("late", named("late")).await.unwrap();
        request.page_token = first.next_page_token;
        let second = page(f, &request).await.unwrap();
        assert_eq!(ids(&second), [(2, "c"), (2, "d")], "deleting was refused: {refused}");
        assert!(second.ranked[0].tie.starts_with("same score as d and 1 more; shown by"), "{}", second.ranked[0].tie);
        request.page_token = second.next_page_token;
        let last = page(f, &request).await.unwrap();
        assert_eq!((ids(&last), last.next_page_token.as_str()), (vec![(5, "e")], ""));
        let after = page(f, &asked(ORDERS[0], at(now(f).await))).await.unwrap();
        assert_eq!(ids(&after)[0], (1, "e"));
        assert_eq!(after.unranked[0].display_name, "late");

        request.filter = "display_name:a".into();
        assert_eq!(refusal(page(f, &request).await), (Code::InvalidArgument, "INVALID_PAGE_TOKEN".into()));
    })
    .await;
}

#[tokio::test]
async fn positions_that_cannot_be_shown_are_refused() {
    on_both(async |f| {
        ranked(f, &[("a", 5.0), ("b", 4.0)]).await;
        create(f, "c", crate::estimates::estimate("b", [9.0, 1.0, 1.0, 1.0])).await.unwrap();
        let last = now(f).await;
        for order in [ORDERS[0], ORDERS[3]] {
            let ask = async |as_of| page(f, &asked(order, as_of)).await;
            let future = (Code::InvalidArgument, "REVISION_IN_FUTURE".to_owned());
            assert_eq!(refusal(ask(at(last + 1)).await), future);
            let far = waymark_proto::Timestamp { seconds: 32_503_680_000, nanos: 0 };
            let later = AsOf { position: Some(as_of::Position::Time(far)) };
            assert_eq!(refusal(ask(Some(later)).await).0, Code::InvalidArgument);
            assert_eq!(refusal(ask(Some(AsOf::default())).await).0, Code::InvalidArgument);
            assert_eq!(refusal(ask(at(-1)).await).0, Code::InvalidArgument);
            let none = AsOf { position: Some(as_of::Position::Snapshot(format!("{W}/snapshots/none"))) };
            assert_eq!(refusal(ask(Some(none)).await).0, Code::NotFound);
            assert_eq!(ids(&ask(at(0)).await.unwrap()), []);
        }
        let wrong = pb::RankInitiativesRequest { filter: "colour = red".into(), ..asked(ORDERS[0], at(1)) };
        assert_eq!(refusal(page(f, &wrong).await), (Code::InvalidArgument, "INVALID_FILTER".into()));
        // The model came later.
        keep_model(f).await;
        assert_eq!(refusal(page(f, &asked(ORDERS[6], at(last))).await).0, Code::NotFound);
        assert_eq!(page(f, &asked(ORDERS[6], at(last + 1))).await.unwrap().ranked.len(), 2);

        let taken = pb::Snapshot { display_name: "Board".into(), revision: last - 1, ..Default::default() };
        let request = pb::CreateSnapshotRequest {
            parent: W.into(),
            snapshot_id: "board".into(),
            snapshot: Some(taken),
            ..Default::default()
        };
        f.roadmap().create_snapshot(request).await.unwrap();
        let held = || AsOf { position: Some(as_of::Position::Snapshot(format!("{W}/snapshots/board"))) };
        let before = page(f, &asked(ORDERS[0], Some(held()))).await.unwrap();
        assert_eq!(ids(&before), [(1, "a"), (2, "b")]);
        let to = now(f).await;
        while f.served.store().trim_log(&workspace(), to, &LogReaders::default()).await.unwrap().is_some() {}
        let expired = (Code::OutOfRange, "REVISION_EXPIRED".to_owned());
        assert_eq!(refusal(page(f, &asked(ORDERS[0], at(last))).await), expired);
        assert_eq!(page(f, &asked(ORDERS[0], Some(held()))).await.unwrap(), before);
        assert_eq!(ids(&page(f, &asked(ORDERS[0], at(to))).await.unwrap()), [(1, "b"), (2, "a")]);
    })
    .await;
}

#[tokio::test]
async fn what_events_of_before_say_of_ranks_is_filled_in() {
    on_both(async |f| {
        ranked(f, &[("a", 5.0), ("b", 4.0)]).await;
        create(f, "c", crate::estimates::estimate("b", [9.0, 1.0, 1.0, 1.0])).await.unwrap();
        let last = now(f).await;
        let then = page(f, &asked(ORDERS[0], at(last - 1))).await.unwrap();
        let database = f.served.database();
        let reopened = "UPDATE schema_backfills SET workspace = '', id = '', end_time = NULL WHERE migration = 27";
        database.execute(&["UPDATE log SET traced = NULL", reopened]).await.unwrap();
        assert_eq!(ids(&page(f, &asked(ORDERS[0], at(last - 1))).await.unwrap()), []);
        database.addresses().migrate(waymark_roadmap::SERVICE.schema).await.unwrap();
        assert_eq!(page(f, &asked(ORDERS[0], at(last - 1))).await.unwrap(), then);
        assert_eq!(ids(&then), [(1, "a"), (2, "b")]);
    })
    .await;
}

#[tokio::test]
async fn an_order_that_is_not_kept_is_not_made_of_too_many() {
    on_both(async |f| {
        let row = |number| pb::CreateInitiativeRequest {
            initiative_id: format!("i{number}"),
            initiative: Some(named("i")),
            ..Default::default()
        };
        for begin in (0..4_500).step_by(500) {
            let requests = (begin..begin + 500).map(row).collect();
            let request = pb::BatchCreateInitiativesRequest { parent: W.into(), requests, ..Default::default() };
            f.roadmap().batch_create_initiatives(request).await.unwrap();
        }
        let status = page(f, &asked(ORDERS[3], at(now(f).await))).await.unwrap_err();
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "as_of");
        assert!(violations[0].description.contains("4000") && violations[0].description.contains("RICE"));

        // A filter is put to some of them for a page, and the pages go on.
        let mut request = asked((Framework::Rice, "", "id = i999 OR id = i0"), at(now(f).await));
        let mut found = Vec::new();
        let mut count = 0;
        loop {
            let page = page(f, &request).await.unwrap();
            found.extend(page.unranked.into_iter().map(|row| row.initiative));
            (request.page_token, count) = (page.next_page_token, count + 1);
            if request.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(found, [initiative_name("i0"), initiative_name("i999")]);
        assert_eq!(count, 3, "2,000 each, and the last 500");
    })
    .await;
}
