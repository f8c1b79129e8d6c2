//! The binary as people use it: `waymark dev` in a process of its own, and commands against it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod audited;
mod doubles;
mod exports;
mod files;
mod imports;
mod issuer;
mod login;
mod permitted;
mod policies;
mod rows;
mod server;
mod tools;
mod vendors;
mod words;

use std::process::Stdio;
use std::time::Duration;

use server::Server;

#[test]
fn the_demo_goes_all_the_way_round_and_a_second_start_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let story = server.run(&["demo", "-w", "shop"]).unwrap();
    for title in ["insight", "opportunity", "solution", "initiative", "prediction", "measurement", "learning"] {
        assert!(story.lines().any(|line| line.starts_with(&format!("{title} "))), "no {title} in the trace:\n{story}");
    }
    assert!(story.contains("Planted truth: +12.0 %") && story.contains("✓ MET"), "{story}");
    server.stop();

    let server = Server::start(folder.path());
    let initiative = server.json(&["initiatives", "get", "saved-carts", "-w", "shop"]);
    assert_eq!(initiative["state"], "INITIATIVE_STATE_MEASURED");
    let links = server.run(&["links", "initiatives/saved-carts", "-w", "shop"]).unwrap();
    for line in ["→ evidence.target", "→ expected_outcome.metric  Orders  [metrics/metrics/orders]", "← initiative"]
    {
        assert!(links.contains(line), "{line}:\n{links}");
    }
    assert!(links.contains("[metrics/outcomes/saved-carts]"), "what the metrics service knows:\n{links}");
    let cited = server.json(&["links", "metrics/orders", "-w", "shop"]);
    let cites = |link: &&serde_json::Value| {
        link["field"] == "expectedOutcome.metric" || link["field"] == "expected_outcome.metric"
    };
    let times = cited["incoming"].as_array().unwrap().iter().filter(cites).count();
    assert_eq!(times, 1, "an initiative that is mirrored cites once:\n{cited}");
    let away = server.without_metrics();
    let line = ["links", "initiatives/saved-carts", "-w", "shop", "--timeout", "1"];
    let links = away.json(&line);
    assert_eq!(links["unanswered"], serde_json::json!(["metrics"]));
    assert!(!links["outgoing"].as_array().unwrap().is_empty() && !links["incoming"].as_array().unwrap().is_empty());
    let said = away.command(&line).output().unwrap().stderr;
    assert!(String::from_utf8(said).unwrap().contains("metrics does not answer"));
    let insight = server.json(&["insights", "list", "-w", "shop"])["insights"][0]["name"].as_str().unwrap().to_owned();
    let trace = server.run(&["trace", insight.trim_start_matches("workspaces/shop/"), "-w", "shop"]).unwrap();
    assert!(trace.contains("measurement"), "all that rests on an insight is found by links:\n{trace}");

    let drawn = server.run(&["okr", "-w", "shop", "--width", "80"]).unwrap();
    for line in
        ["◎ No cart gets lost  [carts]  ", "└─ · Orders a day  [orders]  ", "└─ ★ Saved carts  [saved-carts]  measured"]
    {
        assert!(drawn.contains(line), "{line}:\n{drawn}");
    }
    assert!(drawn.contains("150 → ") && drawn.contains(" → 170 orders, [orders] "), "by its metric:\n{drawn}");
    let file = folder.path().join("okr.svg");
    server.run(&["okr", "carts", "-w", "shop", "--plot", file.to_str().unwrap()]).unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap().matches("<text").count(), 4, "two lines of two texts");
    let nothing = server.run(&["okr", "-w", "shop", "--period", "2001"]).unwrap();
    assert!(nothing.starts_with("no objectives"), "{nothing}");

    let refused = server.run(&["demo", "-w", "shop"]).unwrap_err();
    assert_eq!(refused.0, 4, "the workspace has its story already: {}", refused.1);
}

