//! What people write and read: files, dates, names, and answers for people and programs.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::server::Server;

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn files_are_refused_by_file_line_and_field_or_created_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let create = |name: &str, text: &str| {
        let path = file(folder.path(), name, text);
        let line = ["products", "create", "-f", path.to_str().unwrap(), "-w", "acme"];
        server.run(&line).map_err(|(status, said)| (status, said.replace(path.to_str().unwrap(), name)))
    };
    let wrong = "name: a\ndisplay_name: A\n---\nname: b\nlifecycle: growin\nvison: x\nlabels: [x]\n";
    let (status, said) = create("wrong.yaml", wrong).unwrap_err();
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let expected = [
        "error: wrong.yaml, line 5, `lifecycle`: \"growin\" is none of exploring, growing, sustaining, retiring",
        "wrong.yaml, line 6, `vison`: is no field of Product; did you mean vision?",
        "wrong.yaml, line 7, `labels`: is a list, not keys with values",
    ];
    assert_eq!((status, lines.as_slice()), (2, &expected[..]));
    let (status, said) = create("broken.yaml", "display_name: A\n  vision: \"x\"\n").unwrap_err();
    assert!(status == 2 && said.starts_with("error: broken.yaml, line 2: is neither YAML nor JSON"), "{said}");
    let (_, said) = create("broken.json", "{\"displayName\": \"A\",\n \"labels\": {\"a\": \"b}\n").unwrap_err();
    assert!(said.starts_with("error: broken.json, line "), "{said}");
    for words in ["expected", "serde", "scan", "mapping", "sequence", "flow", "<input>"] {
        assert!(!said.contains(words), "the library speaks: {said}");
    }
    let listed = || server.json(&["products", "list", "-w", "acme"])["products"].clone();
    assert_eq!(listed(), serde_json::Value::Null, "nothing is created while something cannot be read");

    let (status, said) =
        create("refused.yaml", "name: a\ndisplay_name: A\n---\nname: b\n\ndisplay_name: ''\n").unwrap_err();
    let said_where = "error: refused.yaml, line 6, `display_name`: INVALID_FIELD: product.display_name: ";
    assert!(status == 2 && said.starts_with(said_where), "{said}");
    create(
        "more.yaml",
        "name: c\ndisplay_name: 2026\nlabels: {country: no, code: 012}\n---\n- name: d\n  display_name: D\n",
    )
    .unwrap();
    let created = listed();
    let names: Vec<&str> = created.as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "c", "d"].map(|id| format!("workspaces/acme/products/{id}")));
    assert_eq!(created[1]["labels"], json!({"country": "no", "code": "012"}));
    assert_eq!(created[1]["displayName"], "2026");
    let events = server.run(&["events", "list", "--service", "roadmap", "-w", "acme"]).unwrap();
    let order: Vec<&str> = events.lines().filter_map(|line| line.split_whitespace().nth(5)).collect();
    assert_eq!(order, ["products/a", "products/c", "products/d"]);

    let data = "display_name: x\nproduct: y";
    let (status, said) = server.run(&["call", "StrategyService/CreateProduct", "-d", data, "-w", "acme"]).unwrap_err();
    let expected = "error: --data, line 1, `display_name`: is no field of CreateProductRequest";
    assert!(status == 2 && said.starts_with(expected), "{said}");
}

