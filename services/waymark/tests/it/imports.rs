//! Files as tools and people write them, imported by the command line and counted by the service.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, StructArray};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use super::server::Server;

const COLUMNS: [&str; 6] = ["--user", "user", "--event", "event", "--time", "time"];

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
    pub fn import(&self, name: &str, content: &[u8], options: &[&str]) -> Said {
        let file = self.folder.join(name);
        std::fs::write(&file, content).unwrap();
        let line = ["import", "events", file.to_str().unwrap(), "-w", self.workspace, "-o", "json"];
        let Output { status, stdout, stderr } = self.server.command(&[&line, options].concat()).output().unwrap();
        Said {
            status: status.code().unwrap(),
            report: serde_json::from_slice(&stdout).unwrap_or_default(),
            errors: String::from_utf8(stderr).unwrap(),
        }
    }

    /// An import of columns that are called what they are.
    fn plain(&self, name: &str, content: &str, options: &[&str]) -> Said {
        self.import(name, content.as_bytes(), &[&COLUMNS, options].concat())
    }

    fn call(&self, method: &str, data: &Value) -> Value {
        self.server.json(&["call", method, "-d", &data.to_string(), "-w", self.workspace])
    }

    pub fn users(&self) -> u64 {
        let names = self.call("AnalysisService/ListEventNames", &json!({}));
        names["users"].as_str().map_or(0, |users| users.parse().unwrap())
    }

    /// The values of a property with the number of events of each, or with what they sum to.
    pub fn values(&self, event: &str, property: &str, sum: bool) -> Vec<(Value, f64)> {
        let settings =
            json!({"start_time": "2024-01-01T00:00:00Z", "end_time": "2027-01-01T00:00:00Z", "interval": "month"});
        let mut question = json!({"events": [event], "settings": settings});
        if sum {
            (question["kind"], question["property"]) = (json!("SUM"), json!(property));
        } else {
            question["settings"]["breakdown"] = json!(property);
        }
        let answer = self.call("AnalysisService/QueryTrend", &question);
        let series = answer["series"].as_array().unwrap();
        series.iter().map(|line| (line["typedValue"].clone(), line["total"].as_f64().unwrap_or_default())).collect()
    }
}

impl Said {
    /// All rows are in.
    pub fn whole(self, rows: u64) -> Self {
        assert_eq!(self.status, 0, "{}", self.errors);
        assert_eq!((&self.report["rows"], &self.report["stored"]), (&json!(rows), &json!(rows)), "{}", self.report);
        self
    }

    /// Nothing is in: the status, and what standard error says.
    pub fn refused(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, status, "{} {}", self.report, self.errors);
        for word in words {
            assert!(self.errors.contains(word), "{word}: {}", self.errors);
        }
        assert!(!self.errors.contains("same command"), "that would not help: {}", self.errors);
    }

    /// As what a column was read, and how many rows of it.
    fn read(&self, column: &str) -> Vec<(&str, u64)> {
        let columns = self.report["columns"].as_array().unwrap().iter();
        let of = columns.filter(|counted| counted["column"] == column);
        of.map(|counted| (counted["readAs"].as_str().unwrap(), counted["rows"].as_u64().unwrap())).collect()
    }
}

pub fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