#[test]
fn resources_are_kept_by_commands() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let created = server.json(&[
        "products",
        "create",
        "app",
        "--display-name",
        "App",
        "--lifecycle",
        "growing",
        "--labels",
        "team=core",
        "-w",
        "a",
    ]);
    assert_eq!(created["labels"]["team"], "core");

    let yaml = server.run(&["products", "list", "-w", "a", "-o", "yaml"]).unwrap();
    let file = folder.path().join("products.yaml");
    std::fs::write(&file, yaml).unwrap();
    let copied = server.json(&["products", "create", "-f", file.to_str().unwrap(), "-w", "b"]);
    assert_eq!(
        (copied["name"].as_str(), copied["displayName"].as_str()),
        (Some("workspaces/b/products/app"), Some("App"))
    );

    let updated =
        server.json(&["products", "update", "app", "--vision", "Win", "--clear", "labels", "--etag", "1", "-w", "a"]);
    assert_eq!((updated["vision"].as_str(), updated.get("labels")), (Some("Win"), None));
    assert_eq!(updated["lifecycle"], "PRODUCT_LIFECYCLE_GROWING", "what is not named stays");

    let status = |line: &[&str]| server.run(line).unwrap_err();
    let stale = status(&["products", "update", "app", "--vision", "Lose", "--etag", "1", "-w", "a"]);
    assert!(stale.0 == 4 && stale.1.contains("ETAG_MISMATCH"), "{stale:?}");
    let missing = status(&["products", "get", "nope", "-w", "a"]);
    assert!(missing.0 == 3 && missing.1.contains("RESOURCE_NOT_FOUND"), "{missing:?}");
    let invalid = status(&["products", "create", "--display-name", "", "-w", "a"]);
    assert!(invalid.0 == 2 && invalid.1.contains("product.display_name"), "{invalid:?}");
    let denied = status(&["products", "delete", "app", "-w", "a", "--role", "viewer"]);
    assert!(denied.0 == 5 && denied.1.contains("PERMISSION_DENIED"), "{denied:?}");
    assert_eq!(status(&["products", "list"]).0, 2, "no workspace");

    let metric = "//metrics.waymark.dev/workspaces/b/metrics/orders";
    let file = folder.path().join("initiative.yaml");
    std::fs::write(&file, format!("displayName: Single sign-on\nevidence:\n- target: {metric}\n")).unwrap();
    let told = server.command(&["initiatives", "create", "-f", file.to_str().unwrap(), "-w", "b"]).output().unwrap();
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains(&format!("note: the service knows nothing of {metric} yet")), "{told}");

    server.run(&["products", "delete", "app", "-w", "a"]).unwrap();
    assert_eq!(server.run(&["products", "list", "-w", "a"]).unwrap().trim(), "no products");
    server.run(&["products", "undelete", "app", "-w", "a"]).unwrap();
    let events = server.run(&["events", "list", "-w", "a"]).unwrap();
    let kinds: Vec<&str> = events.lines().filter_map(|line| line.split_whitespace().nth(4)).collect();
    assert_eq!(kinds, ["ProductCreated", "ProductUpdated", "ProductDeleted", "ProductUndeleted"]);
}

#[test]
fn a_method_by_its_name_scores_rice() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let data = r#"{"rice": {"reach": 5000, "impact": 2, "confidence": 0.8, "effort": 2}}"#;
    assert_eq!(server.json(&["call", "PrioritizationService/EvaluateScore", "-d", data])["score"], 4000.0);
    let line = [
        "score",
        "evaluate",
        "--rice.reach",
        "8000",
        "--rice.impact",
        "0.5",
        "--rice.confidence",
        "1",
        "--rice.effort",
        "3",
    ];
    let score = server.json(&line)["score"].as_f64().unwrap();
    assert!((score - 1333.33).abs() < 0.01, "{score}");
}

