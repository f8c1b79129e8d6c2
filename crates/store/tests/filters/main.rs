//! Filters beside a naive model: random resources with labels, references and absent values, some deleted, and random
//! filters over them, each evaluated in memory over all. Whatever the page size, the order, and how many rows are looked
//! at for a page, the pages together are what the model has.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod term;

use std::collections::BTreeMap;

use proptest::prelude::*;
use waymark_domain::Change;
use waymark_domain::roadmap::Initiative;
use waymark_proto::Choice as _;
use waymark_proto::common::v1 as common;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::standard::Create;
use waymark_store::schema::in_dialect;
use waymark_store::{
    Column, Columns, Declaration, Error, ListQuery, LogFilter, Rule, Ruled, Rules, Selection, Store, Table, Write,
};
use waymark_testkit::sample::{self, Products, call};
use waymark_testkit::{Engine, TestDatabase, host};

use term::{HORIZONS, IDS, KEYS, OWNERS, Term, VALUES, term};

/// Initiatives, of whose fields some have a column and some of these an index.
struct Initiatives;

impl Table for Initiatives {
    type Resource = Initiative;
    type Message = pb::Initiative;
    const TABLE: &'static str = "initiatives";
    const COLUMNS: Columns<Initiative> = &[
        Column::choice("horizon", pb::Horizon::NAMES, |i: &Initiative| Some(i.horizon.into())).indexed().always_set(),
        Column::text("owner", |i| Some(i.owner.clone())),
        Column::text("problem", |i: &Initiative| Some(i.problem.clone())).indexed(),
        Column::text("product", |i: &Initiative| i.product.as_ref().map(ToString::to_string)).indexed_with(&[
            "delete_time",
            "horizon",
            "owner",
        ]),
    ];
}

impl Ruled for Initiatives {
    const RULES: Rules<Self> = Rules {
        create: Rule::Alone(|new| Ok(new.propose())),
        update: Rule::Alone(|(old, new)| new.revise(&old).map_err(Error::rule)),
        ..Rules::PLAIN
    };
}

/// What is done to an initiative.
#[derive(Debug, Clone)]
enum Step {
    /// It is created, or updated to be this.
    Put(usize, Box<pb::Initiative>),
    Delete(usize),
    Undelete(usize),
    Depend(usize, usize),
}

fn initiative() -> impl Strategy<Value = pb::Initiative> {
    let few = |most: usize| proptest::collection::vec(0..3_usize, 0..most);
    let label = (proptest::sample::select(&KEYS[..]), proptest::sample::select(&VALUES[..]));
    let labels = proptest::collection::vec(label, 0..4);
    let owner = proptest::sample::select(&OWNERS[..]);
    let one = || proptest::option::of(0..3_usize);
    let parts = (labels, owner, 0..3_usize, one(), one(), few(3), few(3), one());
    parts.prop_map(|(labels, owner, horizon, problem, product, evidence, risks, metric)| pb::Initiative {
        display_name: "A".into(),
        labels: labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        owner: owner.into(),
        horizon: HORIZONS[horizon].into(),
        problem: problem.map(|number| number.to_string()).unwrap_or_default(),
        product: product.map(|number| format!("W/products/t{number}")).unwrap_or_default(),
        evidence: evidence.into_iter().map(insight).collect(),
        risks: vec![pb::RiskAssessment {
            risk: common::Risk::Value.into(),
            evidence: risks.into_iter().map(insight).collect(),
            waiver: None,
        }],
        expected_outcome: metric.map(|number| pb::ExpectedOutcome {
            metric: format!("//metrics.waymark.dev/W/metrics/t{number}"),
            change: Some(common::Range { low: 0.1, likely: 0.2, high: 0.3 }),
            window_days: 28,
        }),
        ..Default::default()
    })
}

fn insight(number: usize) -> common::Evidence {
    common::Evidence { target: format!("//discovery.waymark.dev/W/insights/t{number}"), note: String::new() }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..IDS, initiative()).prop_map(|(id, initiative)| Step::Put(id, Box::new(initiative))),
        1 => (0..IDS).prop_map(Step::Delete),
        1 => (0..IDS).prop_map(Step::Undelete),
        2 => (0..IDS, 0..3_usize).prop_map(|(id, on)| Step::Depend(id, on)),
    ]
}

