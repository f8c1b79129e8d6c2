//! `waymark policies`: what it tells without a server.

use std::process::{Command, Output};

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy");

fn policies(arguments: &[&str]) -> Output {
    let waymark = env!("CARGO_BIN_EXE_waymark");
    Command::new(waymark).current_dir(DEPLOY).arg("policies").args(arguments).output().unwrap()
}

/// What is printed, on standard output or as an error, with the exit status.
fn told(arguments: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = policies(arguments);
    let text = [stdout, stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (status.code().unwrap(), text.trim_end().to_owned())
}

#[test]
fn files_are_checked_and_tested() {
    let bindings = ["--bindings", "bindings.example.yaml"];
    let (status, text) = told(&[&["check"][..], &bindings].concat());
    assert_eq!((status, text.lines().count()), (0, 2), "{text}");
    assert!(text.contains("admin, audience, contributor, manager, viewer, without-workspace"), "{text}");
    let (status, text) = told(&[&["test", "policy-tests.example.yaml"][..], &bindings].concat());
    assert_eq!((status, &*text), (0, "8 of 8 are as expected"));

    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let tests = "tests:\n  - {principal: users/company/ada, action: GetRoadmap, workspace: shop, allowed: false}\n";
    let path = write("tests.yaml", tests);
    let (status, text) = told(&[&["test", &path][..], &bindings].concat());
    let line =
        format!("{path}:2: users/company/ada may waymark.roadmap.v1.RoadmapService/GetRoadmap in shop, by manager");
    assert_eq!((status, &*text), (1, &*format!("{line}\n0 of 1 are as expected")));

    for (content, part) in [
        (tests.replace("GetRoadmap", "GetRoadmaps"), ":2: action: \"GetRoadmaps\" is no action"),
        (tests.replace("shop", ".."), ":2: workspace: it must be an id"),
        (tests.replace("shop", "\"*\""), ":2: workspace: it must be an id"),
        (tests.replace("users/company/ada", "ada"), ":2: principal: it must be users/ISSUER/SUBJECT"),
        (tests.replace("workspace: shop, ", ""), ":2: workspace: the action is done in one"),
        (tests.replace("GetRoadmap", "GetProduct"), ":2: product: the action is done to one"),
        (tests.replace("  - ", "\t- "), ":2: "),
        ("tests: []".to_owned(), ":1: tests: it tests nothing"),
    ] {
        let path = write("tests.yaml", &content);
        let (status, text) = told(&[&["test", &path][..], &bindings].concat());
        assert!(status == 2 && text.contains(part) && text.lines().count() == 1, "{content}{text}");
    }
    let wrong = write("bindings.yaml", "bindings:\n\t- role: viewer\n");
    let (status, text) = told(&["check", "--bindings", &wrong]);
    assert!(
        status == 2 && text.starts_with("error: ") && text.contains("bindings.yaml:2: ") && text.contains("tab"),
        "{text}"
    );
    let (status, text) = told(&["check", "--policies", &wrong, "--bindings", &wrong]);
    assert!(status == 2 && text.contains("it is not a folder"), "{text}");
}

#[test]
fn why_somebody_may_or_may_not_is_explained() {
    let explain =
        |arguments: &[&str]| told(&[&["explain", "--bindings", "bindings.example.yaml"][..], arguments].concat());
    let ada = ["-p", "users/company/ada", "-g", "groups/company/everyone"];
    let (status, text) = explain(&[&ada[..], &["RoadmapService/CommitInitiative", "shop"]].concat());
    assert_eq!(status, 0, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "users/company/ada may waymark.roadmap.v1.RoadmapService/CommitInitiative in shop, by manager"
    );
    assert!(
        lines[1].starts_with("the role viewer by bindings.example.yaml:")
            && lines[1].ends_with("as groups/company/everyone in *"),
        "{text}"
    );
    assert!(
        lines[2].starts_with("the role manager by ")
            && lines[2].ends_with("as users/company/ada in shop")
            && lines.len() == 3,
        "{text}"
    );
    let (_, text) = explain(&[&ada[..], &["CommitInitiative", "workspaces/bank"]].concat());
    assert!(
        text.starts_with("users/company/ada may not ") && text.contains(": no policy allows it\nthe role viewer"),
        "{text}"
    );
    let (_, text) = explain(&["-p", "users/customers/kim", "-g", "groups/customers/gold", "GetRoadmap", "-w", "shop"]);
    assert!(
        text.contains("is shown what workspaces/shop/audiences/customers sees, by audience\nthe audience customers"),
        "{text}"
    );
    let (_, text) = explain(&["-p", "services/nobody", "UpdateProduct", "workspaces/shop/products/app"]);
    assert!(text.contains("may not") && text.ends_with("no binding gives it anything there"), "{text}");
    let (_, text) = explain(&["-p", "services/nobody", "EvaluateScore"]);
    assert!(text.contains("EvaluateScore, by without-workspace"), "{text}");

    for (arguments, part) in [
        (&["-p", "ada", "GetRoadmap", "shop"][..], "\"ada\" is no principal: it must be users/ISSUER/SUBJECT"),
        (&["-p", "groups/company/all", "GetRoadmap", "shop"], "is no principal"),
        (&["-p", "users/company/ada", "-g", "users/company/ada", "GetRoadmap", "shop"], "is no group"),
        (&["-p", "users/company/ada", "GetRoadmaps", "shop"], "is GetRoadmap meant?"),
        (&["-p", "users/company/ada", "GetRoadmap", "*"], "\"*\" is not an id"),
        (&["-p", "users/company/ada", "GetRoadmap", ".."], "\"..\" is not an id"),
        (&["-p", "users/company/ada", "GetRoadmap"], "--workspace ID"),
        (&["-p", "users/company/ada", "UpdateProduct", "shop"], "name one, as workspaces/acme/products/app"),
    ] {
        let (status, text) = explain(arguments);
        assert!(status == 2 && text.contains(part) && text.lines().count() == 1, "{arguments:?}: {text}");
    }
}
