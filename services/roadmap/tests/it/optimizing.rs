//! Plans by what is kept of initiatives: what is done and when, what is left out and why, what cannot be.

use std::collections::BTreeMap;

use tonic::Code;
use tonic_types::StatusExt as _;
use waymark_proto::roadmap::v1 as pb;

use crate::estimates::{create, estimate};
use crate::frameworks::{point, source};
use crate::{Fixture, W, initiative_name, on_both};

/// Initiatives of teams, with what they are worth and their effort.
const ROWS: [(&str, &str, f64, f64); 5] = [
    ("chat", "web", 1000.0, 6.0),
    ("docs", "web", 600.0, 5.0),
    ("mail", "web", 600.0, 5.0),
    ("push", "app", 500.0, 2.0),
    ("whale", "web", 9000.0, 50.0),
];

fn of_team(id: &str, team: &str) -> pb::Initiative {
    let labels = BTreeMap::from([("team".to_owned(), team.to_owned())]);
    pb::Initiative { display_name: id.to_owned(), labels, ..Default::default() }
}

async fn begin(f: &Fixture) {
    for (id, team, worth, effort) in ROWS {
        f.create(id, of_team(id, team)).await.unwrap();
        create(f, id, estimate(id, [worth, 1.0, 1.0, effort])).await.unwrap();
    }
}

fn capacity(team: &str, months: &[f64]) -> pb::PlanCapacity {
    pb::PlanCapacity { team: team.into(), skill: String::new(), person_months: months.into() }
}

fn request(periods: &[&str], web: f64) -> pb::OptimizePlanRequest {
    pb::OptimizePlanRequest {
        parent: W.into(),
        periods: periods.iter().map(|period| (*period).to_owned()).collect(),
        capacities: vec![capacity("web", &[web]), capacity("app", &[2.0])],
        ..Default::default()
    }
}

fn particular(id: &str, wish: pb::PlanWish) -> pb::PlanInitiative {
    pb::PlanInitiative { initiative: initiative_name(id), wish: wish.into(), ..Default::default() }
}

async fn ask(f: &Fixture, request: pb::OptimizePlanRequest) -> Result<pb::OptimizePlanResponse, tonic::Status> {
    f.roadmap().optimize_plan(request).await.map(tonic::Response::into_inner)
}

/// `chat 2027-Q1`, by name.
fn planned(plan: &pb::OptimizePlanResponse) -> Vec<String> {
    let mut planned: Vec<String> = plan.planned.iter().map(|of| format!("{} {}", of.display_name, of.start)).collect();
    planned.sort();
    planned
}

fn left_out<'a>(plan: &'a pb::OptimizePlanResponse, id: &str) -> &'a pb::LeftOutInitiative {
    plan.left_out.iter().find(|of| of.display_name == id).unwrap()
}

#[tokio::test]
async fn the_best_plan_is_told_with_what_is_left_out_and_what_one_more_would_buy() {
    on_both(async |f| {
        begin(f).await;
        f.create("unsized", of_team("unsized", "web")).await.unwrap();
        f.create("nobody", pb::Initiative { display_name: "nobody".into(), ..Default::default() }).await.unwrap();
        create(f, "nobody", estimate("nobody", [1.0, 1.0, 1.0, 1.0])).await.unwrap();
        f.create("unknown", of_team("unknown", "web")).await.unwrap();
        let unknown = pb::Estimate { reach: None, ..estimate("unknown", [1.0, 1.0, 1.0, 1.0]) };
        create(f, "unknown", unknown).await.unwrap();

        let asked = request(&["2027-Q1"], 10.0);
        let plan = ask(f, asked.clone()).await.unwrap();
        assert_eq!(planned(&plan), ["docs 2027-Q1", "mail 2027-Q1", "push 2027-Q1"], "10 for 11 is too much");
        assert_eq!((plan.value, plan.bound, plan.gap, plan.end()), (1700.0, 1700.0, 0.0, pb::PlanEnd::Optimal));
        assert_eq!(ask(f, asked).await.unwrap(), plan, "the same question has the same answer");

        let reasons: Vec<_> = plan.left_out.iter().map(|of| (of.display_name.as_str(), of.reason())).collect();
        let expected = [
            ("chat", pb::LeftOutReason::Outdone),
            ("nobody", pb::LeftOutReason::WorkMissing),
            ("unknown", pb::LeftOutReason::ValueMissing),
            ("unsized", pb::LeftOutReason::WorkMissing),
            ("whale", pb::LeftOutReason::TooLarge),
        ];
        assert_eq!(reasons, expected);
        assert_eq!(left_out(&plan, "chat").capacities, ["web"]);
        assert_eq!(left_out(&plan, "nobody").missing, ["labels.team"]);
        assert_eq!(left_out(&plan, "unknown").missing, ["reach"]);
        assert_eq!(left_out(&plan, "unsized").missing, ["effort"]);
        assert_eq!(left_out(&plan, "whale").capacities, ["web"]);

        let web = &plan.loads[0].periods[0];
        assert_eq!((web.person_months, web.capacity, web.binding), (10.0, 10.0, true));
        assert!(!plan.loads[1].periods[0].binding, "nothing more of the app is wanted");
        let [web, app] = plan.one_more.as_slice() else { panic!("{:?}", plan.one_more) };
        assert_eq!((web.team.as_str(), web.solved, web.gain, web.gain_at_most), ("web", true, 400.0, 400.0));
        assert_eq!((web.added.clone(), web.dropped.len()), (vec![initiative_name("chat")], 1), "6 and 5 of 11");
        assert_eq!((app.solved, app.gain, app.gain_at_most), (true, 0.0, 0.0));
        let none = pb::OptimizePlanRequest { one_more_time_limit_ms: Some(0), ..request(&["2027-Q1"], 10.0) };
        assert!(ask(f, none).await.unwrap().one_more.iter().all(|more| !more.solved));
    })
    .await;
}

