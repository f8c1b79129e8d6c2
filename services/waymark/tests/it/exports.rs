//! Lists as files for other programs, which say what was exported and can be imported again; the roadmap for documents,
//! slides and calendars.

use std::fs::File;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::rows::Importer;
use super::server::Server;

/// Initiatives with all that rows may have trouble with.
fn fill(server: &Server, workspace: &str) {
    let run = |line: &[&str]| server.run(&[line, &["-w", workspace]].concat()).unwrap();
    run(&[
        "products",
        "create",
        "app",
        "--display-name",
        "=App, \"the\" first",
        "--vision=-win\nor\n\nlearn\n",
        "--labels",
        "a=1",
    ]);
    run(&["objectives", "create", "stay", "--display-name", "Stay", "--period.start", "2026", "--products", "app"]);
    run(&[
        "key-results",
        "create",
        "active",
        "--objective",
        "stay",
        "--display-name",
        "Active",
        "--start",
        "20",
        "--target",
        "60",
    ]);
    let sso =
        ["initiatives", "create", "sso", "--display-name", "Single sign-on", "--horizon", "now", "--product", "app"];
    run(&[&sso[..], &["--key-results", "active", "--target.start", "2026-Q3", "--owner", "@ada"]].concat());
    run(&[
        "initiatives",
        "create",
        "audit",
        "--display-name",
        "Audit log",
        "--target.start",
        "2026-05",
        "--target.end",
        "2026-06",
    ]);
    run(&["initiatives", "add-dependency", "sso", "--dependency", "audit"]);
    let estimate = r#"{"range": {"low": 0, "likely": 5000, "high": 8000.5}, "source": {"guess": "sign-ins"}}"#;
    run(&[
        "estimates",
        "create",
        "sso",
        "--initiative",
        "sso",
        "--display-name",
        "First",
        "--reach",
        estimate,
        "--value.point",
        "7",
        "--value.source.guess",
        "x",
    ]);
}

const COLLECTIONS: [&str; 5] = ["products", "objectives", "key-results", "initiatives", "estimates"];

#[test]
fn what_is_exported_can_be_imported_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    fill(&server, "shop");
    for (form, other) in [("csv", "copied"), ("jsonl", "lines"), ("parquet", "columns")] {
        for collection in COLLECTIONS {
            let file = folder.path().join(format!("{collection}.{form}"));
            let output = server.command(&[collection, "list", "-w", "shop", "-o", form]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            std::fs::write(&file, output.stdout).unwrap();
            let into = |workspace| Importer { server: &server, folder: folder.path(), workspace };
            let rows = if collection == "initiatives" { 2 } else { 1 };
            let plural = collection.replace("key-results", "keyResults");
            let same = into("shop").file(collection, &file, &[]).whole();
            assert_eq!(same.counts(&plural), [0, 0, rows], "{form} {collection}: {}", same.report);
            let copied = into(other).file(collection, &file, &[]).whole();
            assert_eq!(copied.counts(&plural), [rows, 0, 0], "{form} {collection}: {}", copied.report);
            let again = into(other).file(collection, &file, &[]).whole();
            assert_eq!(again.counts(&plural), [0, 0, rows], "{form} {collection}: {}", again.report);
        }
        let of = |collection: &str, id: &str, field: &str| -> [Value; 2] {
            ["shop", other].map(|workspace| server.json(&[collection, "get", id, "-w", workspace])[field].clone())
        };
        for (collection, id, field) in [
            ("products", "app", "displayName"),
            ("products", "app", "vision"),
            ("products", "app", "labels"),
            ("initiatives", "sso", "horizon"),
            ("initiatives", "sso", "target"),
            ("initiatives", "sso", "owner"),
            ("estimates", "sso", "value"),
        ] {
            let [was, is] = of(collection, id, field);
            assert_eq!(was["point"], is["point"], "{form} {field}");
            assert!(was == is || field == "value", "{form} {field}: {was} {is}");
        }
        let [_, reach] = of("estimates", "sso", "reach");
        assert_eq!((&reach["range"]["likely"], &reach["range"]["high"]), (&json!(5000.0), &json!(8000.5)), "{form}");
        let [_, product] = of("initiatives", "sso", "product");
        assert_eq!(
            product,
            json!(format!("workspaces/{other}/products/app")),
            "names are of the workspace that imports"
        );
    }
}

