//! Objectives stand below one another without ever leading back, and are for products that exist.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use waymark_proto::roadmap::v1 as pb;

use super::{Fixture, W, on_both, refusal};

pub(crate) fn name(id: &str) -> String {
    format!("{W}/objectives/{id}")
}

/// An objective below another, or below none.
pub(crate) fn below(parent: &str) -> pb::Objective {
    pb::Objective {
        display_name: "Grow".into(),
        period: Some(pb::TargetInterval { start: "2026".into(), end: String::new() }),
        parent_objective: if parent.is_empty() { String::new() } else { name(parent) },
        ..Default::default()
    }
}

fn creating(id: &str, objective: pb::Objective) -> pb::CreateObjectiveRequest {
    pb::CreateObjectiveRequest {
        parent: W.into(),
        objective_id: id.into(),
        objective: Some(objective),
        ..Default::default()
    }
}

fn moving(id: &str, parent: &str) -> pb::UpdateObjectiveRequest {
    pb::UpdateObjectiveRequest {
        objective: Some(pb::Objective { name: name(id), ..below(parent) }),
        update_mask: Some(pbjson_types::FieldMask { paths: vec!["parent_objective".into()] }),
        ..Default::default()
    }
}

impl Fixture {
    pub(crate) async fn objective(&self, id: &str, objective: pb::Objective) -> Result<pb::Objective, Status> {
        self.strategy().create_objective(creating(id, objective)).await.map(tonic::Response::into_inner)
    }