#[tokio::test]
async fn dependencies_dates_and_wishes_are_kept() {
    on_both(async |f| {
        begin(f).await;
        f.depend("push", "chat").await.unwrap();
        let mut asked = request(&["2027-Q1", "2027-Q2"], 6.0);
        asked.initiatives = vec![particular("push", pb::PlanWish::May)];
        asked.initiatives[0].earliest = "2027-Q2".into();
        let plan = ask(f, asked.clone()).await.unwrap();
        assert_eq!(planned(&plan)[0], "chat 2027-Q2", "what it waits for is done in the same period");
        asked.initiatives[0].wish = pb::PlanWish::MustNot.into();
        let plan = ask(f, asked.clone()).await.unwrap();
        let chat = left_out(&plan, "chat");
        assert_eq!(
            (chat.reason(), chat.initiatives.clone()),
            (pb::LeftOutReason::Dependency, vec![initiative_name("push")])
        );
        assert_eq!(left_out(&plan, "push").reason(), pb::LeftOutReason::MustNot);

        // What has no part in the plan is not done by it.
        let mut web = pb::OptimizePlanRequest { filter: "labels.team = web".into(), ..request(&["2027-Q1"], 6.0) };
        let plan = ask(f, web.clone()).await.unwrap();
        let chat = left_out(&plan, "chat");
        assert_eq!(
            (chat.reason(), chat.initiatives.clone()),
            (pb::LeftOutReason::Outside, vec![initiative_name("push")])
        );
        web.trust_others = true;
        let plan = ask(f, web.clone()).await.unwrap();
        assert_eq!(
            (planned(&plan), plan.planned[0].trusted.clone()),
            (vec!["chat 2027-Q1".into()], vec![initiative_name("push")])
        );
        web.initiatives = vec![particular("push", pb::PlanWish::Must)];
        let plan = ask(f, web).await.unwrap();
        assert_eq!(planned(&plan), ["chat 2027-Q1", "push 2027-Q1"], "what is named has a part in it");
        assert!(plan.planned.iter().all(|of| of.trusted.is_empty() && of.must == (of.display_name == "push")));

        // Targets are kept to where that is asked for.
        let target = |period: &str| Some(pb::TargetInterval { start: period.into(), end: String::new() });
        for (id, period) in [("docs", "2027-06"), ("mail", "2029")] {
            let name = initiative_name(id);
            let schedule = pb::ScheduleInitiativeRequest { name, target: target(period), ..Default::default() };
            f.roadmap().schedule_initiative(schedule).await.unwrap();
        }
        let asked = request(&["2027-Q1", "2027-Q2"], 6.0);
        let plan = ask(f, asked.clone()).await.unwrap();
        assert!(plan.left_out.iter().all(|of| of.reason() != pb::LeftOutReason::Dates), "{:?}", plan.left_out);
        let plan = ask(f, pb::OptimizePlanRequest { keep_targets: true, ..asked }).await.unwrap();
        assert_eq!(planned(&plan), ["chat 2027-Q1", "docs 2027-Q2", "push 2027-Q1"]);
        assert_eq!(left_out(&plan, "mail").reason(), pb::LeftOutReason::Dates);
    })
    .await;
}

#[tokio::test]
async fn work_may_be_of_several_teams_and_skills_and_is_spread_where_it_is_large() {
    on_both(async |f| {
        begin(f).await;
        let mut asked = request(&["2027-01", "2027-02", "2027-03"], 4.0);
        let design = pb::PlanCapacity { skill: "design".into(), ..capacity("web", &[0.0, 1.0, 1.0]) };
        asked.capacities.push(design);
        asked.initiatives = vec![particular("chat", pb::PlanWish::Must), particular("whale", pb::PlanWish::MustNot)];
        let work = |team: &str, skill: &str, person_months| pb::PlanWork {
            team: team.into(),
            skill: skill.into(),
            person_months,
        };
        asked.initiatives[0].work = vec![work("web", "", 7.0), work("web", "design", 2.0)];
        let plan = ask(f, asked.clone()).await.unwrap();
        let chat = plan.planned.iter().find(|of| of.display_name == "chat").unwrap();
        assert_eq!((chat.start.as_str(), chat.end.as_str(), chat.work.len()), ("2027-02", "2027-03", 2));
        assert_eq!(plan.loads[2].periods.iter().map(|of| of.person_months).collect::<Vec<_>>(), [0.0, 1.0, 1.0]);
        asked.initiatives[0].most_periods = 1;
        let refused = ask(f, asked).await.unwrap_err();
        assert!(refused.message().contains("has too little for it"), "{}", refused.message());
    })
    .await;
}

