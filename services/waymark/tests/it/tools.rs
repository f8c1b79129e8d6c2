//! Exports of other tools: small files in their shapes, made by hand, and the table of what becomes of them.

use serde_json::json;

use super::rows::Importer;
use super::server::Server;

#[test]
fn epics_and_initiatives_of_jira_become_initiatives() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    // Labels and sprints have a column for each value; all but epics and initiatives is passed over.
    let rows = "Summary,Issue key,Issue id,Issue Type,Status,Project key,Priority,Assignee,Labels,Labels,Due date,Description,\
        Custom field (Target start),Custom field (Story Points),Parent key\n\
        Sign in once,PAY-1,10001,Epic,In Progress,PAY,High,Ada,a,b,30/Sep/26 12:00 AM,\"Signing in\ntakes too long\",\
        01/Jul/26 12:00 AM,8,PAY-9\n\
        A button,PAY-2,10002,Story,Done,PAY,Low,,,,,,,3,PAY-1\n\
        Grow,PAY-9,10009,Initiative,To Do,PAY,High,,,,31/Dec/26 3:42 PM,,,,\n";
    let said = shop.import("initiatives", "jira.csv", rows, &["--from", "jira"]).whole();
    assert_eq!((said.counts("initiatives"), &said.report["passedOver"]), ([2, 0, 0], &json!(1)));
    let sso = shop.get("initiatives", "pay-1");
    assert_eq!((&sso["horizon"], &sso["owner"]), (&json!("HORIZON_NOW"), &json!("Ada")));
    assert_eq!(sso["target"], json!({"start": "2026-07", "end": "2026-09"}));
    assert_eq!(sso["problem"], "Signing in\ntakes too long");
    let labels = json!({
        "external-key": "PAY-1", "source": "jira", "status": "In Progress", "priority": "High", "project": "PAY",
        "parent": "PAY-9",
    });
    assert_eq!(sso["labels"], labels);
    let grow = shop.get("initiatives", "pay-9");
    assert_eq!((&grow["horizon"], &grow["target"]["start"]), (&json!("HORIZON_LATER"), &json!("2026-12")));
    let left_out = said.report["leftOut"].as_array().unwrap();
    assert!(left_out.contains(&json!("Custom field (Story Points)")), "what goes nowhere is told: {left_out:?}");
    let points = ["--from", "jira", "--field", "estimate.effort.point=Custom field (Story Points)"];
    let guess = ["--value", "estimate.effort.source.guess=story points, of a team that does one a month"];
    let again = shop.import("initiatives", "jira.csv", rows, &[&points[..], &guess].concat()).whole();
    assert_eq!((again.counts("initiatives"), again.counts("estimates")), ([0, 0, 2], [1, 0, 0]), "options add to it");
}

#[test]
fn what_blocks_epics_of_jira_is_waited_for_once_all_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    // PAY-1 waits for what stands below it and for a story, which is no initiative; PAY-3 would close a cycle.
    let rows = "Summary,Issue key,Issue Type,Inward issue link (Blocks),Inward issue link (Blocks),Outward issue link (Blocks)\n\
        Sign in,PAY-1,Epic,PAY-2,PAY-8,\n\
        Pay,PAY-2,Epic,PAY-3,,PAY-1\n\
        Audit,PAY-3,Epic,PAY-1,,\n";
    let tried = shop.import("initiatives", "jira.csv", rows, &["--from", "jira", "--dry-run"]).whole();
    assert_eq!(
        tried.report["links"]["dependencies"],
        json!({"added": 3, "unchanged": 0, "leftOut": 1}),
        "no cycle yet"
    );
    let said = shop.import("initiatives", "jira.csv", rows, &["--from", "jira"]).whole();
    assert_eq!((said.counts("initiatives"), &said.report["refused"]), ([3, 0, 0], &json!(0)));
    assert_eq!(said.report["links"]["dependencies"], json!({"added": 2, "unchanged": 0, "leftOut": 2}));
    let left_out = said.report["notLinked"].as_array().unwrap();
    let told = |at: usize| (left_out[at]["key"].as_str().unwrap(), left_out[at]["reason"].as_str().unwrap());
    assert_eq!(told(0), ("PAY-1", "workspaces/shop/initiatives/pay-8 does not exist"));
    assert!(told(1).0 == "PAY-3" && told(1).1.contains("leads back"), "{left_out:?}");
    assert_eq!(shop.get("initiatives", "pay-1")["dependencies"], json!(["workspaces/shop/initiatives/pay-2"]));
    let again = shop.import("initiatives", "jira.csv", rows, &["--from", "jira"]).whole();
    assert_eq!(again.counts("initiatives"), [0, 0, 3], "none is lost, and the row says nothing new");
    assert_eq!(again.report["links"]["dependencies"], json!({"added": 0, "unchanged": 2, "leftOut": 2}));
}

