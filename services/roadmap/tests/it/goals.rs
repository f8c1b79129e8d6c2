//! Objectives as trees: how far they have come, now and as they stood, in pages; and advice on them.

use proptest::prelude::*;
use tonic::Status;
use waymark_proto::common::v1::{AsOf, as_of};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::ScoreBand::{Red, Unspecified, Yellow};
use waymark_testkit::NOW;

use super::key_results::{from_to, name as key_result_name};
use super::objectives::{below, name};
use super::{Fixture, W, initiative_name, named, on_both, refusal};

const APP: &str = "workspaces/acme/products/app";

fn of(objective: &str, weight: f64) -> pb::KeyResult {
    pb::KeyResult { objective: name(objective), weight: Some(weight), ..from_to(0.0, 10.0) }
}

fn in_period(start: &str, parent: &str) -> pb::Objective {
    let period = Some(pb::TargetInterval { start: start.into(), end: String::new() });
    pb::Objective { period, ..below(parent) }
}

fn all() -> pb::GetObjectiveTreeRequest {
    pb::GetObjectiveTreeRequest { parent: W.into(), ..Default::default() }
}

/// A node in a line: ids, scores and what is missing.
fn told(node: &pb::ObjectiveNode) -> String {
    let id = |name: &str| name.rsplit('/').next().unwrap().to_owned();
    let score = |score: Option<f64>| score.map_or("-".to_owned(), |score| score.to_string());
    let objective = node.objective.as_ref().unwrap();
    let missing: Vec<String> = node.missing.iter().map(|name| id(name)).collect();
    let (own, inherited, whole) = (score(node.own_score), score(node.inherited_score), score(node.score));
    let context = if node.is_context { "*" } else { "" };
    let indent = "  ".repeat(node.depth as usize);
    format!("{indent}{}{context} {own} {inherited} {whole} {}", id(&objective.name), missing.join(","))
        .trim_end()
        .to_owned()
}

impl Fixture {
    async fn tree(&self, request: pb::GetObjectiveTreeRequest) -> Result<pb::GetObjectiveTreeResponse, Status> {
        self.strategy().get_objective_tree(request).await.map(tonic::Response::into_inner)
    }

    async fn lines(&self, request: pb::GetObjectiveTreeRequest) -> Vec<String> {
        self.tree(request).await.unwrap().nodes.iter().map(told).collect()
    }

    async fn say(&self, id: &str, key_result: &str, value: f64) {
        let check_in =
            pb::CheckIn { key_result: key_result_name(key_result), value: Some(value), ..Default::default() };
        self.check_in(id, check_in).await.unwrap();
    }

    /// `wide` of 2026, served by `app` and `web` of its third quarter; `app` by `deep`. And `alone`.
    async fn plant(&self) {
        let request = pb::CreateProductRequest {
            parent: W.into(),
            product_id: "app".into(),
            product: Some(pb::Product { display_name: "App".into(), ..Default::default() }),
            ..Default::default()
        };
        self.strategy().create_product(request).await.unwrap();
        let for_app = |objective| pb::Objective { products: vec![APP.into()], ..objective };
        self.objective("wide", in_period("2026", "")).await.unwrap();
        self.objective("app", for_app(in_period("2026-Q3", "wide"))).await.unwrap();
        self.objective("web", in_period("2026-Q3", "wide")).await.unwrap();
        self.objective("deep", in_period("2026-08", "app")).await.unwrap();
        self.objective("alone", in_period("2026-H1", "")).await.unwrap();
        for (id, key_result) in [
            ("a", of("app", 3.0)),
            ("b", of("app", 1.0)),
            ("c", of("app", 5.0)),
            ("d", of("deep", 1.0)),
            ("w", of("wide", 2.0)),
        ] {
            self.key_result(id, key_result).await.unwrap();
        }
    }
}