#[test]
fn times_are_of_the_time_zone_wherever_they_are_given_or_shown() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let events = file(
        folder.path(),
        "events.csv",
        "user,event,time\na,open,2026-02-28T23:30:00Z\nb,open,2026-03-01T22:30:00Z\nc,open,2026-03-01T23:30:00Z\n",
    );
    let columns = ["--user", "user", "--event", "event", "--time", "time", "-w", "acme"];
    let import = [&["import", "events", events.to_str().unwrap()], &columns[..]].concat();
    let (_, said) = server.run(&[&import[..], &["--time-zone", "+01:00"]].concat()).unwrap_err();
    assert!(said.contains("Etc/GMT-1 for +01:00"), "{said}");
    server.run(&import).unwrap();
    let question = ["analysis", "query-trend", "--events", "open", "-w", "acme"];
    let days = ["--settings.start-time", "2026-03-01", "--settings.end-time", "2026-03-02"];
    let count = |zone: &[&str]| {
        let trend = server.json(&[&question[..], &days, zone].concat());
        let series = &trend["series"][0];
        (series["total"].as_f64().unwrap(), series["points"].as_array().unwrap().len())
    };
    assert_eq!(count(&[]), (2.0, 1), "the day of UTC");
    // Both ways of naming the zone ask for the day of Berlin, whole.
    for zone in [["--settings.time-zone", "Europe/Berlin"], ["--time-zone", "Europe/Berlin"]] {
        assert_eq!(count(&zone), (2.0, 1), "{zone:?}");
        let table = server.run(&[&question[..], &days, &zone].concat()).unwrap();
        assert!(table.contains("2026-03-01 00:00:00+01:00  2026-03-02 00:00:00+01:00  2"), "{zone:?}:\n{table}");
    }
    let offset =
        ["--settings.start-time", "2026-03-01T00:00+01:00", "--settings.end-time", "2026-03-02 00:00:00+01:00"];
    let trend = server.json(&[&question[..], &offset].concat());
    assert_eq!(trend["settings"]["startTime"], "2026-02-28T23:00:00Z");
    let (_, said) = server.run(&[&question[..], &days, &["--time-zone", "+01:00"]].concat()).unwrap_err();
    assert!(said.contains("Etc/GMT-1 for +01:00"), "{said}");
    assert_eq!(count(&["--time-zone", "Etc/GMT-1"]), (2.0, 1));
    let (_, said) = server.run(&[&question[..], &["--settings.start-time", "1 March"]].concat()).unwrap_err();
    assert!(said.contains("2026-01-31T12:00:00+01:00"), "{said}");

    server.run(&["products", "create", "app", "--display-name", "App", "-w", "acme"]).unwrap();
    let tokyo = ["--time-zone", "Asia/Tokyo", "-w", "acme"];
    let shown = |line: &[&str]| server.run(&[line, &tokyo].concat()).unwrap();
    assert!(shown(&["products", "get", "app"]).contains("+09:00"));
    assert!(shown(&["events", "list", "--service", "roadmap"]).contains("+09:00  roadmap"));
    let found = |filter: &str| shown(&["products", "list", "--filter", filter]).contains("App");
    assert!(found("create_time > 2026-03-01") && !found("create_time < 2026-03-01"));
    assert!(shown(&["events", "list", "--filter", "time > 2026-03-01"]).contains("ProductCreated"));
    // As of a moment that a zone has not reached yet nothing can be said.
    let now = server.json(&["products", "get", "app", "-w", "acme"])["createTime"].as_str().unwrap().to_owned();
    let ahead = an_hour_after(&now);
    assert!(server.run(&["roadmap", "--as-of-time", &ahead, "-w", "acme", "--time-zone", "Etc/GMT-14"]).is_ok());
    assert!(server.run(&["roadmap", "--as-of-time", &ahead, "-w", "acme"]).is_err());
}

/// What a clock in UTC shows an hour after a time, without the offset.
fn an_hour_after(time: &str) -> String {
    let time: chrono::DateTime<chrono::Utc> = time.parse().unwrap();
    (time + chrono::TimeDelta::hours(1)).format("%Y-%m-%d %H:%M:%S").to_string()
}

#[test]
fn names_are_read_as_people_write_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.run(&["initiatives", "create", "sso", "--display-name", "SSO", "--horizon", "now", "-w", "acme"]).unwrap();
    let list = |filter: &str| server.run(&["initiatives", "list", "--filter", filter, "-w", "acme"]);
    assert!(list("state = proposed AND horizon:now").unwrap().contains("SSO"));
    let (status, said) = list("state = in-review").unwrap_err();
    assert!(status == 2 && said.contains("those are PROPOSED, COMMITTED, IN_PROGRESS"), "{said}");
    let events = |filter: &str| server.run(&["events", "list", "--filter", filter, "-w", "acme"]);
    assert!(events("type = initiative-created").unwrap().contains("initiatives/sso"));
    let (status, said) = events("type = InitiativeMade").unwrap_err();
    assert!(status == 2 && said.contains("is not an event of the contract"), "{said}");
    let tail = ["events", "tail", "--type", "InitiativeMade", "-w", "acme"];
    assert!(server.run(&tail).unwrap_err().1.contains("did you mean Initiative"), "before anything is watched");

    let links = server.json(&["call", "roadmap.GraphService/ListLinks", "-d", "name: workspaces/acme/initiatives/sso"]);
    assert!(links.is_object(), "{links}");
    let listed = server.json(&["call", "roadmap.EventsService/ListEvents", "-w", "acme"]);
    assert_eq!(listed["events"][0]["type"], "waymark.roadmap.v1.InitiativeCreated");
    let (status, said) = server.run(&["call", "EventsService/ListEvents", "-w", "acme"]).unwrap_err();
    assert!(status == 2 && said.contains("roadmap.EventsService/ListEvents"), "{said}");
    let (status, said) = server.run(&["initiatives", "depend"]).unwrap_err();
    assert!(status == 2 && said.contains("'initiatives add-dependency'"), "{said}");
}

#[test]
fn answers_say_zeros_and_tables_no_json() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let data = "{rice: {reach: 0, impact: 2, confidence: 0.8, effort: 2}}";
    let score = server.json(&["call", "PrioritizationService/EvaluateScore", "-d", data]);
    assert_eq!(score, json!({"score": 0.0}));
    let names = server.json(&["analysis", "list-event-names", "-w", "acme"]);
    assert_eq!((&names["total"], &names["count"], &names["users"]), (&json!(0), &json!("0"), &json!("0")));
    let create = ["objectives", "create", "stay", "--display-name", "Stay", "--period.start", "2026-Q1", "-w", "acme"];
    server.run(&[&create[..], &["--period.end", "2026-Q2"]].concat()).unwrap();
    let table = server.run(&["objectives", "list", "-w", "acme"]).unwrap();
    assert!(table.contains("2026-Q1 to 2026-Q2") && !table.contains('{'), "{table}");
}
