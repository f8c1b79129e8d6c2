//! Resources from the rows of files: made, updated or left alone by their keys, and refused by line, field and reason.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::server::Server;

/// A server, a folder for files, and a workspace to import them into.
pub struct Importer<'a> {
    pub server: &'a Server,
    pub folder: &'a Path,
    pub workspace: &'a str,
}

/// What an import said.
pub struct Said {
    pub status: i32,
    pub report: Value,
    pub errors: String,
}

impl Importer<'_> {
    pub fn import(&self, collection: &str, name: &str, content: impl AsRef<[u8]>, options: &[&str]) -> Said {
        let file = self.folder.join(name);
        std::fs::write(&file, content).unwrap();
        self.file(collection, &file, options)
    }

    pub fn file(&self, collection: &str, file: &Path, options: &[&str]) -> Said {
        let line = ["import", collection, file.to_str().unwrap(), "-w", self.workspace, "-o", "json"];
        let Output { status, stdout, stderr } = self.server.command(&[&line, options].concat()).output().unwrap();
        Said {
            status: status.code().unwrap(),
            report: serde_json::from_slice(&stdout).unwrap_or_default(),
            errors: String::from_utf8(stderr).unwrap(),
        }
    }

    pub fn get(&self, collection: &str, id: &str) -> Value {
        self.server.json(&[collection, "get", id, "-w", self.workspace])
    }

    pub fn ids(&self, collection: &str) -> Vec<String> {
        let listed = self.server.json(&[collection, "list", "--limit", "0", "-w", self.workspace]);
        let all = listed[collection].as_array().cloned().unwrap_or_default();
        all.iter().map(|one| one["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
    }
}

impl Said {
    /// How many resources of a collection were made, updated and left alone.
    pub fn counts(&self, collection: &str) -> [u64; 3] {
        let of = &self.report["collections"][collection];
        ["made", "updated", "unchanged"].map(|what| of[what].as_u64().unwrap_or_default())
    }

    /// No row was refused.
    pub fn whole(self) -> Self {
        assert_eq!((self.status, self.report["refused"].as_u64()), (0, Some(0)), "{} {}", self.report, self.errors);
        self
    }

    /// The lines that were refused, with the field, the column and the reason of each.
    pub fn refused(&self) -> Vec<(u64, String, String, String)> {
        let text = |refusal: &Value, name: &str| refusal[name].as_str().unwrap().to_owned();
        let one =
            |it: &Value| (it["line"].as_u64().unwrap(), text(it, "field"), text(it, "column"), text(it, "reason"));
        self.report["refusals"].as_array().unwrap_or_else(|| panic!("{}", self.errors)).iter().map(one).collect()
    }
}

const PLAN: &str = "Key,Title,When,Users,Months,Due\n\
    SSO-1,Single sign-on,Doing,5000,2,2026-Q3\n\
    SSO-2,\"Audit log, exported\",Soon,,,\n";
const COLUMNS: [&str; 18] = [
    "--key=Key",
    "--field=display_name=Title",
    "--field=horizon=When",
    "--translate=horizon:doing=now",
    "--translate=horizon:*=next",
    "--field=target.start=Due",
    "--field=estimate.reach.point=Users",
    "--field=estimate.effort.point=Months",
    "--value=estimate.reach.source.guess=from the plan",
    "--value=estimate.effort.source.guess=from the plan",
    "--value=estimate.impact.point=2",
    "--value=estimate.impact.source.guess=all alike",
    "--value=estimate.confidence.point=0.8",
    "--value=estimate.confidence.source.guess=all alike",
    "--value=labels.source=plan",
    "--value=estimate.labels.source=plan",
    "--thousands=,",
    "--time-zone=UTC",
];

#[test]
fn rows_are_made_updated_or_left_alone_by_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };

    let dry = shop.import("initiatives", "plan.csv", PLAN, &[&COLUMNS[..], &["--dry-run"]].concat()).whole();
    assert_eq!((dry.counts("initiatives"), dry.counts("estimates")), ([2, 0, 0], [1, 0, 0]));
    assert!(shop.ids("initiatives").is_empty(), "a dry run makes nothing");

    let first = shop.import("initiatives", "plan.csv", PLAN, &COLUMNS).whole();
    assert_eq!((first.counts("initiatives"), first.counts("estimates")), ([2, 0, 0], [1, 0, 0]));
    let sso = shop.get("initiatives", "sso-1");
    assert_eq!((&sso["horizon"], &sso["target"]["start"]), (&json!("HORIZON_NOW"), &json!("2026-Q3")));
    assert_eq!(sso["labels"], json!({"external-key": "SSO-1", "source": "plan"}));
    assert_eq!(sso["priority"]["score"]["likely"], 4000.0);
    let log = shop.get("initiatives", "sso-2");
    assert_eq!((&log["displayName"], &log["horizon"]), (&json!("Audit log, exported"), &json!("HORIZON_NEXT")));
    assert!(log.get("priority").is_none(), "a row that says nothing of an estimate has none");

    let again = shop.import("initiatives", "plan.csv", PLAN, &COLUMNS).whole();
    assert_eq!((again.counts("initiatives"), again.counts("estimates")), ([0, 0, 2], [0, 0, 1]));
    assert_eq!(shop.get("initiatives", "sso-1")["etag"], sso["etag"], "nothing is written");

    server
        .run(&["initiatives", "update", "sso-1", "--labels", "mine=1", "--labels", "source=plan", "-w", "shop"])
        .unwrap();
    let changed = PLAN.replace("Doing,5000,2,2026-Q3", "Soon,8000,2,2026-Q4").replace("exported", "kept");
    let updated = shop.import("initiatives", "plan.csv", &changed, &COLUMNS).whole();
    assert_eq!((updated.counts("initiatives"), updated.counts("estimates")), ([0, 2, 0], [0, 1, 0]));
    let sso = shop.get("initiatives", "sso-1");
    assert_eq!((&sso["horizon"], &sso["target"]["start"]), (&json!("HORIZON_NEXT"), &json!("2026-Q4")));
    assert_eq!(sso["labels"]["mine"], "1", "labels that the row does not name stay");
    assert_eq!(sso["priority"]["score"]["likely"], 6400.0);

    server.run(&["initiatives", "delete", "sso-2", "-w", "shop"]).unwrap();
    let deleted = shop.import("initiatives", "plan.csv", &changed, &COLUMNS);
    let (line, _, _, reason) = deleted.refused().remove(0);
    assert!(deleted.status == 7 && line == 3 && reason.contains("undelete"), "{reason}");
}

