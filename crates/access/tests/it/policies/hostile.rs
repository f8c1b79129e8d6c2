//! Files that somebody got wrong, and what is told of them: file, line, what is wrong and what would be right.

use super::{BINDINGS, Files};

const ALL: &str = "@id(\"all\") permit (principal, action, resource);\n";

#[tokio::test]
async fn a_policy_that_is_wrong_is_told_by_file_and_line() {
    let cases = [
        ("permit (principal, action == Action::\"S/Gets\", resource);", "S/Get"),
        ("permit (principal, action in Action::\"reads\", resource);", "reads"),
        ("permit (principal, action, resource)", "unexpected"),
        ("permit (principal, action, resource) when { context.audiences };", "audience"),
        ("permit (principal, action, resource) when { principal in context.audience };", "audience"),
        ("permit (principal, action, resource) when { resource.owner == principal };", "owner"),
        ("permit (principal in Role::\"reader\", action, resource);", "reader"),
        ("permit (principal in Team::\"a\", action, resource);", "Team"),
        ("permit (principal, action, resource) when { context.validate_only == 1 };", "type"),
        ("permit (principal, action, resource) when { principal in resource };", "false"),
        ("permit (principal == ?principal, action, resource);", "template"),
        ("permit (principal == User::\"ada\", action, resource);", "users/ISSUER/SUBJECT"),
        ("permit (principal == User::\"groups/corp/a\", action, resource);", "users/ISSUER/SUBJECT"),
        ("permit (principal in Group::\"product\", action, resource);", "groups/ISSUER/GROUP"),
        ("permit (principal in Group::\"groups/corp/*\", action, resource);", "groups/ISSUER/GROUP"),
        ("permit (principal == Service::\"services/\", action, resource);", "services/NAME"),
        ("permit (principal == ServiceAccount::\"serviceAccounts/kind/web\", action, resource);", "NAMESPACE/NAME"),
        ("permit (principal, action, resource in Workspace::\"acme\");", "workspaces/ID"),
        ("permit (principal, action, resource in Workspace::\"workspaces/*\");", "workspaces/ID"),
        ("permit (principal, action, resource in Workspace::\"workspaces/..\");", "workspaces/ID"),
        ("permit (principal, action, resource == Product::\"products/app\");", "products/ID"),
        ("permit (principal in Audience::\"customers\", action, resource);", "audiences/ID"),
        ("permit (principal, action, resource == Installation::\"other\");", "waymark"),
    ];
    for (policy, part) in cases {
        let files = Files::new(&[("a.cedar", ALL), ("b.cedar", &format!("// b\n\n@id(\"b\")\n{policy}\n"))], BINDINGS);
        let wrong = files.wrong().await;
        let told = wrong.starts_with("policies/b.cedar:") && wrong.contains(part) && wrong.lines().count() == 1;
        assert!(told, "{policy}: {part} is not told by: {wrong}");
        let line = wrong.split(':').nth(1).unwrap();
        assert!(["3", "4", "5"].contains(&line), "{policy}: {wrong}");
    }
}

#[tokio::test]
async fn policies_have_ids_of_their_own() {
    let twice = Files::new(&[("a.cedar", ALL), ("b.cedar", &format!("\n{ALL}"))], BINDINGS).wrong().await;
    assert!(twice.starts_with("policies/b.cedar:2: ") && twice.contains("policies/a.cedar"), "{twice}");
    for none in [
        "permit (principal, action, resource);",
        "@id(\" \") permit (principal, action, resource);",
        "@id permit (principal, action, resource);",
    ] {
        let none = Files::new(&[("a.cedar", &format!("{ALL}\n{none}"))], BINDINGS).wrong().await;
        assert!(none.starts_with("policies/a.cedar:3: ") && none.contains("@id("), "{none}");
    }
}