#[tokio::test]
async fn scores_are_own_and_inherited_and_what_nobody_knows_is_missing() {
    on_both(async |f| {
        f.plant().await;
        let nothing =
            ["alone - - -", "wide - - - w,app,web", "  app - - - a,b,c,deep", "    deep - - - d", "  web - - -"];
        assert_eq!(f.lines(all()).await, nothing, "and that is no zero");
        for (id, key_result, value) in [("1", "a", 10.0), ("2", "b", 2.0), ("3", "d", 1.0)] {
            f.say(id, key_result, value).await;
        }
        let known = [
            "alone - - -",
            "wide - 0.66 0.66 w,web",
            // (3 × 1 + 1 × .2) / 4, and (3 × 1 + 1 × .2 + .1) / 5.
            "  app 0.8 0.1 0.66 c",
            "    deep 0.1 - 0.1",
            "  web - - -",
        ];
        assert_eq!(f.lines(all()).await, known);
        let bands: Vec<_> = f.tree(all()).await.unwrap().nodes.iter().map(pb::ObjectiveNode::band).collect();
        assert_eq!(bands, [Unspecified, Yellow, Yellow, Red, Unspecified]);
        let branch = pb::GetObjectiveTreeRequest { objective: name("app"), ..all() };
        assert_eq!(f.lines(branch).await, ["app 0.8 0.1 0.66 c", "  deep 0.1 - 0.1"]);
        let none = pb::GetObjectiveTreeRequest { objective: name("none"), ..all() };
        assert_eq!(refusal(f.tree(none).await).1, "RESOURCE_NOT_FOUND");
        let elsewhere = pb::GetObjectiveTreeRequest { objective: "workspaces/other/objectives/app".into(), ..all() };
        assert_eq!(refusal(f.tree(elsewhere).await).1, "RESOURCE_NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn filters_leave_out_what_is_shown_and_not_what_is_counted() {
    on_both(async |f| {
        f.plant().await;
        f.say("1", "a", 10.0).await;
        f.say("2", "w", 0.0).await;
        let product = pb::GetObjectiveTreeRequest { product: APP.into(), ..all() };
        // (2 × 0 + 1) / 3.
        assert_eq!(f.lines(product).await, ["wide* 0 1 0.333333333333 web", "  app 1 - 1 b,c,deep"]);
        let period = |period: &str| pb::GetObjectiveTreeRequest { period: period.into(), ..all() };
        let ids = async |request| {
            let lines = f.lines(request).await;
            lines.iter().filter_map(|line| line.split_whitespace().next()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ids(period("2026-08")).await, "wide app deep web");
        assert_eq!(ids(period("2026-Q2")).await, "alone wide");
        assert_eq!(ids(period("2027")).await, "");
        let wrong = f.tree(period("soon")).await;
        assert_eq!(refusal(wrong).1, "INVALID_FIELD");
    })
    .await;
}

#[tokio::test]
async fn it_is_shown_as_it_stood() {
    on_both(async |f| {
        f.plant().await;
        let serving = |ids: &[&str]| pb::Initiative {
            key_results: ids.iter().map(|id| key_result_name(id)).collect(),
            ..named("Invite \"by\" mail, \\ \u{1e}ü")
        };
        f.create("i", serving(&["a"])).await.unwrap();
        f.say("1", "a", 5.0).await;
        let then = f.tree(all()).await.unwrap();
        f.say("2", "a", 10.0).await;
        f.create("j", serving(&["a"])).await.unwrap();
        let request = pb::CommitInitiativeRequest { name: initiative_name("i"), ..Default::default() };
        f.roadmap().commit_initiative(request).await.unwrap_err();
        f.delete_objective("web").await.unwrap();
        f.delete_objective("alone").await.unwrap();
        let moved = pb::Objective { name: name("deep"), ..below("") };
        let request = pb::UpdateObjectiveRequest {
            objective: Some(moved),
            update_mask: Some(pbjson_types::FieldMask { paths: vec!["parent_objective".into()] }),
            ..Default::default()
        };
        f.strategy().update_objective(request).await.unwrap();
        assert_eq!(f.lines(all()).await, ["deep - - - d", "wide - 1 1 w", "  app 1 - 1 b,c"]);
        let at = |revision| {
            let as_of = Some(AsOf { position: Some(as_of::Position::Revision(revision)) });
            pb::GetObjectiveTreeRequest { as_of, ..all() }
        };
        assert_eq!(f.tree(at(then.revision)).await.unwrap(), then, "to the last field");
        assert_eq!(f.lines(at(then.revision)).await.len(), 5);
        let branch = pb::GetObjectiveTreeRequest { objective: name("app"), ..at(then.revision) };
        assert_eq!(f.lines(branch).await, ["app 0.5 - 0.5 b,c,deep", "  deep - - - d"]);
        assert_eq!(f.tree(at(0)).await.unwrap().nodes, []);
        assert_eq!(refusal(f.tree(at(1_000)).await).1, "REVISION_IN_FUTURE");
        let time = as_of::Position::Time(waymark_proto::convert::timestamp(NOW));
        let now = pb::GetObjectiveTreeRequest { as_of: Some(AsOf { position: Some(time) }), ..all() };
        assert_eq!(f.lines(now).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn initiatives_stand_behind_their_key_results() {
    on_both(async |f| {
        f.plant().await;
        for number in 0..22 {
            let key_results = [key_result_name("a"), key_result_name("d")];
            let initiative = pb::Initiative { key_results: key_results[..=number % 2].into(), ..named("Invites") };
            f.create(&format!("i{number:02}"), initiative).await.unwrap();
        }
        let tree = f.tree(all()).await.unwrap();
        let of = |id: &str| {
            let key_results = tree.nodes.iter().flat_map(|node| &node.key_results);
            let mut those = key_results.filter(|of| of.key_result.as_ref().unwrap().name == key_result_name(id));
            those.next().unwrap()
        };
        let ids = |of: &pb::KeyResultNode| of.initiatives.iter().map(|i| i.initiative.clone()).collect::<Vec<_>>();
        assert_eq!((of("a").initiatives.len(), of("a").more_initiatives), (20, true));
        assert_eq!(ids(of("a"))[0], initiative_name("i00"));
        assert_eq!((of("d").initiatives.len(), of("d").more_initiatives), (11, false));
        assert_eq!(ids(of("d"))[10], initiative_name("i21"));
        assert_eq!(of("d").initiatives[0].state(), pb::InitiativeState::Proposed);
        assert_eq!(of("b").initiatives, []);
    })
    .await;
}

/// All pages, of so many objectives each.
async fn pages(f: &Fixture, request: pb::GetObjectiveTreeRequest, page_size: i32) -> Vec<Vec<String>> {
    let (mut pages, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = f.tree(pb::GetObjectiveTreeRequest { page_size, page_token, ..request.clone() }).await.unwrap();
        pages.push(page.nodes.iter().map(told).collect());
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return pages;
        }
    }
}

#[tokio::test]
async fn pages_are_of_one_revision_and_make_up_the_whole() {
    on_both(async |f| {
        f.plant().await;
        f.say("1", "d", 5.0).await;
        let whole = f.lines(all()).await;
        for size in 1..=6 {
            assert_eq!(pages(f, all(), size).await.concat(), whole, "{size}");
        }
        let product = pb::GetObjectiveTreeRequest { product: APP.into(), ..all() };
        assert_eq!(pages(f, product.clone(), 1).await.concat(), f.lines(product).await);
        // What happens between pages does not show on them.
        let first = f.tree(pb::GetObjectiveTreeRequest { page_size: 2, ..all() }).await.unwrap();
        f.say("2", "d", 10.0).await;
        f.delete_objective("web").await.unwrap();
        let page_token = first.next_page_token.clone();
        let rest = f.tree(pb::GetObjectiveTreeRequest { page_token, ..all() }).await.unwrap();
        let both: Vec<_> = first.nodes.iter().chain(&rest.nodes).map(told).collect();
        assert_eq!((both, rest.revision), (whole, first.revision));
        let foreign = pb::GetObjectiveTreeRequest { page_token: first.next_page_token, period: "2026".into(), ..all() };
        assert_eq!(refusal(f.tree(foreign).await).1, "INVALID_PAGE_TOKEN");
        let many = pb::GetObjectiveTreeRequest { page_size: 2_001, ..all() };
        assert_eq!(refusal(f.tree(many).await).1, "INVALID_FIELD");
    })
    .await;
}

#[tokio::test]
async fn a_chain_longer_than_decoders_nest_is_shown_to_its_end() {
    on_both(async |f| {
        let row = |number: i32| pb::CreateObjectiveRequest {
            objective_id: format!("o{number:03}"),
            objective: Some(below(&if number == 0 { String::new() } else { format!("o{:03}", number - 1) })),
            ..Default::default()
        };
        for begin in [0, 40, 80] {
            let requests = (begin..begin + 40).map(row).collect();
            let batch = pb::BatchCreateObjectivesRequest { parent: W.into(), requests, ..Default::default() };
            f.strategy().batch_create_objectives(batch).await.unwrap();
        }
        f.key_result("kr", of("o119", 1.0)).await.unwrap();
        f.say("c", "kr", 4.0).await;
        let tree = f.tree(all()).await.unwrap();
        assert_eq!((tree.nodes.len(), tree.nodes[119].depth, tree.nodes[0].score), (120, 119, Some(0.4)));
    })
    .await;
}

#[tokio::test]
async fn advice_is_given_in_pages_and_on_what_is_not_over() {
    on_both(async |f| {
        // The clock of these tests stands in 2026.
        f.plant().await;
        f.objective("late", in_period("2026-Q3", "deep")).await.unwrap();
        f.objective("stray", in_period("2026-Q3", "")).await.unwrap();
        f.objective("over", in_period("2025", "")).await.unwrap();
        let doing = pb::KeyResult { display_name: "Launch the app".into(), ..of("web", 1.0) };
        f.key_result("doing", doing).await.unwrap();
        let serving = pb::Initiative { key_results: vec![key_result_name("d")], ..named("Invites") };
        f.create("i", serving).await.unwrap();
        let lint = async |product: &str, page_size, page_token: &str| {
            let (product, page_token) = (product.to_owned(), page_token.to_owned());
            let request =
                pb::LintObjectivesRequest { parent: W.into(), product, page_size, page_token, ..Default::default() };
            f.strategy().lint_objectives(request).await.unwrap().into_inner()
        };
        let line = |finding: &pb::ObjectiveFinding| {
            let rule = finding.rule().as_str_name().trim_start_matches("OBJECTIVE_LINT_RULE_");
            format!("{} {rule}", finding.resource.rsplit('/').next().unwrap())
        };
        let found = lint("", 0, "").await;
        let lines: Vec<String> = found.findings.iter().map(line).collect();
        let expected = [
            "alone NO_KEY_RESULT",
            "late NO_KEY_RESULT",
            "late OUTSIDE_PARENT_PERIOD",
            "stray NO_KEY_RESULT",
            "stray NOT_ALIGNED",
            "web NO_INITIATIVE",
            "doing TASK",
        ];
        assert_eq!(lines, expected);
        assert!(found.findings.iter().all(|finding| finding.message.contains("; ")), "each says what to do");
        let (mut paged, mut token) = (Vec::new(), String::new());
        loop {
            let page = lint("", 2, &token).await;
            paged.extend(page.findings.iter().map(line));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(paged, lines);
        assert_eq!(lint(APP, 0, "").await.findings, []);
        // A quarter later nothing was checked in.
        f.clock.set("2026-09-20T00:00:00Z".parse().unwrap());
        let lines: Vec<String> = lint(APP, 0, "").await.findings.iter().map(line).collect();
        assert_eq!(lines, ["a NOT_CHECKED_IN", "b NOT_CHECKED_IN", "c NOT_CHECKED_IN"]);
    })
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// Whatever the forest: pages make up the whole, each score is what its parts say, and nothing is shown twice.
    #[test]
    fn any_forest_adds_up(parents in prop::collection::vec(any::<prop::sample::Index>(), 1..12), size in 1..5_i32) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let f = Fixture::start(waymark_testkit::Engine::Sqlite).await;
            for (number, parent) in parents.iter().enumerate() {
                // Below one of those before it, or below none.
                let parent = parent.index(number + 1);
                let parent = if parent == number { String::new() } else { format!("o{parent}") };
                let (id, value) = (format!("o{number}"), number as f64 % 10.0);
                f.objective(&id, below(&parent)).await.unwrap();
                f.key_result(&id, of(&id, 1.0 + value)).await.unwrap();
                if number % 3 > 0 {
                    f.say(&id, &id, value).await;
                }
            }
            let tree = f.tree(all()).await.unwrap();
            assert_eq!(tree.nodes.len(), parents.len());
            assert_eq!(pages(&f, all(), size).await.concat(), tree.nodes.iter().map(told).collect::<Vec<_>>());
            for node in &tree.nodes {
                let own = &node.key_results[0].key_result.as_ref().unwrap();
                let of_name = &node.objective.as_ref().unwrap().name;
                let children = tree.nodes.iter().filter(|n| n.objective.as_ref().unwrap().parent_objective == *of_name);
                let scored = children.filter_map(|child| child.score);
                let (sum, count) = scored.fold((0.0, 0.0), |(sum, count), score| (sum + score, count + 1.0));
                let weight = if own.score.is_some() { own.weight.unwrap() } else { 0.0 };
                let all = own.score.unwrap_or_default() * weight + sum;
                match node.score {
                    Some(score) => assert!((score * (weight + count) - all).abs() < 1e-9, "{node:?}"),
                    None => assert!(weight + count == 0.0, "{node:?}"),
                }
                assert_eq!(node.own_score, own.score);
            }
            f.stop().await;
        });
    }
}