#[test]
fn all_pages_of_any_list_are_rows() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let rows = (0..2_500).fold("name,display_name\n".to_owned(), |rows, row| rows + &format!("i{row},Idea {row}\n"));
    shop.import("initiatives", "ideas.csv", rows, &[]).whole();
    let list = |options: &[&str]| server.run(&[&["initiatives", "list", "-w", "shop"], options].concat()).unwrap();
    assert_eq!(list(&["-o", "csv"]).lines().count(), 2_501, "a header, and no limit that is for people");
    assert_eq!(list(&["-o", "jsonl", "--limit", "1700"]).lines().count(), 1_700);
    let filtered = list(&["-o", "jsonl", "--filter", "display_name = \"Idea 7\""]);
    let one: Value = serde_json::from_str(filtered.trim_end()).unwrap();
    assert_eq!(
        (&one["name"], &one["state"]),
        (&json!("workspaces/shop/initiatives/i7"), &json!("INITIATIVE_STATE_PROPOSED"))
    );
    let file = folder.path().join("ideas.parquet");
    let output = server.command(&["initiatives", "list", "-w", "shop", "-o", "parquet"]).output().unwrap();
    std::fs::write(&file, output.stdout).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file).unwrap()).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 2_500);
    let names: Vec<&str> = reader.schema().fields().iter().map(|field| field.name().as_str()).collect();
    assert!(names.contains(&"target.start") && names.contains(&"priority.score.likely"), "{names:?}");

    let ranked = server.run(&["initiatives", "rank", "-w", "shop", "-o", "csv"]).unwrap();
    assert!(ranked.starts_with("position,initiative,"), "{ranked}");
    for line in [&["initiatives", "get", "i1"][..], &["roadmap"], &["products", "create", "p", "--display-name", "P"]] {
        let (status, text) = server.run(&[line, &["-w", "shop", "-o", "csv"]].concat()).unwrap_err();
        assert!(status == 2 && text.contains("is no list"), "{line:?}: {text}");
    }
    assert_eq!(
        server.run(&["products", "get", "p", "-w", "shop"]).unwrap_err().0,
        3,
        "it was refused before it was made"
    );
}

#[test]
fn the_roadmap_is_a_document_a_slide_and_a_calendar() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    fill(&server, "shop");
    let run = |line: &[&str]| server.run(&[line, &["-w", "shop"]].concat()).unwrap();
    run(&["initiatives", "create", "dark", "--display-name", "Dark mode"]);
    let why = ["--reason", "nobody left", "--what-would-change-our-mind", "ten ask", "--review-date", "2099-01-31"];
    run(&[&["initiatives", "decline", "dark"], &why[..]].concat());
    let document = run(&["roadmap", "--markdown"]);
    for line in [
        "# Roadmap of shop",
        "## Now",
        "- **Single sign-on** (proposed, 2026-Q3, @ada)",
        "  - After: audit",
        "- **Dark mode**: nobody left",
    ] {
        assert!(document.lines().any(|known| known == line), "{line}\n{document}");
    }
    let file = folder.path().join("roadmap.svg");
    run(&["roadmap", "--plot", file.to_str().unwrap()]);
    let picture = std::fs::read_to_string(&file).unwrap();
    assert_eq!((picture.matches("<g>").count(), picture.matches("marker-end").count()), (2, 1), "{picture}");

    let feed = run(&["calendar"]);
    assert_eq!(feed, run(&["calendar"]), "nothing in it is of the moment");
    assert!(feed.split_inclusive('\n').all(|line| line.ends_with("\r\n") && line.len() <= 77), "{feed}");
    let unfolded = icalendar::parser::unfold(&feed);
    let read = icalendar::parser::read_calendar(&unfolded).unwrap();
    let value =
        |event: &icalendar::parser::Component<'_>, name: &str| event.find_prop(name).unwrap().val.as_str().to_owned();
    let mut events: Vec<(String, String)> =
        read.components.iter().map(|event| (value(event, "DTSTART"), value(event, "SUMMARY"))).collect();
    events.sort();
    let said = events.iter().map(|(day, summary)| (day.as_str(), summary.as_str())).collect::<Vec<_>>();
    assert_eq!(said[..2], [("20260630", "Target: Audit log"), ("20260930", "Target: Single sign-on")]);
    assert!(said[2].0 == "20990131" && said[2].1.starts_with("Review: "), "{said:?}");
    let uids: std::collections::BTreeSet<String> = read.components.iter().map(|event| value(event, "UID")).collect();
    assert_eq!(uids.len(), 3);
}