pub fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn integers_that_no_double_holds_and_ids_are_kept_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let digits = "text, as a double does not hold the number";
    let time = "2026-03-01T10:00:00Z";

    let line = format!("{{\"user\":12.0,\"event\":\"e\",\"time\":\"{time}\",\"n\":9007199254740993}}\n");
    let said = shop.plain("a.jsonl", &line, &[]).whole(1);
    assert_eq!((said.read("n"), said.read("user")), (vec![(digits, 1)], vec![("text, without the .0", 1)]));
    let rows = parquet(vec![
        ("user", Arc::new(Float64Array::from(vec![Some(12.0), Some(13.0)]))),
        ("event", texts(&["e", "e"])),
        ("time", texts(&["2026-03-01T11:00:00Z", time])),
        ("n", Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), None]))),
    ]);
    assert_eq!(shop.import("b.parquet", &rows, &COLUMNS).whole(2).read("n"), [(digits, 1)]);
    let said = shop.plain("c.csv", &format!("user,event,time,n\n12,e,{time},9007199254740993\n13.0,e,{time},\n"), &[]);
    assert_eq!(said.whole(2).read("n"), [(digits, 1), ("empty", 1)]);
    let event = json!({"event_id": "1", "user": "12", "event": "e", "time": time});
    let data = event.to_string().replace('}', ",\"properties\":{\"n\":9007199254740993}}");
    let data = format!("{{\"events\": [{data}]}}");
    let accepted = server.json(&["call", "IngestionService/IngestEvents", "-d", &data, "-w", "shop"]);
    assert_eq!(accepted["accepted"], 1);
    assert_eq!(shop.users(), 2, "12 and 12.0 are one, and so are 13 and 13.0");
    assert_eq!(shop.values("e", "n", false), [(json!("9007199254740993"), 4.0), (Value::Null, 2.0)]);

    let ids = Importer { workspace: "ids", ..shop };
    let row = |user: &str| format!("{{\"user\":{user},\"event\":\"e\",\"time\":\"{time}\"}}\n");
    let rows = row("18446744073709551616") + &row("18446744073709551617") + &row("\"007\"") + &row("\"7\"");
    ids.plain("d.jsonl", &rows, &[]).whole(4);
    assert_eq!(ids.users(), 4);
    let said = ids.plain("e.jsonl", &row("1.8446744073709552e19"), &[]);
    said.refused(7, &["line 1: user: 1.8446744073709552e19 is a floating number that has lost digits"]);
}

#[test]
fn what_columns_are_is_shown_and_can_be_said() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let day = "2026-03-01";
    let file = format!(
        " user ,event,time,code, price ,paid\nada , buy,{day},12e4,\"49,90\",yes\nada,buy, {day} ,120000,.5,no\n"
    );
    let said = shop.plain("a.csv", &file, &["--dry-run"]).whole(2);
    let doubtful = "text, though it looks like a number";
    assert_eq!(said.read("code"), [(doubtful, 1), ("number", 1)]);
    assert_eq!(said.read("price"), [(doubtful, 1), ("number", 1)]);
    assert_eq!((said.read("user"), said.read("paid")), (vec![("text", 2)], vec![("text", 2)]));
    let price = said.report["columns"].as_array().unwrap().iter().find(|counted| counted["readAs"] == doubtful);
    assert_eq!(price.unwrap()["examples"], json!(["12e4"]));
    assert_eq!(shop.users(), 0, "nothing was imported");
    let file_name = folder.path().join("a.csv");
    let line = ["import", "events", file_name.to_str().unwrap(), "-w", "shop", "--dry-run"];
    let table = server.run(&[&line[..], &COLUMNS].concat()).unwrap();
    assert!(table.contains("property price") && table.contains("49,90") && table.contains("--decimal"), "{table}");

    shop.plain("a.csv", &file, &[]).whole(2);
    assert_eq!(shop.values("buy", "code", false), [(json!("12e4"), 1.0), (json!(120_000.0), 1.0)]);
    assert_eq!(shop.values("buy", "price", true), [(Value::Null, 0.5)]);

    let typed = Importer { workspace: "typed", ..shop };
    let said =
        ["--property", "code:text", "--property", "price:number", "--property", "paid:boolean", "--decimal", ","];
    let file = file.replace(".5", "\"1.000,5\"");
    let refused = typed.plain("b.csv", &file, &said);
    refused.refused(7, &["line 3: price: \"1.000,5\" is not a number"]);
    assert_eq!(refused.report["stored"], 1);
    let whole = Importer { workspace: "whole", ..shop };
    whole.plain("b.csv", &file, &[&said[..], &["--thousands", ".", "--property", "when=time:time"]].concat()).whole(2);
    assert_eq!(whole.values("buy", "code", false), [(json!("120000"), 1.0), (json!("12e4"), 1.0)]);
    assert_eq!(whole.values("buy", "price", true), [(Value::Null, 49.9 + 1000.5)]);
    assert_eq!(whole.values("buy", "paid", false), [(json!(false), 1.0), (json!(true), 1.0)]);
    assert_eq!(whole.values("buy", "when", false), [(json!("2026-03-01T00:00:00Z"), 2.0)]);

    let twice = format!("user,event,time,x, x\nada,buy,{day},1,2\n");
    shop.plain("c.csv", &twice, &[]).refused(2, &["two columns called \"x\""]);
    let twice = format!("{{\"user\":\"a\",\"user\":\"b\",\"event\":\"e\",\"time\":\"{day}\"}}\n");
    shop.plain("d.jsonl", &twice, &[]).refused(7, &["line 1: is not JSON: \"user\" stands in it twice"]);
}