#[test]
fn neither_is_written_where_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let rows =
        "Key,Title,When,Users,Months,Due\na,A,Doing,-5,2,\nb,,Doing,5,2,\nc,C,Doing,many,2,\nd,D,Doing,5,2,soon\n";
    let said = shop.import("initiatives", "plan.csv", rows, &COLUMNS);
    let places: Vec<_> = said.refused().into_iter().map(|(line, field, column, _)| (line, field, column)).collect();
    let place = |line, field: &str, column: &str| (line, field.to_owned(), column.to_owned());
    assert_eq!(
        places,
        [
            place(2, "estimate.reach", "Users"),
            place(3, "display_name", "Title"),
            place(4, "estimate.reach.point", "Users"),
            place(5, "target.start", "Due"),
        ],
        "{}",
        said.report
    );
    assert_eq!((said.status, shop.ids("initiatives").len(), shop.ids("estimates").len()), (7, 0, 0));
}

#[test]
fn rows_refer_to_one_another_by_key_wherever_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    shop.import("products", "products.csv", "Name\nWeb / App\n", &["--key", "Name", "--field", "display_name=Name"])
        .whole();
    // So many that parents are in another batch than their children, which stand before them.
    let above = |row: i32| if row < 600 { format!("Goal {}", row + 600) } else { String::new() };
    let rows = (0..1_200).map(|row| format!("Goal {row},2026,{},Web / App\n", above(row)));
    let rows = "Title,Year,Above,For\n".to_owned() + &rows.collect::<String>();
    let options = [
        "--key=Title",
        "--field=display_name=Title",
        "--field=period.start=Year",
        "--field=parent_objective=Above",
        "--field=products=For",
    ];
    let dry = shop.import("objectives", "goals.csv", &rows, &[&options[..], &["--dry-run"]].concat()).whole();
    assert_eq!(dry.counts("objectives"), [1_200, 0, 0]);
    let made = shop.import("objectives", "goals.csv", &rows, &options).whole();
    assert_eq!(made.counts("objectives"), [1_200, 0, 0]);
    let listed = server.json(&["objectives", "list", "--filter", "display_name = \"Goal 7\"", "-w", "shop"]);
    let parent = listed["objectives"][0]["parentObjective"].as_str().unwrap();
    assert_eq!(server.json(&["objectives", "get", parent, "-w", "shop"])["displayName"], "Goal 607");
    assert_eq!(shop.import("objectives", "goals.csv", &rows, &options).whole().counts("objectives"), [0, 0, 1_200]);

    let dry = [&options[..], &["--dry-run"]].concat();
    let lost = "Title,Year,Above,For\nA,2026,B,\nB,2026,Nobody,\n";
    assert_eq!(
        shop.import("objectives", "lost.csv", lost, &dry).refused().len(),
        2,
        "what is refused is not there for others"
    );
    let chain = "Title,Year,Above,For\nA,2026,B,\nB,2026,Goal 1,\n";
    assert_eq!(shop.import("objectives", "chain.csv", chain, &dry).whole().counts("objectives"), [2, 0, 0]);
    let lost = shop.import("objectives", "lost.csv", lost, &options);
    let refused = lost.refused();
    assert_eq!(
        refused.iter().map(|(line, field, ..)| (*line, field.as_str())).collect::<Vec<_>>(),
        [(2, "parent_objective"), (3, "parent_objective")]
    );
    assert!(refused[1].3.contains("does not exist") && refused[1].2 == "Above", "{refused:?}");
}