#[tokio::test]
async fn kinds_count_how_many_are_below() {
    on_both(async |f| {
        for (id, category) in [("must", pb::MoscowCategory::Must), ("never", pb::MoscowCategory::Wont)] {
            f.create(id, of_team(id, "web")).await.unwrap();
            let moscow = Some(pb::MoscowFactor { category: category.into(), source: source() });
            let (display_name, initiative) = (id.to_owned(), initiative_name(id));
            let estimate = pb::Estimate { display_name, initiative, moscow, effort: point(1.0), ..Default::default() };
            create(f, id, estimate).await.unwrap();
        }
        let framework = pb::ScoringFramework::Moscow.into();
        let plan = ask(f, pb::OptimizePlanRequest { framework, ..request(&["2027"], 9.0) }).await.unwrap();
        assert_eq!((planned(&plan), plan.value), (vec!["must 2027".to_owned()], 3.0));
        assert_eq!(left_out(&plan, "never").reason(), pb::LeftOutReason::NoValue);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_is_named_by_its_field() {
    on_both(async |f| {
        begin(f).await;
        let good = request(&["2027-Q1", "2027-Q2"], 6.0);
        let with = |change: &dyn Fn(&mut pb::OptimizePlanRequest)| {
            let mut request = good.clone();
            change(&mut request);
            request
        };
        let must = |ids: &[&str]| ids.iter().map(|id| particular(id, pb::PlanWish::Must)).collect::<Vec<_>>();
        let wrong = [
            (with(&|r| r.initiatives = must(&["whale"])), "capacities[0]", "web has too little for it"),
            (
                with(&|r| r.initiatives = must(&["chat", "docs", "mail"])),
                "capacities[0]",
                "web has 12 person-months from 2027-Q1 to 2027-Q2, and what must be done then needs 16",
            ),
            (with(&|r| r.capacities.truncate(0)), "capacities", ""),
            (with(&|r| r.capacities[1].team = "web".into()), "capacities[1]", "has web twice"),
            (with(&|r| r.capacities[0].person_months = vec![1.0; 3]), "capacities[0].person_months", "got 3"),
            (with(&|r| r.capacities[0].person_months[0] = f64::NAN), "capacities[0].person_months[0]", ""),
            (with(&|r| r.periods[1] = "2027-Q3".into()), "periods[1]", "must begin where 2027-Q1 ends"),
            (with(&|r| r.periods[1] = "soon".into()), "periods[1]", "soon"),
            (with(&|r| r.periods.truncate(0)), "periods", ""),
            (with(&|r| r.initiatives = must(&["nope"])), "initiatives[0].initiative", "does not exist"),
            (with(&|r| r.initiatives = must(&["chat", "chat"])), "initiatives[1].initiative", "is there twice"),
            (
                with(&|r| {
                    r.initiatives = must(&["chat"]);
                    r.initiatives[0].earliest = "2028-Q1".into();
                }),
                "initiatives[0].earliest",
                "must be one of the periods of the plan",
            ),
            (with(&|r| r.time_limit_ms = 1), "time_limit_ms", ""),
            (with(&|r| r.filter = "labels.team = nobody".into()), "", ""),
        ];
        for (request, field, told) in wrong {
            let answer = ask(f, request.clone()).await;
            if field.is_empty() {
                assert_eq!(answer.unwrap().planned.len(), 0, "nothing is selected");
                continue;
            }
            let refused = answer.unwrap_err();
            let violations = refused.get_details_bad_request().unwrap().field_violations;
            assert_eq!((refused.code(), violations.len()), (Code::InvalidArgument, 1), "{field}: {violations:?}");
            assert_eq!(violations[0].field, field);
            assert!(violations[0].description.contains(told), "{violations:?}");
        }
        f.depend("push", "chat").await.unwrap();
        let mut dates = with(&|r| r.initiatives = must(&["chat", "push"]));
        (dates.initiatives[0].latest, dates.initiatives[1].earliest) = ("2027-Q1".into(), "2027-Q2".into());
        let refused = ask(f, dates).await.unwrap_err();
        let told = format!("{} must be done and cannot be within its dates", initiative_name("chat"));
        assert!(refused.get_details_bad_request().unwrap().field_violations[0].description.starts_with(&told));
    })
    .await;
}
