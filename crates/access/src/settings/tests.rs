//! What an authentication file may say, and what is told of one that is wrong.

use std::path::Path;

use super::*;

fn parse(content: &str) -> Result<Settings, String> {
    Settings::parse(Path::new("/etc/waymark/authentication.yaml"), content.as_bytes())
        .map_err(|error| error.to_string())
}

/// An issuer of two lines, and what is added to it from the fourth line on.
fn with(lines: &str) -> Result<Settings, String> {
    parse(&format!("issuers:\n  - name: corp\n    audiences: [waymark]\n{lines}"))
}

const URL: &str = "    url: https://login.example.com\n";

#[test]
fn the_example_is_a_file_that_can_be_used() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/authentication.example.yaml");
    let settings = Settings::parse(Path::new(path), &std::fs::read(path).unwrap()).unwrap();
    let names: Vec<&str> = settings.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
    assert_eq!((names, settings.certificates.len()), (vec!["company", "cluster"], 3));
    let company = &settings.issuers[0];
    assert_eq!(company.groups.as_deref().unwrap(), ["realm_access", "roles"]);
    assert_eq!(company.required_claims[1].values, ["waymark-cli", "waymark-web"]);
    assert!(
        matches!(settings.issuers[1].source.place, Place::Keys(_))
            && settings.issuers[1].principals == Kind::ServiceAccounts
    );
}

#[test]
fn what_is_left_out_has_the_documented_value() {
    let issuer = with(URL).unwrap().issuers.remove(0);
    assert_eq!(issuer.algorithms, [Algorithm::RS256, Algorithm::ES256]);
    assert_eq!((issuer.subject.as_slice(), issuer.groups), (["sub".to_owned()].as_slice(), None));
    assert_eq!((issuer.leeway, issuer.longest_age, issuer.required), (Duration::from_secs(30), None, false));
    assert_eq!((issuer.source.limit, issuer.principals), (Duration::from_secs(10), Kind::Users));
    let Place::Discovery { document, .. } = issuer.source.place else { panic!("by discovery") };
    assert_eq!(document.as_str(), "https://login.example.com/.well-known/openid-configuration");
}

#[test]
fn issuers_are_written_as_clusters_write_them() {
    let urls = [
        ("https://kubernetes.default.svc.cluster.local", ""),
        ("https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE", ""),
        ("https://container.googleapis.com/v1/projects/p/locations/europe-west1/clusters/c", ""),
        (
            "https://westeurope.oic.prod-aks.azure.com/00000000-0000-0000-0000-000000000000/11111111-1111-1111-1111-111111111111/",
            "",
        ),
        ("kubernetes/serviceaccount", "    keys_file: keys.json\n"),
    ];
    for (url, keys) in urls {
        let issuer = with(&format!("    url: {url}\n{keys}")).unwrap().issuers.remove(0);
        assert_eq!(issuer.url, url, "to the byte");
        match issuer.source.place {
            Place::Discovery { document, .. } => assert!(!document.as_str()[8..].contains("//"), "{document}"),
            Place::File(path) => assert_eq!(path, Path::new("/etc/waymark/keys.json"), "beside the file"),
            Place::Keys(_) => panic!("nobody said so"),
        }
    }
}

#[test]
fn what_is_wrong_is_told_by_line_and_field() {
    let wrongs = [
        (with(&format!("{URL}    algorithms: [HS256]\n")), 5, "HS256"),
        (with(&format!("{URL}    algorithms: [none]\n")), 5, "none"),
        (with(&format!("{URL}    algorithms: []\n")), 5, "algorithms"),
        (with(&format!("{URL}    audience: waymark\n")), 5, "audience"),
        (with(&format!("{URL}    url: https://b\n")), 5, "duplicate mapping key: url: say it once"),
        (with(&format!("{URL}    leeway_seconds: 301\n")), 5, "leeway_seconds: it must be 0 to 300"),
        (with(&format!("{URL}    longest_age_seconds: 0\n")), 5, "longest_age_seconds"),
        (with(&format!("{URL}    leeway_seconds: soon\n")), 5, "a whole number is wanted, in `leeway_seconds: soon`"),
        (with(&format!("{URL}    groups: []\n")), 5, "groups"),
        (with(&format!("{URL}    groups: 7\n")), 5, "list of names"),
        (with(&format!("{URL}    principals: people\n")), 5, "serviceAccounts"),
        (with(&format!("{URL}    required_claims:\n      - claim: a\n        is: null\n")), 6, "is:"),
        (with(&format!("{URL}    keys_file: a\n    keys_url: https://b\n")), 5, "keys_file"),
        (with(&format!("{URL}    keys_file: a\n    ca_file: b\n")), 6, "ca_file"),
        (with("    url: http://login.example.com\n"), 4, "https://"),
        (with("    url: ftp://127.0.0.1\n"), 4, "https://"),
        (with("    url: https://user@login.example.com\n"), 4, "user"),
        (with("    url: https://login.example.com?a=b\n"), 4, "query"),
        (with("    url: login\n"), 4, "keys_url"),
        (with("    url: \"\"\n"), 4, "iss"),
        (with(""), 3, "missing field `url`"),
        (with(&format!("{URL}\tleeway_seconds: 3\n")), 4, "tab"),
        (with(&format!("{URL}  - name: corp\n    url: https://b\n    audiences: [a]\n")), 5, "line 2"),
        (with(&format!("{URL}  - name: other\n{URL}    audiences: [a]\n")), 6, "line 4"),
        (parse("issuers:\n  - name: Corp\n    url: https://a\n    audiences: [a]\n"), 2, "name"),
        (parse("issuers:\n  - name: corp\n    url: https://a\n    audiences: []\n"), 4, "audiences"),
        (parse("certificates:\n  - principal: services/a\n"), 2, "name one"),
        (parse("certificates:\n  - dns: a.*.b\n    principal: services/a\n"), 2, "dns"),
        (parse("certificates:\n  - dns: a.b\n    principal: root\n"), 2, "principal"),
        (with(&format!("{URL}roles:\n  - role: root\n    members: []\n")), 6, "root"),
        (with(&format!("{URL}roles:\n  - role: admin\n")), 6, "members"),
        (with(&format!("{URL}roles:\n  - role: admin\n    members: [users/corp/ada, admins]\n")), 7, "groups/ISSUER"),
        (with(&format!("{URL}roles:\n  - {{role: admin, members: [groups/corps/a]}}\n")), 6, "none is called corps"),
        (with(&format!("{URL}roles:\n  - {{role: admin, members: [groups/corp/*]}}\n")), 6, "members"),
        (parse("{}"), 1, "issuers"),
        (parse(""), 1, ""),
        (parse("[]"), 1, ""),
    ];
    for (said, line, part) in wrongs {
        let said = said.unwrap_err();
        let at = format!("/etc/waymark/authentication.yaml:{line}: ");
        let told = said.starts_with(&at) && said.contains(part) && said.lines().count() == 1;
        assert!(told, "line {line} and {part:?} are not told by: {said}");
    }
    let bytes = Settings::parse(Path::new("a"), b"issuers:\n\xff").unwrap_err().to_string();
    assert_eq!(bytes, "a:2: it must be UTF-8");
}