#[test]
fn bad_files_cost_the_rows_that_are_bad() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let options = ["--key=Key", "--field=display_name=Title", "--field=vision=Vision"];

    let half: String = (0..600)
        .map(|row| match row % 4 {
            0 | 2 => format!("k{row},Title {row},\n"),
            1 => format!("k{row},,\n"),
            _ => format!("k{row},too few\n"),
        })
        .collect();
    let report = folder.path().join("report.csv");
    let said = shop.import(
        "products",
        "half.csv",
        format!("Key,Title,Vision\n{half}"),
        &[&options[..], &["--report", report.to_str().unwrap()]].concat(),
    );
    assert_eq!((said.status, said.counts("products"), said.report["refused"].as_u64()), (7, [300, 0, 0], Some(300)));
    let report = std::fs::read_to_string(report).unwrap();
    assert_eq!(report.lines().count(), 601, "a line for each row");
    assert!(
        report.contains("3,k1,refused,display_name,Title,") && report.contains("2,k0,made,,,"),
        "{}",
        &report[..400]
    );
    assert!(
        said.errors.contains("line 3 [k1]: display_name (Title): ") && said.errors.contains("and 280 more"),
        "{}",
        said.errors
    );

    let latin = shop.import(
        "products",
        "latin.csv",
        b"Key,Title,Vision\na,Gr\xfc\xdfe,\nb,fine,\"two\n l\xefnes\"\nc,fine,\n",
        &options,
    );
    let lines: Vec<u64> = latin.refused().iter().map(|(line, ..)| *line).collect();
    assert_eq!((lines, latin.counts("products")), (vec![2, 3, 4], [1, 0, 0]), "{}", latin.report);
    assert!(latin.refused()[0].3.contains("is not UTF-8") && latin.refused()[0].3.contains("iconv"));

    let mark = "\u{feff}Key,Title,Vision\nq,\"Marked\",\"two\nlines, and a \"\"quote\"\"\"\n";
    assert_eq!(shop.import("products", "mark.csv", mark, &options).whole().counts("products"), [1, 0, 0]);
    assert_eq!(shop.get("products", "q")["vision"], "two\nlines, and a \"quote\"");

    let names: Vec<String> = (0..200).map(|column| format!("c{column}")).collect();
    let wide = format!("{},Key,Title,Vision\n{}w,Wide,\n", names.join(","), "x,".repeat(200));
    let wide = shop.import("products", "wide.csv", wide, &options).whole();
    assert_eq!((wide.counts("products"), wide.report["leftOut"].as_array().unwrap().len()), ([1, 0, 0], 200));

    for (name, content, words) in [
        ("empty.csv", "", "is empty"),
        ("header.csv", "Key,Title,Vision\n", "has no rows"),
        ("other.csv", "Key,Name\na,b\n", "no column \"Title\"; its columns are Key, Name"),
        ("twice.csv", "Key,Title,Vision\na,A,\na,B,\n", "its key is that of line 2, too"),
        ("keyless.csv", "Key,Title,Vision\n,A,\n", "Key: is empty: nothing tells which resource the row is"),
    ] {
        let said = shop.import("products", name, content, &options);
        assert!(said.errors.contains(words), "{name}: {}", said.errors);
    }
    let unknown = shop.import("products", "a.csv", "Key,Title\na,A\n", &["--key=Key", "--field=visoin=Title"]);
    assert!(unknown.status == 2 && unknown.errors.contains("did you mean vision?"), "{}", unknown.errors);
    let set = shop.import("initiatives", "a.csv", "Key,Title\na,A\n", &["--key=Key", "--field=state=Title"]);
    assert!(set.errors.contains("state is set by the service"), "{}", set.errors);
}

#[test]
fn an_import_that_was_broken_off_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let rows = (0..3_000).fold("name,display_name\n".to_owned(), |rows, row| rows + &format!("p{row},Product {row}\n"));
    let file = folder.path().join("products.csv");
    std::fs::write(&file, rows).unwrap();
    let away = Server::away();
    let line = ["import", "products", file.to_str().unwrap(), "-w", "shop"];
    let (status, text) = away.run(&[&line[..], &["--timeout", "1"]].concat()).unwrap_err();
    assert!(status == 6 && text.contains("give the same command again"), "{status} {text}");
    let mut import =
        server.command(&line).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    while shop.ids("products").is_empty() {
        assert!(import.try_wait().unwrap().is_none(), "it was stopped in the middle");
    }
    import.kill().unwrap();
    import.wait().unwrap();
    let done = u64::try_from(shop.ids("products").len()).unwrap();
    assert!(done < 3_000, "it was not broken off in time");
    let whole = shop.file("products", &file, &[]).whole();
    assert_eq!(whole.counts("products"), [3_000 - done, 0, done]);
}