async fn database(engine: Engine) -> (Store, TestDatabase) {
    let (host, _) = host(7);
    let (store, database) = sample::store(engine, &host).await.unwrap();
    let declared = Declaration::of::<Initiatives>();
    let indexes = declared.indexes().into_iter().map(|(_, index)| index);
    let statements: Vec<String> =
        [in_dialect(&declared.create(), engine.backend())].into_iter().chain(indexes).collect();
    database.execute(&statements.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    database.addresses().separate().await.unwrap();
    (store, database)
}

fn create<M>(parent: &str, id: &str, resource: M) -> Create<M> {
    Create { parent: parent.to_owned(), id: id.to_owned(), resource: Some(resource) }
}

async fn follow(store: &Store, workspace: &str, steps: &[Step]) {
    for number in 0..3 {
        let id = format!("t{number}");
        store.create::<Products>(&call(), create(workspace, &id, sample::product("P", ""))).await.unwrap();
        let target = pb::Initiative { display_name: "T".into(), ..Default::default() };
        store.create::<Initiatives>(&call(), create(workspace, &id, target)).await.unwrap();
    }
    for step in steps {
        let id = |number: &usize| format!("i{number}");
        let name = |number: &usize| format!("{workspace}/initiatives/i{number}");
        // Some steps are refused, as for an initiative that is not there.
        let _ = match step {
            Step::Put(number, initiative) => {
                let text = serde_json::to_string(initiative).unwrap().replace("W/", &format!("{workspace}/"));
                let mut message: pb::Initiative = serde_json::from_str(&text).unwrap();
                let made = store.create::<Initiatives>(&call(), create(workspace, &id(number), message.clone())).await;
                match made {
                    Err(Error::Exists(_)) => {
                        let current = store.get::<Initiatives>(&name(number)).await.unwrap();
                        message.name = current.name;
                        message.horizon = current.horizon;
                        let revise = async |_: &mut Write, old: Initiative, new: Initiative| {
                            new.revise(&old).map_err(Error::rule)
                        };
                        let mask = ["labels", "owner", "problem", "product", "evidence", "risks", "expected_outcome"];
                        let paths = mask.map(str::to_owned).into();
                        let mask = Some(pbjson_types::FieldMask { paths });
                        store.update::<Initiatives, _>(&call(), Some(message), mask, revise).await
                    }
                    made => made,
                }
            }
            Step::Delete(number) => {
                let delete = async |_: &mut Write, old| Ok(Change::new(old, "Deleted".parse().map_err(Error::bug)?));
                store.delete::<Initiatives, _>(&call(), &name(number), "", delete).await
            }
            Step::Undelete(number) => {
                let back = async |_: &mut Write, old| Ok(Change::new(old, "Undeleted".parse().map_err(Error::bug)?));
                store.undelete::<Initiatives, _>(&call(), &name(number), "", back).await
            }
            Step::Depend(number, on) => {
                let on = format!("{workspace}/initiatives/t{on}").parse().unwrap();
                let depend = async |_: &mut Write, i: Initiative| i.add_dependency(on).map_err(Error::rule);
                store.change::<Initiatives, _>(&call(), &name(number), "", depend).await
            }
        }
        .inspect_err(|error| assert!(!matches!(error, Error::Database(_) | Error::Bug(_)), "{step:?}: {error:?}"));
    }
}

/// All pages of a list, put together; how many rows were looked at for none is asserted elsewhere.
async fn pages(store: &Store, query: ListQuery<'_>) -> Result<Vec<String>, Error> {
    let (mut names, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = store.list::<Initiatives>(ListQuery { page_token: &token, ..query }).await?;
        assert!(page.items.len() <= query.page_size as usize);
        names.extend(page.items.into_iter().map(|initiative| initiative.name));
        (token, pages) = (page.next_page_token, pages + 1);
        assert!(pages < 100, "{query:?} does not end");
        if token.is_empty() {
            return Ok(names);
        }
    }
}

async fn compare(store: &Store, workspace: &str, term: &Term, size: i32, looked_at: u64) {
    let looking = store.clone().looking_at(looked_at);
    let filter = term.text(workspace);
    let mut all = BTreeMap::new();
    for id in (0..IDS).map(|number| format!("i{number}")).chain((0..3).map(|number| format!("t{number}"))) {
        if let Ok(message) = store.get::<Initiatives>(&format!("{workspace}/initiatives/{id}")).await {
            all.insert(id, message);
        }
    }
    let parent = workspace.parse().unwrap();
    let selection = Selection::of::<Initiatives>(&parent, &filter).unwrap();
    for message in all.values().filter(|message| message.delete_time.is_none()) {
        let selected = selection.has::<Initiatives>(message).unwrap();
        assert_eq!(selected, term.holds(workspace, message), "{filter} of {message:?}, which is at hand");
    }
    for (order_by, show_deleted) in [("", false), ("", true), ("id desc", true), ("horizon", false), ("owner", false)] {
        let mut expected: Vec<&pb::Initiative> = all
            .values()
            .filter(|i| show_deleted || i.delete_time.is_none())
            .filter(|i| term.holds(workspace, i))
            .collect();
        match order_by {
            "id desc" => expected.reverse(),
            "horizon" => expected.sort_by_key(|i| i.horizon().as_str_name()),
            "owner" => expected.sort_by_key(|i| i.owner.clone()),
            _ => {}
        }
        let expected: Vec<String> = expected.into_iter().map(|i| i.name.clone()).collect();
        let query = ListQuery {
            parent: workspace,
            page_size: size,
            filter: &filter,
            order_by,
            show_deleted,
            ..Default::default()
        };
        match pages(&looking, query).await {
            Ok(found) => assert_eq!(found, expected, "{filter} by {order_by:?}, {looked_at} looked at"),
            Err(Error::Order(error)) => {
                assert!(order_by == "owner" && all.len() as u64 > looked_at, "{filter} by {order_by:?}: {error}");
            }
            Err(error) => panic!("{filter} by {order_by:?}: {error:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_filter_selects_what_it_says(
        steps in proptest::collection::vec(step(), 5..25),
        terms in proptest::collection::vec((term(), 1..5_i32, proptest::sample::select(&[1_u64, 3, 5, 1_000][..])), 12),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            for engine in Engine::each() {
                let (store, database) = database(engine).await;
                follow(&store, "workspaces/acme", &steps).await;
                for (term, size, looked_at) in &terms {
                    compare(&store, "workspaces/acme", term, *size, *looked_at).await;
                }
                labels_are_those_of_bodies(&store, &database).await;
            }
        });
    }
}

#[tokio::test]
async fn values_of_enums_are_read_as_people_write_them() {
    for engine in Engine::each() {
        let (store, _database) = database(engine).await;
        follow(&store, "workspaces/acme", &[]).await;
        let count = async |filter: &str| {
            let query = ListQuery { parent: "workspaces/acme", filter, ..ListQuery::default() };
            store.list::<Initiatives>(query).await.unwrap().items.len()
        };
        let later = count("horizon = LATER").await;
        assert!(later > 0, "{engine:?}");
        for filter in ["horizon = later", "horizon = Later", "horizon:late", "NOT horizon != later", "horizon >= later"]
        {
            assert_eq!(count(filter).await, later, "{engine:?}: {filter}");
        }
    }
}

/// What is kept beside resources is what they say.
async fn labels_are_those_of_bodies(store: &Store, database: &TestDatabase) {
    let query = ListQuery { parent: "workspaces/acme", page_size: 100, show_deleted: true, ..ListQuery::default() };
    let stated: usize =
        store.list::<Initiatives>(query).await.unwrap().items.iter().map(|initiative| initiative.labels.len()).sum();
    assert_eq!(database.number("SELECT count(*) FROM labels").await.unwrap(), stated as i64);
}

#[tokio::test]
async fn what_is_wrong_with_a_filter_is_told() {
    for engine in Engine::each() {
        let (store, database) = database(engine).await;
        follow(&store, "workspaces/acme", &[]).await;
        let workspace = sample::workspace();
        let refused = async |filter: &str| {
            let query = ListQuery { parent: "workspaces/acme", filter, ..ListQuery::default() };
            let at_hand = Selection::of::<Initiatives>(&workspace, filter).map(|_| ());
            match (store.list::<Initiatives>(query).await, at_hand) {
                (Err(Error::Filter(error)), Err(Error::Filter(also))) if error == also => error.problem,
                other => panic!("{filter:?}: {other:?}"),
            }
        };
        for unknown in ["horizon = soon", "NOT horizon:soon", "horizon > soon", "id = x OR horizon != soon"] {
            let unknown = refused(unknown).await;
            assert_eq!(unknown, r#""soon" is not a value of horizon; those are NOW, NEXT, LATER"#);
        }
        let unknown = refused("colour = red").await;
        for field in ["id", "horizon", "labels", "labels.KEY", "dependencies", "risks.evidence.target"] {
            assert!(unknown.contains(field), "{unknown}");
        }
        assert!(refused("labels = team").await.contains("labels:team"));
        assert!(refused("labels. = team").await.contains("labels.team"));
        assert!(refused("dependencies < initiatives/t1").await.contains(": = or !="));
        assert!(refused("dependencies:t1").await.contains("workspaces/{workspace}"));
        assert!(refused("evidence.target:outcomes/x").await.contains("//metrics.waymark.dev/"), "of two services");
        assert!(refused("evidence.target:secrets/x").await.contains("none of the services"));
        assert!(refused("labels.team = \"a\0\"").await.contains("NUL"));
        assert!(refused("labels.\"a\0\":*").await.contains("NUL"));
        assert!(refused("labels:\"a\0\"").await.contains("NUL"));
        assert!(refused(&"labels.team = growth OR ".repeat(5_000)).await.contains("bytes"));

        // Of other workspaces nothing is told, whether or not there is such a resource.
        follow(&store, "workspaces/other", &[]).await;
        for id in ["t1", "nothing"] {
            let filter = format!("dependencies:workspaces/other/initiatives/{id}");
            let query = ListQuery { parent: "workspaces/acme", filter: &filter, ..ListQuery::default() };
            assert!(store.list::<Initiatives>(query).await.unwrap().items.is_empty());
            let dependent = pb::Initiative {
                dependencies: vec![format!("workspaces/acme/initiatives/{id}")],
                ..store.get::<Initiatives>("workspaces/acme/initiatives/t0").await.unwrap()
            };
            assert!(
                !Selection::of::<Initiatives>(&workspace, &filter).unwrap().has::<Initiatives>(&dependent).unwrap()
            );
        }
        assert!(database.number("SELECT count(*) FROM links").await.unwrap() >= 0, "no table was dropped");
    }
}

#[tokio::test]
async fn no_page_looks_at_more_than_some_rows() {
    for engine in Engine::each() {
        let (store, _database) = database(engine).await;
        let store = store.looking_at(10);
        let parent = "workspaces/acme";
        store.create::<Products>(&call(), create(parent, "p", sample::product("P", ""))).await.unwrap();
        for number in 0..35 {
            let owner = if number == 33 { "users/ada" } else { "" }.to_owned();
            let labels = BTreeMap::from([("rare".to_owned(), "yes".to_owned())]);
            let labels = if number == 34 { labels } else { BTreeMap::new() };
            let product = if number < 20 { format!("{parent}/products/p") } else { String::new() };
            let message = pb::Initiative { display_name: "A".into(), owner, labels, product, ..Default::default() };
            store.create::<Initiatives>(&call(), create(parent, &format!("i{number:02}"), message)).await.unwrap();
        }
        let found = async |filter: &str, order_by: &str| {
            let (mut pages, mut token) = (Vec::new(), String::new());
            loop {
                let query = ListQuery { parent, filter, order_by, ..ListQuery::default() };
                let page = store.list::<Initiatives>(ListQuery { page_token: &token, ..query }).await.unwrap();
                pages.push(page.items.len());
                token = page.next_page_token;
                if token.is_empty() {
                    return pages;
                }
            }
        };
        let stretches = [0, 0, 0, 1];
        assert_eq!(found("owner = users/ada", "").await, stretches, "{engine:?}: 10, 10, 10 and 5 rows");
        assert_eq!(found("owner = users/ada", "horizon").await, stretches);
        assert_eq!(found("owner = users/ada", "id desc").await, [1, 0, 0, 0]);
        assert_eq!(found("owner:* AND horizon = LATER", "").await, stretches, "an index finds too many");
        assert_eq!(found("labels.rare = yes", "").await, [1], "an index finds one");
        assert_eq!(found("labels:rare OR id = i02", "").await, [2], "two of them find two");
        assert_eq!(found("labels:rare AND owner:*", "display_name").await, [0]);
        // Twenty entries of an index cost no more than ten rows, unless something is asked for that they have not.
        assert_eq!(found("product = products/p", "owner").await, [20]);
        assert_eq!(found("product = products/p AND horizon != LATER", "owner desc").await, [0]);
        let workspace = sample::workspace();
        let values = async |filter: &str| store.values::<Initiatives>(&workspace, filter, "owner").await;
        assert_eq!(values("product = products/p").await.unwrap().len(), 20);
        let refused = values("owner = users/ada").await.unwrap_err();
        assert!(refused.to_string().contains("more than 10 initiatives"), "{refused}");
        let query =
            ListQuery { parent, filter: "product = products/p", order_by: "display_name", ..ListQuery::default() };
        let refused = store.list::<Initiatives>(query).await.unwrap_err();
        assert!(matches!(refused, Error::Order(_)), "{refused}");

        let (mut events, mut pages, mut token) = (Vec::new(), 0, String::new());
        loop {
            let filter = "subject:i33 OR subject:i34";
            let query =
                LogFilter { service: "roadmap", filter, page_size: 1, page_token: &token, ..Default::default() };
            let page = store.list_log(&sample::workspace(), query).await.unwrap();
            events.extend(page.items.into_iter().map(|row| row.resource_id));
            (token, pages) = (page.next_page_token, pages + 1);
            if token.is_empty() {
                break;
            }
        }
        assert_eq!((events, pages), (vec!["i33".to_owned(), "i34".to_owned()], 5), "three of them are empty");
    }
}