#[test]
fn files_are_read_however_they_are_laid_out_or_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let numbered = ["--no-header", "--user", "1", "--event", "2", "--time", "3"];
    shop.import("bom.csv", "\u{feff}ada,visit,2026-03-01\n".as_bytes(), &numbered).whole(1);
    let object = r#"{"user": "ada", "event": "visit", "time": "2026-03-01"}"#;
    shop.plain("bom.jsonl", &format!("\u{feff}{object}\n"), &[]).whole(1);
    shop.plain("cr.csv", "user,event,time\rada,visit,2026-03-01\rbob,visit,2026-03-02\r", &[]).whole(2);
    shop.plain("semicolon.csv", "user;event;time;x\nada;visit;2026-03-01;a,b,c,d,e\n", &[]).whole(1);
    shop.plain("tab.txt", "user\tevent\ttime\nada\tvisit\t2026-03-01\n", &[]).whole(1);
    shop.plain("list.json", &format!("[\n  {object},\n  {object}]\n"), &[]).whole(2);
    shop.plain("pretty.json", &format!("{0}\n{0}", object.replace(", ", ",\n  ")), &[]).whole(2);
    assert_eq!(shop.users(), 2, "a mark is no part of a name");

    let wrong = shop.plain("comma.csv", "user;event;time\nada;visit;2026-03-01\n", &["--delimiter", ","]);
    wrong.refused(2, &["no column \"event\"", "with --delimiter ';' they would be user, event, time"]);
    let wide: Vec<u8> = "\u{feff}user,event,time\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    shop.import("wide.csv", &wide, &COLUMNS).refused(2, &["UTF-16", "iconv"]);
    shop.plain("empty.csv", "", &[]).refused(2, &["empty"]);
    shop.plain("header.csv", "user,event,time\n", &[]).refused(2, &["no rows"]);
    shop.plain("empty.json", "[]", &[]).refused(2, &["no rows"]);
    shop.plain("words.json", "no JSON at all\n", &[]).refused(7, &["line 1: is not JSON"]);
    shop.plain("cut.json", &format!("[{object},\n{{\"user\": \"ada\""), &[]).refused(7, &["line 2: is not closed"]);
}