#[test]
fn words_of_a_column_are_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let rows = "Key,display_name,Impact\nA,Sign in,Massive\nB,Pay,LOW\nC,Audit,Colossal\n";
    let map = ["--key", "Key", "--field", "display_name=display_name", "--field", "estimate.impact.word=Impact"];
    let guess = ["--value", "estimate.impact.source.guess=from the sheet"];
    let said = shop.import("initiatives", "plan.csv", rows, &[&map[..], &guess].concat());
    assert_eq!((said.counts("estimates"), &said.report["refused"]), ([2, 0, 0], &json!(1)));
    let refusal = &said.report["refusals"][0];
    assert_eq!((&refusal["key"], &refusal["column"]), (&json!("C"), &json!("Impact")));
    assert!(refusal["reason"].as_str().unwrap().contains("use minimal, low, medium, high or massive"), "{refusal}");
    for (id, value, word) in [("a", 3.0, "massive"), ("b", 0.5, "low")] {
        let impact = &shop.get("estimates", id)["impact"];
        assert_eq!((&impact["point"], &impact["word"]), (&json!(value), &json!(word)));
    }
    let again = shop.import("initiatives", "plan.csv", rows, &[&map[..], &guess].concat());
    assert_eq!(again.counts("estimates"), [0, 0, 2], "the same word says nothing new");
}

#[test]
fn lists_of_aha_become_initiatives() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let features = "Feature reference #,Feature name,Feature type,Feature status,Feature assigned to,Feature description,Epic name,\
        Epic name,Initiative name,Feature end date,Feature start date,Release name\n\
        APP-12,Sign in once,New,In design,Ada,Too long,Login,,Stay,2026-09-30,2026-07-01,Autumn\n";
    assert_eq!(
        shop.import("initiatives", "features.csv", features, &["--from", "aha"]).whole().counts("initiatives"),
        [1, 0, 0]
    );
    let sso = shop.get("initiatives", "app-12");
    assert_eq!((&sso["displayName"], &sso["problem"]), (&json!("Sign in once"), &json!("Too long")));
    assert_eq!(sso["target"], json!({"start": "2026-07", "end": "2026-09"}));
    assert_eq!((&sso["labels"]["status"], &sso["labels"]["release"]), (&json!("In design"), &json!("Autumn")));
    let epics = "Epic reference #,Epic name,Epic status,Epic initial estimate,Epic assigned to,Epic tags,Release name\n\
        APP-E-3,Login,New,5d,Bob,x,\n";
    assert_eq!(
        shop.import("initiatives", "epics.csv", epics, &["--from", "aha"]).whole().counts("initiatives"),
        [1, 0, 0]
    );
    let initiatives = "Initiative reference #,Initiative name,Initiative status,Initiative end date\nAPP-S-1,Stay,Started,2026-12-31\n";
    shop.import("initiatives", "initiatives.csv", initiatives, &["--from", "aha"]).whole();
    assert_eq!(shop.get("initiatives", "app-s-1")["target"]["start"], "2026-12");
    assert_eq!(shop.get("initiatives", "app-e-3")["owner"], "Bob");
}

#[test]
fn features_of_productboard_become_initiatives() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let rows = "entity_uuid,entity_name,description,pb_url,status_name,owner_email,NOW/NEXT/LATER,Reach\n\
        0b7c5d5e-7a0e-4b5f-9a36-2f1c3a5e8d11,Sign in once,Too long,https://x.productboard.com/1,Planned,ada@example.com,Next,900\n\
        ,Nameless,,https://x.productboard.com/2,Candidate,,,\n";
    let said = shop.import("initiatives", "pb.csv", rows, &["--from", "productboard"]).whole();
    assert_eq!((said.counts("initiatives"), &said.report["leftOut"]), ([2, 0, 0], &json!(["Reach"])));
    let sso = shop.get("initiatives", "0b7c5d5e-7a0e-4b5f-9a36-2f1c3a5e8d11");
    assert_eq!((&sso["horizon"], &sso["owner"]), (&json!("HORIZON_NEXT"), &json!("ada@example.com")));
    assert_eq!(sso["labels"], json!({"source": "productboard", "status": "Planned"}));
    let (status, text) =
        server.run(&["import", "metrics", "nowhere.csv", "--from", "productboard", "-w", "shop"]).unwrap_err();
    assert!(status == 2 && text.contains("says nothing of metrics; it is for initiatives"), "{text}");
}

#[test]
fn the_published_table_says_what_the_mappings_do() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/import/rows/mappings");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/IMPORTING.md")).unwrap();
    for tool in ["jira", "aha", "productboard"] {
        let title = format!("### `--from {tool}`");
        let section = page.split("\n### ").find(|section| title.ends_with(section.lines().next().unwrap()));
        let section = section.unwrap_or_else(|| panic!("no {title}"));
        let mapping = std::fs::read_to_string(format!("{folder}/{tool}.yaml")).unwrap();
        let mut fields = mapping.lines().skip_while(|line| line.trim() != "fields:").skip(1);
        let mut told = 0;
        for line in fields.by_ref().take_while(|line| line.trim() != "constants:") {
            let Some((field, _)) =
                line.strip_prefix("    ").filter(|line| !line.starts_with(' ')).and_then(|line| line.split_once(':'))
            else {
                continue;
            };
            assert!(section.contains(&format!("| `{field}` |")), "{tool}: {field}");
            told += 1;
        }
        assert_eq!(section.matches("\n| `").count(), told + 1, "{tool}: no row but of the key and of each field");
    }
}
