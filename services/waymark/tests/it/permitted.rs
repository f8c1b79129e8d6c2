//! What callers may do where policies decide: each by a token, against running services, while bindings change.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;
use waymark_access::testing::{Signer, key_set};

use crate::server::Server;

const BINDINGS: &str = "bindings:
  - {role: admin, members: [users/corp/root], workspaces: [shop, bank, installation]}
  - {role: contributor, members: [users/corp/ada], workspaces: [shop]}
  - {role: viewer, members: [groups/corp/readers], workspaces: [\"*\"]}
  - {audience: customers, members: [users/corp/kim], workspaces: [shop]}
";

/// A server with policies, and people with tokens.
pub struct World {
    pub server: Server,
    pub folder: tempfile::TempDir,
}

impl World {
    fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these options besides.
    pub fn start_with(options: &[&str]) -> Self {
        let world = Self::open(tempfile::tempdir().unwrap(), options);
        for workspace in ["shop", "bank"] {
            world.run("root", &format!("workspaces create {workspace} --display-name {workspace}")).unwrap();
        }
        world
    }

    /// On a folder that may hold data, without any workspace.
    fn open(folder: tempfile::TempDir, options: &[&str]) -> Self {
        let signer = Signer::new("k", "ES256");
        let write = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        write("keys.json", &key_set(&[&signer]));
        let issuer = "issuers: [{name: corp, url: 'https://corp', audiences: [waymark], keys_file: keys.json, groups: groups, required: true}]";
        let authentication = write("authentication.yaml", issuer);
        let many = (0..=1_000).map(|n| format!("w{n}")).collect::<Vec<_>>().join(", ");
        let many = format!("  - {{role: viewer, members: [users/corp/mary], workspaces: [{many}]}}\n");
        let bindings = write("bindings.yaml", &format!("{BINDINGS}{many}"));
        let ends = waymark_clock::Clock::system().now().timestamp() + 3_600;
        for who in ["root", "ada", "rhea", "kim", "mary", "nobody"] {
            let groups: &[&str] = if who == "rhea" { &["readers"] } else { &[] };
            let claims = json!({"iss": "https://corp", "aud": "waymark", "sub": who, "exp": ends, "groups": groups});
            write(who, &signer.token(&claims));
        }
        let files = ["--authentication", authentication.as_str(), "--bindings", &bindings];
        let server = Server::start_with(folder.path(), &[&files[..], options].concat());
        Self { server, folder }
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// What a command of somebody answers, or with which status it ends and what it tells.
    pub fn run(&self, who: &str, line: &str) -> Result<String, (i32, String)> {
        let token = self.path(who);
        self.server.run(&line.split(' ').chain(["--token-file", &token]).collect::<Vec<_>>())
    }

    pub fn denied(&self, who: &str, line: &str) -> String {
        let (status, told) = self.run(who, line).expect_err(line);
        assert!(status == 5 && told.contains("PERMISSION_DENIED"), "{who} {line}: {told}");
        told
    }
}

#[test]
fn callers_may_what_bindings_and_policies_say_and_are_not_told_of_the_rest() {
    let world = World::start();
    for workspace in ["shop", "bank"] {
        world.run("root", &format!("products create app --display-name App -w {workspace}")).unwrap();
    }
    world.run("ada", "products create web --display-name Web -w shop").unwrap();
    world.run("ada", "products update app --vision Win -w shop").unwrap();
    for line in
        ["products get app -w bank", "products get none -w bank", "products get app -w none", "products list -w bank"]
    {
        let told = world.denied("ada", line);
        assert!(told.contains("users/corp/ada may not call waymark.roadmap.v1.StrategyService/"), "{told}");
    }
    assert_eq!(
        world.run("ada", "products get none -w shop").unwrap_err().0,
        3,
        "who may know is told that there is none"
    );
    for line in [
        "products update app --vision Lose -w bank",
        "products delete app -w bank",
        "products create x --display-name X -w bank",
    ] {
        world.denied("ada", line);
        world.denied("rhea", line);
    }
    world.denied("ada", "events republish --service roadmap -w shop");
    world.run("root", "events republish --service roadmap -w shop").unwrap();
    for workspace in ["shop", "bank"] {
        world.run("rhea", &format!("products get app -w {workspace}")).unwrap();
        world.denied("nobody", &format!("products list -w {workspace}"));
    }
    for who in ["nobody", "rhea"] {
        world.run(who, "whoami").unwrap();
        let score = "score evaluate --rice.reach 10 --rice.impact 1 --rice.confidence 1 --rice.effort 1";
        world.run(who, score).unwrap();
    }
    let (status, told) = world.run("ada", "products list -w ..").unwrap_err();
    assert!(status == 2 && told.contains("parent"), "{told}");
}

#[test]
fn whoever_calls_is_told_what_it_may_do_where_and_by_which_policies() {
    let world = World::start();
    let rights = |who: &str, line: &str| {
        let told = world.run(who, &format!("{line} -o json")).unwrap();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert!(told.get("role").is_none_or(|role| role == "ROLE_UNSPECIFIED"), "no role holds everywhere: {told}");
        told["rights"]["given"].clone()
    };
    let role = |workspace: &str, role: &str, member: &str, policy: &str| json!({"workspaces": format!("workspaces/{workspace}"), "role": role, "member": member, "policies": [policy]});
    let (root, ada, all) = ("users/corp/root", "users/corp/ada", "groups/corp/readers");
    let bank = role("bank", "ROLE_ADMIN", root, "admin");
    let others = ["installation", "shop"].map(|workspace| role(workspace, "ROLE_ADMIN", root, "admin"));
    assert_eq!(rights("root", "whoami"), json!([bank, others[0], others[1]]));
    assert_eq!(rights("root", "whoami -w bank"), json!([bank]));
    let shop = role("shop", "ROLE_CONTRIBUTOR", ada, "contributor");
    for service in ["discovery", "roadmap", "metrics"] {
        assert_eq!(rights("ada", &format!("whoami --service {service}")), json!([shop]));
    }
    assert_eq!(rights("rhea", "whoami -w none"), json!([role("*", "ROLE_VIEWER", all, "viewer")]));
    let kim = json!({"workspaces": "workspaces/shop", "audience": "customers", "member": "users/corp/kim", "policies": ["audience"]});
    assert_eq!(rights("kim", "whoami"), json!([kim]));
    for (who, line) in [("nobody", "whoami"), ("ada", "whoami -w bank")] {
        assert!(rights(who, line).as_array().is_none_or(Vec::is_empty), "{who} {line}");
    }
    let shown = world.run("ada", "whoami").unwrap();
    assert!(shown.contains("shop") && shown.contains("CONTRIBUTOR") && shown.contains(ada), "{shown}");
    // Of many the first are told, and of one workspace all.
    let told = |line: &str| -> serde_json::Value { serde_json::from_str(&world.run("mary", line).unwrap()).unwrap() };
    let (all, one) = (told("whoami -o json"), told("whoami -w w1000 -o json"));
    assert_eq!((all["rights"]["given"].as_array().unwrap().len(), &all["rights"]["more"]), (1_000, &json!(true)));
    assert_eq!(one["rights"]["given"], json!([role("w1000", "ROLE_VIEWER", "users/corp/mary", "viewer")]));
    assert_ne!(one["rights"]["more"], true);
    for none in ["*", "..", "Shop", &"a".repeat(64)] {
        let (status, told) = world.run("ada", &format!("whoami -w {none}")).unwrap_err();
        assert!(status == 2 && told.contains("workspace"), "{none}: {told}");
    }
}

#[test]
fn who_has_an_audience_is_shown_what_it_sees() {
    let world = World::start();
    let hidden = "secret-problem";
    world.run("root", "audiences create customers --display-name Customers -w shop").unwrap();
    for (id, shown) in [("sso", " --audiences customers"), ("plan", "")] {
        let line = format!("initiatives create {id} --display-name {id} --problem {hidden}{shown} -w shop");
        world.run("root", &line).unwrap();
    }
    let seen = world.run("kim", "initiatives list -w shop -o json").unwrap();
    assert!(seen.contains("initiatives/sso") && !seen.contains("initiatives/plan") && !seen.contains(hidden), "{seen}");
    assert!(world.run("root", "initiatives list -w shop -o json").unwrap().contains(hidden));
    world.denied("kim", "initiatives list -w bank");
    world.denied("kim", "audiences list -w shop");
    world.denied("kim", "initiatives update sso --problem x -w shop");
    world.denied("kim", "initiatives list -w shop --audience partners");
}

#[test]
fn a_watch_ends_when_policies_do_not_allow_it_any_more() {
    let world = World::start();
    world.run("root", "products create app --display-name App -w shop").unwrap();
    let line =
        ["events", "tail", "--earliest", "--service", "roadmap", "-w", "shop", "--token-file", &world.path("ada")];
    let mut watch = world.server.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(watch.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("ProductCreated"), "{first}");
    let write = |bindings: &str| std::fs::write(Path::new(&world.path("bindings.yaml")), bindings).unwrap();
    write("bindings:\n\t- nonsense");
    let changed = Instant::now();
    while changed.elapsed() < Duration::from_secs(8) {
        assert!(watch.try_wait().unwrap().is_none(), "what is wrong leaves the last good files in force");
        std::thread::sleep(Duration::from_millis(200));
    }
    write(&BINDINGS.replace("users/corp/ada", "users/corp/bob"));
    let changed = Instant::now();
    let ended = loop {
        match watch.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(changed.elapsed() < Duration::from_mins(1), "the watch goes on"),
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let mut told = String::new();
    watch.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(
        ended.code() == Some(5) && told.contains("PERMISSION_DENIED") && told.contains("after revision 1"),
        "{ended} {told}"
    );
    world.denied("ada", "products list -w shop");
}

#[test]
fn workspaces_are_made_by_who_administers_the_installation_and_listed_to_who_may_read_them() {
    let world = World::start();
    let names = |who: &str, more: &str| -> Vec<String> {
        let told = world.run(who, &format!("workspaces list -o json{more}")).unwrap();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let all = told["workspaces"].as_array().cloned().unwrap_or_default();
        all.iter().map(|workspace| workspace["name"].as_str().unwrap().to_owned()).collect()
    };
    for who in ["ada", "rhea", "nobody"] {
        world.denied(who, "workspaces create w1000 --display-name New");
    }
    let many = (0..=100).map(|n| json!({"name": format!("workspaces/v{n}"), "displayName": "New"}));
    let many = json!({"workspaces": many.collect::<Vec<_>>()});
    std::fs::write(world.path("many.json"), many.to_string()).unwrap();
    world.run("root", &format!("workspaces create -f {}", world.path("many.json"))).unwrap();
    world.run("root", "workspaces create w1000 --display-name New").unwrap();
    assert_eq!(
        (names("ada", ""), names("mary", "")),
        (vec!["workspaces/shop".into()], vec!["workspaces/w1000".into()])
    );
    // A page passes over what may not be read, and has what may.
    assert_eq!(names("ada", " --page-size 10 --limit 1"), ["workspaces/shop"]);
    assert_eq!((names("rhea", " --limit 0").len(), names("nobody", "").len()), (104, 0));
    let shown = world.run("ada", "workspaces get shop").unwrap();
    assert!(shown.contains("workspaces/shop") && shown.contains("ACTIVE"), "{shown}");
    for line in [
        "workspaces get bank",
        "workspaces get none",
        "workspaces close shop",
        "workspaces update shop --display-name X",
    ] {
        world.denied("ada", line);
    }
    let (status, told) = world.run("rhea", "workspaces get none").unwrap_err();
    assert!(status == 3 && told.contains("workspaces/none"), "{told}");
    let told = world.denied("ada", "products create web --display-name Web -w none");
    assert!(told.contains("in workspaces/none"), "{told}");
    for none in ["*", "..", "Shop", "installation", &"a".repeat(64)] {
        let (status, told) = world.run("root", &format!("workspaces create {none} --display-name X")).unwrap_err();
        assert!(status == 2 && told.contains("workspace_id"), "{none}: {told}");
    }
    let (status, told) = world.run("root", "products create x --display-name X -w installation").unwrap_err();
    assert!(status == 2 && told.contains("reserved"), "{told}");
    world.run("root", "workspaces close shop").unwrap();
    let (status, told) = world.run("ada", "products create web --display-name Web -w shop").unwrap_err();
    assert!(status == 4 && told.contains("STATE_CONFLICT") && told.contains("ReopenWorkspace"), "{status} {told}");
    world.run("ada", "products list -w shop").unwrap();
    world.run("root", "workspaces reopen shop").unwrap();
    world.run("ada", "products create web --display-name Web -w shop").unwrap();
}

#[test]
fn what_held_data_before_workspaces_had_to_be_created_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.run(&["products", "create", "app", "--display-name", "App", "-w", "shop"]).unwrap();
    server.run(&["outcomes", "create", "more", "--display-name", "More", "--measure", "asking", "-w", "bank"]).unwrap();
    assert_eq!(server.json(&["workspaces", "list"]), json!({}), "in development nobody creates any");
    server.stop();
    let world = World::open(folder, &[]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !world.run("root", "workspaces list").unwrap().contains("shop") {
        assert!(Instant::now() < deadline, "shop is not entered");
        std::thread::sleep(Duration::from_millis(100));
    }
    world.run("ada", "products create web --display-name Web -w shop").unwrap();
    world.run("root", "outcomes create less --display-name Less --measure asking -w bank").unwrap();
    assert_eq!(world.run("root", "products create app --display-name App -w bank").unwrap_err().0, 3);
    world.run("root", "workspaces create bank --display-name Bank").unwrap();
    world.run("root", "products create app --display-name App -w bank").unwrap();
}