#[test]
fn columns_may_be_fields_of_objects_and_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let rows = concat!(
        r#"{"event": "visit", "properties": {"time": 1772360000, "distinct_id": 7, "plan": "team", "$at": {"x": 1}}}"#,
        "\n",
        r#"{"event": "visit", "properties": {"time": 1772360001, "distinct_id": "7", "plan": "free", "coupon": "A"}}"#,
        "\n",
    );
    let nested = ["--user", "properties.distinct_id", "--event", "event", "--time", "properties.time"];
    let options = [&nested[..], &["--time-format", "unix"]].concat();
    let named = ["--property", "plan=properties.plan", "--property", "properties.coupon"];
    shop.import("a.jsonl", rows.as_bytes(), &[&options[..], &named].concat()).whole(2);
    assert_eq!(shop.users(), 1);
    assert_eq!(shop.values("visit", "plan", false), [(json!("free"), 1.0), (json!("team"), 1.0)]);
    let all = Importer { workspace: "all", ..shop };
    let said =
        all.import("a.jsonl", rows.as_bytes(), &[&options[..], &["--property", "properties.*"]].concat()).whole(2);
    assert_eq!((said.read("properties.plan"), said.read("properties.time")), (vec![("text", 2)], vec![("time", 2)]));
    assert_eq!(all.values("visit", "coupon", false), [(Value::Null, 1.0), (json!("A"), 1.0)]);

    let missing = all.import("a.jsonl", rows.as_bytes(), &[&options[..], &["--session", "properties.visit"]].concat());
    missing.refused(
        2,
        &["no column \"properties.visit\"", "event, properties.$at.x, properties.coupon, properties.distinct_id"],
    );
    let inner = StructArray::from(vec![(
        Arc::new(arrow::datatypes::Field::new("id", arrow::datatypes::DataType::Utf8, true)),
        texts(&["ada"]),
    )]);
    let rows = || {
        let user: ArrayRef = Arc::new(inner.clone());
        parquet(vec![("user", user), ("event", texts(&["visit"])), ("time", texts(&["2026-03-01"]))])
    };
    let by_id = ["--user", "user.id", "--event", "event", "--time", "time"];
    all.import("b.parquet", &rows(), &by_id).whole(1);
    let missing = all.import("b.parquet", &rows(), &[&by_id[..], &["--property", "plan"]].concat());
    missing.refused(2, &["no column \"plan\"", "user, user.id, event, time"]);
    all.import("b.parquet", &rows(), &COLUMNS).refused(7, &["line 1: user: is an object: name a field in it"]);
}

#[test]
fn an_hour_that_a_clock_showed_twice_is_told_by_the_order_of_rows_or_counted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let file = |times: &[&str]| {
        times.iter().fold("user,event,time\n".to_owned(), |rows, time| rows + &format!("ada,e,2024-10-27 {time}\n"))
    };
    let berlin = ["--time-zone", "Europe/Berlin", "--property", "at=time:text"];
    let told = file(&["01:30", "02:10", "02:50", "02:05", "02:50", "03:00"]);
    assert_eq!(shop.plain("a.csv", &told, &berlin).whole(6).report["ambiguousTimes"], 0);
    let names = shop.call("AnalysisService/ListEventNames", &json!({}));
    assert_eq!(names["eventNames"][0]["lastTime"], "2024-10-27T02:00:00Z");
    let untold = file(&["01:30", "02:10", "02:50", "03:00"]);
    assert_eq!(shop.plain("b.csv", &untold, &berlin).whole(4).report["ambiguousTimes"], 2);
}

