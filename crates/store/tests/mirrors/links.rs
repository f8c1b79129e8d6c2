//! What mirrored resources refer to, and how lists find them by it.

use waymark_domain::roadmap::Initiative;
use waymark_domain::{FullName, WorkspaceId};
use waymark_proto::common::v1::Risk;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::{ResourceMessage as _, Standard};
use waymark_request::Call;
use waymark_store::schema::in_dialect;
use waymark_store::{Columns, ListQuery, Mirror, Received, Table, Write};
use waymark_testkit::Engine;
use waymark_testkit::schema::{execute, text};

use super::World;

/// Initiatives as the copier mirrors them, for their links.
struct Initiatives;

impl Table for Initiatives {
    type Resource = Initiative;
    type Message = pb::Initiative;
    const TABLE: &'static str = "roadmap_initiatives";
    const KEEPER: &'static str = "metrics";
    const COLUMNS: Columns<Initiative> = &[waymark_store::Column::text("product", |initiative: &Initiative| {
        initiative.product.as_ref().map(ToString::to_string)
    })];
}

const INITIATIVES: Mirror = Mirror::of::<Initiatives>();

/// An initiative as the roadmap announces it.
fn announced(version: u64, change: impl FnOnce(&mut pb::Initiative)) -> Received {
    let at = |seconds| Some(waymark_proto::Timestamp { seconds: 1_772_442_000 + seconds, nanos: 0 });
    let risk = |risk: Risk| pb::RiskAssessment { risk: risk.into(), ..Default::default() };
    let mut initiative = pb::Initiative {
        state: pb::InitiativeState::Proposed.into(),
        risks: [Risk::Value, Risk::Usability, Risk::Feasibility, Risk::Viability].map(risk).into(),
        ..Default::default()
    };
    initiative.set_standard(Standard {
        name: "workspaces/acme/initiatives/sso".into(),
        uid: "00000000-0000-0000-0000-000000000001".into(),
        display_name: "Single sign-on".into(),
        etag: version.to_string(),
        create_time: at(0),
        update_time: at(version.cast_signed()),
        ..Standard::default()
    });
    change(&mut initiative);
    let data = serde_json::json!({ "initiative": initiative, "change": { "actor": "users/ada" } });
    Received {
        source: "roadmap".into(),
        workspace: WorkspaceId::from_id("acme").unwrap(),
        revision: version.cast_signed(),
        event_id: uuid::Uuid::from_u128(version.into()),
        event_type: "waymark.roadmap.v1.InitiativeUpdated".into(),
        subject: "workspaces/acme/initiatives/sso".into(),
        time: chrono::DateTime::UNIX_EPOCH,
        actor: "users/ada".into(),
        traceparent: None,
        data: data.to_string(),
    }
}

#[tokio::test]
async fn what_a_mirrored_resource_refers_to_is_found_and_goes_with_it() {
    for engine in Engine::each() {
        let World { target, target_database: database, .. } = World::new(engine).await;
        let table = in_dialect(&INITIATIVES.declaration().create(), engine.backend());
        execute(database.url(), &table).await.unwrap();
        database.addresses().separate().await.unwrap();
        let hear = async |event: Received| target.mirror(&[INITIATIVES], &[event]).await.unwrap();
        let cites = |id: &str| waymark_proto::common::v1::Evidence {
            target: format!("//metrics.waymark.dev/workspaces/acme/products/{id}"),
            note: String::new(),
        };
        let links = async || {
            let sql = "SELECT COALESCE(string_agg(target || ' ' || field || ' ' || referrer, ', '), '')
                FROM (SELECT * FROM links ORDER BY target) AS l";
            text(database.url(), sql).await.unwrap()
        };
        let of_product = |p: &str| format!("//roadmap/products/{p} product //roadmap/initiatives/sso");
        hear(announced(1, |i| i.product = "workspaces/acme/products/p".into())).await;
        assert_eq!(links().await, of_product("p"));
        // It holds nothing here, and one refers to another of its service.
        hear(announced(2, |i| {
            i.product = "workspaces/acme/products/q".into();
            i.labels.insert("team".into(), "core".into());
            i.dependencies = vec!["workspaces/acme/initiatives/other".into()];
        }))
        .await;
        let expected =
            format!("//roadmap/initiatives/other dependencies //roadmap/initiatives/sso, {}", of_product("q"));
        assert_eq!(links().await, expected);
        assert_eq!(database.number("SELECT COUNT(*) FROM links WHERE holds").await.unwrap(), 0);
        // What comes late takes nothing back.
        hear(announced(1, |i| i.product = "workspaces/acme/products/p".into())).await;
        assert_eq!(links().await, expected);
        let list = async |filter| {
            let query = ListQuery { parent: "workspaces/acme", filter, ..Default::default() };
            target.list::<Initiatives>(query).await.unwrap().items.len()
        };
        assert_eq!(list("product = \"workspaces/acme/products/q\"").await, 1);
        assert_eq!(list("product = \"workspaces/acme/products/p\"").await, 0);
        assert_eq!((list("labels.team = core").await, list("labels.team = other").await), (1, 0));
        hear(announced(4, |i| i.evidence = vec![cites("own")])).await;
        let cited: FullName = "//metrics.waymark.dev/workspaces/acme/products/own".parse().unwrap();
        let who = async || {
            let mut ids = Vec::new();
            let work = async |write: &mut Write| {
                let found = write.referrers::<Initiatives>(&cited, &["evidence.target"]).await?;
                ids = found.iter().map(|initiative| initiative.meta.name.id().to_string()).collect();
                Ok(())
            };
            target.write(&Call::internal("test"), &WorkspaceId::from_id("acme").unwrap(), work).await.unwrap();
            ids
        };
        assert_eq!(
            (links().await, who().await),
            ("products/own evidence.target //roadmap/initiatives/sso".into(), vec!["sso".to_owned()])
        );
        hear(announced(5, |i| {
            i.evidence = vec![cites("own")];
            i.delete_time = i.update_time;
        }))
        .await;
        assert_eq!((links().await, who().await), (String::new(), Vec::new()));
        // It stays, so that nothing older comes back; of another of its name, created later, any version is newer.
        hear(announced(4, |i| i.evidence = vec![cites("own")])).await;
        assert_eq!(links().await, "");
        hear(announced(1, |i| {
            i.uid = "00000000-0000-0000-0000-000000000002".into();
            i.create_time.as_mut().unwrap().seconds += 60;
            i.update_time.as_mut().unwrap().seconds += 60;
            i.product = "workspaces/acme/products/r".into();
        }))
        .await;
        assert_eq!(links().await, of_product("r"));
        assert_eq!(text(database.url(), "SELECT uid FROM roadmap_initiatives").await.unwrap().pop(), Some('2'));
    }
}