#[test]
fn imports_repeat_without_effect_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    for (workspace, file) in [
        ("csv", files::csv(folder.path())),
        ("gz", files::csv_gz(folder.path())),
        ("json", files::jsonl(folder.path())),
        ("parquet", files::parquet(folder.path())),
    ] {
        let line = [
            "import",
            "events",
            file.to_str().unwrap(),
            "--user",
            "user",
            "--event",
            "event",
            "--time",
            "time",
            "-w",
            workspace,
        ];
        for _ in 0..2 {
            let report = server.json(&line);
            assert_eq!(
                (report["stored"].as_u64(), report["rejected"].as_u64()),
                (Some(files::ROWS), Some(0)),
                "{workspace}"
            );
        }
        let names = server.json(&["analysis", "list-event-names", "-w", workspace]);
        let counts: Vec<(&str, &str)> = names["eventNames"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| (name["event"].as_str().unwrap(), name["count"].as_str().unwrap()))
            .collect();
        assert_eq!(counts, [("open", "80"), ("buy", "40")], "{workspace}");
        assert!(!folder.path().join(format!("{}.waymark-import", file.display())).exists());
    }
}

#[test]
fn broken_rows_are_reported_and_the_rest_is_imported() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let (file, rejects) = (folder.path().join("broken.csv"), folder.path().join("rejects.csv"));
    std::fs::write(
        &file,
        "user,event,time\na,x,2026-01-01\nb,x\nc,\"open,2026-01-01\n,x,2026-01-01\nd,x,2226-01-01\ne,x,2026-01-02\n",
    )
    .unwrap();
    let line = [
        "import",
        "events",
        file.to_str().unwrap(),
        "--user",
        "user",
        "--event",
        "event",
        "--time",
        "time",
        "-w",
        "w",
        "--rejects",
        rejects.to_str().unwrap(),
    ];
    let (status, text) = server.run(&line).unwrap_err();
    assert_eq!(status, 7, "{text}");
    let report = std::fs::read_to_string(rejects).unwrap();
    let lines: Vec<&str> = report.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(lines, ["3", "4", "5", "6"], "{report}");
    assert_eq!(server.json(&["analysis", "list-event-names", "-w", "w"])["eventNames"][0]["count"], "2");
}

#[test]
fn an_import_that_stops_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = files::csv(folder.path());
    let state = folder.path().join("state");
    let line = [
        "import",
        "events",
        file.to_str().unwrap(),
        "--user",
        "user",
        "--event",
        "event",
        "--time",
        "time",
        "-w",
        "w",
        "--state",
        state.to_str().unwrap(),
    ];
    let away = Server::away();
    let (status, text) = away.run(&[&line[..], &["--timeout", "1"]].concat()).unwrap_err();
    assert!(status == 6 && text.contains("give the same command again"), "{status} {text}");

    let server = Server::start(folder.path());
    let mut import = server
        .command(&[&line[..], &["--batch", "1"]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let done = || {
        let state = std::fs::read(&state).ok()?;
        serde_json::from_slice::<serde_json::Value>(&state).ok()?["rows"].as_u64()
    };
    while done().is_none_or(|rows| rows < 3) {
        assert!(import.try_wait().unwrap().is_none(), "it was stopped in the middle");
        std::thread::sleep(Duration::from_millis(5));
    }
    import.kill().unwrap();
    import.wait().unwrap();
    let before = done().unwrap();

    let report = server.json(&line);
    assert_eq!(report["resumedAfter"].as_u64(), Some(before));
    assert!((3..files::ROWS).contains(&before), "{before}");
    assert_eq!(
        (report["rows"].as_u64(), report["stored"].as_u64()),
        (Some(files::ROWS), Some(files::ROWS)),
        "{report}"
    );
    let names = server.json(&["analysis", "list-event-names", "-w", "w"]);
    let counts = names["eventNames"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name["count"].as_str().unwrap().parse::<u64>().unwrap());
    assert_eq!(counts.sum::<u64>(), files::ROWS);
    assert!(!state.exists(), "a finished import keeps no state");
}