#[test]
fn an_import_is_taken_back_as_its_report_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let rows = "user,event,time\nada,buy,2026-03-01\nbob,buy,2026-03-01\n";
    let first = shop.plain("a.csv", rows, &[]).whole(2);
    let second = shop.plain("a.csv", &format!("{rows}eve,buy,2026-03-01\neve,buy,never\n"), &[]);
    assert_eq!((second.status, &first.report["duplicates"], &second.report["duplicates"]), (7, &json!(0), &json!(2)));
    assert_eq!(
        (shop.users(), shop.plain("a.csv", rows, &["--dry-run"]).whole(2).report["import"].clone()),
        (3, Value::Null)
    );
    let name = |said: &Said| said.report["import"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let kept = server.json(&["imports", "get", &name(&second), "-w", "shop"]);
    assert_eq!((&kept["displayName"], &kept["state"]), (&json!("a.csv"), &json!("IMPORT_STATE_COMPLETED")));
    assert_eq!(kept["counts"], json!({"read": "4", "accepted": "3", "duplicates": "2", "rejected": "1"}));
    assert!(kept["mapping"].as_array().unwrap().contains(&json!("--user=user")), "{kept}");
    assert_eq!(kept["digest"].as_str().map(str::len), Some(64));
    assert_eq!(kept["report"]["rejections"][0]["line"], "5");
    assert_eq!(kept["report"]["columns"].as_array().map(Vec::len), second.report["columns"].as_array().map(Vec::len));

    let line = |import: &str| ["import", "undo", import, "-w", "shop"].map(str::to_owned);
    let undo = |import: &str| server.run(&line(import).each_ref().map(String::as_str));
    let told = undo(&name(&second)).unwrap();
    assert_eq!(told, "a.csv is undone: 1 events are gone; 2 stay, as something else delivered them, too\n");
    assert_eq!((undo(&name(&second)).unwrap(), shop.users()), (told, 2), "again changes nothing");
    let shown = server.json(&["import", "undo", &name(&second), "-w", "shop"]);
    assert_eq!((&shown["removed"], &shown["kept"]), (&json!("1"), &json!("2")));
    let full = first.report["import"].as_str().unwrap();
    assert_eq!((undo(full).unwrap().as_str(), shop.users()), ("a.csv is undone: 2 events are gone\n", 0));
    assert_eq!(undo("nope").unwrap_err().0, 3);
    shop.plain("a.csv", rows, &[]).whole(2);
    assert_eq!(shop.users(), 2, "the same file again brings its events back");
    let listed = server.json(&["imports", "list", "--filter", "state = UNDONE", "-w", "shop"]);
    assert_eq!(listed["imports"].as_array().unwrap_or(&Vec::new()).len(), 2, "{listed}");
    let table = server
        .run(
            &["import", "events", folder.path().join("a.csv").to_str().unwrap(), "-w", "shop"]
                .into_iter()
                .chain(COLUMNS)
                .collect::<Vec<_>>(),
        )
        .unwrap();
    assert!(
        table.contains("2 of 2 rows imported, 2 of them known already") && table.contains("waymark import undo"),
        "{table}"
    );
}

#[test]
fn an_import_that_was_broken_off_goes_on_unless_it_was_undone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = Importer { server: &server, folder: folder.path(), workspace: "shop" };
    let rows =
        (0..400).fold("user,event,time\n".to_owned(), |rows, row| rows + &format!("user-{row},buy,2026-03-01\n"));
    let (file, state) = (folder.path().join("a.csv"), folder.path().join("a.csv.waymark-import"));
    // As it stands after some batches and before the last, when the process is killed.
    let break_off = || {
        std::fs::write(&file, &rows).unwrap();
        let line = ["import", "events", file.to_str().unwrap(), "-w", "shop", "--batch", "1"];
        let mut import = server.command(&[&line[..], &COLUMNS].concat()).spawn().unwrap();
        let read = || serde_json::from_slice::<Value>(&std::fs::read(&state).unwrap_or_default()).unwrap_or_default();
        while read()["rows"].as_u64().is_none_or(|rows| rows < 3) {
            assert!(import.try_wait().unwrap().is_none(), "it was not broken off in time");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        import.kill().unwrap();
        import.wait().unwrap();
        read()["import"].as_str().unwrap().to_owned()
    };
    let again = || {
        let line = ["import", "events", file.to_str().unwrap(), "-w", "shop"];
        server.json(&[&line[..], &COLUMNS].concat())
    };
    let broken_off = break_off();
    let whole = again();
    assert_eq!(
        (whole["import"].as_str(), whole["rows"].as_u64(), shop.users()),
        (Some(broken_off.as_str()), Some(400), 400)
    );
    assert!(whole["resumedAfter"].as_u64().unwrap() >= 3);
    server.run(&["import", "undo", &broken_off, "-w", "shop"]).unwrap();
    assert_eq!(shop.users(), 0);

    let broken_off = break_off();
    server.run(&["import", "undo", &broken_off, "-w", "shop"]).unwrap();
    let whole = again();
    assert_ne!(whole["import"].as_str(), Some(broken_off.as_str()));
    assert_eq!((&whole["resumedAfter"], &whole["stored"], shop.users()), (&json!(0), &json!(400), 400));
}
