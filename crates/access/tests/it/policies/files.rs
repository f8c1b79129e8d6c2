//! Policies and bindings change while they are in use.

use waymark_access::{DEFAULT_POLICIES, Policies, Resource};

use super::{BINDINGS, Files, ask, told, who};

const ALL: &str = "@id(\"all\") permit (principal, action, resource);";
const NO_WRITES: &str = "@id(\"no-writes\") forbid (principal, action in Action::\"write\", resource);";

fn create(policies: &Policies) -> String {
    told(&policies.decide(&ask(&who("users/corp/ada", &[]), "S/Create", Resource::Workspace("acme"))))
}

fn counted(policies: &Policies) -> (u64, u64) {
    (policies.counted().reloads, policies.counted().reloads_failed)
}

#[tokio::test]
async fn a_policy_that_comes_or_goes_counts_at_once_for_what_was_remembered_too() {
    let files = Files::new(&[("a.cedar", ALL)], BINDINGS);
    let policies = files.open().await.unwrap();
    assert_eq!((create(&policies), create(&policies)), ("all".into(), "all".into()));
    assert_eq!((policies.counted().allowed, policies.counted().remembered), (2, 1));
    files.write("policies/b.cedar", NO_WRITES);
    policies.look().await;
    assert_eq!(create(&policies), "all", "it may be half of a file");
    files.settle(&policies).await;
    assert_eq!((create(&policies), counted(&policies)), ("!no-writes".into(), (1, 0)));
    std::fs::remove_file(files.path("policies/b.cedar")).unwrap();
    files.settle(&policies).await;
    assert_eq!(create(&policies), "all");
    files.write("policies/a.cedar", DEFAULT_POLICIES);
    files.settle(&policies).await;
    assert_eq!(create(&policies), "manager");
    files.write("bindings.yaml", &BINDINGS.replace("users/corp/ada", "users/corp/bob"));
    files.settle(&policies).await;
    assert_eq!((create(&policies), counted(&policies)), ("!-".into(), (4, 0)));
}

#[tokio::test]
async fn a_bad_set_an_empty_one_or_none_keeps_the_last_good_one_and_is_told_once() {
    let files = Files::new(&[("a.cedar", ALL), ("b.cedar", NO_WRITES)], BINDINGS);
    let policies = files.open().await.unwrap();
    let bad =
        ["", "permit", "// nothing", "@id(\"x\") permit (principal, action == Action::\"S/None\", resource);", ALL];
    for (n, bad) in bad.into_iter().enumerate() {
        files.write("policies/b.cedar", bad);
        files.settle(&policies).await;
        files.settle(&policies).await;
        assert_eq!((create(&policies), counted(&policies)), ("!no-writes".into(), (0, n as u64 + 1)), "{bad:?}");
    }
    files.write("bindings.yaml", "bindings: []");
    files.settle(&policies).await;
    assert_eq!(counted(&policies), (0, 6));
    std::fs::remove_dir_all(files.path("policies")).unwrap();
    files.settle(&policies).await;
    assert_eq!((create(&policies), counted(&policies)), ("!no-writes".into(), (0, 7)));
    std::fs::create_dir(files.path("policies")).unwrap();
    files.settle(&policies).await;
    assert_eq!((create(&policies), counted(&policies)), ("!no-writes".into(), (0, 8)), "another reason is told, too");
    files.write("policies/a.cedar", ALL);
    files.settle(&policies).await;
    assert_eq!((create(&policies), counted(&policies)), ("!no-writes".into(), (0, 9)), "the bindings are still wrong");
    files.write("bindings.yaml", BINDINGS);
    files.settle(&policies).await;
    assert_eq!((create(&policies), counted(&policies)), ("all".into(), (1, 9)));
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_is_read_as_a_config_map_is_mounted() {
    use std::os::unix::fs::symlink;
    let files = Files::new(&[], BINDINGS);
    let put = |version: &str, content: &str| {
        std::fs::create_dir(files.path(&format!("policies/..{version}"))).unwrap();
        files.write(&format!("policies/..{version}/a.cedar"), content);
        let next = files.path("policies/..next");
        symlink(format!("..{version}"), &next).unwrap();
        std::fs::rename(next, files.path("policies/..data")).unwrap();
    };
    put("1", ALL);
    symlink("..data/a.cedar", files.path("policies/a.cedar")).unwrap();
    files.write("policies/README.md", "not a policy");
    let policies = files.open().await.unwrap();
    assert_eq!((create(&policies), policies.ids()), ("all".into(), vec!["all".to_owned()]));
    put("2", &format!("{ALL}\n{NO_WRITES}"));
    files.settle(&policies).await;
    assert_eq!(create(&policies), "!no-writes");
}
