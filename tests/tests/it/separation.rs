//! Row-level security of the services' databases: every table has it or a reason to do without, and the roles that
//! `deploy/postgres.sql` makes are enough.

use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_runtime::{DatabaseArgs, EventArgs, ServerArgs};
use waymark_service::Transport;
use waymark_store::schema::WITHOUT_POLICY;
use waymark_testkit::schema::text;
use waymark_testkit::{Engine, Postgres, host};

use crate::services::{Services, Wires};

/// Tables that have no policy, and those on which policies are forced.
const TABLES: &str = "SELECT coalesce(string_agg(relname, ' ' ORDER BY relname) FILTER (WHERE NOT forced), '') || '/'
    || coalesce(string_agg(relname, ' ' ORDER BY relname) FILTER (WHERE forced), '')
    FROM (SELECT relname::text, relrowsecurity AND relforcerowsecurity AND EXISTS (
        SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = 'workspace' AND polroles = '{0}'
    ) AS forced FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')) AS tables";

#[tokio::test]
async fn every_table_is_separated_or_has_a_reason_not_to_be() {
    let services = Services::start(Engine::Postgres, Wires::Bus).await.unwrap();
    for (service, own) in [("discovery", "interviews"), ("roadmap", "initiatives"), ("metrics", "outcomes")] {
        let tables = text(services.database(service), TABLES).await.unwrap();
        let (without, forced) = tables.split_once('/').unwrap();
        for table in without.split(' ') {
            let reason = WITHOUT_POLICY.iter().any(|(known, _)| *known == table);
            assert!(reason, "{table} of {service} has neither a policy nor a reason to have none");
        }
        assert!(forced.split(' ').any(|table| table == own), "{forced}");
        for (table, _) in WITHOUT_POLICY {
            assert!(without.split(' ').any(|without| without == *table), "{service} has no {table}, or with a policy");
        }
    }
}

#[tokio::test]
async fn the_roles_of_the_example_are_enough() {
    let server = Postgres::start().unwrap();
    let roles = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/postgres.sql")).unwrap();
    let lines = roles.lines().filter(|line| !line.starts_with("--"));
    for statement in lines.collect::<Vec<_>>().join("\n").split(';').filter(|statement| !statement.trim().is_empty()) {
        server.run(statement).await.unwrap();
    }
    let url = |role: &str| Some(server.url_of("roadmap").replacen("//waymark@", &format!("//roadmap{role}@"), 1));
    let args = DatabaseArgs {
        database_url: url("_calls"),
        keeper_database_url: url("_keeper"),
        owner_database_url: url("_owner"),
        ..DatabaseArgs::default()
    };
    // One that migrates, and one that could not.
    let second = DatabaseArgs { owner_database_url: None, ..args.clone() };
    for (number, args) in [(1, args), (2, second)] {
        let (host, _) = host(number);
        let service = waymark_roadmap::SERVICE.open(&host, &args, &()).await.unwrap();
        service.start(&host, &EventArgs::default(), Transport::None);
        let listen = Some(([127, 0, 0, 1], 0).into());
        let running = service.serve(&host, &ServerArgs { listen, ..ServerArgs::default() }).await.unwrap();
        let mut client = StrategyServiceClient::connect(format!("http://{}", running.address())).await.unwrap();
        let create = pb::CreateProductRequest {
            parent: "workspaces/acme".into(),
            product_id: format!("p{number}"),
            product: Some(pb::Product { display_name: "P".into(), ..Default::default() }),
            ..Default::default()
        };
        client.create_product(create).await.unwrap();
        let list = pb::ListProductsRequest { parent: "workspaces/acme".into(), ..Default::default() };
        assert_eq!(client.list_products(list).await.unwrap().into_inner().products.len(), number as usize);
        service.store().look().await.unwrap();
        let purged = service.store().purge_requests(host.clock.now(), 10).await;
        assert!(purged.is_ok(), "{purged:?}");
    }
    let others = server.url_of("roadmap").replacen("//waymark@", "//metrics_calls@", 1);
    assert!(text(&others, "SELECT 'x'").await.is_err(), "each service's roles reach its own database");
}
