//! Exports of other products' analytics, imported by the command line as they are handed out.

use std::path::Path;

use serde_json::json;

use super::imports::{Importer, parquet, texts};
use super::server::Server;

/// A ZIP archive with these files, each stored or deflated, by Python: nobody here wrote how.
fn zip(path: &Path, files: &[(&str, &[u8])], deflated: bool) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let method = if deflated { "ZIP_DEFLATED" } else { "ZIP_STORED" };
    let program = format!(
        "import sys, os, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w', zipfile.{method}) as z:\n for n in sorted(os.listdir(sys.argv[2]), reverse=True): z.write(os.path.join(sys.argv[2], n), 'app/' + n)\n"
    );
    let status =
        std::process::Command::new("python3").args(["-c", &program]).arg(path).arg(folder.path()).status().unwrap();
    assert!(status.success());
}

fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[test]
fn exports_of_other_products_are_taken_as_they_are_handed_out() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let of = |workspace| Importer { server: &server, folder: folder.path(), workspace };

    let amplitude = |id: u32, kind: &str| {
        format!(
            r#"{{"event_type":"{kind}","user_id":"u{id}","$insert_id":"i{id}","event_time":"2026-03-01 10:00:00.5","event_properties":{{"plan":"team"}}}}"#
        )
    };
    // The first file ends without ending its line; the second has a broken one, which is the fourth of all.
    let first = gzip(&format!("{}\n{}", amplitude(1, "play"), amplitude(2, "$identify")));
    let second = gzip(&format!("{}\n{{oops\n{}\n", amplitude(3, "play"), amplitude(4, "play")));
    let shop = of("amplitude");
    for deflated in [true, false] {
        let path = folder.path().join("export.zip");
        zip(&path, &[("1.json.gz", &first), ("2.json.gz", &second)], deflated);
        let archive = std::fs::read(&path).unwrap();
        let said = shop.import("export.zip", &archive, &["--from", "amplitude", "--dry-run"]);
        assert_eq!((said.status, shop.users()), (7, if deflated { 0 } else { 3 }), "{}", said.errors);
        let said = shop.import("export.zip", &archive, &["--from", "amplitude"]);
        assert_eq!(said.status, 7, "{}", said.errors);
        assert_eq!(
            (&said.report["rows"], &said.report["stored"], &said.report["rejected"]),
            (&json!(5), &json!(3), &json!(1))
        );
        assert_eq!(said.report["identities"], json!({"$identify": 1}));
        assert_eq!(said.report["rejections"][0]["line"], json!(4));
        let duplicates = if deflated { json!(0) } else { json!(3) };
        assert_eq!(said.report["duplicates"], duplicates, "a second import brings nothing new");
    }
    assert_eq!(shop.values("play", "plan", false), [(json!("team"), 3.0)]);

    let cases = [
        (
            "segment",
            "4711.gz",
            r#"{"type":"track","event":"bought","userId":"u","messageId":"m","timestamp":"2026-03-01T10:00:00Z","properties":{"plan":"team"}}"#,
        ),
        (
            "mixpanel",
            "export.txt",
            r#"{"event":"bought","properties":{"time":1772359200,"distinct_id":"u","$insert_id":"m","plan":"team"}}"#,
        ),
        (
            "posthog",
            "events.jsonl.gz",
            r#"{"event":"bought","uuid":"m","distinct_id":"u","timestamp":"2026-03-01T10:00:00+00:00","properties":"{\"plan\":\"team\"}"}"#,
        ),
    ];
    for (vendor, name, line) in cases {
        let shop = of(vendor);
        let content = if Path::new(name).extension().is_some_and(|ending| ending == "gz") {
            gzip(line)
        } else {
            line.as_bytes().to_vec()
        };
        shop.import(name, &content, &["--from", vendor]).whole(1);
        assert_eq!(shop.values("bought", "plan", false), [(json!("team"), 1.0)], "{vendor}");
    }
    let posthog = parquet(vec![
        ("uuid", texts(&["n"])),
        ("event", texts(&["bought"])),
        ("distinct_id", texts(&["v"])),
        ("timestamp", texts(&["2026-03-01 10:00:00"])),
        ("properties", texts(&[r#"{"plan":"free"}"#])),
    ]);
    of("posthog").import("events.parquet", &posthog, &["--from", "posthog"]).whole(1);
    assert_eq!(of("posthog").users(), 2);

    let csv = of("posthog").import("events.csv", b"event\nx\n", &["--from", "posthog", "--format", "csv"]);
    csv.refused(2, &["JSON lines or Parquet"]);
    let broken = of("posthog").import(
        "cut.zip",
        &std::fs::read(folder.path().join("export.zip")).unwrap()[..200],
        &["--from", "posthog"],
    );
    broken.refused(1, &["broken ZIP archive"]);
    let both = of("posthog").import("x.jsonl", b"{}", &["--from", "posthog", "--user", "u"]);
    both.refused(2, &["--user", "--from"]);
}