#[tokio::test]
async fn folders_and_files_that_are_not_what_they_should_be() {
    let files = Files::new(&[], BINDINGS);
    let wrong = files.wrong().await;
    assert!(wrong.starts_with("policies: ") && wrong.contains(".cedar"), "{wrong}");
    std::fs::create_dir(files.path("policies/a.cedar")).unwrap();
    assert_eq!(files.wrong().await, "policies/a.cedar: it is not a file");
    std::fs::remove_dir(files.path("policies/a.cedar")).unwrap();
    std::fs::write(files.path("policies/a.cedar"), b"@id(\"a\")\n\xff").unwrap();
    assert_eq!(files.wrong().await, "policies/a.cedar:2: it must be UTF-8");
    files.write("policies/a.cedar", "");
    assert!(files.wrong().await.starts_with("policies/a.cedar:1: it has no policy"));
    files.write("policies/a.cedar", &format!("{ALL}//{}", "x".repeat(1_100_000)));
    assert!(files.wrong().await.ends_with("it is longer than 1048576 bytes"));
    files.write("policies/a.cedar", ALL);
    std::fs::remove_file(files.path("bindings.yaml")).unwrap();
    assert!(files.wrong().await.starts_with("bindings.yaml: "));
    std::fs::create_dir(files.path("bindings.yaml")).unwrap();
    assert_eq!(files.wrong().await, "bindings.yaml: it is not a file");
    std::fs::remove_dir_all(files.path("policies")).unwrap();
    files.write("policies", ALL);
    assert!(files.wrong().await.starts_with("policies: it is not a folder"));
}

#[tokio::test]
async fn bindings_that_are_wrong_are_told_by_line_and_field() {
    let entry = |fields: &str| {
        format!("bindings:\n  - role: viewer\n    members: [users/corp/ada]\n    workspaces: [acme]\n  - {fields}\n")
    };
    let member = |member: &str| entry(&format!("{{role: viewer, members: [\"{member}\"], workspaces: [acme]}}"));
    let workspace =
        |workspace: &str| entry(&format!("{{role: viewer, members: [users/corp/ada], workspaces: [\"{workspace}\"]}}"));
    let mut cases = vec![
        ("bindings:\n\t- role: viewer\n".to_owned(), 2, "tab"),
        ("bindings: []\n".to_owned(), 1, "bindings"),
        ("{}\n".to_owned(), 1, "bindings"),
        (String::new(), 1, ""),
        ("bindings:\n  - role: viewer\n    members: [users/corp/ada]\n    workspaces: [*]\n".to_owned(), 4, "*"),
        (entry("{role: root, members: [users/corp/ada], workspaces: [acme]}"), 5, "root"),
        (entry("{rolle: viewer, members: [users/corp/ada], workspaces: [acme]}"), 5, "rolle"),
        (entry("{role: viewer, members: [users/corp/ada]}"), 5, "workspaces"),
        (entry("{role: viewer, members: [], workspaces: [acme]}"), 5, "members"),
        (entry("{role: viewer, members: [users/corp/ada], workspaces: []}"), 5, "workspaces"),
        (entry("{members: [users/corp/ada], workspaces: [acme]}"), 5, "name one"),
        (entry("{role: viewer, audience: a, members: [users/corp/ada], workspaces: [acme]}"), 5, "name one"),
        (entry("{audience: Customers, members: [users/corp/ada], workspaces: [acme]}"), 5, "audience"),
        (entry("{role: viewer, role: admin, members: [users/corp/ada], workspaces: [acme]}"), 5, "role"),
    ];
    for wrong in [
        "",
        "*",
        "ada",
        "users/corp",
        "users/*/ada",
        "*/corp/ada",
        "groups/*/*",
        "users/corp/a*",
        "users/corp/*/*",
        "services/a*",
        "serviceAccounts/kind/*/*",
        "root/corp/ada",
        "users/corp/é",
    ] {
        cases.push((member(wrong), 5, "members"));
    }
    for wrong in ["", "..", ".", "**", "a**", "a*b*", "Acme", "-acme", "*-", "workspaces/acme", "acme/../other", "a b"]
    {
        cases.push((workspace(wrong), 5, "workspaces"));
    }
    for (bindings, line, part) in cases {
        let wrong = Files::new(&[("a.cedar", ALL)], &bindings).wrong().await;
        let at = format!("bindings.yaml:{line}: ");
        assert!(wrong.starts_with(&at) && wrong.contains(part) && wrong.lines().count() == 1, "{bindings}: {wrong}");
    }
    for right in [
        "users/corp/*",
        "groups/corp/*",
        "serviceAccounts/kind/*/web",
        "serviceAccounts/kind/shop/*",
        "services/*",
        "services/a/*",
    ] {
        Files::new(&[("a.cedar", ALL)], &member(right)).open().await.unwrap();
    }
    for right in ["*", "a*", "*a", "a*b", "team-*", "*-test"] {
        Files::new(&[("a.cedar", ALL)], &workspace(right)).open().await.unwrap();
    }
}