    async fn put_below(&self, id: &str, parent: &str) -> Result<pb::Objective, Status> {
        self.strategy().update_objective(moving(id, parent)).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn delete_objective(&self, id: &str) -> Result<pb::Objective, Status> {
        let request = pb::DeleteObjectiveRequest { name: name(id), ..Default::default() };
        self.strategy().delete_objective(request).await.map(tonic::Response::into_inner)
    }
}

/// The ids along the cycle that a refusal tells.
fn cycle(refused: &Status) -> String {
    let info = refused.get_details_error_info().unwrap();
    assert_eq!((refused.code(), info.reason.as_str()), (Code::FailedPrecondition, "CYCLE"), "{refused}");
    info.metadata["cycle"].replace(&name(""), "")
}

#[tokio::test]
async fn no_write_alone_or_after_another_leads_back() {
    on_both(async |f| {
        assert_eq!(cycle(&f.objective("a", below("a")).await.unwrap_err()), "a -> a");
        f.objective("a", below("")).await.unwrap();
        assert_eq!(cycle(&f.put_below("a", "a").await.unwrap_err()), "a -> a");
        f.objective("b", below("a")).await.unwrap();
        f.objective("c", below("b")).await.unwrap();
        assert_eq!(cycle(&f.put_below("a", "c").await.unwrap_err()), "a -> c -> b -> a");
        // What is refused leaves no trace, and the other way round it is none.
        f.objective("d", below("")).await.unwrap();
        assert_eq!(f.put_below("b", "d").await.unwrap().parent_objective, name("d"));
        assert_eq!(f.put_below("a", "c").await.unwrap().parent_objective, name("c"));
        let kinds = f.log().await;
        assert_eq!(kinds.iter().filter(|event| event.starts_with("ObjectiveUpdated")).count(), 2, "{kinds:?}");
    })
    .await;
}

#[tokio::test]
async fn of_two_writes_at_once_that_close_a_cycle_one_is_refused() {
    on_both(async |f| {
        f.objective("a", below("")).await.unwrap();
        f.objective("b", below("")).await.unwrap();
        let (a, b) = tokio::join!(f.put_below("a", "b"), f.put_below("b", "a"));
        assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{a:?} {b:?}");
        cycle(&a.err().or(b.err()).unwrap());
    })
    .await;
}

#[tokio::test]
async fn no_batch_leads_back() {
    on_both(async |f| {
        // In either order: what stands below and what it stands below may be new together.
        let create = |rows: [(&str, &str); 2], partial| pb::BatchCreateObjectivesRequest {
            parent: W.into(),
            requests: rows.iter().map(|(id, parent)| creating(id, below(parent))).collect(),
            partial,
            ..Default::default()
        };
        let refused = f.strategy().batch_create_objectives(create([("a", "b"), ("b", "a")], false)).await.unwrap_err();
        cycle(&refused);
        f.strategy().batch_create_objectives(create([("a", "b"), ("b", "")], false)).await.unwrap();
        f.strategy().batch_create_objectives(create([("c", ""), ("d", "c")], false)).await.unwrap();

        let update = |partial| pb::BatchUpdateObjectivesRequest {
            parent: W.into(),
            requests: vec![moving("b", "d"), moving("c", "a")],
            partial,
            ..Default::default()
        };
        let refused = f.strategy().batch_update_objectives(update(false)).await.unwrap_err();
        assert_eq!(cycle(&refused), "c -> a -> b -> d -> c");
        assert!(refused.message().contains("requests[1]"), "the row that closes it is told: {refused}");
        let answer = f.strategy().batch_update_objectives(update(true)).await.unwrap().into_inner();
        let failed: Vec<_> = answer.failures.iter().map(|(index, failure)| (*index, failure.reason.as_str())).collect();
        assert_eq!((failed, answer.objectives[0].parent_objective.as_str()), (vec![(1, "CYCLE")], name("d").as_str()));

        // The longest chain that one batch can make, in the order in which each row refers to the next.
        let id = |number: usize| format!("link-{number}");
        let chain: Vec<_> = (0..500).map(|n| (id(n), if n == 499 { String::new() } else { id(n + 1) })).collect();
        let request = pb::BatchCreateObjectivesRequest {
            parent: W.into(),
            requests: chain.iter().map(|(id, parent)| creating(id, below(parent))).collect(),
            ..Default::default()
        };
        f.strategy().batch_create_objectives(request).await.unwrap();
        let told = cycle(&f.put_below(&id(499), &id(0)).await.unwrap_err());
        assert!(told.starts_with("link-499 -> link-0 -> link-1"), "{told}");

        // What stood below may stand above in one go.
        let turn = vec![moving("d", "b"), moving("b", "")];
        let turn = pb::BatchUpdateObjectivesRequest { parent: W.into(), requests: turn, ..Default::default() };
        f.strategy().batch_update_objectives(turn).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_parent_is_held_and_must_be_there_again_before_what_stood_below_it() {
    on_both(async |f| {
        assert_eq!(refusal(f.objective("b", below("a")).await).1, "REFERENCE_NOT_FOUND");
        f.objective("a", below("")).await.unwrap();
        f.objective("b", below("a")).await.unwrap();
        let refused = f.delete_objective("a").await.unwrap_err();
        assert!(refused.message().contains(&name("b")), "what holds it is named: {refused}");
        assert_eq!(refusal(Err::<(), _>(refused)), (Code::FailedPrecondition, "RESOURCE_IN_USE".into()));

        f.delete_objective("b").await.unwrap();
        f.delete_objective("a").await.unwrap();
        let undelete = async |id: &str| {
            let request = pb::UndeleteObjectiveRequest { name: name(id), ..Default::default() };
            f.strategy().undelete_objective(request).await.map(tonic::Response::into_inner)
        };
        assert_eq!(refusal(undelete("b").await), (Code::FailedPrecondition, "REFERENCE_NOT_FOUND".into()));
        undelete("a").await.unwrap();
        assert_eq!(undelete("b").await.unwrap().parent_objective, name("a"));
    })
    .await;
}

#[tokio::test]
async fn the_products_it_is_for_exist_and_are_held() {
    on_both(async |f| {
        for id in ["app", "web"] {
            let request = pb::CreateProductRequest {
                parent: W.into(),
                product_id: id.into(),
                product: Some(pb::Product { display_name: id.into(), ..Default::default() }),
                ..Default::default()
            };
            f.strategy().create_product(request).await.unwrap();
        }
        let product = |id: &str| format!("{W}/products/{id}");
        let of = |ids: &[&str]| pb::Objective { products: ids.iter().map(|id| product(id)).collect(), ..below("") };
        assert_eq!(refusal(f.objective("a", of(&["app", "none"])).await).1, "REFERENCE_NOT_FOUND");
        let a = f.objective("a", of(&["web", "app", "web"])).await.unwrap();
        assert_eq!(a.products, [product("app"), product("web")], "each once, by name");
        let delete = async |id: &str| {
            let request = pb::DeleteProductRequest { name: product(id), ..Default::default() };
            refusal(f.strategy().delete_product(request).await.map(tonic::Response::into_inner))
        };
        assert_eq!(delete("web").await, (Code::FailedPrecondition, "RESOURCE_IN_USE".into()));
    })
    .await;
}

#[tokio::test]
async fn they_are_listed_by_what_they_say() {
    on_both(async |f| {
        let in_period = |start: &str, parent: &str| pb::Objective {
            period: Some(pb::TargetInterval { start: start.into(), end: String::new() }),
            ..below(parent)
        };
        for (id, start, parent) in [("a", "2026", ""), ("b", "2026-Q3", "a"), ("c", "2026-02", "a")] {
            f.objective(id, in_period(start, parent)).await.unwrap();
        }
        let list = async |filter: String| {
            let order_by = "period_start".into();
            let request = pb::ListObjectivesRequest { parent: W.into(), filter, order_by, ..Default::default() };
            let page = f.strategy().list_objectives(request).await.unwrap().into_inner();
            page.objectives.iter().map(|o| o.name.replace(&name(""), "")).collect::<String>()
        };
        assert_eq!(list(String::new()).await, "acb");
        assert_eq!(list("period_start >= \"2026-02-01\"".into()).await, "cb");
        assert_eq!(list(format!("parent_objective = \"{}\"", name("a"))).await, "cb");
        assert_eq!(list("NOT parent_objective:*".into()).await, "a");
        let timeless = f.objective("d", pb::Objective { period: None, ..below("") }).await.unwrap_err();
        assert_eq!(timeless.get_details_bad_request().unwrap().field_violations[0].field, "objective.period");
    })
    .await;
}
